//! The end of an xz file that is cut short.
//!
//! A range decoder asks at every step whether the number that its bytes make is below a bound. Of all the ways in which a file that is
//! cut short might go on, zeros make the smallest number and ones the greatest: where both lead to the same byte, so does every other, and
//! that byte is what was compressed. So the file is decoded twice more, once with zeros behind its end and once with ones, and what both
//! say is what it says.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use super::decode::Decode;
use super::raw::RawBytes;
use super::read_at;
use super::xz::Xz;

/// What is longer is not decoded again: that would take long, for at most [`MOST`] bytes more.
const MAX_AGAIN: u64 = 256 << 20;

/// LZMA2 decodes a chunk to at most so many bytes.
const MOST: usize = 2 << 20;

/// Bytes put behind the end: more than a chunk takes.
const PADDING: u64 = 128 * 1024;

/// What `file` says behind its first `decoded` bytes, which have been decoded.
pub(super) fn end(file: &Arc<File>, decoded: u64) -> Vec<u8> {
    if decoded > MAX_AGAIN {
        return Vec::new();
    }
    let [mut zeros, mut ones] = [0x00, 0xFF].map(|pad| Lane::new(file, pad));
    if !zeros.pass_over(decoded) || !ones.pass_over(decoded) {
        return Vec::new();
    }
    let pairs = std::iter::from_fn(|| Some((zeros.next()?, ones.next()?)));
    pairs.take(MOST).take_while(|(zero, one)| zero == one).map(|(byte, _)| byte).collect()
}

/// One of the two ways in which the file might go on, decoded.
struct Lane(Xz);

impl Lane {
    fn new(file: &Arc<File>, pad: u8) -> Lane {
        let padded = Padded { file: Arc::clone(file), at: 0, pad, left: PADDING };
        Lane(Xz::new(RawBytes::new(Box::new(padded)), None))
    }

    /// The next byte. One at a time: of what comes to light in one step with an error the decoder shows nothing.
    fn next(&mut self) -> Option<u8> {
        let mut byte = [0];
        (self.0.decode(&mut byte).bytes == 1).then_some(byte[0])
    }

    /// `false`: there are not so many bytes.
    fn pass_over(&mut self, mut bytes: u64) -> bool {
        let mut piece = [0; 4096];
        while bytes > 0 {
            let most = usize::try_from(bytes).unwrap_or(usize::MAX).min(piece.len());
            let here = self.0.decode(&mut piece[..most]).bytes;
            if here == 0 {
                return false;
            }
            bytes -= here as u64;
        }
        true
    }
}

/// A file with bytes behind its end.
struct Padded {
    file: Arc<File>,
    at: u64,
    pad: u8,
    left: u64,
}

impl Read for Padded {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let stored = read_at(&self.file, out, self.at)?;
        self.at += stored as u64;
        if stored > 0 {
            return Ok(stored);
        }
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        out[..count].fill(self.pad);
        self.left -= count as u64;
        Ok(count)
    }
}
