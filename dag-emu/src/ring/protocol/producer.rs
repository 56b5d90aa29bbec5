//! The producer's half: private positions, requests answered at once, drops counted.

use super::Drops;
use crate::ring::doorbell::ALWAYS;
use crate::ring::registers::{self, BAD_BOTTOM, Command, END_OF_FEED, PRODUCER_GONE, Registers, State};
use crate::ring::sync::{Atomics, Word};
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A request that the producer has just answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A new owner; what was before (even a started stream whose owner vanished) is over.
    Attached,
    /// Packets are received from here on.
    Started,
    /// Packets are received no more.
    Stopped,
    /// The owner has left.
    Detached,
}

/// A write or commit that goes beyond what was reserved. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{len} bytes at offset {offset} do not fit the {room} bytes reserved in the ring; reserve the whole record first"
)]
pub struct Overrun {
    /// Offset into the reservation, in bytes.
    pub offset: u64,
    /// Length of the write, in bytes.
    pub len: u64,
    /// Length of the reservation, in bytes.
    pub room: u64,
}

/// The producer's half of the protocol. `R` leads to the register page.
#[derive(Debug)]
pub(crate) struct ProducerHalf<A: Atomics, R: Deref<Target = Registers<A>>> {
    registers: R,
    len: u64,
    /// Position behind the last record committed.
    head: u64,
    /// `head` modulo `len`.
    offset: u64,
    /// What `top` was last set to.
    published: u64,
    /// Position up to which may be written: the last good `bottom` plus `len`; `head` itself while not started.
    limit: u64,
    reserved: u64,
    state: State,
    last_request: u64,
    flags: u32,
    drops: Drops,
    bad_bottoms: u64,
}

impl<A: Atomics, R: Deref<Target = Registers<A>>> ProducerHalf<A, R> {
    /// The producer of a ring of `len` bytes whose registers are fresh.
    pub(crate) fn new(registers: R, len: u64) -> Self {
        Self {
            registers,
            len,
            head: 0,
            offset: 0,
            published: 0,
            limit: 0,
            reserved: 0,
            state: State::Idle,
            last_request: 0,
            flags: 0,
            drops: Drops::default(),
            bad_bottoms: 0,
        }
    }

    /// Room for `len` contiguous bytes: their offset in the ring. `None` if the ring is too full (what is
    /// committed is published first, so that the consumer can make room) or the stream is not started.
    #[inline]
    pub(crate) fn reserve(&mut self, len: u64) -> Option<u64> {
        // `limit` never lies before `head`.
        if len > self.limit - self.head && !self.make_room(len) {
            self.reserved = 0;
            return None;
        }
        self.reserved = len;
        Some(self.offset)
    }

    /// Takes the first `len` bytes of the reservation into the ring. They are exposed by [`publish`](Self::publish).
    ///
    /// # Errors
    /// [`Overrun`] if less was reserved, or a request has ended the reservation.
    #[inline]
    pub(crate) fn commit(&mut self, len: u64) -> Result<(), Overrun> {
        if len > self.reserved {
            return Err(Overrun { offset: 0, len, room: self.reserved });
        }
        self.reserved = 0;
        self.head += len;
        self.offset += len;
        if self.offset >= self.len {
            self.offset -= self.len;
        }
        Ok(())
    }

    /// Exposes all that is committed, and wakes the consumer if that is what it waits for.
    #[inline]
    pub(crate) fn publish(&mut self) {
        if self.published != self.head {
            self.published = self.head;
            // Release: the bytes of the records, written before, are visible to whoever acquires this `top`.
            self.registers.top.0.store(self.head, Ordering::Release);
            self.registers.to_consumer.ring(self.head);
        }
    }

    /// Bytes that could be reserved now; 0 unless started.
    pub(crate) fn free(&mut self) -> u64 {
        self.refresh();
        self.limit - self.head
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, len: u64) -> bool {
        self.publish();
        self.refresh();
        len <= self.limit - self.head
    }

    /// Takes over the consumer's `bottom`, if it is one that can be.
    fn refresh(&mut self) {
        if self.state != State::Started {
            return;
        }
        // Acquire: the consumer's reads of what it releases are over before we write there.
        let bottom = self.registers.bottom.0.load(Ordering::Acquire);
        let last = self.limit - self.len;
        if bottom < last || bottom > self.published {
            self.bad_bottoms += 1;
            self.raise(BAD_BOTTOM);
        } else {
            self.limit = bottom + self.len;
        }
    }

    /// Answers the request that waits, if one does. To be called at every turn: it costs one load.
    ///
    /// A request ends a reservation that has not been committed.
    #[inline]
    pub(crate) fn service(&mut self) -> Option<Event> {
        // Acquire: the `bottom` that belongs to the request is visible, too.
        let request = self.registers.asked.0.request.load(Ordering::Acquire);
        if request == self.last_request {
            return None;
        }
        self.answer(request)
    }

