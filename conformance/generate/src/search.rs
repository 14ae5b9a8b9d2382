//! A seed whose expansion into Field64 makes the XOF reject a value.
//!
//! `XofTurboShake128` draws 8 bytes for an element of Field64 and rejects what is not below the
//! modulus, once in 2^32 elements (VDAF Section 6.2). Random vectors never show it, so this module
//! searches for a helper's seed that does, and keeps the one that it found.

use prio::vdaf::xof::{Xof, XofTurboShake128};
use rand_core::Rng;

/// 2^64 - 2^32 + 1.
const FIELD64_MODULUS: u64 = 0xffff_ffff_0000_0001;

/// The elements of a measurement share of the SumVec (length 10, 8 bits each) that the seed is for.
pub const ELEMENTS: usize = 80;

/// The context that the seed was found with is empty.
pub const REJECTING_CONTEXT_LENGTH: usize = 0;

/// The number of the seed that `search` found.
const REJECTING_NUMBER: u64 = 22_707_976;

/// The seed that `search` found.
pub fn rejecting_seed() -> [u8; 32] {
    numbered(REJECTING_NUMBER)
}

fn numbered(number: u64) -> [u8; 32] {
    let mut seed = [0x52; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    seed
}

/// The domain separation tag and the binder with which the helper with the aggregator ID 1 expands its
/// measurement share (VDAF Section 7.2): version 18, class 0, algorithm 0xffffffff, usage 1.
pub fn expansion() -> (Vec<u8>, Vec<u8>) {
    (vec![18, 0, 0xff, 0xff, 0xff, 0xff, 0, 1], vec![1])
}

/// Says where the expansion of `seed` meets a value that is rejected.
pub fn rejection(seed: &[u8; 32]) -> Option<usize> {
    let (dst, binder) = expansion();
    let mut bytes = [0; 8 * ELEMENTS];
    XofTurboShake128::seed_stream(seed, &[&dst], &[&binder]).fill_bytes(&mut bytes);
    bytes.chunks_exact(8).position(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()) >= FIELD64_MODULUS)
}

/// Tries seeds in order; about 2^32 / 80 of them, half a minute on average.
pub fn search() {
    for number in 0u64.. {
        if let Some(position) = rejection(&numbered(number)) {
            println!("the seed number {number} rejects a value at position {position}");
            return;
        }
    }
}
