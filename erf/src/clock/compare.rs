//! [`Matcher`] and [`Comparison`]: two clocks, by the packets that both have stamped.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{Record, TimeDelta, Timestamp};

/// Bytes of a packet by which it is known: enough for addresses, ports and sequence numbers, and left by most snap lengths.
const KEY: usize = 54;

/// Stretches of equal length for which offsets are averaged.
const STRETCHES: usize = 1024;

/// A packet seen in both places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offset {
    /// Its stamp by the reference.
    pub at: Timestamp,
    /// By how much the other stamp is later.
    pub by: TimeDelta,
}

/// Finds the same packet in two places, by its wire length and first bytes. A packet that looks like another one of the same
/// place counts for neither.
#[derive(Debug, Clone, Default)]
pub struct Matcher {
    reference: HashMap<u64, Option<Timestamp>>,
    other: HashMap<u64, Option<Timestamp>>,
    most: usize,
    /// Packets not looked at, past the limit.
    pub left_out: u64,
}

impl Matcher {
    /// Before the first packet; of each place `most` packets are remembered.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Takes a packet of the reference.
    pub fn reference(&mut self, record: &Record<'_>) {
        self.left_out += u64::from(!remember(&mut self.reference, self.most, record));
    }

    /// Takes a packet of the other place.
    pub fn other(&mut self, record: &Record<'_>) {
        self.left_out += u64::from(!remember(&mut self.other, self.most, record));
    }

    /// The packets seen once in each place, in the order of the reference.
    pub fn offsets(&self) -> Vec<Offset> {
        let matched = self.reference.iter().filter_map(|(key, stamp)| {
            let (at, other) = ((*stamp)?, (*self.other.get(key)?)?);
            Some(Offset { at, by: other - at })
        });
        let mut offsets: Vec<Offset> = matched.collect();
        offsets.sort_by_key(|offset| (offset.at, offset.by));
        offsets
    }
}

fn remember(place: &mut HashMap<u64, Option<Timestamp>>, most: usize, record: &Record<'_>) -> bool {
    let payload = record.payload();
    let Some(start) = payload.get(..KEY.min(payload.len())).filter(|_| record.is_packet()) else { return true };
    let mut hasher = DefaultHasher::new();
    (record.wire_len(), start).hash(&mut hasher);
    let key = hasher.finish();
    if place.len() >= most && !place.contains_key(&key) {
        return false;
    }
    place.entry(key).and_modify(|seen| *seen = None).or_insert(Some(record.timestamp()));
    true
}

/// An Allan deviation: how much the rate of one clock against the other changes from one interval to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Allan {
    /// Length of the interval in seconds.
    pub tau: f64,
    /// The deviation, a number without unit.
    pub deviation: f64,
}

/// How two clocks run against one another.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// Packets that both have stamped.
    pub matched: u64,
    /// Of the least, the middle and the greatest offset.
    pub least: TimeDelta,
    /// Half of the offsets are smaller.
    pub median: TimeDelta,
    /// The greatest offset.
    pub greatest: TimeDelta,
    /// How much faster the other clock runs, in parts per million: the slope of the line through all offsets by least squares.
    pub drift_ppm: f64,
    /// Standard deviation of the offsets from that line, in nanoseconds.
    pub residual_ns: f64,
    /// Allan deviations (overlapping) of offsets averaged over 1024 stretches of equal length or fewer; empty where there are too
    /// few packets, or stretches without any.
    pub allan: Vec<Allan>,
}

impl Comparison {
    /// Of `offsets` in the order of time; `None` of fewer than two, or where all are at one time.
    pub fn of(offsets: &[Offset]) -> Option<Self> {
        let (first, last) = (offsets.first()?, offsets.last()?);
        let span = seconds(last.at - first.at);
        if span <= 0.0 {
            return None;
        }
        let points: Vec<(f64, f64)> = offsets
            .iter()
            .map(|offset| (seconds(offset.at - first.at), seconds(offset.by) - seconds(first.by)))
            .collect();
        let n = points.len() as f64;
        let mean_t = points.iter().map(|(t, _)| t).sum::<f64>() / n;
        let mean_x = points.iter().map(|(_, x)| x).sum::<f64>() / n;
        let spread = points.iter().map(|(t, _)| (t - mean_t).powi(2)).sum::<f64>();
        let slope = points.iter().map(|(t, x)| (t - mean_t) * (x - mean_x)).sum::<f64>() / spread;
        let squares = points.iter().map(|(t, x)| (x - mean_x - slope * (t - mean_t)).powi(2)).sum::<f64>();
        let mut sorted: Vec<TimeDelta> = offsets.iter().map(|offset| offset.by).collect();
        sorted.sort();
        Some(Self {
            matched: offsets.len() as u64,
            least: sorted[0],
            median: sorted[sorted.len() / 2],
            greatest: sorted[sorted.len() - 1],
            drift_ppm: slope * 1e6,
            residual_ns: (squares / n).sqrt() * 1e9,
            // A steady drift has no deviation; left in, it would be one wherever stretches have their packets at uneven times.
            allan: allan(&points.iter().map(|(t, x)| (*t, x - slope * t)).collect::<Vec<_>>(), span),
        })
    }
}

fn seconds(delta: TimeDelta) -> f64 {
    delta.raw() as f64 / 2f64.powi(32)
}

/// Overlapping Allan deviations of the means of equal stretches.
fn allan(points: &[(f64, f64)], span: f64) -> Vec<Allan> {
    // Few enough that each has several packets, if they come evenly.
    let count = (points.len() / 4).min(STRETCHES);
    let mut means = vec![(0.0, 0u32); count];
    for (t, x) in points {
        // A position within the list; the last point belongs to the last stretch.
        let at = ((t / span * count as f64) as usize).min(count.saturating_sub(1));
        if let Some((sum, n)) = means.get_mut(at) {
            *sum += x;
            *n += 1;
        }
    }
    if count < 8 || means.iter().any(|&(_, n)| n == 0) {
        return Vec::new();
    }
    let x: Vec<f64> = means.iter().map(|&(sum, n)| sum / f64::from(n)).collect();
    let step = span / count as f64;
    let intervals = std::iter::successors(Some(1usize), |m| Some(m * 2)).take_while(|m| 4 * m <= count);
    intervals
        .map(|m| {
            let tau = m as f64 * step;
            let terms = (0..count - 2 * m).map(|i| (x[i + 2 * m] - 2.0 * x[i + m] + x[i]).powi(2));
            let mean = terms.sum::<f64>() / (count - 2 * m) as f64;
            Allan { tau, deviation: (mean / 2.0).sqrt() / tau }
        })
        .collect()
}
