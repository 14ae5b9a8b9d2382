//! Writes the VDAF test vectors that the Go package `conformance` replays, from the independent
//! implementation in the crate `prio`. See README.md.

mod alteration;
mod cases;
mod cheat;
mod replay;
mod report;
mod search;
mod vector;
mod xof;

use std::path::{Path, PathBuf};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", directory] => write(&PathBuf::from(directory)),
        ["check", directory] => replay::check_directory(&PathBuf::from(directory)),
        ["search"] => search::search(),
        _ => {
            eprintln!("usage: generate write DIRECTORY | check DIRECTORY | search");
            std::process::exit(2);
        }
    }
}

/// Writes every file into `directory`, which must exist. Existing files of the same names are
/// replaced; a file that no case writes is an error, so that no stale vector stays behind.
fn write(directory: &Path) {
    let mut files = cases::all();
    files.extend(xof::all());
    for present in replay::json_files(directory) {
        let name = present.file_stem().unwrap().to_str().unwrap();
        assert!(files.iter().any(|file| file.name == name), "{} is written by no case: remove it", present.display());
    }
    let mut bytes = 0;
    for file in &files {
        let text = file.encode();
        bytes += text.len();
        let path = directory.join(format!("{}.json", file.name));
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    println!("{} files, {bytes} bytes", files.len());
}
