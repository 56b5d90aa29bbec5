//! The mapped reader: the file's pages themselves, instead of a copy in a buffer.
//!
//! This is the one module of the crate with `unsafe` in it, for the one call that maps a file.
//!
//! # What a map costs in safety
//!
//! The mapping is read-only, but another process may write the file or cut it while it is mapped.
//!
//! * A file that is **cut** takes the pages with it: touching one is SIGBUS on Unix and an in-page error
//!   on Windows, and ends the process. Blocks end in a torn record instead. Do not map a file that
//!   something may truncate; a file that only grows, as a recording does, is fine, and read up to the
//!   length it had when it was opened.
//! * A file that is **overwritten** changes under the records. They stay memory-safe: a record loads its
//!   lengths once, checks them, and keeps them, and no accessor can panic or leave its bytes whatever they
//!   then become. What it reads may be old, new or mixed.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use memmap2::Mmap;

use crate::error::{Error, ErrorKind};

/// Smaller files are not worth the question.
const WORTH_ASKING: u64 = 64 << 20;

/// Bytes tried out at each of a few places.
const TRIAL: usize = 1 << 20;

/// A mapped file and the window in it that is walked next.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Mmap,
    start: usize,
    end: usize,
    block: usize,
}

impl Mapped {
    /// Maps a regular file.
    pub(super) fn new(file: &File, name: &str, block: usize) -> Result<Mapped, Error> {
        let failed = |cause| Error::new(ErrorKind::Open, "cannot map").in_file(name).because(cause);
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "not a regular file, so it cannot be mapped; read it in blocks",
            )
            .in_file(name));
        }
        // SAFETY: the map is read-only and private to this value, which outlives every slice of it that
        // `bytes` lends (they borrow `self`). What the language cannot guarantee is that nobody else
        // changes the file meanwhile. The bytes are only ever read as plain `u8`, for which every value
        // is valid, and no length read from them is trusted at a second reading: see the module's
        // documentation, which also names the one case that ends the process, a file cut while mapped.
        let map = unsafe { Mmap::map(file) }.map_err(failed)?;
        #[cfg(unix)]
        if let Err(error) = map.advise(memmap2::Advice::Sequential) {
            log::debug!("{name}: read-ahead advice for the map was refused: {error}");
        }
        Ok(Mapped { map, start: 0, end: 0, block })
    }

    /// Maps a file if that is clearly the faster way to its bytes, found out by trying both.
    ///
    /// Neither way wins everywhere. Blocks of a size that stays in the second-level cache were measured up
    /// to 2.7 times faster than faulting in small pages; a map up to 1.5 times faster than copying where
    /// the page cache uses large pages. So both are timed over the same few MiB, in the page cache by
    /// then; that takes about a millisecond, and files under 64 MiB are read in blocks without asking.
    pub(super) fn if_it_pays(file: &File, name: &str, block: usize) -> Option<Mapped> {
        let data = file.metadata().ok()?;
        if !data.is_file() || data.len() < WORTH_ASKING {
            return None;
        }
        let mapped = Mapped::new(file, name, block).ok()?;
        let (by_map, by_blocks) = mapped.try_both(file).ok()?;
        log::debug!("{name}: {TRIAL} bytes thrice: mapped {by_map:?}, in blocks {by_blocks:?}");
        // A quarter better, or the way without SIGBUS is preferred.
        (by_map * 5 < by_blocks * 4).then_some(mapped)
    }

    fn try_both(&self, mut file: &File) -> io::Result<(Duration, Duration)> {
        let mut block = vec![0; self.block.min(TRIAL)];
        let (mut by_map, mut by_blocks) = (Duration::ZERO, Duration::ZERO);
        for quarter in 1..4 {
            let at = self.map.len() / 4 * quarter / TRIAL * TRIAL;
            // Once to bring it into the page cache, once for the time.
            for timed in [false, true] {
                file.seek(SeekFrom::Start(at as u64))?;
                let begin = Instant::now();
                let mut left = TRIAL;
                while left > 0 {
                    let n = left.min(block.len());
                    file.read_exact(&mut block[..n])?;
                    touch(&block[..n]);
                    left -= n;
                }
                if timed {
                    by_blocks += begin.elapsed();
                }
            }
            let begin = Instant::now();
            touch(self.map.get(at..at + TRIAL).unwrap_or_default());
            by_map += begin.elapsed();
        }
        Ok((by_map, by_blocks))
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.map[self.start..self.end]
    }

    pub(super) fn is_last(&self) -> bool {
        self.end == self.map.len()
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.start += n.min(self.end - self.start);
    }

    pub(super) fn refill(&mut self) -> bool {
        let before = self.end;
        self.end = self.start.saturating_add(self.block).min(self.map.len());
        self.end > before
    }
}

/// Looks at every cache line.
fn touch(bytes: &[u8]) {
    let sum = bytes.iter().step_by(64).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    black_box(sum);
}
