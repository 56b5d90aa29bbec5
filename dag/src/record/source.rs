//! [`Source`]: what is recorded, one stream or several.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dag_emu::ring::PollRules;
use erf::session::ClockInfo;

use super::chunk::{CHUNK, straight_len};
use super::clock::ClockWatch;
use super::look::Look;
use super::merge::{Ends, Merge, Plan, Shares};
use super::pin::Pinned;
use super::progress::Level;
use crate::backend::Memory;
use crate::card::Card;
use crate::error::Error;
use crate::stream::RxStream;

/// Where records come from. Positions count all of its bytes.
#[derive(Debug)]
pub(super) enum Source {
    /// Looked at where the card has put them.
    One { stream: Box<RxStream>, memory_len: u64, _pinned: Option<Pinned> },
    /// Looked at in blocks of their own.
    Several(Box<Merge>),
}

impl Source {
    /// Starts the one stream, whose packets this thread is going to take, or those of `plan`.
    pub(super) fn start(mut plan: Plan) -> Result<Self, Error> {
        if plan.streams.len() != 1 {
            return Ok(Self::Several(Box::new(Merge::start(plan)?)));
        }
        let Some(mut stream) = plan.streams.pop() else { return Err(Error::state("there is no stream to record")) };
        let pinned = plan.cpus.first().map(|&cpu| Pinned::to(cpu)).transpose()?;
        stream.start()?;
        let memory_len = stream.backend().memory_len();
        Ok(Self::One { stream: Box::new(stream), memory_len, _pinned: pinned })
    }

    /// What is looked at first.
    pub(super) fn position(&mut self) -> u64 {
        match self {
            Self::One { stream, .. } => stream.backend().position(),
            Self::Several(merge) => merge.position(),
        }
    }

