//! Two clocks related: that of a host, and that of the wire.
//!
//! Of each probe seen at both places there is a difference *host stamp - wire stamp* for the request and one for the reply. A clock pair
//! has one drift, so both directions share the slope; what lies between them is delay, which no round trip can tell from offset.
//! What causality allows is an interval: nothing arrives before it was sent.
//!
//! ```text
//! difference         reply:   offset + receive delay          o  o     o   o     o
//!     ^                                               o    o     o         - - - - the offset is not above the lowest reply
//!     |                                               - - - - - - - - - - - - - -  and not below the highest request
//!     |              request: offset - send delay      x   x    x     x  x      x
//!     +----------------------------------------------------------------> wire time
//! ```

mod fit;

use crate::echo::{Leg, ProbeKey};
use crate::error::{Error, Repr};
use crate::vantage::{Pair, Vantage};
pub(crate) use fit::hull;
use fit::{least_squares, lower_envelope, theil_sen};

/// How the drift was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// Least squares: the paper's, for probes at rest.
    LeastSquares,
    /// The median of the slopes between all pairs of probes (Theil, Sen): for probes of which some were delayed.
    TheilSen,
    /// The lines nearest to the packets of each direction that none of them crosses (after Moon, Skelly and Towsley, 1999, here with one slope
    /// for both): for probes of which most were delayed and some were not. Its interval is not one of 95 %, but holds every drift that
    /// causality allows.
    LowerEnvelope,
}

impl Method {
    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeastSquares => "least-squares",
            Self::TheilSen => "theil-sen",
            Self::LowerEnvelope => "lower-envelope",
        }
    }
}

/// The same packet, stamped by a host and on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The probe.
    pub key: ProbeKey,
    /// Which way it went.
    pub leg: Leg,
    /// The stamp of the wire, nanoseconds since 1970.
    pub wire: i64,
    /// Host stamp minus wire stamp, in nanoseconds.
    pub difference: i64,
}

/// The packets of `wire` that the host has stamped too, in the order of the wire.
pub fn points(wire: &Vantage, host: impl Fn(ProbeKey) -> Option<Pair>) -> Vec<Point> {
    let mut points = Vec::new();
    for (key, on_wire) in wire.probes() {
        let Some(on_host) = host(key) else { continue };
        for leg in [Leg::Request, Leg::Reply] {
            if let (Some(wire), Some(host)) = (on_wire.leg(leg), on_host.leg(leg)) {
                points.push(Point { key, leg, wire, difference: host - wire });
            }
        }
    }
    points.sort_by_key(|point| (point.wire, point.leg));
    points
}

/// A step of one of the clocks, as far as causality proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The last packet that was surely before it: the stamp of the wire, nanoseconds since 1970.
    pub after_wire: i64,
    /// The first packet that may have been behind all of it.
    pub before_wire: i64,
    /// By how much the host's clock is ahead at least more than before, in nanoseconds; below 0, less.
    pub by_at_least_ns: i64,
}

/// How a host's clock relates to that of the wire.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Relation {
    /// How the drift was found.
    pub method: Method,
    /// How much faster the host's clock runs, in parts per 10^9.
    pub drift_ppb: f64,
    /// Where the true drift lies in 95 of 100 cases, in parts per 10^9; for the lower envelope, always, if no clock was stepped.
    pub drift_ci_ppb: (f64, f64),
    /// Spread of the differences about the fit, in nanoseconds: standard deviation, for Theil-Sen 1.4826 times the median deviation, for the
    /// lower envelope the median distance from it.
    pub residual_ns: f64,
    /// The least that the host's clock can be ahead at the first probe, in nanoseconds; `None` without requests.
    pub offset_low_ns: Option<i64>,
    /// The most that it can be ahead then; `None` without replies.
    pub offset_high_ns: Option<i64>,
    /// Probes from which the drift was found.
    pub fitted: usize,
    /// Where the differences cannot be of one offset: a clock was stepped.
    pub step: Option<Step>,
    origin: i64,
    base: i64,
    /// The fit at the origin, beyond `base`, in nanoseconds, of requests and replies.
    levels: [Option<f64>; 2],
}

const fn index(leg: Leg) -> usize {
    match leg {
        Leg::Request => 0,
        Leg::Reply => 1,
    }
}

