//! Vectors of XofTurboShake128 (VDAF Section 6.2.1), in the schema of the official file.

use crate::search::{expansion, rejecting_seed, ELEMENTS};
use crate::vector::{draw, randomness, File};
use prio::codec::Encode;
use prio::field::{Field128, Field64, FieldElement};
use prio::vdaf::xof::{IntoFieldVec, Xof, XofTurboShake128};

/// Lengths of the domain separation tag and of the binder around the sizes that matter: nothing,
/// the tags that Prio3 uses, more than one byte of length, and more than one block of 168 bytes.
const LENGTHS: [(usize, usize, usize); 7] =
    [(0, 0, 1), (8, 0, 3), (8, 1, 40), (8, 18, 22), (40, 134, 41), (8, 1000, 10), (300, 168, 100)];

pub fn all() -> Vec<File> {
    let mut files = Vec::new();
    for (number, (dst_length, binder_length, length)) in LENGTHS.into_iter().enumerate() {
        let name = format!("XofTurboShake128_{number}");
        let mut source = randomness(&name);
        let seed = draw(&mut source, 32).try_into().unwrap();
        let dst = draw(&mut source, dst_length);
        let binder = draw(&mut source, binder_length);
        files.push(file(&name, &seed, &dst, &binder, length));
    }
    let (dst, binder) = expansion();
    files.push(file("XofTurboShake128_rejection", &rejecting_seed(), &dst, &binder, ELEMENTS));
    files
}

fn file(name: &str, seed: &[u8; 32], dst: &[u8], binder: &[u8], length: usize) -> File {
    let mut xof = XofTurboShake128::init(seed, &[dst]);
    xof.update(binder);
    let mut file = File::new(name);
    file.insert("seed", hex::encode(seed));
    file.insert("dst", hex::encode(dst));
    file.insert("binder", hex::encode(binder));
    file.insert("length", length);
    file.insert("derived_seed", hex::encode(xof.into_seed().get_encoded().unwrap()));
    file.insert("expanded_vec_field64", expand::<Field64>(seed, dst, binder, length));
    file.insert("expanded_vec_field128", expand::<Field128>(seed, dst, binder, length));
    file
}

fn expand<F: FieldElement>(seed: &[u8; 32], dst: &[u8], binder: &[u8], length: usize) -> String {
    let elements: Vec<F> = XofTurboShake128::seed_stream(seed, &[dst], &[binder]).into_field_vec(length);
    hex::encode(elements.into_iter().flat_map(|element| -> Vec<u8> { element.into() }).collect::<Vec<_>>())
}
