//! Stream memory: bytes that are there twice in a row, so that no record ever wraps.
//!
//! A ring of `len` bytes occupies `2 * len` bytes of address space; the second half shows the same pages as the first.
//! Any range of up to `len` bytes is contiguous from wherever in the first half it starts
//! (`libdag-contract.md` section 2.4).
//!
//! The pages are a memory file (memfd) sealed against shrinking and growing: a mapping can not be pulled away
//! from beneath its reader, and the descriptor can be passed to other processes. Under Miri, which knows no such files,
//! and on systems without them, the memory is on the heap and every write is done twice.
//!
//! Nobody forms a `&mut` into the ring: two addresses name one byte. The producer writes through raw pointers;
//! readers form `&[u8]` over ranges that the [protocol](super) keeps the producer from writing.

mod error;
#[cfg(any(miri, not(target_os = "linux")))]
mod heap;
#[cfg(all(not(miri), target_os = "linux"))]
mod mapped;
#[cfg(all(not(miri), target_os = "linux"))]
mod sealed;

pub use error::MemoryError;
#[cfg(any(miri, not(target_os = "linux")))]
pub use heap::{Mapping, StreamMemory};
#[cfg(all(not(miri), target_os = "linux"))]
pub use mapped::{Mapping, StreamMemory};
#[cfg(all(not(miri), target_os = "linux"))]
pub(crate) use sealed::{SealedFile, map_shared, unmap};

/// When the pages of a ring are taken from the system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Allocation {
    /// Page by page, as they are first written. If memory runs out then, the system kills somebody.
    OnDemand,
    /// All at creation, so that too little memory is an error then and there.
    #[default]
    Reserved,
    /// All at creation and entered in the page tables, so that the first lap is as fast as the second.
    Prefaulted,
}

/// What a mapping permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only; a write through the mapping is a fault.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// `len` as a size in this address space, if twice that much fits into it.
fn checked_len(len: u64, unit: u64) -> Result<usize, MemoryError> {
    if len == 0 || !len.is_multiple_of(unit) {
        let lower = len - len % unit;
        return Err(MemoryError::BadLength { len, unit, nearest: lower.max(unit) });
    }
    usize::try_from(len).ok().filter(|len| *len <= isize::MAX.unsigned_abs() / 2).ok_or(MemoryError::TooLong { len })
}
