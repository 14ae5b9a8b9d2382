//! Reports that have to be rejected, and measurements that have to be refused.

use super::instances::{count, histogram, multihot, multiproof, sum, sum_vec};
use crate::alteration::{Alteration, Edit, Part, RejectedAt};
use crate::report::{Case, Client, Instance};
use crate::vector::{File, Json};
use prio::field::{Field128, Field64, FieldElement};
use prio::flp::Type;
use Edit::{AllOnes, AppendByte, Clear, DropLastByte, FlipBit, Modulus};
use Part::{Context, InputShare, Nonce, PublicShare, VerifierMessage, VerifierShare};
use RejectedAt::{VerifierSharesToMessage, VerifyInit, VerifyNext};

const CONTEXT_LENGTH: usize = 16;

pub fn all() -> Vec<File> {
    let (zero64, one64) = (Field64::zero(), Field64::one());
    let (zero, one) = (Field128::zero(), Field128::one());
    let mut files = Vec::new();

    let counts = Rejections {
        prefix: "Prio3Count",
        build: count,
        measurement: true,
        cheats: vec![("two", vec![one64 + one64]), ("minus_one", vec![zero64 - one64])],
        refused: vec![],
    };
    counts.write_one_by_one(&mut files);
    counts.write(&mut files);
    Rejections {
        prefix: "Prio3Sum",
        build: |shares| sum(shares, 100),
        measurement: 42,
        cheats: vec![("not_a_bit", {
            let mut bits = vec![zero64; 7];
            bits[3] = one64 + one64;
            bits
        })],
        refused: vec![101, u64::MAX],
    }
    .write(&mut files);
    Rejections {
        prefix: "Prio3SumVec",
        build: |shares| sum_vec(shares, 3, 10, 5),
        measurement: vec![10, 0, 7],
        cheats: vec![("not_a_bit", {
            let mut bits = vec![one; 12];
            bits[11] = zero - one;
            bits
        })],
        refused: vec![vec![0, 0, 11], vec![1; 2], vec![1; 4], vec![]],
    }
    .write(&mut files);
    let histograms = Rejections {
        prefix: "Prio3Histogram",
        build: |shares| histogram(shares, 5, 2),
        measurement: 2,
        cheats: vec![
            ("two_buckets", vec![one, zero, zero, one, zero]),
            ("no_bucket", vec![zero; 5]),
            // The buckets' sum is one.
            ("not_a_bit", vec![one + one, zero - one, zero, zero, zero]),
        ],
        refused: vec![5, 1 << 40],
    };
    histograms.write_one_by_one(&mut files);
    histograms.write(&mut files);
    Rejections {
        prefix: "Prio3MultihotCountVec",
        build: |shares| multihot(shares, 4, 2, 3),
        measurement: vec![true, false, true, false],
        cheats: vec![
            // The last two elements are the weight's bits; the second weighs 1, as max_weight is 2.
            ("three_hot", vec![one, one, one, zero, one, one]),
            ("wrong_weight", vec![one, zero, zero, zero, zero, zero]),
            ("not_a_bit", vec![one + one, zero, zero, zero, one, one]),
        ],
        refused: vec![vec![true, true, true, false], vec![true; 2], vec![false; 5]],
    }
    .write(&mut files);
    Rejections {
        prefix: "Prio3SumVecWithMultiproof",
        build: |shares| multiproof(shares, 3, 10, 5, 3),
        measurement: vec![10, 0, 7],
        cheats: vec![("not_a_bit", {
            let mut bits = vec![zero64; 12];
            bits[0] = one64 + one64;
            bits
        })],
        refused: vec![vec![0, 0, 11], vec![1; 2]],
    }
    .write(&mut files);
    files
}

