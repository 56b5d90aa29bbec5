//! A receive stream as the C API sees it: pointers into memory that is mapped twice, where `dag_emu::Stream` has positions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use dag_emu::ring::{PollRules, Window};
use dag_emu::{Card, Stream};

use crate::guard::Errno;
use crate::tx::Tx;

/// One advance exposes at most so much: callers count what lies ready in 32 bits (`libdag-contract.md` section 9).
const MOST_EXPOSED: u64 = 1 << 30;

/// Bytes of a record's header.
const HEADER: u64 = 16;

/// A longest sleep at the end of a feed, after which is looked whether somebody wants the stream to stop.
const SLICE: Duration = Duration::from_millis(100);

/// The streams of a card that this process has attached.
#[derive(Debug, Default)]
pub(crate) struct Slots(RwLock<BTreeMap<u16, Slot>>);

/// A stream that somebody has attached.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Rx(Arc<Rx>),
    Tx(Arc<Tx>),
}

impl Slot {
    fn owner(&self) -> u64 {
        match self {
            Self::Rx(rx) => rx.owner,
            Self::Tx(tx) => tx.owner,
        }
    }

    /// Nobody is to wait here any more.
    fn quit(&self) {
        if let Self::Rx(rx) = self {
            rx.leave.store(true, Ordering::Relaxed);
        }
    }
}

impl Slots {
    /// Attaches stream `number` for the descriptor `owner`. That descriptor may do so twice, as some programs do.
    pub(crate) fn attach(&self, card: &Card, owner: u64, number: u16, reverse: bool) -> Result<(), Errno> {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match slots.get(&number) {
            Some(slot) if slot.owner() == owner => return Ok(()),
            Some(_) => return Err(Errno(libc::EBUSY)),
            None => {}
        }
        let rx = |stream| Slot::Rx(Arc::new(Rx::new(owner, stream)));
        let tx = |stream| Slot::Tx(Arc::new(Tx::new(owner, stream)));
        let slot = match (number % 2, reverse) {
            (0, false) => card.attach_writable(number).map(rx),
            (0, true) => card.attach_reverse_tx(number).map(tx),
            (_, false) => card.attach_tx(number).map(tx),
            (_, true) => card.attach_reverse_rx(number).map(rx),
        };
        slots.insert(number, slot.map_err(|error| Errno::from(&error))?);
        Ok(())
    }

    /// The stream that the descriptor `owner` has attached.
    pub(crate) fn find(&self, owner: u64, number: u16) -> Result<Slot, Errno> {
        let slots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        slots.get(&number).filter(|slot| slot.owner() == owner).cloned().ok_or(Errno(libc::EINVAL))
    }

    /// Gives a stream up. A call that waits on it ends.
    pub(crate) fn detach(&self, owner: u64, number: u16) -> Result<(), Errno> {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Looked at and removed under one lock: in between it could become another's.
        match slots.entry(number) {
            Entry::Occupied(slot) if slot.get().owner() == owner => {
                slot.remove().quit();
                Ok(())
            }
            _ => Err(Errno(libc::EINVAL)),
        }
    }

    /// Gives up all that `owner` has attached.
    pub(crate) fn detach_all(&self, owner: u64) {
        let mut slots = self.0.write().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| {
            let keep = slot.owner() != owner;
            if !keep {
                slot.quit();
            }
            keep
        });
    }
}

/// A receive stream with an owner.
pub(crate) struct Rx {
    owner: u64,
    state: Mutex<State>,
    /// Ends a call that waits, for one that is to stop or detach the stream.
    leave: AtomicBool,
}

struct State {
    stream: Stream,
    rules: PollRules,
    started: bool,
    /// What the caller has: from here to there.
    lent: Window,
    /// Where the window that the caller has begins in its memory.
    bottom: *mut u8,
    /// The record that `next_record` gave last ends here.
    next: u64,
}

// SAFETY: `bottom` points into the mapping that `stream` keeps, and is only compared and handed out.
unsafe impl Send for State {}

