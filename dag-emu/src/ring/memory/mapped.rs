//! Stream memory on a sealed memory file, mapped twice.

use super::{Access, Allocation, MemoryError, SealedFile, checked_len, map_shared, unmap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

/// The memory of one stream: the sealed file, of which any number of [`Mapping`]s can be made, here or elsewhere.
#[derive(Debug)]
pub struct StreamMemory {
    file: SealedFile,
    len: usize,
}

impl StreamMemory {
    /// Memory for a ring of `len` bytes, a multiple of the page size, zeroed.
    ///
    /// # Errors
    /// A length that can not be, too little memory, or a limit of the process, each with the way out.
    pub fn create(len: u64, allocation: Allocation) -> Result<Self, MemoryError> {
        let size = checked_len(len, page_size())?;
        Ok(Self { file: SealedFile::create(c"dag-emu stream memory", len, allocation)?, len: size })
    }

    /// The memory behind a descriptor that the card's process passed on.
    ///
    /// # Errors
    /// [`MemoryError::Foreign`] if it is not a memory file of fixed length, and as for [`create`](Self::create).
    pub fn open(fd: OwnedFd) -> Result<Self, MemoryError> {
        let file = SealedFile::open(fd, "stream memory")?;
        let len = checked_len(file.len(), page_size())?;
        Ok(Self { file, len })
    }

    /// Length of the ring, in bytes.
    #[must_use]
    pub fn ring_len(&self) -> u64 {
        self.len as u64
    }
}

impl AsFd for StreamMemory {
    /// The descriptor to pass to a stream's owner.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// One view of a ring: its bytes twice in a row.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to no thread; who may touch which of its bytes when is up to its users.
unsafe impl Send for Mapping {}
// SAFETY: as above; the safe methods touch no byte of it.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the ring. `prefault` enters its pages in the page tables at once, if the system can (Linux 5.14 and later).
    ///
    /// # Errors
    /// Too little address space, or a limit of the process.
    pub fn new(memory: &StreamMemory, access: Access, prefault: bool) -> Result<Self, MemoryError> {
        let (protection, advice) = match access {
            Access::Read => (libc::PROT_READ, libc::MADV_POPULATE_READ),
            Access::ReadWrite => (libc::PROT_READ | libc::PROT_WRITE, libc::MADV_POPULATE_WRITE),
        };
        let base = map_shared(&memory.file, memory.len, 2, protection)?;
        let mapping = Self { base, len: memory.len };
        if prefault {
            // A refusal only makes the first lap slower.
            // SAFETY: the range is exactly the mapping; populating changes no byte.
            unsafe { libc::madvise(base.as_ptr().cast(), memory.len * 2, advice) };
        }
        Ok(mapping)
    }

    /// Length of the ring, in bytes; the mapping is twice as long.
    #[inline]
    #[must_use]
    pub fn ring_len(&self) -> usize {
        self.len
    }

    /// Where the mapping starts.
    #[inline]
    #[must_use]
    pub fn base(&self) -> *const u8 {
        self.base.as_ptr()
    }

    /// Copies `bytes` into the ring at `at`.
    ///
    /// # Safety
    /// The mapping is writable, `at + bytes.len() <= 2 * ring_len()`, and for the length of the call no one else reads or
    /// writes these bytes of the ring, through either half or any other mapping.
    #[inline]
    pub(crate) unsafe fn write(&self, at: usize, bytes: &[u8]) {
        // SAFETY: the caller keeps `at` within the mapping.
        let target = unsafe { self.base.as_ptr().add(at) };
        // SAFETY: in bounds, writable and used by nobody else, as the caller vouches; so `bytes` does not lie there either.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
    }

    /// Zeroes `len` bytes of the ring from `at` on.
    ///
    /// # Safety
    /// As for [`write`](Self::write).
    #[inline]
    pub(crate) unsafe fn zero(&self, at: usize, len: usize) {
        // SAFETY: the caller keeps `at` within the mapping.
        let target = unsafe { self.base.as_ptr().add(at) };
        // SAFETY: in bounds, writable and used by nobody else, as the caller vouches.
        unsafe { ptr::write_bytes(target, 0, len) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new` with this span; what was lent out of it has ended with its owner.
        unsafe { unmap(self.base, self.len * 2) };
    }
}

fn page_size() -> u64 {
    // SAFETY: takes a number and returns one.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).ok().filter(|size| *size > 0).unwrap_or(4096)
}
