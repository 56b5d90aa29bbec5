//! [`Progress`]: numbers of a running recording, for a person to look at.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers of a running recording, each right by itself and all of them a moment old.
#[derive(Debug, Default)]
pub struct Progress {
    delivered: AtomicU64,
    filtered: AtomicU64,
    lost: AtomicU64,
    bytes: AtomicU64,
    fill: AtomicU64,
}

/// One look at a [`Progress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Packets chosen to be recorded.
    pub delivered: u64,
    /// Packets left out.
    pub filtered: u64,
    /// Packets lost.
    pub lost: u64,
    /// Bytes of records chosen.
    pub bytes: u64,
    /// How full stream memory is, in percent.
    pub fill_percent: u64,
}

impl Progress {
    /// The numbers now.
    pub fn snapshot(&self) -> Snapshot {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        Snapshot {
            delivered: load(&self.delivered),
            filtered: load(&self.filtered),
            lost: load(&self.lost),
            bytes: load(&self.bytes),
            fill_percent: load(&self.fill),
        }
    }

    pub(super) fn set(&self, now: Snapshot) {
        self.delivered.store(now.delivered, Ordering::Relaxed);
        self.filtered.store(now.filtered, Ordering::Relaxed);
        self.lost.store(now.lost, Ordering::Relaxed);
        self.bytes.store(now.bytes, Ordering::Relaxed);
        self.fill.store(now.fill_percent, Ordering::Relaxed);
    }
}
