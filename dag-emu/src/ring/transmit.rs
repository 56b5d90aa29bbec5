//! The ring of a transmit stream: its owner writes, and the card takes.
//!
//! The same memory, register page and handshake as for receive streams, with the parts of the two positions exchanged: the owner
//! writes `bottom`, up to which it has committed, and the card `top`, up to which it has taken. The card keeps its position to
//! itself and believes no other: one that cannot be is ignored and counted.
//!
//! ```text
//!   taken by the card | committed, waiting: the level | room for the owner, contiguous from wherever it starts
//!                    top                            bottom                                           top + ring
//! ```

use super::doorbell::ALWAYS;
use super::memory::{Access, Allocation, Mapping, MemoryError, StreamMemory};
use super::page::RegisterPage;
use super::protocol::{ConsumerHalf, Driver, Event, Need, RequestError};
use super::registers::{self, Command, PRODUCER_GONE, Registers, State};
use super::stream::Share;
use super::sync::{Atomics, Native, Woken, Word};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Bytes of a record's header.
const HEADER: u64 = 16;

/// Creates a transmit stream with `len` bytes of memory (a multiple of the page size): the end that takes, and the share through which
/// its owner attaches.
///
/// # Errors
/// As [`MemoryError`] says.
pub fn create_transmit(len: u64, allocation: Allocation) -> Result<(Taker, Share), MemoryError> {
    let memory = StreamMemory::create(len, allocation)?;
    let registers = RegisterPage::create()?;
    let mapping = Mapping::new(&memory, Access::Read, false)?;
    let half = TakerHalf::new(registers.clone(), len);
    Ok((Taker { half, mapping, record: Vec::new() }, Share::of(memory, registers)?))
}

/// The card's half: its position, and requests answered at once.
#[derive(Debug)]
pub(super) struct TakerHalf<A: Atomics, R: Deref<Target = Registers<A>>> {
    registers: R,
    len: u64,
    /// Position up to which it has taken; shown in `top`.
    taken: u64,
    state: State,
    last_request: u64,
    /// Positions that cannot be, and bytes that are no record.
    bad: u64,
}

impl<A: Atomics, R: Deref<Target = Registers<A>>> TakerHalf<A, R> {
    pub(super) fn new(registers: R, len: u64) -> Self {
        Self { registers, len, taken: 0, state: State::Idle, last_request: 0, bad: 0 }
    }

    /// The request that waits, if one does.
    pub(super) fn asked(&self) -> Option<u64> {
        // Acquire: what the owner committed before it asked is visible.
        let request = self.registers.asked.0.request.load(Ordering::Acquire);
        (request != self.last_request).then_some(request)
    }

    pub(super) fn answer(&mut self, request: u64) -> Option<Event> {
        self.last_request = request;
        let event = match (Command::decode(request), self.state) {
            (Some(Command::Attach), _) => {
                self.move_to(0);
                self.bad = 0;
                self.registers.told.0.flags.store(0, Ordering::Relaxed);
                self.state = State::Attached;
                Some(Event::Attached)
            }
            (Some(Command::Start), State::Attached) => {
                // The owner has set `bottom` to the same position before it asked.
                self.move_to(self.taken.next_multiple_of(self.len));
                self.state = State::Started;
                Some(Event::Started)
            }
            (Some(Command::Stop), State::Started) => {
                self.give_up_rest();
                self.state = State::Attached;
                Some(Event::Stopped)
            }
            (Some(Command::Detach), State::Attached | State::Started) => {
                self.give_up_rest();
                self.state = State::Idle;
                Some(Event::Detached)
            }
            _ => None,
        };
        let answer = registers::word(registers::epoch(request), self.state as u8);
        // Release: whoever acquires the answer sees the position that belongs to it.
        self.registers.told.0.answer.store(answer, Ordering::Release);
        self.registers.to_consumer.ring(ALWAYS);
        event
    }

    fn move_to(&mut self, position: u64) {
        self.taken = position;
        // Relaxed will do: the answer that follows releases it.
        self.registers.top.0.store(position, Ordering::Relaxed);
    }

    /// What is left at a stop is a part of a record, and nobody's.
    fn give_up_rest(&mut self) {
        let waiting = self.waiting();
        if waiting > 0 {
            self.bad += 1;
            self.take(waiting);
        }
    }

