//! [`Record`]: one ERF record, viewed where it lies.

use core::fmt;

use crate::defect::DefectKind;
use crate::ext::{self, ExtHeaders};
use crate::flags::Flags;
use crate::record_type::RecordType;
use crate::sub_header::SubHeader;
use crate::timestamp::Timestamp;

/// Length of the record header in bytes, and the smallest valid `rlen`.
pub const HEADER_LEN: usize = 16;

/// The largest record: `rlen` has 16 bits.
pub const MAX_RECORD_LEN: usize = 65_535;

/// Stored bytes of an ATM cell: 4 of header (the HEC is not stored) and 48 (`erf-format.md` section 4).
pub const ATM_CELL_LEN: usize = 52;

/// Seen from the reader, where the Ethernet FCS of a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fcs {
    /// The whole wire length is stored, so the last four bytes are the FCS, if the writer kept the rule
    /// that `wlen` counts it. [`Record::verify_fcs`] tells.
    Stored,
    /// `wlen` counts an FCS that was never stored (libtrace writes this): all but the last four bytes are there.
    NotStored,
    /// The end of the frame is not stored.
    Snapped,
    /// Not an Ethernet record.
    NotEthernet,
}

/// A zero-copy view of one ERF record.
///
/// `Copy`, `Send` and `Sync`; it borrows the bytes it was parsed from. The header is loaded once, checked, and kept:
/// no accessor reads a length again, and none can panic, even if a card writes over the bytes beneath it.
/// Layout: `erf-format.md` sections 2 and 4. All header fields but the timestamp are big-endian in the bytes.
///
/// ```
/// use erf_core::{Record, RecordBuilder, RecordType, Timestamp};
///
/// let mut buf = [0u8; 128];
/// let len = RecordBuilder::new(RecordType::ETH)
///     .timestamp(Timestamp::from_parts(1_700_000_000, 0))
///     .interface(1)
///     .payload(&[0xAB; 60])
///     .append_fcs()
///     .write_to(&mut buf)?;
///
/// let record = Record::parse(&buf[..len])?;
/// assert_eq!((record.interface(), record.wire_len(), record.rlen()), (1, 64, 88));
/// assert_eq!(record.verify_fcs(), Some(true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Exactly `rlen` bytes.
    bytes: &'a [u8],
    ts: u64,
    /// Bytes 8..16 of the header as one big-endian number: type, flags, rlen, lctr, wlen.
    word: u64,
    /// Header, extension headers and sub-header; at most `bytes.len()`.
    header_len: usize,
}

