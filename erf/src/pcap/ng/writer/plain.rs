//! Runs of plain Ethernet records, each as a packet without options.

use std::io::Write;

use erf_core::Flags;

use super::super::block;
use super::{Writer, halves};
use crate::convert::{Encapsulation, FcsPolicy, PacketOptions, PlainFrame, PlainRun};
use crate::error::Error;

/// Bytes of the block of a packet without options, the packet aside.
const PACKET_LEN: u32 = 32;

impl<W: Write> Writer<W> {
    /// Writes the records at the start of `run` that are plain, and from ports that have had a packet, as
    /// [`write_record`](Writer::write_record) would.
    pub(crate) fn write_plain(&mut self, run: &[u8]) -> Result<PlainRun, Error> {
        let PacketOptions { encapsulation, fcs, .. } = self.options.packets;
        let mut done = PlainRun::default();
        if self.options.lossless || encapsulation != Encapsulation::Native || fcs == FcsPolicy::Keep {
            return Ok(done);
        }
        let tail = if fcs == FcsPolicy::Strip { 4 } else { 0 };
        let mut rest = run;
        while let Some(plain) = PlainFrame::ahead(rest, tail) {
            let port = usize::from(Flags::from_bits(plain.flags).interface());
            let (Some(Some(number)), Some(0)) = (self.plain.get(port), self.carried.get(port)) else { break };
            let number = *number;
            let Some(counted) = self.interfaces.get_mut(number as usize) else { break };
            counted.last = counted.last.max(plain.stamp);
            counted.received += 1;
            self.put_plain(number, &plain)?;
            rest = plain.rest;
            done.records += 1;
        }
        self.written += done.records;
        done.bytes = run.len() - rest.len();
        Ok(done)
    }

    /// The block of a packet that has no options.
    #[inline]
    fn put_plain(&mut self, interface: u32, plain: &PlainFrame<'_>) -> Result<(), Error> {
        let [high, low] = halves(self.units(plain.stamp));
        let captured = plain.frame.len() as u32;
        let bytes = PACKET_LEN + captured.next_multiple_of(4);
        let fields = [block::ENHANCED_PACKET, bytes, interface, high, low, captured, plain.original_len];
        let mut head = [0; 28];
        for (to, field) in head.as_chunks_mut::<4>().0.iter_mut().zip(fields) {
            *to = field.to_le_bytes();
        }
        self.block.extend_from_slice(&head);
        self.block.extend_from_slice(plain.frame);
        // A block begins at a multiple of 4 of the buffer, as it does in the file.
        let end = self.block.len().next_multiple_of(4);
        self.block.extend_from_slice(&[0; 4]);
        self.block.truncate(end);
        self.block.extend_from_slice(&bytes.to_le_bytes());
        self.position += u64::from(bytes);
        self.drain_pieces()
    }
}
