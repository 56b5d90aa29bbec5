//! How far apart two clocks are, all along: they drift, and are stepped.
//!
//! Each anchor has its own delay, and some are no packets of the same moment, so that the offset at a place is the median of those about it.
//! Between two of them it is what either of these says: a step may be anywhere between.

use super::anchors::Anchor;
use super::bins::slope_below;

/// Anchors on either side of the one of which the offset is told.
const BESIDE: usize = 7;

/// Anchors on either side of a step that are to agree with each other.
const SIDE: usize = 15;

/// So many of them, at either end, need not.
const STRAY: usize = 2;

/// No smaller step is told, in nanoseconds.
const LEAST_STEP: f64 = 1e6;

/// A greater one is told though it was undone later: queues are not that long.
const SURE_STEP: f64 = 1e9;

/// Of fewer anchors no drift is told.
const LEAST_FOR_DRIFT: usize = 16;

/// No clock differs by so much from another, in nanoseconds a nanosecond.
const MOST_DRIFT: f64 = 1e-3;

/// A lasting change between two packets of the second capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Stamp of a packet before it, by the second clock, in nanoseconds since 1970.
    pub after_ns: i64,
    /// Stamp of a packet behind it.
    pub before_ns: i64,
    /// By about how much the second clock was put forward against the first, in nanoseconds.
    pub by_ns: i64,
}

/// The offset about a packet, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Around {
    /// It is no less.
    pub(super) low: i64,
    /// Nor more.
    pub(super) high: i64,
    /// What all steps before it make.
    pub(super) stepped: i64,
}

impl Around {
    /// How far from each other the two stamps of a packet are, by the offset that is nearer to them.
    pub(super) fn distance(self, a: i64, b: i64) -> u64 {
        let by = |offset: i64| b.saturating_sub(offset).abs_diff(a);
        by(self.low).min(by(self.high))
    }
}

/// The offset, from the first packet of the second capture to its last.
#[derive(Debug)]
pub(super) struct Track {
    /// Place in the second capture, and offset there.
    knots: Vec<(u64, i64)>,
    usual: i64,
    drift_ppb: Option<f64>,
    /// The least difference, as it is and without the drift.
    least: (i64, i64),
    /// With the places of the packets behind them.
    steps: Vec<(u64, Step)>,
    told: Vec<Step>,
    /// The knot that was passed last, and the steps that were.
    passed: usize,
    stepped: (usize, i64),
}

impl Track {
    /// Of anchors in the order of the second capture.
    pub(super) fn of(anchors: Vec<Anchor>) -> Self {
        let start = anchors.first().map_or(0, |anchor| anchor.b);
        let mut differences: Vec<i64> = anchors.iter().map(|anchor| anchor.b - anchor.a).collect();
        let drift = drift(&anchors);
        // Nanoseconds since the first one, which a double holds.
        let drifted = |anchor: &Anchor| (drift * (anchor.b - start) as f64).round() as i64;
        let steady: Vec<i64> = anchors.iter().map(|anchor| anchor.b - anchor.a - drifted(anchor)).collect();
        let knots = anchors.iter().enumerate().map(|(at, anchor)| {
            let beside = &steady[at.saturating_sub(BESIDE)..(at + BESIDE + 1).min(steady.len())];
            (anchor.number, median(&mut beside.to_vec()) + drifted(anchor))
        });
        let knots = knots.collect();
        let steps: Vec<(u64, Step)> = steps(&steady)
            .into_iter()
            .map(|(at, by_ns)| {
                let (last, next) = (&anchors[at - 1], &anchors[at]);
                (next.number, Step { after_ns: last.b, before_ns: next.b, by_ns })
            })
            .collect();
        let mut stepped = 0;
        let mut next = steps.iter().peekable();
        let level = anchors.iter().map(|anchor| {
            while let Some((_, step)) = next.next_if(|(number, _)| *number <= anchor.number) {
                stepped += step.by_ns;
            }
            (anchor.a, anchor.b - anchor.a - stepped)
        });
        let drift_ppb = slope_below(level);
        let origin = anchors.first().map_or(0, |anchor| anchor.a);
        let less = |anchor: &Anchor| (drift_ppb.unwrap_or(0.0) * ((anchor.a - origin) as f64 / 1e9)).round() as i64;
        let least = anchors.iter().map(|anchor| anchor.b - anchor.a - less(anchor)).min().unwrap_or(0);
        let least = (differences.iter().copied().min().unwrap_or(0), least);
        let told = steps.iter().map(|(_, step)| *step).collect();
        Self { knots, usual: median(&mut differences), drift_ppb, least, steps, told, passed: 0, stepped: (0, 0) }
    }

