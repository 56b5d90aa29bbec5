//! The protocol between the two sides of a ring, without the memory it governs.
//!
//! ```text
//!  consumer                                       producer
//!  owner 0 -> 1 (or busy)
//!  bottom = 0, request = (e, attach), ring   ->   positions, counters, flags = 0
//!                                            <-   answer = (e, attached), ring
//!  bottom = next lap, request = (e+1, start) ->   positions = next lap
//!                                            <-   answer = (e+1, started), ring
//!  advance: bottom = release_to, read top    <->  commit, publish: top = head, ring if wanted
//!  request = (e+2, stop)                     ->   publish what is committed, freeze the counters
//!  request = (e+3, detach), owner = 0        ->   idle
//! ```
//!
//! * Only the consumer writes `bottom`, `request` and `owner`; only the producer writes `top`, `answer`, flags and counters.
//! * A new owner believes no word of the producer before the answer to its own attach, and the producer resets before
//!   it answers. So the new owner never sees a position of its predecessor, whose last request may even be unanswered.
//! * The producer works from its private positions. `bottom` is only ever a claim: taken if it lies between the last
//!   one and what was published, else ignored and flagged.
//! * `top` is a claim to the consumer likewise: beyond one ring length it would mean memory that does not exist.

mod consumer;
mod producer;

pub(crate) use consumer::ConsumerHalf;
pub use consumer::{AdvanceError, RequestError};
pub(in crate::ring) use consumer::{declare_gone, drops};
pub(crate) use producer::ProducerHalf;
pub use producer::{Event, Overrun};

use std::fmt;
use std::sync::Arc;

/// What lies ready to be read: the positions `[bottom, top)`, in bytes since attach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Position of the first byte not yet released.
    pub bottom: u64,
    /// Position behind the last byte exposed.
    pub top: u64,
}

impl Window {
    /// Bytes in the window.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.top.saturating_sub(self.bottom)
    }

    /// True if nothing lies ready.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.top <= self.bottom
    }
}

/// The loss account of a stream since attach (`libdag-contract.md` section 6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops {
    /// Records dropped since attach: the 32-bit stream drop counter, which wraps.
    pub total: u32,
    /// Those of them that no record's loss counter has told yet.
    pub pending: u64,
}

/// What a consumer needs from the producer when it calls the [`Driver`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A request has been posted, and its answer is awaited.
    Answer,
    /// More data is awaited.
    Data,
}

/// What a [`Driver`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The producer had its turn here and now. There may be more when called again.
    Ran,
    /// The producer had its turn, and has nothing more until something outside changes: do not wait for it.
    Idle,
    /// The producer lives in a thread of its own and has been told: wait for it.
    Elsewhere,
}

/// What gets the producer going, besides its doorbell.
///
/// Two uses: a producer without a thread (a script in a unit test), whose turn the driver runs while the
/// consumer waits; and a producer that sleeps on something else than its doorbell (a socket, several streams),
/// which the driver wakes. It is called on the consumer's thread: after each request ([`Need::Answer`]), and
/// before a wait for data looks and before it sleeps ([`Need::Data`]). It must not use the consumer that calls it.
#[derive(Clone)]
pub struct Driver(Arc<dyn Fn(Need) -> Turn + Send + Sync>);

impl Driver {
    /// A driver that calls `turn`.
    pub fn new(turn: impl Fn(Need) -> Turn + Send + Sync + 'static) -> Self {
        Self(Arc::new(turn))
    }

    pub(super) fn turn(&self, need: Need) -> Turn {
        (self.0)(need)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}
