//! Runs the reports of one file through the crate, and writes down what it computed.

use crate::alteration::{Alteration, Part, RejectedAt};
use crate::cheat::Cheat;
use crate::vector::{draw, randomness, File, Json, Operation, Report};
use prio::codec::{Encode, ParameterizedDecode};
use prio::field::FieldElement;
use prio::flp::Type;
use prio::vdaf::prio3::{
    Prio3, Prio3InputShare, Prio3PublicShare, Prio3VerifierMessage, Prio3VerifierShare, Prio3VerifyState,
};
use prio::vdaf::test_utils::TestVectorClient;
use prio::vdaf::xof::XofTurboShake128;
use prio::vdaf::{AggregateShare, Aggregator, Collector, OutputShare, VerifyTransition};
use rand_core::Rng;
use serde_json::Value;

type Vdaf<T> = Prio3<T, XofTurboShake128, 32>;

/// One instance of Prio3.
pub struct Instance<T> {
    pub shares: u8,
    pub proofs: u8,
    pub algorithm_id: u32,
    pub circuit: T,
    /// The members that say how to build the instance, besides `shares`.
    pub parameters: Vec<(&'static str, u64)>,
}

/// What a client does.
pub enum Client<T: Type> {
    /// Shards a measurement.
    Honest(T::Measurement),
    /// Shards as the first does, and the report is altered on its way. The name says how.
    Altered(&'static str, T::Measurement, Alteration, RejectedAt),
    /// Proves this invalid encoded measurement. The name says what is invalid.
    Cheating(&'static str, Vec<T::Field>),
    /// Is given a measurement that it has to refuse.
    Refusing(T::Measurement),
    /// Shards a measurement with sharding randomness that begins with these bytes.
    WithRandomness(T::Measurement, Vec<u8>),
}

/// One file to be written.
pub struct Case<T: Type> {
    pub name: String,
    pub context_length: usize,
    pub instance: Instance<T>,
    pub clients: Vec<Client<T>>,
}

impl<T: Type> Case<T>
where
    T::Measurement: Json,
    T::AggregateResult: Json,
{
    /// Runs the case. Panics where the crate does not accept or reject what the case says it does.
    pub fn file(&self) -> File {
        let vdaf = self.vdaf(self.instance.circuit.clone());
        let mut source = randomness(&self.name);
        let verify_key: [u8; 32] = draw(&mut source, 32).try_into().unwrap();
        let context = draw(&mut source, self.context_length);
        let mut run = Run {
            case: self,
            vdaf,
            verify_key,
            context,
            operations: Vec::new(),
            reports: Vec::new(),
            out_shares: vec![Vec::new(); self.instance.shares.into()],
        };
        for client in &self.clients {
            run.report(client, &mut source);
        }
        let complete = run.reports.iter().all(|report| !report.out_shares.is_empty());
        let (agg_shares, agg_result) = if complete { run.aggregate() } else { (Vec::new(), Value::Null) };

        let mut file = File::new(&self.name);
        file.insert("shares", self.instance.shares);
        for (name, value) in &self.instance.parameters {
            file.insert(name, value);
        }
        file.insert("ctx", hex::encode(&run.context));
        file.insert("verify_key", hex::encode(run.verify_key));
        file.insert("agg_param", "");
        file.insert("reports", run.reports);
        file.insert("agg_shares", agg_shares);
        file.insert("agg_result", agg_result);
        file.insert("operations", run.operations);
        file
    }

    fn vdaf<C: Type>(&self, circuit: C) -> Vdaf<C> {
        Prio3::new(self.instance.shares, self.instance.proofs, self.instance.algorithm_id, circuit).unwrap()
    }
}

/// The state of a run over a case's clients.
struct Run<'a, T: Type> {
    case: &'a Case<T>,
    vdaf: Vdaf<T>,
    verify_key: [u8; 32],
    context: Vec<u8>,
    operations: Vec<Operation>,
    reports: Vec<Report>,
    /// By aggregator.
    out_shares: Vec<Vec<OutputShare<T::Field>>>,
}

/// A report's messages as they travel, and what is done to them.
struct Wire {
    nonce: [u8; 16],
    public_share: Vec<u8>,
    input_shares: Vec<Vec<u8>>,
    alteration: Option<Alteration>,
}

impl Wire {
    fn alters_verifier_share(&self, agg_id: usize) -> bool {
        matches!(self.alteration, Some(Alteration::Edit(Part::VerifierShare(altered), _)) if altered == agg_id)
    }
}

impl<T: Type> Run<'_, T>
where
    T::Measurement: Json,
    T::AggregateResult: Json,
{
    fn report(&mut self, client: &Client<T>, source: &mut impl Rng) {
        let nonce: [u8; 16] = draw(source, 16).try_into().unwrap();
        let mut rand = draw(source, self.rand_size());
        if let Client::WithRandomness(_, start) = client {
            rand[..start.len()].copy_from_slice(start);
        }
        let mut report = Report { nonce: hex::encode(nonce), rand: hex::encode(&rand), ..Default::default() };
        let verified = match client {
            Client::Honest(measurement) | Client::WithRandomness(measurement, _) => {
                report.measurement = measurement.json();
                self.push("shard", None, None, true);
                Some((self.shard(&self.vdaf, measurement, nonce, rand, None), None))
            }
            Client::Altered(name, measurement, alteration, rejected_at) => {
                report.comment = Some(name);
                let wire = self.shard(&self.vdaf, measurement, nonce, rand, Some(*alteration));
                Some((wire, Some(*rejected_at)))
            }
            Client::Cheating(name, encoded) => {
                report.comment = Some(name);
                let cheat = self.case.vdaf(Cheat(self.case.instance.circuit.clone()));
                let wire = self.shard(&cheat, encoded, nonce, rand, None);
                Some((wire, Some(RejectedAt::VerifierSharesToMessage)))
            }
            Client::Refusing(measurement) => {
                report.measurement = measurement.json();
                assert!(self.refuses(measurement, nonce, &rand), "{}: not refused", self.case.name);
                self.push("shard", None, None, false);
                None
            }
        };
        if let Some((wire, rejected_at)) = verified {
            self.verify(&wire, &mut report, rejected_at);
        }
        self.reports.push(report);
    }

    /// Says whether the crate refuses to shard a measurement. It panics at a bucket beyond a
    /// histogram's length, and returns an error otherwise.
    fn refuses(&self, measurement: &T::Measurement, nonce: [u8; 16], rand: &[u8]) -> bool {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let shard = || self.vdaf.shard_with_random(&self.context, measurement, &nonce, rand).is_err();
        let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(shard)).unwrap_or(true);
        std::panic::set_hook(hook);
        refused
    }

