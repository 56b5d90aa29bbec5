//! A stream: both halves of the protocol joined with the memory they govern.

use super::memory::{Access, Allocation, Mapping, MemoryError, StreamMemory};
use super::page::RegisterPage;
use super::poll::PollRules;
use super::protocol::{
    self, AdvanceError, ConsumerHalf, Driver, Drops, Event, Overrun, ProducerHalf, RequestError, Window,
};
use super::registers::State;
use super::sync::Native;
use erf_core::{HEADER_LEN, Timestamp};
use std::ops::Range;
#[cfg(all(not(miri), target_os = "linux"))]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Creates a stream with `len` bytes of memory (a multiple of the page size): the end that fills it, and the share
/// through which others attach to it.
///
/// # Errors
/// As [`MemoryError`] says.
pub fn create(len: u64, allocation: Allocation) -> Result<(Producer, Share), MemoryError> {
    let memory = StreamMemory::create(len, allocation)?;
    let registers = RegisterPage::create()?;
    let prefault = allocation == Allocation::Prefaulted;
    let mapping = Mapping::new(&memory, Access::ReadWrite, prefault)?;
    let reader = Arc::new(Mapping::new(&memory, Access::Read, prefault)?);
    let half = ProducerHalf::new(registers.clone(), len);
    let writable = Arc::<AtomicBool>::default();
    let producer = Producer { half, mapping, writable: Arc::clone(&writable) };
    Ok((producer, Share { memory: Arc::new(memory), reader, registers, driver: None, writable }))
}

/// The end that fills the ring. It never waits for the consumer: when the ring is full, it drops and counts.
///
/// One turn of a producer: [`service`](Self::service); for each record [`reserve`](Self::reserve), write,
/// [`commit`](Self::commit), or [`drop_n`](Self::drop_n) if there was no room; [`publish`](Self::publish).
/// Dropping the producer tells the consumer that the card has gone.
#[derive(Debug)]
pub struct Producer {
    half: ProducerHalf<Native, RegisterPage>,
    mapping: Mapping,
    /// As in [`Share`].
    writable: Arc<AtomicBool>,
}

impl Producer {
    /// Room for a record (or several) of `len` bytes in all, contiguous. `None` if the ring is too full: what is committed
    /// is then published already, and what is to be written is lost. Also `None` if the stream is not started.
    #[inline]
    pub fn reserve(&mut self, len: usize) -> Option<Slot<'_>> {
        let at = self.half.reserve(len as u64)?;
        // Below the ring's length, which fits a `usize` or there would be no mapping.
        Some(Slot { mapping: &self.mapping, at: at as usize, len })
    }

    /// Takes the first `len` bytes of the last reservation into the ring: whole records, since a consumer may see them
    /// from the next [`publish`](Self::publish) on.
    ///
    /// # Errors
    /// [`Overrun`] if less was reserved, or [`service`](Self::service) has answered a request since.
    #[inline]
    pub fn commit(&mut self, len: usize) -> Result<(), Overrun> {
        self.half.commit(len as u64)
    }

    /// Exposes all that is committed, and wakes a consumer that waits for so much. Costs a fence: publish many at once.
    #[inline]
    pub fn publish(&mut self) {
        self.half.publish();
    }

    /// Bytes that could be reserved now; 0 unless started.
    pub fn free(&mut self) -> u64 {
        self.half.free()
    }

    /// Answers the consumer's request, if there is one. To be called at every turn, whether packets flow or not.
    ///
    /// An [`Event::Attached`] may come in any state: the one before has left, with or without a word.
    #[inline]
    pub fn service(&mut self) -> Option<Event> {
        self.half.service()
    }

    /// Whether a request waits for [`service`](Self::service).
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.half.is_asked()
    }

    /// Sleeps until a request arrives, at most `timeout`; it may return earlier for no reason.
    pub fn park(&self, timeout: Duration) {
        self.half.park(timeout);
    }

    /// The state of the stream after the last [`service`](Self::service).
    #[inline]
    pub fn state(&self) -> State {
        self.half.state()
    }

    /// True if packets are received.
    #[inline]
    pub fn is_started(&self) -> bool {
        self.half.state() == State::Started
    }

    /// Counts one record dropped.
    #[inline]
    pub fn drop_one(&mut self) {
        self.half.drop_n(1);
    }

    /// Counts `count` records dropped; none unless started, for then nothing is received.
    #[inline]
    pub fn drop_n(&mut self, count: u64) {
        self.half.drop_n(count);
    }

    /// The loss counter for the record that is written next: the records dropped since the last one, 0xFFFF for that many
    /// or more. The count starts anew, so ask when the record has its [`Slot`], not before.
    #[inline]
    pub fn take_lctr(&mut self) -> u16 {
        self.half.take_lctr()
    }

    /// The loss account since attach.
    #[inline]
    pub fn drops(&self) -> Drops {
        self.half.drops()
    }

    /// Publishes what is committed, and tells the consumer that nothing follows. Attach and start take it back: a
    /// feed that stays over says so again.
    pub fn end_of_feed(&mut self) {
        self.half.end_of_feed();
    }

    /// How often the consumer wrote a release position that can not be. Each was ignored.
    pub fn bad_bottoms(&self) -> u64 {
        self.half.bad_bottoms()
    }

    /// Position behind the last record committed, in bytes since attach.
    #[inline]
    #[must_use]
    pub fn position(&self) -> u64 {
        self.half.position()
    }

    /// True if what lies in the ring is what this producer has written there: no other mapping of it was ever writable, and its
    /// memory file was given to nobody.
    #[inline]
    #[must_use]
    pub fn is_private(&self) -> bool {
        // Acquire: whoever maps the ring so says it before, and attaches after, which this producer has answered.
        !self.writable.load(Ordering::Acquire)
    }

    /// Length of the ring in bytes.
    #[must_use]
    pub fn ring_len(&self) -> u64 {
        self.mapping.ring_len() as u64
    }
}