    pub(super) fn usual_ns(&self) -> i64 {
        self.usual
    }

    /// How much faster the second clock runs, in parts per 10^9, by the fastest anchors.
    pub(super) fn drift_ppb(&self) -> Option<f64> {
        self.drift_ppb
    }

    /// The least difference of stamps, with or without the drift.
    pub(super) fn least_ns(&self, without_drift: bool) -> i64 {
        if without_drift { self.least.1 } else { self.least.0 }
    }

    pub(super) fn anchors(&self) -> usize {
        self.knots.len()
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.told
    }

    /// About the packet at this place of the second capture, of which the places before were asked for before.
    pub(super) fn around(&mut self, number: u64) -> Around {
        while self.knots.get(self.passed + 1).is_some_and(|(next, _)| *next <= number) {
            self.passed += 1;
        }
        while let Some((_, step)) = self.steps.get(self.stepped.0).filter(|(next, _)| *next <= number) {
            self.stepped = (self.stepped.0 + 1, self.stepped.1 + step.by_ns);
        }
        let here = self.knots.get(self.passed).map_or(self.usual, |(_, offset)| *offset);
        let next = self.knots.get(self.passed + 1).map_or(here, |(_, offset)| *offset);
        Around { low: here.min(next), high: here.max(next), stepped: self.stepped.1 }
    }
}

/// The middle of some values, in any order; 0 of none.
fn median(values: &mut [i64]) -> i64 {
    let middle = values.len() / 2;
    if values.is_empty() { 0 } else { *values.select_nth_unstable(middle).1 }
}

/// How much the offset grows, in nanoseconds a nanosecond: the median slope between anchors that are a 64th of all apart. A step lies
/// between few of these pairs.
fn drift(anchors: &[Anchor]) -> f64 {
    if anchors.len() < LEAST_FOR_DRIFT {
        return 0.0;
    }
    let apart = (anchors.len() / 64).max(2);
    let slope = |(one, other): (&Anchor, &Anchor)| {
        let grown = (other.b - other.a) - (one.b - one.a);
        let time = other.a - one.a;
        (time > 0).then(|| grown as f64 / time as f64)
    };
    let mut slopes: Vec<f64> = anchors.iter().zip(&anchors[apart..]).filter_map(slope).collect();
    let middle = slopes.len() / 2;
    if slopes.is_empty() {
        return 0.0;
    }
    let drift = *slopes.select_nth_unstable_by(middle, f64::total_cmp).1;
    if drift.abs() < MOST_DRIFT { drift } else { 0.0 }
}

/// Before which of the offsets, without their drift, there is a step, and by how much.
fn steps(steady: &[i64]) -> Vec<(usize, i64)> {
    let mut steps: Vec<(usize, i64)> = Vec::new();
    // Of places one beside the other that all might be it, the one that explains most.
    let mut best: Option<Change> = None;
    for at in SIDE..(steady.len() + 1).saturating_sub(SIDE) {
        let change = Change::at(steady, at);
        if change.is_step() {
            best = Some(best.filter(|best| best.rest <= change.rest).unwrap_or(change));
        } else if let Some(found) = best.take() {
            note(&mut steps, found);
        }
    }
    if let Some(found) = best {
        note(&mut steps, found);
    }
    steps
}

/// A queue fills and is empty again: then it was no step.
fn note(steps: &mut Vec<(usize, i64)>, found: Change) {
    let undone = steps.last().is_some_and(|(_, last)| {
        let (last, by) = (*last as f64, found.by as f64);
        last.abs().max(by.abs()) < SURE_STEP && (last + by).abs() < 0.2 * last.abs()
    });
    if undone {
        steps.pop();
    } else {
        steps.push((found.at, found.by));
    }
}

/// What is before a place, and behind it.
#[derive(Debug, Clone, Copy)]
struct Change {
    at: usize,
    by: i64,
    /// How much the offsets of either side differ among themselves, without the stray ones.
    spread: i64,
    /// How far all of them are from the middle of their side.
    rest: i128,
}

