//! [`Packed`]: a file that is compressed block by block, on threads of their own.

use std::io;

use erf::compress::{BLOCK, Blocks, Encoding, Workers};
use erf::writer::Output;

/// How a recording is compressed, and by whom.
#[derive(Debug, Clone)]
pub(super) struct Pack {
    pub(super) encoding: Encoding,
    pub(super) workers: Workers,
}

/// A file of compressed units, each of which has whole packets only. They reach the file in order, each whole or, where the file can be
/// cut back after a failed write, not at all.
#[derive(Debug)]
pub(super) struct Packed {
    output: Output,
    /// Each block with its packets.
    blocks: Blocks<u64>,
    filling: Vec<u8>,
    packets_filling: u64,
    /// Bytes taken, before compression.
    taken: u64,
    in_file: InFile,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InFile {
    pub(super) packets: u64,
    /// As it is stored.
    pub(super) bytes: u64,
    /// The same before compression.
    pub(super) content: u64,
}

impl Packed {
    /// To write to `output`.
    pub(super) fn new(output: Output, pack: Pack) -> Self {
        let blocks = Blocks::new(pack.encoding, pack.workers);
        Self { output, blocks, filling: Vec::new(), packets_filling: 0, taken: 0, in_file: InFile::default() }
    }

    /// Takes `bytes`, in which there are so many packets, whole ones; what is compressed by now goes to the file. It waits for the
    /// threads that compress where they have as much to do as may be in memory.
    pub(super) fn write(&mut self, bytes: &[u8], packets: u64) -> Result<(), erf::Error> {
        if !self.filling.is_empty() && self.filling.len() + bytes.len() > BLOCK {
            self.close()?;
        }
        self.filling.extend_from_slice(bytes);
        self.packets_filling += packets;
        self.taken += bytes.len() as u64;
        if self.filling.len() >= BLOCK {
            self.close()?;
        }
        while self.store_next(false)? {}
        Ok(())
    }

    /// Brings all that was taken to the file; what is gathered becomes a unit by itself.
    pub(super) fn flush(&mut self) -> Result<(), erf::Error> {
        self.close()?;
        while self.store_next(true)? {}
        Ok(())
    }

    /// Bytes taken, before compression.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn in_file(&self) -> InFile {
        self.in_file
    }

    pub(super) fn sync(&self) -> Result<(), erf::Error> {
        self.output.sync()
    }

    /// Ends the file. Says what is in it, and where it is.
    pub(super) fn finish(mut self) -> Result<(InFile, Output), erf::Error> {
        self.flush()?;
        let end = self.blocks.end().map_err(|cause| self.failed(cause))?;
        self.append(&end)?;
        Ok((self.in_file, self.output))
    }

    /// Hands what is gathered to who compresses it.
    fn close(&mut self) -> Result<(), erf::Error> {
        if self.filling.is_empty() {
            return Ok(());
        }
        while self.blocks.is_full() {
            self.store_next(true)?;
        }
        let empty = self.blocks.buffer();
        let block = std::mem::replace(&mut self.filling, empty);
        self.blocks.give(block, std::mem::take(&mut self.packets_filling));
        Ok(())
    }

    /// Writes the next unit, waiting for it or only if it is there.
    fn store_next(&mut self, wait: bool) -> Result<bool, erf::Error> {
        let Some(packed) = self.blocks.take(wait).map_err(|cause| self.failed(cause))? else { return Ok(false) };
        self.append(&packed.unit)?;
        self.in_file.packets += packed.with;
        self.in_file.content += packed.content as u64;
        self.blocks.reuse(packed.unit);
        Ok(true)
    }

    fn append(&mut self, unit: &[u8]) -> Result<(), erf::Error> {
        self.output.write_whole(unit, self.in_file.bytes, &[]).map_err(|(error, _)| error)?;
        self.in_file.bytes += unit.len() as u64;
        Ok(())
    }

    fn failed(&self, cause: io::Error) -> erf::Error {
        self.output.refused(cause, self.in_file.bytes, 0)
    }
}
