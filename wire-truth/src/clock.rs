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

use crate::echo::{Leg, ProbeKey};
use crate::error::{Error, Repr};
use crate::stats::student_95;
use crate::vantage::{Pair, Vantage};

/// How the drift was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// Least squares: the paper's, for probes at rest.
    LeastSquares,
    /// The median of the slopes between all pairs of probes (Theil, Sen): for probes of which some were delayed.
    TheilSen,
}

impl Method {
    /// The word used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeastSquares => "least-squares",
            Self::TheilSen => "theil-sen",
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

/// How a host's clock relates to that of the wire.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Relation {
    /// How the drift was found.
    pub method: Method,
    /// How much faster the host's clock runs, in parts per 10^9.
    pub drift_ppb: f64,
    /// Where the true drift lies in 95 of 100 cases, in parts per 10^9.
    pub drift_ci_ppb: (f64, f64),
    /// Spread of the differences about the fit, in nanoseconds: standard deviation, for Theil-Sen 1.4826 times the median deviation.
    pub residual_ns: f64,
    /// The least that the host's clock can be ahead at the first probe, in nanoseconds; `None` without requests.
    pub offset_low_ns: Option<i64>,
    /// The most that it can be ahead then; `None` without replies.
    pub offset_high_ns: Option<i64>,
    /// Probes from which the drift was found.
    pub fitted: usize,
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

/// Relates the clocks by `method`, using the points for which `use_for_fit` holds; all of `points` bound the offset.
///
/// # Errors
///
/// With fewer than three points in a direction to fit, or all of one moment.
pub fn relate(points: &[Point], method: Method, use_for_fit: impl Fn(&Point) -> bool) -> Result<Relation, Error> {
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
    };
    let fit = fit.ok_or(Repr::NoSpan)?;
    let mut relation = Relation {
        method,
        drift_ppb: fit.slope,
        drift_ci_ppb: fit.interval,
        residual_ns: fit.residual,
        offset_low_ns: None,
        offset_high_ns: None,
        fitted: chosen.len(),
        origin,
        base,
        levels: fit.levels,
    };
    for point in points {
        let offset = point.difference - relation.drifted(point.wire);
        match point.leg {
            Leg::Request => relation.offset_low_ns = relation.offset_low_ns.max(Some(offset)),
            Leg::Reply => {
                let lowest = relation.offset_high_ns.map_or(offset, |high| high.min(offset));
                relation.offset_high_ns = Some(lowest);
            }
        }
    }
    Ok(relation)
}