    /// Shards, and does the alterations that concern the client's messages.
    fn shard<C: Type<Field = T::Field>>(
        &self,
        vdaf: &Vdaf<C>,
        measurement: &C::Measurement,
        nonce: [u8; 16],
        rand: Vec<u8>,
        alteration: Option<Alteration>,
    ) -> Wire {
        let mut client_context = self.context.clone();
        let mut client_nonce = nonce.to_vec();
        if let Some(Alteration::Edit(Part::Context, edit)) = alteration {
            edit.apply(&mut client_context, &modulus::<T::Field>());
        }
        if let Some(Alteration::Edit(Part::Nonce, edit)) = alteration {
            edit.apply(&mut client_nonce, &modulus::<T::Field>());
        }
        let (public_share, input_shares) =
            vdaf.shard_with_random(&client_context, measurement, &client_nonce.try_into().unwrap(), &rand).unwrap();
        let mut wire = Wire {
            nonce,
            public_share: public_share.get_encoded().unwrap(),
            input_shares: input_shares.iter().map(|share| share.get_encoded().unwrap()).collect(),
            alteration,
        };
        match alteration {
            Some(Alteration::Edit(Part::PublicShare, edit)) => {
                edit.apply(&mut wire.public_share, &modulus::<T::Field>())
            }
            Some(Alteration::Edit(Part::InputShare(agg_id), edit)) => {
                edit.apply(&mut wire.input_shares[agg_id], &modulus::<T::Field>())
            }
            Some(Alteration::SwapInputShares(a, b)) => wire.input_shares.swap(a, b),
            _ => (),
        }
        wire
    }