/// Relates the clocks by `method`, using the points for which `use_for_fit` holds; all of `points` bound the offset. The two stamps of a point
/// are off by `error_ns` at most together: so far one may seem to arrive before it was sent.
///
/// # Errors
///
/// With fewer than three points in a direction to fit, or all of one moment.
pub fn relate(
    points: &[Point],
    method: Method,
    error_ns: i64,
    use_for_fit: impl Fn(&Point) -> bool,
) -> Result<Relation, Error> {
    let chosen: Vec<Point> = points.iter().filter(|point| use_for_fit(point)).copied().collect();
    let have = [Leg::Request, Leg::Reply].map(|leg| chosen.iter().filter(|point| point.leg == leg).count());
    let legs = have.iter().filter(|count| **count > 0).count();
    if legs == 0 || have.iter().any(|count| *count > 0 && *count < 3) {
        return Err(Repr::TooFew { have: have.iter().sum(), need: 3 }.into());
    }
    let first = chosen.first().copied().ok_or(Repr::TooFew { have: 0, need: 3 })?;
    let (origin, base) = (first.wire, first.difference);
    // Floats from here on hold differences of differences, which are small.
    let near = |point: &Point| ((point.wire - origin) as f64 / 1e9, (point.difference - base) as f64);
    let of = |leg: Leg| chosen.iter().filter(move |point| point.leg == leg).map(near).collect::<Vec<_>>();
    let groups = [of(Leg::Request), of(Leg::Reply)];
    let fit = match method {
        Method::LeastSquares => least_squares(&groups),
        Method::TheilSen => theil_sen(&groups),
        Method::LowerEnvelope => lower_envelope(&groups)?,
    };
    let mut fit = fit.ok_or(Repr::NoSpan)?;
    // Stamps that are off by as much as they may be, early ones one way and late ones the other, tilt the line so much.
    let slack = error_ns as f64 * leverage(&groups);
    fit.interval = (fit.interval.0 - slack, fit.interval.1 + slack);
    let mut relation = Relation {
        method,
        drift_ppb: fit.slope,
        drift_ci_ppb: fit.interval,
        residual_ns: fit.residual,
        offset_low_ns: None,
        offset_high_ns: None,
        fitted: chosen.len(),
        step: None,
        origin,
        base,
        levels: fit.levels,
    };
    // What causality allows, whichever drift of its interval is the true one.
    let offset = |point: &Point, drift: f64| {
        let error = if point.leg == Leg::Request { -error_ns } else { error_ns };
        point.difference - drifted(point.wire - origin, drift) + error
    };
    let by_drift = [fit.interval.0, fit.slope, fit.interval.1].map(|drift| {
        let offset = |point: &Point| offset(point, drift);
        points.iter().fold(Bounds::default(), |bounds, point| bounds.with(point.leg, offset(point)))
    });
    relation.offset_low_ns = by_drift.iter().filter_map(|bounds| bounds.low).min();
    relation.offset_high_ns = by_drift.iter().filter_map(|bounds| bounds.high).max();
    if relation.contradiction_ns() > 0 {
        relation.step = step(points, |point| offset(point, fit.slope));
    }
    Ok(relation)
}

/// By how much the slope of a least-squares line can change for each unit by which its points are moved, at most.
fn leverage(groups: &[Vec<(f64, f64)>; 2]) -> f64 {
    let (mut spread, mut square) = (0.0, 0.0);
    for group in groups.iter().filter(|group| !group.is_empty()) {
        let middle = group.iter().map(|(at, _)| at).sum::<f64>() / group.len() as f64;
        spread += group.iter().map(|(at, _)| (at - middle).abs()).sum::<f64>();
        square += group.iter().map(|(at, _)| (at - middle).powi(2)).sum::<f64>();
    }
    if square > 0.0 { spread / square } else { 0.0 }
}

/// What a drift in parts per 10^9 adds in a time span, both in nanoseconds.
fn drifted(span: i64, drift_ppb: f64) -> i64 {
    // Parts per 10^9 of seconds are nanoseconds.
    (span as f64 / 1e9 * drift_ppb).round() as i64
}

/// What the offset can be, by the points that were looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    low: Option<i64>,
    high: Option<i64>,
}

impl Bounds {
    fn with(self, leg: Leg, offset: i64) -> Self {
        match leg {
            Leg::Request => Self { low: self.low.max(Some(offset)), ..self },
            Leg::Reply => Self { high: Some(self.high.map_or(offset, |high| high.min(offset))), ..self },
        }
    }
}

