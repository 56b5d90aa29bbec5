//! [`Port`]: what came from one host, source and interface.

use crate::{Record, Timestamp};

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
    #[inline]
    pub(super) fn add(&mut self, record: &Record<'_>, lost: u16) {
        self.packets += 1;
        self.wire_bytes += u64::from(record.wire_len());
        self.captured_bytes += record.captured_len() as u64;
        self.lost += u64::from(lost);
        self.rx_errors += u64::from(record.flags().rx_error());
        self.first = self.first.or(Some(record.timestamp()));
        self.last = Some(record.timestamp());
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