    /// Verifies a report, and records each message and operation until the report is rejected.
    fn verify(&mut self, wire: &Wire, report: &mut Report, rejected_at: Option<RejectedAt>) {
        report.public_share = hex::encode(&wire.public_share);
        report.input_shares = wire.input_shares.iter().map(hex::encode).collect();
        let Some((states, verifier_shares)) = self.verify_init(wire, report, rejected_at) else { return };
        let Some(message) = self.combine(wire, report, &states, verifier_shares, rejected_at) else { return };
        self.verify_next(wire, report, states, message, rejected_at);
    }

    #[allow(clippy::type_complexity)]
    fn verify_init(
        &mut self,
        wire: &Wire,
        report: &mut Report,
        rejected_at: Option<RejectedAt>,
    ) -> Option<(Vec<Prio3VerifyState<T::Field, 32>>, Vec<Vec<u8>>)> {
        let mut states = Vec::new();
        let mut shares = Vec::new();
        for agg_id in 0..wire.input_shares.len() {
            let result = self.try_verify_init(wire, agg_id);
            let rejected = rejected_at == Some(RejectedAt::VerifyInit(agg_id));
            assert_eq!(result.is_err(), rejected, "{}: verify_init of {agg_id}", self.case.name);
            let Ok((state, mut share)) = result else {
                self.push("verify_init", Some(agg_id), None, false);
                return None;
            };
            match wire.alteration {
                // The recorded share is not what verify_init gives, so this operation is not listed.
                Some(Alteration::Edit(_, edit)) if wire.alters_verifier_share(agg_id) => {
                    edit.apply(&mut share, &modulus::<T::Field>())
                }
                _ => self.push("verify_init", Some(agg_id), None, true),
            }
            if report.verifier_shares.is_empty() {
                report.verifier_shares.push(Vec::new());
            }
            report.verifier_shares[0].push(hex::encode(&share));
            states.push(state);
            shares.push(share);
        }
        Some((states, shares))
    }

    #[allow(clippy::type_complexity)]
    fn try_verify_init(&self, wire: &Wire, agg_id: usize) -> Result<(Prio3VerifyState<T::Field, 32>, Vec<u8>), String> {
        let public_share = Prio3PublicShare::get_decoded_with_param(&self.vdaf, &wire.public_share)
            .map_err(|error| error.to_string())?;
        let input_share = Prio3InputShare::get_decoded_with_param(&(&self.vdaf, agg_id), &wire.input_shares[agg_id])
            .map_err(|error| error.to_string())?;
        let (state, share) = self
            .vdaf
            .verify_init(&self.verify_key, &self.context, agg_id, &(), &wire.nonce, &public_share, &input_share)
            .map_err(|error| error.to_string())?;
        Ok((state, share.get_encoded().unwrap()))
    }

    /// Combines the verifier shares into the verifier message, altered where the case says so.
    fn combine(
        &mut self,
        wire: &Wire,
        report: &mut Report,
        states: &[Prio3VerifyState<T::Field, 32>],
        shares: Vec<Vec<u8>>,
        rejected_at: Option<RejectedAt>,
    ) -> Option<Vec<u8>> {
        let result = shares
            .iter()
            .map(|share| {
                Prio3VerifierShare::get_decoded_with_param(&states[0], share).map_err(|error| error.to_string())
            })
            .collect::<Result<Vec<_>, _>>()
            .and_then(|shares| {
                self.vdaf.verifier_shares_to_message(&self.context, &(), shares).map_err(|error| error.to_string())
            });
        let rejected = rejected_at == Some(RejectedAt::VerifierSharesToMessage);
        assert_eq!(result.is_err(), rejected, "{}: verifier_shares_to_message", self.case.name);
        let Ok(message) = result else {
            self.push("verifier_shares_to_message", None, Some(0), false);
            return None;
        };
        let mut message = message.get_encoded().unwrap();
        match wire.alteration {
            Some(Alteration::Edit(Part::VerifierMessage, edit)) => edit.apply(&mut message, &modulus::<T::Field>()),
            _ => self.push("verifier_shares_to_message", None, Some(0), true),
        }
        report.verifier_messages.push(hex::encode(&message));
        Some(message)
    }

