//! Zstandard: frames one after another, skippable frames between them.

use std::io::Read;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::decode::{Decode, Decoded, Fault};
use super::raw::RawBytes;

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

/// First of the sixteen magics of skippable frames, shared with LZ4 (RFC 8878 section 3.1.2).
const SKIPPABLE: u32 = 0x184D_2A50;

/// An empty raw block with the last-block bit, and four bytes where a check sum may be wanted.
const EMPTY_LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

pub(super) struct Zstd {
    raw: RawBytes,
    frame: FrameDecoder,
    inside: bool,
    /// Found while a frame was decoded; due once what came before it has been handed out.
    pending: Option<Fault>,
}

impl Zstd {
    pub(super) fn new(raw: RawBytes) -> Zstd {
        Zstd { raw, frame: FrameDecoder::new(), inside: false, pending: None }
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
                    self.frame.reset(&mut self.raw).map_err(|error| {
                        if self.raw.met_end() { Fault::Truncated } else { Fault::Corrupt(error.to_string()) }
                    })?;
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

    /// Decodes block by block until `wanted` bytes can be handed out or the frame is over.
    fn decode_blocks(&mut self, wanted: usize) {
        while !self.frame.is_finished() && self.frame.can_collect() < wanted {
            let result = self.frame.decode_blocks(&mut self.raw, BlockDecodingStrategy::UptoBlocks(1));
            if let Err(error) = result {
                self.pending =
                    Some(if self.raw.met_end() { Fault::Truncated } else { Fault::Corrupt(error.to_string()) });
                // The decoder holds back a window's worth of bytes until the frame ends. Ending it
                // hands out what was decoded before the damage.
                let _ = self.frame.decode_blocks(&mut &EMPTY_LAST_BLOCK[..], BlockDecodingStrategy::UptoBlocks(1));
                return;
            }
        }
    }

    /// Ends a frame whose bytes have all been handed out.
    fn finish_frame(&mut self) -> Result<(), Fault> {
        self.inside = false;
        if let Some(fault) = self.pending.take() {
            return Err(fault);
        }
        match (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum()) {
            (Some(stored), Some(calculated)) if stored != calculated => {
                Err(Fault::Corrupt(format!("zstd frame check sum is {calculated:#010x}, stored is {stored:#010x}")))
            }
            _ => Ok(()),
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
            if self.pending.is_none() {
                self.decode_blocks(out.len());
            }
            match self.frame.read(out) {
                Ok(0) => {
                    if let Err(fault) = self.finish_frame() {
                        return Decoded::fault(fault);
                    }
                }
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
