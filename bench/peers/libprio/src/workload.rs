//! The workloads: instances and measurements, the same as those of the other
//! implementations (`bench/peers/workload.go`).

use std::collections::HashMap;

use prio::vdaf::prio3::Prio3;

use crate::bench::{Bench, Cell};

/// One line of the driver: a verb and `key=value` pairs.
pub struct Request {
    pub verb: String,
    fields: HashMap<String, String>,
}

impl Request {
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let verb = words.next().ok_or("an empty request")?.to_string();
        let mut fields = HashMap::new();
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| format!("{word:?} is not key=value"))?;
            fields.insert(key.to_string(), value.to_string());
        }
        Ok(Self { verb, fields })
    }

    pub fn text(&self, key: &str) -> Result<&str, String> {
        let value = self.fields.get(key);
        Ok(value.ok_or_else(|| format!("{key} is missing"))?)
    }

    pub fn number(&self, key: &str) -> Result<usize, String> {
        let text = self.text(key)?;
        text.parse()
            .map_err(|_| format!("{key} is {text:?} and must be a number"))
    }
}

/// Makes the instance and the reports of a workload, and verifies them.
pub fn prepare(request: &Request) -> Result<Box<dyn Cell>, String> {
    let length = request.number("length")?;
    let max = request.number("max")?;
    let weight = request.number("weight")?;
    let chunk = request.number("chunk")?;
    let reports = request.number("reports")?;

    let kind = request.text("type")?;
    Ok(match kind {
        "count" => {
            let vdaf = Prio3::new_count(2).map_err(text)?;
            let measurements = (0..reports).map(|i| i % 3 != 0).collect();
            Box::new(Bench::new(vdaf, 1, measurements, |r| r.to_string())?)
        }
        "sum" => {
            let vdaf = Prio3::new_sum(2, max as u64).map_err(text)?;
            let value = |i: usize| (i as u64 * 654_321) % (max as u64 + 1);
            let measurements = (0..reports).map(value).collect();
            Box::new(Bench::new(vdaf, 1, measurements, |r| r.to_string())?)
        }
        "histogram" => {
            let vdaf = Prio3::new_histogram(2, length, chunk).map_err(text)?;
            let measurements = (0..reports).map(|i| i * 7_919 % length).collect();
            Box::new(Bench::new(vdaf, length, measurements, |r| joined(r))?)
        }
        "multihot" => {
            let vdaf = Prio3::new_multihot_count_vec(2, length, weight, chunk).map_err(text)?;
            let flags = |i: usize| {
                let mut flags = vec![false; length];
                for k in 0..=i % weight {
                    flags[(i + k * (length / weight)) % length] = true;
                }
                flags
            };
            let measurements = (0..reports).map(flags).collect();
            Box::new(Bench::new(vdaf, length, measurements, |r| joined(r))?)
        }
        "sumvec" => {
            let vdaf = Prio3::new_sum_vec(2, max as u128, length, chunk).map_err(text)?;
            let vector = |i: usize| {
                let element = |j: usize| ((i * 31 + j * 17) % (max + 1)) as u128;
                (0..length).map(element).collect()
            };
            let measurements = (0..reports).map(vector).collect();
            Box::new(Bench::new(vdaf, length, measurements, |r| joined(r))?)
        }
        _ => return Err(format!("unknown type {kind:?}")),
    })
}

/// What the crate says about an error.
pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn joined(numbers: &[u128]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u128::to_string).collect();
    numbers.join(",")
}
