//! Values, one by one while they are few, and counted by size where they are many.

use hdrhistogram::Histogram;

use crate::error::{Error, Repr};
use crate::stats::{Counts, Sample};

/// So many are kept one by one.
const KEPT: usize = 1 << 19;

/// Digits of a value that is counted.
const DIGITS: u8 = 3;

/// What a value that was not kept is known to, as a part of its distance from [`Sampled::resolved_from_ns`].
pub const RESOLUTION: f64 = 1e-3;

/// Values: up to 2^19 one by one, more by size only.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Sampled {
    /// All values as they came, where they were kept; else none.
    pub sample: Sample,
    /// All values with how often each was there.
    pub counts: Counts,
    /// So many there were.
    pub n: u64,
    /// The least of all, in nanoseconds.
    pub min_ns: Option<f64>,
    /// The greatest of all.
    pub max_ns: Option<f64>,
    /// The mean of all.
    pub mean_ns: Option<f64>,
    /// Where values were counted by size: those near to this, in nanoseconds, are known best, others to [`RESOLUTION`] of the distance to it.
    pub resolved_from_ns: Option<f64>,
}

impl Sampled {
    /// All were kept, so that percentiles are those of the values.
    pub fn is_exact(&self) -> bool {
        self.resolved_from_ns.is_none()
    }

    /// Counts all from this value on.
    pub(super) fn count_from(&mut self, from: f64) {
        self.sample = self.sample.series().iter().map(|value| value - from).collect();
        self.counts = self.counts.iter().map(|(value, count)| (value - from, count)).collect();
        for value in [&mut self.min_ns, &mut self.max_ns, &mut self.mean_ns, &mut self.resolved_from_ns] {
            *value = value.map(|value| value - from);
        }
    }
}

/// What takes the drift out of a delay.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Steady {
    /// There is none at this time; `None` at the first one.
    pub(super) origin: Option<i64>,
    /// In parts per 10^9.
    pub(super) ppb: f64,
}

impl Steady {
    fn of(self, at: i64, delay: i64) -> f64 {
        delay as f64 - self.ppb * ((at - self.origin.unwrap_or(at)) as f64 / 1e9)
    }
}

/// Values that are being counted.
#[derive(Debug)]
pub(super) struct Values {
    kept: Vec<(i64, i64)>,
    counted: Counted,
}

/// Those of which there are too many to keep.
#[derive(Debug)]
struct Counted {
    /// Distances are counted from here, on either side.
    from: i64,
    above: Histogram<u64>,
    below: Histogram<u64>,
    n: u64,
    sum: i128,
    least: i64,
    most: i64,
}

impl Values {
    /// With the value near which differences are to be seen best.
    pub(super) fn new(from: i64) -> Result<Self, Error> {
        let histogram = || Histogram::new_with_max(i64::MAX as u64, DIGITS).map_err(|cause| Repr::Histogram { cause });
        let (above, below) = (histogram()?, histogram()?);
        let counted = Counted { from, above, below, n: 0, sum: 0, least: i64::MAX, most: i64::MIN };
        Ok(Self { kept: Vec::new(), counted })
    }

    pub(super) fn n(&self) -> u64 {
        self.counted.n + self.kept.len() as u64
    }

    pub(super) fn all_kept(&self) -> bool {
        self.counted.n == 0
    }

    /// Takes a value at a time; of many what `steady` leaves is counted.
    pub(super) fn note(&mut self, at: i64, value: i64, steady: Steady) {
        if self.all_kept() {
            self.kept.push((at, value));
            if self.kept.len() > KEPT {
                for (at, value) in std::mem::take(&mut self.kept) {
                    self.counted.note(steady.of(at, value).round() as i64);
                }
            }
        } else {
            self.counted.note(steady.of(at, value).round() as i64);
        }
    }

    /// All values. Of those that were kept what `steady` leaves.
    pub(super) fn sampled(&self, steady: Steady) -> Sampled {
        if !self.all_kept() {
            return self.counted.sampled();
        }
        let sample: Sample = self.kept.iter().map(|(at, value)| steady.of(*at, *value)).collect();
        Sampled {
            counts: Counts::from(&sample),
            n: self.n(),
            min_ns: sample.min(),
            max_ns: sample.max(),
            mean_ns: sample.mean(),
            resolved_from_ns: None,
            sample,
        }
    }
}

impl Counted {
    fn note(&mut self, value: i64) {
        self.n += 1;
        self.sum += i128::from(value);
        (self.least, self.most) = (self.least.min(value), self.most.max(value));
        let side = if value < self.from { &mut self.below } else { &mut self.above };
        side.saturating_record(value.abs_diff(self.from));
    }

    fn sampled(&self) -> Sampled {
        let side = |side: &Histogram<u64>, sign: f64| {
            let each = side.iter_recorded().map(|one| {
                let value = one.value_iterated_to();
                // The middle of what is counted as the same.
                let (low, high) = (side.lowest_equivalent(value) as f64, side.highest_equivalent(value) as f64);
                let middle = self.from as f64 + sign * (low + (high - low) / 2.0);
                (middle.clamp(self.least as f64, self.most as f64), one.count_at_value())
            });
            each.collect::<Vec<_>>()
        };
        Sampled {
            sample: Sample::default(),
            counts: side(&self.above, 1.0).into_iter().chain(side(&self.below, -1.0)).collect(),
            n: self.n,
            min_ns: Some(self.least as f64),
            max_ns: Some(self.most as f64),
            mean_ns: Some(self.sum as f64 / self.n as f64),
            resolved_from_ns: Some(self.from as f64),
        }
    }
}
