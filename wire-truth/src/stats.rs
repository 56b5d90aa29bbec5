//! Percentiles by one rule, with intervals that say how far they can be trusted.
//!
//! A percentile is linear interpolation at rank `(n-1)p`. Its interval is that of order statistics: the two values between which the
//! percentile of what was sampled lies in 95 of 100 samples, whatever its distribution. Where a sample is too small for an upper limit
//! there is none: of 200 values the largest lies below the true 99th percentile 13 times of 100.
//!
//! That holds for values that know nothing of each other. Delays do: a queue that is long now is long at the next probe. So there is a second
//! interval beside it, of a bootstrap by blocks, which is wider where that is so.

mod counts;

use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

pub use counts::Counts;

/// How often an interval is to hold.
const CONFIDENCE: f64 = 0.95;

/// Samples that a bootstrap draws.
const DRAWS: usize = 400;

/// Fewer values are not drawn from.
const LEAST_TO_DRAW: usize = 20;

/// Nor more, which are more than a run has probes: drawing takes seconds then, and what it tells is narrow either way.
const MOST_TO_DRAW: usize = 1 << 16;

/// The ranks of an interval are summed up to so many values, which takes time in proportion.
const MOST_TO_COUNT: usize = 1 << 20;

/// 95 of 100 normal values are within so many standard deviations.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// A sample, sorted, and as it came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    sorted: Vec<f64>,
    series: Vec<f64>,
}

/// A number with the interval in which the true one lies in 95 of 100 cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// As measured.
    pub value: f64,
    /// The lower limit, where the sample is large enough for one.
    pub low: Option<f64>,
    /// The upper limit, where the sample is large enough for one; else the value is "at least" so much.
    pub high: Option<f64>,
}

impl FromIterator<f64> for Sample {
    /// Of the values that are numbers, in the order in which they were measured.
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let series: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let mut sorted = series.clone();
        sorted.sort_by(f64::total_cmp);
        Self { sorted, series }
    }
}

impl Sample {
    /// How many values.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// No values.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The least value.
    pub fn min(&self) -> Option<f64> {
        self.sorted.first().copied()
    }

    /// The greatest value.
    pub fn max(&self) -> Option<f64> {
        self.sorted.last().copied()
    }

    /// The mean.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sorted.iter().sum::<f64>() / self.sorted.len() as f64)
    }

    /// The percentile `p`, from 0 to 1.
    pub fn percentile(&self, p: f64) -> Option<f64> {
        let last = self.sorted.len().checked_sub(1)?;
        let rank = last as f64 * p.clamp(0.0, 1.0);
        // Below the length.
        let below = rank.floor() as usize;
        let (low, high) = (*self.sorted.get(below)?, *self.sorted.get((below + 1).min(last))?);
        Some(low + (high - low) * (rank - rank.floor()))
    }

    /// The values in the order in which they were measured.
    pub fn series(&self) -> &[f64] {
        &self.series
    }

    /// The values in order of size.
    pub fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    /// The interval in which the percentile `p` of what was sampled lies in 95 of 100 cases, by a moving-block bootstrap: blocks of twice the
    /// cube root of the number of values are drawn, so that values stay beside those that they were measured beside. The same sample always
    /// has the same interval. `None` below twenty values and above 65 536. It never reaches beyond the values seen: of few values that of a high percentile is
    /// too narrow, and [`estimate`](Self::estimate) is what tells so.
    pub fn block_interval(&self, p: f64) -> Option<(f64, f64)> {
        let n = self.series.len();
        if !(LEAST_TO_DRAW..=MOST_TO_DRAW).contains(&n) {
            return None;
        }
        let block = (2.0 * (n as f64).cbrt()).ceil() as usize;
        let starts = (n - block + 1) as u64;
        let mut rng = Pcg64Mcg::seed_from_u64(n as u64);
        let mut drawn = Vec::with_capacity(n + block);
        let mut found: Vec<f64> = (0..DRAWS)
            .map(|_| {
                drawn.clear();
                while drawn.len() < n {
                    let start = (rng.next_u64() % starts) as usize;
                    drawn.extend_from_slice(&self.series[start..start + block]);
                }
                drawn.truncate(n);
                percentile_of(&mut drawn, p)
            })
            .collect();
        found.sort_by(f64::total_cmp);
        // 25 of 1000 on either side.
        let cut = DRAWS / 40;
        Some((found[cut], found[DRAWS - 1 - cut]))
    }

    /// The differences between values that were measured one after the other.
    pub fn variation(&self) -> Self {
        self.series.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// The percentile `p` with its interval.
    pub fn estimate(&self, p: f64) -> Option<Estimate> {
        let value = self.percentile(p)?;
        let (low, high) = ranks(self.len(), p);
        let at = |rank: Option<usize>| rank.and_then(|rank| self.sorted.get(rank).copied());
        Some(Estimate { value, low: at(low), high: at(high) })
    }
}

