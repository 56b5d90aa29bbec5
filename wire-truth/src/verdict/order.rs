//! Order statistics for bounds: they hold whatever the distribution is.

/// The value that the next one, drawn as these were, is no greater than with probability `holds` at least (conformal prediction): of `n` values the
/// one of rank `(n + 1) * holds`, rounded up. `None` where there are too few. `values` need no order.
pub(super) fn upper_bound(values: &mut [i64], holds: f64) -> Option<i64> {
    let rank = ((values.len() as f64 + 1.0) * holds).ceil() as usize;
    values.sort_unstable();
    values.get(rank.checked_sub(1)?).copied()
}

/// The middle value; of two the lower.
pub(super) fn median(values: &mut [i64]) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::{RngCore, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    #[test]
    fn too_few_values_have_no_bound() {
        assert_eq!(upper_bound(&mut (1..=18).collect::<Vec<_>>(), 0.95), None);
        assert_eq!(upper_bound(&mut (1..=19).rev().collect::<Vec<_>>(), 0.95), Some(19));
        assert_eq!(upper_bound(&mut (1..=98).collect::<Vec<_>>(), 0.99), None);
        assert_eq!(upper_bound(&mut (1..=199).collect::<Vec<_>>(), 0.99), Some(198));
        assert_eq!((upper_bound(&mut [], 0.5), median(&mut []), median(&mut [4, 1])), (None, None, Some(1)));
    }

    #[test]
    fn it_holds_as_often_as_it_says() {
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        // Squares, so that the tail is long.
        let mut draw = move || i64::from(rng.next_u32() >> 8).pow(2);
        for (n, holds) in [(19, 0.95), (120, 0.95), (120, 0.99)] {
            let held = (0..4000).filter(|_| {
                let mut values: Vec<i64> = (0..n).map(|_| draw()).collect();
                draw() <= upper_bound(&mut values, holds).unwrap()
            });
            let part = held.count() as f64 / 4000.0;
            // At least as often, and hardly more; 0.7 % are two standard deviations of the count.
            assert!(
                part > holds - 0.007 && part < holds + 0.05 * (1.0 - holds) + 0.01 + 1.0 / n as f64,
                "{n} {holds}: {part}"
            );
        }
    }
}
