//! [`Chunk`]: records on their way to the writer.

use std::sync::Arc;

use erf::session::Closing;
use erf::{MAX_RECORD_LEN, Timestamp};

use super::release::Hold;
use super::rotation::Part;
use crate::backend::Memory;

/// Bytes of one chunk, about: up to the end of the record with which it has as many.
pub(super) const CHUNK: usize = 1 << 20;

/// The same for records that are written from where they lie, in stream memory that is large enough: a disk takes fewer, longer writes with less work
/// for each byte.
pub(super) const LONG: usize = 4 << 20;

/// Chunks on their way at most: more than a disk needs to be kept busy.
pub(super) const QUEUE: usize = 16;

/// Whole records on their way to the writer, in order.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// How many records.
    pub(super) records: u64,
    /// How many of them are packets.
    pub(super) packets: u64,
    /// Stamp of the last packet so far.
    pub(super) stamp: Timestamp,
    /// In place of records.
    pub(super) turn: Option<Turn>,
    /// Position up to which stream memory can be released once this is written.
    pub(super) done: u64,
    /// Until it is let go, that has not been. `None` before it is sent.
    pub(super) hold: Option<Arc<Hold>>,
}

/// What becomes of files.
#[derive(Debug)]
pub(super) enum Turn {
    Begin(Part),
    End(Option<Box<Closing>>),
}

/// Where the records of a chunk are.
#[derive(Debug)]
pub(super) enum Bytes {
    /// In stream memory.
    Lent(Lent),
    /// In memory of their own.
    Owned(Vec<u8>),
}

/// A piece of stream memory that is not released before it is written.
#[derive(Debug)]
pub(super) struct Lent {
    memory: Memory,
    start: u64,
    len: usize,
    /// It is little enough of the memory to stay there until the disk has it.
    may_stay: bool,
}

/// The least that is worth being written from where it lies: its first and its last block are copied, and filled up.
const WORTHWHILE: usize = CHUNK / 4;

/// Stream memory is to hold so many chunks beside each other that are all held until the disk has them: those on their way and one that fills.
const HELD: u64 = 16;

/// Bytes of one chunk of a stream that has `memory_len` bytes of memory, if it may be written from where it lies.
pub(super) fn straight_len(memory_len: u64) -> usize {
    // A chunk is longer by the rest of a record.
    let most = (memory_len / HELD).saturating_sub(MAX_RECORD_LEN as u64);
    usize::try_from(most).unwrap_or(LONG).clamp(CHUNK, LONG)
}

impl Lent {
    /// The `len` bytes from position `start` on, of a stream that has `memory_len` bytes of memory in all.
    ///
    /// # Safety
    ///
    /// They must lie in a window of the stream, and must not be released before the chunk that this is in has been sent and is held no
    /// more.
    pub(super) unsafe fn new(memory: Memory, start: u64, len: usize, memory_len: u64) -> Self {
        let may_stay = len >= WORTHWHILE && len as u64 * HELD <= memory_len;
        Self { memory, start, len, may_stay }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: whoever made this has promised what `slice` asks.
        unsafe { self.memory.slice(self.start, self.len) }
    }
}

impl Chunk {
    /// No records, but what becomes of files.
    pub(super) fn of_turn(turn: Turn, done: u64) -> Self {
        let bytes = Bytes::Owned(Vec::new());
        Self { bytes, records: 0, packets: 0, stamp: Timestamp::from_raw(0), turn: Some(turn), done, hold: None }
    }

    /// The records where they lie in stream memory, if they can stay there until they are written. It is not released before what this
    /// gives is dropped.
    pub(super) fn straight(&self) -> Option<Straight> {
        match (&self.bytes, &self.hold) {
            (Bytes::Lent(Lent { memory, start, len, may_stay: true }), Some(hold)) => {
                Some(Straight { memory: memory.clone(), start: *start, len: *len, _hold: Arc::clone(hold) })
            }
            _ => None,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Lent(lent) => lent.bytes(),
            Bytes::Owned(bytes) => bytes,
        }
    }
}

/// Records in stream memory, held there by themselves.
#[derive(Debug)]
pub(super) struct Straight {
    memory: Memory,
    start: u64,
    len: usize,
    _hold: Arc<Hold>,
}

impl Straight {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the bytes are those of the `Lent` that this was made of, whose maker promised that they lie in a window and are not released
        // while the chunk is held, which it is as long as `self` lives.
        unsafe { self.memory.slice(self.start, self.len) }
    }
}
