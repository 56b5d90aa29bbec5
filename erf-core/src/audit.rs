//! [`Audit`]: what is odd about records that can be read.

use crate::defect::{Defect, DefectKind};
use crate::record::Record;
use crate::record_type::RecordType;
use crate::timestamp::Timestamp;

const YEAR: i64 = (365 * 86_400) << 32;

/// Remarks about readable records, for a check of a file: give it every record in order.
///
/// Covers the rows of `erf-format.md` section 11 that are no obstacle to reading: odd types, lengths, flags and stamps.
/// Time steps are judged against the previous record of the same interface, since records of different interfaces are
/// only roughly in order; PAD has no time.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    last: [Option<Timestamp>; 8],
}

impl Audit {
    /// Before the first record.
    pub const fn new() -> Self {
        Self { last: [None; 8] }
    }

    /// Gives `remark` everything odd about `record`, which stands at `offset`.
    pub fn record(&mut self, offset: u64, record: &Record<'_>, mut remark: impl FnMut(Defect)) {
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
        if record.is_meta() && record.is_snapped() {
            remark(DefectKind::MetaTruncated { missing: record.wire_len() - available });
        }
        self.time(record, remark);
    }

    fn time(&mut self, record: &Record<'_>, mut remark: impl FnMut(DefectKind)) {
        let ts = record.timestamp();
        if ts == Timestamp::ZERO {
            remark(DefectKind::TimeZero);
        }
        let Some(last) = self.last.get_mut(usize::from(record.interface())) else { return };
        if let Some(before) = last.replace(ts) {
            let step = ts - before;
            if step.raw() < 0 {
                remark(DefectKind::TimeBackwards { by: step.abs() });
            } else if step.raw() > YEAR {
                remark(DefectKind::TimeJump { by: step });
            }
        }
    }
}