/// The percentile `p` of values in any order, of which there are some.
fn percentile_of(values: &mut [f64], p: f64) -> f64 {
    let rank = (values.len() - 1) as f64 * p.clamp(0.0, 1.0);
    let (_, low, above) = values.select_nth_unstable_by(rank.floor() as usize, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    low + (high - low) * (rank - rank.floor())
}

/// The ranks, from 0, of the values that bound the percentile `p` of what `n` values are a sample of: each is too far on its own side in 25
/// of 1000 samples at most.
fn ranks(n: usize, p: f64) -> (Option<usize>, Option<usize>) {
    let tail = (1.0 - CONFIDENCE) / 2.0;
    if n > MOST_TO_COUNT {
        // The binomial is normal then, to less than a rank in a thousand.
        let (middle, half) = (n as f64 * p, NORMAL_95 * (n as f64 * p * (1.0 - p)).sqrt());
        let rank = |at: f64| (at >= 0.0 && at < n as f64).then_some(at as usize);
        return (rank((middle - half).floor() - 1.0), rank((middle + half).ceil()));
    }
    // The number of values below the true percentile is binomial. Value `k` (from 0) lies above it if at most `k` are below.
    let mut below = 0.0;
    let (mut low, mut high) = (None, None);
    for count in 0..=n {
        below += binomial(n, count, p);
        // Value `count` is above the percentile with the probability that at most `count` values are below.
        if below <= tail {
            low = Some(count);
        }
        // Value `count` is at or below it with the probability that more than `count` are below.
        if high.is_none() && count < n && 1.0 - below <= tail {
            high = Some(count);
        }
    }
    (low.filter(|rank| *rank < n), high)
}

/// The probability of `k` of `n` at `p` each.
fn binomial(n: usize, k: usize, p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return f64::from(u8::from((p <= 0.0 && k == 0) || (p >= 1.0 && k == n)));
    }
    let (n, k) = (n as f64, k as f64);
    (log_factorial(n) - log_factorial(k) - log_factorial(n - k) + k * p.ln() + (n - k) * (1.0 - p).ln()).exp()
}

/// ln(n!), by Stirling's series where that is exact to a double's digits.
fn log_factorial(n: f64) -> f64 {
    if n < 32.0 {
        // A product of small integers.
        return (2..=n as u32).map(|k| f64::from(k).ln()).sum();
    }
    let inverse = 1.0 / n;
    (n + 0.5) * n.ln() - n + 0.5 * (2.0 * std::f64::consts::PI).ln() + inverse / 12.0 - inverse.powi(3) / 360.0
        + inverse.powi(5) / 1260.0
}

