//! A frame decoded by the C library.

use std::io::BufRead;

use zstd::stream::raw::{Decoder, Operation};

use crate::input::decode::Fault;
use crate::input::raw::RawBytes;

/// The least that a frame begins with.
const FIRST: usize = 5;

/// What the decoder says it wants for a block is longer by the header of the next one.
const BLOCK_HEADER: usize = 3;

pub(super) struct Frame {
    /// `None` where there is no memory for one.
    decoder: Option<Decoder<'static>>,
    /// How much it wants to go on.
    wants: usize,
    /// There was no room for all it has.
    has_more: bool,
}

impl Frame {
    pub(super) fn new() -> Self {
        Self { decoder: Decoder::new().ok(), wants: FIRST, has_more: false }
    }

    /// Goes to the frame that `raw` begins with.
    pub(super) fn begin(&mut self, _: &mut RawBytes) -> Result<(), Fault> {
        (self.wants, self.has_more) = (FIRST, false);
        match &mut self.decoder {
            Some(decoder) => decoder.reinit().map_err(Fault::Io),
            None => Err(Fault::Io(std::io::ErrorKind::OutOfMemory.into())),
        }
    }

    /// The next bytes of it; none at its end.
    pub(super) fn read(&mut self, raw: &mut RawBytes, out: &mut [u8]) -> Result<usize, Fault> {
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        while self.wants > 0 || self.has_more {
            let stored = if self.has_more { &[] } else { raw.fill_buf()? };
            if stored.is_empty() && !self.has_more {
                return Err(Fault::Truncated);
            }
            // Up to the end of a block: with more it would go on to the next one, and should that be damaged keep to itself what came before.
            let wants = if self.wants > BLOCK_HEADER { self.wants - BLOCK_HEADER } else { self.wants };
            let stored = stored.get(..wants).unwrap_or(stored);
            let done = decoder.run_on_buffers(stored, out).map_err(|error| Fault::Corrupt(format!("zstd: {error}")))?;
            raw.consume(done.bytes_read);
            self.wants = done.remaining;
            self.has_more = done.bytes_written == out.len() && done.remaining > 0;
            if done.bytes_written > 0 {
                return Ok(done.bytes_written);
            }
        }
        Ok(0)
    }
}
