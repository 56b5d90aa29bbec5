//! pcap and pcapng read as if they were ERF.

use crate::MAX_RECORD_LEN;
use crate::convert::{RecordOptions, Refusal, ToRecord};
use crate::error::Error;
use crate::pcap::Packets;

/// Records made from packets, a block at a time.
pub(super) struct PacketFeed {
    packets: Packets,
    convert: ToRecord,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    over: bool,
    error: Option<Error>,
    refused: Option<(u64, Refusal)>,
}

impl PacketFeed {
    pub(super) fn new(packets: Packets, options: RecordOptions, block: usize) -> PacketFeed {
        PacketFeed {
            packets,
            convert: ToRecord::new(options),
            buffer: vec![0; block.max(MAX_RECORD_LEN)],
            start: 0,
            end: 0,
            over: false,
            error: None,
            refused: None,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn is_last(&self) -> bool {
        self.over
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.start += n.min(self.end - self.start);
    }

    pub(super) fn take_error(&mut self) -> Option<Error> {
        self.error.take()
    }

    pub(super) fn refused(&self) -> Option<(u64, Refusal)> {
        self.refused
    }

    /// Makes records until the block is full, or until the next packet would have to be waited for.
    pub(super) fn refill(&mut self) -> bool {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let before = self.end;
        while !self.over && self.buffer.len() - self.end >= MAX_RECORD_LEN {
            if self.end > before && !self.packets.has_buffered() {
                break;
            }
            match self.packets.next_packet() {
                Ok(Some(packet)) => match self.convert.write(&packet, &mut self.buffer[self.end..]) {
                    Ok(length) => self.end += length,
                    Err(refusal) => {
                        let (count, first) = self.refused.unwrap_or((0, refusal));
                        self.refused = Some((count + 1, first));
                    }
                },
                Ok(None) => self.over = true,
                Err(error) => {
                    self.over = true;
                    self.error = Some(error);
                }
            }
        }
        self.end > before
    }
}