impl std::fmt::Debug for Rx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rx").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl Rx {
    fn new(owner: u64, stream: Stream) -> Self {
        let bottom = stream.mapping().base().cast_mut();
        let rules = PollRules::default();
        let lent = Window { bottom: 0, top: 0 };
        let state = Mutex::new(State { stream, rules, started: false, lent, bottom, next: 0 });
        Self { owner, state, leave: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, when whoever waits for data has left.
    fn interrupting(&self) -> MutexGuard<'_, State> {
        self.leave.store(true, Ordering::Relaxed);
        let state = self.lock();
        self.leave.store(false, Ordering::Relaxed);
        state
    }

    /// Lets the stream receive, from the begin of its memory on.
    pub(crate) fn start(&self) -> Result<(), Errno> {
        let mut state = self.interrupting();
        state.stream.start().map_err(|error| Errno::from(&error))?;
        // Started already, it goes on where it was.
        if !std::mem::replace(&mut state.started, true) {
            let Window { bottom, .. } = state.stream.window();
            state.rebase(bottom);
        }
        Ok(())
    }

    /// Ends receiving; what lies ready can still be read.
    pub(crate) fn stop(&self) -> Result<(), Errno> {
        let mut state = self.interrupting();
        state.started = false;
        state.stream.stop().map_err(|error| Errno::from(&error))
    }

    pub(crate) fn rules(&self) -> PollRules {
        self.lock().rules
    }

    pub(crate) fn set_rules(&self, rules: PollRules) {
        self.lock().rules = rules;
    }

    /// Whether the feed is over and all of it has been handed out.
    pub(crate) fn is_last(&self) -> bool {
        self.lock().stream.is_last()
    }

    /// Bytes that lie ready, the caller's own included, without looking anew.
    pub(crate) fn level(&self) -> u64 {
        self.lock().lent.len()
    }

    /// Releases what lies before `bottom`, waits by the poll parameters, and lends what there is then: its begin and end.
    pub(crate) fn advance(&self, bottom: *mut u8) -> Result<(*mut u8, *mut u8), Errno> {
        let mut state = self.lock();
        let release = state.position(bottom).ok_or(Errno(libc::EINVAL))?;
        state.advance(release, &self.leave)?;
        let len = state.lent.len() as usize;
        // Within the two halves of the mapping, of which a window takes one at most.
        Ok((state.bottom, state.bottom.wrapping_add(len)))
    }

    /// Releases the last record and gives the next one.
    pub(crate) fn next_record(&self) -> Result<*mut u8, Errno> {
        self.next_record_and_len().map(|(record, _)| record)
    }

    /// As [`next_record`](Self::next_record), with its length, of which as much lies there.
    pub(crate) fn next_record_and_len(&self) -> Result<(*mut u8, u16), Errno> {
        let mut state = self.lock();
        let release = state.next.clamp(state.lent.bottom, state.lent.top);
        if release == state.lent.top || release != state.lent.bottom {
            state.advance(release, &self.leave)?;
        }
        if state.lent.len() < HEADER {
            return Err(Errno(libc::EAGAIN));
        }
        let len = u64::from(state.record_len(0));
        // A length that cannot be leaves nothing to go on from: the rest of the window is given as it is, once.
        let len = if (HEADER..=state.lent.len()).contains(&len) { len } else { state.lent.len() };
        state.next = state.lent.bottom + len;
        Ok((state.bottom, u16::try_from(len).unwrap_or(u16::MAX)))
    }
}

impl State {
    /// The caller has nothing, and what comes begins at `position`.
    fn rebase(&mut self, position: u64) {
        self.lent = Window { bottom: position, top: position };
        self.next = position;
        self.bottom = self.place(position);
    }

    /// Where a position lies, in the first of the two mappings.
    fn place(&self, position: u64) -> *mut u8 {
        let offset = position % self.stream.memory_len();
        // Below the ring's length, which is mapped.
        self.stream.mapping().base().cast_mut().wrapping_add(offset as usize)
    }

    /// The position that the caller means by a pointer: one into either mapping, at most as far as was exposed. A null pointer
    /// releases nothing.
    fn position(&self, pointer: *mut u8) -> Option<u64> {
        if pointer.is_null() || pointer == self.bottom {
            return Some(self.lent.bottom);
        }
        let ring = self.stream.memory_len();
        let offset = (pointer as usize as u64).checked_sub(self.stream.mapping().base() as usize as u64)?;
        if offset > 2 * ring {
            return None;
        }
        let exposed = self.lent.len();
        let moved = (offset + ring - self.lent.bottom % ring) % ring;
        // A whole ring was exposed, and its end is where it begins.
        let moved = if moved == 0 && exposed == ring { ring } else { moved };
        (moved <= exposed).then(|| self.lent.bottom + moved)
    }

    fn advance(&mut self, release: u64, leave: &AtomicBool) -> Result<(), Errno> {
        let begun = Instant::now();
        self.stream.set_poll_rules(self.rules);
        let mut window = self.stream.advance(release, Some(leave)).map_err(|error| Errno::from(&error))?;
        if window.is_empty() && self.stream.is_last() && self.rules.mindata > 0 {
            // A card's wire never ends: nothing comes, and that is waited for by the same rules.
            silence(self.rules.maxwait, begun, leave);
            window = self.stream.advance(release, Some(leave)).map_err(|error| Errno::from(&error))?;
        }
        self.lent = window;
        self.next = self.next.max(window.bottom);
        self.bottom = self.place(window.bottom);
        if window.len() > MOST_EXPOSED {
            self.lent.top = window.bottom + self.whole_records(MOST_EXPOSED);
        }
        Ok(())
    }

    /// How many bytes from the bottom on are whole records, at most `most`; all where a length leads nowhere.
    fn whole_records(&self, most: u64) -> u64 {
        let mut end = 0;
        loop {
            let len = u64::from(self.record_len(end));
            if len < HEADER {
                return if end > 0 { end } else { most };
            }
            if end + len > most {
                return end;
            }
            end += len;
        }
    }

    /// The length that the record at `offset` from the bottom has by its header.
    fn record_len(&self, offset: u64) -> u16 {
        let mut bytes = [0u8; 2];
        for (byte, at) in bytes.iter_mut().zip(10..) {
            let place = self.bottom.wrapping_add((offset + at) as usize);
            // SAFETY: callers keep `offset` and the header behind it within the window, which lies in the mapping that
            // `stream` keeps. Volatile, since the caller's program may write there whenever it likes.
            *byte = unsafe { place.read_volatile() };
        }
        u16::from_be_bytes(bytes)
    }
}

/// Waits where nothing can come: for `maxwait` since `begun`, or without limit where that is zero; until a signal arrives or
/// somebody wants the stream.
fn silence(maxwait: Duration, begun: Instant, leave: &AtomicBool) {
    while !leave.load(Ordering::Relaxed) {
        let left = match maxwait {
            Duration::ZERO => SLICE,
            maxwait => maxwait.saturating_sub(begun.elapsed()).min(SLICE),
        };
        if left.is_zero() {
            return;
        }
        let millis = i32::try_from(left.as_millis()).unwrap_or(1).max(1);
        // SAFETY: no descriptors, so the pointer is not looked at.
        if unsafe { libc::poll(std::ptr::null_mut(), 0, millis) } != 0 {
            return;
        }
    }
}
