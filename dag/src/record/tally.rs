//! [`Tally`]: what has been looked at.

use erf::session::Account;
use erf::{Record, Timestamp};

use super::loss::Count;

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

    /// What has been added since `before`. The first stamp is that of the first packet since, if it was taken out before.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            chosen: self.chosen - before.chosen,
            bytes: self.bytes - before.bytes,
            filtered: self.filtered - before.filtered,
            truncated: self.truncated - before.truncated,
            rx_errors: self.rx_errors - before.rx_errors,
            ds_errors: self.ds_errors - before.ds_errors,
            ..*self
        }
    }

    /// The account of these packets, of which `delivered` are in the file.
    pub(super) fn account(&self, delivered: u64, lost: Count) -> Account {
        let delivered = delivered.min(self.chosen);
        let mut account = Account::default();
        account.received = self.chosen + self.filtered + lost.lost;
        account.delivered = delivered;
        account.lost_card = lost.lost;
        account.lost_writer = self.chosen - delivered;
        account.filtered = self.filtered;
        account.loss_exact = lost.exact;
        account.truncated = self.truncated;
        account.rx_errors = self.rx_errors;
        account.ds_errors = self.ds_errors;
        account.first = self.first.filter(|_| delivered > 0);
        account.last = self.last.filter(|_| delivered > 0);
        account.tick_bits = self.active_bits();
        account
    }
}
