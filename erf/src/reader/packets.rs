//! pcap and pcapng read as if they were ERF.

use crate::convert::{About, RecordOptions, Refusal, Restorations, ToRecord, Unread};
use crate::error::Error;
use crate::pcap::Packets;
use crate::pcapng::{Item, Restored};
use crate::{HEADER_LEN, MAX_RECORD_LEN};

/// Records made from packets, a block at a time.
pub(super) struct PacketFeed {
    packets: Packets,
    options: RecordOptions,
    convert: ToRecord,
    about: About,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Whole records that wait for room: META that was made, and what it stands before.
    pending: Vec<u8>,
    taken: usize,
    over: bool,
    error: Option<Error>,
    refused: Option<(u64, Refusal)>,
    restorations: Restorations,
    /// Comments that are not made into META records.
    comments: u64,
}

impl PacketFeed {
    pub(super) fn new(packets: Packets, options: RecordOptions, block: usize) -> PacketFeed {
        PacketFeed {
            packets,
            options,
            convert: ToRecord::new(options),
            about: About::new(options.fcs),
            buffer: vec![0; block.max(MAX_RECORD_LEN)],
            start: 0,
            end: 0,
            pending: Vec::new(),
            taken: 0,
            over: false,
            error: None,
            refused: None,
            restorations: Restorations::default(),
            comments: 0,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn is_last(&self) -> bool {
        self.over && self.pending.is_empty()
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

    pub(super) fn restorations(&self) -> Restorations {
        self.restorations
    }

    /// What of the file no record says.
    pub(super) fn unread(&self) -> Unread {
        let mut unread = self.packets.unread();
        if !self.options.describe {
            unread.descriptions = self.about.undescribed(&self.packets);
            unread.comments = self.comments;
            unread.section_comments = self.about.unremarked(&self.packets);
        }
        let cut = self.convert.cut();
        (unread.cut_packets, unread.cut_bytes) = (cut.packets, cut.bytes);
        unread
    }

    /// Makes records until the block is full, or until the next packet would have to be waited for.
    pub(super) fn refill(&mut self) -> bool {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let before = self.end;
        while self.buffer.len() - self.end >= MAX_RECORD_LEN {
            if !self.pending.is_empty() {
                self.take_pending();
                continue;
            }
            if self.over || (self.end > before && !self.packets.has_buffered()) {
                break;
            }
            if let Some(length) = self.make() {
                self.end += length;
            }
        }
        self.end > before
    }

    /// Moves the first record that waits into the block, which has room for any.
    fn take_pending(&mut self) {
        let rest = self.pending.get(self.taken..).unwrap_or_default();
        let length = rest.first_chunk::<HEADER_LEN>().map_or(0, |header| u16::from_be_bytes([header[10], header[11]]));
        let length = usize::from(length);
        if let (Some(to), Some(from)) = (self.buffer.get_mut(self.end..self.end + length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        self.end += length;
        self.taken += length;
        if self.taken >= self.pending.len() || length == 0 {
            self.pending.clear();
            self.taken = 0;
        }
    }

    /// Makes the next record behind those of the block; the length of it, if it is to stand there.
    fn make(&mut self) -> Option<usize> {
        let out = &mut self.buffer[self.end..];
        let packet = match self.packets.next_item() {
            Ok(Some(Item::Packet(packet))) => packet,
            Ok(Some(Item::Record(record))) => {
                let room = out.get_mut(..record.len()).filter(|_| self.options.restore)?;
                room.copy_from_slice(record);
                self.restorations.beside += 1;
                return Some(record.len());
            }
            Ok(Some(Item::Damaged)) => {
                self.restorations.damaged += 1;
                return None;
            }
            Ok(None) => {
                self.over = true;
                return None;
            }
            Err(error) => {
                self.over = true;
                self.error = Some(error);
                return None;
            }
        };
        let restored = if self.options.restore { packet.restore(out) } else { None };
        let mut known = 0;
        let made = match restored {
            Some(Restored::Whole { length, restamped, comments }) => {
                self.restorations.packets += 1;
                self.restorations.restamped += u64::from(restamped);
                known = comments;
                Ok(length)
            }
            other => {
                self.restorations.edited += u64::from(other.is_some());
                self.convert.write(&packet, out)
            }
        };
        let mut length = match made {
            Ok(length) => length,
            Err(refusal) => {
                let (count, first) = self.refused.unwrap_or((0, refusal));
                self.refused = Some((count + 1, first));
                return None;
            }
        };
        let said = packet.comments().skip(known.into());
        if !self.options.describe {
            self.comments += said.filter(|comment| !comment.is_empty()).count() as u64;
            return Some(length);
        }
        length = self.about.comment(said, out, length, &mut self.pending);
        self.about.describe(&self.packets, out, &mut self.pending);
        if self.pending.is_empty() {
            return Some(length);
        }
        self.pending.extend_from_slice(out.get(..length).unwrap_or_default());
        None
    }
}
