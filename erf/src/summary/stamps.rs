//! [`Stamps`]: first, last, earliest, latest, order and step.

use crate::{Tick, TimeDelta, Timestamp};

/// The stamps of a sequence of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stamps {
    /// How many.
    pub count: u64,
    /// Of the first record in the file.
    pub first: Option<Timestamp>,
    /// Of the last record in the file.
    pub last: Option<Timestamp>,
    /// The smallest.
    pub earliest: Option<Timestamp>,
    /// The greatest.
    pub latest: Option<Timestamp>,
    /// Stamps smaller than the one before, whatever their interfaces. Records of several interfaces are only roughly in order.
    pub out_of_order: u64,
    /// Every fraction bit that is set in any.
    bits: u32,
}

impl Stamps {
    #[inline]
    pub(super) fn add(&mut self, ts: Timestamp) {
        self.count += 1;
        self.bits |= ts.frac();
        if let (Some(last), Some(earliest), Some(latest)) = (self.last, self.earliest, self.latest) {
            self.out_of_order += u64::from(ts < last);
            self.earliest = Some(earliest.min(ts));
            self.latest = Some(latest.max(ts));
        } else {
            (self.first, self.earliest, self.latest) = (Some(ts), Some(ts), Some(ts));
        }
        self.last = Some(ts);
    }

    /// For stamps that come after others: these and [`end`](Self::end) are [`add`](Self::add), with all but what changes left out.
    #[inline]
    pub(super) fn begin(&self) -> Option<Run> {
        let (last, earliest, latest) = (self.last?, self.earliest?, self.latest?);
        Some(Run { count: 0, last, earliest, latest, out_of_order: 0, bits: 0 })
    }

    pub(super) fn end(&mut self, run: &Run) {
        self.count += run.count;
        self.out_of_order += run.out_of_order;
        self.bits |= run.bits;
        (self.last, self.earliest, self.latest) = (Some(run.last), Some(run.earliest), Some(run.latest));
    }

    pub(super) fn merge(&mut self, next: &Self) {
        if let (Some(last), Some(first)) = (self.last, next.first) {
            self.out_of_order += u64::from(first < last);
        }
        self.count += next.count;
        self.out_of_order += next.out_of_order;
        self.bits |= next.bits;
        self.first = self.first.or(next.first);
        self.last = next.last.or(self.last);
        self.earliest = self.earliest.into_iter().chain(next.earliest).min();
        self.latest = self.latest.max(next.latest);
    }

    /// From the earliest to the latest.
    pub fn duration(&self) -> TimeDelta {
        match (self.earliest, self.latest) {
            (Some(earliest), Some(latest)) => latest - earliest,
            _ => TimeDelta::ZERO,
        }
    }

    /// `amount` for each second of the duration; `None` where that is zero.
    pub fn per_second(&self, amount: u64) -> Option<f64> {
        let seconds = self.duration().raw() as f64 / 2f64.powi(32);
        (seconds > 0.0).then(|| amount as f64 / seconds)
    }

    /// The coarsest step on which all of them lie (`erf-format.md` section 3.4); `None` without a stamp that has a fraction.
    pub fn tick(&self) -> Option<Tick> {
        let all = Timestamp::from_parts(0, self.bits);
        (self.bits != 0).then(|| Tick::observed([all])).flatten()
    }
}

/// Stamps that follow those of a sequence.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) count: u64,
    last: Timestamp,
    earliest: Timestamp,
    latest: Timestamp,
    out_of_order: u64,
    bits: u32,
}

impl Run {
    #[inline]
    pub(super) fn add(&mut self, ts: Timestamp) {
        self.count += 1;
        self.bits |= ts.frac();
        self.out_of_order += u64::from(ts < self.last);
        self.earliest = self.earliest.min(ts);
        self.latest = self.latest.max(ts);
        self.last = ts;
    }
}
