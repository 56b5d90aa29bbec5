//! [`Tally`]: what has been looked at.

use erf::{Record, Timestamp};

/// Counts over the packets looked at, the loss aside.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Packets handed to the writer.
    pub(super) chosen: u64,
    /// Bytes of all records handed to the writer, META included, as they will be in the file.
    pub(super) bytes: u64,
    pub(super) filtered: u64,
    pub(super) truncated: u64,
    pub(super) rx_errors: u64,
    pub(super) ds_errors: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    /// Every bit of the fraction of a second that was set in some stamp.
    fraction: u32,
}

impl Tally {
    /// A packet that goes to the writer and takes `bytes` of the file.
    #[inline]
    pub(super) fn choose(&mut self, record: &Record<'_>, bytes: u64) {
        let flags = record.flags();
        self.chosen += 1;
        self.bytes += bytes;
        self.truncated += u64::from(flags.truncated());
        self.rx_errors += u64::from(flags.rx_error());
        self.ds_errors += u64::from(flags.ds_error());
        self.first.get_or_insert(record.timestamp());
        self.last = Some(record.timestamp());
        // The low half of the stamp.
        self.fraction |= record.timestamp().raw() as u32;
    }

    /// Active bits of the fraction as the stamps show them; 0 where there are none.
    pub(super) fn active_bits(&self) -> u8 {
        // At most 32.
        32u32.saturating_sub(self.fraction.trailing_zeros()) as u8
    }
}
