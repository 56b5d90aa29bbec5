//! What a pass over records adds up to.

use erf_core::{Record, Timestamp};

/// Sums over records, the same as `erf info` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// All records, META and PAD included.
    pub records: u64,
    /// Bytes on the wire, of packets only.
    pub wire_bytes: u64,
    /// Bytes stored, of packets only.
    pub captured_bytes: u64,
    /// Sum of the loss counters, those of META and PAD included; a lower bound, as a counter sticks at 65 535.
    pub lost: u64,
    /// Earliest stamp; PAD has no time.
    pub first: Option<Timestamp>,
    /// Latest stamp.
    pub last: Option<Timestamp>,
}

impl Totals {
    /// Adds a record.
    pub fn add(&mut self, record: &Record<'_>) {
        self.records += 1;
        self.lost += u64::from(record.loss().unwrap_or(0));
        if record.is_packet() {
            self.wire_bytes += u64::from(record.wire_len());
            self.captured_bytes += record.captured_len() as u64;
        }
        if !record.is_pad() {
            let stamp = record.timestamp();
            self.first = Some(self.first.map_or(stamp, |first| first.min(stamp)));
            self.last = Some(self.last.map_or(stamp, |last| last.max(stamp)));
        }
    }
}
