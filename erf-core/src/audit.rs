//! [`Audit`]: what is odd about records that can be read.

use crate::defect::{Defect, DefectKind};
use crate::meta::{Meta, Value};
use crate::record::Record;
use crate::record_type::RecordType;
use crate::timestamp::Timestamp;

const YEAR: i64 = (365 * 86_400) << 32;

/// Remarks about readable records, for a check of a file: give it every record in order.
///
/// Covers the rows of `erf-format.md` section 11 that are no obstacle to reading: odd types, lengths, flags and stamps.
/// Time steps are judged against the previous record of the same interface, since records of different interfaces are
/// only roughly in order; PAD has no time.
///
/// Of a file that is walked in pieces each piece has its own, and [`join`](Self::join) finds what lies between them.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// Where the first record of each interface stands, and its stamp.
    first: [Option<(u64, Timestamp)>; 8],
    last: [Option<Timestamp>; 8],
}

impl Audit {
    /// Before the first record.
    pub const fn new() -> Self {
        Self { first: [None; 8], last: [None; 8] }
    }

    /// Gives `remark` everything odd about `record`, which stands at `offset`.
    pub fn record(&mut self, offset: u64, record: &Record<'_>, mut remark: impl FnMut(Defect)) {
        Self::oddities(offset, record, &mut remark);
        if !record.is_pad() {
            self.stamp(offset, record, remark);
        }
    }

    /// The same of `record` alone, without its stamp: all warnings there are, and the notes that need no other record.
    #[inline]
    pub fn oddities(offset: u64, record: &Record<'_>, remark: impl FnMut(Defect)) {
        let record_type = record.record_type();
        let is_plain = record_type.is_packet() && record_type.is_known() && record_type != RecordType::LEGACY;
        // Nearly every record.
        if is_plain && !record.flags().reserved() && record.wire_len() > 0 {
            return;
        }
        Self::look_for_oddities(offset, record, remark);
    }

    #[cold]
    fn look_for_oddities(offset: u64, record: &Record<'_>, mut remark: impl FnMut(Defect)) {
        let mut remark = |kind| remark(Defect::new(offset, kind));
        let record_type = record.record_type();
        if record_type == RecordType::LEGACY {
            remark(DefectKind::LegacyType);
        } else if !record_type.is_known() {
            remark(DefectKind::UnknownType { number: record_type.number() });
        }
        if record.flags().reserved() {
            remark(DefectKind::ReservedFlag);
        }
        if record.is_pad() {
            return;
        }
        // A record is at most 65 535 bytes long, so these fit.
        let available = record.available() as u16;
        if record.wire_len() == 0 && available > 0 {
            remark(DefectKind::ZeroWireLength { available });
        }
        if record.is_meta() {
            if record.is_snapped() {
                remark(DefectKind::MetaTruncated { missing: record.wire_len() - available });
            }
            tags(record, &mut remark);
        }
    }

    /// Goes on with `next`, which has seen the records that come after all those seen here: gives `remark` what is odd about
    /// the time between them, by interface. That is the last that is to be said of a record.
    pub fn join(&mut self, next: &Self, mut remark: impl FnMut(Defect)) {
        let seen = self.first.iter_mut().zip(&mut self.last);
        for ((first, last), (next_first, next_last)) in seen.zip(next.first.iter().zip(&next.last)) {
            if let (Some(before), Some((offset, ts))) = (*last, *next_first)
                && let Some(kind) = step(before, ts)
            {
                remark(Defect::new(offset, kind));
            }
            *first = first.or(*next_first);
            *last = next_last.or(*last);
        }
    }

    /// Takes the stamp of a packet of `interface` that follows another one of it, with nothing odd between them. `false`: it is not taken, and
    /// [`stamp`](Self::stamp) or [`record`](Self::record) has something to remember or to remark.
    #[inline]
    pub fn goes_on(&mut self, interface: u8, ts: Timestamp) -> bool {
        match self.last.get_mut(usize::from(interface)) {
            // A step back is beyond a year, too.
            Some(Some(last)) if ts.raw().wrapping_sub(last.raw()) <= YEAR as u64 && ts != Timestamp::ZERO => {
                *last = ts;
                true
            }
            _ => false,
        }
    }

    /// Looks at nothing but the stamp of `record`, which is no PAD: together with [`oddities`](Self::oddities) what
    /// [`record`](Self::record) does.
    #[inline]
    pub fn stamp(&mut self, offset: u64, record: &Record<'_>, mut remark: impl FnMut(Defect)) {
        let mut remark = |kind| remark(Defect::new(offset, kind));
        let ts = record.timestamp();
        if ts == Timestamp::ZERO {
            remark(DefectKind::TimeZero);
        }
        let port = usize::from(record.interface());
        let Some(last) = self.last.get_mut(port) else { return };
        match last.replace(ts) {
            Some(before) => {
                if let Some(kind) = step(before, ts) {
                    remark(kind);
                }
            }
            None => {
                if let Some(first) = self.first.get_mut(port) {
                    *first = Some((offset, ts));
                }
            }
        }
    }
}