    /// Bytes that are committed and not taken; 0 where the owner says something that cannot be.
    pub(super) fn waiting(&mut self) -> u64 {
        if self.state != State::Started {
            return 0;
        }
        // Acquire: the bytes before it are visible.
        let committed = self.registers.bottom.0.load(Ordering::Acquire);
        match committed.checked_sub(self.taken) {
            Some(waiting) if waiting <= self.len => waiting,
            _ => {
                self.bad += 1;
                0
            }
        }
    }

    /// Sleeps until there is something to take or to answer.
    #[cfg(loom)]
    pub(super) fn park(&mut self) {
        let (registers, taken, started) = (&self.registers, self.taken, self.state == State::Started);
        let (last, committed) = (self.last_request, &registers.bottom.0);
        registers.to_producer.sleep(0, Duration::MAX, || {
            registers.asked.0.request.load(Ordering::Acquire) != last
                || started && committed.load(Ordering::Acquire) != taken
        });
    }

    /// Up to where it has taken.
    #[cfg(loom)]
    pub(super) fn position(&self) -> u64 {
        self.taken
    }

    /// What was bad since it was attached.
    #[cfg(loom)]
    pub(super) fn bad(&self) -> u64 {
        self.bad
    }

    pub(super) fn take(&mut self, bytes: u64) {
        self.taken += bytes;
        // Release: our reads are over before the owner writes there again.
        self.registers.top.0.store(self.taken, Ordering::Release);
        self.registers.to_consumer.ring(self.taken);
    }
}

impl<A: Atomics, R: Deref<Target = Registers<A>>> Drop for TakerHalf<A, R> {
    fn drop(&mut self) {
        let flags = &self.registers.told.0.flags;
        flags.store(flags.load(Ordering::Relaxed) | PRODUCER_GONE, Ordering::Release);
        self.registers.to_consumer.ring(ALWAYS);
    }
}

/// The end that takes records out of a transmit stream.
#[derive(Debug)]
pub struct Taker {
    half: TakerHalf<Native, RegisterPage>,
    mapping: Mapping,
    /// The record looked at, out of reach of whoever may still write where it came from.
    record: Vec<u8>,
}

impl Taker {
    /// Whether the owner asks for something. What waits is to be taken before [`service`](Self::service) answers: a stop ends it.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.half.asked().is_some()
    }

    /// Answers the request that waits, if one does. To be called at every turn.
    pub fn service(&mut self) -> Option<Event> {
        let request = self.half.asked()?;
        self.half.answer(request)
    }

    /// The next record, if it is all there. It stays until [`take`](Self::take). Bytes that are no record are given up, all that
    /// are committed, and counted.
    pub fn peek(&mut self) -> Option<&[u8]> {
        let waiting = self.half.waiting();
        if waiting < HEADER {
            return None;
        }
        let mut header = [0; HEADER as usize];
        self.copy(&mut header);
        // Loaded once, checked, and kept.
        let [.., high, low, _, _, _, _] = header;
        let len = u64::from(u16::from_be_bytes([high, low]));
        if len < HEADER || !len.is_multiple_of(8) {
            self.half.bad += 1;
            self.half.take(waiting);
            return None;
        }
        if len > waiting {
            return None;
        }
        let mut record = std::mem::take(&mut self.record);
        // Below 64 KiB.
        record.resize(len as usize, 0);
        self.copy(&mut record);
        // The header as it was checked, whatever has become of it since.
        record.iter_mut().zip(header).for_each(|(to, from)| *to = from);
        self.record = record;
        Some(&self.record)
    }

    /// The record of the last [`peek`](Self::peek) has been dealt with.
    pub fn take(&mut self) {
        let len = self.record.len() as u64;
        self.half.take(len);
        self.record.clear();
    }

    /// Whether the stream is started.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.half.state == State::Started
    }

    /// What was no record, or no position that can be.
    #[must_use]
    pub fn bad(&self) -> u64 {
        self.half.bad
    }

    /// Copies the bytes from the position taken on.
    fn copy(&self, to: &mut [u8]) {
        let at = (self.half.taken % self.half.len) as usize;
        for (offset, byte) in to.iter_mut().enumerate() {
            // SAFETY: `at` is below the ring's length, and `to` no longer than what waits, which is no longer than the ring:
            // within the two halves of the mapping.
            let place = unsafe { self.mapping.base().add(at + offset) };
            // SAFETY: as above. Volatile, since the owner may write there at any moment: then the bytes are some or others.
            *byte = unsafe { place.read_volatile() };
        }
    }
}

