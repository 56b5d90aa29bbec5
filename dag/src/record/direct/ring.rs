//! [`Ring`]: writes through io_uring.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use io_uring::squeue::Flags;
use io_uring::{IoUring, opcode, types};

use super::append::Append;
use super::buffer::Buffer;

/// Appends that are given to the kernel at once, at most.
pub(super) const DEPTH: usize = 8;

/// Between two looks at writes that the kernel has and of which it does not say how they went.
const LOOK: Duration = Duration::from_millis(1);

/// An io_uring for one file.
pub(super) struct Ring {
    ring: IoUring,
    /// The buffers have been made known to the kernel, which then need not look up their pages at each write.
    registered: bool,
}

impl Ring {
    /// A ring, to write from `buffers`.
    pub(super) fn new(buffers: &[Buffer]) -> io::Result<Self> {
        let ring = IoUring::new(DEPTH as u32)?;
        let all: Vec<libc::iovec> = buffers
            .iter()
            .map(|buffer| libc::iovec { iov_base: buffer.as_ptr().cast_mut().cast(), iov_len: buffer.len() })
            .collect();
        // SAFETY: the kernel keeps the pages by itself for as long as they are registered, even if they are freed here; it reads
        // from them only in writes, which are pushed below.
        let registered = unsafe { ring.submitter().register_buffers(&all) };
        if let Err(cause) = &registered {
            log::debug!("buffers are not registered with io_uring: {cause}");
        }
        Ok(Self { ring, registered: registered.is_ok() })
    }

    /// Writes `appends`, at most [`DEPTH`], one after another, so that at no moment there is one in the file without those before
    /// it. Gives how many bytes of each were written, up to the first that was not written whole, for whatever reason.
    pub(super) fn write(&mut self, file: &File, appends: &[Append]) -> Vec<usize> {
        let appends = appends.get(..DEPTH).unwrap_or(appends);
        let pieces: Vec<[libc::iovec; 3]> = appends.iter().map(vectors).collect();
        let mut pushed = 0;
        for (n, (append, pieces)) in appends.iter().zip(&pieces).enumerate() {
            // A link: the next one begins when this one is done, and not at all if it is cut short.
            let link = if n + 1 < appends.len() { Flags::IO_LINK } else { Flags::empty() };
            let entry = self.entry(file, append, pieces).flags(link).user_data(n as u64);
            // SAFETY: the buffer belongs to `append`, which the caller lends until this returns, and so does what holds its records in stream
            // memory there, mapped and not released; `pieces` lives as long. And this returns only when the kernel is done with every entry
            // it has taken, see `wait`. The file is open that long, too.
            if unsafe { self.ring.submission().push(&entry) }.is_err() {
                break;
            }
            pushed += 1;
        }
        let mut results = vec![0; pushed];
        self.wait(&mut results);
        let whole = results.iter().zip(appends).take_while(|(done, append)| **done == append.len()).count();
        results.truncate(whole + 1);
        results
    }

    fn entry(&self, file: &File, append: &Append, pieces: &[libc::iovec; 3]) -> io_uring::squeue::Entry {
        let fd = types::Fd(file.as_raw_fd());
        if append.straight.is_some() {
            // One write for all of it, or it could be cut between its pieces. That rules out registered buffers, of which a write takes
            // one; what lies in stream memory could not be registered anyway where it may only be read.
            return opcode::Writev::new(fd, pieces.as_ptr(), pieces.len() as u32).offset(append.at).build();
        }
        // An append is no longer than its buffer.
        let (start, len) = (append.buffer.as_ptr(), append.len() as u32);
        if self.registered {
            opcode::WriteFixed::new(fd, start, len, append.buffer.number).offset(append.at).build()
        } else {
            opcode::Write::new(fd, start, len).offset(append.at).build()
        }
    }

    /// Waits until the kernel is done with all entries; the bytes written by each.
    fn wait(&mut self, results: &mut [usize]) {
        let mut missing = results.len();
        while missing > 0 {
            let submitted = self.ring.submit_and_wait(missing);
            for done in self.ring.completion() {
                if let Some(result) = usize::try_from(done.user_data()).ok().and_then(|n| results.get_mut(n)) {
                    // What went wrong is met again when the rest is written without the ring.
                    *result = usize::try_from(done.result()).unwrap_or(0);
                }
                missing -= 1;
            }
            if submitted.is_err() && missing > 0 {
                // An interruption, or a kernel short of memory. What it has not taken yet it takes next time: none may be given up
                // while the kernel may still read from its buffer.
                thread::sleep(LOOK);
            }
        }
    }
}

/// Where the pieces of `append` lie.
fn vectors(append: &Append) -> [libc::iovec; 3] {
    append
        .pieces(0, append.len())
        .map(|piece| libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() })
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("registered", &self.registered).finish_non_exhaustive()
    }
}