/// Reserved bytes of the ring, to be filled and then [committed](Producer::commit). What is not written keeps what
/// an earlier lap left there.
#[derive(Debug)]
pub struct Slot<'a> {
    mapping: &'a Mapping,
    at: usize,
    len: usize,
}

impl Slot<'_> {
    /// Length in bytes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there is nothing to fill.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// [`Overrun`] if they go beyond the slot; nothing is written then.
    #[inline]
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Overrun> {
        self.check(offset, bytes.len())?;
        // SAFETY: the mapping is the producer's, writable. `at` lies in its first half and the slot is no longer than the ring,
        // so it ends within the second. The slot lies outside of `[bottom, top)`: no reader has a reference to
        // these bytes, and the only producer is borrowed by the slot.
        unsafe { self.mapping.write(self.at + offset, bytes) };
        Ok(())
    }

    /// Writes `bytes` at the start.
    ///
    /// # Errors
    /// [`Overrun`] if they go beyond the slot; nothing is written then.
    #[inline]
    pub fn copy_from(&mut self, bytes: &[u8]) -> Result<(), Overrun> {
        self.write(0, bytes)
    }

    /// Writes the headers of records that lie one behind the other from `offset` on, and nothing between: of each a stamp, and the
    /// eight bytes behind it as they lie in memory (`erf-format.md` section 2), whose length leads to the next. As many as there
    /// are of both.
    ///
    /// # Errors
    /// [`Overrun`] if one goes beyond the slot; it is not written then, nor are those behind it.
    #[inline]
    pub fn write_headers(&mut self, offset: usize, stamps: &[Timestamp], words: &[u64]) -> Result<(), Overrun> {
        // One comparison a record: a header that begins by then lies in the slot.
        let latest = self.len.checked_sub(HEADER_LEN);
        let mut at = offset;
        for (stamp, word) in stamps.iter().zip(words) {
            if latest.is_none_or(|latest| at > latest) {
                return self.check(at, HEADER_LEN);
            }
            // In two pieces: one of 16 bytes lies across two lines of the cache where they do not, and both lines are with the reader.
            // SAFETY: as in `write`; the 16 bytes end within the slot.
            unsafe { self.mapping.write(self.at + at, &stamp.raw().to_le_bytes()) };
            // SAFETY: as above.
            unsafe { self.mapping.write(self.at + at + 8, &word.to_ne_bytes()) };
            let [_, _, high, low, ..] = word.to_ne_bytes();
            at += usize::from(u16::from_be_bytes([high, low]));
        }
        Ok(())
    }

    /// Zeroes a range of the slot.
    ///
    /// # Errors
    /// [`Overrun`] if it goes beyond the slot; nothing is written then.
    #[inline]
    pub fn fill_zero(&mut self, range: Range<usize>) -> Result<(), Overrun> {
        let len = range.end.saturating_sub(range.start);
        self.check(range.start, len)?;
        // SAFETY: as in `write`.
        unsafe { self.mapping.zero(self.at + range.start, len) };
        Ok(())
    }

    #[inline]
    fn check(&self, offset: usize, len: usize) -> Result<(), Overrun> {
        if offset <= self.len && len <= self.len - offset {
            Ok(())
        } else {
            Err(Overrun { offset: offset as u64, len: len as u64, room: self.len as u64 })
        }
    }
}

