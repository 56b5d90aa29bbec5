//! Memory files that neither shrink nor grow.

use super::{Allocation, MemoryError};
use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};

const SEALS: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
/// Memory is reserved in steps, so that a signal costs one step and not all of it.
const RESERVE_STEP: u64 = 64 << 20;

const NO_MEMORY: &str = "use less memory, or see the limit of the control group (memory.max), `ulimit -v`, and \
    /proc/sys/vm/overcommit_memory";
const NO_DESCRIPTOR: &str = "close some files or raise the limit (`ulimit -n`)";
const NO_MEMFD: &str = "the system must provide memfd_create with seals (Linux 3.17 and later)";

/// A memfd of fixed length.
#[derive(Debug)]
pub(crate) struct SealedFile {
    file: File,
    len: u64,
}

impl SealedFile {
    /// Creates a file of `len` bytes, zeroed.
    pub(crate) fn create(name: &CStr, len: u64, allocation: Allocation) -> Result<Self, MemoryError> {
        check_limits(len, allocation)?;
        let failed = |step, remedy| {
            let source = io::Error::last_os_error();
            MemoryError::System { step, len, source, remedy }
        };
        // SAFETY: `name` is a string that ends in a zero byte.
        let fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
        if fd < 0 {
            let error = io::Error::last_os_error();
            let remedy = match error.raw_os_error() {
                Some(libc::EMFILE | libc::ENFILE) => NO_DESCRIPTOR,
                Some(libc::ENOMEM) => NO_MEMORY,
                _ => NO_MEMFD,
            };
            return Err(MemoryError::System { step: "create a memory file", len, source: error, remedy });
        }
        // SAFETY: the descriptor is new and nobody else's.
        let file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
        file.set_len(len).map_err(|source| MemoryError::System {
            step: "set the length of a memory file",
            len,
            source,
            remedy: NO_MEMORY,
        })?;
        // SAFETY: an open descriptor and plain flags.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } != 0 {
            return Err(failed("seal a memory file", NO_MEMFD));
        }
        let sealed = Self { file, len };
        if allocation != Allocation::OnDemand {
            sealed.reserve()?;
        }
        Ok(sealed)
    }

    /// Takes over a file that another process created, if it is sealed.
    pub(crate) fn open(fd: OwnedFd, expected: &'static str) -> Result<Self, MemoryError> {
        let file = File::from(fd);
        // SAFETY: an open descriptor; the command takes no argument.
        let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
        if seals < 0 {
            return Err(MemoryError::Foreign { expected, reason: "it is not a memory file" });
        }
        if seals & libc::F_SEAL_SHRINK == 0 || seals & libc::F_SEAL_GROW == 0 {
            return Err(MemoryError::Foreign { expected, reason: "its length is not sealed" });
        }
        // Sealed, so the length can not change after this look.
        let Ok(metadata) = file.metadata() else {
            return Err(MemoryError::Foreign { expected, reason: "its length can not be read" });
        };
        Ok(Self { file, len: metadata.len() })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Takes all pages from the system now.
    fn reserve(&self) -> Result<(), MemoryError> {
        let mut done = 0;
        while done < self.len {
            let step = RESERVE_STEP.min(self.len - done);
            // SAFETY: an open descriptor and plain numbers, which fit: `check_limits` refuses a length beyond `off_t`.
            let answer = unsafe { libc::fallocate(self.file.as_raw_fd(), 0, done as libc::off_t, step as libc::off_t) };
            if answer == 0 {
                done += step;
                continue;
            }
            let source = io::Error::last_os_error();
            if source.kind() != io::ErrorKind::Interrupted {
                return Err(MemoryError::System {
                    step: "reserve the pages",
                    len: self.len,
                    source,
                    remedy: NO_MEMORY,
                });
            }
        }
        Ok(())
    }
}

impl AsFd for SealedFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Refuses what can only go wrong later, and worse.
fn check_limits(len: u64, allocation: Allocation) -> Result<(), MemoryError> {
    let which = if allocation == Allocation::OnDemand { "installed" } else { "available" };
    let key = if allocation == Allocation::OnDemand { "MemTotal:" } else { "MemAvailable:" };
    if let Some(have) = memory_info(key).filter(|have| len > *have) {
        return Err(MemoryError::NotEnough { len, have, which });
    }
    if libc::off_t::try_from(len).is_err() {
        return Err(MemoryError::TooLong { len });
    }
    // Going over this one is not an error but a deadly signal, SIGXFSZ.
    if let Some(allowed) = limit(libc::RLIMIT_FSIZE).filter(|allowed| len > *allowed) {
        let limit = "file size (RLIMIT_FSIZE)";
        return Err(MemoryError::Limit { len, need: len, limit, allowed, remedy: "ulimit -f unlimited" });
    }
    Ok(())
}

/// A line of `/proc/meminfo`, in bytes.
fn memory_info(key: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// A limit of this process, `None` if unlimited.
fn limit(resource: libc::__rlimit_resource_t) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live structure that the call fills.
    let answer = unsafe { libc::getrlimit(resource, &raw mut limit) };
    (answer == 0 && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// Maps `len` bytes of `file` from its start `copies` times in a row, shared.
pub(crate) fn map_shared(
    file: &SealedFile,
    len: usize,
    copies: usize,
    protection: libc::c_int,
) -> Result<NonNull<u8>, MemoryError> {
    let span = len * copies;
    let failed = |step| {
        let source = io::Error::last_os_error();
        let allowed = limit(libc::RLIMIT_AS);
        match allowed.filter(|_| source.raw_os_error() == Some(libc::ENOMEM)) {
            Some(allowed) => MemoryError::Limit {
                len: len as u64,
                need: span as u64,
                limit: "address space (RLIMIT_AS)",
                allowed,
                remedy: "ulimit -v unlimited",
            },
            None => MemoryError::System { step, len: len as u64, source, remedy: NO_MEMORY },
        }
    };
    let hold = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let base = unsafe { libc::mmap(ptr::null_mut(), span, libc::PROT_NONE, hold, -1, 0) };
    if base == libc::MAP_FAILED {
        return Err(failed("reserve address space"));
    }
    let Some(base) = NonNull::new(base.cast::<u8>()) else {
        return Err(failed("reserve address space"));
    };
    for copy in 0..copies {
        // SAFETY: `copy * len` lies below `span`, within the reservation.
        let at = unsafe { base.as_ptr().add(copy * len) };
        let fixed = libc::MAP_SHARED | libc::MAP_FIXED;
        // SAFETY: MAP_FIXED replaces pages of the reservation only, which is ours and holds nothing; `file` is at least
        // `len` bytes long and sealed, so that no access within can fault for lack of a page behind it.
        let placed = unsafe { libc::mmap(at.cast(), len, protection, fixed, file.as_fd().as_raw_fd(), 0) };
        if placed == libc::MAP_FAILED {
            let error = failed("map the pages");
            // SAFETY: the reservation with what has been placed in it so far is ours, and nobody has its address.
            unsafe { unmap(base, span) };
            return Err(error);
        }
    }
    Ok(base)
}

/// Gives a mapping back.
///
/// # Safety
/// `base` and `span` are those of a mapping made here, and nobody uses it any more.
pub(crate) unsafe fn unmap(base: NonNull<u8>, span: usize) {
    // SAFETY: as the caller vouches.
    unsafe { libc::munmap(base.as_ptr().cast(), span) };
}
