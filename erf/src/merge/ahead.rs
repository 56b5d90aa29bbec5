//! [`Ahead`]: one input, read a block ahead.

use erf_core::{Defect, TimeDelta, Timestamp};

use super::load::{Entry, Feed, Helper, Loaded, Loader};
use crate::convert::{Refusal, Unread};
use crate::merge::RunSink;
use crate::shift::Correction;
use crate::{Error, Reader};

/// With a window, records waiting for their turn take so many bytes at most.
pub(crate) const MAX_WAITING: usize = 64 * 1024 * 1024;

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

/// Records of one input, whole blocks of them.
pub(crate) struct Ahead {
    feed: Feed,
    name: String,
    window: Option<u64>,
    block: Vec<u8>,
    entries: Vec<Entry>,
    /// The first entry that was not taken.
    next: usize,
    /// So many entries from the start may be taken.
    ready: usize,
    /// The latest key loaded.
    latest_loaded: u64,
    /// Key of the last record taken, and the latest of all.
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
            name: reader.name().to_owned(),
            feed: Feed::new(Loader::new(reader, correction)),
            window: window.map(|window| window.raw().unsigned_abs()),
            block: Vec::new(),
            entries: Vec::new(),
            next: 0,
            ready: 0,
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
    pub(crate) fn with_stamped_filler(mut self) -> Self {
        if let Some(loader) = self.feed.loader_mut() {
            loader.stamped_filler = true;
        }
        self
    }

    /// Lets `helper` load the next block while this one is taken.
    pub(super) fn help(&mut self, helper: &Helper) {
        self.feed.help(helper);
    }

    /// Whether it may wait for whoever writes what it reads.
    pub(super) fn waits(&self) -> bool {
        self.feed.loader().is_none_or(|loader| loader.reader.waits())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What of a pcapng file no record says, once it is over.
    pub(crate) fn unread(&self) -> Unread {
        self.feed.loader().map(|loader| loader.reader.unread()).unwrap_or_default()
    }

    /// Packets of a pcap file that could not be read as records, once it is over.
    pub(crate) fn refused(&self) -> Option<(u64, Refusal)> {
        self.feed.loader()?.reader.refused()
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
        let room = if before == 0 { self.take_room() } else { Loaded::default() };
        let loaded = match self.feed.next(room) {
            Ok(Some(loaded)) => loaded,
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
        loaded.defects.iter().for_each(defect);
        if before == 0 {
            (self.block, self.entries) = (loaded.block, loaded.entries);
        } else {
            let base = self.block.len();
            self.block.extend_from_slice(&loaded.block);
            self.entries.extend(loaded.entries.iter().map(|entry| Entry { start: base + entry.start, ..*entry }));
        }
        self.make_ready(before);
        Ok(true)
    }

    /// The room of what was taken.
    fn take_room(&mut self) -> Loaded {
        let (block, entries) = (std::mem::take(&mut self.block), std::mem::take(&mut self.entries));
        Loaded { block, entries, defects: Vec::new() }
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
