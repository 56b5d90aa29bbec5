//! One frame of a tap, where it lies in the kernel's ring.

use super::checksum::{self, ChecksumState, Patch};
use super::tpacket::Header;
use super::vlan::{self, TAG_LEN, TAG_OFFSET};

/// A frame as it was on the wire, without preamble and FCS, borrowed from the kernel's ring.
///
/// The bytes are not in one piece: a VLAN tag that the kernel took off and a checksum that the tap
/// completed are put in while copying. [`pieces`](Frame::pieces) gives them in order, for a copy
/// straight from the ring to where the record is to stand, and for a checksum over what was copied.
#[derive(Debug, Clone)]
pub struct Frame<'ring> {
    /// 0 or 1; what that means is said at [`Tap`](super::Tap).
    pub port: u8,
    /// When the kernel stamped the frame, nanoseconds since 1970-01-01 UTC by the host's clock
    /// (`CLOCK_REALTIME`).
    pub kernel_ns: u64,
    /// Length on the wire in bytes, with the VLAN tag put back, without FCS. May exceed 65535 where
    /// segmentation offload is on.
    pub wire_len: u32,
    /// The frame is longer than [`TapSpec::longest`](super::TapSpec::longest) and is cut to that.
    pub over_limit: bool,
    /// What became of the transport checksum.
    pub checksum: ChecksumState,
    /// Frames that the kernel had no room for on the interface of this port and that no frame
    /// before has told of. The sum over all frames and [`Tap::take_lost`](super::Tap::take_lost) is
    /// exact. The place is as near as the kernel tells: it counts for the whole ring, so with a
    /// reader that stays behind a loss may be told as much as one ring too early.
    pub lost_before: u64,
    /// The kernel had stripped a VLAN tag, and it has been put back.
    pub vlan_restored: bool,
    pub(super) data: &'ring [u8],
    pub(super) tag: [u8; TAG_LEN],
    /// How many bytes of `tag` belong to the frame: none if no tag is put back, fewer than four if
    /// the frame is cut there.
    pub(super) tag_len: usize,
    pub(super) patch: Option<Patch>,
}

impl<'ring> Frame<'ring> {
    /// The frame that `header` describes and whose bytes are `data`: its stripped tag put back, its
    /// unfinished checksum completed if that can be.
    pub(super) fn new(port: u8, header: &Header, data: &'ring [u8]) -> Frame<'ring> {
        let tag = vlan::stripped_tag(header.status, header.vlan_tci, header.vlan_tpid);
        let whole = data.len() >= header.len as usize;
        let unfinished = header.status & libc::TP_STATUS_CSUMNOTREADY != 0;
        let patch = if unfinished && whole { checksum::complete(data) } else { None };
        Frame {
            port,
            kernel_ns: header.ns,
            wire_len: header.len.saturating_add(if tag.is_some() { TAG_LEN as u32 } else { 0 }),
            over_limit: false,
            checksum: match (unfinished, patch) {
                (false, _) => ChecksumState::Complete,
                (true, Some(_)) => ChecksumState::CompletedByUs,
                (true, None) => ChecksumState::Partial,
            },
            lost_before: 0,
            vlan_restored: tag.is_some(),
            data,
            // If the kernel cut the frame before the place of the tag, the tag is behind the cut.
            tag_len: if tag.is_some() && data.len() >= TAG_OFFSET { TAG_LEN } else { 0 },
            tag: tag.unwrap_or_default(),
            patch,
        }
    }

    /// Bytes that are here, at most [`wire_len`](Frame::wire_len).
    #[must_use]
    pub fn captured_len(&self) -> usize {
        self.data.len() + self.tag_len
    }

    /// Whether bytes of the frame are missing.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.captured_len() < self.wire_len as usize
    }

    /// Shortens the frame to its first `len` bytes. Does nothing if it is no longer than that.
    pub fn cut(&mut self, len: usize) {
        if self.tag_len == 0 {
            self.data = &self.data[..self.data.len().min(len)];
        } else {
            self.tag_len = self.tag_len.min(len.saturating_sub(TAG_OFFSET));
            let after = len.saturating_sub(TAG_OFFSET + self.tag_len);
            self.data = &self.data[..self.data.len().min(len.min(TAG_OFFSET) + after)];
        }
        self.patch = self.patch.filter(|patch| patch.offset < self.data.len());
    }

    /// The frame in order: addresses, VLAN tag, up to the checksum, the checksum, the rest. A piece
    /// that this frame does not need is empty.
    #[must_use]
    pub fn pieces(&self) -> [&[u8]; 5] {
        let head = if self.tag_len == 0 { 0 } else { TAG_OFFSET };
        let tag = &self.tag[..self.tag_len];
        let (addresses, rest) = self.data.split_at(head);
        // A patch lies behind the EtherType, so behind `head`, and begins inside the data (see
        // `cut`).
        let (before, checksum) = match &self.patch {
            Some(Patch { offset, value }) => (offset - head, &value[..value.len().min(self.data.len() - offset)]),
            None => (rest.len(), [].as_slice()),
        };
        [addresses, tag, &rest[..before], checksum, &rest[before + checksum.len()..]]
    }