    /// Lets no more packets in.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        match self {
            Self::One { stream, .. } => stream.backend().stop(),
            Self::Several(merge) => {
                merge.stop();
                Ok(())
            }
        }
    }

    /// Gives back what lies before `release`, and waits for more than what lies before `looked_at`: at most `limit`, or with `None` not at
    /// all. `false`: nothing new.
    pub(super) fn advance(
        &mut self,
        release: u64,
        looked_at: u64,
        limit: Option<Duration>,
        stop: &AtomicBool,
        look: &mut Look,
    ) -> Result<bool, Error> {
        match self {
            Self::One { stream, .. } => {
                let held = looked_at - release;
                let rules = limit.map_or_else(PollRules::non_blocking, |maxwait| PollRules {
                    mindata: held + 1,
                    maxwait,
                    ..PollRules::default()
                });
                let backend = stream.backend();
                backend.set_poll_rules(rules);
                let window = backend.advance(release, stop)?;
                look.loss.observe(backend.drops());
                Ok(window.top > looked_at)
            }
            Self::Several(merge) => {
                let fresh = merge.advance(looked_at, limit, look.shares.get_or_insert_with(|| Shares::of(0)));
                look.loss.damaged |= merge.is_damaged();
                Ok(fresh)
            }
        }
    }

    /// What has not been given back.
    pub(super) fn bytes(&mut self) -> &[u8] {
        match self {
            Self::One { stream, .. } => stream.backend().bytes(),
            Self::Several(merge) => merge.bytes(),
        }
    }

    /// The memory in which these lie.
    pub(super) fn memory(&mut self) -> Option<Memory> {
        match self {
            Self::One { stream, .. } => stream.backend().memory(),
            Self::Several(merge) => merge.memory(),
        }
    }

    /// Bytes that can be held before the card has no room; what is in blocks of its own holds up nobody.
    pub(super) fn room(&self) -> u64 {
        match self {
            Self::One { memory_len, .. } => *memory_len,
            Self::Several(_) => u64::MAX,
        }
    }

    /// Up to where what is written can be given back: all of a block that has been looked at, for it stays as long as it is read.
    pub(super) fn releasable(&self, written: u64, looked_at: u64) -> u64 {
        match self {
            Self::One { .. } => written,
            Self::Several(_) => looked_at,
        }
    }

    /// Nothing will follow.
    pub(super) fn is_last(&mut self) -> bool {
        match self {
            Self::One { stream, .. } => stream.backend().is_last(),
            Self::Several(merge) => merge.is_over(),
        }
    }

    /// What has ended it, if it was an error. Of several streams each has its own, and the others go on.
    pub(super) fn failure(&mut self) -> Option<Error> {
        match self {
            Self::One { stream, .. } => stream.backend().failure(),
            Self::Several(_) => None,
        }
    }

    /// Whether one of several streams has ended by an error.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self, Self::Several(merge) if merge.has_failed())
    }

    /// While nobody takes from it: gives back what lies before `release`, and takes note of what the card has and drops. The threads of
    /// several streams do so by themselves.
    pub(super) fn observe(&mut self, release: u64, stop: &AtomicBool, look: &mut Look) {
        if let Self::One { stream, .. } = self {
            let backend = stream.backend();
            let release = release.max(backend.position());
            backend.set_poll_rules(PollRules::non_blocking());
            // A card that fails does so again when records are taken from it, and that ends the recording.
            let _ = backend.advance(release, stop);
            look.loss.observe(backend.drops());
        }
    }

    /// Bytes of memory of which a part may stay where it is until the disk has it; none of a block, which is to be used again soon.
    pub(super) fn stays(&self) -> u64 {
        match self {
            Self::One { memory_len, .. } => *memory_len,
            Self::Several(_) => 0,
        }
    }

    /// Bytes of one chunk, about, if it may be written from where it lies.
    pub(super) fn straight_len(&self) -> usize {
        match self {
            Self::One { memory_len, .. } => straight_len(*memory_len),
            Self::Several(_) => CHUNK,
        }
    }

    /// How full stream memory is, and how many packets have been lost.
    pub(super) fn fill_and_loss(&mut self, look: &Look) -> (Level, u64) {
        match self {
            Self::One { stream, memory_len, .. } => {
                let backend = stream.backend();
                let bottom = backend.position();
                (Level::new(bottom, bottom + backend.bytes().len() as u64, *memory_len), look.loss.so_far())
            }
            Self::Several(merge) => {
                if let Some(shares) = &look.shares {
                    shares.show(merge.progress());
                }
                merge.fill_and_loss()
            }
        }
    }

    /// Ends several streams, and says how each was; `None` for one.
    pub(super) fn end(&mut self, looked_at: u64, shares: Option<&Shares>) -> Option<Ends> {
        match (self, shares) {
            (Self::Several(merge), Some(shares)) => Some(merge.end(looked_at, shares)),
            _ => None,
        }
    }

    /// Gives the stream up.
    pub(super) fn close(self) {
        if let Self::One { stream, .. } = self
            && let Err(error) = stream.close()
        {
            log::warn!("closing the stream: {error}");
        }
    }
}

/// What the cards of a recording say of their clocks.
#[derive(Debug)]
pub(super) struct Clocks {
    watches: Vec<ClockWatch>,
}

impl Clocks {
    /// Asks each of `cards` for the first time. Gives what the first one said.
    pub(super) fn begin(cards: &[Card], interval: Duration) -> (Self, ClockInfo) {
        let (watches, clocks): (Vec<_>, Vec<_>) =
            cards.iter().map(|card| ClockWatch::begin(card.clone(), interval)).unzip();
        (Self { watches }, clocks.into_iter().next().unwrap_or_default())
    }

    pub(super) fn watches(&mut self) -> impl Iterator<Item = &mut ClockWatch> {
        self.watches.iter_mut()
    }

    /// The first card's clock at the end.
    pub(super) fn last(&mut self) -> ClockInfo {
        let mut last = None;
        for watch in &mut self.watches {
            let clock = watch.last();
            last.get_or_insert(clock);
        }
        last.unwrap_or_default()
    }

    /// Whether all of them were synchronised whenever they were asked; `None` if none ever said.
    pub(super) fn synchronised(&self) -> Option<bool> {
        self.watches.iter().filter_map(ClockWatch::synchronised).reduce(|all, this| all && this)
    }
}

/// The cards of `streams`, each once.
pub(super) fn cards(streams: &[RxStream]) -> Vec<Card> {
    let mut cards: Vec<Card> = Vec::new();
    for stream in streams {
        if !cards.iter().any(|card| card.is_same(stream.card())) {
            cards.push(stream.card().clone());
        }
    }
    cards
}
