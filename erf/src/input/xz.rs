//! xz: streams one after another, with padding between them.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use lzma_rust2::XzReader;

use super::decode::{Decode, Decoded, Fault};
use super::raw::RawBytes;
use super::xz_torn;

const MAGIC: &[u8; 6] = b"\xFD7zXZ\0";

/// Largest dictionary accepted, 256 MiB: four times what `xz -9` uses. The decoder allocates the
/// dictionary a block asks for, and a file's claim is not a reason to allocate 4 GiB.
const MAX_DICTIONARY: u64 = 256 << 20;

/// The decoder works in pieces of this size. It reports an error without saying how much of the piece
/// was decoded before it, so the piece is filled with [`FILLER`] first and what differs was decoded.
const PIECE: usize = 4096;
const FILLER: u8 = 0xA5;

pub(super) struct Xz {
    state: State,
    /// The file, if it can be read again.
    again: Option<Arc<File>>,
    decoded: u64,
}

enum State {
    /// At the start of a stream, or of the padding before it, or at the end of everything.
    Between(RawBytes),
    Inside {
        stream: Box<XzReader<RawBytes>>,
        /// No filter works on what LZMA2 has decoded, so that what is in a piece at an error is data.
        unfiltered: bool,
    },
    /// What the end of a stream that is cut short says all the same, from this byte of it on.
    Torn(Vec<u8>, usize),
    Finished,
}

impl Xz {
    pub(super) fn new(raw: RawBytes, again: Option<Arc<File>>) -> Xz {
        Xz { state: State::Between(raw), again, decoded: 0 }
    }

    /// The end of a stream that breaks off, of which the decoder has shown nothing: it begins a chunk of up to 64 KiB only when all of it is
    /// there.
    fn torn(&mut self) -> State {
        let end = self.again.take().map(|file| xz_torn::end(&file, self.decoded)).unwrap_or_default();
        State::Torn(end, 0)
    }
}

impl Decode for Xz {
    fn decode(&mut self, out: &mut [u8]) -> Decoded {
        let piece = out.len().min(PIECE);
        let out = &mut out[..piece];
        loop {
            // One stream at a time: the decoder's own way through several recurses once a stream.
            match std::mem::replace(&mut self.state, State::Finished) {
                State::Finished => return Decoded::END,
                State::Between(mut raw) => match next_stream(&mut raw) {
                    Ok(Some(unfiltered)) => {
                        let stream = Box::new(XzReader::new(raw, false));
                        self.state = State::Inside { stream, unfiltered };
                    }
                    Ok(None) => return Decoded::END,
                    Err(fault) => return Decoded::fault(fault),
                },
                State::Inside { mut stream, unfiltered } => {
                    out.fill(FILLER);
                    match stream.read(out) {
                        Ok(0) => self.state = State::Between(stream.into_inner()),
                        Ok(bytes) => {
                            self.state = State::Inside { stream, unfiltered };
                            self.decoded += bytes as u64;
                            return Decoded::bytes(bytes);
                        }
                        Err(error) => {
                            let bytes = if unfiltered { decoded_before_error(out) } else { 0 };
                            self.decoded += bytes as u64;
                            let fault = fault_of(error);
                            if !unfiltered || !matches!(fault, Fault::Truncated) {
                                return Decoded { bytes, fault: Some(fault) };
                            }
                            self.state = self.torn();
                            if bytes > 0 {
                                return Decoded::bytes(bytes);
                            }
                        }
                    }
                }
                State::Torn(end, from) => {
                    let rest = end.get(from..).unwrap_or_default();
                    let bytes = rest.len().min(out.len());
                    if bytes == 0 {
                        return Decoded::fault(Fault::Truncated);
                    }
                    out[..bytes].copy_from_slice(&rest[..bytes]);
                    self.state = State::Torn(end, from + bytes);
                    return Decoded::bytes(bytes);
                }
            }
        }
    }
}