    /// Copies the frame to the start of `to`, as much of it as fits, and returns how many bytes
    /// that was.
    pub fn write_into(&self, to: &mut [u8]) -> usize {
        let mut at = 0;
        for piece in self.pieces() {
            let len = piece.len().min(to.len() - at);
            to[at..at + len].copy_from_slice(&piece[..len]);
            at += len;
        }
        at
    }

    /// The frame in memory of its own.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.pieces().concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libc::{TP_STATUS_CSUMNOTREADY, TP_STATUS_VLAN_TPID_VALID, TP_STATUS_VLAN_VALID};
    use proptest::prelude::*;

    fn header(len: usize, status: u32, tag: [u8; 4]) -> Header {
        Header {
            next: 0,
            ns: 1,
            len: len as u32,
            status,
            vlan_tci: u32::from(u16::from_be_bytes([tag[2], tag[3]])),
            vlan_tpid: u16::from_be_bytes([tag[0], tag[1]]),
            packet_type: 0,
            data: (0, 0),
        }
    }

    /// A frame as the kernel hands it over: tag taken out, cut to `snap`.
    fn stripped(wire: &[u8], snap: usize) -> (Header, Vec<u8>) {
        let mut data = wire.to_vec();
        let tag: Vec<u8> = data.drain(12..16).collect();
        let status = TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
        let header = header(data.len(), status, tag.try_into().unwrap());
        data.truncate(snap);
        (header, data)
    }

    /// IPv4 UDP from 1.1.1.1 to 2.2.2.2, no payload, field as the kernel leaves it; and the
    /// checksum that belongs there.
    const UDP: [u8; 42] = [
        2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 8, 0, // Ethernet
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x74, 0xCE, 1, 1, 1, 1, 2, 2, 2, 2, // IPv4
        0, 9, 0, 9, 0, 8, 0x06, 0x1F, // UDP; 0x0101 * 2 + 0x0202 * 2 + 17 + 8
    ];
    const UDP_CHECKSUM: [u8; 2] = [0xF9, 0xC6]; // !(0x061F + 9 + 9 + 8)

    proptest! {
        #[test]
        fn a_stripped_tag_is_put_back(wire in proptest::collection::vec(any::<u8>(), 18..200)) {
            let (header, data) = stripped(&wire, usize::MAX);
            let frame = Frame::new(0, &header, &data);
            prop_assert_eq!(frame.wire_len as usize, wire.len());
            prop_assert!(!frame.truncated());
            prop_assert_eq!(frame.to_vec(), wire);
        }

        #[test]
        fn every_cut_is_a_prefix_of_the_wire(
            wire in proptest::collection::vec(any::<u8>(), 18..120),
            kernel in 0usize..120, first in 0usize..120, second in 0usize..120,
        ) {
            let (header, data) = stripped(&wire, kernel);
            let mut frame = Frame::new(0, &header, &data);
            let whole = frame.to_vec();
            prop_assert_eq!(&whole, &wire[..whole.len()]);
            for cut in [first, second] {
                frame.cut(cut);
                let bytes = frame.to_vec();
                prop_assert_eq!(bytes.len(), frame.captured_len());
                prop_assert_eq!(&bytes, &wire[..bytes.len()]);
                prop_assert_eq!(frame.truncated(), bytes.len() < wire.len());
            }
            prop_assert_eq!(frame.captured_len(), whole.len().min(first).min(second));
        }

        #[test]
        fn a_completed_checksum_survives_tags_and_cuts(tagged: bool, cut in 0usize..60, room in 0usize..60) {
            let tag = [0x81, 0, 0x20, 5];
            let status = TP_STATUS_CSUMNOTREADY | if tagged { TP_STATUS_VLAN_VALID } else { 0 };
            let mut wire = UDP.to_vec();
            wire[40..42].copy_from_slice(&UDP_CHECKSUM);
            if tagged {
                wire.splice(12..12, tag);
            }
            let header = header(UDP.len(), status, tag);
            let mut frame = Frame::new(1, &header, &UDP);
            prop_assert_eq!(frame.checksum, ChecksumState::CompletedByUs);
            prop_assert_eq!(frame.to_vec(), wire.clone());
            frame.cut(cut);
            prop_assert_eq!(frame.to_vec(), &wire[..cut.min(wire.len())]);
            let mut to = vec![0xAA; room];
            let written = frame.write_into(&mut to);
            prop_assert_eq!(written, room.min(frame.captured_len()));
            prop_assert_eq!(&to[..written], &wire[..written]);
            prop_assert!(to[written..].iter().all(|byte| *byte == 0xAA));
        }
    }

    #[test]
    fn a_cut_frame_keeps_its_unfinished_checksum_and_says_so() {
        let header = header(UDP.len() + 1, TP_STATUS_CSUMNOTREADY, [0; 4]);
        let frame = Frame::new(0, &header, &UDP);
        assert_eq!(frame.checksum, ChecksumState::Partial);
        assert_eq!(frame.to_vec(), UDP);
    }

    #[test]
    fn a_checksum_that_was_sent_is_not_touched() {
        let frame = Frame::new(0, &header(UDP.len(), 0, [0; 4]), &UDP);
        assert_eq!(frame.checksum, ChecksumState::Complete);
        assert_eq!(frame.to_vec(), UDP);
    }
}
