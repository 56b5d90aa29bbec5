//! Telling ERF from other formats: there is no magic, so known magics are excluded and the first records weighed.

use core::fmt;

use crate::defect::{Defect, DefectKind};
use crate::plausible::FIRST_SECOND;
use crate::record::Record;
use crate::record_type::RecordType;
use crate::timestamp::Timestamp;

/// Bytes of a file's beginning that [`Format::detect`] wants to see, if the file has as many: room for three of the
/// longest records.
pub const DETECT_LEN: usize = 256 * 1024;

/// Records that are weighed.
const WINDOW: usize = 20;

/// Records that must be good, so that others may be odd.
const ENOUGH: usize = 3;

/// What the beginning of a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// ERF records.
    Erf,
    /// No bytes at all: a valid ERF file of no records.
    Empty,
    /// Classic pcap, microseconds or nanoseconds, either byte order.
    Pcap,
    /// pcapng.
    PcapNg,
    /// Compressed: gzip.
    Gzip,
    /// Compressed: bzip2.
    Bzip2,
    /// Compressed: xz.
    Xz,
    /// Compressed: zstd.
    Zstd,
    /// Compressed: lz4 frame.
    Lz4,
    /// Another format, known by its magic.
    Other(&'static str),
    /// None of these, and no ERF.
    Unknown(NotErf),
}

/// Why bytes were not taken for ERF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotErf {
    /// Offset of the record that did not fit.
    pub offset: u64,
    /// What did not fit.
    pub reason: Reason,
}

/// What did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No record at all.
    Defect(DefectKind),
    /// A type that no public reader knows.
    Type(RecordType),
    /// Type 0: records from before ERF. Readable when forced.
    Legacy,
    /// Reserved flag bit 7 is set.
    ReservedFlag,
    /// Stamped before 1995 or more than a day in the future.
    Time(Timestamp),
    /// Stamps go back or forward by more than 365 days.
    TimeStep,
}

impl Format {
    /// What a file that begins with `head` is. `complete`: `head` is all of it.
    ///
    /// Give [`DETECT_LEN`] bytes where there are as many. `now` is the latest plausible time less a day; without one only
    /// times before 1995 are refused. The rules are those of `erf-format.md` section 8: known magics are excluded,
    /// then up to 20 records are weighed. Their lengths must lead from one to the next, and three must be good, or, where fewer are,
    /// none odd. The order of stamps and the wire length are not weighed: an unsorted file and one of empty packets are ERF.
    pub fn detect(head: &[u8], complete: bool, now: Option<Timestamp>) -> Self {
        if head.is_empty() {
            return Self::Empty;
        }
        by_magic(head).unwrap_or_else(|| match weigh(head, complete, now) {
            Ok(()) => Self::Erf,
            Err(not) => Self::Unknown(not),
        })
    }

    /// What the first bytes say, if they are a magic; never [`Format::Erf`].
    pub fn by_magic(head: &[u8]) -> Option<Self> {
        by_magic(head)
    }
}

fn by_magic(head: &[u8]) -> Option<Format> {
    const MAGICS: &[(&[u8], Format)] = &[
        (&[0xA1, 0xB2, 0xC3, 0xD4], Format::Pcap),
        (&[0xD4, 0xC3, 0xB2, 0xA1], Format::Pcap),
        (&[0xA1, 0xB2, 0x3C, 0x4D], Format::Pcap),
        (&[0x4D, 0x3C, 0xB2, 0xA1], Format::Pcap),
        (&[0xA1, 0xB2, 0xCD, 0x34], Format::Other("pcap of Alexey Kuznetzov's modification")),
        (&[0x34, 0xCD, 0xB2, 0xA1], Format::Other("pcap of Alexey Kuznetzov's modification")),
        (&[0x0A, 0x0D, 0x0D, 0x0A], Format::PcapNg),
        (&[0x1F, 0x8B, 0x08], Format::Gzip),
        (b"BZh", Format::Bzip2),
        (&[0xFD, b'7', b'z', b'X', b'Z', 0x00], Format::Xz),
        (&[0x28, 0xB5, 0x2F, 0xFD], Format::Zstd),
        (&[0x04, 0x22, 0x4D, 0x18], Format::Lz4),
        (b"snoop\0\0\0", Format::Other("snoop")),
        (b"\x54\x52\x53\x4E\x49\x46\x46", Format::Other("NetXRay/Sniffer")),
        (b"PK\x03\x04", Format::Other("zip")),
        (b"\x7fELF", Format::Other("an ELF program")),
    ];
    // A zstd file may begin with a skippable frame.
    if let Some([low, 0x2A, 0x4D, 0x18]) = head.first_chunk::<4>()
        && (0x50..=0x5F).contains(low)
    {
        return Some(Format::Zstd);
    }
    MAGICS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, format)| *format)
}

