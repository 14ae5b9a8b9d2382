//! Replays vector files with the crate's own checker.
//!
//! This is how one sees that the crate speaks the wire version of a directory of official files, and
//! that the files written here are in the schema that the crate itself reads.

use prio::field::Field64;
use prio::flp::gadgets::{Mul, ParallelSum};
use prio::flp::types::SumVec;
use prio::vdaf::prio3::{Prio3, Prio3Count, Prio3Histogram, Prio3MultihotCountVec, Prio3Sum, Prio3SumVec};
use prio::vdaf::test_utils::{check_test_vector, check_test_vector_custom_constructor, OperationKind, TestVector};
use prio::vdaf::xof::XofTurboShake128;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

type Multiproof = Prio3<SumVec<Field64, ParallelSum<Field64, Mul>>, XofTurboShake128, 32>;

/// The files in `directory` whose names end with `.json`, sorted.
pub fn json_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    paths
}

/// Replays the files of Prio3 in `directory`. The crate's checker panics at the first difference.
pub fn check_directory(directory: &Path) {
    let (mut replayed, mut left) = (0, 0);
    for path in json_files(directory) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        if name.starts_with("Xof") {
            println!("left out   {name}: the crate's checker is for VDAFs");
            left += 1;
            continue;
        }
        let vector: TestVector = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(reason) = beyond_the_checker(&vector) {
            println!("left out   {name}: {reason}");
            left += 1;
            continue;
        }
        replay(&name, &vector);
        println!("replayed   {name}: {} operations", vector.operations.len());
        replayed += 1;
    }
    println!("{replayed} files replayed, {left} left out");
    assert!(replayed > 0, "{} has no file to replay", directory.display());
}

/// Says why the crate's checker cannot replay a file: it expects sharding and `verify_init` to
/// succeed, decodes every message outside the operation that has to fail, and combines verifier shares
/// only when it has the state of every aggregator. What a file says about these was asserted when the
/// file was written.
fn beyond_the_checker(vector: &TestVector) -> Option<&'static str> {
    let mut states = vec![0; vector.reports.len()];
    for operation in &vector.operations {
        match operation.operation {
            OperationKind::Shard if !operation.success => return Some("a measurement is refused"),
            OperationKind::VerifyInit if !operation.success => return Some("a share is malformed"),
            OperationKind::VerifyInit => states[operation.report_index.unwrap()] += 1,
            OperationKind::VerifierSharesToMessage => {
                let index = operation.report_index.unwrap();
                if states[index] < vector.shares {
                    return Some("a verifier share is altered");
                }
            }
            OperationKind::VerifyNext if !operation.success => {
                let message = &vector.reports[operation.report_index.unwrap()].verifier_messages[0];
                let length = if vector.reports[0].public_share.as_ref().is_empty() { 0 } else { 32 };
                if message.as_ref().len() != length {
                    return Some("a verifier message is malformed");
                }
            }
            _ => (),
        }
    }
    None
}

fn replay(name: &str, vector: &TestVector) {
    match name.split('_').next().unwrap() {
        "Prio3Count" => check_test_vector::<Prio3Count, 32, 16>(vector),
        "Prio3Sum" => check_test_vector::<Prio3Sum, 32, 16>(vector),
        "Prio3SumVec" => check_test_vector::<Prio3SumVec, 32, 16>(vector),
        "Prio3Histogram" => check_test_vector::<Prio3Histogram, 32, 16>(vector),
        "Prio3MultihotCountVec" => check_test_vector::<Prio3MultihotCountVec, 32, 16>(vector),
        "Prio3SumVecWithMultiproof" => check_test_vector_custom_constructor::<Multiproof, 32, 16>(vector, multiproof),
        _ => panic!("{name}: not a name that this program knows"),
    }
}

/// The official files do not say the number of proofs: it is 3.
fn multiproof(shares: u8, parameters: &HashMap<String, Value>) -> Multiproof {
    let integer = |name: &str| parameters[name].as_u64().unwrap();
    let proofs = parameters.get("proofs").map_or(3, |proofs| proofs.as_u64().unwrap());
    let circuit = SumVec::new(integer("max_measurement"), integer("length") as usize, integer("chunk_length") as usize);
    Prio3::new(shares, proofs as u8, 0xffff_ffff, circuit.unwrap()).unwrap()
}