/// What is rejected of one type, over the instance that `build` gives for a number of shares.
struct Rejections<T: Type, B: Fn(u8) -> Instance<T>> {
    prefix: &'static str,
    build: B,
    measurement: T::Measurement,
    cheats: Vec<(&'static str, Vec<T::Field>)>,
    refused: Vec<T::Measurement>,
}

/// One way to spoil a report: a name, what is done, and where it has to show.
type Spoil = (&'static str, Alteration, RejectedAt);

impl<T: Type, B: Fn(u8) -> Instance<T>> Rejections<T, B>
where
    T::Measurement: Json,
    T::AggregateResult: Json,
{
    /// Two files with all ways between reports that are accepted, with two and with three shares, and
    /// one with the measurements that are refused.
    fn write(self, files: &mut Vec<File>) {
        if !self.refused.is_empty() {
            let clients = self.refused.iter().cloned().map(Client::Refusing).collect();
            files.push(self.case("refused_measurements".into(), 2, clients).file());
        }
        for shares in [2, 3] {
            files.push(self.mixed(shares).file());
        }
    }

    /// One file for each way, with two shares.
    fn write_one_by_one(&self, files: &mut Vec<File>) {
        for (name, alteration, rejected_at) in self.spoils(2) {
            let client = Client::Altered(name, self.measurement.clone(), alteration, rejected_at);
            files.push(self.case(format!("bad_{name}"), 2, vec![client]).file());
        }
        for (name, encoded) in &self.cheats {
            let client = Client::Cheating(name, encoded.clone());
            files.push(self.case(format!("cheat_{name}"), 2, vec![client]).file());
        }
    }

    /// All ways to be rejected, with a report that is accepted before, between and after them.
    fn mixed(&self, shares: u8) -> Case<T> {
        let mut bad: Vec<Client<T>> = self
            .spoils(shares)
            .into_iter()
            .map(|(name, alteration, at)| Client::Altered(name, self.measurement.clone(), alteration, at))
            .collect();
        bad.extend(self.cheats.iter().map(|(name, encoded)| Client::Cheating(name, encoded.clone())));
        let mut clients = vec![Client::Honest(self.measurement.clone())];
        for (index, client) in bad.into_iter().enumerate() {
            clients.push(client);
            if index % 3 == 2 {
                clients.push(Client::Honest(self.measurement.clone()));
            }
        }
        clients.push(Client::Honest(self.measurement.clone()));
        self.case(format!("mixed_shares_{shares}"), shares, clients)
    }

    fn case(&self, name: String, shares: u8, clients: Vec<Client<T>>) -> Case<T> {
        Case {
            name: format!("{}_{name}", self.prefix),
            context_length: CONTEXT_LENGTH,
            instance: (self.build)(shares),
            clients,
        }
    }

    fn spoils(&self, shares: u8) -> Vec<Spoil> {
        let instance = (self.build)(shares);
        let mut spoils = self.everywhere(&instance);
        if instance.circuit.joint_rand_len() > 0 {
            spoils.extend(with_joint_randomness());
        } else {
            spoils.extend(without_joint_randomness());
        }
        if shares > 2 {
            spoils.push(("swapped_shares", Alteration::SwapInputShares(1, 2), VerifierSharesToMessage));
        }
        spoils
    }

    /// What works for every type. The Leader's input share begins with the measurement share and goes
    /// on with the proofs share, which begins with the wire seeds and ends with a gadget polynomial.
    fn everywhere(&self, instance: &Instance<T>) -> Vec<Spoil> {
        let size = T::Field::ENCODED_SIZE;
        let proof_start = instance.circuit.input_len() * size;
        let proof_end = proof_start + usize::from(instance.proofs) * instance.circuit.proof_len() * size;
        let last_element = proof_end - size;
        let tamper = |name, part, edit| (name, Alteration::Edit(part, edit), VerifierSharesToMessage);
        let malform = |name, agg_id, part, edit| (name, Alteration::Edit(part, edit), VerifyInit(agg_id));
        vec![
            tamper("meas_share", InputShare(0), FlipBit(0)),
            tamper("wire_seed", InputShare(0), FlipBit(proof_start as isize)),
            tamper("gadget_poly", InputShare(0), FlipBit(last_element as isize)),
            tamper("helper_seed", InputShare(1), FlipBit(0)),
            tamper("context", Context, FlipBit(0)),
            tamper("leader_verifier_share", VerifierShare(0), FlipBit(0)),
            tamper("helper_verifier_share", VerifierShare(1), FlipBit(0)),
            tamper("verifier_share_modulus", VerifierShare(1), Modulus(0)),
            tamper("verifier_share_short", VerifierShare(0), DropLastByte),
            tamper("verifier_share_long", VerifierShare(1), AppendByte),
            malform("leader_share_modulus", 0, InputShare(0), Modulus(0)),
            malform("leader_proof_modulus", 0, InputShare(0), Modulus(last_element)),
            malform("leader_proof_all_ones", 0, InputShare(0), AllOnes(last_element)),
            malform("leader_share_short", 0, InputShare(0), DropLastByte),
            malform("leader_share_long", 0, InputShare(0), AppendByte),
            malform("leader_share_empty", 0, InputShare(0), Clear),
            malform("helper_share_short", 1, InputShare(1), DropLastByte),
            malform("helper_share_long", 1, InputShare(1), AppendByte),
            malform("public_share_long", 0, PublicShare, AppendByte),
            ("verifier_message_long", Alteration::Edit(VerifierMessage, AppendByte), VerifyNext),
        ]
    }
}

fn with_joint_randomness() -> Vec<Spoil> {
    vec![
        ("nonce", Alteration::Edit(Nonce, FlipBit(0)), VerifierSharesToMessage),
        ("leader_jr_blind", Alteration::Edit(InputShare(0), FlipBit(-1)), VerifierSharesToMessage),
        ("helper_jr_blind", Alteration::Edit(InputShare(1), FlipBit(-1)), VerifierSharesToMessage),
        ("public_share_leader_part", Alteration::Edit(PublicShare, FlipBit(0)), VerifierSharesToMessage),
        ("public_share_helper_part", Alteration::Edit(PublicShare, FlipBit(32)), VerifierSharesToMessage),
        ("public_share_short", Alteration::Edit(PublicShare, DropLastByte), VerifyInit(0)),
        ("public_share_empty", Alteration::Edit(PublicShare, Clear), VerifyInit(0)),
        // The proof is fine; the joint randomness that it was verified with is not.
        ("verifier_share_jr_part", Alteration::Edit(VerifierShare(0), FlipBit(-1)), VerifyNext),
        ("verifier_message", Alteration::Edit(VerifierMessage, FlipBit(0)), VerifyNext),
        ("verifier_message_short", Alteration::Edit(VerifierMessage, DropLastByte), VerifyNext),
        ("verifier_message_empty", Alteration::Edit(VerifierMessage, Clear), VerifyNext),
    ]
}

fn without_joint_randomness() -> Vec<Spoil> {
    vec![("verifier_share_last_element", Alteration::Edit(VerifierShare(0), FlipBit(-8)), VerifierSharesToMessage)]
}