/// What it takes to attach to a stream; clones lead to the same one.
#[derive(Debug, Clone)]
pub struct Share {
    memory: Arc<StreamMemory>,
    reader: Arc<Mapping>,
    registers: RegisterPage,
    driver: Option<Driver>,
    /// Somebody but the producer can write to the ring, or could once: a mapping may outlive the one who made it.
    writable: Arc<AtomicBool>,
}

impl Share {
    /// The stream behind two descriptors that the card's process passed on, see [`memory_fd`](Self::memory_fd).
    ///
    /// # Errors
    /// [`MemoryError::Foreign`] if they are something else, or as [`MemoryError`] says.
    #[cfg(all(not(miri), target_os = "linux"))]
    pub fn open(memory: OwnedFd, registers: OwnedFd, access: Access) -> Result<Self, MemoryError> {
        let memory = StreamMemory::open(memory)?;
        let registers = RegisterPage::open(registers)?;
        let reader = Arc::new(Mapping::new(&memory, access, false)?);
        Ok(Self { memory: Arc::new(memory), reader, registers, driver: None, writable: Arc::default() })
    }

    /// Of a ring whose owner has no use for what the card maps.
    pub(super) fn of(memory: StreamMemory, registers: RegisterPage) -> Result<Self, MemoryError> {
        let reader = Arc::new(Mapping::new(&memory, Access::Read, false)?);
        Ok(Self { memory: Arc::new(memory), reader, registers, driver: None, writable: Arc::default() })
    }

    pub(super) fn registers(&self) -> &RegisterPage {
        &self.registers
    }

    pub(super) fn mapping(&self) -> &Arc<Mapping> {
        &self.reader
    }

    pub(super) fn driver(&self) -> Option<Driver> {
        self.driver.clone()
    }

    /// The sealed memory file of the ring, to be passed to another process.
    #[cfg(all(not(miri), target_os = "linux"))]
    #[must_use]
    pub fn memory_fd(&self) -> BorrowedFd<'_> {
        // Whoever has the file can map it as he likes.
        self.writable.store(true, Ordering::Release);
        self.memory.as_fd()
    }

    /// The sealed memory file of the registers, to be passed to another process.
    #[cfg(all(not(miri), target_os = "linux"))]
    #[must_use]
    pub fn registers_fd(&self) -> BorrowedFd<'_> {
        self.registers.as_fd()
    }

    /// The same, with a driver that consumers call besides ringing the producer's doorbell.
    #[must_use]
    pub fn with_driver(self, driver: Driver) -> Self {
        Self { driver: Some(driver), ..self }
    }

    /// Length of the ring in bytes.
    #[must_use]
    pub fn ring_len(&self) -> u64 {
        self.memory.ring_len()
    }

    /// The loss account of the stream since it was last attached, whoever owns it.
    #[must_use]
    pub fn drops(&self) -> Drops {
        protocol::drops(&*self.registers)
    }

    /// Takes the stream from its owner, who is no more: it is detached, and free for the next one.
    pub fn take_from_owner(&self) {
        let half = ConsumerHalf::usurp(self.registers.clone(), self.memory.ring_len(), self.driver.clone());
        // Free in any case.
        if let Err(error) = half.detach() {
            log::warn!("a stream was taken back from an owner who has gone: {error}");
        }
    }

    /// Tells the stream's owner that the card is no more, when its process cannot.
    pub fn declare_gone(&self) {
        protocol::declare_gone(&*self.registers);
    }

    /// The same, through a mapping of its own, writable or not. The producer relies on nothing that lies there.
    ///
    /// # Errors
    /// As [`MemoryError`] says.
    pub fn mapped_anew(&self, access: Access) -> Result<Self, MemoryError> {
        if access == Access::ReadWrite {
            // Before the mapping is there.
            self.writable.store(true, Ordering::Release);
        }
        Ok(Self { reader: Arc::new(Mapping::new(&self.memory, access, false)?), ..self.clone() })
    }

    /// Becomes the owner of the stream. Everything starts at zero: positions, counters, flags.
    ///
    /// # Errors
    /// [`RequestError::Busy`] if there is an owner, else as [`RequestError`] says.
    pub fn attach(&self) -> Result<Consumer, RequestError> {
        let half = ConsumerHalf::attach(self.registers.clone(), self.memory.ring_len(), self.driver.clone())?;
        Ok(Consumer { half, mapping: Arc::clone(&self.reader) })
    }
}