impl<'a> Record<'a> {
    /// The record at the start of `bytes`; what follows it is ignored.
    ///
    /// # Errors
    ///
    /// The [`DefectKind`] that makes it no record. With [`DefectKind::next_record`] a walk can go on.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DefectKind> {
        let Some(head) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(unfit(bytes));
        };
        let head = u128::from_le_bytes(*head);
        let ts = head as u64;
        let word = ((head >> 64) as u64).swap_bytes();
        let Some(record) = bytes.get(..usize::from((word >> 32) as u16)) else {
            return Err(unfit(bytes));
        };
        // Nearly all are of a type below 32 and have no extension headers: then one comparison says that the length holds what it must.
        let header_len = match RecordType::low_sub_header_len((word >> 56) as u8) {
            Some(sub_header_len) => HEADER_LEN + sub_header_len,
            None => match odd_header_len(record, (word >> 56) as u8) {
                Some(header_len) => header_len,
                None => return Err(unfit(bytes)),
            },
        };
        if header_len > record.len() {
            return Err(unfit(bytes));
        }
        Ok(Self { bytes: record, ts, word, header_len })
    }

    /// The record at the start of `bytes`, if it is an Ethernet record without extension headers of which an [audit](crate::Audit) finds nothing
    /// to say but for its stamp: what most files have most, found in less than half the time. `None`: it is another one, or none.
    #[inline]
    pub fn parse_plain_ethernet(bytes: &'a [u8]) -> Option<Self> {
        /// The types, a bit for each. With the bit for extension headers a type byte is beyond.
        const TYPES: u32 = {
            let (mut types, mut n) = (0, 0);
            while n < 32 {
                types |= (RecordType::new(n).is_ethernet() as u32) << n;
                n += 1;
            }
            types
        };
        const ETHERNET_LEN: usize = HEADER_LEN + 2;
        let head = u128::from_le_bytes(*bytes.first_chunk::<HEADER_LEN>()?);
        let word = ((head >> 64) as u64).swap_bytes();
        let is_ethernet = TYPES.checked_shr((word >> 56) as u32).is_some_and(|types| types & 1 == 1);
        let is_plain = is_ethernet && !Flags::from_bits((word >> 48) as u8).reserved();
        let rlen = usize::from((word >> 32) as u16);
        if !is_plain || word as u16 == 0 || rlen < ETHERNET_LEN {
            return None;
        }
        Some(Self { bytes: bytes.get(..rlen)?, ts: head as u64, word, header_len: ETHERNET_LEN })
    }

    /// The timestamp.
    #[inline]
    pub const fn timestamp(&self) -> Timestamp {
        Timestamp::from_raw(self.ts)
    }

    /// The type, without the extension bit.
    #[inline]
    pub const fn record_type(&self) -> RecordType {
        RecordType::new((self.word >> 56) as u8)
    }

    /// The flags byte.
    #[inline]
    pub const fn flags(&self) -> Flags {
        Flags::from_bits((self.word >> 48) as u8)
    }

    /// Capture interface 0..=7.
    #[inline]
    pub const fn interface(&self) -> u8 {
        self.flags().interface()
    }

    /// `rlen`: the whole record in bytes, padding included.
    #[inline]
    pub const fn rlen(&self) -> u16 {
        (self.word >> 32) as u16
    }

    /// `wlen`: the packet in bytes as it was on the wire, an Ethernet FCS normally included (section 4).
    #[inline]
    pub const fn wire_len(&self) -> u16 {
        self.word as u16
    }

    /// Bytes 12..14 as stored: loss counter or colour, by type.
    #[inline]
    pub const fn lctr_raw(&self) -> u16 {
        (self.word >> 16) as u16
    }

    /// Records lost between the previous record of this stream and this one; `None` for the colour types.
    ///
    /// An increment, not a total; 65 535 means "at least that many" (section 2.2).
    #[inline]
    pub const fn loss(&self) -> Option<u16> {
        if self.record_type().is_color() { None } else { Some(self.lctr_raw()) }
    }

    /// The classification value of a colour type; `None` for the others.
    #[inline]
    pub const fn color(&self) -> Option<u16> {
        if self.record_type().is_color() { Some(self.lctr_raw()) } else { None }
    }

    /// Whether extension headers follow the record header.
    #[inline]
    pub const fn has_ext_headers(&self) -> bool {
        self.word >> 63 == 1
    }

    /// The extension headers, in order.
    pub fn ext_headers(&self) -> ExtHeaders<'a> {
        let end = self.header_len - self.record_type().sub_header_len();
        ExtHeaders::new(self.bytes.get(HEADER_LEN..end).unwrap_or_default())
    }

    /// The sub-header between the headers and the payload.
    pub fn sub_header(&self) -> SubHeader {
        SubHeader::read(self.record_type(), self.sub_header_bytes())
    }

    /// The sub-header as stored: 0, 2 or 4 bytes.
    pub fn sub_header_bytes(&self) -> &'a [u8] {
        let start = self.header_len - self.record_type().sub_header_len();
        self.bytes.get(start..self.header_len).unwrap_or_default()
    }

    /// Bytes of header, extension headers and sub-header before the payload.
    #[inline]
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    /// Bytes after the headers: payload and padding.
    #[inline]
    pub const fn available(&self) -> usize {
        self.bytes.len() - self.header_len
    }

    /// Bytes of the packet that are stored: `min(available, wlen)` (section 4).
    ///
    /// At most 52 for an ATM cell, whatever `wlen` says; none for PAD, whose `wlen` means nothing.
    #[inline]
    pub const fn captured_len(&self) -> usize {
        let limit = self.stored_limit();
        let available = self.available();
        if available < limit { available } else { limit }
    }

    /// How many bytes a whole record of this type and wire length stores.
    #[inline]
    const fn stored_limit(&self) -> usize {
        let record_type = self.record_type();
        if record_type.stores_wire_len() {
            self.wire_len() as usize
        } else if record_type.is_atm_cell() {
            ATM_CELL_LEN
        } else {
            0
        }
    }

    /// The stored bytes of the packet, from the first byte after the sub-header.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        // In bounds by construction; `get` keeps the accessor free of a panic path.
        let stored = self.bytes.get(self.header_len..).unwrap_or_default();
        stored.get(..self.stored_limit()).unwrap_or(stored)
    }

    /// What lies between the packet and the end of the record. Its content is undefined.
    pub fn padding(&self) -> &'a [u8] {
        self.bytes.get(self.header_len + self.captured_len()..).unwrap_or_default()
    }

    /// Whether fewer bytes are stored than a whole record would hold.
    ///
    /// Nothing else marks a snapped record. One that lacks only an Ethernet FCS that was never stored counts as
    /// snapped here; [`fcs`](Self::fcs) tells the two apart.
    #[inline]
    pub const fn is_snapped(&self) -> bool {
        self.available() < self.stored_limit()
    }

    /// Where the Ethernet FCS is.
    pub const fn fcs(&self) -> Fcs {
        let wire = self.wire_len() as usize;
        let available = self.available();
        if !self.record_type().is_ethernet() {
            Fcs::NotEthernet
        } else if available >= wire {
            Fcs::Stored
        } else if available + 4 == wire {
            Fcs::NotStored
        } else {
            Fcs::Snapped
        }
    }

    /// Whether the last four stored bytes are the frame's right FCS; `None` where the frame is not stored whole.
    ///
    /// `Some(false)` means a bad frame, or a writer that leaves the FCS out of `wlen`: look at several records.
    pub fn verify_fcs(&self) -> Option<bool> {
        match self.fcs() {
            Fcs::Stored => crate::fcs::verify_ethernet(self.payload()),
            _ => None,
        }
    }

    /// A packet: neither META nor PAD.
    #[inline]
    pub const fn is_packet(&self) -> bool {
        self.record_type().is_packet()
    }

    /// A META ("Provenance") record; its [`payload`](Self::payload) is the tag area.
    pub const fn is_meta(&self) -> bool {
        self.record_type().number() == RecordType::META.number()
    }

    /// A PAD record, to be skipped.
    pub const fn is_pad(&self) -> bool {
        self.record_type().number() == RecordType::PAD.number()
    }

    /// The whole record, `rlen` bytes.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