fn weigh(head: &[u8], complete: bool, now: Option<Timestamp>) -> Result<(), NotErf> {
    let mut at = 0usize;
    let mut good = 0usize;
    let mut odd: Option<NotErf> = None;
    let mut last: Option<Timestamp> = None;
    let not = |at: usize, reason| NotErf { offset: at as u64, reason };
    for _ in 0..WINDOW {
        let rest = head.get(at..).unwrap_or_default();
        // A pipe is known by its first record, unless that is an odd one.
        if rest.is_empty() && (complete || (good > 0 && odd.is_none())) {
            break;
        }
        let record = match Record::parse(rest) {
            Ok(record) => record,
            // A torn record after enough good ones is a crash tail, or merely the end of what we were given.
            Err(kind) if kind.is_torn() && good >= ENOUGH => break,
            // So is an empty tail of a preallocated file.
            Err(DefectKind::RecordLength { rlen: 0 }) if good >= ENOUGH && rest.iter().all(|&b| b == 0) => break,
            Err(kind) => return Err(not(at, Reason::Defect(kind))),
        };
        let weighed = weigh_record(&record, last, now);
        match weighed {
            Ok(()) => good += 1,
            Err(Reason::Legacy) => return Err(not(at, Reason::Legacy)),
            // Whoever makes META may have no clock.
            Err(_) if record.is_meta() => {}
            Err(reason) => odd = odd.or(Some(not(at, reason))),
        }
        // No step can be told from a stamp that is none.
        if !record.is_pad() && !matches!(weighed, Err(Reason::Time(_))) {
            last = Some(record.timestamp());
        }
        at += record.bytes().len();
    }
    match odd {
        Some(odd) if good < ENOUGH => Err(odd),
        _ => Ok(()),
    }
}

fn weigh_record(record: &Record<'_>, last: Option<Timestamp>, now: Option<Timestamp>) -> Result<(), Reason> {
    const DAY: u64 = 86_400 << 32;
    let record_type = record.record_type();
    if record_type == RecordType::LEGACY {
        return Err(Reason::Legacy);
    }
    if !record_type.is_known() {
        return Err(Reason::Type(record_type));
    }
    if record.flags().reserved() {
        return Err(Reason::ReservedFlag);
    }
    if record.is_pad() {
        return Ok(());
    }
    let ts = record.timestamp();
    let future = now.is_some_and(|now| ts.raw() > now.raw().saturating_add(DAY));
    if ts.secs() < FIRST_SECOND || future {
        return Err(Reason::Time(ts));
    }
    if let Some(last) = last {
        let back = last.raw().saturating_sub(ts.raw());
        let forward = ts.raw().saturating_sub(last.raw());
        if back > 365 * DAY || forward > 365 * DAY {
            return Err(Reason::TimeStep);
        }
    }
    Ok(())
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Erf => f.write_str("ERF"),
            Self::Empty => f.write_str("empty"),
            Self::Pcap => f.write_str("pcap"),
            Self::PcapNg => f.write_str("pcapng"),
            Self::Gzip => f.write_str("gzip"),
            Self::Bzip2 => f.write_str("bzip2"),
            Self::Xz => f.write_str("xz"),
            Self::Zstd => f.write_str("zstd"),
            Self::Lz4 => f.write_str("lz4"),
            Self::Other(name) => f.write_str(name),
            Self::Unknown(not) => write!(f, "not ERF ({not})"),
        }
    }
}

