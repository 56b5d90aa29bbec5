//! Records into the order of their stamps, however many and however far apart they are, in bounded memory.
//!
//! ```
//! use erf::sort::Sorter;
//! use erf::{Record, RecordBuilder, RecordType, Timestamp};
//!
//! let mut sorter = Sorter::new(64 * 1024 * 1024);
//! for second in [3, 1, 2] {
//!     let stamp = Timestamp::from_parts(1_700_000_000 + second, 0);
//!     let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 64]).to_vec()?;
//!     sorter.push(&Record::parse(&record)?)?;
//! }
//! let mut sorted = Vec::new();
//! sorter.finish(&mut |run, _count| {
//!     sorted.extend_from_slice(run);
//!     Ok(())
//! })?;
//! let seconds: Vec<u32> = erf::Records::new(&sorted).map(|record| record.unwrap().timestamp().secs() % 100).collect();
//! assert_eq!(seconds, [1, 2, 3]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The sort is stable: equal stamps keep the order in which they came. META records have the time from which they apply, and
//! are placed by it. Filler (PAD) has no time: it goes where the record before it goes, and has its stamp then.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::PathBuf;

use erf_core::Record;

use crate::Error;
use crate::merge::{FAN_IN, Filler, RunSink, Spill, combine_spilt};

/// The least memory that is of use.
const MIN_MEMORY: usize = 1024 * 1024;

/// Sorts what it is given.
#[derive(Debug)]
pub struct Sorter {
    memory: usize,
    temporary: Option<PathBuf>,
    bytes: Vec<u8>,
    /// Stamp, and where the record is.
    places: Vec<(u64, usize)>,
    in_order: bool,
    last: u64,
    runs: Vec<File>,
    moved: u64,
}

/// How a sort went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SortReport {
    /// Records that came stamped earlier than the one before them.
    pub backward_steps: u64,
    /// Sorted runs that were put aside in temporary files; 0: all found room in memory.
    pub runs: usize,
}

impl Sorter {
    /// Keeps up to `memory` bytes of records, at least 1 MiB; what is more goes to temporary files.
    pub fn new(memory: usize) -> Self {
        Self {
            memory: memory.max(MIN_MEMORY),
            temporary: None,
            bytes: Vec::new(),
            places: Vec::new(),
            in_order: true,
            last: 0,
            runs: Vec::new(),
            moved: 0,
        }
    }

    /// Where temporary files go; the system's folder for them otherwise. They have no names, and nothing is left of them.
    pub fn temporary(self, folder: impl Into<PathBuf>) -> Self {
        Self { temporary: Some(folder.into()), ..self }
    }

    /// The next record.
    ///
    /// # Errors
    ///
    /// When a temporary file cannot be written.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let needed = record.bytes().len() + size_of::<(u64, usize)>();
        if self.used() + needed > self.memory {
            self.put_aside()?;
        }
        let key = if record.is_pad() { self.last } else { record.timestamp().raw() };
        if key < self.last {
            self.in_order = false;
            self.moved += 1;
        }
        self.last = key;
        let start = self.bytes.len();
        self.places.push((key, start));
        self.bytes.extend_from_slice(record.bytes());
        if record.is_pad() {
            self.bytes[start..start + 8].copy_from_slice(&key.to_le_bytes());
        }
        Ok(())
    }

    /// Gives all records to `sink`, in runs with their number.
    ///
    /// # Errors
    ///
    /// When temporary files fail, and what `sink` returns.
    pub fn finish(mut self, sink: &mut RunSink<'_>) -> Result<SortReport, Error> {
        let report = |runs| SortReport { backward_steps: self.moved, runs };
        if self.runs.is_empty() {
            let report = report(0);
            self.order();
            self.emit(sink)?;
            return Ok(report);
        }
        let report = report(self.runs.len() + 1);
        self.put_aside()?;
        (self.bytes, self.places) = (Vec::new(), Vec::new());
        combine_spilt(self.runs, Filler::Stamped, FAN_IN, self.temporary.as_deref(), sink)?;
        Ok(report)
    }

    fn used(&self) -> usize {
        self.bytes.len() + self.places.len() * size_of::<(u64, usize)>()
    }

    fn order(&mut self) {
        if !self.in_order {
            // The place is the order of coming: no two are equal.
            self.places.sort_unstable();
        }
    }

    /// In the order of `places`; records that lie behind each other go as one run.
    fn emit(&self, sink: &mut RunSink<'_>) -> Result<(), Error> {
        let mut run = 0..0;
        let mut count = 0;
        for &(_, start) in &self.places {
            if start != run.end {
                if count > 0 {
                    sink(&self.bytes[run], count)?;
                }
                run = start..start;
                count = 0;
            }
            let len = self.bytes[start..].get(10..12).map_or(0, |len| u16::from_be_bytes([len[0], len[1]]));
            run.end += usize::from(len);
            count += 1;
        }
        if count > 0 { sink(&self.bytes[run], count) } else { Ok(()) }
    }

    fn put_aside(&mut self) -> Result<(), Error> {
        let mut spill = Spill::new(self.temporary.as_deref())?;
        self.order();
        self.emit(&mut |run, count| spill.write(run, count))?;
        self.runs.push(spill.finish()?);
        self.bytes.clear();
        self.places.clear();
        self.in_order = true;
        Ok(())
    }
}
