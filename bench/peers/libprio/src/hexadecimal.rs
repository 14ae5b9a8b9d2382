//! Encoded messages as words of a line.

/// Writes messages as words, an empty one as `-`.
pub fn words(messages: &[Vec<u8>]) -> String {
    let word = |message: &Vec<u8>| {
        if message.is_empty() {
            return "-".to_string();
        }
        message.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let words: Vec<String> = messages.iter().map(word).collect();
    words.join(" ")
}

/// Reads one word.
pub fn bytes(word: &str) -> Result<Vec<u8>, String> {
    if word == "-" {
        return Ok(Vec::new());
    }
    let pairs = word.as_bytes().chunks(2);
    let byte = |pair| {
        let digits = std::str::from_utf8(pair).map_err(|e| e.to_string())?;
        u8::from_str_radix(digits, 16).map_err(|e| e.to_string())
    };
    pairs.map(byte).collect()
}
