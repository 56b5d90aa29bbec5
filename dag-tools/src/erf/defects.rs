//! What is wrong with inputs, told as it is found.

use erf::check::Broken;
use erf::convert::{Refusal, Unread};
use erf::{Audit, Defect, Error, Record, Severity};
use serde::Serialize;
use serde_json::{Value, json};

use super::{PROGRAM, carried, counted};
use crate::exit::Exit;
use crate::messages::say;

/// More than these are counted only: a file of nothing but damage would have millions.
const TOLD: usize = 1000;

/// Defects found so far, and what of the inputs no record says.
#[derive(Debug, Default)]
pub(super) struct Defects {
    list: Vec<DefectJson>,
    total: u64,
    refused: Option<(u64, Refusal)>,
    unread: Unread,
    /// So many of `list` were given to whoever prints them one by one.
    given: usize,
}

/// Says what ended the reading of a file, with its code if it is damage.
pub(super) fn say_error(error: &Error) {
    match error.is_damage() {
        true => say(PROGRAM, format_args!("{error} [{}]", Broken::CODE)),
        false => say(PROGRAM, error),
    }
}

/// A defect in `--json`.
#[derive(Debug, Serialize)]
pub(super) struct DefectJson {
    file: String,
    offset: u64,
    code: &'static str,
    text: String,
}

/// Those found in a stretch of a file, to be told in their turn.
#[derive(Debug, Default)]
pub(super) struct Found {
    list: Vec<Defect>,
    /// Beyond those that would be told anyway.
    more: u64,
}

impl Found {
    /// Takes note of one. Notes are none.
    pub(super) fn tell(&mut self, defect: Defect) {
        match self.list.len() {
            _ if defect.kind.severity() < Severity::Warning => {}
            TOLD.. => self.more += 1,
            _ => self.list.push(defect),
        }
    }

    /// Takes note of what cannot be right about a record that was read.
    #[inline]
    pub(super) fn audit(&mut self, offset: u64, record: &Record<'_>) {
        Audit::oddities(offset, record, |defect| self.tell(defect));
    }
}

impl Defects {
    /// Tells of one in `file`. Notes are none.
    pub(super) fn tell(&mut self, file: &str, defect: &Defect) {
        if defect.kind.severity() >= Severity::Warning {
            self.add(
                file,
                defect.offset,
                defect.kind.code(),
                defect.kind.to_string(),
                format_args!("{file}: {defect}"),
            );
        }
    }

    /// Tells of those of the next stretch of `file`.
    pub(super) fn tell_all(&mut self, file: &str, found: &Found) {
        for defect in &found.list {
            self.tell(file, defect);
        }
        self.total += found.more;
    }

    /// Tells of what cannot be right about a record that was read.
    #[inline]
    pub(super) fn audit(&mut self, file: &str, offset: u64, record: &Record<'_>) {
        Audit::oddities(offset, record, |defect| self.tell(file, &defect));
    }

    /// Whether there is something of that kind about a record.
    #[inline]
    pub(super) fn is_odd(offset: u64, record: &Record<'_>) -> bool {
        let mut is_odd = false;
        Audit::oddities(offset, record, |defect| is_odd |= defect.kind.severity() >= Severity::Warning);
        is_odd
    }

    /// Tells of a file that broke off. `false`: that is not what the error says.
    pub(super) fn broken(&mut self, error: &Error) -> bool {
        let Some(Broken { file, offset, text, .. }) = Broken::of(error) else { return false };
        self.add(&file, offset, Broken::CODE, text, format_args!("{error} [{}]", Broken::CODE));
        true
    }

    /// What is to be said of an input that was read.
    pub(super) fn read(&mut self, refused: Option<(u64, Refusal)>, unread: Unread) {
        if let Some((count, first)) = refused {
            let (before, first) = self.refused.unwrap_or((0, first));
            self.refused = Some((before + count, first));
        }
        self.unread += unread;
    }

    fn add(&mut self, file: &str, offset: u64, code: &'static str, text: String, line: std::fmt::Arguments<'_>) {
        self.total += 1;
        if self.list.len() < TOLD {
            say(PROGRAM, line);
            self.list.push(DefectJson { file: file.to_owned(), offset, code, text });
        }
    }

    /// Says how many more there were; the answer to how it went.
    pub(super) fn end(&self) -> Exit {
        let more = self.total - self.list.len() as u64;
        if more > 0 {
            say(PROGRAM, format_args!("{} more", counted(more, "defect")));
        }
        if self.total == 0 { Exit::Done } else { Exit::No }
    }

    /// The first thousand.
    pub(super) fn json(&self) -> &[DefectJson] {
        &self.list
    }

    /// Those found since this was asked last, each as an object for a line among records.
    pub(super) fn fresh(&mut self) -> impl Iterator<Item = Value> + '_ {
        let from = std::mem::replace(&mut self.given, self.list.len());
        self.list.iter().skip(from).map(|defect| json!({ "schema": 1, "defect": defect }))
    }

    /// How many there are.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Says what of the inputs is not in the output.
    pub(super) fn say_unread(&self) {
        for line in carried::input_lines(None, &self.unread) {
            say(PROGRAM, line);
        }
    }

    /// The same in JSON, with the packets that have no place in ERF.
    pub(super) fn unread_json(&self) -> [(&'static str, Value); 2] {
        carried::input_json(self.refused, &self.unread)
    }
}
