//! [`Port`]: what came from one host, source and interface.

use super::shapes::Shape;
use crate::Timestamp;

/// Packets of one port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Port {
    /// How many.
    pub packets: u64,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Their bytes in the file.
    pub captured_bytes: u64,
    /// Sum of their loss counters.
    pub lost: u64,
    /// Packets that were bad on the wire.
    pub rx_errors: u64,
    /// Stamp of the first one in the file.
    pub first: Option<Timestamp>,
    /// Stamp of the last one in the file.
    pub last: Option<Timestamp>,
}

impl Port {
    /// `count` packets of one shape, whose stamps and losses are [seen](Self::see) one by one.
    pub(super) fn add(&mut self, shape: &Shape, count: u64) {
        self.packets += count;
        self.wire_bytes += u64::from(shape.wire_len) * count;
        self.captured_bytes += u64::from(shape.captured_len) * count;
        self.rx_errors += if shape.rx_error { count } else { 0 };
    }

    /// The next packet's stamp and loss.
    #[inline]
    pub(super) fn see(&mut self, stamp: Timestamp, lost: u16) {
        self.lost += u64::from(lost);
        if self.first.is_none() {
            self.first = Some(stamp);
        }
        self.last = Some(stamp);
    }

    pub(super) fn merge(&mut self, next: &Self) {
        self.packets += next.packets;
        self.wire_bytes += next.wire_bytes;
        self.captured_bytes += next.captured_bytes;
        self.lost += next.lost;
        self.rx_errors += next.rx_errors;
        self.first = self.first.or(next.first);
        self.last = next.last.or(self.last);
    }
}
