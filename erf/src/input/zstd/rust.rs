//! A frame decoded in Rust.

use std::io::Read;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::input::decode::Fault;
use crate::input::raw::RawBytes;

/// An empty raw block with the last-block bit, and four bytes where a check sum may be wanted.
const EMPTY_LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

pub(super) struct Frame {
    frame: FrameDecoder,
    /// Found while it was decoded; due once what came before it has been handed out.
    pending: Option<Fault>,
}

impl Frame {
    pub(super) fn new() -> Self {
        Self { frame: FrameDecoder::new(), pending: None }
    }

    /// Goes to the frame that `raw` begins with.
    pub(super) fn begin(&mut self, raw: &mut RawBytes) -> Result<(), Fault> {
        self.frame
            .reset(&mut *raw)
            .map_err(|error| if raw.met_end() { Fault::Truncated } else { Fault::Corrupt(error.to_string()) })
    }

    /// The next bytes of it; none at its end.
    pub(super) fn read(&mut self, raw: &mut RawBytes, out: &mut [u8]) -> Result<usize, Fault> {
        if self.pending.is_none() {
            self.decode_blocks(raw, out.len());
        }
        match self.frame.read(out) {
            Ok(0) => self.finish().map(|()| 0),
            other => Ok(other?),
        }
    }

    /// Decodes block by block until `wanted` bytes can be handed out or the frame is over.
    fn decode_blocks(&mut self, raw: &mut RawBytes, wanted: usize) {
        while !self.frame.is_finished() && self.frame.can_collect() < wanted {
            let result = self.frame.decode_blocks(&mut *raw, BlockDecodingStrategy::UptoBlocks(1));
            if let Err(error) = result {
                self.pending = Some(if raw.met_end() { Fault::Truncated } else { Fault::Corrupt(error.to_string()) });
                // The decoder holds back a window's worth of bytes until the frame ends. Ending it
                // hands out what was decoded before the damage.
                let _ = self.frame.decode_blocks(&mut &EMPTY_LAST_BLOCK[..], BlockDecodingStrategy::UptoBlocks(1));
                return;
            }
        }
    }

    /// Ends it when its bytes have all been handed out.
    fn finish(&mut self) -> Result<(), Fault> {
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
