//! [`Progress`]: numbers of a running recording, for a person to look at.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Numbers of a running recording, each right by itself and all of them a moment old.
#[derive(Debug, Default)]
pub struct Progress {
    delivered: AtomicU64,
    filtered: AtomicU64,
    lost: AtomicU64,
    bytes: AtomicU64,
    fill: AtomicU64,
    arrived: AtomicU64,
    free: AtomicU64,
    written: AtomicU64,
    written_bytes: AtomicU64,
    synced: AtomicU64,
    padding: AtomicU64,
    waiting: AtomicBool,
    refused: AtomicBool,
    rounds: AtomicU64,
    over: AtomicBool,
    /// Packets that the writer of packets has been given.
    given: AtomicU64,
    /// The numbers of those that the format has no place for, where somebody wants to know.
    unfit: Mutex<Vec<u64>>,
    remembers: AtomicBool,
}

/// One look at a [`Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Packets chosen to be recorded.
    pub delivered: u64,
    /// Packets left out.
    pub filtered: u64,
    /// Packets lost.
    pub lost: u64,
    /// Bytes of records chosen.
    pub bytes: u64,
    /// How full stream memory is, in percent.
    pub fill_percent: u64,
    /// Bytes that the card has put into stream memory since the start, whatever became of them.
    pub arrived_bytes: u64,
    /// Bytes of stream memory that are free; of the stream that has least, where there are several.
    pub free_bytes: u64,
    /// Packets that are in the file: should the program be killed, they are there.
    pub written: u64,
    /// Bytes that are in the file.
    pub written_bytes: u64,
    /// Packets that survive a loss of power, where that is asked for ([`Sync`](super::Sync)).
    pub synced: u64,
    /// The disk is full, and there is no room to write.
    pub waiting: bool,
}

/// How full stream memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    /// In percent.
    pub(super) fill_percent: u64,
    /// Bytes put into it since the start.
    pub(super) arrived: u64,
    /// Bytes of it that are free.
    pub(super) free: u64,
}

impl Level {
    /// Before anybody has looked.
    pub(super) const NOTHING: Self = Self { fill_percent: 0, arrived: 0, free: 0 };

    /// Of a stream with `len` bytes of memory, in which the bytes from position `bottom` to `top` lie.
    pub(super) fn new(bottom: u64, top: u64, len: u64) -> Self {
        let held = top.saturating_sub(bottom);
        Self { fill_percent: held * 100 / len.max(1), arrived: top, free: len.saturating_sub(held) }
    }

    /// As it was looked at.
    pub(super) fn of(now: &Snapshot) -> Self {
        Self { fill_percent: now.fill_percent, arrived: now.arrived_bytes, free: now.free_bytes }
    }

    /// Of two streams: all that has arrived, and the fuller memory.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            fill_percent: self.fill_percent.max(other.fill_percent),
            arrived: self.arrived + other.arrived,
            free: self.free.min(other.free),
        }
    }
}

impl Progress {
    /// From here on it is remembered which packets had no place, until that is asked for.
    pub(super) fn remember(&self) {
        self.remembers.store(true, Ordering::Relaxed);
    }

    /// The writer of packets has been given one more, and the format has a place for it, or has not.
    pub(super) fn given(&self, fits: bool) {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        if !fits && self.remembers.load(Ordering::Relaxed) {
            self.unfit.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        }
    }

    /// The numbers of packets that had no place, since this was asked last; counted from 0.
    pub(super) fn take_unfit(&self) -> Vec<u64> {
        std::mem::take(&mut *self.unfit.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the recording, or the stream, has ended.
    pub fn has_ended(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(super) fn over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// What the thread of one of several streams knows.
    pub(super) fn card(&self, lost: u64, level: Level) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        self.lost.store(lost, Ordering::Relaxed);
        self.level(level);
    }

    fn level(&self, level: Level) {
        self.fill.store(level.fill_percent, Ordering::Relaxed);
        self.arrived.store(level.arrived, Ordering::Relaxed);
        self.free.store(level.free, Ordering::Relaxed);
    }

    /// What has been looked at of one of several streams.
    pub(super) fn took(&self, delivered: u64, filtered: u64, bytes: u64) {
        self.delivered.store(delivered, Ordering::Relaxed);
        self.filtered.store(filtered, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// The numbers now.
    pub fn snapshot(&self) -> Snapshot {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        Snapshot {
            delivered: load(&self.delivered),
            filtered: load(&self.filtered),
            lost: load(&self.lost),
            bytes: load(&self.bytes),
            fill_percent: load(&self.fill),
            arrived_bytes: load(&self.arrived),
            free_bytes: load(&self.free),
            written: load(&self.written),
            written_bytes: load(&self.written_bytes),
            synced: load(&self.synced),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }

    /// How often the capture has gone round: at least ten times a second while it is alive, whether packets come or not.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// What the capture knows.
    pub(super) fn set(&self, now: Snapshot) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        self.delivered.store(now.delivered, Ordering::Relaxed);
        self.filtered.store(now.filtered, Ordering::Relaxed);
        self.lost.store(now.lost, Ordering::Relaxed);
        self.bytes.store(now.bytes, Ordering::Relaxed);
        self.level(Level::of(&now));
        self.waiting.store(now.waiting, Ordering::Relaxed);
    }

    /// So many more packets and bytes are in the file.
    pub(super) fn wrote(&self, packets: u64, bytes: u64) {
        self.written_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.written.fetch_add(packets, Ordering::Relaxed);
    }

    /// All that is in the file has reached the device. Said by who writes, so that nothing comes in between.
    pub(super) fn all_synced(&self) {
        self.synced.store(self.written.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// So many bytes of filler at the end of a finished file are there no more.
    pub(super) fn trimmed(&self, bytes: u64) {
        self.written_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// So many more bytes of filler go to the file.
    pub(super) fn padded(&self, bytes: u64) {
        self.padding.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The system does not write from stream memory; whether that is said for the first time.
    pub(super) fn is_first_refusal(&self) -> bool {
        !self.refused.swap(true, Ordering::Relaxed)
    }

    /// Bytes of filler so far.
    pub(super) fn padding(&self) -> u64 {
        self.padding.load(Ordering::Relaxed)
    }
}
