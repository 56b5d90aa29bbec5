//! Doorbells: how one side of the ring wakes the other without a system call for everyone who is awake.

use super::sync::{Atomics, Futex, Woken, Word};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The level of events that end every sleep, whatever the sleeper waits for.
pub(crate) const ALWAYS: u64 = u64::MAX - 1;

/// A doorbell with a level.
///
/// The sleeper says at which level it wants to be woken (a ring position, or 0 for anything at all); the ringer rings
/// with the level reached. As long as nobody sleeps, or the level is too low, ringing is a fence and a load.
///
/// No ring is lost:
///
/// * The sleeper writes its level and then looks at what it waits for; the ringer writes what is waited for and then looks
///   at the level; a sequentially consistent fence lies between the two on either side. So at least one of them
///   sees the other.
/// * The ringer takes the level back, so that one sleep costs one wake. Whoever takes back a level moves the counter on
///   after that, and the sleeper has read the counter before it wrote that level (release and acquire on the level
///   order the two). So it is the sleeper of this very level whom the counter, no longer what it was, does not let sleep.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Doorbell<A: Atomics> {
    /// Level that the sleeper waits for, plus one; 0 when nobody sleeps, so a page of zeros is a valid doorbell.
    wanted: A::U64,
    rings: A::Futex,
}

impl<A: Atomics> Doorbell<A> {
    pub(super) fn new() -> Self {
        Self { wanted: A::U64::new(0), rings: A::Futex::new() }
    }

    /// Wakes the sleeper if it waits for `level` or less. What was written before this call is visible to it.
    #[inline]
    pub(crate) fn ring(&self, level: u64) {
        A::fence();
        let wanted = self.wanted.load(Ordering::Relaxed);
        if wanted != 0 && level >= wanted - 1 {
            self.wake(wanted);
        }
    }

    #[cold]
    fn wake(&self, wanted: u64) {
        // Acquire: see the second point above. Should the level have changed since, then a ring too many does no harm.
        self.wanted.replace(wanted, 0, Ordering::Acquire);
        self.rings.advance();
    }

    /// Sleeps until rung at `level` or above, at most `timeout`; not at all if `ready` says so.
    pub(crate) fn sleep(&self, level: u64, timeout: Duration, ready: impl FnOnce() -> bool) -> Woken {
        let seen = self.rings.count();
        self.wanted.store(level.min(ALWAYS) + 1, Ordering::Release);
        A::fence();
        let woken = if ready() { Woken::Rung } else { self.rings.sleep(seen, timeout) };
        self.wanted.store(0, Ordering::Relaxed);
        woken
    }
}
