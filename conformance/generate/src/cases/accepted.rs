//! Reports that everybody accepts.

use super::instances::{count, histogram, multihot, multiproof, sum, sum_vec};
use crate::report::{Case, Client, Instance};
use crate::search::{rejecting_seed, rejection, REJECTING_CONTEXT_LENGTH};
use crate::vector::{File, Json};
use prio::flp::Type;

/// Lengths of the application context, used in turn: nothing, short, around the block length of the
/// XOF, and more than one byte of length.
const CONTEXT_LENGTHS: [usize; 8] = [16, 0, 1, 32, 126, 127, 168, 300];

pub fn all() -> Vec<File> {
    let mut table = Table { files: Vec::new() };
    counts(&mut table);
    sums(&mut table);
    sum_vecs(&mut table);
    histograms(&mut table);
    multihots(&mut table);
    multiproofs(&mut table);
    table.files
}

/// The files so far. The lengths of contexts go round.
struct Table {
    files: Vec<File>,
}

impl Table {
    fn add<T: Type>(&mut self, name: String, instance: Instance<T>, measurements: Vec<T::Measurement>)
    where
        T::Measurement: Json,
        T::AggregateResult: Json,
    {
        let context_length = CONTEXT_LENGTHS[self.files.len() % CONTEXT_LENGTHS.len()];
        let clients = measurements.into_iter().map(Client::Honest).collect();
        self.files.push(Case { name, context_length, instance, clients }.file());
    }
}

fn counts(table: &mut Table) {
    for (shares, reports) in [(2, 9), (3, 5), (4, 4), (5, 3), (254, 1)] {
        let measurements = (0..reports).map(|report| report % 3 != 1).collect();
        table.add(format!("Prio3Count_shares_{shares}"), count(shares), measurements);
    }
}

fn sums(table: &mut Table) {
    let rows = [
        (2, 1, 4),
        (2, 2, 5),
        (3, 10, 6),
        (2, 100, 7),
        (2, 255, 8),
        (4, 256, 3),
        (2, 1337, 9),
        (5, 65535, 2),
        (2, 1 << 20, 5),
        (2, 5_000_000_000, 4),
        // Exceeds what a float of 64 bits holds exactly; three of them still fit in Field64.
        (2, (1 << 62) + 1, 3),
    ];
    for (shares, max, reports) in rows {
        let measurements = (0..reports).map(|report| element(report, 0, max)).collect();
        table.add(format!("Prio3Sum_max_{max}_shares_{shares}"), sum(shares, max), measurements);
    }
}

/// Shares, length, largest element, chunk length, reports. Of the chunk lengths some divide the number
/// of bits, some do not, and one exceeds it.
const VECTORS: [(u8, usize, u64, usize, usize); 12] = [
    (2, 1, 1, 1, 5),
    (2, 3, 1, 1, 4),
    (2, 2, 3, 50, 3),
    (2, 5, 100, 4, 9),
    (2, 7, 3, 5, 6),
    (3, 10, 255, 9, 4),
    (2, 20, 1337, 16, 5),
    (4, 4, 65535, 8, 3),
    (5, 3, 10, 5, 2),
    (2, 3, 1 << 40, 11, 4),
    (2, 100, 1, 10, 5),
    (2, 50, 65535, 29, 2),
];

fn sum_vecs(table: &mut Table) {
    for (shares, length, max, chunk, reports) in VECTORS {
        let name = format!("Prio3SumVec_length_{length}_max_{max}_chunk_{chunk}_shares_{shares}");
        let measurements =
            (0..reports).map(|report| (0..length).map(|index| element(report, index, max).into()).collect()).collect();
        table.add(name, sum_vec(shares, length, max, chunk), measurements);
    }
}

fn histograms(table: &mut Table) {
    let rows = [
        (2, 1, 1, 4),
        (2, 4, 2, 9),
        (3, 4, 3, 5),
        (2, 11, 3, 6),
        (4, 11, 4, 3),
        (5, 5, 7, 2),
        (2, 100, 10, 5),
        (2, 100, 7, 3),
        (2, 257, 16, 2),
    ];
    for (shares, length, chunk, reports) in rows {
        let name = format!("Prio3Histogram_length_{length}_chunk_{chunk}_shares_{shares}");
        let measurements = (0..reports).map(|report| (report * 37 + length - 1) % length).collect();
        table.add(name, histogram(shares, length, chunk), measurements);
    }
}

fn multihots(table: &mut Table) {
    let rows = [
        (2, 1, 1, 1, 5),
        (2, 4, 1, 2, 4),
        (2, 10, 3, 5, 9),
        (3, 10, 10, 4, 6),
        (4, 6, 4, 3, 3),
        (5, 3, 2, 4, 2),
        (2, 20, 20, 32, 5),
        (2, 100, 10, 11, 4),
    ];
    for (shares, length, weight, chunk, reports) in rows {
        let name = format!("Prio3MultihotCountVec_length_{length}_weight_{weight}_chunk_{chunk}_shares_{shares}");
        let measurements = (0..reports).map(|report| hot(report, length, weight)).collect();
        table.add(name, multihot(shares, length, weight, chunk), measurements);
    }
}

fn multiproofs(table: &mut Table) {
    for (shares, length, max, chunk, proofs, reports) in [
        (2, 3, 1, 1, 3, 4),
        (2, 5, 100, 4, 4, 9),
        (3, 10, 255, 9, 3, 4),
        (4, 7, 1337, 7, 5, 3),
        (2, 1, 1 << 40, 6, 3, 5),
        (2, 10, 1023, 15, 10, 2),
    ] {
        let name = format!(
            "Prio3SumVecWithMultiproof_length_{length}_max_{max}_chunk_{chunk}_proofs_{proofs}_shares_{shares}"
        );
        let measurements =
            (0..reports).map(|report| (0..length).map(|index| element(report, index, max)).collect()).collect();
        table.add(name, multiproof(shares, length, max, chunk, proofs), measurements);
    }
    table.files.push(rejecting_expansion());
}

/// Seven reports; in the expansion of the sixth's helper seed the XOF has to reject a value.
fn rejecting_expansion() -> File {
    assert!(rejection(&rejecting_seed()).is_some(), "the seed's expansion rejects nothing");
    let measurement = |report| (0..10).map(|index| element(report, index, 255)).collect::<Vec<u64>>();
    let mut clients: Vec<_> = (0..7).map(|report| Client::Honest(measurement(report))).collect();
    clients[5] = Client::WithRandomness(measurement(5), rejecting_seed().to_vec());
    let case = Case {
        name: "Prio3SumVecWithMultiproof_rejection".into(),
        context_length: REJECTING_CONTEXT_LENGTH,
        instance: multiproof(2, 10, 255, 9, 3),
        clients,
    };
    case.file()
}

/// An element of a report's vector: all are 0 in the first report, `max` in the second, and
/// something between in the others.
fn element(report: usize, index: usize, max: u64) -> u64 {
    match report {
        0 => 0,
        1 => max,
        _ => (report as u64 * 104_729 + index as u64 * 7_919) % (max + 1),
    }
}

/// A vector of no more than `weight` true elements: none in the first report, as many as may be in
/// the second.
fn hot(report: usize, length: usize, weight: usize) -> Vec<bool> {
    let ones = match report {
        0 => 0,
        1 => weight.min(length),
        _ => report % (weight.min(length) + 1),
    };
    let mut measurement = vec![false; length];
    for one in 0..ones {
        measurement[(report * 3 + one) % length] = true;
    }
    measurement
}