/// The owner's half: its position, and the room it has asked for.
#[derive(Debug)]
pub(super) struct WriterHalf<A: Atomics, R: Deref<Target = Registers<A>>> {
    half: ConsumerHalf<A, R>,
    registers: R,
    committed: u64,
    /// Room that was asked for last.
    reserved: u64,
}

impl<A: Atomics, R: Deref<Target = Registers<A>> + Clone> WriterHalf<A, R> {
    pub(super) fn attach(registers: R, len: u64, driver: Option<Driver>) -> Result<Self, RequestError> {
        let half = ConsumerHalf::attach(registers.clone(), len, driver)?;
        Ok(Self { half, registers, committed: 0, reserved: 0 })
    }

    pub(super) fn start(&mut self) -> Result<(), RequestError> {
        if !self.half.is_started() {
            self.half.start()?;
            self.committed = self.half.window().bottom;
            self.reserved = 0;
        }
        Ok(())
    }

    pub(super) fn stop(&mut self) -> Result<(), RequestError> {
        self.reserved = 0;
        self.half.stop()
    }

    pub(super) fn detach(self) -> Result<(), RequestError> {
        self.half.detach()
    }

    /// Whether there is room for `len` bytes within `patience`. It begins at the offset of [`at`](Self::at).
    pub(super) fn reserve(&mut self, len: u64, patience: Duration) -> bool {
        let ring = self.half.ring_len();
        if !self.half.is_started() || len > ring {
            return false;
        }
        let wanted = (self.committed + len).saturating_sub(ring);
        let (begun, mut woken) = (Instant::now(), Woken::Rung);
        while self.room() < len {
            let left = patience.saturating_sub(begun.elapsed());
            // A ring may be one for what was wanted before, and is no reason to give up.
            if left.is_zero() || woken != Woken::Rung || self.half.told(PRODUCER_GONE) {
                return false;
            }
            woken = self.half.sleep_until(wanted, left);
        }
        self.reserved = len;
        true
    }

    pub(super) fn commit(&mut self, len: u64) -> bool {
        if len > self.reserved {
            return false;
        }
        self.reserved -= len;
        self.committed += len;
        // Release: the bytes are there before the position says so.
        self.registers.bottom.0.store(self.committed, Ordering::Release);
        self.registers.to_producer.ring(ALWAYS);
        self.half.drive(Need::Answer);
        true
    }

    /// Ring offset of the next byte.
    pub(super) fn at(&self) -> u64 {
        self.committed % self.half.ring_len()
    }

    fn level(&self) -> u64 {
        self.committed - self.taken()
    }

    /// Position that the card has taken up to, as far as it can be believed.
    fn taken(&self) -> u64 {
        // Acquire: the card's reads of what it has taken are over before we write there.
        let taken = self.registers.top.0.load(Ordering::Acquire);
        let least = self.committed.saturating_sub(self.half.ring_len());
        if (least..=self.committed).contains(&taken) { taken } else { least }
    }

    fn room(&self) -> u64 {
        self.half.ring_len() - self.level()
    }
}

/// The owner of a transmit stream, from attach to detach. Dropping it detaches.
#[derive(Debug)]
pub struct Writer {
    half: WriterHalf<Native, RegisterPage>,
    mapping: Arc<Mapping>,
}

impl Share {
    /// Becomes the owner of the transmit stream behind a share that is mapped for writing.
    ///
    /// # Errors
    /// [`RequestError::Busy`] if there is an owner, else as [`RequestError`] says.
    pub fn attach_writer(&self) -> Result<Writer, RequestError> {
        let half = WriterHalf::attach(self.registers().clone(), self.ring_len(), self.driver())?;
        Ok(Writer { half, mapping: Arc::clone(self.mapping()) })
    }
}

