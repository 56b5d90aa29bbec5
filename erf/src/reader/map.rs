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

use crate::Records;
use crate::error::{Error, ErrorKind};

/// Smaller files are not worth the question.
const WORTH_ASKING: u64 = 64 << 20;

/// Bytes tried out at a time, of what no turn before has looked at.
const TRIAL: usize = 256 << 10;

/// Turns of each way.
const TURNS: u32 = 8;

/// All of them in blocks, at 1 GiB/s, which no page cache is slower than.
const SLOWEST: Duration = Duration::from_millis(2);

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

    /// Maps a file of records if that is clearly the faster way to them, found out by walking its beginning both ways.
    ///
    /// Neither way wins everywhere. Where records are longer than a cache line, each header is waited for from memory in a map, and not in
    /// blocks, which the system copies into the cache: those were measured 2.3 times as fast. A map was up to 1.5 times faster than
    /// copying where records are small and the page cache uses large pages. So both take turns at the first few MiB; that takes about a
    /// millisecond, and files under 64 MiB are read in blocks without asking.
    pub(super) fn if_it_pays(file: &File, name: &str, block: usize) -> Option<Mapped> {
        let data = file.metadata().ok()?;
        if !data.is_file() || data.len() < WORTH_ASKING {
            return None;
        }
        let mapped = Mapped::new(file, name, block).ok()?;
        let (by_map, by_blocks) = mapped.try_both(file).ok()?;
        log::debug!("{name}: {TURNS} times {TRIAL} bytes: mapped {by_map:?}, in blocks {by_blocks:?}");
        // A quarter better, or the way without SIGBUS is preferred; and what waits for a disk tells nothing.
        (by_map * 5 < by_blocks * 4 && by_blocks < SLOWEST).then_some(mapped)
    }

    fn try_both(&self, mut file: &File) -> io::Result<(Duration, Duration)> {
        let mut block = vec![0; TRIAL];
        let (mut by_map, mut by_blocks) = (Duration::ZERO, Duration::ZERO);
        // The first turn finds the block's own pages and a cold program.
        let mut at = 0;
        for turn in 0..=TURNS {
            file.seek(SeekFrom::Start(at as u64))?;
            let begin = Instant::now();
            file.read_exact(&mut block)?;
            at += walked(&block);
            let one = begin.elapsed();
            let begin = Instant::now();
            at += walked(self.map.get(at..at + TRIAL).unwrap_or_default());
            let other = begin.elapsed();
            if turn > 0 {
                by_blocks += one;
                by_map += other;
            }
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

/// Bytes of the whole records at the start of `bytes`; of all of them where there are none, so that a trial of something else comes to its end.
fn walked(bytes: &[u8]) -> usize {
    let (mut walk, mut sum) = (Records::new(bytes), 0u64);
    for record in walk.by_ref().map_while(Result::ok) {
        sum = sum.wrapping_add(record.timestamp().raw() ^ u64::from(record.wire_len()));
    }
    black_box(sum);
    match bytes.len() - walk.rest().len() {
        0 => bytes.len(),
        walked => walked,
    }
}
