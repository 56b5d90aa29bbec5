//! Delays counted in memory that does not grow with them.

use super::Common;
use super::bins::Bins;
use super::values::{Sampled, Steady, Values};
use crate::error::Error;

/// Delays, with what was taken out of them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Delays {
    /// The values in nanoseconds.
    pub values: Sampled,
    /// The drift taken out, in parts per 10^9: by the fastest of all common packets, or, where there are more than are kept one by one, of
    /// those that told the offset.
    pub without_drift_ppb: Option<f64>,
    /// What the delays are counted from, in nanoseconds, where the offset was taken out.
    pub counted_from_ns: Option<f64>,
}

/// What is counted of the common packets.
#[derive(Debug)]
pub(super) struct Tally {
    delays: Values,
    variation: Values,
    bins: Bins,
    last: Option<i64>,
    negative: u64,
    /// Stamps by the first clock: the least and the greatest.
    span: Option<(i64, i64)>,
    /// The drift that is taken out of delays while they are counted, in parts per 10^9.
    drift_ppb: Option<f64>,
}

impl Tally {
    /// With a drift that is taken out, and about what the least delay is then.
    pub(super) fn new(drift_ppb: Option<f64>, least: i64) -> Result<Self, Error> {
        Ok(Self {
            delays: Values::new(least)?,
            variation: Values::new(0)?,
            bins: Bins::default(),
            last: None,
            negative: 0,
            span: None,
            drift_ppb,
        })
    }

    /// Counts a packet, before which steps make so much.
    pub(super) fn note(&mut self, common: Common, stepped: i64) {
        let delay = common.b - common.a;
        let (first, last) = self.span.unwrap_or((common.a, common.a));
        self.span = Some((first.min(common.a), last.max(common.a)));
        self.delays.note(common.a, delay, Steady { origin: self.bins.origin(), ppb: self.drift_ppb.unwrap_or(0.0) });
        // A step is no drift.
        self.bins.note(common.a, delay - stepped);
        self.negative += u64::from(delay < 0);
        if let Some(last) = self.last.replace(delay) {
            self.variation.note(common.a, delay - last, Steady::default());
        }
    }

    pub(super) fn common(&self) -> u64 {
        self.delays.n()
    }

    pub(super) fn negative(&self) -> u64 {
        self.negative
    }

    pub(super) fn span(&self) -> Option<(i64, i64)> {
        self.span
    }

    pub(super) fn variation(&self) -> Sampled {
        self.variation.sampled(Steady::default())
    }

    pub(super) fn drift_ppb(&self) -> Option<f64> {
        self.bins.drift_ppb()
    }

    pub(super) fn delays(&self, remove_drift: bool, remove_offset: bool) -> Delays {
        let drift = if self.delays.all_kept() { self.drift_ppb() } else { self.drift_ppb };
        let drift = drift.filter(|_| remove_drift);
        let origin = self.bins.origin().unwrap_or_default();
        let mut values = self.delays.sampled(Steady { origin: Some(origin), ppb: drift.unwrap_or(0.0) });
        let from = values.min_ns.filter(|_| remove_offset);
        if let Some(from) = from {
            values.count_from(from);
        }
        Delays { values, without_drift_ppb: drift, counted_from_ns: from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000_000_000_000;
    /// More than are kept one by one.
    const MANY: i64 = 1_000_000;

    /// Delays of these nanoseconds, one packet a millisecond.
    fn tally(drift: Option<f64>, least: i64, delay: impl Fn(i64) -> i64) -> Tally {
        let mut tally = Tally::new(drift, least).unwrap();
        for number in 0..MANY {
            let a = START + number * 1_000_000;
            tally.note(Common { a, b: a + delay(number), bytes: 64 }, 0);
        }
        tally
    }

    /// From 0 to 1, each as often as another, without an order.
    fn even(number: i64) -> f64 {
        (number * 7_919 % MANY) as f64 / MANY as f64
    }

    fn near(values: &Sampled, p: f64, expected: f64, within: f64) {
        let found = values.counts.percentile(p).unwrap();
        assert!((found - expected).abs() <= within, "{p}: {found}, not {expected}");
    }

    #[test]
    fn all_of_many_are_counted() {
        // Exponential, with a mean of 1 ms above 100 ms: the last of a thousand is where no sample of half of them would show it.
        let exact = |part: f64| 1e8 - 1e6 * (1.0 - part).ln();
        let tally = tally(None, 100_000_000, |number| exact(even(number)).round() as i64);
        let values = tally.delays(false, false).values;
        assert_eq!((values.n, values.is_exact(), values.counts.len()), (MANY as u64, false, MANY as u64));
        assert!(values.sample.is_empty());
        for p in [0.01, 0.5, 0.99, 0.999, 0.99999] {
            // A thousandth of what it is above 100 ms, and not of 100 ms; and a rank.
            near(&values, p, exact(p), 1e-3 * (exact(p) - 1e8) + 1.0 / (1.0 - p));
        }
        assert_eq!((values.min_ns, values.max_ns), (Some(1e8), Some(exact(1.0 - 1.0 / MANY as f64).round())));
        assert!((values.mean_ns.unwrap() - 1.01e8).abs() < 1e3, "{:?}", values.mean_ns);
        assert_eq!(values.resolved_from_ns, Some(1e8));
        let interval = values.counts.estimate(0.99).unwrap();
        assert!(interval.low.unwrap() <= interval.value && interval.value <= interval.high.unwrap());
        // Counted from the least.
        let delays = tally.delays(false, true);
        assert_eq!(
            (delays.counted_from_ns, delays.values.min_ns, delays.values.resolved_from_ns),
            (Some(1e8), Some(0.0), Some(0.0))
        );
        near(&delays.values, 0.5, 1e6 * 2f64.ln(), 7e2);
    }

    #[test]
    fn below_nothing_and_below_what_was_expected() {
        // From 3 ms below 0 to 1 ms above; the least was thought to be 1 ms below 0.
        let tally = tally(None, -1_000_000, |number| (even(number) * 4e6) as i64 - 3_000_000);
        let values = tally.delays(false, false).values;
        for p in [0.0, 0.1, 0.5, 0.75, 0.99, 1.0] {
            near(&values, p, p * 4e6 - 3e6, 2_010.0);
        }
        assert_eq!(tally.negative(), 750_000);
        // Differences have either sign.
        let variation = tally.variation();
        assert_eq!((variation.n, variation.resolved_from_ns), (MANY as u64 - 1, Some(0.0)));
        assert!(variation.min_ns.unwrap() < 0.0 && variation.max_ns.unwrap() > 0.0);
    }

    #[test]
    fn drift_is_taken_out_of_each_of_many() {
        let tally = tally(Some(40_000.0), 1_000_000, |number| number * 40 + (even(number) * 1e6) as i64 + 1_000_000);
        let delays = tally.delays(true, false);
        assert_eq!(delays.without_drift_ppb, Some(40_000.0));
        for p in [0.0, 0.5, 0.99] {
            near(&delays.values, p, 1e6 + p * 1e6, 1_010.0);
        }
        assert!((tally.drift_ppb().unwrap() - 40_000.0).abs() < 10.0);
    }
}