// The two below are cold and stand alone, or what they need takes registers from every loop over records.

/// Bytes of the headers of a record of this type byte, whatever it is; `None`: the chain of extension headers does not end in it.
#[cold]
#[inline(never)]
fn odd_header_len(record: &[u8], type_byte: u8) -> Option<usize> {
    let ext_len = if type_byte & 0x80 == 0 { 0 } else { chain_len(record)? };
    Some(HEADER_LEN + ext_len + RecordType::new(type_byte).sub_header_len())
}

/// Why there is no record at the start of `bytes`.
#[cold]
#[inline(never)]
fn unfit(bytes: &[u8]) -> DefectKind {
    let Some(head) = bytes.first_chunk::<HEADER_LEN>() else {
        return DefectKind::TornHeader { have: bytes.len() as u8 };
    };
    let rlen = u16::from_be_bytes([head[10], head[11]]);
    if usize::from(rlen) < HEADER_LEN {
        return DefectKind::RecordLength { rlen };
    }
    let Some(record) = bytes.get(..usize::from(rlen)) else {
        return DefectKind::TornRecord { rlen, have: bytes.len() as u16 };
    };
    match odd_header_len(record, head[8]) {
        Some(needed) => DefectKind::HeadersTooLong { rlen, needed: needed as u32 },
        None => DefectKind::OpenChain { rlen },
    }
}

