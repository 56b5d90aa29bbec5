//! The consumer's half: ownership, requests, and the window that moves.

use super::{Driver, Drops, Need, Turn, Window};
use crate::ring::doorbell::ALWAYS;
use crate::ring::registers::{self, Command, END_OF_FEED, PRODUCER_GONE, Registers, State};
use crate::ring::sync::{Atomics, Woken, Word};
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A producer answers at its next turn or when its doorbell rings; one that has not done so by now never will.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Why a stream could not be attached, started, stopped or detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Someone else owns the stream.
    #[error("stream in use: it has one owner at a time; wait until that one detaches, or take another stream")]
    Busy,
    /// The producer has ended.
    #[error("the emulated card has gone: nobody fills this stream any more; open the card anew")]
    ProducerGone,
    /// The producer is there but does not answer.
    #[error("the emulated card did not answer {command:?} within {} s; it hangs or was stopped: continue or restart it", .waited.as_secs())]
    NoAnswer {
        /// What was asked.
        command: Command,
        /// How long the answer was awaited.
        waited: Duration,
    },
    /// The producer answered with a state that does not follow from the request.
    #[error(
        "the emulated card answered {command:?} with state {state:?}; its registers were disturbed: detach and attach again"
    )]
    Refused {
        /// What was asked.
        command: Command,
        /// What it answered; `None` if no state at all.
        state: Option<State>,
    },
}

/// Why the window could not be advanced. The stream is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdvanceError {
    /// Not started since attach, or the last attempt failed.
    #[error("the stream has not been started: start it before advancing")]
    NotStarted,
    /// The release lies outside of the window.
    #[error(
        "release to position {release_to} lies outside of the window {bottom}..{top}; release at most what was exposed, and nothing twice"
    )]
    BadRelease {
        /// The position asked for.
        release_to: u64,
        /// Start of the window.
        bottom: u64,
        /// End of the window as last exposed.
        top: u64,
    },
    /// The producer has ended before its feed did, and all it left has been read.
    #[error("the emulated card has gone: nobody fills this stream any more; open the card anew")]
    ProducerGone,
    /// The producer's register holds a position that can not be.
    #[error(
        "register `top` of the stream holds {top}, outside of {least}..={most}; the registers were disturbed: detach and attach again"
    )]
    BadTop {
        /// What it holds.
        top: u64,
        /// The least it could hold.
        least: u64,
        /// The most it could hold.
        most: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Attached, and not started (since): there is no window.
    Fresh,
    Started,
    Stopped,
}

/// The consumer's half of the protocol, from attach to detach. `R` leads to the register page.
///
/// Dropping it detaches without waiting for the answer: whoever attaches next does not depend on it.
#[derive(Debug)]
pub(crate) struct ConsumerHalf<A: Atomics, R: Deref<Target = Registers<A>>> {
    registers: R,
    driver: Option<Driver>,
    len: u64,
    epoch: u64,
    phase: Phase,
    window: Window,
    /// The flags as they were just before the window was last taken.
    flags: u32,
    owner: bool,
}

impl<A: Atomics, R: Deref<Target = Registers<A>>> ConsumerHalf<A, R> {
    /// Takes the stream over.
    ///
    /// # Errors
    /// [`RequestError::Busy`] if it has an owner, else as [`RequestError`] says; the stream is free again then.
    pub(crate) fn attach(registers: R, len: u64, driver: Option<Driver>) -> Result<Self, RequestError> {
        // Acquire: all that the last owner wrote is in place before we write ours.
        if !registers.asked.0.owner.replace(0, 1, Ordering::Acquire) {
            return Err(RequestError::Busy);
        }
        let epoch = registers::epoch(registers.asked.0.request.load(Ordering::Relaxed));
        let window = Window { bottom: 0, top: 0 };
        let mut half = Self { registers, driver, len, epoch, phase: Phase::Fresh, window, flags: 0, owner: true };
        half.registers.bottom.0.store(0, Ordering::Relaxed);
        half.request(Command::Attach, State::Attached)?;
        Ok(half)
    }

