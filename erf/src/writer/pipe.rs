//! Writing into a pipe without being at the mercy of its reader.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Between two looks at whether the end has come.
const LOOK: u16 = 50;

/// The end of a pipe that is written to, never waiting in the kernel.
#[derive(Debug)]
pub(super) struct Pipe {
    file: File,
    ending: Arc<AtomicBool>,
    patience: Duration,
}

impl Pipe {
    /// A pipe of its own for `file`: `None` where that is no pipe, or where there is no `/proc` to open it anew.
    ///
    /// The descriptor may be shared with others, who do not expect it to refuse: so it is not set to be non-blocking itself.
    pub(super) fn open(file: &File, ending: Arc<AtomicBool>, patience: Duration) -> Option<Self> {
        if !file.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo()) {
            return None;
        }
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut options = OpenOptions::new();
        let file = options.write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok()?;
        Some(Self { file, ending, patience })
    }

    /// Writes what the pipe takes, waiting until it takes something; once the end has come, no longer than the patience.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut ending_since = None;
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if self.ending.load(Ordering::Relaxed) {
                let since = *ending_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.patience {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            let mut wanted = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut wanted, PollTimeout::from(LOOK)) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn pipe(patience: Duration) -> (File, Pipe, Arc<AtomicBool>) {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let ending = Arc::new(AtomicBool::new(false));
        let pipe = Pipe::open(&File::from(writer), Arc::clone(&ending), patience).unwrap();
        (File::from(reader), pipe, ending)
    }

    fn fill(pipe: &mut Pipe) -> io::Error {
        loop {
            if let Err(error) = pipe.write(&[0; 4096]) {
                return error;
            }
        }
    }

    #[test]
    fn a_reader_that_has_stopped_is_given_up_once_the_end_has_come() {
        let (_reader, mut pipe, ending) = pipe(Duration::from_millis(100));
        ending.store(true, Ordering::Relaxed);
        assert_eq!(fill(&mut pipe).kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn before_the_end_it_is_waited_for() {
        let (mut reader, mut pipe, ending) = pipe(Duration::ZERO);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut written = 0;
                while written < 1 << 20 {
                    written += pipe.write(&[7; 4096]).unwrap();
                }
                written
            });
            std::thread::sleep(Duration::from_millis(200));
            let mut read = 0;
            let mut piece = [0; 1000];
            while read < 1 << 20 {
                read += reader.read(&mut piece).unwrap();
            }
            writer.join().unwrap()
        });
        assert_eq!(written, 1 << 20);
        assert!(!ending.load(Ordering::Relaxed));
    }

    #[test]
    fn a_reader_that_has_gone_is_an_error_at_once() {
        let (reader, mut pipe, _) = pipe(Duration::from_secs(60));
        drop(reader);
        assert_eq!(fill(&mut pipe).kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn only_a_pipe_is_one() {
        let file = tempfile::tempfile().unwrap();
        assert!(Pipe::open(&file, Arc::default(), Duration::ZERO).is_none());
    }

    #[test]
    fn whoever_shares_the_descriptor_goes_on_blocking() {
        let (_reader, writer) = nix::unistd::pipe().unwrap();
        let file = File::from(writer);
        let _pipe = Pipe::open(&file, Arc::default(), Duration::ZERO).unwrap();
        let flags = nix::fcntl::fcntl(file.as_fd(), nix::fcntl::FcntlArg::F_GETFL).unwrap();
        assert!(!OFlag::from_bits_truncate(flags).contains(OFlag::O_NONBLOCK));
    }
}