impl fmt::Display for NotErf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Reason::Defect(kind) => Defect::new(self.offset, kind).fmt(f),
            reason => write!(f, "byte {}: {reason}", self.offset),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defect(kind) => kind.fmt(f),
            Self::Type(t) => write!(f, "record type {} is in no public list", t.number()),
            Self::Legacy => f.write_str("record type 0, from before ERF"),
            Self::ReservedFlag => f.write_str("reserved flag bit 7 is set"),
            Self::Time(ts) => write!(f, "stamped {ts}, before 1995 or in the future"),
            Self::TimeStep => f.write_str("stamps step back or forward by more than a year"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::RecordBuilder;

    const NOW: Timestamp = Timestamp::from_parts(1_800_000_000, 0);

    fn record(record_type: u8, secs: u32, len: usize) -> Vec<u8> {
        let payload = std::vec![7; len];
        let builder = RecordBuilder::new(RecordType::new(record_type)).timestamp(Timestamp::from_parts(secs, 0));
        builder.payload(&payload).to_vec().unwrap()
    }

    /// Ethernet, stamped so many seconds after the first one.
    fn at(secs: u32) -> Vec<u8> {
        record(2, 1_700_000_000 + secs, 60)
    }

    fn reserved() -> Vec<u8> {
        let mut bytes = at(0);
        bytes[9] |= 0x80;
        bytes
    }

    fn whole(records: &[Vec<u8>]) -> Format {
        Format::detect(&records.concat(), true, Some(NOW))
    }

    fn refused(records: &[Vec<u8>]) -> NotErf {
        match whole(records) {
            Format::Unknown(not) => not,
            format => panic!("{format}"),
        }
    }

    #[test]
    fn one_odd_record_does_not_decide() {
        let odd = [reserved(), record(60, 1_700_000_000, 60), record(2, 5, 60), record(2, 1_000_000_000, 60)];
        for odd in &odd {
            for place in 0..=3 {
                let mut records = std::vec![at(0), at(1), at(2), at(3)];
                records.insert(place, odd.clone());
                assert_eq!(whole(&records), Format::Erf, "{odd:02x?} at {place}");
            }
        }
        for odd in odd.into_iter().take(3) {
            assert_ne!(whole(&[odd.clone(), odd.clone(), odd, at(0), at(0)]), Format::Erf);
        }
    }

    #[test]
    fn fewer_good_ones_than_three_are_enough_only_alone() {
        assert_eq!(whole(&[at(0)]), Format::Erf);
        assert_eq!(whole(&[at(0), at(0), at(0), reserved()]), Format::Erf);
        let not = refused(&[at(0), at(0), reserved()]);
        assert_eq!((not.offset, not.reason), (2 * at(0).len() as u64, Reason::ReservedFlag));
        let torn = &at(0)[..40];
        assert!(matches!(refused(&[at(0), at(0), torn.to_vec()]).reason, Reason::Defect(kind) if kind.is_torn()));
        assert_eq!(whole(&[at(0), at(0), at(0), torn.to_vec()]), Format::Erf);
        // More may come, of which three are good.
        let begun = [reserved(), at(0)].concat();
        let format = Format::detect(&begun, false, Some(NOW));
        let is_torn = |reason| matches!(reason, Reason::Defect(kind) if kind.is_torn());
        assert!(matches!(format, Format::Unknown(not) if is_torn(not.reason)), "{format}");
        assert_eq!(Format::detect(&at(0), false, Some(NOW)), Format::Erf, "a pipe is known by its first record");
    }

    #[test]
    fn the_chain_of_lengths_holds_or_it_is_no_erf() {
        let not = refused(&[at(0), at(0), at(0), at(0), std::vec![7; 8], at(0)]);
        assert!(matches!(not.reason, Reason::Defect(_) | Reason::Type(_)), "{not}");
        assert_eq!(refused(&[at(0), at(0), at(0), record(0, 1_700_000_000, 60)]).reason, Reason::Legacy);
    }

    #[test]
    fn what_is_out_of_order_and_what_is_empty_is_erf() {
        let backwards: Vec<_> = (0..20).rev().map(|n| at(3600 * n)).collect();
        assert_eq!(whole(&backwards), Format::Erf);
        for wlen in [0, 4] {
            let mut packet = at(0);
            packet[14..16].copy_from_slice(&[0, wlen]);
            assert_eq!(whole(&[packet]), Format::Erf, "wire length {wlen}");
        }
        let mut meta = record(27, 0, 0);
        meta[14..16].fill(0);
        assert_eq!(whole(&[meta.clone(), at(0)]), Format::Erf);
        assert_eq!(whole(&[meta]), Format::Erf);
    }
}
