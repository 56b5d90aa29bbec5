//! [`Room`]: waiting until a disk that is full has room again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Between two tries.
const LOOK: Duration = Duration::from_millis(100);

/// What a recording does that would rather wait for room on a full disk than end. Clones wait alike, and know of each other.
#[derive(Debug, Clone, Default)]
pub struct Room {
    ending: Arc<AtomicBool>,
    waiting: Arc<AtomicBool>,
}

impl Room {
    /// Waits for room, until `ending` is true.
    pub fn new(ending: Arc<AtomicBool>) -> Self {
        Self { ending, waiting: Arc::default() }
    }

    /// Whether room is being waited for.
    pub fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Lets `write` try again and again for as long as it fails because the disk or the user's quota is full. Both the beginning and the
    /// end of the wait are logged as warnings, in which the file is called `name`.
    ///
    /// # Errors
    ///
    /// Those of `write`; want of room once `ending` is true.
    pub fn wait_for<T>(&self, name: &str, mut write: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match write() {
                Err(cause) if is_full(&cause) && !self.ending.load(Ordering::Relaxed) => {
                    if !self.waiting.swap(true, Ordering::Relaxed) {
                        log::warn!("{name}: no room to write ({cause}); it goes on when there is some");
                    }
                    thread::sleep(LOOK);
                }
                done => {
                    if self.waiting.swap(false, Ordering::Relaxed) && done.is_ok() {
                        log::warn!("{name}: there is room again, and it goes on");
                    }
                    return done;
                }
            }
        }
    }
}

/// Somebody may make room; a file that is as large as it may become stays so.
fn is_full(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_again_until_there_is_room() {
        let room = Room::new(Arc::default());
        let mut tries = 0;
        let done = room.wait_for("x", || {
            tries += 1;
            assert_eq!(room.is_waiting(), tries > 1);
            if tries < 3 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(tries) }
        });
        assert_eq!((done.unwrap(), room.is_waiting()), (3, false));
    }

    #[test]
    fn other_errors_and_the_end_are_not_waited_out() {
        let ending = Arc::new(AtomicBool::new(false));
        let room = Room::new(Arc::clone(&ending));
        for kind in [io::ErrorKind::FileTooLarge, io::ErrorKind::BrokenPipe] {
            let done: io::Result<()> = room.wait_for("x", || Err(kind.into()));
            assert_eq!(done.unwrap_err().kind(), kind);
        }
        let done: io::Result<()> = room.wait_for("x", || {
            ending.store(true, Ordering::Relaxed);
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!((done.unwrap_err().kind(), room.is_waiting()), (io::ErrorKind::StorageFull, false));
    }
}