/// The owner of a stream, from attach to detach. Dropping it detaches.
#[derive(Debug)]
pub struct Consumer {
    half: ConsumerHalf<Native, RegisterPage>,
    mapping: Arc<Mapping>,
}

impl Consumer {
    /// Lets the stream receive. The window starts, empty, at ring offset 0; what was not read before a stop is given up.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub fn start(&mut self) -> Result<(), RequestError> {
        self.half.start()
    }

    /// Ends receiving; when it returns, the loss account is final. What is in the ring can still be read.
    /// Stopping a stream that was not started does nothing.
    ///
    /// # Errors
    /// As [`RequestError`] says.
    pub fn stop(&mut self) -> Result<(), RequestError> {
        self.half.stop()
    }

    /// Gives the stream up, started or not, and waits until the producer knows.
    ///
    /// # Errors
    /// As [`RequestError`] says; the stream is given up all the same.
    pub fn detach(self) -> Result<(), RequestError> {
        self.half.detach()
    }

    /// Releases everything before `release_to` and takes the window as it is now, without waiting.
    ///
    /// # Errors
    /// [`AdvanceError::BadRelease`] if `release_to` lies outside of the window, else as [`AdvanceError`] says.
    #[inline]
    pub fn advance(&mut self, release_to: u64) -> Result<Window, AdvanceError> {
        self.half.advance(release_to)
    }

    /// Releases everything before `release_to`, waits by the `rules`, and takes the window as it is then. The wait ends
    /// early when `interrupt` becomes true (noticed within 100 ms) or a signal arrives on this thread.
    ///
    /// # Errors
    /// As for [`advance`](Self::advance).
    pub fn wait(
        &mut self,
        release_to: u64,
        rules: &PollRules,
        interrupt: Option<&AtomicBool>,
    ) -> Result<Window, AdvanceError> {
        self.half.wait(release_to, rules, interrupt)
    }

    /// The window as last taken.
    #[inline]
    #[must_use]
    pub fn window(&self) -> Window {
        self.half.window()
    }

    /// The bytes of the window as last taken.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let Window { bottom, top } = self.half.window();
        // The window is a part of itself.
        self.slice(bottom..top).unwrap_or_default()
    }

    /// The bytes at some positions of the window; `None` if they are not all in it.
    #[must_use]
    pub fn slice(&self, positions: Range<u64>) -> Option<&[u8]> {
        let window = self.half.window();
        let Range { start, end } = positions;
        if start < window.bottom || end > window.top || start > end {
            return None;
        }
        let len = self.mapping.ring_len();
        // Both below the ring's length or equal to it, so they fit.
        let offset = (start % len as u64) as usize;
        let count = (end - start) as usize;
        // SAFETY: `offset < len`, and the mapping has `2 * len` bytes.
        let first = unsafe { self.mapping.base().add(offset) };
        // SAFETY: `advance` lets no window be longer than the ring, so the range ends within the mapping, which `self` holds alive.
        // The producer has written these bytes before the `top` that we acquired, and writes them again only once
        // `bottom` has passed them. That takes `&mut self`, which no one gets while the slice lives. This rests on the
        // producer keeping to it: the process that runs the emulated card is the trust boundary.
        Some(unsafe { slice::from_raw_parts(first, count) })
    }

    /// The view of the ring that the windows lie in: position `p` at `p % ring_len` from its base. Who does I/O from
    /// the ring holds this while the I/O is in flight, and releases nothing that it still needs.
    #[must_use]
    pub fn mapping(&self) -> &Arc<Mapping> {
        &self.mapping
    }

    /// True if the feed was over when the window was last taken: nothing will follow it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.half.is_last()
    }

    /// The loss account since attach: as of now while receiving, final and exact after [`stop`](Self::stop).
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.half.drops()
    }

    /// Length of the ring in bytes.
    #[must_use]
    pub fn ring_len(&self) -> u64 {
        self.half.ring_len()
    }
}
