//! A sliding window over an input: what is looked at lies in one piece.

use super::Input;
use crate::error::Error;

/// Bytes of an [`Input`] that have been read and not yet passed over.
///
/// An error of the input is kept until the bytes before it are gone.
#[derive(Debug)]
pub(crate) struct Window {
    input: Input,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of `start` in the decoded bytes.
    offset: u64,
    over: bool,
    error: Option<Error>,
}

impl Window {
    /// A window that reads pieces of `block` bytes.
    pub(crate) fn new(input: Input, block: usize) -> Window {
        Window {
            offset: input.position(),
            input,
            buffer: vec![0; block.max(1)],
            start: 0,
            end: 0,
            over: false,
            error: None,
        }
    }

    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// What has been read and not passed over.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Offset of the first of [`bytes`](Window::bytes) in the decoded input.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether [`bytes`](Window::bytes) are the last ones: the input ended, or failed, behind them.
    pub(crate) fn is_last(&self) -> bool {
        self.over
    }

    /// The error behind the last bytes, once.
    pub(crate) fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    /// The error, once, if no byte came before it.
    pub(crate) fn take_error_of_empty(&mut self) -> Option<Error> {
        if self.bytes().is_empty() { self.error.take() } else { None }
    }

    /// Passes over `n` bytes of the window.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.offset += n as u64;
    }

    /// Moves what is left to the front and reads behind it: one read if `eager` is off, else until the
    /// buffer is full. `false` when nothing was added, because the input is over or the buffer full.
    pub(crate) fn refill(&mut self, eager: bool) -> bool {
        if self.over {
            return false;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let room = &mut self.buffer[self.end..];
        if room.is_empty() {
            return false;
        }
        let result = if eager { self.input.read_full(room) } else { self.input.read_some(room) };
        let added = match result {
            Ok(added) => added,
            Err(error) => {
                self.error = Some(error);
                0
            }
        };
        self.end += added;
        if added == 0 || self.input.is_over() {
            self.over = true;
            self.error = self.error.take().or_else(|| self.input.take_pending());
        }
        added > 0
    }

    /// Reads until the window holds `wanted` bytes. `false`: the input ends before that.
    ///
    /// The buffer grows to at most twice what has really been read, however much is wanted.
    pub(crate) fn need(&mut self, wanted: usize) -> bool {
        while self.end - self.start < wanted {
            if self.start == 0 && self.end == self.buffer.len() {
                let len = self.buffer.len().saturating_mul(2).min(wanted);
                self.buffer.resize(len, 0);
            }
            if !self.refill(false) {
                return false;
            }
        }
        true
    }

    /// Passes over `n` bytes, read or not. `false`: the input ends before that.
    pub(crate) fn skip(&mut self, mut n: u64) -> bool {
        loop {
            let step = usize::try_from(n).unwrap_or(usize::MAX).min(self.bytes().len());
            self.consume(step);
            n -= step as u64;
            if n == 0 {
                return true;
            }
            if !self.refill(false) {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;
    use crate::ErrorKind;

    fn window(bytes: &'static [u8], block: usize) -> Window {
        Window::new(Input::open(Source::from_read(bytes)).unwrap(), block)
    }

    #[test]
    fn needs_are_met_across_blocks() {
        let mut window = window(b"0123456789abcdefghij", 4);
        assert!(window.need(3));
        assert_eq!(&window.bytes()[..3], b"012");
        window.consume(3);
        assert!(window.need(12));
        assert_eq!(&window.bytes()[..12], b"3456789abcde");
        assert_eq!(window.offset(), 3);
        assert!(!window.need(18));
        assert_eq!(window.bytes().len(), 17);
        assert!(window.is_last() && window.take_error().is_none());
    }

    #[test]
    fn a_need_does_not_allocate_more_than_twice_what_is_there() {
        let mut window = window(&[7; 100], 8);
        assert!(!window.need(1 << 40));
        assert!(window.buffer.len() <= 256, "{}", window.buffer.len());
    }

    #[test]
    fn skipping_needs_no_room() {
        let mut long = window(&[0; 100], 8);
        assert!(long.skip(99));
        assert_eq!(long.offset(), 99);
        assert!(!long.skip(2));
        assert_eq!(long.buffer.len(), 8);
    }

    #[test]
    fn an_error_waits_behind_the_bytes_before_it() {
        let cut = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c";
        let mut window = Window::new(Input::open(Source::from_read(&cut[..])).unwrap(), 64);
        assert!(!window.need(64));
        assert!(window.is_last());
        assert_eq!(window.take_error().unwrap().kind(), ErrorKind::Decompress);
        assert!(window.take_error().is_none());
    }
}
