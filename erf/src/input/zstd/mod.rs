//! Zstandard: frames one after another, skippable frames between them. What is in a frame is decoded in Rust, or by the C library with the
//! feature `zstd`.

#[cfg(feature = "zstd")]
mod c;
#[cfg(not(feature = "zstd"))]
mod rust;

use super::decode::{Decode, Decoded, Fault};
use super::raw::RawBytes;

#[cfg(feature = "zstd")]
use self::c::Frame;
#[cfg(not(feature = "zstd"))]
use self::rust::Frame;

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// First of the sixteen magics of skippable frames, shared with LZ4 (RFC 8878 section 3.1.2).
const SKIPPABLE: u32 = 0x184D_2A50;

pub(super) struct Zstd {
    raw: RawBytes,
    frame: Frame,
    inside: bool,
}

impl Zstd {
    pub(super) fn new(raw: RawBytes) -> Zstd {
        Zstd { raw, frame: Frame::new(), inside: false }
    }

    /// Goes on to the next frame. `false`: there is none.
    fn next_frame(&mut self) -> Result<bool, Fault> {
        loop {
            let first = self.raw.peek(8)?;
            match (first, skippable_length(first)) {
                ([], _) => return Ok(false),
                (_, Some(length)) => {
                    if !self.raw.skip(8 + u64::from(length))? {
                        return Err(Fault::Truncated);
                    }
                }
                (_, None) if first.starts_with(&MAGIC) => {
                    self.frame.begin(&mut self.raw)?;
                    self.inside = true;
                    return Ok(true);
                }
                (_, None) if first.len() < 8 => return Err(Fault::Truncated),
                _ => {
                    return Err(Fault::Corrupt("bytes after the last zstd frame are not zstd".to_owned()));
                }
            }
        }
    }
}

impl Decode for Zstd {
    fn decode(&mut self, out: &mut [u8]) -> Decoded {
        loop {
            if !self.inside {
                match self.next_frame() {
                    Ok(true) => {}
                    Ok(false) => return Decoded::END,
                    Err(fault) => return Decoded::fault(fault),
                }
            }
            match self.frame.read(&mut self.raw, out) {
                Ok(0) => self.inside = false,
                Ok(bytes) => return Decoded::bytes(bytes),
                Err(error) => return Decoded::fault(error),
            }
        }
    }
}

/// The length of a skippable frame's content, if `first` starts one.
pub(super) fn skippable_length(first: &[u8]) -> Option<u32> {
    let (magic, rest) = first.split_first_chunk::<4>()?;
    let (length, _) = rest.split_first_chunk::<4>()?;
    (u32::from_le_bytes(*magic) & !0xF == SKIPPABLE).then(|| u32::from_le_bytes(*length))
}
