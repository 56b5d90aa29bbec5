//! [`Numbers`]: what a running recording shows, of one stream or several.

use std::sync::Arc;

use dag::record::{Progress, Snapshot};

/// The numbers of a recording, which consists of one or several.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    /// Of each recorder.
    pub recorders: Vec<Arc<Progress>>,
    /// Of each stream, where there are several.
    pub streams: Vec<StreamNumbers>,
}

/// The numbers of one of several streams.
#[derive(Debug, Clone)]
pub struct StreamNumbers {
    /// The card, as it was named.
    pub device: String,
    /// The stream's number.
    pub stream: u16,
    /// Its numbers.
    pub progress: Arc<Progress>,
    /// Whether it has a file for itself, so that what is written is known.
    pub has_file: bool,
}

impl Numbers {
    /// All together, now.
    pub fn snapshot(&self) -> Snapshot {
        let mut sum = Snapshot::default();
        // Who has not looked yet, or looks no more, says nothing of what is free.
        let looks = |progress: &&Arc<Progress>| progress.rounds() > 0 && !progress.has_ended();
        let free = self.recorders.iter().filter(looks).map(|progress| progress.snapshot().free_bytes);
        sum.free_bytes = free.min().unwrap_or(0);
        for now in self.recorders.iter().map(|progress| progress.snapshot()) {
            sum.delivered += now.delivered;
            sum.filtered += now.filtered;
            sum.lost += now.lost;
            sum.bytes += now.bytes;
            sum.fill_percent = sum.fill_percent.max(now.fill_percent);
            sum.arrived_bytes += now.arrived_bytes;
            sum.written += now.written;
            sum.written_bytes += now.written_bytes;
            sum.synced += now.synced;
            sum.waiting |= now.waiting;
        }
        sum
    }

    /// How each stream is: bytes that have arrived, and bytes of memory that are free.
    pub fn memories(&self) -> Vec<(u64, u64)> {
        let level = |progress: &Arc<Progress>| {
            let now = progress.snapshot();
            (now.arrived_bytes, now.free_bytes)
        };
        match self.streams.is_empty() {
            true => self.recorders.iter().map(level).collect(),
            false => self.streams.iter().map(|stream| level(&stream.progress)).collect(),
        }
    }

    /// Whether every thread that takes packets, and has not ended, has gone round since `rounds` were taken, which are taken anew then.
    pub fn is_alive(&self, rounds: &mut Vec<u64>) -> bool {
        let all = || self.recorders.iter().chain(self.streams.iter().map(|stream| &stream.progress));
        let now: Vec<u64> = all().map(|progress| progress.rounds()).collect();
        let has_gone_on =
            |((progress, now), before): ((&Arc<Progress>, &u64), &u64)| progress.has_ended() || now != before;
        rounds.resize(now.len(), 0);
        let alive = all().zip(&now).zip(rounds.iter()).all(has_gone_on);
        if alive {
            *rounds = now;
        }
        alive
    }
}
