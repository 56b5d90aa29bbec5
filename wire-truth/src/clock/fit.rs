//! Slopes through the differences of two directions: pairs of seconds and nanoseconds.

use crate::error::Repr;
use crate::stats::student_95;

/// A slope shared by the groups, and each group's level at 0.
pub(super) struct Fit {
    pub(super) slope: f64,
    pub(super) interval: (f64, f64),
    pub(super) residual: f64,
    pub(super) levels: [Option<f64>; 2],
}

pub(super) type Group = Vec<(f64, f64)>;

pub(super) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

pub(super) fn least_squares(groups: &[Group; 2]) -> Option<Fit> {
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

pub(super) fn theil_sen(groups: &[Group; 2]) -> Option<Fit> {
    let mut slopes = Vec::new();
    for group in groups {
        // Where there are too many pairs, probes far apart say most about a slope: every probe with those a stride or more behind it.
        let pairs = group.len() * group.len() / 2;
        let stride = (pairs / (MOST_PAIRS / 2)).max(1);
        for (at, (x, y)) in group.iter().enumerate() {
            for (later, value) in group[at + 1..].iter().step_by(stride) {
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

/// The corners of the lower hull of a group, in order of time.
pub(crate) fn hull(group: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = group.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
    let mut corners: Vec<(f64, f64)> = Vec::new();
    for (x, y) in sorted {
        // The last corner stays only if the way to the new point turns up there.
        while let [.., (x0, y0), (x1, y1)] = corners[..] {
            if (x1 - x0) * (y - y0) > (y1 - y0) * (x - x0) {
                break;
            }
            corners.pop();
        }
        // Of one moment the lowest.
        if corners.last().is_none_or(|last| last.0 < x) {
            corners.push((x, y));
        }
    }
    corners
}

/// Halvings of an interval, beyond which a double has no digits.
const HALVINGS: usize = 100;

/// No clock differs by so many parts per 10^9 from another.
const MOST_PPB: f64 = 1e8;

pub(super) fn lower_envelope(groups: &[Group; 2]) -> Result<Option<Fit>, Repr> {
    let [requests, replies] = groups;
    if requests.len() < 3 || replies.len() < 3 {
        return Err(Repr::OneWay);
    }
    // A request that waits has a lower difference: seen from below, upside down.
    let above = hull(&requests.iter().map(|(x, y)| (*x, -y)).collect::<Vec<_>>());
    let below = hull(replies);
    // The levels of the lines with this slope: no request is above the first, no reply below the second.
    let low = |slope: f64| above.iter().map(|(x, y)| -y - slope * x).fold(f64::NEG_INFINITY, f64::max);
    let high = |slope: f64| below.iter().map(|(x, y)| y - slope * x).fold(f64::INFINITY, f64::min);
    let sum = |group: &Group| group.iter().map(|(x, _)| x).sum::<f64>();
    let tilt = sum(requests) - sum(replies);
    // All distances from the lines together, but for what does not depend on the slope. Convex, with its corners at the edges of the hulls.
    let distance = |slope: f64| requests.len() as f64 * low(slope) - replies.len() as f64 * high(slope) + slope * tilt;
    let edges = |corners: &[(f64, f64)], sign: f64| {
        let slope = move |pair: &[(f64, f64)]| sign * (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0);
        corners.windows(2).map(slope).collect::<Vec<f64>>()
    };
    let mut slopes: Vec<f64> = edges(&above, -1.0).into_iter().chain(edges(&below, 1.0)).collect();
    slopes.sort_by(f64::total_cmp);
    slopes.dedup();
    // Of what is convex the lowest lies where it ceases to fall.
    let falls = |pair: &[f64]| distance(pair[1]) < distance(pair[0]);
    let pairs: Vec<&[f64]> = slopes.windows(2).collect();
    let Some(slope) = slopes.get(pairs.partition_point(|pair| falls(pair))).copied() else { return Ok(None) };
    // Causality: some line is above all requests and below all replies.
    let allowed = |slope: f64| low(slope) <= high(slope);
    if !allowed(slope) {
        return Err(Repr::NoLine);
    }
    let last_allowed = |mut outside: f64| {
        let mut inside = slope;
        for _ in 0..HALVINGS {
            let middle = (inside + outside) / 2.0;
            *(if allowed(middle) { &mut inside } else { &mut outside }) = middle;
        }
        inside
    };
    let interval = (last_allowed(-MOST_PPB), last_allowed(MOST_PPB));
    let levels = [Some(low(slope)), Some(high(slope))];
    let mut beyond: Vec<f64> = requests.iter().map(|(x, y)| low(slope) + slope * x - y).collect();
    beyond.extend(replies.iter().map(|(x, y)| y - high(slope) - slope * x));
    beyond.sort_by(f64::total_cmp);
    // The middle distance from the line, as the spread of delays that are never below it.
    Ok(Some(Fit { slope, interval, residual: beyond[beyond.len() / 2], levels }))
}
