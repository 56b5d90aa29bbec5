//! The register page of a stream: the words that producer and consumer share.
//!
//! | word | written by | meaning |
//! |---|---|---|
//! | `layout` | creator | [`LAYOUT`], so that a page of another version is refused |
//! | `top` | producer | position behind the last record exposed |
//! | `drop_count`, `drops_pending` | producer | stream drop counter, and the part no record has told yet |
//! | `bottom` | consumer | position before which everything is released |
//! | `owner` | consumer | 1 while someone owns the stream |
//! | `request` | consumer | what it wants: epoch << 8 \| [`Command`] |
//! | `answer` | producer | what it got: epoch << 8 \| [`State`] |
//! | `flags` | producer | [`END_OF_FEED`], [`PRODUCER_GONE`], [`BAD_BOTTOM`] |
//!
//! Positions are bytes since attach, never reduced; a position's place in stream memory is its remainder by the
//! ring's length. Words of different writers, and words that change at different pace, lie 128 bytes apart: a cache line and the
//! neighbour that processors fetch with it.

use super::doorbell::Doorbell;
use super::sync::{Atomics, Word};

/// First word of a register page: name and version of this layout.
pub(crate) const LAYOUT: u64 = u64::from_le_bytes(*b"dagring\x01");

/// Flag: the feed is over; what lies between `bottom` and `top` is the last of it.
pub(crate) const END_OF_FEED: u32 = 1;
/// Flag: nobody fills the ring any more.
pub(crate) const PRODUCER_GONE: u32 = 2;
/// Flag: the consumer wrote a `bottom` that can not be, which the producer ignored.
pub(crate) const BAD_BOTTOM: u32 = 4;

/// Epochs are 56 bits wide, and wrap.
const EPOCH_BITS: u32 = 56;

/// What a consumer asks of the producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Leave the stream.
    Detach = 0,
    /// Take the stream over: positions, counters and flags go to zero.
    Attach = 1,
    /// Receive, from ring offset 0 on.
    Start = 2,
    /// Receive no more; what is there stays.
    Stop = 3,
}

impl Command {
    pub(super) fn decode(request: u64) -> Option<Self> {
        // The low byte; the mask keeps the conversion exact.
        Some(match request & 0xFF {
            0 => Self::Detach,
            1 => Self::Attach,
            2 => Self::Start,
            3 => Self::Stop,
            _ => return None,
        })
    }
}

/// The state of a stream, as the producer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nobody is attached.
    Idle = 0,
    /// Attached; nothing is received. A stopped stream is in this state, too.
    Attached = 1,
    /// Receiving.
    Started = 2,
}

impl State {
    pub(super) fn decode(answer: u64) -> Option<Self> {
        Some(match answer & 0xFF {
            0 => Self::Idle,
            1 => Self::Attached,
            2 => Self::Started,
            _ => return None,
        })
    }
}

/// The epoch of a request or answer word.
pub(super) fn epoch(word: u64) -> u64 {
    word >> 8
}

/// The epoch that follows `epoch`.
pub(super) fn next_epoch(epoch: u64) -> u64 {
    epoch.wrapping_add(1) & ((1 << EPOCH_BITS) - 1)
}

/// A request or answer word.
pub(super) fn word(epoch: u64, code: u8) -> u64 {
    epoch << 8 | u64::from(code)
}

/// Keeps what it holds 128 bytes away from everything else.
#[derive(Debug)]
#[repr(C, align(128))]
pub(super) struct Line<T>(pub(super) T);

/// See the [module](self).
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Registers<A: Atomics> {
    pub(super) layout: Line<A::U64>,
    pub(super) top: Line<A::U64>,
    pub(super) drops: Line<Drops<A>>,
    pub(super) bottom: Line<A::U64>,
    pub(super) asked: Line<Asked<A>>,
    pub(super) told: Line<Told<A>>,
    pub(super) to_producer: Doorbell<A>,
    pub(super) to_consumer: Doorbell<A>,
}

/// The words of the loss account.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Drops<A: Atomics> {
    pub(super) pending: A::U64,
    pub(super) count: A::U32,
}

/// What the consumer says now and then.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Asked<A: Atomics> {
    pub(super) request: A::U64,
    pub(super) owner: A::U32,
}

/// What the producer says now and then.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Told<A: Atomics> {
    pub(super) answer: A::U64,
    pub(super) flags: A::U32,
}

impl<A: Atomics> Registers<A> {
    /// Registers of a stream that nobody has used.
    pub(crate) fn new() -> Self {
        Self {
            layout: Line(A::U64::new(LAYOUT)),
            top: Line(A::U64::new(0)),
            drops: Line(Drops { pending: A::U64::new(0), count: A::U32::new(0) }),
            bottom: Line(A::U64::new(0)),
            asked: Line(Asked { request: A::U64::new(0), owner: A::U32::new(0) }),
            told: Line(Told { answer: A::U64::new(0), flags: A::U32::new(0) }),
            to_producer: Doorbell::new(),
            to_consumer: Doorbell::new(),
        }
    }
}

impl<A: Atomics> Default for Registers<A> {
    fn default() -> Self {
        Self::new()
    }
}
