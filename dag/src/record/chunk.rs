//! [`Chunk`]: records on their way to the writer.

use erf::Timestamp;
use erf::session::Closing;

use super::rotation::Part;
use crate::backend::Memory;

/// Bytes of one chunk, about: up to the end of the record with which it has as many.
pub(super) const CHUNK: usize = 1 << 20;

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
}

impl Lent {
    /// The `len` bytes from position `start` on.
    ///
    /// # Safety
    ///
    /// They must lie in a window of the stream, and must not be released while this lives.
    pub(super) unsafe fn new(memory: Memory, start: u64, len: usize) -> Self {
        Self { memory, start, len }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: whoever made this has promised what `slice` asks.
        unsafe { self.memory.slice(self.start, self.len) }
    }
}

impl Chunk {
    /// No records, but what becomes of files.
    pub(super) fn of_turn(turn: Turn, done: u64) -> Self {
        let bytes = Bytes::Owned(Vec::new());
        Self { bytes, records: 0, packets: 0, stamp: Timestamp::from_raw(0), turn: Some(turn), done }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Lent(lent) => lent.bytes(),
            Bytes::Owned(bytes) => bytes,
        }
    }
}
