//! Stamps moved: by an offset, and by the rate of a clock that ran too fast or too slow.

use erf_core::{TimeDelta, Timestamp};

/// 10^12: scales are in parts of that.
const TRILLION: i128 = 1_000_000_000_000;

/// What is done to each stamp: `t + offset + (t - pivot) * scale`, on the raw 32.32 value, in integers, rounded to the nearest
/// 2^-32 s.
///
/// An offset alone is undone exactly by its negative. A scale is undone only to about one unit of 2^-32 s, and to the part of it
/// that `(1 + s)(1 - s)` leaves.
///
/// ```
/// use erf::shift::Correction;
/// use erf::{TimeDelta, Timestamp};
///
/// let start = Timestamp::from_parts(1_700_000_000, 0);
/// // The clock ran 40 ppb fast from `start` on, and was 12 us behind.
/// let correction = Correction::new(TimeDelta::from_nanos(12_000)).with_scale(-40_000).with_pivot(start);
/// let second = Timestamp::from_parts(1_700_000_001, 0);
/// assert_eq!(correction.apply(second).map(Timestamp::nanos), Some(1_700_000_001_000_011_960));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Correction {
    offset: TimeDelta,
    scale: i64,
    pivot: Option<Timestamp>,
}

impl Correction {
    /// Adds `offset` to each stamp.
    pub const fn new(offset: TimeDelta) -> Self {
        Self { offset, scale: 0, pivot: None }
    }

    /// Time since the pivot grows by so many parts in 10^12: 1000 is one part per billion.
    pub const fn with_scale(self, parts_per_trillion: i64) -> Self {
        Self { scale: parts_per_trillion, ..self }
    }

    /// The stamp that a scale leaves where it is; without one, the first stamp seen.
    pub const fn with_pivot(self, pivot: Timestamp) -> Self {
        Self { pivot: Some(pivot), ..self }
    }

    /// Nothing is changed.
    pub const fn is_none(&self) -> bool {
        self.offset.raw() == 0 && self.scale == 0
    }

    /// Takes `stamp` for the pivot, unless there is one.
    pub fn settle(&mut self, stamp: Timestamp) {
        self.pivot.get_or_insert(stamp);
    }

    /// The corrected stamp; `None` when it would leave 1970..2106.
    pub fn apply(&self, stamp: Timestamp) -> Option<Timestamp> {
        let since = i128::from(stamp.raw()) - i128::from(self.pivot.unwrap_or(stamp).raw());
        // Below 2^64 * 2^63: fits.
        let drift = (since * i128::from(self.scale) + TRILLION / 2).div_euclid(TRILLION);
        let moved = i128::from(stamp.raw()) + i128::from(self.offset.raw()) + drift;
        u64::try_from(moved).ok().map(Timestamp::from_raw)
    }

    /// Corrects the stamp at the start of `record`, the bytes of a whole one. `None`, and nothing changed, where the stamp would
    /// leave 1970..2106.
    ///
    /// Times inside META records are left: they are of the host's clock or relative to the stamp.
    pub fn apply_to(&self, record: &mut [u8]) -> Option<Timestamp> {
        let stamp = record.first_chunk_mut::<8>()?;
        let moved = self.apply(Timestamp::from_le_bytes(*stamp))?;
        *stamp = moved.to_le_bytes();
        Some(moved)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_leaves_the_range_is_refused() {
        let back = Correction::new(TimeDelta::from_nanos(-1_000_000_000));
        assert_eq!(back.apply(Timestamp::from_parts(0, 7)), None);
        assert_eq!(back.apply(Timestamp::from_parts(1, 7)), Some(Timestamp::from_parts(0, 7)));
        let on = Correction::new(TimeDelta::from_raw(1));
        assert_eq!(on.apply(Timestamp::MAX), None);
        let fast = Correction::default().with_scale(i64::MAX).with_pivot(Timestamp::ZERO);
        assert_eq!(fast.apply(Timestamp::MAX), None);
        let mut record = [0xFF; 16];
        assert_eq!(on.apply_to(&mut record), None);
        assert_eq!(record, [0xFF; 16]);
    }

    #[test]
    fn a_scale_turns_about_its_pivot() {
        let pivot = Timestamp::from_parts(1000, 0);
        let ppm = Correction::default().with_scale(1_000_000).with_pivot(pivot);
        assert_eq!(ppm.apply(pivot), Some(pivot));
        // A millionth of 2^32 is 4294.967.
        assert_eq!(ppm.apply(Timestamp::from_parts(1001, 0)), Some(Timestamp::from_parts(1001, 4295)));
        assert_eq!(ppm.apply(Timestamp::from_parts(999, 0)).map(Timestamp::raw), Some((999 << 32) - 4295));
        let mut unsettled = Correction::default().with_scale(1_000_000);
        unsettled.settle(pivot);
        unsettled.settle(Timestamp::ZERO);
        assert_eq!(unsettled, ppm);
    }

    proptest! {
        #[test]
        fn there_and_back_is_the_same(raw in 1u64 << 40..1 << 63, offset in -(1i64 << 40)..1 << 40) {
            let stamp = Timestamp::from_raw(raw);
            let there = Correction::new(TimeDelta::from_raw(offset)).apply(stamp).unwrap();
            let back = Correction::new(TimeDelta::from_raw(-offset)).apply(there);
            prop_assert_eq!(back, Some(stamp));
        }

        #[test]
        fn order_stays(a in any::<u64>(), b in any::<u64>(), ppt in -1_000_000_000i64..1_000_000_000) {
            let correction = Correction::default().with_scale(ppt).with_pivot(Timestamp::from_raw(1 << 62));
            let (low, high) = (a.min(b), a.max(b));
            if let (Some(low), Some(high)) = (
                correction.apply(Timestamp::from_raw(low)),
                correction.apply(Timestamp::from_raw(high)),
            ) {
                prop_assert!(low <= high);
            }
        }
    }
}
