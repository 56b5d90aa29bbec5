//! When stress comes and goes: at random, and by a number the same again.

use std::time::Duration;

use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// So many times, within `time`: from when to when, in order. It begins and ends at rest, and no part of it, with stress or without, is less than
/// a third as long as another.
pub(super) fn spells(seed: u64, count: u32, time: Duration) -> Vec<(Duration, Duration)> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    // Rest, stress, rest, ... rest.
    let parts: Vec<f64> = (0..=2 * count).map(|_| 0.5 + f64::from(rng.next_u32()) / f64::from(u32::MAX)).collect();
    let all: f64 = parts.iter().sum();
    let mut at = 0.0;
    let mut edges = parts.iter().map(|part| {
        at += part;
        time.mul_f64((at / all).min(1.0))
    });
    let mut found = Vec::new();
    while let (Some(from), Some(to)) = (edges.next(), edges.next()) {
        found.push((from, to));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn another_seed_has_other_times_and_the_same_one_has_the_same() {
        let of = |seed| spells(seed, 4, Duration::from_secs(20));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(spells(1, 0, Duration::from_secs(20)).is_empty());
    }

    proptest! {
        #[test]
        fn stress_and_rest_take_turns(seed in 0u64.., count in 1u32..50, millis in 1_000u64..100_000) {
            let time = Duration::from_millis(millis);
            let found = spells(seed, count, time);
            prop_assert_eq!(found.len(), count as usize);
            let mut edges = vec![Duration::ZERO];
            edges.extend(found.iter().flat_map(|(from, to)| [*from, *to]));
            edges.push(time);
            let lengths: Vec<f64> = edges.windows(2).map(|pair| pair[1].as_secs_f64() - pair[0].as_secs_f64()).collect();
            let (least, most) = lengths.iter().fold((f64::MAX, 0.0f64), |(least, most), one| (least.min(*one), most.max(*one)));
            prop_assert!(least > 0.0 && most <= least * 3.01, "{:?}", lengths);
        }
    }
}
