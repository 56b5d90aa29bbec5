//! What a record has and pcapng has no field for, so that the record comes back byte for byte.
//!
//! A packet carries it in a custom option; a record that is no packet (META, PAD) stands in its place in a custom block.
//! The layout is described for other programs in `docs/lossless.md`; all numbers of it are big-endian, whatever the section.
//!
//! Why custom options (draft-ietf-opsawg-pcapng, section 3.5.1) with the enterprise number that RFC 5612 sets aside for
//! documentation, 32473, and not the codes from 0x8000 on that the draft leaves to local use: this project has no number of its
//! own, and both are for whoever agrees on them. Measured with Wireshark 4.0.17: editcap, mergecap and `tshark -w` carry option
//! 2989 and block 0xBAD through, and drop options from 0x8000 on, local blocks, option 19373 and block 0x40000BAD. Because
//! others may use the same number, what is ours begins with [`MAGIC`], and a checksum ties it to the bytes it is about.

use erf_core::identity::Identity;
use erf_core::{HEADER_LEN, MAX_RECORD_LEN, Record, Timestamp, fcs};

use super::super::LinkType;
use super::super::order::Order;
use super::options::Options;
use super::{code, options};
use crate::convert::WirePacket;

/// Private enterprise number for documentation (RFC 5612).
const PEN: u32 = 32_473;

/// What is ours, in version 1.
const MAGIC: [u8; 4] = *b"ERF\x01";

/// Bytes of the option before those of the record: enterprise number, magic, checksum, length, comments, prefix length.
const OPTION_HEAD: usize = 4 + 4 + 4 + 4 + 1 + 1 + 2;

/// Bytes of the block's data before those of the record: enterprise number, magic, checksum.
const BLOCK_HEAD: usize = 4 + 4 + 4;

/// No custom block of ours has more bytes than this, its frame included.
pub(super) const MAX_BLOCK: usize = 12 + BLOCK_HEAD + MAX_RECORD_LEN + 1;

/// Stamps nearer than this to the record's own are that one, rounded on the way: a microsecond. (Wireshark cuts to
/// nanoseconds, each time it writes a file.)
const SAME_STAMP: u64 = (1 << 32) / 1_000_000;

/// Whether the option has room for all of `record` but `packet`; a record with more padding and headers has not.
pub(super) fn fits(record: &Record<'_>, packet: &WirePacket<'_>) -> bool {
    let (before, after) = around(record, packet);
    OPTION_HEAD + before.len() + after.len() <= usize::from(u16::MAX)
}

/// The bytes of the record before and behind those of its packet. LINKTYPE_ERF holds the headers itself.
fn around<'a>(record: &Record<'a>, packet: &WirePacket<'a>) -> (&'a [u8], &'a [u8]) {
    let bytes = record.bytes();
    let [header, body] = packet.parts();
    let start = match header.len() {
        // What is not in the packet of the payload stands before it (four bytes of an ATM cell) or behind (FCS).
        0 => record.header_len() + packet.skipped_head().min(record.captured_len()),
        header => header,
    };
    let end = (start + body.len()).min(bytes.len());
    let before = if header.is_empty() { bytes.get(..start) } else { None };
    (before.unwrap_or_default(), bytes.get(end..).unwrap_or_default())
}

/// Appends the option for `packet`, made of `record`, on which `comments` comments are written beside it.
pub(super) fn put_option(out: &mut Vec<u8>, record: &Record<'_>, packet: &WirePacket<'_>, comments: u8) {
    let (before, after) = around(record, packet);
    let length = OPTION_HEAD + before.len() + after.len();
    let mut crc = fcs::Ethernet::new();
    for part in packet.parts() {
        crc.update(part);
    }
    out.extend_from_slice(&code::CUSTOM_BINARY.to_le_bytes());
    out.extend_from_slice(&(length as u16).to_le_bytes());
    out.extend_from_slice(&PEN.to_le_bytes());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&crc.finish().to_be_bytes());
    out.extend_from_slice(&packet.captured_len().to_be_bytes());
    out.extend_from_slice(&[comments, 0]);
    out.extend_from_slice(&(before.len() as u16).to_be_bytes());
    out.extend_from_slice(before);
    out.extend_from_slice(after);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Appends the body of the block for a record that is no packet.
