//! [`Ahead`]: one input, read a block ahead.

use std::ops::Range;

use erf_core::{Audit, Defect, Record, Severity, TimeDelta, Timestamp};

use crate::convert::{PlainFrame, Refusal, Unread};
use crate::merge::RunSink;
use crate::shift::Correction;
use crate::{Error, ErrorKind, Reader};

/// With a window, records waiting for their turn take so many bytes at most.
pub(crate) const MAX_WAITING: usize = 64 * 1024 * 1024;

/// A record of the block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// What it is placed by: its stamp, corrected. Filler has no time and goes with the record before it.
    pub(crate) key: u64,
    start: usize,
    len: u32,
    /// Where it was, in the decompressed data of its file.
    pub(crate) offset: u64,
}

impl Entry {
    fn range(&self) -> Range<usize> {
        self.start..self.start + self.len as usize
    }
}

/// Stamps that are earlier than one before them in the same input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disorder {
    /// How many records are stamped earlier than the one before them.
    pub backward_steps: u64,
    /// The most that a record is earlier than one that stands before it.
    pub most: TimeDelta,
    /// Where the first such record is: its offset in the decompressed data.
    pub first_offset: Option<u64>,
}

impl Disorder {
    fn step(&mut self, before: u64, latest: u64, entry: &Entry) {
        if entry.key < before {
            self.backward_steps += 1;
            self.first_offset.get_or_insert(entry.offset);
        }
        if entry.key < latest {
            self.most = self.most.max(Timestamp::from_raw(latest) - Timestamp::from_raw(entry.key));
        }
    }
}

/// Records of one input, whole blocks of them, copied out of the reader so that several inputs can be looked at together.
pub(crate) struct Ahead {
    reader: Reader,
    correction: Correction,
    window: Option<u64>,
    /// Filler has been given stamps, and is placed by them.
    stamped_filler: bool,
    block: Vec<u8>,
    entries: Vec<Entry>,
    /// The first entry that was not taken.
    next: usize,
    /// So many entries from the start may be taken.
    ready: usize,
    /// Key of the last record loaded, and the latest of all.
    last_loaded: u64,
    latest_loaded: u64,
    /// The same of those taken.
    last_taken: u64,
    latest_taken: u64,
    over: bool,
    pub(crate) records: u64,
    pub(crate) disorder: Disorder,
    /// What ended the input early.
    pub(crate) broken: Option<Error>,
}

impl Ahead {
    /// Records within `window` of each other are put in order; without one they come as they lie.
    pub(crate) fn new(reader: Reader, correction: Correction, window: Option<TimeDelta>) -> Self {
        Self {
            reader,
            correction,
            window: window.map(|window| window.raw().unsigned_abs()),
            stamped_filler: false,
            block: Vec::new(),
            entries: Vec::new(),
            next: 0,
            ready: 0,
            last_loaded: 0,
            latest_loaded: 0,
            last_taken: 0,
            latest_taken: 0,
            over: false,
            records: 0,
            disorder: Disorder::default(),
            broken: None,
        }
    }

    /// Filler has been given stamps, and is placed by them.
    pub(crate) fn with_stamped_filler(self) -> Self {
        Self { stamped_filler: true, ..self }
    }

    pub(crate) fn name(&self) -> &str {
        self.reader.name()
    }

    /// What of a pcapng file no record says.
    pub(crate) fn unread(&self) -> Unread {
        self.reader.unread()
    }

    /// Packets of a pcap file that could not be read as records.
    pub(crate) fn refused(&self) -> Option<(u64, Refusal)> {
        self.reader.refused()
    }

    /// The record in front, where there is one; a fill comes first.
    pub(crate) fn head(&self) -> Option<&Entry> {
        self.entries.get(..self.ready)?.get(self.next)
    }

    /// The record that is `n` behind the one in front, if it is loaded.
    pub(crate) fn peek(&self, n: usize) -> Option<(&Entry, &[u8])> {
        let entry = self.entries.get(..self.ready)?.get(self.next + n)?;
        Some((entry, &self.block[entry.range()]))
    }

    /// How many records can be looked at.
    pub(crate) fn loaded(&self) -> usize {
        self.ready - self.next
    }

    /// The input is over; what is loaded is all that is left.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Passes over the record in front.
    pub(crate) fn pass(&mut self) {
        if self.next < self.ready {
            self.next += 1;
            self.records += 1;
        }
    }

    /// Takes the record in front, if there is one, and puts it behind `gathered`.
    #[inline]
    pub(crate) fn take_one(&mut self, gathered: &mut Vec<u8>) {
        let Some(entry) = self.entries[..self.ready].get(self.next) else { return };
        let (before, latest) = (self.last_taken, self.latest_taken);
        if entry.key < latest {
            self.disorder.step(before, latest, entry);
        } else {
            self.latest_taken = entry.key;
        }
        self.last_taken = entry.key;
        gathered.extend_from_slice(&self.block[entry.range()]);
        self.next += 1;
        self.records += 1;
    }

    /// Takes the record in front and those behind it, as far as they lie in one piece and `goes` says yes to their keys, and gives
    /// them to `sink`.
    pub(crate) fn take(&mut self, goes: impl Fn(u64) -> bool, sink: &mut RunSink<'_>) -> Result<(), Error> {
        let Some(first) = self.entries[..self.ready].get(self.next) else { return Ok(()) };
        let mut end = first.start;
        let mut count = 0;
        for entry in &self.entries[self.next..self.ready] {
            if entry.start != end || (count > 0 && !goes(entry.key)) {
                break;
            }
            if entry.key < self.latest_taken {
                self.disorder.step(self.last_taken, self.latest_taken, entry);
            } else {
                self.latest_taken = entry.key;
            }
            self.last_taken = entry.key;
            end = entry.range().end;
            count += 1;
        }
        let run = &self.block[first.start..end];
        self.next += count;
        self.records += count as u64;
        sink(run, count as u64)
    }

