//! `sums.txt`: that the files of a cell are those that were written.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::describe::is_plain;
use crate::regular;

/// What is wrong with the files that `sums.txt` of a folder names, as `sha256sum` writes it; nothing where there is none.
pub(super) fn damage(folder: &Path) -> Vec<String> {
    let text = match regular::read(&folder.join("sums.txt")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![format!("sums.txt: {error}")],
    };
    text.lines().filter(|line| !line.is_empty()).filter_map(|line| of_line(folder, line)).collect()
}

fn of_line(folder: &Path, line: &str) -> Option<String> {
    // "HASH  NAME", or "HASH *NAME" of binary files.
    let parts = line.split_once(' ').map(|(sum, name)| (sum, name.trim_start_matches([' ', '*'])));
    let Some((sum, name)) = parts.filter(|(sum, name)| sum.len() == 64 && is_plain(name)) else {
        return Some(format!("sums.txt has the line {line:?}, which is none of sha256sum"));
    };
    match sum_of(&folder.join(name)) {
        Ok(found) if found.eq_ignore_ascii_case(sum) => None,
        Ok(_) => Some(format!("{name} is not the file that was written: its SHA-256 is not that in sums.txt")),
        Err(error) => Some(format!("{name}: {error}")),
    }
}

fn sum_of(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    // By blocks, however large it is.
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
