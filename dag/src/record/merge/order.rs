//! [`Heads`]: which stream's records come next.

use std::time::{Duration, Instant};

use erf::Timestamp;

use super::found::{Found, Taken};
use crate::record::chunk::Bytes;

/// Records of one stream that have not all been merged.
#[derive(Debug)]
pub(super) struct Head {
    taken: Taken,
    /// As many have been merged.
    merged: usize,
}

impl Head {
    pub(super) fn of(taken: Taken) -> Self {
        Self { taken, merged: 0 }
    }
}

/// A stream as the order sees it.
#[derive(Debug, Default)]
struct Lane {
    head: Option<Head>,
    /// Since when nothing has come.
    idle: Option<Instant>,
    over: bool,
    pressed: bool,
    /// The latest stamp that has been merged of it.
    latest: Timestamp,
    late: u64,
    latest_by: u64,
}

/// The next records of several streams.
#[derive(Debug)]
pub(super) struct Heads {
    lanes: Vec<Lane>,
    /// The latest stamp that has been merged.
    latest: Timestamp,
}

/// Records of one stream that come next, lying together.
#[derive(Debug)]
pub(super) struct Run<'h> {
    pub(super) bytes: &'h [u8],
    pub(super) records: &'h [Found],
    /// Position in the stream behind them.
    pub(super) end: u64,
}

impl Heads {
    pub(super) fn of(streams: usize) -> Self {
        let lanes = std::iter::repeat_with(Lane::default).take(streams).collect();
        Self { lanes, latest: Timestamp::from_raw(0) }
    }

    /// Whether stream `at` has nothing to merge, and something may come.
    pub(super) fn wants(&self, at: usize) -> bool {
        self.lanes.get(at).is_some_and(|lane| lane.head.is_none() && !lane.over)
    }

    /// Records of stream `at`, one at least.
    pub(super) fn put(&mut self, at: usize, head: Head) {
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.head = Some(head);
        }
    }

    /// Stream `at` had nothing that it has not told at the time `since`.
    pub(super) fn is_idle(&mut self, at: usize, since: Instant) {
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.idle = Some(since);
        }
    }

    /// Nothing will follow of stream `at`.
    pub(super) fn end(&mut self, at: usize) {
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.over = true;
        }
    }

    /// Whether the memory of stream `at` is filling with what waits to be merged.
    pub(super) fn press(&mut self, at: usize, pressed: bool) {
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.pressed = pressed;
        }
    }

    /// Whether all streams have ended and all of them is merged.
    pub(super) fn is_over(&self) -> bool {
        self.lanes.iter().all(|lane| lane.over && lane.head.is_none())
    }

    /// Whether records are held back because others may come before them.
    pub(super) fn is_holding(&self) -> bool {
        self.lanes.iter().any(|lane| lane.head.is_some())
    }

    /// Packets of stream `at` that came behind later ones of others, and by how much at most, in units of a stamp.
    pub(super) fn late(&self, at: usize) -> (u64, u64) {
        self.lanes.get(at).map_or((0, 0), |lane| (lane.late, lane.latest_by))
    }

    /// The stream whose records come next, and those of them that come before any of another stream: `most` bytes, about. `None` where
    /// there are none, or a stream that is silent may have earlier ones: one that has not been silent for so long as `wait` since they
    /// came, unless memory is filling.
    pub(super) fn next(&mut self, wait: Duration, most: usize) -> Option<(usize, Run<'_>)> {
        let mut first: Option<(Timestamp, usize)> = None;
        let mut second: Option<(Timestamp, usize)> = None;
        for (at, lane) in self.lanes.iter().enumerate() {
            let Some(head) = &lane.head else { continue };
            let Some(record) = head.taken.records.get(head.merged) else { continue };
            let this = Some((record.key, at));
            if first.is_none() || this < first {
                (first, second) = (this, first);
            } else if second.is_none() || this < second {
                second = this;
            }
        }
        let (_, at) = first?;
        let came = self.lanes.get(at)?.head.as_ref()?.taken.at;
        let is_silent = |lane: &&Lane| lane.head.is_none() && !lane.over;
        let has_waited = |lane: &Lane| lane.idle.is_some_and(|since| since.saturating_duration_since(came) >= wait);
        let pressed = self.lanes.iter().any(|lane| lane.pressed && lane.head.is_some());
        if !pressed && !self.lanes.iter().filter(is_silent).all(has_waited) {
            return None;
        }
        let latest = &mut self.latest;
        let lane = self.lanes.get_mut(at)?;
        let Lane { head: Some(Head { taken, merged }), .. } = lane else { return None };
        let records = taken.records.get(*merged..)?;
        let mut count = 0;
        let mut bytes = 0..0;
        for record in records {
            let follows = count == 0 || record.start == bytes.end;
            if !follows || bytes.len() >= most || second.is_some_and(|second| (record.key, at) > second) {
                break;
            }
            if record.key < *latest && record.key >= lane.latest {
                lane.late += 1;
                lane.latest_by = lane.latest_by.max(latest.raw() - record.key.raw());
            }
            *latest = record.key.max(*latest);
            lane.latest = record.key.max(lane.latest);
            bytes.start = if count == 0 { record.start } else { bytes.start };
            bytes.end = record.start + record.len;
            count += 1;
        }
        let end = if count == records.len() { taken.end } else { taken.start + bytes.end as u64 };
        let all = match &taken.bytes {
            Bytes::Lent(lent) => lent.bytes(),
            Bytes::Owned(bytes) => bytes,
        };
        Some((at, Run { bytes: all.get(bytes)?, records: records.get(..count)?, end }))
    }

    /// The next `count` records of stream `at` have been merged. `true`: all that it had.
    pub(super) fn finish(&mut self, at: usize, count: usize) -> bool {
        let Some(lane) = self.lanes.get_mut(at) else { return false };
        let Some(head) = &mut lane.head else { return false };
        head.merged += count;
        let is_done = head.merged >= head.taken.records.len();
        if is_done {
            lane.head = None;
        }
        is_done
    }
}
