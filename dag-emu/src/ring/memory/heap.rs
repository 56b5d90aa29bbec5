//! Stream memory where there are no memory files: on the heap, each byte written to both halves.

use super::{Access, Allocation, MemoryError, checked_len};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// Records start at multiples of this, so a ring of such a length has them at the same places each lap.
const UNIT: u64 = 8;

/// The memory of one stream.
#[derive(Debug)]
pub struct StreamMemory(Arc<Block>);

#[derive(Debug)]
struct Block {
    base: NonNull<u8>,
    len: usize,
    layout: Layout,
}

// SAFETY: the block is bytes without an owner thread; who may touch which of them when is up to the users of `Mapping`.
unsafe impl Send for Block {}
// SAFETY: as above; the block itself has no methods that touch the bytes.
unsafe impl Sync for Block {}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `base` was allocated with this layout and is given back once; every mapping holds the block alive.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

impl StreamMemory {
    /// Memory for a ring of `len` bytes, a multiple of 8, zeroed.
    ///
    /// # Errors
    /// A length that can not be, or too little memory.
    pub fn create(len: u64, _allocation: Allocation) -> Result<Self, MemoryError> {
        let size = checked_len(len, UNIT)?;
        let layout = Layout::from_size_align(size * 2, 4096).map_err(|_| MemoryError::TooLong { len })?;
        // SAFETY: the layout's size is at least 16.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(MemoryError::NotEnough {
            len,
            have: 0,
            which: "available",
        })?;
        Ok(Self(Arc::new(Block { base, len: size, layout })))
    }

    /// Length of the ring, in bytes.
    #[must_use]
    pub fn ring_len(&self) -> u64 {
        self.0.len as u64
    }
}

/// One view of a ring.
#[derive(Debug)]
pub struct Mapping {
    block: Arc<Block>,
}

impl Mapping {
    /// Maps the ring.
    ///
    /// # Errors
    /// None here.
    pub fn new(memory: &StreamMemory, _access: Access, _prefault: bool) -> Result<Self, MemoryError> {
        Ok(Self { block: Arc::clone(&memory.0) })
    }

    /// Length of the ring, in bytes; the mapping is twice as long.
    #[inline]
    #[must_use]
    pub fn ring_len(&self) -> usize {
        self.block.len
    }

    /// Where the mapping starts.
    #[inline]
    #[must_use]
    pub fn base(&self) -> *const u8 {
        self.block.base.as_ptr()
    }

    /// Copies `bytes` into the ring at `at`.
    ///
    /// # Safety
    /// The mapping is writable, `at + bytes.len() <= 2 * ring_len()`, and for the length of the call no one else reads or
    /// writes these bytes of the ring, through either half.
    pub(crate) unsafe fn write(&self, at: usize, bytes: &[u8]) {
        for (place, part) in self.places(at, bytes.len()) {
            let source = &bytes[part];
            // SAFETY: `place` and the bytes behind it lie below `2 * ring_len()`, the size of the block.
            let target = unsafe { self.block.base.as_ptr().add(place) };
            // SAFETY: in bounds; the caller vouches that nobody else uses these bytes, of which both halves show one.
            unsafe { ptr::copy_nonoverlapping(source.as_ptr(), target, source.len()) };
        }
    }

    /// Zeroes `len` bytes of the ring from `at` on.
    ///
    /// # Safety
    /// As for [`write`](Self::write).
    pub(crate) unsafe fn zero(&self, at: usize, len: usize) {
        for (place, part) in self.places(at, len) {
            // SAFETY: `place` and the bytes behind it lie below `2 * ring_len()`, the size of the block.
            let target = unsafe { self.block.base.as_ptr().add(place) };
            // SAFETY: in bounds; the caller vouches that nobody else uses these bytes.
            unsafe { ptr::write_bytes(target, 0, part.len()) };
        }
    }

    /// Where in the block the parts of a range lie: each once as it is, and once in the other half.
    fn places(&self, at: usize, len: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let ring = self.block.len;
        // What lies in the first half has its twin in the second, and the other way round.
        let split = ring.saturating_sub(at).min(len);
        let second = (at + split).saturating_sub(ring);
        let places = [(at, 0..split), (at + ring, 0..split), (at + split, split..len), (second, split..len)];
        // A range that lies wholly in one half has no part in the other, and the place of that would lie outside of the block.
        places.into_iter().filter(|(_, part)| !part.is_empty())
    }
}
