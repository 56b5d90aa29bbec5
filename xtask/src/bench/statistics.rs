//! Medians, and how far repetitions lie apart.

/// The least, the middle and the most of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) least: f64,
    pub(super) median: f64,
    pub(super) most: f64,
}

impl Spread {
    /// `None` where there are no values.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        // Of an even number of values the mean of the two in the middle.
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { least, median: (low + high) / 2.0, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([5.0]), Some(Spread { least: 5.0, median: 5.0, most: 5.0 }));
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(Spread { least: 1.0, median: 2.0, most: 9.0 }));
        assert_eq!(Spread::of([9.0, 1.0, 2.0, 4.0]), Some(Spread { least: 1.0, median: 3.0, most: 9.0 }));
    }
}
