//! The steps that are measured, from encoded messages to encoded messages, as
//! an aggregator over the network takes them. What stays in an aggregator's own
//! memory (its state, its own verifier share) is neither encoded nor decoded.

use std::hint::black_box;

use prio::codec::{Encode, ParameterizedDecode};
use prio::vdaf::{Aggregatable, Aggregator, Client, Collector, VerifyTransition};

use crate::clock::cpu_nanoseconds;
use crate::workload::text;

const CONTEXT: &[u8] = b"twofold bench/peers";
const VERIFY_KEY: [u8; 32] = [7; 32];

/// A workload that can be measured.
pub trait Cell {
    /// The aggregate result of the workload's reports.
    fn result(&mut self) -> Result<String, String>;
    /// The first report: nonce, public share and input shares, encoded.
    fn report(&self) -> [Vec<u8>; 4];
    /// Verifies any report; the encoded verifier shares and the message.
    fn trace(&self, report: &[Vec<u8>; 4]) -> Result<[Vec<u8>; 3], String>;
    /// Repeats a step for about the given CPU time; how many reports went
    /// through it, and the nanoseconds that they took.
    fn measure(&mut self, step: &str, nanoseconds: u64) -> Result<(u64, u64), String>;
}

/// What the crate's Prio3 types have in common.
pub trait Vdaf: Client<16> + Aggregator<32, 16, AggregationParam = ()> + Collector {}

impl<V> Vdaf for V where V: Client<16> + Aggregator<32, 16, AggregationParam = ()> + Collector {}

/// One report and everything that becomes of it.
struct Report<V: Vdaf> {
    nonce: [u8; 16],
    public_share: Vec<u8>,
    input_shares: [Vec<u8>; 2],
    states: [V::VerifyState; 2],
    helper_share: V::VerifierShare,
    leader_share: Vec<u8>,
    message: Vec<u8>,
    output_shares: [V::OutputShare; 2],
}

pub struct Bench<V: Vdaf> {
    vdaf: V,
    measurements: Vec<V::Measurement>,
    reports: Vec<Report<V>>,
    /// How many copies of the reports a pass takes whose input is consumed.
    copies: usize,
    show: fn(&V::AggregateResult) -> String,
}

impl<V: Vdaf> Bench<V> {
    pub fn new(
        vdaf: V,
        length: usize,
        measurements: Vec<V::Measurement>,
        show: fn(&V::AggregateResult) -> String,
    ) -> Result<Self, String> {
        let copies = (4_096 / length).clamp(1, 64);
        let mut bench = Self {
            vdaf,
            measurements,
            reports: Vec::new(),
            copies,
            show,
        };
        for i in 0..bench.measurements.len() {
            let nonce = (i as u128).to_be_bytes();
            let (public_share, input_shares) = bench.shard(i)?;
            let report = bench.verify(nonce, public_share, input_shares)?;
            bench.reports.push(report);
        }
        Ok(bench)
    }

    /// Takes a report through the verification.
    fn verify(
        &self,
        nonce: [u8; 16],
        public_share: Vec<u8>,
        input_shares: [Vec<u8>; 2],
    ) -> Result<Report<V>, String> {
        let (leader, leader_share) = self.init(0, &nonce, &public_share, &input_shares[0])?;
        let (helper, helper_share) = self.init(1, &nonce, &public_share, &input_shares[1])?;
        let leader_share = leader_share.get_encoded().map_err(text)?;
        let (message, helper_output) =
            self.helper_rest(helper.clone(), &leader_share, helper_share.clone())?;
        let leader_output = self.leader_rest(leader.clone(), &message)?;
        Ok(Report {
            nonce,
            public_share,
            input_shares,
            states: [leader, helper],
            helper_share,
            leader_share,
            message,
            output_shares: [leader_output, helper_output],
        })
    }

    fn shard(&self, i: usize) -> Result<(Vec<u8>, [Vec<u8>; 2]), String> {
        let nonce = (i as u128).to_be_bytes();
        let (public_share, input_shares) = self
            .vdaf
            .shard(CONTEXT, &self.measurements[i], &nonce)
            .map_err(text)?;
        let public_share = public_share.get_encoded().map_err(text)?;
        let leader = input_shares[0].get_encoded().map_err(text)?;
        let helper = input_shares[1].get_encoded().map_err(text)?;
        Ok((public_share, [leader, helper]))
    }

    fn init(
        &self,
        aggregator: usize,
        nonce: &[u8; 16],
        public_share: &[u8],
        input_share: &[u8],
    ) -> Result<(V::VerifyState, V::VerifierShare), String> {
        let public_share =
            V::PublicShare::get_decoded_with_param(&self.vdaf, public_share).map_err(text)?;
        let input_share =
            V::InputShare::get_decoded_with_param(&(&self.vdaf, aggregator), input_share)
                .map_err(text)?;
        self.vdaf
            .verify_init(
                &VERIFY_KEY,
                CONTEXT,
                aggregator,
                &(),
                nonce,
                &public_share,
                &input_share,
            )
            .map_err(text)
    }

    /// The Leader sends its verifier share, so that it is encoded here.
    fn leader_init(&self, r: &Report<V>) -> Result<(V::VerifyState, Vec<u8>), String> {
        let (state, share) = self.init(0, &r.nonce, &r.public_share, &r.input_shares[0])?;
        Ok((state, share.get_encoded().map_err(text)?))
    }

    fn leader_rest(&self, state: V::VerifyState, message: &[u8]) -> Result<V::OutputShare, String> {
        let message = V::VerifierMessage::get_decoded_with_param(&state, message).map_err(text)?;
        self.next(state, message)
    }

