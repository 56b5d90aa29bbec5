use super::{Comparison, Grid, Maker, Matcher, Offset};
use crate::{Fraction, Record, RecordBuilder, RecordType, Tick, TimeDelta, Timestamp};

fn grid(stamps: impl IntoIterator<Item = Timestamp>) -> Grid {
    let mut grid = Grid::default();
    stamps.into_iter().for_each(|stamp| grid.add(stamp));
    grid
}

/// Fractions that use every bit.
fn any(n: u32) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + n, n.wrapping_mul(0x9E37_79B9) | 1)
}

#[test]
fn who_made_the_stamps() {
    let made = |make: &dyn Fn(u32) -> Timestamp| grid((1..200).map(make)).likeness();
    let tick = Tick::new(24).unwrap();
    let counter = made(&|n| tick.quantize(any(n)));
    assert_eq!((counter.maker, counter.word()), (Maker::Counter(tick), "certain"));
    for rule in [Fraction::Ceil, Fraction::Floor] {
        let micros = made(&|n| Timestamp::from_micros(1_700_000_000_000_000 + u64::from(n) * 7919, rule).unwrap());
        assert_eq!((micros.maker, micros.word()), (Maker::Microseconds, "certain"));
        let nanos =
            made(&|n| Timestamp::from_nanos(1_700_000_000_000_000_000 + u64::from(n) * 7_919_337, rule).unwrap());
        assert_eq!((nanos.maker, nanos.word()), (Maker::Nanoseconds, "certain"));
    }
    assert_eq!(made(&any).maker, Maker::Unknown);
    // Few stamps are no proof, and whole seconds are none at all.
    let few =
        grid((1..3).map(|n| Timestamp::from_nanos(1_700_000_000_000_000_000 + n * 7_919_337, Fraction::Ceil).unwrap()));
    assert_eq!((few.likeness().maker, few.likeness().word()), (Maker::Nanoseconds, "weak"));
    assert_eq!(grid((1..99).map(|n| Timestamp::from_parts(n, 0))).likeness().maker, Maker::Unknown);
}

fn offsets(count: i64, by: impl Fn(f64) -> f64) -> Vec<Offset> {
    let at = |n: i64| Timestamp::from_parts(1_700_000_000, 0) + TimeDelta::from_nanos(n * 10_000_000);
    let offset = |n: i64| Offset { at: at(n), by: TimeDelta::from_nanos((by(n as f64 / 100.0) * 1e9).round() as i64) };
    (0..count).map(offset).collect()
}

#[test]
fn a_steady_drift_is_a_slope_without_deviation() {
    let compared = Comparison::of(&offsets(10_000, |t| 0.001 + 25e-6 * t)).unwrap();
    assert!((compared.drift_ppm - 25.0).abs() < 1e-3, "{compared:?}");
    assert!(compared.residual_ns < 1.0);
    assert_eq!(compared.least, TimeDelta::from_nanos(1_000_000));
    assert!(compared.allan.iter().all(|allan| allan.deviation < 1e-8), "{:?}", compared.allan);
}

#[test]
fn the_deviation_of_known_noise() {
    // A sawtooth of +a, -a from one stretch to the next: each second difference is 4a, so sigma(tau) = 4a / (sqrt 2 tau).
    let a = 1e-6;
    let count = 1024 * 8;
    let span = f64::from(count - 1) / 100.0;
    let by = |t: f64| if ((t / span * 1024.0) as i64).min(1023) % 2 == 0 { a } else { -a };
    let compared = Comparison::of(&offsets(i64::from(count), by)).unwrap();
    let first = compared.allan[0];
    assert!((first.tau - span / 1024.0).abs() < 1e-9);
    let expected = 4.0 * a / 2f64.sqrt() / first.tau;
    assert!((first.deviation / expected - 1.0).abs() < 0.01, "{first:?} {expected}");
    // Over two stretches the sawtooth is the same at all three points.
    assert!(compared.allan[1].deviation < expected / 100.0);
}

#[test]
fn packets_are_matched_by_what_they_are() {
    let packet = |n: u32, nanos: i64| {
        let stamp = Timestamp::from_parts(1_700_000_000 + n, 0) + TimeDelta::from_nanos(nanos);
        let mut frame = [0x45; 100];
        frame[50..54].copy_from_slice(&(n / 2 * 2).max(n.min(5)).to_be_bytes());
        RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&frame).append_fcs().to_vec().unwrap()
    };
    let mut matcher = Matcher::new(100);
    for n in 0..20 {
        matcher.reference(&Record::parse(&packet(n, 0)).unwrap());
        if n != 3 {
            matcher.other(&Record::parse(&packet(n, 500)).unwrap());
        }
    }
    // From 6 on every packet looks like its neighbour and counts for nothing; one is missing in the other place.
    let offsets = matcher.offsets();
    assert_eq!(offsets.len(), 5);
    assert!(offsets.iter().all(|offset| offset.by == TimeDelta::from_nanos(500)));
    assert!(Comparison::of(&offsets).unwrap().residual_ns < 1.0);
    assert_eq!(Comparison::of(&offsets[..1]), None);
}