pub(super) fn put_block(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(&PEN.to_le_bytes());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&fcs::ethernet(record.bytes()).to_be_bytes());
    out.extend_from_slice(record.bytes());
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Appends the option of an interface that says whose packets it has.
pub(super) fn put_identity(out: &mut Vec<u8>, identity: Identity) {
    let mut value = [0; 18];
    value[..4].copy_from_slice(&PEN.to_le_bytes());
    value[4..8].copy_from_slice(&MAGIC);
    value[8..16].copy_from_slice(&identity.host_id.to_be_bytes());
    value[16] = identity.source_id;
    value[17] = identity.interface;
    options::put(out, code::CUSTOM_BINARY, &value);
}

/// The rest of `value` if it is ours.
fn ours(value: &[u8], order: Order) -> Option<&[u8]> {
    let (pen, rest) = value.split_first_chunk::<4>()?;
    let (magic, rest) = rest.split_first_chunk::<4>()?;
    (order.u32(pen) == PEN && *magic == MAGIC).then_some(rest)
}

/// What the option of an interface says, if it is ours.
pub(super) fn identity(value: &[u8], order: Order) -> Option<Identity> {
    match ours(value, order)? {
        &[a, b, c, d, e, f, g, h, source_id, interface] if interface < 8 => {
            Some(Identity { host_id: u64::from_be_bytes([a, b, c, d, e, f, g, h]), source_id, interface })
        }
        _ => None,
    }
}

/// What became of the record of a packet that has our option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restored {
    /// It is in the buffer, this long.
    Whole {
        /// Its bytes.
        length: usize,
        /// The packet has another stamp now, and so has the record.
        restamped: bool,
        /// Comments on the packet that the record knows of.
        comments: u8,
    },
    /// The packet is not the one that the option is about any more.
    Edited,
}

/// Puts the record of a packet into `buffer`, which holds [`MAX_RECORD_LEN`] bytes, if one of its `options` is ours.
pub(crate) fn restore(
    options: Options<'_>,
    order: Order,
    link_type: LinkType,
    captured: &[u8],
    timestamp: Option<Timestamp>,
    buffer: &mut [u8],
) -> Option<Restored> {
    let binary = options.filter(|&(code, _)| code == code::CUSTOM_BINARY);
    let value = binary.filter_map(|(_, value)| ours(value, order)).next()?;
    Some(rebuild(value, link_type, captured, timestamp, buffer).unwrap_or(Restored::Edited))
}

fn rebuild(
    value: &[u8],
    link_type: LinkType,
    captured: &[u8],
    timestamp: Option<Timestamp>,
    buffer: &mut [u8],
) -> Option<Restored> {
    let (&[a, b, c, d, e, f, g, h, comments, _, i, j], stored) = value.split_first_chunk::<12>()?;
    let crc = u32::from_be_bytes([a, b, c, d]);
    let length = u32::from_be_bytes([e, f, g, h]);
    let (before, after) = stored.split_at_checked(usize::from(u16::from_be_bytes([i, j])))?;
    if captured.len() as u64 != u64::from(length) || fcs::ethernet(captured) != crc {
        return None;
    }
    if before.is_empty() != (link_type == LinkType::ERF) {
        return None;
    }
    let total = before.len() + captured.len() + after.len();
    let rlen = u16::try_from(total).ok()?.to_be_bytes();
    let out = buffer.get_mut(..total)?;
    let (head, rest) = out.split_at_mut(before.len());
    let (body, tail) = rest.split_at_mut(captured.len());
    head.copy_from_slice(before);
    body.copy_from_slice(captured);
    tail.copy_from_slice(after);
    let header = out.first_chunk_mut::<HEADER_LEN>()?;
    header[10..12].copy_from_slice(&rlen);
    let mut restamped = false;
    if let (Some(stamp), Some(stored)) = (timestamp, header.first_chunk_mut::<8>()) {
        restamped = stamp.raw().abs_diff(u64::from_le_bytes(*stored)) >= SAME_STAMP;
        if restamped {
            *stored = stamp.to_le_bytes();
        }
    }
    Record::parse(out).ok()?;
    Some(Restored::Whole { length: total, restamped, comments })
}

/// The record of a custom block, given its body. `None`: the block is not ours; `Some(None)`: it is, and damaged.
pub(crate) fn record_of(body: &[u8], order: Order) -> Option<Option<&[u8]>> {
    let rest = ours(body, order)?;
    let whole = || {
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::from(Record::parse(rest).ok()?.rlen());
        let record = rest.get(..length)?;
        (fcs::ethernet(record) == u32::from_be_bytes(*crc)).then_some(record)
    };
    Some(whole())
}
