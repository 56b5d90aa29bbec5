//! The poll rules: how long a consumer waits, and for how much (`libdag-contract.md` section 2.9).

use super::doorbell::ALWAYS;
use super::protocol::{AdvanceError, ConsumerHalf, Need, Turn, Window};
use super::registers::{END_OF_FEED, PRODUCER_GONE, Registers};
use super::sync::{Atomics, Woken};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A sleeper looks up at least this often, however large `poll` is, so that an interrupt flag is noticed in good time.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// When a wait for data ends.
///
/// * `mindata` 0: at once.
/// * Else as soon as `mindata` bytes lie ready or `maxwait` has passed since the call, with what there is then: maybe
///   less than `mindata`, maybe nothing.
/// * `maxwait` 0: no limit.
///
/// It also ends when the feed is over, when the producer is gone, and when it is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollRules {
    /// Bytes to wait for. More than half of the ring counts as half of it: a full ring must not be waited on.
    pub mindata: u64,
    /// Longest wait; zero means no limit.
    pub maxwait: Duration,
    /// Longest sleep between two looks; zero means not to sleep. Data that suffices ends a sleep at once.
    pub poll: Duration,
}

impl Default for PollRules {
    /// One record header, at most 100 ms, looking every 10 ms.
    fn default() -> Self {
        Self { mindata: 16, maxwait: Duration::from_millis(100), poll: Duration::from_millis(10) }
    }
}

impl PollRules {
    /// Rules that never wait.
    #[must_use]
    pub fn non_blocking() -> Self {
        Self { mindata: 0, ..Self::default() }
    }
}

impl<A: Atomics, R: Deref<Target = Registers<A>>> ConsumerHalf<A, R> {
    /// Releases everything before `release_to`, waits by the `rules`, and takes the window as it is then.
    /// The wait also ends, with what there is, when `interrupt` becomes true or a signal ends the sleep.
    ///
    /// # Errors
    /// As [`AdvanceError`] says.
    pub(crate) fn wait(
        &mut self,
        release_to: u64,
        rules: &PollRules,
        interrupt: Option<&AtomicBool>,
    ) -> Result<Window, AdvanceError> {
        let mut window = self.advance(release_to)?;
        // Half a ring is what a ring too full for the next record holds at least, records being smaller than that.
        let wanted = rules.mindata.min(self.ring_len() / 2);
        // With nothing wanted a driver still gets its turn, or nothing would ever come.
        if window.len() >= wanted && (wanted > 0 || !self.has_driver()) {
            return Ok(window);
        }
        let mut turn = self.drive(Need::Data);
        if self.has_driver() {
            window = self.advance(release_to)?;
            if window.len() >= wanted {
                return Ok(window);
            }
        }
        let started = Instant::now();
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        loop {
            if self.told(END_OF_FEED | PRODUCER_GONE) || interrupt.is_some_and(is_set) {
                break;
            }
            let elapsed = started.elapsed();
            let left = match rules.maxwait {
                Duration::ZERO => LONGEST_SLEEP,
                maxwait if elapsed >= maxwait => break,
                maxwait => maxwait - elapsed,
            };
            let woken = match turn {
                Turn::Idle => break,
                Turn::Ran => Woken::Rung,
                // At first awake, since falling asleep and being woken cost as much as what a fast card needs to bring what is wanted.
                Turn::Elsewhere if rules.poll.is_zero() || elapsed < A::AWAKE => {
                    A::relax();
                    Woken::Rung
                }
                Turn::Elsewhere => {
                    let position = window.bottom.saturating_add(wanted).min(ALWAYS);
                    self.sleep_until(position, left.min(rules.poll).min(LONGEST_SLEEP))
                }
            };
            if woken == Woken::Interrupted {
                break;
            }
            turn = self.drive(Need::Data);
            window = self.advance(release_to)?;
            if window.len() >= wanted {
                return Ok(window);
            }
        }
        self.advance(release_to)
    }
}
