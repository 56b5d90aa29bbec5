//! What is wrong with inputs, told as it is found.

use erf::{Defect, Error};
use serde::Serialize;

use super::PROGRAM;
use crate::exit::Exit;
use crate::messages::say;

/// More than these are counted only: a file of nothing but damage would have millions.
const TOLD: usize = 1000;

/// Defects found so far.
#[derive(Debug, Default)]
pub(super) struct Defects {
    list: Vec<DefectJson>,
    more: u64,
}

/// A defect in `--json`.
#[derive(Debug, Serialize)]
pub(super) struct DefectJson {
    file: String,
    offset: u64,
    code: &'static str,
    text: String,
}

impl Defects {
    /// Tells of one in `file`.
    pub(super) fn tell(&mut self, file: &str, defect: &Defect) {
        self.add(file, defect.offset, defect.kind.code(), defect.kind.to_string(), format_args!("{file}: {defect}"));
    }

    /// Tells of a file that broke off.
    pub(super) fn broken(&mut self, error: &Error) {
        let file = error.file().unwrap_or_default();
        self.add(file, error.offset().unwrap_or(0), "broken-file", error.to_string(), format_args!("{error}"));
    }

    fn add(&mut self, file: &str, offset: u64, code: &'static str, text: String, line: std::fmt::Arguments<'_>) {
        match self.list.len() {
            n if n < TOLD => {
                say(PROGRAM, line);
                self.list.push(DefectJson { file: file.to_owned(), offset, code, text });
            }
            _ => self.more += 1,
        }
    }

    /// Says how many more there were; the answer to how it went.
    pub(super) fn end(&self) -> Exit {
        if self.more > 0 {
            say(PROGRAM, format_args!("{} defects more", self.more));
        }
        if self.list.is_empty() { Exit::Done } else { Exit::No }
    }

    pub(super) fn json(&self) -> &[DefectJson] {
        &self.list
    }
}
