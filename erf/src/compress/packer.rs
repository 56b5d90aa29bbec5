//! [`Packer`]: whatever is written, compressed into a sink.

use std::io::{self, Write};

use super::{BLOCK, Blocks, Encoding, Workers};

/// Compresses what is written to a sink, block by block, on the threads of [`Workers`]; at most about two blocks a worker are in memory.
///
/// A block ends with the write that fills it: whoever writes whole records has whole records in each.
#[derive(Debug)]
pub struct Packer {
    blocks: Blocks<()>,
    filling: Vec<u8>,
}

impl Packer {
    /// For one output.
    pub fn new(encoding: Encoding, workers: Workers) -> Self {
        Self { blocks: Blocks::new(encoding, workers), filling: Vec::new() }
    }

    /// Takes all of `bytes`; what is compressed by now goes to `sink`.
    ///
    /// # Errors
    ///
    /// Those of `sink`. Nothing more is to be written then.
    pub fn write(&mut self, sink: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        self.filling.extend_from_slice(bytes);
        if self.filling.len() >= BLOCK {
            self.close(sink)?;
        }
        self.store(sink, false)
    }

    /// Writes all that is left, and what closes the output.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn end(mut self, sink: &mut impl Write) -> io::Result<()> {
        if !self.filling.is_empty() {
            self.close(sink)?;
        }
        self.store(sink, true)?;
        sink.write_all(&self.blocks.end()?)
    }

    fn close(&mut self, sink: &mut impl Write) -> io::Result<()> {
        while self.blocks.is_full() {
            self.store_next(sink, true)?;
        }
        let empty = self.blocks.buffer();
        let block = std::mem::replace(&mut self.filling, empty);
        self.blocks.give(block, ());
        Ok(())
    }

    fn store(&mut self, sink: &mut impl Write, wait: bool) -> io::Result<()> {
        while self.store_next(sink, wait)? {}
        Ok(())
    }

    fn store_next(&mut self, sink: &mut impl Write, wait: bool) -> io::Result<bool> {
        let Some(packed) = self.blocks.take(wait)? else { return Ok(false) };
        sink.write_all(&packed.unit)?;
        self.blocks.reuse(packed.unit);
        Ok(true)
    }
}