    /// Takes the stream over from an owner who is no more, whatever he has left in the registers.
    pub(crate) fn usurp(registers: R, len: u64, driver: Option<Driver>) -> Self {
        // What the producer writes once, or only when there is a reason to.
        registers.layout.0.store(registers::LAYOUT, Ordering::Relaxed);
        registers.told.0.flags.store(0, Ordering::Relaxed);
        registers.asked.0.owner.store(1, Ordering::Relaxed);
        let epoch = registers::epoch(registers.asked.0.request.load(Ordering::Relaxed));
        let window = Window { bottom: 0, top: 0 };
        Self { registers, driver, len, epoch, phase: Phase::Fresh, window, flags: 0, owner: true }
    }

    /// Lets the stream receive, from ring offset 0 on. After a stop, what was not read is given up.
    ///
    /// # Errors
    /// As [`RequestError`] says; there is no window then.
    pub(crate) fn start(&mut self) -> Result<(), RequestError> {
        if self.phase == Phase::Started {
            return Ok(());
        }
        // The producer, not started, has settled on its last `top` before it answered our last request.
        let top = self.registers.top.0.load(Ordering::Acquire);
        let Some(next) = top.checked_next_multiple_of(self.len) else {
            return Err(RequestError::Refused { command: Command::Start, state: None });
        };
        // The window goes before we ask: even an answer that comes too late lets the producer write where it was.
        self.phase = Phase::Fresh;
        self.window = Window { bottom: next, top: next };
        self.flags = 0;
        self.registers.bottom.0.store(next, Ordering::Relaxed);
        self.request(Command::Start, State::Started)?;
        self.phase = Phase::Started;
        Ok(())
    }

    /// Ends receiving. What is in the ring can still be read, and the loss account is final.
    ///
    /// # Errors
    /// As [`RequestError`] says. A stream that was not started is stopped already.
    pub(crate) fn stop(&mut self) -> Result<(), RequestError> {
        if self.phase == Phase::Started {
            self.request(Command::Stop, State::Attached)?;
            self.phase = Phase::Stopped;
        }
        Ok(())
    }

    /// Gives the stream up, started or not, and waits until the producer knows.
    ///
    /// # Errors
    /// As [`RequestError`] says; the stream is given up all the same.
    pub(crate) fn detach(mut self) -> Result<(), RequestError> {
        let answer = self.request(Command::Detach, State::Idle);
        self.release_ownership();
        answer
    }

    fn post(&mut self, command: Command) {
        self.epoch = registers::next_epoch(self.epoch);
        let request = registers::word(self.epoch, command as u8);
        // Release: the `bottom` that belongs to the request is visible with it.
        self.registers.asked.0.request.store(request, Ordering::Release);
        self.registers.to_producer.ring(ALWAYS);
    }

    fn request(&mut self, command: Command, expected: State) -> Result<(), RequestError> {
        self.post(command);
        let asked_at = Instant::now();
        loop {
            let turn = self.drive(Need::Answer);
            // The flags first: an answer given before the end is still seen.
            let gone = self.registers.told.0.flags.load(Ordering::Acquire) & PRODUCER_GONE != 0;
            if let Some(answer) = self.answer() {
                let state = State::decode(answer);
                return if state == Some(expected) { Ok(()) } else { Err(RequestError::Refused { command, state }) };
            }
            if gone {
                return Err(RequestError::ProducerGone);
            }
            let waited = asked_at.elapsed();
            let Some(left) = ANSWER_LIMIT.checked_sub(waited).filter(|left| !left.is_zero()) else {
                return Err(RequestError::NoAnswer { command, waited });
            };
            if turn == Turn::Elsewhere {
                let ready = || self.answer().is_some() || self.told(PRODUCER_GONE);
                self.registers.to_consumer.sleep(0, left, ready);
            } else {
                A::relax();
            }
        }
    }

    /// The answer to the last request, if it is there.
    fn answer(&self) -> Option<u64> {
        // Acquire: what the producer did before it answered is visible.
        let answer = self.registers.told.0.answer.load(Ordering::Acquire);
        (registers::epoch(answer) == self.epoch).then_some(answer)
    }

