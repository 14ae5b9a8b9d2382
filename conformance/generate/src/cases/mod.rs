//! The tables of what is written.

mod accepted;
mod instances;
mod rejected;

use crate::vector::File;

/// Every file of a VDAF.
pub fn all() -> Vec<File> {
    let mut files = accepted::all();
    files.extend(rejected::all());
    files
}
