//! Two files compared record by record: headers and packets, with what is allowed to differ left out of account.
//!
//! ```
//! use erf::diff::{Diff, Finding, Tolerance};
//! use erf::input::Source;
//! use erf::{Reader, RecordBuilder, RecordType, Timestamp};
//!
//! let file = |bytes: &[u8]| {
//!     let mut file = Vec::new();
//!     for (second, byte) in bytes.iter().enumerate() {
//!         let stamp = Timestamp::from_parts(1_700_000_000 + second as u32, 0);
//!         file.extend(RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[*byte; 64]).to_vec().unwrap());
//!     }
//!     Reader::open(Source::from_read(std::io::Cursor::new(file)))
//! };
//! let mut diff = Diff::new(file(&[1, 2, 3])?, file(&[1, 9, 3])?, Tolerance::default());
//! let mut seen = Vec::new();
//! diff.run(&mut |_, _| {}, &mut |finding| seen.push(finding))?;
//! let Finding::Differs { a_offset, fields, .. } = &seen[0] else { panic!() };
//! assert_eq!((seen.len(), *a_offset, fields[0].to_string().as_str()), (1, 88, "byte 0 of the packet: 02 and 09"));
//! # Ok::<(), erf::Error>(())
//! ```
//!
//! Where records do not agree, up to [`LOOK_AHEAD`] records of either file are searched for the place from which they do: what
//! lies before it is said to be in one file only, or, if it is as many in both, to differ.

mod compare;
#[cfg(test)]
mod tests;

pub use compare::{Field, Tolerance};

use erf_core::{Defect, Record};

use crate::merge::Ahead;
use crate::shift::Correction;
use crate::{Error, Reader};

/// Records that are searched for the place from which the files agree again.
pub const LOOK_AHEAD: usize = 1000;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// A difference. Offsets count in the decompressed data of each file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Records that stand for each other, and differ.
    Differs {
        /// Which record of the first file, from 0.
        a_record: u64,
        /// Where it is.
        a_offset: u64,
        /// Which record of the second file, from 0.
        b_record: u64,
        /// Where it is.
        b_offset: u64,
        /// In what.
        fields: Vec<Field>,
    },
    /// A record that the other file has not.
    Only {
        /// Which file has it.
        side: Side,
        /// Which record, from 0.
        record: u64,
        /// Where it is.
        offset: u64,
    },
}

/// How much of the files is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Records that are in both.
    pub same: u64,
    /// Records that stand for each other and differ.
    pub different: u64,
    /// Records of the first file only.
    pub only_a: u64,
    /// Records of the second file only.
    pub only_b: u64,
}

impl Counts {
    /// No difference was found.
    pub const fn is_same(&self) -> bool {
        self.different == 0 && self.only_a == 0 && self.only_b == 0
    }
}

/// Two files to be compared.
pub struct Diff {
    a: Lane,
    b: Lane,
    tolerance: Tolerance,
    counts: Counts,
}

struct Lane {
    ahead: Ahead,
    over: bool,
}

impl std::fmt::Debug for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diff").field("tolerance", &self.tolerance).field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl Lane {
    fn new(reader: Reader) -> Self {
        Self { ahead: Ahead::new(reader, Correction::default(), None), over: false }
    }

    /// Loads until `n` records can be looked at, or all there are.
    fn load(&mut self, n: usize, tolerance: &Tolerance, defect: &mut dyn FnMut(&Defect)) -> Result<(), Error> {
        loop {
            // Records that do not count are passed over where they would be next.
            while self.record(0).is_some_and(|(_, record)| tolerance.passes_over(&record)) {
                self.ahead.pass();
            }
            if self.over || self.ahead.loaded() >= n {
                return Ok(());
            }
            let before = self.ahead.loaded();
            self.over = !self.ahead.load(defect)? || (self.ahead.is_over() && self.ahead.loaded() == before);
        }
    }

    fn record(&self, n: usize) -> Option<(u64, Record<'_>)> {
        let (entry, bytes) = self.ahead.peek(n)?;
        Some((entry.offset, Record::parse(bytes).ok()?))
    }
}