    fn verify_next(
        &mut self,
        wire: &Wire,
        report: &mut Report,
        states: Vec<Prio3VerifyState<T::Field, 32>>,
        message: Vec<u8>,
        rejected_at: Option<RejectedAt>,
    ) {
        let rejected = rejected_at == Some(RejectedAt::VerifyNext);
        assert!(rejected || rejected_at.is_none(), "{}: not rejected at {rejected_at:?}", self.case.name);
        for (agg_id, state) in states.into_iter().enumerate() {
            let result = Prio3VerifierMessage::get_decoded_with_param(&state, &message)
                .map_err(|error| error.to_string())
                .and_then(|message| {
                    self.vdaf.verify_next(&self.context, state, message).map_err(|error| error.to_string())
                });
            assert_eq!(result.is_err(), rejected, "{}: verify_next of {agg_id}", self.case.name);
            // Whose verify_init is not listed has no state for this operation.
            if !wire.alters_verifier_share(agg_id) {
                self.push("verify_next", Some(agg_id), Some(1), !rejected);
            }
            match result {
                Ok(VerifyTransition::Finish(out_share)) => {
                    report.out_shares.push(hex::encode(out_share.get_encoded().unwrap()));
                    self.out_shares[agg_id].push(out_share);
                }
                Ok(VerifyTransition::Continue(..)) => unreachable!("Prio3 has one round"),
                Err(_) => (),
            }
        }
    }

    fn aggregate(&mut self) -> (Vec<String>, Value) {
        let count = self.reports.len();
        let shares: Vec<AggregateShare<T::Field>> = std::mem::take(&mut self.out_shares)
            .into_iter()
            .map(|out_shares| self.vdaf.aggregate(&(), out_shares).unwrap())
            .collect();
        let encoded = shares.iter().map(|share| hex::encode(share.get_encoded().unwrap())).collect();
        for agg_id in 0..shares.len() {
            self.operations.push(Operation {
                operation: "aggregate",
                aggregator_id: Some(agg_id),
                report_index: None,
                round: None,
                success: true,
            });
        }
        self.operations.push(Operation {
            operation: "unshard",
            aggregator_id: None,
            report_index: None,
            round: None,
            success: true,
        });
        (encoded, self.vdaf.unshard(&(), shares, count).unwrap().json())
    }

    /// Lists an operation on the report that is being run.
    fn push(&mut self, operation: &'static str, aggregator_id: Option<usize>, round: Option<usize>, success: bool) {
        let report_index = Some(self.reports.len());
        self.operations.push(Operation { operation, aggregator_id, report_index, round, success });
    }

    /// RAND_SIZE (VDAF Section 7.2): a seed for each Helper and one for the prover, and where there is
    /// joint randomness a blind for each share.
    fn rand_size(&self) -> usize {
        let seeds_a_share = if self.case.instance.circuit.joint_rand_len() > 0 { 2 } else { 1 };
        32 * seeds_a_share * usize::from(self.case.instance.shares)
    }
}

/// The field's modulus as if it were an element: the encoding of -1, plus one. Its lowest byte
/// does not overflow, because the modulus is odd.
fn modulus<F: FieldElement>() -> Vec<u8> {
    let mut encoded: Vec<u8> = (F::zero() - F::one()).into();
    encoded[0] += 1;
    assert!(F::try_from(encoded.as_slice()).is_err());
    encoded
}
