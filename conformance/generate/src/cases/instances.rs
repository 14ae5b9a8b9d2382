//! The instances of Prio3 (VDAF Section 7.4), with the members that describe them in a file.

use crate::report::Instance;
use prio::field::{Field128, Field64};
use prio::flp::gadgets::{Mul, ParallelSum};
use prio::flp::types::{Count, Histogram, MultihotCountVec, Sum, SumVec};

pub type Sum64 = Sum<Field64>;
pub type Count64 = Count<Field64>;
pub type SumVec64 = SumVec<Field64, ParallelSum<Field64, Mul>>;
pub type SumVec128 = SumVec<Field128, ParallelSum<Field128, Mul>>;
pub type Histogram128 = Histogram<Field128, ParallelSum<Field128, Mul>>;
pub type Multihot128 = MultihotCountVec<Field128, ParallelSum<Field128, Mul>>;

pub fn count(shares: u8) -> Instance<Count64> {
    Instance { shares, proofs: 1, algorithm_id: 1, circuit: Count::new(), parameters: vec![] }
}

pub fn sum(shares: u8, max: u64) -> Instance<Sum64> {
    let parameters = vec![("max_measurement", max)];
    Instance { shares, proofs: 1, algorithm_id: 2, circuit: Sum::new(max).unwrap(), parameters }
}

pub fn sum_vec(shares: u8, length: usize, max: u64, chunk: usize) -> Instance<SumVec128> {
    let circuit = SumVec::new(max.into(), length, chunk).unwrap();
    let parameters = vec![("length", length as u64), ("max_measurement", max), ("chunk_length", chunk as u64)];
    Instance { shares, proofs: 1, algorithm_id: 3, circuit, parameters }
}

pub fn histogram(shares: u8, length: usize, chunk: usize) -> Instance<Histogram128> {
    let circuit = Histogram::new(length, chunk).unwrap();
    let parameters = vec![("length", length as u64), ("chunk_length", chunk as u64)];
    Instance { shares, proofs: 1, algorithm_id: 4, circuit, parameters }
}

pub fn multihot(shares: u8, length: usize, weight: usize, chunk: usize) -> Instance<Multihot128> {
    let circuit = MultihotCountVec::new(length, weight, chunk).unwrap();
    let parameters = vec![("length", length as u64), ("max_weight", weight as u64), ("chunk_length", chunk as u64)];
    Instance { shares, proofs: 1, algorithm_id: 5, circuit, parameters }
}

/// SumVec over Field64 with several proofs. The official files name it so, with the algorithm ID
/// 0xffffffff and three proofs; `proofs` is a member of ours.
pub fn multiproof(shares: u8, length: usize, max: u64, chunk: usize, proofs: u8) -> Instance<SumVec64> {
    let circuit = SumVec::new(max, length, chunk).unwrap();
    let parameters = vec![
        ("length", length as u64),
        ("max_measurement", max),
        ("chunk_length", chunk as u64),
        ("proofs", proofs.into()),
    ];
    Instance { shares, proofs, algorithm_id: 0xffff_ffff, circuit, parameters }
}