    /// Releases everything before `release_to`, and takes the window as it is now. Never waits.
    ///
    /// # Errors
    /// As [`AdvanceError`] says; nothing was released then, except with [`AdvanceError::ProducerGone`].
    #[inline]
    pub(crate) fn advance(&mut self, release_to: u64) -> Result<Window, AdvanceError> {
        let Window { bottom, top } = self.window;
        if self.phase == Phase::Fresh {
            return Err(AdvanceError::NotStarted);
        }
        if release_to < bottom || release_to > top {
            return Err(AdvanceError::BadRelease { release_to, bottom, top });
        }
        // The flags before `top`: once the end is flagged, the `top` read after that is the last.
        let flags = self.registers.told.0.flags.load(Ordering::Acquire);
        // Acquire: the bytes before `top` are visible.
        let now = self.registers.top.0.load(Ordering::Acquire);
        let most = release_to.saturating_add(self.len);
        if now < top || now > most {
            return Err(AdvanceError::BadTop { top: now, least: top, most });
        }
        if release_to != bottom {
            // Release: our reads of what is given back are over before the producer writes there.
            self.registers.bottom.0.store(release_to, Ordering::Release);
        }
        self.window = Window { bottom: release_to, top: now };
        self.flags = flags;
        if self.window.is_empty() && flags & (PRODUCER_GONE | END_OF_FEED) == PRODUCER_GONE {
            return Err(AdvanceError::ProducerGone);
        }
        Ok(self.window)
    }

    /// The window as last taken.
    #[inline]
    pub(crate) fn window(&self) -> Window {
        self.window
    }

    /// True if the feed was over when the window was last taken: nothing will follow it.
    pub(crate) fn is_last(&self) -> bool {
        self.flags & END_OF_FEED != 0
    }

    /// The loss account: while receiving, as of now or a little before; after [`stop`](Self::stop), final and exact.
    pub(crate) fn drops(&self) -> Drops {
        drops(&self.registers)
    }

    /// Whether it is started.
    pub(in crate::ring) fn is_started(&self) -> bool {
        self.phase == Phase::Started
    }

    /// Length of the ring in bytes.
    pub(crate) fn ring_len(&self) -> u64 {
        self.len
    }

    pub(in crate::ring) fn has_driver(&self) -> bool {
        self.driver.is_some()
    }

    pub(in crate::ring) fn drive(&self, need: Need) -> Turn {
        self.driver.as_ref().map_or(Turn::Elsewhere, |driver| driver.turn(need))
    }

    /// True if the producer shows one of `flags`.
    pub(in crate::ring) fn told(&self, flags: u32) -> bool {
        self.registers.told.0.flags.load(Ordering::Acquire) & flags != 0
    }

    /// Sleeps until `top` reaches `position`, the producer says something else, or `timeout` is over.
    pub(in crate::ring) fn sleep_until(&self, position: u64, timeout: Duration) -> Woken {
        self.registers.to_consumer.sleep(position, timeout, || {
            self.told(END_OF_FEED | PRODUCER_GONE) || self.registers.top.0.load(Ordering::Acquire) >= position
        })
    }

    fn release_ownership(&mut self) {
        if std::mem::take(&mut self.owner) {
            // Release: the next owner finds our last request, and counts its own epochs from there.
            self.registers.asked.0.owner.store(0, Ordering::Release);
        }
    }
}

/// Tells the consumer that the producer is no more, when it could not do so itself.
pub(in crate::ring) fn declare_gone<A: Atomics>(registers: &Registers<A>) {
    let flags = &registers.told.0.flags;
    flags.store(flags.load(Ordering::Relaxed) | PRODUCER_GONE, Ordering::Release);
    registers.to_consumer.ring(ALWAYS);
}

/// The loss account in a register page.
pub(in crate::ring) fn drops<A: Atomics>(registers: &Registers<A>) -> Drops {
    let words = &registers.drops.0;
    Drops { total: words.count.load(Ordering::Relaxed), pending: words.pending.load(Ordering::Relaxed) }
}

impl<A: Atomics, R: Deref<Target = Registers<A>>> Drop for ConsumerHalf<A, R> {
    fn drop(&mut self) {
        if self.owner {
            self.post(Command::Detach);
            self.release_ownership();
        }
    }
}
