//! Measures the crate `prio` for `go run ./bench/peers`.
//!
//! It reads requests from standard input, a line each, and answers each with a
//! line, `ok ...` or `error ...`:
//!
//! ```text
//! prepare type=histogram length=100 max=0 weight=0 chunk=11 reports=64
//! ok 1,0,2,...                    the aggregate result of those reports
//! report
//! ok <nonce> <public share> <Leader's input share> <Helper's input share>
//! trace nonce=... public=... leader=... helper=...
//! ok <Leader's verifier share> <Helper's verifier share> <verifier message>
//! measure step=shard by=batch ns=100000000
//! ok 6400 101234567               reports, and nanoseconds of CPU time
//! ```
//!
//! Encoded messages are in hexadecimal, and `-` if they are empty.

mod bench;
mod clock;
mod hexadecimal;
mod workload;

use std::io::{self, BufRead, Write};

use bench::Cell;

fn main() {
    let mut cell: Option<Box<dyn Cell>> = None;
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let answer = match answer(&line, &mut cell) {
            Ok(text) => format!("ok {text}"),
            Err(problem) => format!("error {}", problem.replace('\n', " ")),
        };
        if writeln!(out, "{answer}")
            .and_then(|()| out.flush())
            .is_err()
        {
            return; // nobody listens any more
        }
    }
}

/// Does what one line asks for.
fn answer(line: &str, cell: &mut Option<Box<dyn Cell>>) -> Result<String, String> {
    let request = workload::Request::parse(line)?;
    match request.verb.as_str() {
        "prepare" => {
            *cell = None; // the last workload's memory goes before the next one takes its own
            let mut prepared = workload::prepare(&request)?;
            let result = prepared.result()?;
            *cell = Some(prepared);
            Ok(result)
        }
        "report" => {
            let cell = cell.as_ref().ok_or("nothing is prepared")?;
            Ok(hexadecimal::words(&cell.report()))
        }
        "trace" => {
            let cell = cell.as_ref().ok_or("nothing is prepared")?;
            let message = |key| hexadecimal::bytes(request.text(key)?);
            let report = [
                message("nonce")?,
                message("public")?,
                message("leader")?,
                message("helper")?,
            ];
            Ok(hexadecimal::words(&cell.trace(&report)?))
        }
        "measure" => {
            let cell = cell.as_mut().ok_or("nothing is prepared")?;
            let (reports, nanoseconds) =
                cell.measure(request.text("step")?, request.number("ns")? as u64)?;
            Ok(format!("{reports} {nanoseconds}"))
        }
        verb => Err(format!("unknown request {verb:?}")),
    }
}
