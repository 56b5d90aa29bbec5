//! [`Rotation`]: one recording in many files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fmt, io};

use erf::writer::Output;
use erf::{Record, Timestamp};

use super::tally::Tally;

/// When a file ends and the next one begins. Every record is in one of them, whole, in the order of arrival.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Rotation {
    /// Before the first packet with a stamp at or behind the next multiple of this since 1970-01-01 UTC. A packet with an earlier
    /// stamp than the file's stays in it.
    pub every: Option<Duration>,
    /// Before the packet with which the file would be larger than so many bytes, its closing record included. It has one packet at least.
    pub size: Option<u64>,
    /// Whenever somebody raises this flag, which is lowered again: the file ends then, and the next one begins with the next packet.
    pub asked: Arc<AtomicBool>,
}

/// One file of a rotated recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Counted from 0.
    pub number: u64,
    /// The boundary of the clock at which it begins, where files end at such; else the stamp of its first record.
    pub start: Timestamp,
}

/// Where the files of a rotated recording come from, and what is done with them. Asked on the writer's thread: packets wait in stream
/// memory meanwhile.
pub trait Files: fmt::Debug + Send {
    /// The place for `part`.
    ///
    /// # Errors
    ///
    /// When there is none; the recording ends then.
    fn begin(&mut self, part: &Part) -> io::Result<Output>;

    /// `part` is complete: `output`, with `bytes` bytes. A file that an error has ended is not given here.
    ///
    /// # Errors
    ///
    /// When it cannot be put where it belongs; the recording ends then.
    fn finished(&mut self, part: &Part, output: Output, bytes: u64) -> io::Result<()>;
}

/// Bytes that are kept free for a file's closing record.
const CLOSING: u64 = 2048;

/// Where the file being written ends.
#[derive(Debug)]
pub(super) struct Boundary {
    every: Option<u64>,
    size: u64,
    asked: Arc<AtomicBool>,
    /// Files begun.
    parts: u64,
    /// One is being written.
    is_open: bool,
    /// The nanosecond from which on packets belong to the next file.
    ends: u64,
    /// What had been seen at the end of the file before.
    pub(super) before: Tally,
    /// Bytes beside records that had gone to files when this one began.
    overhead: u64,
    /// The next packet belongs to the next file.
    pub(super) is_due: bool,
}

impl Boundary {
    pub(super) fn new(rotation: Rotation) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self {
            every: rotation.every.map(nanos),
            size: rotation.size.unwrap_or(u64::MAX),
            asked: rotation.asked,
            parts: 0,
            is_open: false,
            ends: 0,
            before: Tally::default(),
            overhead: 0,
            is_due: false,
        }
    }

    /// Begins a file whose first record is stamped `first`.
    pub(super) fn begin(&mut self, first: Timestamp, overhead: u64) -> Part {
        let mut start = first;
        if let Some(every) = self.every {
            let at = first.nanos();
            let began = at - at % every;
            self.ends = began.saturating_add(every);
            start = Timestamp::from_nanos(began, erf::Fraction::Floor).unwrap_or(first);
        }
        self.overhead = overhead;
        self.is_open = true;
        let number = self.parts;
        self.parts += 1;
        Part { number, start }
    }

    /// The file that is being written ends here.
    pub(super) fn end(&mut self, tally: &Tally) {
        self.is_open = false;
        self.is_due = false;
        self.before = *tally;
    }

    /// Whether a file has been begun at all.
    pub(super) fn has_begun(&self) -> bool {
        self.parts > 0
    }

    /// Whether somebody wants the file to end now.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.swap(false, Ordering::Relaxed) && self.is_open
    }

    /// Whether `packet`, which takes `more` bytes, belongs to the next file.
    #[inline]
    pub(super) fn is_reached(&mut self, packet: &Record<'_>, more: u64, tally: &Tally, overhead: u64) -> bool {
        if !self.is_open || tally.chosen == self.before.chosen {
            return false;
        }
        let len = tally.bytes - self.before.bytes + overhead.saturating_sub(self.overhead) + CLOSING;
        self.is_due =
            self.is_due || len + more > self.size || (self.every.is_some() && packet.timestamp().nanos() >= self.ends);
        self.is_due
    }
}