impl Writer {
    /// Lets the stream send. It starts empty, at ring offset 0.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub fn start(&mut self) -> Result<(), RequestError> {
        self.half.start()
    }

    /// Ends sending, when all whole records have been taken; what is left of one that is not whole is given up.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub fn stop(&mut self) -> Result<(), RequestError> {
        self.half.stop()
    }

    /// Gives the stream up.
    ///
    /// # Errors
    /// As [`RequestError`] says; the stream is given up all the same.
    pub fn detach(self) -> Result<(), RequestError> {
        self.half.detach()
    }

    /// Contiguous room for `len` bytes: where it begins. `None` when there is none within `patience`, or the stream is not started.
    pub fn reserve(&mut self, len: u64, patience: Duration) -> Option<*mut u8> {
        self.half.reserve(len, patience).then(|| self.next())
    }

    /// Where the next byte goes.
    #[must_use]
    pub fn next(&self) -> *mut u8 {
        // Below the ring's length, and a whole ring is contiguous from there.
        self.mapping.base().cast_mut().wrapping_add(self.half.at() as usize)
    }

    /// Sends the first `len` bytes of the room reserved last: `false` if less was reserved. A record goes when it is whole.
    pub fn commit(&mut self, len: u64) -> bool {
        self.half.commit(len)
    }

    /// Writes `bytes` into the room reserved last, from its begin on, and commits them: `false` if less was reserved.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        let len = bytes.len() as u64;
        if len > self.half.reserved {
            return false;
        }
        // SAFETY: the mapping is writable, since `attach_writer` asks for one that is, and these bytes were reserved: they lie
        // within a ring's length from there, and the card does not look at them before they are committed.
        unsafe { self.mapping.write(self.half.at() as usize, bytes) };
        self.commit(len)
    }

    /// Bytes that are committed and that the card has not taken.
    #[must_use]
    pub fn level(&self) -> u64 {
        self.half.level()
    }

    /// Length of the ring in bytes.
    #[must_use]
    pub fn ring_len(&self) -> u64 {
        self.half.half.ring_len()
    }

    /// The card is no more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.half.half.told(PRODUCER_GONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Driver, Turn};
    use proptest::prelude::*;
    use std::sync::{Mutex, PoisonError};

    /// Miri takes a second for some kilobytes.
    const RING: u64 = if cfg!(miri) { 8 << 10 } else { 64 << 10 };
    const WORDS: usize = if cfg!(miri) { 250 } else { 2000 };
    const CASES: u32 = if cfg!(miri) { 2 } else { 64 };
    const STEPS: usize = if cfg!(miri) { 20 } else { 200 };

    /// A record of `len` bytes that says which it is.
    fn record(number: u8, len: usize) -> Vec<u8> {
        let mut record = vec![number; len];
        record[10..12].copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
        record
    }

    /// Both ends; the card answers on the owner's thread, and what it takes is kept.
    fn ends() -> (Writer, Arc<Mutex<Taker>>) {
        let (taker, share) = create_transmit(RING, Allocation::OnDemand).unwrap();
        let taker = Arc::new(Mutex::new(taker));
        let card = Arc::clone(&taker);
        let share = share.with_driver(Driver::new(move |_| {
            card.lock().unwrap_or_else(PoisonError::into_inner).service();
            Turn::Idle
        }));
        let writer = share.mapped_anew(Access::ReadWrite).unwrap().attach_writer().unwrap();
        (writer, taker)
    }

    fn taken(taker: &Mutex<Taker>) -> Vec<Vec<u8>> {
        let mut taker = taker.lock().unwrap();
        let mut records = Vec::new();
        while let Some(record) = taker.peek() {
            records.push(record.to_vec());
            taker.take();
        }
        records
    }

    #[test]
    fn a_record_goes_when_it_is_whole_however_it_comes() {
        let (mut writer, taker) = ends();
        assert!(writer.reserve(16, Duration::ZERO).is_none(), "not started");
        writer.start().unwrap();
        let whole = record(7, 88);
        for piece in [&whole[..16], &whole[16..76], &whole[76..]] {
            assert!(taken(&taker).is_empty());
            assert!(writer.reserve(piece.len() as u64, Duration::ZERO).is_some());
            assert!(writer.write(piece));
        }
        assert_eq!(writer.level(), 88);
        assert_eq!(taken(&taker), [whole]);
        assert_eq!(writer.level(), 0);
        assert!(!writer.commit(1), "nothing is reserved");
    }

    #[test]
    fn what_is_no_record_is_given_up_and_counted() {
        let (mut writer, taker) = ends();
        writer.start().unwrap();
        for len in [0u8, 8, 15, 17, 20] {
            let mut bad = record(1, 64);
            bad[10..12].copy_from_slice(&[0, len]);
            writer.reserve(64, Duration::ZERO).unwrap();
            assert!(writer.write(&bad));
            assert!(taken(&taker).is_empty());
            assert_eq!(writer.level(), 0, "{len}");
        }
        assert_eq!(taker.lock().unwrap().bad(), 5);
        writer.reserve(40, Duration::ZERO).unwrap();
        assert!(writer.write(&record(2, 40)));
        assert_eq!(taken(&taker).len(), 1, "and it goes on");
        // A part of a record at the stop is nobody's.
        writer.reserve(20, Duration::ZERO).unwrap();
        assert!(writer.write(&record(2, 40)[..20]));
        writer.stop().unwrap();
        assert_eq!((writer.level(), taker.lock().unwrap().bad()), (0, 6));
    }

    #[test]
    fn a_full_ring_has_no_room_and_a_taken_one_has() {
        let (mut writer, taker) = ends();
        writer.start().unwrap();
        let half = RING / 2;
        let one = record(3, half as usize);
        for _ in 0..2 {
            writer.reserve(half, Duration::ZERO).unwrap();
            assert!(writer.write(&one));
        }
        assert!(writer.reserve(16, Duration::from_millis(1)).is_none());
        assert!(writer.reserve(RING + 8, Duration::ZERO).is_none());
        assert_eq!(taken(&taker).len(), 2);
        assert!(writer.reserve(RING, Duration::ZERO).is_some());
    }

    #[test]
    fn an_owner_that_lies_gets_nothing_sent() {
        let (mut writer, taker) = ends();
        writer.start().unwrap();
        for lie in [u64::MAX, RING + 1, 1 << 63] {
            writer.half.registers.bottom.0.store(lie, Ordering::Release);
            assert!(taken(&taker).is_empty());
        }
        assert!(taker.lock().unwrap().bad() >= 3);
    }

    #[test]
    fn a_stream_has_one_owner_and_the_next_one_starts_anew() {
        let (taker, share) = create_transmit(RING, Allocation::OnDemand).unwrap();
        let taker = Arc::new(Mutex::new(taker));
        let card = Arc::clone(&taker);
        let share = share.with_driver(Driver::new(move |_| {
            card.lock().unwrap_or_else(PoisonError::into_inner).service();
            Turn::Idle
        }));
        let share = share.mapped_anew(Access::ReadWrite).unwrap();
        let mut first = share.attach_writer().unwrap();
        assert!(matches!(share.attach_writer(), Err(RequestError::Busy)));
        first.start().unwrap();
        first.reserve(20, Duration::ZERO).unwrap();
        assert!(first.write(&record(1, 40)[..20]));
        drop(first);
        let mut second = share.attach_writer().unwrap();
        second.start().unwrap();
        assert_eq!(second.level(), 0);
        second.reserve(40, Duration::ZERO).unwrap();
        assert!(second.write(&record(2, 40)));
        assert_eq!(taken(&taker), [record(2, 40)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(CASES))]

        #[test]
        fn everything_arrives_once_and_in_order(
            steps in proptest::collection::vec((2usize..WORDS, 1usize..4, any::<bool>()), 1..STEPS),
        ) {
            let (mut writer, taker) = ends();
            writer.start().unwrap();
            let (mut sent, mut got) = (Vec::new(), Vec::new());
            for (number, (words, pieces, look)) in steps.into_iter().enumerate() {
                let record = record(number as u8, words * 8);
                for piece in record.chunks(record.len().div_ceil(pieces)) {
                    if writer.reserve(piece.len() as u64, Duration::ZERO).is_none() {
                        got.extend(taken(&taker));
                        prop_assert!(writer.reserve(piece.len() as u64, Duration::ZERO).is_some());
                    }
                    prop_assert!(writer.write(piece));
                }
                sent.push(record);
                if look {
                    got.extend(taken(&taker));
                }
            }
            got.extend(taken(&taker));
            prop_assert_eq!(got, sent);
            prop_assert_eq!(writer.level(), 0);
        }
    }
}
