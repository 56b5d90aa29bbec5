//! [`Loss`]: how many packets were lost up to the last record looked at.

use erf::Record;

use crate::backend::Drops;

/// `lctr` sticks here (`erf-format.md` section 2.2).
const STUCK: u16 = 0xFFFF;

/// What the loss counters of records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Told {
    /// Their sum.
    sum: u64,
    /// One of them was stuck, or a record had a colour in its place: the sum is a lower bound.
    incomplete: bool,
}

impl Told {
    /// Both.
    pub(super) fn join(&mut self, other: Self) {
        self.sum += other.sum;
        self.incomplete |= other.incomplete;
    }

    #[inline]
    pub(super) fn add(&mut self, record: &Record<'_>) {
        match record.loss() {
            Some(0) => {}
            Some(count) => {
                self.sum += u64::from(count);
                self.incomplete |= count == STUCK;
            }
            None => self.incomplete = true,
        }
    }
}

/// The stream's 32-bit drop counter, made 64 bits wide by looking at it often.
#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    total: u64,
    last: u32,
    pending: u64,
}

/// How many packets were lost.
#[derive(Debug, Default)]
pub(super) struct Loss {
    /// By the records looked at.
    pub(super) told: Told,
    /// By those of files that are complete.
    earlier: Told,
    counter: Option<Counter>,
    /// Bytes in stream memory were no records: what was in them is not known.
    pub(super) damaged: bool,
}

/// A number of packets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) lost: u64,
    /// Otherwise it is a lower bound.
    pub(super) exact: bool,
}

impl Loss {
    /// Takes note of the drop counter. To be called more often than it can wrap: at 100 million packets a second that is
    /// every 40 s.
    pub(super) fn observe(&mut self, drops: Option<Drops>) {
        let Some(drops) = drops else { return };
        let counter = self.counter.get_or_insert_default();
        counter.total += u64::from(drops.counter.wrapping_sub(counter.last));
        counter.last = drops.counter;
        counter.pending = drops.pending.unwrap_or(0);
    }

    /// What all records tell.
    fn all(&self) -> Told {
        Told { sum: self.earlier.sum + self.told.sum, incomplete: self.earlier.incomplete || self.told.incomplete }
    }

    /// The loss that the records tell since the last file ended; another one ends here.
    pub(super) fn end_part(&mut self) -> Count {
        let told = self.told;
        self.earlier = self.all();
        self.told = Told::default();
        Count { lost: told.sum, exact: !told.incomplete && !self.damaged }
    }

    /// The loss that has been told for files that are complete.
    pub(super) fn earlier(&self) -> u64 {
        self.earlier.sum
    }

    /// Drops behind the last record in stream memory, once the stream is stopped and the counter observed.
    pub(super) fn pending(&self) -> u64 {
        self.counter.map_or(0, |counter| counter.pending)
    }

    /// The loss so far, as near as can be told while packets come in.
    pub(super) fn so_far(&self) -> u64 {
        self.counter.map_or(self.all().sum, |counter| counter.total)
    }

    /// The loss up to the last record looked at, once the stream is stopped and the counter observed. `unread`: what the
    /// records tell that were left in stream memory.
    ///
    /// The drop counter is exact where there is one: of what it counts, the pending drops come after the last record in
    /// stream memory, and the unread records tell what came before each of them.
    pub(super) fn up_to_last(&self, unread: Told) -> Count {
        let count = match self.counter {
            Some(counter) if !unread.incomplete => {
                let lost = counter.total.saturating_sub(counter.pending).saturating_sub(unread.sum);
                Count { lost, exact: true }
            }
            _ => Count { lost: self.all().sum, exact: !self.all().incomplete },
        };
        Count { exact: count.exact && !self.damaged, ..count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops(counter: u32, pending: u64) -> Option<Drops> {
        Some(Drops { counter, pending: Some(pending) })
    }

    #[test]
    fn the_counter_knows_what_a_stuck_lctr_does_not() {
        let mut loss = Loss { told: Told { sum: 65_535, incomplete: true }, ..Loss::default() };
        loss.observe(drops(100_000, 7));
        assert_eq!(loss.up_to_last(Told::default()), Count { lost: 99_993, exact: true });
        let unread = Told { sum: 10_000, incomplete: false };
        assert_eq!(loss.up_to_last(unread), Count { lost: 89_993, exact: true });
        let unknown = Told { sum: 65_535, incomplete: true };
        assert_eq!(loss.up_to_last(unknown), Count { lost: 65_535, exact: false });
    }

    #[test]
    fn without_a_counter_the_records_tell() {
        let mut loss = Loss { told: Told { sum: 5, incomplete: false }, ..Loss::default() };
        loss.observe(None);
        assert_eq!(loss.up_to_last(Told::default()), Count { lost: 5, exact: true });
        loss.damaged = true;
        assert!(!loss.up_to_last(Told::default()).exact);
    }

    #[test]
    fn each_file_tells_its_own_loss_and_all_of_them_the_whole() {
        let mut loss = Loss { told: Told { sum: 65_535, incomplete: true }, ..Loss::default() };
        assert_eq!(loss.end_part(), Count { lost: 65_535, exact: false });
        loss.told.sum = 5;
        assert_eq!(loss.end_part(), Count { lost: 5, exact: true });
        assert_eq!((loss.end_part(), loss.earlier()), (Count { lost: 0, exact: true }, 65_540));
        assert_eq!(loss.up_to_last(Told::default()), Count { lost: 65_540, exact: false });
    }

    #[test]
    fn the_counter_may_wrap() {
        let mut loss = Loss::default();
        for counter in [u32::MAX - 1, 3, 10] {
            loss.observe(drops(counter, 0));
        }
        assert_eq!(loss.so_far(), (1 << 32) + 10);
    }
}
