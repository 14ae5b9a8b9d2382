//! The schema of VDAF Appendix "Test Vectors", and what is the same in every file.

use prio::vdaf::xof::{Xof, XofTurboShake128};
use rand_core::Rng;
use serde::Serialize;
use serde_json::{Map, Value};

/// One file: its name without `.json`, and its members.
pub struct File {
    pub name: String,
    pub members: Map<String, Value>,
}

impl File {
    pub fn new(name: &str) -> Self {
        let mut members = Map::new();
        members.insert("generator".into(), generator().into());
        Self { name: name.into(), members }
    }

    pub fn insert(&mut self, name: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).unwrap();
        let previous = self.members.insert(name.into(), value);
        assert!(previous.is_none(), "{}: {name} is set twice", self.name);
    }

    /// The file's text: indented, with each operation on a line of its own.
    pub fn encode(&self) -> String {
        let members: Vec<String> = self.members.iter().map(|(name, value)| member(name, value)).collect();
        format!("{{\n{}\n}}\n", members.join(",\n"))
    }
}

fn member(name: &str, value: &Value) -> String {
    match value {
        Value::Array(operations) if name == "operations" => {
            let lines: Vec<String> = operations.iter().map(|operation| format!("  {operation}")).collect();
            format!(" \"{name}\": [\n{}\n ]", lines.join(",\n"))
        }
        _ => {
            let mut text = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter)).unwrap();
            format!(" \"{name}\": {}", String::from_utf8(text).unwrap().replace('\n', "\n "))
        }
    }
}

/// An element of `operations`.
#[derive(Serialize)]
pub struct Operation {
    pub operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregator_id: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round: Option<usize>,
    pub success: bool,
}

/// An element of `reports`. Byte strings are in hexadecimal.
#[derive(Serialize, Default)]
pub struct Report {
    /// What is wrong with the report. Not in the standard's schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<&'static str>,
    pub measurement: Value,
    pub nonce: String,
    pub rand: String,
    pub public_share: String,
    pub input_shares: Vec<String>,
    pub verifier_shares: Vec<Vec<String>>,
    pub verifier_messages: Vec<String>,
    pub out_shares: Vec<String>,
}

/// The crate and the version that Cargo.lock pins, as in `prio 0.18.1`.
fn generator() -> String {
    let lock = include_str!("../Cargo.lock");
    let (_, package) = lock.split_once("name = \"prio\"\nversion = \"").expect("Cargo.lock names prio");
    let (version, _) = package.split_once('"').unwrap();
    format!("prio {version}")
}

/// The deterministic source of a file's keys, nonces and sharding randomness: it depends on the
/// file's name alone.
pub fn randomness(name: &str) -> impl Rng {
    XofTurboShake128::seed_stream(&[0; 32], &[b"twofold conformance vectors"], &[name.as_bytes()])
}

/// Draws `length` bytes.
pub fn draw(source: &mut impl Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    source.fill_bytes(&mut bytes);
    bytes
}

/// Measurements and aggregate results as the schema writes them.
pub trait Json {
    fn json(&self) -> Value;
}

impl Json for bool {
    fn json(&self) -> Value {
        u64::from(*self).into()
    }
}

impl Json for u64 {
    fn json(&self) -> Value {
        (*self).into()
    }
}

impl Json for usize {
    fn json(&self) -> Value {
        (*self).into()
    }
}

impl Json for Vec<u64> {
    fn json(&self) -> Value {
        self.clone().into()
    }
}

impl Json for Vec<u128> {
    fn json(&self) -> Value {
        self.iter().map(|&element| u64::try_from(element).expect("fits in 64 bits")).collect::<Vec<_>>().into()
    }
}

impl Json for Vec<bool> {
    fn json(&self) -> Value {
        self.clone().into()
    }
}
