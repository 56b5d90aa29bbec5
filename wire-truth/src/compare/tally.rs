//! Delays counted in memory that does not grow with them.

use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::Common;
use crate::clock::hull;
use crate::stats::Sample;

/// Values kept: up to so many all of them, of more an even sample (Vitter's algorithm R).
const KEPT: usize = 1 << 19;

/// Time spans of which the least delay is kept.
const BINS: usize = 1 << 12;

/// Values, all or a sample of them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Sampled {
    /// What was kept.
    pub sample: Sample,
    /// So many there were.
    pub n: u64,
    /// The least of all, in nanoseconds.
    pub min_ns: Option<f64>,
    /// The greatest of all.
    pub max_ns: Option<f64>,
    /// The mean of all.
    pub mean_ns: Option<f64>,
}

impl Sampled {
    /// All were kept, so that percentiles are those of all.
    pub fn is_exact(&self) -> bool {
        self.n == self.sample.len() as u64
    }
}

/// Delays, with what was taken out of them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Delays {
    /// The values in nanoseconds.
    pub values: Sampled,
    /// The drift taken out, in parts per 10^9.
    pub without_drift_ppb: Option<f64>,
    /// What the delays are counted from, in nanoseconds, where the offset was taken out.
    pub counted_from_ns: Option<f64>,
}

/// An even sample of pairs, and the sums of all.
#[derive(Debug)]
struct Reservoir {
    kept: Vec<(i64, i64)>,
    n: u64,
    sum: i128,
    least: i64,
    most: i64,
    rng: Pcg64Mcg,
}

impl Default for Reservoir {
    fn default() -> Self {
        let rng = Pcg64Mcg::seed_from_u64(1);
        Self { kept: Vec::new(), n: 0, sum: 0, least: i64::MAX, most: i64::MIN, rng }
    }
}

impl Reservoir {
    fn note(&mut self, at: i64, value: i64) {
        self.n += 1;
        self.sum += i128::from(value);
        (self.least, self.most) = (self.least.min(value), self.most.max(value));
        if self.kept.len() < KEPT {
            self.kept.push((at, value));
        } else if let Some(place) = self.kept.get_mut((self.rng.next_u64() % self.n) as usize) {
            *place = (at, value);
        }
    }

    fn sampled(&self, change: impl Fn(i64, i64) -> f64) -> Sampled {
        let sample = self.kept.iter().map(|(at, value)| change(*at, *value)).collect();
        let some = |value: f64| (self.n > 0).then_some(value);
        let mean = self.sum as f64 / self.n.max(1) as f64;
        Sampled {
            sample,
            n: self.n,
            min_ns: some(self.least as f64),
            max_ns: some(self.most as f64),
            mean_ns: some(mean),
        }
    }
}

/// Least delays of time spans that grow as time goes on.
#[derive(Debug, Default)]
struct Bins {
    origin: i64,
    width: i64,
    /// Time and delay of the fastest packet of each span.
    least: Vec<Option<(i64, i64)>>,
}

impl Bins {
    fn note(&mut self, at: i64, delay: i64) {
        if self.least.is_empty() {
            // A millisecond to begin with.
            (self.origin, self.width) = (at, 1_000_000);
        }
        let since = (at - self.origin).max(0);
        while since / self.width >= BINS as i64 {
            let faster = |pair: &[Option<(i64, i64)>]| pair.iter().flatten().copied().min_by_key(|(_, delay)| *delay);
            self.least = self.least.chunks(2).map(faster).collect();
            self.width *= 2;
        }
        // Below the number of bins.
        let bin = (since / self.width) as usize;
        if self.least.len() <= bin {
            self.least.resize(bin + 1, None);
        }
        let place = &mut self.least[bin];
        if place.is_none_or(|(_, least)| delay < least) {
            *place = Some((at, delay));
        }
    }
}

/// What is counted of the common packets.
#[derive(Debug, Default)]
pub(super) struct Tally {
    delays: Reservoir,
    variation: Reservoir,
    bins: Bins,
    last: Option<i64>,
    negative: u64,
}

impl Tally {
    /// Counts a packet, before which steps make so much.
    pub(super) fn note(&mut self, common: Common, stepped: i64) {
        let delay = common.b - common.a;
        self.delays.note(common.a, delay);
        // A step is no drift.
        self.bins.note(common.a, delay - stepped);
        self.negative += u64::from(delay < 0);
        if let Some(last) = self.last.replace(delay) {
            self.variation.note(common.a, delay - last);
        }
    }

    pub(super) fn common(&self) -> u64 {
        self.delays.n
    }

    pub(super) fn negative(&self) -> u64 {
        self.negative
    }

    pub(super) fn variation(&self) -> Sampled {
        self.variation.sampled(|_, value| value as f64)
    }

    /// The slope of the line below all delays that is nearest to them: the edge of their lower hull above the middle of the time.
    pub(super) fn drift_ppb(&self) -> Option<f64> {
        let fastest: Vec<(i64, i64)> = self.bins.least.iter().flatten().copied().collect();
        let (at, base) = *fastest.first()?;
        let points: Vec<(f64, f64)> =
            fastest.iter().map(|(time, delay)| ((time - at) as f64 / 1e9, (delay - base) as f64)).collect();
        let middle = points.iter().map(|(time, _)| time).sum::<f64>() / points.len() as f64;
        let corners = hull(&points);
        let edge = corners.windows(2).find(|pair| pair[1].0 >= middle)?;
        // Nanoseconds in a second are parts of 10^9.
        Some((edge[1].1 - edge[0].1) / (edge[1].0 - edge[0].0))
    }

    pub(super) fn delays(&self, drift: Option<f64>, remove_offset: bool) -> Delays {
        let origin = self.bins.origin;
        let undrifted = |at: i64, delay: i64| delay as f64 - drift.unwrap_or(0.0) * ((at - origin) as f64 / 1e9);
        let mut values = self.delays.sampled(undrifted);
        if drift.is_some() {
            // Of those kept: of all only the undrifted extremes would do.
            (values.min_ns, values.max_ns) = (values.sample.min(), values.sample.max());
            values.mean_ns = values.sample.mean();
        }
        let from = values.min_ns.filter(|_| remove_offset);
        if let Some(from) = from {
            values.sample = values.sample.series().iter().map(|value| value - from).collect();
            let less = |value: Option<f64>| value.map(|value| value - from);
            (values.min_ns, values.max_ns, values.mean_ns) =
                (less(values.min_ns), less(values.max_ns), less(values.mean_ns));
        }
        Delays { values, without_drift_ppb: drift, counted_from_ns: from }
    }
}
