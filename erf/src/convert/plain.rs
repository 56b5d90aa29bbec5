//! [`PlainFrame`]: what nearly every record of a capture of Ethernet is, seen at one look.

use erf_core::{HEADER_LEN, RecordType, Timestamp};

/// Bytes between the header of an Ethernet record and its frame: offset and padding.
const SUB_HEADER_LEN: usize = 2;

/// Of bytes 8 to 16 of the header (type, flags, rlen, lctr, wlen; `erf-format.md` section 2): the type with its bit for extension headers,
/// the flags for errors and the reserved one, the loss counter.
const LOOKED_AT: u64 = 0xFFB0_0000_FFFF_0000;

/// What stands there in a plain one.
const PLAIN: u64 = (RecordType::ETH.number() as u64) << 56;

/// An Ethernet record of which a packet says everything but its padding: no extension headers, no error, no loss, nothing to remark.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainFrame<'a> {
    pub(crate) stamp: Timestamp,
    /// Bits 0 and 1, and bit 6 as the third: [`Flags`](erf_core::Flags).
    pub(crate) flags: u8,
    /// Length before snapping, without what was to be taken off, in bytes.
    pub(crate) original_len: u32,
    /// The stored bytes of that.
    pub(crate) frame: &'a [u8],
    /// What follows the record.
    pub(crate) rest: &'a [u8],
}

impl<'a> PlainFrame<'a> {
    /// The record at the start of `bytes` if it is a plain one, and whole. `tail` bytes are taken off the end of the unsnapped frame.
    // Always: what a record costs doubles where it is handed over through memory.
    #[inline(always)]
    pub(crate) fn ahead(bytes: &'a [u8], tail: u16) -> Option<PlainFrame<'a>> {
        let head = u128::from_le_bytes(*bytes.first_chunk::<HEADER_LEN>()?);
        let word = ((head >> 64) as u64).swap_bytes();
        let (rlen, wire_len) = (usize::from((word >> 32) as u16), word as u16);
        // No length at all is something to remark.
        if word & LOOKED_AT != PLAIN || wire_len == 0 || wire_len < tail {
            return None;
        }
        let original_len = wire_len - tail;
        let stored = rlen.checked_sub(HEADER_LEN + SUB_HEADER_LEN)?;
        let (record, rest) = bytes.split_at_checked(rlen)?;
        let frame = record.get(HEADER_LEN + SUB_HEADER_LEN..)?.get(..stored.min(original_len.into()))?;
        Some(PlainFrame {
            stamp: Timestamp::from_raw(head as u64),
            flags: (word >> 48) as u8,
            original_len: original_len.into(),
            frame,
            rest,
        })
    }
}

/// What was done of a run of records: all from its start that are plain, Ethernet about which there is nothing odd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainRun {
    /// Bytes of these records.
    pub bytes: usize,
    /// How many they are.
    pub records: u64,
}