    /// Loads until there is a record in front. `false`: the input is over.
    pub(crate) fn fill(&mut self, defect: &mut dyn FnMut(&Defect)) -> Result<bool, Error> {
        while self.next == self.ready {
            if !self.load(defect)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Loads another block behind what is there. `false`: there is no more, and all may be taken.
    pub(crate) fn load(&mut self, defect: &mut dyn FnMut(&Defect)) -> Result<bool, Error> {
        self.drop_taken();
        if self.over {
            self.ready = self.entries.len();
            return Ok(self.next < self.ready);
        }
        let before = self.entries.len();
        let batch = match self.reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => {
                self.over = true;
                return self.load(defect);
            }
            Err(error) if error.is_damage() => {
                self.broken = Some(error);
                self.over = true;
                return self.load(defect);
            }
            Err(error) => return Err(error),
        };
        // Records without a defect between them lie as they did in the file and are copied at once.
        let base = self.block.len();
        let mut iter = batch.iter();
        let mut clean = true;
        loop {
            // Nothing is odd about plain ones, which are nearly all.
            if let Some(mut rest) = iter.plain_rest() {
                let mut offset = iter.offset();
                let first = offset;
                while let Some(plain) = PlainFrame::ahead(rest, 0) {
                    let len = (rest.len() - plain.rest.len()) as u32;
                    let start = base + (offset - batch.offset()) as usize;
                    self.last_loaded = plain.stamp.raw();
                    self.entries.push(Entry { key: self.last_loaded, start, len, offset });
                    offset += u64::from(len);
                    rest = plain.rest;
                }
                iter.pass((offset - first) as usize);
            }
            let offset = iter.offset();
            match iter.next() {
                Some(Ok(record)) => {
                    Audit::oddities(offset, &record, |odd| {
                        if odd.kind.severity() >= Severity::Warning {
                            defect(&odd);
                        }
                    });
                    let start = base + (offset - batch.offset()) as usize;
                    let timeless = record.is_pad() && !self.stamped_filler;
                    let key = if timeless { self.last_loaded } else { record.timestamp().raw() };
                    self.entries.push(Entry { key, start, len: u32::from(record.rlen()), offset });
                    self.last_loaded = key;
                }
                Some(Err(found)) => {
                    clean = false;
                    defect(&found);
                }
                None => break,
            }
        }
        if clean {
            self.block.extend_from_slice(batch.bytes());
        } else {
            let records = batch.iter().filter_map(Result::ok);
            for (entry, record) in self.entries[before..].iter_mut().zip(records) {
                entry.start = self.block.len();
                self.block.extend_from_slice(record.bytes());
            }
        }
        if !self.correction.is_none() {
            self.correct(before)?;
        }
        self.make_ready(before);
        Ok(true)
    }

    fn drop_taken(&mut self) {
        if self.next == self.entries.len() {
            self.block.clear();
            self.entries.clear();
        } else if self.next > 0 {
            let mut kept = Vec::with_capacity(self.block.len());
            self.entries.drain(..self.next);
            for entry in &mut self.entries {
                let start = kept.len();
                kept.extend_from_slice(&self.block[entry.range()]);
                entry.start = start;
            }
            self.block = kept;
        }
        self.ready -= self.next.min(self.ready);
        self.next = 0;
    }

    /// Corrects the stamps of entries from number `from` on.
    fn correct(&mut self, from: usize) -> Result<(), Error> {
        let mut before = from.checked_sub(1).and_then(|at| self.entries.get(at)).map_or(0, |entry| entry.key);
        for entry in &mut self.entries[from..] {
            let bytes = &mut self.block[entry.range()];
            match Record::parse(bytes) {
                Ok(record) if !record.is_pad() => self.correction.settle(record.timestamp()),
                _ => {
                    entry.key = before;
                    continue;
                }
            }
            let Some(moved) = self.correction.apply_to(bytes) else {
                return Err(out_of_range().at(entry.offset).in_file(self.reader.name()));
            };
            entry.key = moved.raw();
            before = entry.key;
        }
        Ok(())
    }

    /// Finds how many records may be taken: with a window, those that nothing later in the file is expected to come before.
    fn make_ready(&mut self, from: usize) {
        let Some(window) = self.window else {
            self.ready = self.entries.len();
            return;
        };
        for entry in &self.entries[from..] {
            self.latest_loaded = self.latest_loaded.max(entry.key);
        }
        if !self.entries.is_sorted_by_key(|entry| entry.key) {
            // Stable: equal stamps stay in the order of the file.
            self.entries.sort_by_key(|entry| entry.key);
        }
        let safe = self.latest_loaded.saturating_sub(window);
        self.ready = self.entries.partition_point(|entry| entry.key <= safe);
        if self.ready == 0 && self.block.len() > MAX_WAITING {
            self.ready = self.entries.len() / 2;
        }
    }
}

fn out_of_range() -> Error {
    Error::new(ErrorKind::InvalidInput, "the corrected stamp is before 1970 or after 2106; the stamp")
}
