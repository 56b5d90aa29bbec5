//! [`Append`]: whole blocks of whole records, to be written at the end of the file in one go.

use std::ops::Range;

use super::buffer::Buffer;
use crate::record::chunk::Straight;

/// Whole blocks, to be appended. Each of its pieces is whole blocks: the head, what lies in stream memory, and the tail.
#[derive(Debug)]
pub(super) struct Append {
    /// Has the head, and behind it the tail.
    pub(super) buffer: Buffer,
    /// Bytes of the head.
    pub(super) head: usize,
    /// Blocks that are written from where they lie in stream memory.
    pub(super) straight: Option<(Straight, Range<usize>)>,
    /// Bytes of the tail; 0 where nothing lies in stream memory.
    pub(super) tail: usize,
    /// Where in the file they are to be: where it ends when everything before has been written.
    pub(super) at: u64,
    /// Packets among the records.
    pub(super) packets: u64,
}

impl Append {
    /// Bytes in all.
    pub(super) fn len(&self) -> usize {
        self.head + self.straight.as_ref().map_or(0, |(_, range)| range.len()) + self.tail
    }

    fn parts(&self) -> [&[u8]; 3] {
        let middle = self.straight.as_ref().and_then(|(records, range)| records.bytes().get(range.clone()));
        let buffered = |range: Range<usize>| self.buffer.get(range).unwrap_or_default();
        [buffered(0..self.head), middle.unwrap_or_default(), buffered(self.head..self.head + self.tail)]
    }

    /// Its bytes from `start` to `end`, piece by piece.
    pub(super) fn pieces(&self, start: usize, end: usize) -> [&[u8]; 3] {
        let mut before = 0;
        self.parts().map(|part| {
            let begins = before;
            before += part.len();
            let inside = |at: usize| at.clamp(begins, before) - begins;
            part.get(inside(start)..inside(end)).unwrap_or_default()
        })
    }
}