impl Diff {
    /// Of two readers.
    pub fn new(a: Reader, b: Reader, tolerance: Tolerance) -> Self {
        Self { a: Lane::new(a), b: Lane::new(b), tolerance, counts: Counts::default() }
    }

    /// Compares to the end. `defect` gets what is wrong with either file, `found` each difference.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or is damaged.
    pub fn run(
        &mut self,
        defect: &mut dyn FnMut(Side, &Defect),
        found: &mut dyn FnMut(Finding),
    ) -> Result<Counts, Error> {
        loop {
            self.load(1, defect)?;
            match (self.a.record(0), self.b.record(0)) {
                (None, None) => break,
                (Some(_), None) => self.only(Side::A, found),
                (None, Some(_)) => self.only(Side::B, found),
                (Some((_, a)), Some((_, b))) if self.tolerance.same(&a, &b) => {
                    self.counts.same += 1;
                    self.a.ahead.pass();
                    self.b.ahead.pass();
                }
                _ => self.search(defect, found)?,
            }
        }
        match self.a.ahead.broken.take().or(self.b.ahead.broken.take()) {
            Some(damage) => Err(damage),
            None => Ok(self.counts),
        }
    }

    /// What was found so far; all of it when a file turned out damaged at its end.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    fn load(&mut self, n: usize, defect: &mut dyn FnMut(Side, &Defect)) -> Result<(), Error> {
        self.a.load(n, &self.tolerance, &mut |found| defect(Side::A, found))?;
        self.b.load(n, &self.tolerance, &mut |found| defect(Side::B, found))
    }

    /// Finds the nearest place where both agree again, and tells what lies before it.
    fn search(&mut self, defect: &mut dyn FnMut(Side, &Defect), found: &mut dyn FnMut(Finding)) -> Result<(), Error> {
        self.load(LOOK_AHEAD + 1, defect)?;
        let agree = |a: usize, b: usize| match (self.a.record(a), self.b.record(b)) {
            (Some((_, a)), Some((_, b))) => self.tolerance.same(&a, &b),
            _ => false,
        };
        for n in 1..=LOOK_AHEAD {
            if agree(n, n) {
                (0..n).for_each(|_| self.differs(found));
                return Ok(());
            }
            if agree(n, 0) {
                (0..n).for_each(|_| self.only(Side::A, found));
                return Ok(());
            }
            if agree(0, n) {
                (0..n).for_each(|_| self.only(Side::B, found));
                return Ok(());
            }
        }
        self.differs(found);
        Ok(())
    }

    fn differs(&mut self, found: &mut dyn FnMut(Finding)) {
        if let (Some((a_offset, a)), Some((b_offset, b))) = (self.a.record(0), self.b.record(0)) {
            let (a_counts, b_counts) = (!self.tolerance.passes_over(&a), !self.tolerance.passes_over(&b));
            if !a_counts || !b_counts {
                // What does not count has no counterpart.
                if !a_counts {
                    self.a.ahead.pass();
                }
                if !b_counts {
                    self.b.ahead.pass();
                }
                return;
            }
            let fields = self.tolerance.fields(&a, &b);
            let (a_record, b_record) = (self.a.ahead.records, self.b.ahead.records);
            found(Finding::Differs { a_record, a_offset, b_record, b_offset, fields });
            self.counts.different += 1;
        }
        self.a.ahead.pass();
        self.b.ahead.pass();
    }

    fn only(&mut self, side: Side, found: &mut dyn FnMut(Finding)) {
        let (lane, count) = match side {
            Side::A => (&mut self.a, &mut self.counts.only_a),
            Side::B => (&mut self.b, &mut self.counts.only_b),
        };
        if let Some((offset, record)) = lane.record(0)
            && !self.tolerance.passes_over(&record)
        {
            found(Finding::Only { side, record: lane.ahead.records, offset });
            *count += 1;
        }
        lane.ahead.pass();
    }
}
