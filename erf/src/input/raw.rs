//! The stored bytes, buffered and counted: what every decoder reads from.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Size of the buffer between the operating system and a decoder.
const BUFFER: usize = 64 * 1024;

/// What can be seen of a [`RawBytes`] while a decoder owns it.
///
/// Atomics only because a decoder must be `Send`; nobody reads them from a second thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Watched>);

#[derive(Debug, Default)]
struct Watched {
    consumed: AtomicU64,
    failed: AtomicBool,
}

impl Watch {
    /// Stored bytes taken so far.
    pub(super) fn consumed(&self) -> u64 {
        self.0.consumed.load(Ordering::Relaxed)
    }

    /// Whether the source itself reported an error, as opposed to bytes that make no sense.
    pub(super) fn failed(&self) -> bool {
        self.0.failed.load(Ordering::Relaxed)
    }
}

/// Buffered bytes of a source that count what was taken and remember whether the end was met.
pub(super) struct RawBytes {
    inner: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    consumed: u64,
    watch: Watch,
    /// A caller asked for bytes and there were none left.
    met_end: bool,
}

impl RawBytes {
    pub(super) fn new(inner: Box<dyn Read + Send>) -> RawBytes {
        RawBytes {
            inner,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            consumed: 0,
            watch: Watch::default(),
            met_end: false,
        }
    }

    pub(super) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    pub(super) fn met_end(&self) -> bool {
        self.met_end
    }

    /// Shows up to `wanted` bytes without taking them; fewer only at the end of the source.
    pub(super) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        let wanted = wanted.min(BUFFER);
        if self.end - self.start < wanted {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            while self.end < wanted {
                match refill(&mut self.inner, &mut self.buffer[self.end..], &self.watch)? {
                    0 => break,
                    n => self.end += n,
                }
            }
        }
        let shown = wanted.min(self.end - self.start);
        Ok(&self.buffer[self.start..self.start + shown])
    }

    /// Takes `n` bytes away without looking at them. `false` when the source ends before that.
    pub(super) fn skip(&mut self, mut n: u64) -> io::Result<bool> {
        while n > 0 {
            let here = self.fill_buf()?.len();
            if here == 0 {
                return Ok(false);
            }
            let step = usize::try_from(n).unwrap_or(usize::MAX).min(here);
            self.consume(step);
            n -= step as u64;
        }
        Ok(true)
    }

    fn count(&mut self, n: usize) {
        self.consumed += n as u64;
        self.watch.0.consumed.store(self.consumed, Ordering::Relaxed);
    }
}

impl Read for RawBytes {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && out.len() >= BUFFER {
            // A large read with nothing buffered goes straight to its place.
            let n = refill(&mut self.inner, out, &self.watch)?;
            self.met_end |= n == 0;
            self.count(n);
            return Ok(n);
        }
        let here = self.fill_buf()?;
        let n = here.len().min(out.len());
        out[..n].copy_from_slice(&here[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for RawBytes {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.end = refill(&mut self.inner, &mut self.buffer, &self.watch)?;
            self.met_end |= self.end == 0;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.count(n);
    }
}

/// One read, repeated while a signal interrupts it.
fn refill(inner: &mut dyn Read, out: &mut [u8], watch: &Watch) -> io::Result<usize> {
    loop {
        match inner.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                watch.0.failed.store(true, Ordering::Relaxed);
                return Err(error);
            }
            // A broken `Read` that claims more than it was given must not break the reader.
            result => return result.map(|n| n.min(out.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peek_takes_nothing_and_counts_nothing() {
        let mut raw = RawBytes::new(Box::new(&b"abcdef"[..]));
        assert_eq!(raw.peek(4).unwrap(), b"abcd");
        assert_eq!(raw.watch().consumed(), 0);
        let mut two = [0; 2];
        raw.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"ab");
        assert_eq!(raw.peek(100).unwrap(), b"cdef");
        assert_eq!(raw.watch().consumed(), 2);
        assert!(!raw.met_end());
    }

    #[test]
    fn skip_tells_whether_there_was_enough() {
        let mut raw = RawBytes::new(Box::new(&[0u8; 200_000][..]));
        assert!(raw.skip(150_000).unwrap());
        assert_eq!(raw.watch().consumed(), 150_000);
        assert!(!raw.skip(50_001).unwrap());
        assert!(raw.met_end());
        assert_eq!(raw.watch().consumed(), 200_000);
    }
}
