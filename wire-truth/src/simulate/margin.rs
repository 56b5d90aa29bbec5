//! Delays drawn from distributions that are told by their median and 99th percentile, as the paper's Table 1 tells them.

use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;

/// The standard normal quantile at 0.99.
const Z99: f64 = 2.326_347_874_040_841;

/// A log-normal distribution of delays, by the two numbers that tables give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margin {
    median_ns: f64,
    /// Standard deviation of the logarithm.
    spread: f64,
}

impl Margin {
    /// Half of the delays are below `median_ns`, and 99 of 100 below `p99_ns`; both in nanoseconds. `None` unless 0 < median <= p99 < one hour.
    pub fn new(median_ns: f64, p99_ns: f64) -> Option<Self> {
        let valid = median_ns > 0.0 && median_ns <= p99_ns && p99_ns < 3.6e12;
        valid.then(|| Self { median_ns, spread: (p99_ns / median_ns).ln() / Z99 })
    }

    /// The median in nanoseconds.
    pub fn median_ns(&self) -> f64 {
        self.median_ns
    }

    /// The 99th percentile in nanoseconds.
    pub fn p99_ns(&self) -> f64 {
        self.at(Z99)
    }

    /// The delay at `z` standard deviations of its logarithm.
    fn at(&self, z: f64) -> f64 {
        self.median_ns * (self.spread * z).exp()
    }
}

/// How the delays of one probe's layers hang together. Margins alone do not tell: from the same ones come different totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Coupling {
    /// Not at all.
    #[default]
    Independent,
    /// Fully: a probe that one layer holds for long is held for long by all. Then percentiles do add up.
    Comonotone,
}

impl Coupling {
    /// The word on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Independent => "independent",
            Self::Comonotone => "comonotone",
        }
    }
}

/// Draws the delays of the layers of one probe, in nanoseconds.
pub(super) fn draw<const N: usize>(rng: &mut Pcg64Mcg, margins: [Margin; N], coupling: Coupling) -> [i64; N] {
    let shared: f64 = StandardNormal.sample(rng);
    margins.map(|margin| {
        let z = match coupling {
            Coupling::Independent => StandardNormal.sample(rng),
            Coupling::Comonotone => shared,
        };
        // Below an hour and some spreads, far from the limits of the type.
        margin.at(z).min(3.6e13).round() as i64
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Sample;
    use rand_core::SeedableRng;

    #[test]
    fn what_is_drawn_has_the_percentiles_asked_for() {
        let [small, large] = [Margin::new(51e3, 134e3).unwrap(), Margin::new(9e6, 92.3e6).unwrap()];
        for coupling in [Coupling::Independent, Coupling::Comonotone] {
            let mut rng = Pcg64Mcg::seed_from_u64(7);
            let drawn: Vec<[i64; 2]> = (0..40_000).map(|_| draw(&mut rng, [small, large], coupling)).collect();
            for (layer, margin) in [small, large].into_iter().enumerate() {
                let sample: Sample = drawn.iter().map(|one| one[layer] as f64).collect();
                for (p, expected) in [(0.5, margin.median_ns()), (0.99, margin.p99_ns())] {
                    let found = sample.percentile(p).unwrap();
                    assert!((found / expected - 1.0).abs() < 0.05, "{coupling:?} {layer} {p}: {found} for {expected}");
                }
            }
            // The sum's tail tells the couplings apart.
            let total: Sample = drawn.iter().map(|[one, other]| (one + other) as f64).collect();
            let ratio = total.percentile(0.99).unwrap() / (small.p99_ns() + large.p99_ns());
            assert!((0.93..1.06).contains(&ratio), "{ratio}");
            let slow = drawn.iter().filter(|[one, _]| *one as f64 > small.p99_ns());
            let both = slow.filter(|[_, other]| *other as f64 > large.p99_ns() * 0.9).count();
            assert_eq!(both > 200, coupling == Coupling::Comonotone, "{both} of 400");
        }
    }

    #[test]
    fn what_is_no_distribution_is_none() {
        for (median, p99) in [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (1.0, f64::NAN), (1.0, 4e12)] {
            assert_eq!(Margin::new(median, p99), None, "{median} {p99}");
        }
        assert_eq!(Margin::new(5.0, 5.0).unwrap().p99_ns(), 5.0);
    }
}