/// The quantile of Student's t for a two-sided interval of 95 %, with `freedom` degrees of freedom (Hill's expansion of the normal quantile).
pub(crate) fn student_95(freedom: f64) -> f64 {
    // Exact for the smallest, where the expansion is poor.
    match freedom as u64 {
        0 => return f64::INFINITY,
        1 => return 12.706_204_736,
        2 => return 4.302_652_730,
        3 => return 3.182_446_305,
        4 => return 2.776_445_105,
        5 => return 2.570_581_836,
        _ => {}
    }
    let z = NORMAL_95;
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * freedom)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * freedom.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * freedom.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        values.iter().copied().collect()
    }

    #[test]
    fn percentiles_interpolate_at_their_rank() {
        let few = sample(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(few.percentile(0.5), Some(2.5));
        assert!((few.percentile(0.99).unwrap() - 3.97).abs() < 1e-12);
        assert_eq!((few.percentile(0.0), few.percentile(1.0)), (Some(1.0), Some(4.0)));
        assert_eq!((few.min(), few.max(), few.mean()), (Some(1.0), Some(4.0), Some(2.5)));
        assert_eq!(sample(&[7.0]).percentile(0.99), Some(7.0));
        assert_eq!(sample(&[]).percentile(0.5), None);
        assert_eq!(sample(&[f64::NAN, 1.0]).len(), 1);
    }

    #[test]
    fn intervals_are_those_of_the_tables() {
        // For the median of 10 values the second and the ninth, 97.9 % (Conover's table).
        assert_eq!(ranks(10, 0.5), (Some(1), Some(8)));
        // Of five there is none: 1 - 2 * 0.5^5 = 93.75 %.
        assert_eq!(ranks(5, 0.5), (None, None));
        assert_eq!(ranks(6, 0.5), (Some(0), Some(5)));
        // 0.99^200 = 13 % is too much, and 0.99^368 = 2.48 % is not.
        assert!(ranks(200, 0.99).1.is_none() && ranks(200, 0.99).0.is_some());
        assert!(ranks(367, 0.99).1.is_none() && ranks(368, 0.99).1 == Some(367));
        assert_eq!(ranks(0, 0.5), (None, None));
        // Beyond what is summed up the next ones are hardly others.
        for p in [0.5, 0.99] {
            let ((low, high), (next_low, next_high)) = (ranks(MOST_TO_COUNT, p), ranks(MOST_TO_COUNT + 1, p));
            assert!(low.unwrap().abs_diff(next_low.unwrap()) <= 3 && high.unwrap().abs_diff(next_high.unwrap()) <= 3);
        }
    }

    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        // A generator of its own, so that the figures are always the same.
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / (1u64 << 31) as f64
        };
        for (p, n) in [(0.5, 40), (0.9, 100), (0.99, 500)] {
            let mut held = 0;
            for _ in 0..2000 {
                let estimate = (0..n).map(|_| next()).collect::<Sample>().estimate(p).unwrap();
                held += u32::from(estimate.low.unwrap() <= p && p <= estimate.high.unwrap());
            }
            assert!((1900..=1990).contains(&held), "{p} of {n}: {held} of 2000");
        }
    }

    #[test]
    fn blocks_tell_that_neighbours_are_alike() {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let mut uniform = move || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        // Each value is nine parts of its neighbour and one of its own: the true median is a half.
        let (mut by_block, mut by_order) = (0, 0);
        for _ in 0..100 {
            let mut value = 0.5;
            let walk = (0..400).map(|_| {
                value = 0.9 * value + 0.1 * uniform();
                value
            });
            let sample: Sample = walk.collect();
            let (low, high) = sample.block_interval(0.5).unwrap();
            by_block += u32::from(low <= 0.5 && 0.5 <= high);
            let estimate = sample.estimate(0.5).unwrap();
            by_order += u32::from(estimate.low.unwrap() <= 0.5 && 0.5 <= estimate.high.unwrap());
        }
        assert!(by_block >= 75 && by_order <= 60, "{by_block} and {by_order} of 100");
        let few: Sample = (0..19).map(f64::from).collect();
        assert_eq!(few.block_interval(0.5), None);
        let many: Sample = (0..MOST_TO_DRAW + 1).map(|value| value as f64).collect();
        assert_eq!(many.block_interval(0.5), None);
        let same: Sample = std::iter::repeat_n(4.0, 50).collect();
        assert_eq!(same.block_interval(0.99), Some((4.0, 4.0)));
        let mut values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!((percentile_of(&mut values, 0.5), percentile_of(&mut values, 1.0)), (2.5, 4.0));
        assert_eq!(sample_of_four().variation().series(), [-3.0, 2.0, -1.0]);
    }

    fn sample_of_four() -> Sample {
        sample(&[4.0, 1.0, 3.0, 2.0])
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (freedom, quantile) in
            [(1.0, 12.706), (5.0, 2.571), (6.0, 2.447), (10.0, 2.228), (37.0, 2.026), (1000.0, 1.962)]
        {
            assert!((student_95(freedom) - quantile).abs() < 0.003, "{freedom}: {}", student_95(freedom));
        }
    }

    #[test]
    fn factorials_and_binomials_are_right() {
        let product: f64 = (2..=40u32).map(|k| f64::from(k).ln()).sum();
        assert!((log_factorial(40.0) - product).abs() < 1e-9);
        assert!((binomial(10, 5, 0.5) - 252.0 / 1024.0).abs() < 1e-12);
        let all: f64 = (0..=1000).map(|k| binomial(1000, k, 0.37)).sum();
        assert!((all - 1.0).abs() < 1e-9);
    }
}