/// How much of a piece was written before an error: all but the trailing filler. Data that itself
/// ends in the filler's value is cut there: never more than what was decoded, and at most a few bytes
/// less.
fn decoded_before_error(piece: &[u8]) -> usize {
    piece.iter().rposition(|&byte| byte != FILLER).map_or(0, |last| last + 1)
}

fn fault_of(error: io::Error) -> Fault {
    if error.kind() == io::ErrorKind::UnexpectedEof { Fault::Truncated } else { Fault::Io(error) }
}

/// Passes stream padding and checks what the next stream asks for: whether LZMA2 is its only filter. `None`: no
/// further stream.
fn next_stream(raw: &mut RawBytes) -> Result<Option<bool>, Fault> {
    let mut padding = 0u64;
    while raw.peek(1)? == [0] {
        raw.consume(1);
        padding += 1;
    }
    let first = raw.peek(MAGIC.len() + 6 + MAX_BLOCK_HEADER)?;
    if first.is_empty() {
        return Ok(None);
    }
    if !padding.is_multiple_of(4) {
        return Err(Fault::Corrupt("padding between xz streams is no multiple of 4 bytes".to_owned()));
    }
    let magic = first.len().min(MAGIC.len());
    if first[..magic] != MAGIC[..magic] {
        return Err(Fault::Corrupt("bytes after the last xz stream are not xz".to_owned()));
    }
    let block = first.get(12..).unwrap_or_default();
    match dictionary_size(block) {
        Some(size) if size > MAX_DICTIONARY => Err(Fault::Corrupt(format!(
            "the xz stream wants a dictionary of {size} bytes, more than the {MAX_DICTIONARY} accepted; \
             recompress it with a smaller one"
        ))),
        // The number of filters less one is in the low bits of the block flags.
        _ => Ok(Some(block.get(1).is_some_and(|flags| flags & 3 == 0))),
    }
}

/// Largest xz block header in bytes.
const MAX_BLOCK_HEADER: usize = 1024;

/// The LZMA2 dictionary size in the block header at the start of `header`, where one is found.
///
/// A header that cannot be followed gives `None`; the decoder refuses it in its own words.
fn dictionary_size(header: &[u8]) -> Option<u64> {
    let (&size, _) = header.split_first()?;
    if size == 0 {
        return None; // the index of a stream without blocks
    }
    let header = header.get(..(usize::from(size) + 1) * 4)?;
    let flags = *header.get(1)?;
    let mut at = 2;
    for present in [0x40, 0x80] {
        if flags & present != 0 {
            multibyte(header, &mut at)?; // compressed size, uncompressed size
        }
    }
    for _ in 0..=(flags & 3) {
        let id = multibyte(header, &mut at)?;
        let length = usize::try_from(multibyte(header, &mut at)?).ok()?;
        let properties = header.get(at..at.checked_add(length)?)?;
        at += length;
        if let (0x21, &[bits]) = (id, properties) {
            return Some(match bits {
                0..40 => (2 | u64::from(bits & 1)) << (bits / 2 + 11),
                _ => u64::from(u32::MAX),
            });
        }
    }
    None
}

/// An xz variable-length integer: 7 bits a byte, lowest first, at most 9 bytes.
fn multibyte(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionary_sizes_of_a_block_header() {
        // Header size 12, no optional sizes, one filter: LZMA2 with one property byte.
        let header = |bits| [2, 0, 0x21, 1, bits, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(dictionary_size(&header(0)), Some(4096));
        assert_eq!(dictionary_size(&header(22)), Some(8 << 20));
        assert_eq!(dictionary_size(&header(23)), Some(12 << 20));
        assert_eq!(dictionary_size(&header(40)), Some(u64::from(u32::MAX)));
        assert_eq!(dictionary_size(&header(22)[..6]), None);
        assert_eq!(dictionary_size(&[0, 0, 0, 0]), None);
    }

    #[test]
    fn filler_marks_where_decoding_stopped() {
        let mut piece = [FILLER; 16];
        assert_eq!(decoded_before_error(&piece), 0);
        piece[4] = 0;
        assert_eq!(decoded_before_error(&piece), 5);
    }
}