/// What is odd about a stamp that follows another of the same interface.
fn step(before: Timestamp, ts: Timestamp) -> Option<DefectKind> {
    let step = ts - before;
    match step.raw() {
        ..0 => Some(DefectKind::TimeBackwards { by: step.abs() }),
        raw if raw > YEAR => Some(DefectKind::TimeJump { by: step }),
        _ => None,
    }
}

/// Tags of a META record that cannot be read. Those cut off with the end of their record are told as that, once.
fn tags(record: &Record<'_>, remark: &mut impl FnMut(DefectKind)) {
    for tag in Meta::new(record.payload()).tags() {
        // Offsets and lengths within a record fit 16 bits.
        match tag {
            Ok(tag) if matches!(tag.value(), Value::TooShort { .. }) => {
                remark(DefectKind::MetaValue { tag: tag.tag_type().number(), len: tag.bytes().len() as u16 });
            }
            Err(defect) if !record.is_snapped() => remark(DefectKind::MetaTag { at: defect.offset as u16 }),
            Ok(_) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordBuilder;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn defects(audit: &mut Audit, at: u64, record: &[u8]) -> Vec<Defect> {
        let mut found = Vec::new();
        audit.record(at, &Record::parse(record).unwrap(), |defect| found.push(defect));
        found
    }

    fn meta(area: &[u8]) -> Vec<u8> {
        let stamp = Timestamp::from_parts(1_700_000_000, 0);
        RecordBuilder::new(RecordType::META).timestamp(stamp).payload(area).to_vec().unwrap()
    }

    #[test]
    fn tags_that_cannot_be_read_are_told_with_their_place() {
        let kinds = |record: &[u8]| -> Vec<DefectKind> {
            defects(&mut Audit::new(), 0, record).into_iter().map(|defect| defect.kind).collect()
        };
        assert_eq!(kinds(&meta(&[0, 2, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0])), []);
        // A gen_time of four bytes, the shape behind CVE-2026-76884.
        assert_eq!(kinds(&meta(&[0, 2, 0, 4, 0, 0, 0, 0])), [DefectKind::MetaValue { tag: 2, len: 4 }]);
        // An empty one is cleared, not broken; the tag behind it runs over the end.
        assert_eq!(kinds(&meta(&[0, 2, 0, 0, 0, 1, 0, 9, b'x'])), [DefectKind::MetaTag { at: 4 }]);
        // Cut off with the end of the record: told as that alone.
        let mut cut = meta(&[0, 1, 0, 4, b'w', b'o', b'r', b'd']);
        cut.truncate(20);
        cut[10..12].copy_from_slice(&20u16.to_be_bytes());
        assert_eq!(kinds(&cut), [DefectKind::MetaTruncated { missing: 4 }]);
    }

    proptest! {
        #[test]
        fn pieces_joined_say_what_one_audit_says(
            records in prop::collection::vec((0u8..3, 0u32..4, any::<bool>()), 0..40),
            cuts in prop::collection::vec(0usize..40, 0..5),
        ) {
            let mut bytes = Vec::new();
            for (interface, secs, far) in records {
                let stamp = Timestamp::from_parts(secs + if far { 0x7000_0000 } else { 0 }, 0);
                let record = RecordBuilder::new(RecordType::IPV4).timestamp(stamp).interface(interface).payload(&[7; 8]);
                bytes.push(record.to_vec().unwrap());
            }
            let mut whole = (Audit::new(), Vec::new());
            let mut joined = (Audit::new(), Vec::new());
            let mut piece = (Audit::new(), Vec::new());
            for (at, record) in bytes.iter().enumerate() {
                if cuts.contains(&at) {
                    let next = core::mem::take(&mut piece);
                    joined.1.extend(next.1);
                    joined.0.join(&next.0, |defect| joined.1.push(defect));
                }
                whole.1.extend(defects(&mut whole.0, at as u64, record));
                piece.1.extend(defects(&mut piece.0, at as u64, record));
            }
            joined.1.extend(piece.1);
            joined.0.join(&piece.0, |defect| joined.1.push(defect));
            // The step of a record is the last that is said of it.
            joined.1.sort_by_key(|defect| defect.offset);
            prop_assert_eq!(whole.1, joined.1);
        }
    }
}
