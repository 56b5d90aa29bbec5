//! LZ4 frames one after another, skippable frames between them.

use std::io::Read;

use lz4_flex::frame::FrameDecoder;

use super::decode::{Decode, Decoded, Fault};
use super::raw::RawBytes;
use super::zstd::skippable_length;

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4D, 0x18];

pub(super) struct Lz4 {
    state: State,
}

enum State {
    Between(RawBytes),
    /// A decoder of its own for every frame: one decoder kept over frames of different block sizes
    /// breaks its own expectations about its buffers.
    Inside(Box<FrameDecoder<RawBytes>>),
    Finished,
}

impl Lz4 {
    pub(super) fn new(raw: RawBytes) -> Lz4 {
        Lz4 { state: State::Between(raw) }
    }
}

impl Decode for Lz4 {
    fn decode(&mut self, out: &mut [u8]) -> Decoded {
        loop {
            match std::mem::replace(&mut self.state, State::Finished) {
                State::Finished => return Decoded::END,
                State::Between(mut raw) => match next_frame(&mut raw) {
                    Ok(true) => self.state = State::Inside(Box::new(FrameDecoder::new(raw))),
                    Ok(false) => return Decoded::END,
                    Err(fault) => return Decoded::fault(fault),
                },
                State::Inside(mut frame) => match frame.read(out) {
                    // The decoder says 0 at the end mark, and also where the bytes end instead of a
                    // block. Only in the second case did it ask for bytes and get none.
                    Ok(0) if frame.get_ref().met_end() => return Decoded::fault(Fault::Truncated),
                    Ok(0) => self.state = State::Between(frame.into_inner()),
                    Ok(bytes) => {
                        self.state = State::Inside(frame);
                        return Decoded::bytes(bytes);
                    }
                    Err(_) if frame.get_ref().met_end() => {
                        return Decoded::fault(Fault::Truncated);
                    }
                    Err(error) => return Decoded::fault(error),
                },
            }
        }
    }
}

/// Goes on to the next frame. `false`: there is none.
fn next_frame(raw: &mut RawBytes) -> Result<bool, Fault> {
    loop {
        let first = raw.peek(8)?;
        match (first, skippable_length(first)) {
            ([], _) => return Ok(false),
            (_, Some(length)) => {
                if !raw.skip(8 + u64::from(length))? {
                    return Err(Fault::Truncated);
                }
            }
            (_, None) if first.starts_with(&MAGIC) => return Ok(true),
            (_, None) if first.len() < 4 => return Err(Fault::Truncated),
            _ => {
                return Err(Fault::Corrupt("bytes after the last lz4 frame are no lz4 frame".to_owned()));
            }
        }
    }
}