/// Bytes of the extension header chain of a record of which bit 7 of the type is set; `None`: it does not end in the record.
fn chain_len(record: &[u8]) -> Option<usize> {
    let (headers, _) = record.get(HEADER_LEN..).unwrap_or_default().as_chunks::<{ ext::LEN }>();
    let last = headers.iter().position(|header| header[0] & 0x80 == 0)?;
    Some((last + 1) * ext::LEN)
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("timestamp", &self.timestamp())
            .field("type", &self.record_type())
            .field("flags", &self.flags())
            .field("rlen", &self.rlen())
            .field("lctr", &self.lctr_raw())
            .field("wlen", &self.wire_len())
            .field("ext_headers", &self.ext_headers().len())
            .field("captured", &self.captured_len())
            .finish()
    }
}

/// Two records are equal when their bytes are.
impl PartialEq for Record<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Record<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sub_header::SubHeader;
    use std::vec;
    use std::vec::Vec;

    fn record(type_byte: u8, rlen: u16, wlen: u16, total: usize) -> Vec<u8> {
        let mut bytes = vec![0x55u8; total];
        bytes[..16].fill(0);
        bytes[8] = type_byte;
        bytes[10..12].copy_from_slice(&rlen.to_be_bytes());
        bytes[14..16].copy_from_slice(&wlen.to_be_bytes());
        bytes
    }

    #[test]
    fn header_fields_and_byte_orders() {
        let bytes = [
            0x00, 0x47, 0x2f, 0x00, 0x81, 0xd7, 0x48, 0x41, // ts, little-endian
            0x02, 0x45, 0x00, 0x14, 0x12, 0x34, 0x01, 0x02, // type flags rlen lctr wlen
            0xaa, 0xbb, 0xcc, 0xdd,
        ];
        let r = Record::parse(&bytes).unwrap();
        assert_eq!(r.timestamp().raw(), 0x4148_d781_002f_4700);
        assert_eq!(r.record_type(), RecordType::ETH);
        assert_eq!((r.interface(), r.flags().varying_length()), (5, true));
        assert_eq!((r.rlen(), r.loss(), r.wire_len()), (20, Some(0x1234), 0x0102));
        assert_eq!(r.sub_header(), SubHeader::Ethernet([0xaa, 0xbb]));
        assert_eq!(r.payload(), [0xcc, 0xdd]);
        assert!(r.is_snapped());
    }

    #[test]
    fn plain_ethernet_is_what_an_audit_passes_over() {
        let mut seen = [0; 2];
        for type_byte in 0..=255u8 {
            for (flags, rlen, wlen, total) in [
                (4, 88, 64, 100),
                (0x84, 88, 64, 100),
                (4, 88, 0, 100),
                (4, 88, 64, 88),
                (4, 88, 64, 87),
                (4, 18, 64, 18),
                (4, 17, 64, 60),
                (4, 15, 9, 60),
            ] {
                let mut bytes = record(type_byte, rlen, wlen, total);
                bytes[9] = flags;
                let plain = Record::parse_plain_ethernet(&bytes);
                let expected = Record::parse(&bytes).ok().filter(|record| {
                    let mut is_odd = false;
                    crate::Audit::oddities(0, record, |_| is_odd = true);
                    record.record_type().is_ethernet() && !record.has_ext_headers() && !is_odd
                });
                let all =
                    |record: Record<'_>| (record.bytes().len(), record.header_len(), record.timestamp(), record.word);
                assert_eq!(
                    plain.map(all),
                    expected.map(all),
                    "type {type_byte}, flags {flags:#x}, {rlen} of {total} bytes, {wlen}"
                );
                seen[usize::from(plain.is_some())] += 1;
            }
        }
        // Four types, in three ways.
        assert_eq!(seen, [256 * 8 - 12, 12]);
        assert!(Record::parse_plain_ethernet(&[2; 15]).is_none());
    }

    #[test]
    fn lengths_below_the_headers_are_refused_for_every_type() {
        // CVE-2009-3829: a length smaller than the header made the payload size wrap.
        for number in 0..=127u8 {
            for rlen in 0..24u16 {
                let bytes = record(number, rlen, 100, 64);
                let needed = 16 + RecordType::new(number).sub_header_len();
                match Record::parse(&bytes) {
                    Ok(r) => {
                        assert!(usize::from(rlen) >= needed);
                        assert_eq!(r.bytes().len(), usize::from(rlen));
                    }
                    Err(DefectKind::RecordLength { rlen: seen }) => assert_eq!((seen, rlen < 16), (rlen, true)),
                    Err(DefectKind::HeadersTooLong { needed: n, .. }) => {
                        assert_eq!(n as usize, needed);
                        assert!(usize::from(rlen) < needed);
                    }
                    Err(other) => panic!("type {number} rlen {rlen}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_record_that_ends_exactly_after_its_extension_headers() {
        // libpcap pull request 290: off by one.
        let mut bytes = record(0x80 | 1, 32, 0, 32);
        bytes[16..24].copy_from_slice(&[0x91, 0, 0, 0, 0, 0, 0, 1]);
        bytes[24..32].copy_from_slice(&[0x12, 0, 0, 0, 0, 0, 0, 2]);
        let r = Record::parse(&bytes).unwrap();
        assert_eq!(r.ext_headers().len(), 2);
        assert_eq!((r.payload().len(), r.padding().len()), (0, 0));
        // The same chain in an Ethernet record leaves no room for the sub-header.
        bytes[8] = 0x82;
        assert_eq!(Record::parse(&bytes), Err(DefectKind::HeadersTooLong { rlen: 32, needed: 34 }));
        // A chain that never ends stops at rlen.
        bytes[24] |= 0x80;
        assert_eq!(Record::parse(&bytes), Err(DefectKind::OpenChain { rlen: 32 }));
    }

    #[test]
    fn lengths_by_the_rules_of_section_4() {
        let whole = record(2, 88, 64, 88);
        let r = Record::parse(&whole).unwrap();
        assert_eq!((r.captured_len(), r.padding().len(), r.is_snapped(), r.fcs()), (64, 6, false, Fcs::Stored));

        let no_fcs = record(2, 78, 64, 78);
        let r = Record::parse(&no_fcs).unwrap();
        assert_eq!((r.captured_len(), r.is_snapped(), r.fcs()), (60, true, Fcs::NotStored));

        let snapped = record(2, 48, 1518, 48);
        let r = Record::parse(&snapped).unwrap();
        assert_eq!((r.captured_len(), r.padding().len(), r.fcs()), (30, 0, Fcs::Snapped));

        let cell = record(3, 72, 53, 72);
        let r = Record::parse(&cell).unwrap();
        assert_eq!((r.captured_len(), r.padding().len(), r.wire_len(), r.is_snapped()), (52, 4, 53, false));

        let pad = record(48, 64, 999, 64);
        let r = Record::parse(&pad).unwrap();
        assert_eq!((r.captured_len(), r.padding().len(), r.is_snapped()), (0, 48, false));

        let empty = record(1, 16, 0, 16);
        assert_eq!(Record::parse(&empty).unwrap().payload(), []);
    }

    #[test]
    fn color_types_have_no_loss() {
        let mut bytes = record(17, 24, 4, 24);
        bytes[12..14].copy_from_slice(&7u16.to_be_bytes());
        let r = Record::parse(&bytes).unwrap();
        assert_eq!((r.loss(), r.color(), r.lctr_raw()), (None, Some(7), 7));
    }

    #[test]
    fn a_torn_record_says_what_is_there() {
        let bytes = record(2, 88, 64, 80);
        assert_eq!(Record::parse(&bytes), Err(DefectKind::TornRecord { rlen: 88, have: 80 }));
        assert_eq!(Record::parse(&bytes[..9]), Err(DefectKind::TornHeader { have: 9 }));
    }
}