    #[cold]
    #[inline(never)]
    fn answer(&mut self, request: u64) -> Option<Event> {
        self.last_request = request;
        self.reserved = 0;
        let event = match (Command::decode(request), self.state) {
            (Some(Command::Attach), _) => {
                self.reset();
                Some(Event::Attached)
            }
            (Some(Command::Start), State::Attached) => {
                self.start();
                Some(Event::Started)
            }
            (Some(Command::Stop), State::Started) => {
                self.publish();
                self.limit = self.head;
                self.state = State::Attached;
                Some(Event::Stopped)
            }
            (Some(Command::Detach), State::Attached | State::Started) => {
                self.limit = self.head;
                self.state = State::Idle;
                Some(Event::Detached)
            }
            // Nothing to do, or nothing we know: the answer says how things are.
            _ => None,
        };
        let answer = registers::word(registers::epoch(request), self.state as u8);
        // Release: whoever acquires the answer sees the positions, counters and flags that belong to it.
        self.registers.told.0.answer.store(answer, Ordering::Release);
        self.registers.to_consumer.ring(ALWAYS);
        event
    }

    fn reset(&mut self) {
        self.move_to(0);
        self.limit = 0;
        self.set_drops(Drops::default());
        self.flags = 0;
        self.registers.told.0.flags.store(0, Ordering::Relaxed);
        self.state = State::Attached;
    }

    /// Goes on at ring offset 0 (`libdag-contract.md` section 2.8): what was not read before is given up.
    fn start(&mut self) {
        // The consumer has set `bottom` to the same position before it asked.
        self.move_to(self.head.next_multiple_of(self.len));
        self.limit = self.head + self.len;
        self.flags &= !END_OF_FEED;
        self.registers.told.0.flags.store(self.flags, Ordering::Relaxed);
        self.state = State::Started;
    }

    fn move_to(&mut self, position: u64) {
        self.head = position;
        self.published = position;
        self.offset = 0;
        // Relaxed will do: the answer that follows releases it.
        self.registers.top.0.store(position, Ordering::Relaxed);
    }

    /// Whether a request waits for [`service`](Self::service). It costs one load.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        // Relaxed: nothing is read on the strength of it; `service` looks again.
        self.registers.asked.0.request.load(Ordering::Relaxed) != self.last_request
    }

    /// Sleeps until a request arrives, at most `timeout`; shorter if it likes.
    pub(crate) fn park(&self, timeout: Duration) {
        self.registers
            .to_producer
            .sleep(0, timeout, || self.registers.asked.0.request.load(Ordering::Acquire) != self.last_request);
    }

    /// The state of the stream after the last [`service`](Self::service).
    #[inline]
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Counts `count` records dropped. Nothing is counted unless the stream is started: nothing is received then.
    #[inline]
    pub(crate) fn drop_n(&mut self, count: u64) {
        if self.state == State::Started {
            // The counter is 32 bits wide and wraps, so the low half is what it takes.
            let low = (count & u64::from(u32::MAX)) as u32;
            self.set_drops(Drops {
                total: self.drops.total.wrapping_add(low),
                pending: self.drops.pending.saturating_add(count),
            });
        }
    }

    /// The loss counter for the record that comes next: the records dropped since the last one, 0xFFFF for that many or
    /// more (`erf-format.md`, `lctr`). The count starts anew, so ask only when the record has its place in the ring.
    #[inline]
    pub(crate) fn take_lctr(&mut self) -> u16 {
        if self.drops.pending == 0 {
            return 0;
        }
        let lctr = u16::try_from(self.drops.pending).unwrap_or(u16::MAX);
        self.set_drops(Drops { pending: 0, ..self.drops });
        lctr
    }

    /// The loss account.
    #[inline]
    pub(crate) fn drops(&self) -> Drops {
        self.drops
    }

    fn set_drops(&mut self, drops: Drops) {
        self.drops = drops;
        let words = &self.registers.drops.0;
        words.count.store(drops.total, Ordering::Relaxed);
        words.pending.store(drops.pending, Ordering::Relaxed);
    }

    /// Publishes what is committed and says that nothing follows. Attach and start take it back.
    pub(crate) fn end_of_feed(&mut self) {
        self.publish();
        self.raise(END_OF_FEED);
    }

    /// Position behind the last record committed.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        self.head
    }

    /// How often the consumer wrote a `bottom` that can not be.
    pub(crate) fn bad_bottoms(&self) -> u64 {
        self.bad_bottoms
    }

    fn raise(&mut self, flag: u32) {
        if self.flags & flag == 0 {
            self.flags |= flag;
            // Release: who sees the flag sees the last `top`.
            self.registers.told.0.flags.store(self.flags, Ordering::Release);
            self.registers.to_consumer.ring(ALWAYS);
        }
    }
}

impl<A: Atomics, R: Deref<Target = Registers<A>>> Drop for ProducerHalf<A, R> {
    fn drop(&mut self) {
        self.raise(PRODUCER_GONE);
    }
}
