//! What a driver of cards is: the one trait that the emulated card implements, and libdag.

mod emu;
mod libdag;

pub(crate) use emu::EmuCard;
pub(crate) use libdag::open as open_real;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dag_emu::ring::{PollRules, Window};
use erf::session::ClockInfo;

use crate::error::Error;
use crate::info::{CardInfo, Counters, Setting};

/// A card that has been opened.
pub(crate) trait CardBackend: fmt::Debug + Send + Sync {
    /// What can be told of the card.
    fn info(&self) -> CardInfo;

    /// What the card says of its clock now.
    fn clock(&self) -> ClockInfo;

    /// Becomes the owner of receive stream `number`.
    fn attach(&self, number: u16) -> Result<Box<dyn StreamBackend>, Error>;

    /// Becomes the owner of transmit stream `number`.
    fn attach_tx(&self, number: u16) -> Result<Box<dyn TxBackend>, Error>;

    /// Defects in what the card is fed from.
    fn source_defects(&self) -> u64;

    /// What there is to say about what the card has seen so far.
    fn notes(&self) -> Vec<String>;

    /// What it has counted, and how it is set, now.
    fn counters(&self) -> Result<Counters, Error>;

    /// What a driver tells of the clock.
    fn duck(&self) -> Option<dag_sys::Duck>;

    /// Who has it open.
    fn holders(&self) -> Vec<String>;

    /// Sets something.
    fn set(&self, setting: Setting) -> Result<(), Error>;
}

/// A receive stream with an owner. Positions are bytes since attach.
pub(crate) trait StreamBackend: fmt::Debug + Send {
    fn start(&mut self) -> Result<(), Error>;

    fn stop(&mut self) -> Result<(), Error>;

    /// Gives the stream up. Called at most once, and nothing after it.
    fn detach(&mut self) -> Result<(), Error>;

    fn poll_rules(&self) -> PollRules;

    fn set_poll_rules(&mut self, rules: PollRules);

    /// Releases everything before `release_to`, waits by the poll rules, and says what lies ready then.
    fn advance(&mut self, release_to: u64, interrupt: &AtomicBool) -> Result<Window, Error>;

    /// Where the window begins: after a start, the position to release to first.
    fn position(&self) -> u64;

    /// The bytes of the window that [`advance`](Self::advance) gave last.
    fn bytes(&self) -> &[u8];

    /// What ended the feed of an emulated card, if it was an error; to be asked when [`is_last`](Self::is_last) is true.
    fn failure(&self) -> Option<Error>;

    /// Nothing will follow the window that [`advance`](Self::advance) gave last.
    fn is_last(&self) -> bool;

    /// The stream's drop counter, where there is one.
    fn drops(&self) -> Option<Drops>;

    /// The memory in which the window that [`advance`](Self::advance) gave last lies; `None` once detached.
    fn memory(&self) -> Option<Memory>;

    /// Length of the stream's memory in bytes.
    fn memory_len(&self) -> u64;
}

/// A transmit stream with an owner.
pub(crate) trait TxBackend: fmt::Debug + Send {
    fn start(&mut self) -> Result<(), Error>;

    fn stop(&mut self) -> Result<(), Error>;

    /// Gives the stream up. Called at most once, and nothing after it.
    fn detach(&mut self) -> Result<(), Error>;

    /// Puts a whole record of a length that fits into the stream, waiting for room at most `patience`.
    fn send(&mut self, record: &[u8], patience: Duration) -> Result<(), Error>;

    /// Bytes that have not been sent yet.
    fn level(&self) -> Result<u64, Error>;

    /// What the length of a record has to be a multiple of.
    fn align(&self) -> usize;
}

/// A stream's drop counter as the card shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drops {
    /// Records dropped since attach; 32 bits, wraps.
    pub counter: u32,
    /// Those of them that no record's loss counter has told yet: dropped after the last record in stream memory.
    /// `None` where the card does not tell.
    pub pending: Option<u64>,
}

/// The memory in which a window lies. It stays mapped as long as this lives.
#[derive(Clone)]
pub(crate) struct Memory {
    base: *const u8,
    place: Place,
    _owner: Arc<dyn Send + Sync>,
}

/// Where a position lies, seen from the base.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// At its rest by the ring's length: the base is the ring's, and a whole lap from any position on is contiguous.
    Ring(u64),
    /// As far behind the base as behind this position: where a library keeps it to itself where the ring begins.
    From(u64),
}

impl Memory {
    /// The memory that `owner` keeps mapped: twice `len` bytes from `base`, the second half showing the first.
    pub(crate) fn ring(base: *const u8, len: u64, owner: Arc<dyn Send + Sync>) -> Self {
        Self { base, place: Place::Ring(len), _owner: owner }
    }

    /// The memory that `owner` keeps mapped, in which a window begins at `base` and position `bottom`.
    pub(crate) fn window(base: *const u8, bottom: u64, owner: Arc<dyn Send + Sync>) -> Self {
        Self { base, place: Place::From(bottom), _owner: owner }
    }

    /// The `len` bytes from position `start` on.
    ///
    /// # Safety
    ///
    /// They must lie in a window that [`StreamBackend::advance`] gave: for [`window`](Self::window) the one it was made
    /// of. And they must not be released while the slice is in use.
    pub(crate) unsafe fn slice(&self, start: u64, len: usize) -> &[u8] {
        let offset = match self.place {
            Place::Ring(ring) => start % ring,
            Place::From(bottom) => start.wrapping_sub(bottom),
        };
        // Below the length of memory that is mapped, which fits.
        let offset = offset as usize;
        // SAFETY: in a ring `offset` is below its length, and twice that much is mapped; in a window the position lies
        // in it, as the caller promises, and the window is mapped. Both as long as `self` lives.
        let first = unsafe { self.base.add(offset) };
        // SAFETY: a window is no longer than the ring and contiguous from any position in it, so the range is mapped. The
        // card has written these bytes before the window showed them, and writes there again only once they are
        // released, which the caller promises not to do.
        unsafe { std::slice::from_raw_parts(first, len) }
    }
}

// SAFETY: `base` is only read through `slice`, whose contract holds on any thread; the owner is Send and Sync itself.
unsafe impl Send for Memory {}
// SAFETY: as above; `Memory` has no interior mutability.
unsafe impl Sync for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("place", &self.place).finish_non_exhaustive()
    }
}
