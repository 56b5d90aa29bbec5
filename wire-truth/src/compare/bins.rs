//! The least delays of a capture, span by span: what tells the drift of the clocks, as a packet is never faster than the way.

use crate::clock::hull;

/// Time spans of which the least delay is kept.
const BINS: usize = 1 << 12;

/// Least delays of time spans that grow as time goes on.
#[derive(Debug, Default)]
pub(super) struct Bins {
    origin: i64,
    width: i64,
    /// Time and delay of the fastest packet of each span.
    least: Vec<Option<(i64, i64)>>,
}

impl Bins {
    /// The time of the first packet.
    pub(super) fn origin(&self) -> Option<i64> {
        (!self.least.is_empty()).then_some(self.origin)
    }

    pub(super) fn note(&mut self, at: i64, delay: i64) {
        if self.least.is_empty() {
            // A millisecond to begin with.
            (self.origin, self.width) = (at, 1_000_000);
        }
        let since = (at - self.origin).max(0);
        while since / self.width >= BINS as i64 {
            let faster = |pair: &[Option<(i64, i64)>]| pair.iter().flatten().copied().min_by_key(|(_, delay)| *delay);
            self.least = self.least.chunks(2).map(faster).collect();
            self.width *= 2;
        }
        // Below the number of bins.
        let bin = (since / self.width) as usize;
        if self.least.len() <= bin {
            self.least.resize(bin + 1, None);
        }
        let place = &mut self.least[bin];
        if place.is_none_or(|(_, least)| delay < least) {
            *place = Some((at, delay));
        }
    }
    /// The slope below all delays, in parts per 10^9.
    pub(super) fn drift_ppb(&self) -> Option<f64> {
        slope_below(self.least.iter().flatten().copied())
    }
}

/// The slope of the line below all points of time and delay that is nearest to them, in parts per 10^9: the edge of their lower hull above the
/// middle of the time.
pub(super) fn slope_below(points: impl IntoIterator<Item = (i64, i64)>) -> Option<f64> {
    let mut points = points.into_iter().peekable();
    let (at, base) = *points.peek()?;
    let points: Vec<(f64, f64)> =
        points.map(|(time, delay)| ((time - at) as f64 / 1e9, (delay - base) as f64)).collect();
    let middle = points.iter().map(|(time, _)| time).sum::<f64>() / points.len() as f64;
    let corners = hull(&points);
    let edge = corners.windows(2).find(|pair| pair[1].0 >= middle)?;
    // Nanoseconds in a second are parts of 10^9.
    Some((edge[1].1 - edge[0].1) / (edge[1].0 - edge[0].0))
}
