//! [`Survey`]: what is known of a file before it is converted.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use erf_core::{Record, Records};

use super::fcs_found::Evidence;
use super::{FcsChoice, FcsGround, FcsPolicy, PlainFrame};
use crate::pcapng::Known;
use crate::{Access, Error, FileFormat, Reader};

/// Bytes of the end of a file that are looked at: the closing records of a recording are there.
const END: u64 = 256 * 1024;

/// Files of less are read from end to end.
const WORTH_ASKING: u64 = 4 << 20;

/// What a first pass over a file has found: names that come late, frame check sequences.
#[derive(Debug, Default)]
pub struct Survey {
    pub(super) known: Known,
    pub(super) evidence: Evidence,
    pub(super) extent: Extent,
}

/// How much of a file was surveyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Extent {
    /// Some records from its start.
    #[default]
    Start,
    /// Start and end: most likely all that is to be known.
    Ends,
    /// All of it.
    All,
}

impl Survey {
    /// Of everything `reader` gives; `done` hears how many bytes more are read.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::next_batch`] but for damage: what comes before that is surveyed.
    pub fn of(reader: &mut Reader, mut done: impl FnMut(u64)) -> Result<Survey, Error> {
        let mut survey = Survey { extent: Extent::All, ..Survey::default() };
        loop {
            let batch = match reader.next_batch() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                // The conversion tells of it.
                Err(error) if error.is_damage() => break,
                Err(error) => return Err(error),
            };
            let mut items = batch.iter();
            loop {
                if survey.evidence.is_enough()
                    && let Some(run) = items.plain_rest()
                {
                    items.pass(plain(run));
                }
                match items.next() {
                    Some(Ok(record)) => survey.observe(&record),
                    Some(Err(_)) => {}
                    None => break,
                }
            }
            done(batch.bytes().len() as u64);
        }
        Ok(survey)
    }

    /// Of the first and the last 256 KiB of an ERF file, where captures describe themselves. `None` where that is no short cut or not
    /// enough: a small file, a compressed one, another format, frames of which none tells whether it has a frame check sequence.
    ///
    /// Whether there was more to be known, the conversion finds out: [`Converter::is_as_surveyed`](super::Converter::is_as_surveyed).
    ///
    /// # Errors
    ///
    /// Those of opening and reading the file.
    pub fn of_ends(path: &Path) -> Result<Option<Survey>, Error> {
        let mut reader = Reader::builder().access(Access::Blocks).open(path)?;
        let plain = reader.format() == FileFormat::Erf && !reader.compression().is_compressed();
        let tail = if plain { tail(path) } else { None };
        let Some(tail) = tail else { return Ok(None) };
        let mut survey = Survey { extent: Extent::Ends, ..Survey::default() };
        // Damage, which the conversion tells of, may be all there is.
        let Some(batch) = reader.next_batch().ok().flatten() else { return Ok(None) };
        batch.iter().flatten().for_each(|record| survey.observe(&record));
        let found = survey.evidence;
        Records::new(&tail).recover(true).flatten().for_each(|record| survey.known.observe(&record));
        Ok((found.is_enough() || found.is_stated()).then_some(survey))
    }

    /// Takes in a record.
    pub fn observe(&mut self, record: &Record<'_>) {
        self.known.observe(record);
        self.evidence.observe(record);
    }

    /// What is to be done about the frame check sequence of Ethernet by what was seen so far, and why.
    pub fn fcs(&self, choice: FcsChoice) -> (FcsPolicy, FcsGround) {
        self.evidence.decide(choice)
    }

    /// There was a look at the file before the conversion.
    pub(super) fn is_done(&self) -> bool {
        self.extent != Extent::Start
    }
}

/// Bytes at the start of `run` of records that say nothing of the capture.
fn plain(run: &[u8]) -> usize {
    let mut rest = run;
    while let Some(plain) = PlainFrame::ahead(rest, 0) {
        rest = plain.rest;
    }
    run.len() - rest.len()
}

/// The end of a regular file that is not small.
fn tail(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let data = file.metadata().ok()?;
    if !data.is_file() || data.len() < WORTH_ASKING {
        return None;
    }
    file.seek(SeekFrom::End(-(END as i64))).ok()?;
    let mut tail = Vec::new();
    file.take(END).read_to_end(&mut tail).ok()?;
    Some(tail)
}
