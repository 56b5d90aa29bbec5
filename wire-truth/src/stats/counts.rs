//! [`Counts`]: values with how often each was seen, where there are more than can be kept one by one.

use super::{Estimate, Sample, ranks};

/// Values, in order of size, with how often each was seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Counts {
    /// Each with the number of those that are not above it.
    upto: Vec<(f64, u64)>,
}

impl From<&Sample> for Counts {
    fn from(sample: &Sample) -> Self {
        sample.sorted().iter().map(|value| (*value, 1)).collect()
    }
}

impl FromIterator<(f64, u64)> for Counts {
    /// Of values that are numbers, in any order, each with how often it was seen.
    fn from_iter<I: IntoIterator<Item = (f64, u64)>>(values: I) -> Self {
        let mut sorted: Vec<(f64, u64)> =
            values.into_iter().filter(|(value, count)| value.is_finite() && *count > 0).collect();
        sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut upto: Vec<(f64, u64)> = Vec::new();
        let mut sum = 0;
        for (value, count) in sorted {
            sum += count;
            match upto.last_mut() {
                Some((last, upto)) if *last == value => *upto = sum,
                _ => upto.push((value, sum)),
            }
        }
        Self { upto }
    }
}

impl Counts {
    /// How many values were seen.
    pub fn len(&self) -> u64 {
        self.upto.last().map_or(0, |(_, upto)| *upto)
    }

    /// No values.
    pub fn is_empty(&self) -> bool {
        self.upto.is_empty()
    }

    /// Values that differ, from the least, each with how often it was seen.
    pub fn iter(&self) -> impl Iterator<Item = (f64, u64)> {
        let before = std::iter::once(0).chain(self.upto.iter().map(|(_, upto)| *upto));
        self.upto.iter().zip(before).map(|((value, upto), before)| (*value, upto - before))
    }

    /// The least value.
    pub fn min(&self) -> Option<f64> {
        Some(self.upto.first()?.0)
    }

    /// The greatest value.
    pub fn max(&self) -> Option<f64> {
        Some(self.upto.last()?.0)
    }

    /// The value with so many before it, in order of size.
    fn at(&self, rank: u64) -> Option<f64> {
        let place = self.upto.partition_point(|(_, upto)| *upto <= rank);
        Some(self.upto.get(place)?.0)
    }

    /// The percentile `p`, from 0 to 1, by the rule of [`Sample::percentile`].
    pub fn percentile(&self, p: f64) -> Option<f64> {
        let last = self.len().checked_sub(1)?;
        // Far fewer than a double counts without a gap.
        let rank = last as f64 * p.clamp(0.0, 1.0);
        let below = rank.floor() as u64;
        let (low, high) = (self.at(below)?, self.at((below + 1).min(last))?);
        Some(low + (high - low) * (rank - rank.floor()))
    }

    /// The percentile `p` with its interval, by the rule of [`Sample::estimate`].
    pub fn estimate(&self, p: f64) -> Option<Estimate> {
        let value = self.percentile(p)?;
        let (low, high) = ranks(usize::try_from(self.len()).ok()?, p);
        let at = |rank: Option<usize>| rank.and_then(|rank| self.at(rank as u64));
        Some(Estimate { value, low: at(low), high: at(high) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_are_those_of_the_sample(values in proptest::collection::vec(-50i32..50, 1..400), p in 0.0..1.0f64) {
            let sample: Sample = values.iter().map(|value| f64::from(*value)).collect();
            let counts = Counts::from(&sample);
            prop_assert_eq!(counts.len(), sample.len() as u64);
            prop_assert_eq!((counts.min(), counts.max()), (sample.min(), sample.max()));
            prop_assert_eq!(counts.percentile(p), sample.percentile(p));
            prop_assert_eq!(counts.estimate(p), sample.estimate(p));
            let again: Vec<f64> = counts.iter().flat_map(|(value, n)| std::iter::repeat_n(value, n as usize)).collect();
            prop_assert_eq!(&again[..], sample.sorted());
        }
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        let none = Counts::default();
        assert_eq!((none.len(), none.percentile(0.5), none.estimate(0.5)), (0, None, None));
        assert!([(f64::NAN, 3), (1.0, 0)].into_iter().collect::<Counts>().is_empty());
    }
}
