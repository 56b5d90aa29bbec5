//! What a reader lends: the records of one block.

use std::sync::OnceLock;

use crate::{Defect, DefectKind, Record, Records, Walk, WalkState};

/// How far a walk through the window has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// Bytes of the window that are done with.
    pub(super) walked: usize,
    /// What to go on with behind them.
    pub(super) state: WalkState,
    /// Where zero bytes begin that reach to the end of the window and may be all that is left.
    pub(super) zeros_from: Option<u64>,
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
    lead: Option<Defect>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        window: &'a [u8],
        state: WalkState,
        last: bool,
        tail: &'a OnceLock<Tail>,
        lead: Option<Defect>,
    ) -> Batch<'a> {
        Batch { window, state, last, tail, lead }
    }

    /// The records and defects, in order. Offsets of defects count from the start of the decompressed
    /// data.
    pub fn iter(&self) -> BatchIter<'a> {
        BatchIter {
            walk: Records::resume(self.window, self.state, self.last),
            window: self.window,
            last: self.last,
            tail: self.tail,
            special: self.lead.is_some(),
            lead: self.lead,
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
    window: &'a [u8],
    last: bool,
    tail: &'a OnceLock<Tail>,
    /// There is a `lead`, or nothing more to come: one question per record instead of two.
    special: bool,
    lead: Option<Defect>,
}

impl<'a> BatchIter<'a> {
    /// Offset of the next byte to be looked at, from the start of the decompressed data. Taken before
    /// [`next`](Iterator::next), it is the offset of the record that comes next.
    pub fn offset(&self) -> u64 {
        self.walk.offset()
    }

    /// Everything but a plain record.
    #[cold]
    fn rare(&mut self, item: Option<Defect>) -> Option<Result<Record<'a>, Defect>> {
        match item {
            Some(defect) if self.begins_zero_run(defect) => {
                self.special = true;
                let before = usize::try_from(defect.offset - self.first_offset()).unwrap_or(0);
                let _ = self.tail.set(Tail {
                    walked: before,
                    state: self.walk.clone().into_state(),
                    zeros_from: Some(defect.offset),
                });
                None
            }
            Some(defect) => Some(Err(defect)),
            None => {
                self.special = true;
                self.stop_here();
                None
            }
        }
    }

    /// A window that is not the last may end in the first part of a zero tail; only what follows can tell.
    fn begins_zero_run(&self, defect: Defect) -> bool {
        if self.last || defect.kind != (DefectKind::RecordLength { rlen: 0 }) {
            return false;
        }
        // With recovery a search has begun, which goes through zeros as through any damage.
        let state = self.walk.clone().into_state();
        state.is_ended() && self.walk.rest().iter().all(|&byte| byte == 0)
    }

    fn first_offset(&self) -> u64 {
        self.walk.offset() - (self.window.len() - self.walk.rest().len()) as u64
    }

    fn tail_here(&self) -> Tail {
        *self.tail.get_or_init(|| Tail {
            walked: self.window.len() - self.walk.rest().len(),
            state: self.walk.clone().into_state(),
            zeros_from: None,
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
        if self.special {
            if let Some(lead) = self.lead.take() {
                self.special = false;
                return Some(Err(lead));
            }
            return None;
        }
        match self.walk.next() {
            Some(Ok(record)) => Some(Ok(record)),
            Some(Err(defect)) => self.rare(Some(defect)),
            None => self.rare(None),
        }
    }
}

impl std::iter::FusedIterator for BatchIter<'_> {}
