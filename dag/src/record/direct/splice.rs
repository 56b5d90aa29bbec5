//! Whether the kernel can write from a piece of memory, tried and not guessed.

use std::io::{self, pipe};
use std::os::fd::AsRawFd;

/// Whether the kernel reads `bytes` where they lie, as direct I/O does: by their pages. Memory of a device may have none that it knows; that is `EFAULT`.
///
/// A page of it is put into a pipe, which is the same to the kernel and leaves no trace.
pub(super) fn try_out(bytes: &[u8]) -> io::Result<()> {
    try_out_at(bytes.as_ptr(), bytes.len().min(1))
}

/// As [`try_out`]. The kernel judges the address: nothing is read here.
fn try_out_at(start: *const u8, len: usize) -> io::Result<()> {
    let (_reader, writer) = pipe()?;
    let piece = libc::iovec { iov_base: start.cast_mut().cast(), iov_len: len };
    // SAFETY: the kernel checks the address, and says so if it is none. The page is not given away (no `SPLICE_F_GIFT`): the pipe only
    // refers to it, nobody reads it there, and the pipe is closed when this returns.
    let spliced = unsafe { libc::vmsplice(writer.as_raw_fd(), &raw const piece, 1, libc::SPLICE_F_NONBLOCK) };
    if spliced < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_the_kernel_cannot_read_is_told() {
        try_out(&[1, 2, 3]).unwrap();
        let page = 4096;
        // SAFETY: a new mapping, which is nobody's memory.
        let mapped = unsafe {
            libc::mmap(std::ptr::null_mut(), page, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        assert_ne!(mapped, libc::MAP_FAILED);
        let refused = try_out_at(mapped.cast(), 1).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EFAULT));
        // SAFETY: mapped above, and used by nobody.
        unsafe { libc::munmap(mapped, page) };
    }
}