/// The place between two points, in order of time, with the least contradiction on either side of it, if the two sides contradict each other.
fn step(points: &[Point], offset: impl Fn(&Point) -> i64) -> Option<Step> {
    let mut behind = vec![Bounds::default(); points.len() + 1];
    for (at, point) in points.iter().enumerate().rev() {
        behind[at] = behind[at + 1].with(point.leg, offset(point));
    }
    let above = |low: Option<i64>, high: Option<i64>| low.zip(high).map_or(0, |(low, high)| (low - high).max(0));
    let mut before = Bounds::default();
    let mut found: Option<(i64, Step)> = None;
    let mut last = points.first()?.wire;
    for (point, after) in points.iter().zip(&behind) {
        let left = above(before.low, before.high).max(above(after.low, after.high));
        // Ahead by more: the least behind is above the most before; by less, the other way round.
        let (more, less) = (above(after.low, before.high), above(before.low, after.high));
        let by_at_least_ns = if more >= less { more } else { -less };
        match &mut found {
            // As good: it was here, or there.
            Some((least, step)) if left == *least && by_at_least_ns != 0 => step.before_wire = point.wire,
            Some((least, _)) if left >= *least => {}
            _ if by_at_least_ns == 0 => {}
            _ => found = Some((left, Step { after_wire: last, before_wire: point.wire, by_at_least_ns })),
        }
        last = point.wire;
        before = before.with(point.leg, offset(point));
    }
    found.map(|(_, step)| step)
}

impl Relation {
    /// By how much a packet was later than the fit says of its direction, in nanoseconds: excess over what was fitted, and below 0 where it
    /// was faster. `None` where that direction was not fitted.
    pub fn excess_ns(&self, point: &Point) -> Option<f64> {
        let level = self.levels[index(point.leg)]?;
        let fitted = level + (point.wire - self.origin) as f64 / 1e9 * self.drift_ppb;
        let beyond = (point.difference - self.base) as f64 - fitted;
        Some(match point.leg {
            // A request that waits in the host is on the wire later, so its difference is less.
            Leg::Request => -beyond,
            Leg::Reply => beyond,
        })
    }

    /// A time span of the host's clock, in that of the wire.
    pub fn to_wire_ns(&self, host_ns: i64) -> i64 {
        host_ns - (host_ns as f64 * self.drift_ppb / 1e9).round() as i64
    }

    /// By how much the least and the most that the offset can be contradict each other, in nanoseconds; 0 where they do not. If they do, a
    /// clock was stepped, or a stamp is not of the place that it is said to be of.
    pub fn contradiction_ns(&self) -> i64 {
        match (self.offset_low_ns, self.offset_high_ns) {
            (Some(low), Some(high)) => (low - high).max(0),
            _ => 0,
        }
    }

