//! Waking a thread that waits for packets.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// Ends a [`Tap::poll`](super::Tap::poll) from another thread or from a signal handler's thread.
/// Clones wake the same tap.
#[derive(Debug, Clone)]
pub struct Waker {
    event: Arc<OwnedFd>,
}

impl Waker {
    pub(super) fn new() -> io::Result<Waker> {
        // SAFETY: eventfd takes plain numbers and touches no memory of ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is fresh, valid and owned by nobody else.
        let event = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Waker { event: Arc::new(event) })
    }

    /// Makes the present or the next wait of the tap end at once. Waking twice before the tap looks
    /// is waking once.
    pub fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the descriptor is open as long as `self`, and `one` is eight readable bytes. The
        // only way to fail is a counter that is full, and then the tap is awake already.
        unsafe { libc::write(self.event.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Forgets wakes up to now.
    pub(super) fn clear(&self) {
        let mut count = [0; 8];
        // SAFETY: the descriptor is open as long as `self`, and `count` is eight writable bytes. It
        // does not block, and a counter at zero, the only way to fail, is what is wanted.
        unsafe { libc::read(self.event.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
