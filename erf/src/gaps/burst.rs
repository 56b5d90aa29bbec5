//! [`Bursts`]: the most that comes within a window.

use std::collections::VecDeque;

use erf_core::{TimeDelta, Timestamp};

/// Packets of a window are kept one by one up to so many, which is 64 bytes at 400 Gbit/s over 1.7 ms.
const MAX_PACKETS: usize = 1_000_000;

/// The fullest window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peak {
    /// Bytes of line time in it.
    pub bytes: u64,
    /// Packets in it.
    pub packets: u64,
    /// Stamp of its first packet.
    pub at: Timestamp,
}

impl Peak {
    /// Part of what a link of `bits_per_second` carries in a window of `nanos`: 1 is all. A packet counts whole in the window in
    /// which its stamp is, so that in a window not much longer than a packet it may be more than 1.
    pub fn of_line(&self, nanos: u64, bits_per_second: u64) -> f64 {
        self.bytes as f64 * 8.0 / (nanos as f64 * 1e-9 * bits_per_second as f64)
    }
}

/// Bursts in windows of one length. A window begins with each packet, and ends before what is its length later.
#[derive(Clone, Debug)]
pub struct Bursts {
    nanos: u64,
    length: TimeDelta,
    queue: VecDeque<(Timestamp, u64)>,
    bytes: u64,
    peak: Peak,
    cut: bool,
}

impl Bursts {
    pub(super) fn new(nanos: u64) -> Self {
        Self {
            nanos,
            length: TimeDelta::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)),
            queue: VecDeque::new(),
            bytes: 0,
            peak: Peak::default(),
            cut: false,
        }
    }

    pub(super) fn add(&mut self, stamp: Timestamp, bytes: u64) {
        while let Some((first, size)) = self.queue.front() {
            let outside = (stamp - *first).abs() >= self.length || self.queue.len() >= MAX_PACKETS;
            if !outside {
                break;
            }
            self.cut |= (stamp - *first).abs() < self.length;
            self.bytes -= size;
            self.queue.pop_front();
        }
        self.queue.push_back((stamp, bytes));
        self.bytes += bytes;
        if self.bytes > self.peak.bytes {
            let at = self.queue.front().map_or(stamp, |(first, _)| *first);
            self.peak = Peak { bytes: self.bytes, packets: self.queue.len() as u64, at };
        }
    }

    /// Length of the window in nanoseconds.
    pub const fn window(&self) -> u64 {
        self.nanos
    }

    /// The fullest window; the first of several.
    pub const fn peak(&self) -> Peak {
        self.peak
    }

    /// More than a million packets were in a window: the peak is a lower bound.
    pub const fn is_lower_bound(&self) -> bool {
        self.cut
    }
}
