//! What a reader lends: the records of one block.

use std::sync::OnceLock;

use crate::{Defect, Record, Records, Walk, WalkState};

/// How far a walk through the window has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// Bytes of the window that are done with.
    pub(super) walked: usize,
    /// What to go on with behind them.
    pub(super) state: WalkState,
}

/// Whole records lent by a [`Reader`](super::Reader), valid until its next call.
///
/// Records are `Copy`, `Send` and `Sync` and may all be held at once. Each iteration gives the same.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    window: &'a [u8],
    state: WalkState,
    last: bool,
    tail: &'a OnceLock<Tail>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(window: &'a [u8], state: WalkState, last: bool, tail: &'a OnceLock<Tail>) -> Batch<'a> {
        Batch { window, state, last, tail }
    }

    /// The records and defects, in order. Offsets of defects count from the start of the decompressed
    /// data.
    pub fn iter(&self) -> BatchIter<'a> {
        BatchIter {
            walk: Records::resume(self.window, self.state, self.last),
            window_len: self.window.len(),
            tail: self.tail,
        }
    }

    /// The bytes of the batch, whole records only: what may be copied to another ERF file as it is, if the
    /// iteration gives no defect.
    pub fn bytes(&self) -> &'a [u8] {
        &self.window[..self.walk_to_end().walked]
    }

    /// Offset of [`bytes`](Batch::bytes) from the start of the decompressed data.
    pub fn offset(&self) -> u64 {
        self.state.offset()
    }

    pub(super) fn starts_with_item(&self) -> bool {
        self.iter().next().is_some()
    }

    /// The end of the batch, found by walking unless somebody has been there already.
    pub(super) fn walk_to_end(&self) -> Tail {
        if let Some(tail) = self.tail.get() {
            return *tail;
        }
        let mut iter = self.iter();
        for _ in iter.by_ref() {}
        iter.tail_here()
    }
}

impl<'a> IntoIterator for Batch<'a> {
    type Item = Result<Record<'a>, Defect>;
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Batch<'a> {
    type Item = Result<Record<'a>, Defect>;
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

/// Iterator over a [`Batch`].
#[derive(Clone, Debug)]
pub struct BatchIter<'a> {
    walk: Walk<'a>,
    window_len: usize,
    tail: &'a OnceLock<Tail>,
}

impl<'a> BatchIter<'a> {
    /// Offset of the next byte to be looked at, from the start of the decompressed data. Taken before
    /// [`next`](Iterator::next), it is the offset of the record that comes next.
    pub fn offset(&self) -> u64 {
        self.walk.offset()
    }

    /// [`Walk::plain_rest`].
    #[inline]
    pub(crate) fn plain_rest(&self) -> Option<&'a [u8]> {
        self.walk.plain_rest()
    }

    /// [`Walk::pass`].
    #[inline]
    pub(crate) fn pass(&mut self, n: usize) {
        self.walk.pass(n);
    }

    fn tail_here(&self) -> Tail {
        *self.tail.get_or_init(|| Tail {
            walked: self.window_len - self.walk.rest().len(),
            state: self.walk.clone().into_state(),
        })
    }

    /// Says that the reader shall go on where this iterator stands.
    pub(super) fn stop_here(&self) {
        self.tail_here();
    }
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = Result<Record<'a>, Defect>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let item = self.walk.next();
        if item.is_none() {
            // The reader need not walk here again to find where the batch ends.
            self.stop_here();
        }
        item
    }
}

impl std::iter::FusedIterator for BatchIter<'_> {}