impl Relation {
    /// What the drift has added since the first probe, in nanoseconds.
    fn drifted(&self, wire: i64) -> i64 {
        // Parts per 10^9 of seconds are nanoseconds.
        ((wire - self.origin) as f64 / 1e9 * self.drift_ppb).round() as i64
    }

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

/// A slope shared by the groups, and each group's level at 0.
struct Fit {
    slope: f64,
    interval: (f64, f64),
    residual: f64,
    levels: [Option<f64>; 2],
}

type Group = Vec<(f64, f64)>;

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

fn least_squares(groups: &[Group; 2]) -> Option<Fit> {
    let centers = groups.each_ref().map(|group| {
        (!group.is_empty()).then(|| (mean(group.iter().map(|(x, _)| *x)), mean(group.iter().map(|(_, y)| *y))))
    });
    let centered = || {
        groups.iter().zip(centers).flat_map(|(group, center)| {
            let (middle_x, middle_y) = center.unwrap_or_default();
            group.iter().map(move |(x, y)| (x - middle_x, y - middle_y))
        })
    };
    let sxx: f64 = centered().map(|(x, _)| x * x).sum();
    if sxx <= 0.0 {
        return None;
    }
    let slope = centered().map(|(x, y)| x * y).sum::<f64>() / sxx;
    let squares: f64 = centered().map(|(x, y)| (y - slope * x).powi(2)).sum();
    let legs = centers.iter().flatten().count();
    // One slope, and a level for each direction.
    let freedom = centered().count().saturating_sub(legs + 1).max(1) as f64;
    let residual = (squares / freedom).sqrt();
    let margin = student_95(freedom) * residual / sxx.sqrt();
    let levels = centers.map(|center| center.map(|(x, y)| y - slope * x));
    Some(Fit { slope, interval: (slope - margin, slope + margin), residual, levels })
}

/// Pairs of probes of which the slopes are taken, at most: all of 2000 probes.
const MOST_PAIRS: usize = 2_000_000;

fn theil_sen(groups: &[Group; 2]) -> Option<Fit> {
    let mut slopes = Vec::new();
    for group in groups {
        // Where there are too many pairs, probes far apart say most about a slope: every probe with those a stride or more behind it.
        let pairs = group.len() * group.len() / 2;
        let stride = (pairs / (MOST_PAIRS / 2)).max(1);
        for (at, (x, y)) in group.iter().enumerate() {
            for (later, value) in group.iter().skip(at + 1).step_by(stride) {
                if later > x {
                    slopes.push((value - y) / (later - x));
                }
            }
        }
    }
    if slopes.is_empty() {
        return None;
    }
    slopes.sort_by(f64::total_cmp);
    let slope = slopes[slopes.len() / 2];
    // The interval of Sen (1968): Kendall's statistic has this variance, of each direction.
    let variance: f64 =
        groups.iter().map(|group| group.len() as f64).map(|n| n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sum();
    let pairs: f64 = groups.iter().map(|group| group.len() as f64).map(|n| n * (n - 1.0) / 2.0).sum();
    // Where pairs were left out, as large a part of those that were not.
    let margin = 1.959_964 * variance.sqrt() / pairs * slopes.len() as f64;
    let middle = slopes.len() as f64 / 2.0;
    let at = |rank: f64| slopes[(rank.max(0.0) as usize).min(slopes.len() - 1)];
    let interval = (at(middle - margin / 2.0), at(middle + margin / 2.0));
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let levels = groups.each_ref().map(|group| median(&mut group.iter().map(|(x, y)| y - slope * x).collect()));
    let mut deviations: Vec<f64> = groups
        .iter()
        .zip(levels)
        .flat_map(|(group, level)| {
            let level = level.unwrap_or_default();
            group.iter().map(move |(x, y)| (y - slope * x - level).abs())
        })
        .collect();
    let residual = 1.4826 * median(&mut deviations).unwrap_or_default();
    Some(Fit { slope, interval, residual, levels })
}

#[cfg(test)]
mod tests {
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
            let key = ProbeKey { ident: 1, seq };
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
                let relation = relate(&points, method, |point| point.key.seq < 20 || point.key.seq >= 220).unwrap();
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
            let relation = relate(&points, Method::LeastSquares, |_| true).unwrap();
            let (low, high) = (relation.offset_low_ns.unwrap(), relation.offset_high_ns.unwrap());
            assert!(low <= offset && offset <= high, "{low} {offset} {high}");
            assert!(high - low < 100_000, "the delays of the fastest packets");
            assert_eq!(relation.contradiction_ns(), 0);
            assert_eq!(relation.whole_seconds(), Some(offset / 1_000_000_000).filter(|seconds| *seconds != 0));
        }
        // A step between the probes.
        let mut points = probes(200, 0, 0.0, 3);
        points.iter_mut().filter(|point| point.key.seq > 100).for_each(|point| point.difference += 5_000_000);
        let relation = relate(&points, Method::TheilSen, |point| point.key.seq < 90).unwrap();
        assert!(relation.contradiction_ns() > 4_000_000, "{relation:?}");
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
        let relation = relate(&points, Method::LeastSquares, at_rest).unwrap();
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
        let robust = relate(&points, Method::TheilSen, |_| true).unwrap();
        let plain = relate(&points, Method::LeastSquares, |_| true).unwrap();
        assert!((robust.drift_ppb - 1_000.0).abs() < 1_000.0, "{}", robust.drift_ppb);
        assert!((plain.drift_ppb - 1_000.0).abs() > 20_000.0, "{}", plain.drift_ppb);
    }

    #[test]
    fn time_spans_are_scaled() {
        let relation = relate(&probes(100, 0, 100_000.0, 1), Method::LeastSquares, |_| true).unwrap();
        // 100 ppm of 100 ms.
        assert!((relation.to_wire_ns(100_000_000) - 99_990_000).abs() < 100);
    }

    #[test]
    fn too_little_is_refused() {
        let points = probes(2, 0, 0.0, 1);
        let error = relate(&points, Method::LeastSquares, |_| true).unwrap_err().to_string();
        assert!(error.contains("4 packets have been seen at both places, and 3 of each"), "{error}");
        assert!(relate(&[], Method::TheilSen, |_| true).is_err());
        let mut points = probes(5, 0, 0.0, 1);
        points.iter_mut().for_each(|point| point.wire = START);
        for method in [Method::LeastSquares, Method::TheilSen] {
            assert!(relate(&points, method, |_| true).unwrap_err().to_string().contains("of the same moment"));
        }
    }
}