impl Change {
    fn at(steady: &[i64], at: usize) -> Self {
        let mut before = steady[at - SIDE..at].to_vec();
        let mut behind = steady[at..at + SIDE].to_vec();
        let sides = [&mut before, &mut behind].map(|side| {
            side.sort_unstable();
            let middle = side[SIDE / 2];
            let rest: i128 = side.iter().map(|offset| i128::from(*offset - middle).abs()).sum();
            (middle, side[SIDE - 1 - STRAY] - side[STRAY], rest)
        });
        let [(from, narrow, rest), (to, wide, more)] = sides;
        Self { at, by: to - from, spread: narrow.max(wide), rest: rest + more }
    }

    fn is_step(&self) -> bool {
        // Differences of offsets, far from where a double has no digits.
        (self.by as f64).abs() > LEAST_STEP + 8.0 * self.spread as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// One anchor a second, each tenth packet, with this difference.
    fn anchors(differences: impl IntoIterator<Item = i64>) -> Vec<Anchor> {
        let each = differences.into_iter().enumerate().map(|(at, difference)| {
            let a = 1_700_000_000 * SECOND + at as i64 * SECOND;
            Anchor { number: 10 * at as u64, a, b: a + difference, way: Default::default() }
        });
        each.collect()
    }

    /// From 0 up to a millisecond, without an order.
    fn jitter(at: i64) -> i64 {
        at * 7_919 % 1_000 * 1_000
    }

    #[test]
    fn drift_is_followed_with_no_room_for_it() {
        let mut track = Track::of(anchors((0..86_400).map(|at| 37 * SECOND + at * 100_000 + jitter(at))));
        for at in 0..86_400 {
            let around = track.around(10 * at as u64 + 5);
            let expected = 37 * SECOND + at * 100_000 + 500_000;
            assert!(around.low > expected - 600_000 && around.high < expected + 600_000, "{at}: {around:?}");
            assert!(around.high - around.low < 500_000, "{at}: {around:?}");
        }
        assert_eq!(track.steps(), []);
    }

    #[test]
    fn a_step_is_between_two_packets() {
        for by in [5 * SECOND, -5 * SECOND, 20_000_000] {
            let differences = (0..1_000).map(|at| at * 50_000 + jitter(at) + if at < 600 { 0 } else { by });
            let anchors = anchors(differences);
            let mut track = Track::of(anchors.clone());
            let [step] = track.steps() else { panic!("{:?}", track.steps()) };
            assert_eq!((step.after_ns, step.before_ns), (anchors[599].b, anchors[600].b));
            assert!((step.by_ns - by).abs() < 700_000, "{step:?}");
            let by_ns = step.by_ns;
            let [before, between, behind] = [5_980, 5_995, 6_005].map(|number| track.around(number));
            assert_eq!([before, between, behind].map(|around| around.stepped), [0, 0, by_ns]);
            assert!(before.high - before.low < 700_000 && behind.high - behind.low < 700_000);
            assert!((between.high - between.low - by.abs()).abs() < 1_500_000, "either may be meant: {between:?}");
        }
    }

    #[test]
    fn what_passes_or_is_strayed_is_no_step() {
        // A queue of 80 ms that is full for a while, packets of other times, and steps that were undone.
        let queue = |at: i64| if (300..500).contains(&at) { 80_000_000 } else { 0 };
        let stray = |at: i64| if at % 11 == 0 { at * SECOND } else { 0 };
        let mut track = Track::of(anchors((0..1_000).map(|at| jitter(at) + queue(at) + stray(at))));
        assert_eq!(track.steps(), []);
        assert!((79_000_000..82_000_000).contains(&track.around(4_000).low));
        assert!((0..1_000_000).contains(&track.around(9_000).low));
        let undone = |at: i64| if (300..500).contains(&at) { 5 * SECOND } else { 0 };
        assert_eq!(Track::of(anchors((0..1_000).map(undone))).steps().len(), 2, "no queue is that long");
    }

    #[test]
    fn few_anchors_are_enough() {
        let mut one = Track::of(anchors([7]));
        assert_eq!((one.around(0), one.around(99)), (Around { low: 7, high: 7, stepped: 0 }, one.around(99)));
        assert_eq!((one.usual_ns(), one.anchors()), (7, 1));
        // Delays that differ by more than the time between packets make no drift.
        let mut few = Track::of(anchors([0, 3 * SECOND, SECOND, 2 * SECOND]));
        assert!((SECOND..=2 * SECOND).contains(&few.around(20).low));
    }
}