    /// Whole seconds by which the clocks differ, if what is left is less than a tenth of one: 37 is probably TAI against UTC.
    pub fn whole_seconds(&self) -> Option<i64> {
        let (low, high) = (self.offset_low_ns?, self.offset_high_ns?);
        let middle = low / 2 + high / 2;
        let seconds = (middle as f64 / 1e9).round() as i64;
        (seconds != 0 && (middle - seconds * 1_000_000_000).abs() < 100_000_000).then_some(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::fit::mean;
    use super::*;

    /// Normal noise of standard deviation 1, from a seed: the sum of twelve uniform numbers.
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f64 {
            let mut sum = -6.0;
            for _ in 0..12 {
                self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                sum += (self.0 >> 33) as f64 / (1u64 << 31) as f64;
            }
            sum
        }
    }

    const START: i64 = 1_700_000_000_123_456_789;

    /// Probes 250 ms apart: sent with 40 us and received with 25 us of delay and 10 us of noise, by a host that is `offset` ahead and `drift`
    /// ppb too fast.
    fn probes(count: u16, offset: i64, drift: f64, seed: u64) -> Vec<Point> {
        let mut noise = Noise(seed);
        let mut points = Vec::new();
        for seq in 0..count {
            let key = ProbeKey::new(1, seq);
            for (leg, at, delay) in [(Leg::Request, 0, -40_000.0), (Leg::Reply, 300_000, 25_000.0)] {
                let wire = START + i64::from(seq) * 250_000_000 + at;
                let clock = offset + ((wire - START) as f64 / 1e9 * drift).round() as i64;
                let difference = clock + (delay + 10_000.0 * noise.next()) as i64;
                points.push(Point { key, leg, wire, difference });
            }
        }
        points
    }

    #[test]
    fn drift_is_found_and_its_interval_holds_it_as_often_as_it_says() {
        for method in [Method::LeastSquares, Method::TheilSen] {
            let (mut held, mut worst) = (0, 0.0f64);
            for seed in 0..200 {
                let drift = (seed as f64 - 100.0) * 1000.0;
                // Twenty at rest before, and twenty after, of a minute.
                let points = probes(240, 7_200_000_000_000, drift, seed);
                let relation = relate(&points, method, 0, |point| point.key.seq < 20 || point.key.seq >= 220).unwrap();
                let (low, high) = relation.drift_ci_ppb;
                held += u32::from(low <= drift && drift <= high);
                worst = worst.max((relation.drift_ppb - drift).abs());
            }
            assert!((181..=199).contains(&held), "{method:?}: {held} of 200");
            // Within a tenth of a part per million.
            assert!(worst < 200.0, "{method:?}: {worst} ppb");
        }
    }

    #[test]
    fn the_offset_lies_where_causality_says() {
        for offset in [0, 5, -3_600_000_000_000, 37_000_000_000] {
            let points = probes(200, offset, 12_000.0, 3);
            let relation = relate(&points, Method::LeastSquares, 0, |_| true).unwrap();
            let (low, high) = (relation.offset_low_ns.unwrap(), relation.offset_high_ns.unwrap());
            assert!(low <= offset && offset <= high, "{low} {offset} {high}");
            assert!(high - low < 100_000, "the delays of the fastest packets");
            assert_eq!(relation.contradiction_ns(), 0);
            assert_eq!(relation.whole_seconds(), Some(offset / 1_000_000_000).filter(|seconds| *seconds != 0));
        }
        // A step between the probes.
        let mut points = probes(200, 0, 0.0, 3);
        points.iter_mut().filter(|point| point.key.seq > 100).for_each(|point| point.difference += 5_000_000);
        let relation = relate(&points, Method::TheilSen, 0, |point| point.key.seq < 90).unwrap();
        assert!(relation.contradiction_ns() > 4_000_000, "{relation:?}");
        let step = relation.step.unwrap();
        assert!((4_000_000..5_000_000).contains(&step.by_at_least_ns), "{step:?}");
        let first = points.iter().find(|point| point.key.seq > 100).unwrap().wire;
        assert!(step.after_wire < first && first <= step.before_wire, "{step:?}");
        assert!(step.before_wire - step.after_wire < 500_000_000, "{step:?}");
        // And back.
        points.iter_mut().for_each(|point| point.difference = -point.difference);
        points
            .iter_mut()
            .for_each(|point| point.leg = if point.leg == Leg::Request { Leg::Reply } else { Leg::Request });
        let relation = relate(&points, Method::TheilSen, 0, |point| point.key.seq < 90).unwrap();
        assert!((-5_000_000..-4_000_000).contains(&relation.step.unwrap().by_at_least_ns));
        assert_eq!(relate(&probes(200, 0, 0.0, 3), Method::TheilSen, 0, |_| true).unwrap().step, None);
    }

    #[test]
    fn excess_is_what_was_added_whatever_the_clock_does() {
        let mut points = probes(300, 86_400_000_000_000, -55_000.0, 9);
        for point in &mut points {
            if (100..200).contains(&point.key.seq) {
                point.difference += match point.leg {
                    Leg::Request => -9_000_000,
                    Leg::Reply => 240_000,
                };
            }
        }
        let at_rest = |point: &Point| !(100..200).contains(&point.key.seq);
        let relation = relate(&points, Method::LeastSquares, 0, at_rest).unwrap();
        for (leg, added) in [(Leg::Request, 9_000_000.0), (Leg::Reply, 240_000.0)] {
            let stressed = points.iter().filter(|point| point.leg == leg && !at_rest(point));
            let excess = mean(stressed.map(|point| relation.excess_ns(point).unwrap()).collect::<Vec<_>>().into_iter());
            assert!((excess - added).abs() < 6_000.0, "{leg:?}: {excess}");
        }
    }

    #[test]
    fn the_median_of_slopes_bears_what_least_squares_does_not() {
        let mut points = probes(200, 0, 1_000.0, 5);
        // A third of them waits, towards the end more than before.
        for point in points.iter_mut().filter(|point| point.key.seq % 3 == 0) {
            point.difference -= i64::from(point.key.seq) * 50_000;
        }
        let robust = relate(&points, Method::TheilSen, 0, |_| true).unwrap();
        let plain = relate(&points, Method::LeastSquares, 0, |_| true).unwrap();
        assert!((robust.drift_ppb - 1_000.0).abs() < 1_000.0, "{}", robust.drift_ppb);
        assert!((plain.drift_ppb - 1_000.0).abs() > 20_000.0, "{}", plain.drift_ppb);
    }

    #[test]
    fn the_envelope_bears_that_most_are_delayed_and_its_interval_always_holds() {
        for seed in 0..100 {
            let drift = (seed as f64 - 50.0) * 2_000.0;
            let mut points = probes(300, -7_200_000_000_000, drift, seed);
            // Of ten one is not delayed, the others more and more.
            for (at, point) in points.iter_mut().enumerate().filter(|(at, _)| at % 20 > 1) {
                let delay = 1_000_000 + (at as i64 * 7_919) % 5_000_000;
                point.difference += if point.leg == Leg::Request { -delay - at as i64 * 10_000 } else { delay };
            }
            let envelope = relate(&points, Method::LowerEnvelope, 0, |_| true).unwrap();
            let plain = relate(&points, Method::LeastSquares, 0, |_| true).unwrap();
            let wrong = |relation: &Relation| (relation.drift_ppb - drift).abs();
            assert!(wrong(&envelope) < 1_000.0, "{} and not {drift}", envelope.drift_ppb);
            assert!(wrong(&plain) > 10_000.0, "{}", plain.drift_ppb);
            let (low, high) = envelope.drift_ci_ppb;
            assert!(low <= drift && drift <= high && high - low < 10_000.0, "{low} {drift} {high}");
        }
        // No line is between requests and replies.
        let mut points = probes(100, 0, 0.0, 1);
        points.iter_mut().filter(|point| point.key.seq % 10 < 5).for_each(|point| point.difference += 90_000_000);
        let error = relate(&points, Method::LowerEnvelope, 0, |_| true).unwrap_err().to_string();
        assert!(error.contains("a clock was stepped"), "{error}");
        points.retain(|point| point.leg == Leg::Reply);
        let error = relate(&points, Method::LowerEnvelope, 0, |_| true).unwrap_err().to_string();
        assert!(error.contains("of both directions"), "{error}");
    }

    #[test]
    fn time_spans_are_scaled() {
        let relation = relate(&probes(100, 0, 100_000.0, 1), Method::LeastSquares, 0, |_| true).unwrap();
        // 100 ppm of 100 ms.
        assert!((relation.to_wire_ns(100_000_000) - 99_990_000).abs() < 100);
    }

    #[test]
    fn too_little_is_refused() {
        let points = probes(2, 0, 0.0, 1);
        let error = relate(&points, Method::LeastSquares, 0, |_| true).unwrap_err().to_string();
        assert!(error.contains("4 packets have been seen at both places, and 3 of each"), "{error}");
        assert!(relate(&[], Method::TheilSen, 0, |_| true).is_err());
        let mut points = probes(5, 0, 0.0, 1);
        points.iter_mut().for_each(|point| point.wire = START);
        for method in [Method::LeastSquares, Method::TheilSen] {
            assert!(relate(&points, method, 0, |_| true).unwrap_err().to_string().contains("of the same moment"));
        }
    }

    #[test]
    fn stamps_that_may_be_off_tilt_the_line_by_as_much() {
        // At rest before and after, off one way before and the other way after: the worst there is.
        let off = |point: &mut Point| point.difference += if point.key.seq < 20 { 20_000 } else { -20_000 };
        let mut points: Vec<Point> =
            probes(120, 0, 0.0, 5).into_iter().filter(|point| !(20..100).contains(&point.key.seq)).collect();
        let plain = relate(&points, Method::LeastSquares, 0, |_| true).unwrap();
        points.iter_mut().for_each(off);
        for method in [Method::LeastSquares, Method::TheilSen] {
            let blind = relate(&points, method, 0, |_| true).unwrap();
            assert!(blind.drift_ci_ppb.1 < plain.drift_ppb, "{method:?}: {:?}", blind.drift_ci_ppb);
            let (low, high) = relate(&points, method, 20_000, |_| true).unwrap().drift_ci_ppb;
            assert!(low < plain.drift_ppb && plain.drift_ppb < high, "{method:?}: {low} {high}");
        }
    }
}