    /// The Helper has its own share in memory, gets the Leader's, and sends the
    /// verifier message.
    fn helper_rest(
        &self,
        state: V::VerifyState,
        leader_share: &[u8],
        helper_share: V::VerifierShare,
    ) -> Result<(Vec<u8>, V::OutputShare), String> {
        let leader_share =
            V::VerifierShare::get_decoded_with_param(&state, leader_share).map_err(text)?;
        let message = self
            .vdaf
            .verifier_shares_to_message(CONTEXT, &(), [leader_share, helper_share])
            .map_err(text)?;
        let encoded = message.get_encoded().map_err(text)?;
        Ok((encoded, self.next(state, message)?))
    }

    fn next(
        &self,
        state: V::VerifyState,
        message: V::VerifierMessage,
    ) -> Result<V::OutputShare, String> {
        match self.vdaf.verify_next(CONTEXT, state, message) {
            Ok(VerifyTransition::Finish(share)) => Ok(share),
            Ok(VerifyTransition::Continue(..)) => Err("Prio3 has one round".to_string()),
            Err(error) => Err(text(error)),
        }
    }

    /// What `verify_next` consumes is copied before the clock starts.
    fn consuming<T>(
        &self,
        nanoseconds: u64,
        copy: impl Fn(&Report<V>) -> T,
        step: impl Fn(&Report<V>, T) -> Result<(), String>,
    ) -> Result<(u64, u64), String> {
        let (mut reports, mut spent) = (0, 0);
        while spent < nanoseconds {
            let copies: Vec<Vec<T>> = (0..self.copies)
                .map(|_| self.reports.iter().map(&copy).collect())
                .collect();
            let start = cpu_nanoseconds();
            for pass in copies {
                for (report, input) in self.reports.iter().zip(pass) {
                    step(report, input)?;
                }
            }
            spent += cpu_nanoseconds() - start;
            reports += (self.copies * self.reports.len()) as u64;
        }
        Ok((reports, spent))
    }

    fn repeat(
        &self,
        nanoseconds: u64,
        mut pass: impl FnMut() -> Result<(), String>,
    ) -> Result<(u64, u64), String> {
        let (mut passes, mut block, start) = (0, 1, cpu_nanoseconds());
        loop {
            for _ in 0..block {
                pass()?;
            }
            passes += block;
            let spent = cpu_nanoseconds() - start;
            if spent >= nanoseconds {
                return Ok((passes * self.reports.len() as u64, spent));
            }
            // The clock is read at least 16 times in the time that is asked for.
            if spent * 16 < nanoseconds {
                block *= 2;
            }
        }
    }
}

impl<V: Vdaf> Cell for Bench<V> {
    fn result(&mut self) -> Result<String, String> {
        let mut shares = Vec::new();
        for aggregator in 0..2 {
            let mut share = self.vdaf.aggregate_init(&());
            for report in &self.reports {
                share
                    .accumulate(&report.output_shares[aggregator])
                    .map_err(text)?;
            }
            shares.push(share);
        }
        let result = self
            .vdaf
            .unshard(&(), shares, self.reports.len())
            .map_err(text)?;
        Ok((self.show)(&result))
    }

    fn report(&self) -> [Vec<u8>; 4] {
        let r = &self.reports[0];
        let [leader, helper] = r.input_shares.clone();
        [r.nonce.to_vec(), r.public_share.clone(), leader, helper]
    }

    fn trace(&self, report: &[Vec<u8>; 4]) -> Result<[Vec<u8>; 3], String> {
        let [nonce, public_share, leader, helper] = report.clone();
        let nonce = nonce
            .try_into()
            .map_err(|_| "the nonce is not of 16 bytes")?;
        let r = self.verify(nonce, public_share, [leader, helper])?;
        let helper_share = r.helper_share.get_encoded().map_err(text)?;
        Ok([r.leader_share, helper_share, r.message])
    }

    fn measure(&mut self, step: &str, nanoseconds: u64) -> Result<(u64, u64), String> {
        match step {
            "shard" => self.repeat(nanoseconds, || {
                for i in 0..self.reports.len() {
                    black_box(self.shard(i)?);
                }
                Ok(())
            }),
            "leader-init" => self.repeat(nanoseconds, || {
                for r in &self.reports {
                    black_box(self.leader_init(r)?);
                }
                Ok(())
            }),
            "helper-init" => self.repeat(nanoseconds, || {
                for r in &self.reports {
                    black_box(self.init(1, &r.nonce, &r.public_share, &r.input_shares[1])?);
                }
                Ok(())
            }),
            "leader-rest" => self.consuming(
                nanoseconds,
                |r| r.states[0].clone(),
                |r, state| {
                    black_box(self.leader_rest(state, &r.message)?);
                    Ok(())
                },
            ),
            "helper-rest" => self.consuming(
                nanoseconds,
                |r| (r.states[1].clone(), r.helper_share.clone()),
                |r, (state, share)| {
                    black_box(self.helper_rest(state, &r.leader_share, share)?);
                    Ok(())
                },
            ),
            "aggregate" => {
                let mut share = self.vdaf.aggregate_init(&());
                self.repeat(nanoseconds, || {
                    for r in &self.reports {
                        share.accumulate(&r.output_shares[0]).map_err(text)?;
                    }
                    black_box(&share);
                    Ok(())
                })
            }
            _ => Err(format!("unknown step {step:?}")),
        }
    }
}
