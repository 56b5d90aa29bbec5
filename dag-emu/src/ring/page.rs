//! A register page in memory that processes can share.

use super::memory::MemoryError;
use super::registers::Registers;
use super::sync::Native;
use std::ops::Deref;
use std::sync::Arc;

/// The registers of one stream. Clones lead to the same page.
#[derive(Debug, Clone)]
pub(crate) struct RegisterPage(Arc<Page>);

impl Deref for RegisterPage {
    type Target = Registers<Native>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        self.0.registers()
    }
}

#[cfg(any(miri, not(target_os = "linux")))]
use heap::Page;
#[cfg(all(not(miri), target_os = "linux"))]
use mapped::Page;

impl RegisterPage {
    /// A fresh page.
    pub(crate) fn create() -> Result<Self, MemoryError> {
        Ok(Self(Arc::new(Page::create()?)))
    }
}

#[cfg(any(miri, not(target_os = "linux")))]
mod heap {
    use super::{MemoryError, Native, Registers};

    #[derive(Debug)]
    pub(super) struct Page(Registers<Native>);

    impl Page {
        pub(super) fn create() -> Result<Self, MemoryError> {
            Ok(Self(Registers::new()))
        }

        pub(super) fn registers(&self) -> &Registers<Native> {
            &self.0
        }
    }
}

#[cfg(all(not(miri), target_os = "linux"))]
mod mapped {
    use super::{MemoryError, Native, RegisterPage, Registers};
    use crate::ring::memory::{Allocation, SealedFile, map_shared, unmap};
    use crate::ring::registers::LAYOUT;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::ptr::NonNull;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    /// Length of the file and of the mapping; whole pages on systems with pages of up to 64 KiB.
    const LEN: usize = 64 << 10;
    const _: () = assert!(size_of::<Registers<Native>>() <= LEN);

    const WHAT: &str = "the register page";

    #[derive(Debug)]
    pub(super) struct Page {
        file: SealedFile,
        base: NonNull<u8>,
    }

    // SAFETY: the mapping belongs to no thread, and all of it is accessed through atomics only.
    unsafe impl Send for Page {}
    // SAFETY: as above.
    unsafe impl Sync for Page {}

    impl Page {
        pub(super) fn create() -> Result<Self, MemoryError> {
            let page = Self::map(SealedFile::create(c"dag-emu registers", LEN as u64, Allocation::Reserved)?)?;
            // A new file is all zeros, which are valid registers but for this word.
            page.registers().layout.0.store(LAYOUT, Ordering::Release);
            Ok(page)
        }

        fn map(file: SealedFile) -> Result<Self, MemoryError> {
            let base = map_shared(&file, LEN, 1, libc::PROT_READ | libc::PROT_WRITE)?;
            Ok(Self { file, base })
        }

        #[inline]
        pub(super) fn registers(&self) -> &Registers<Native> {
            // SAFETY: the mapping is page-aligned, long enough (asserted above) and lives as long as `self`; registers are
            // atomics only, of which every bit pattern is valid, and which other processes may write at any moment.
            unsafe { self.base.cast().as_ref() }
        }
    }

    impl Drop for Page {
        fn drop(&mut self) {
            // SAFETY: mapped in `map` with this length; references to the registers borrow `self`.
            unsafe { unmap(self.base, LEN) };
        }
    }

    impl RegisterPage {
        /// The page behind a descriptor that the card's process passed on.
        pub(crate) fn open(fd: OwnedFd) -> Result<Self, MemoryError> {
            let file = SealedFile::open(fd, WHAT)?;
            if file.len() != LEN as u64 {
                return Err(MemoryError::Foreign { expected: WHAT, reason: "it has another length" });
            }
            let page = Page::map(file)?;
            if page.registers().layout.0.load(Ordering::Acquire) != LAYOUT {
                return Err(MemoryError::Foreign { expected: WHAT, reason: "it has another layout" });
            }
            Ok(Self(Arc::new(page)))
        }
    }

    impl AsFd for RegisterPage {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.file.as_fd()
        }
    }
}
