//! [`Buffer`]: memory that direct I/O can be done from.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// What the address of a buffer is a multiple of: a page, more than any device asks for.
pub(super) const ALIGN: usize = 4096;

/// Memory that begins at a page.
#[derive(Debug)]
pub(super) struct Buffer {
    start: NonNull<u8>,
    layout: Layout,
    /// Which of its pool it is, from 0.
    pub(super) number: u16,
}

impl Buffer {
    /// `len` zero bytes; `None` where there is no memory, or none was asked for.
    pub(super) fn new(len: usize, number: u16) -> Option<Self> {
        let layout = Layout::from_size_align(len, ALIGN).ok().filter(|layout| layout.size() > 0)?;
        // SAFETY: the layout's size is not zero, as just checked.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout, number })
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` was allocated with this size, is initialised (zeroed first, and only written to as bytes since), and
        // lives until `self` is dropped.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed mutably: it is the only owner of the memory.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and not freed before.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

// SAFETY: a buffer owns its memory alone, and has no tie to the thread that made it.
unsafe impl Send for Buffer {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_begins_at_a_page_and_holds_what_is_put_there() {
        let mut buffer = Buffer::new(10_000, 3).unwrap();
        assert!(buffer.as_ptr().addr().is_multiple_of(ALIGN));
        assert!(buffer.len() == 10_000 && buffer.iter().all(|byte| *byte == 0));
        buffer[9_999] = 7;
        let moved = std::thread::spawn(move || (buffer[9_999], buffer.number)).join().unwrap();
        assert_eq!(moved, (7, 3));
        assert!(Buffer::new(0, 0).is_none());
    }
}
