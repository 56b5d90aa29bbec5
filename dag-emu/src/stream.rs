//! [`Stream`]: one receive stream of an emulated card, from attach to detach.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::card::Card;
use crate::error::{Error, Repr};
use crate::ring::{AdvanceError, Consumer, Drops, Mapping, PollRules, RequestError, Window};

/// A receive stream, owned by whoever holds this. Dropping it detaches.
///
/// The calls are those of the C API (`libdag-contract.md` section 2), with positions in place of pointers: bytes since
/// attach, of which [`bytes`](Self::bytes) shows those between what was released and what the card has filled.
#[derive(Debug)]
pub struct Stream {
    consumer: Consumer,
    number: u16,
    rules: PollRules,
    /// What holds a stream of another process's card; after the consumer, which has to be detached first.
    #[cfg(all(not(miri), target_os = "linux"))]
    _lent: Option<crate::card::Lent>,
    /// Kept last: the card must not be closed while the stream lives.
    card: Card,
}

impl Stream {
    pub(crate) fn new(consumer: Consumer, number: u16, card: Card) -> Self {
        Self {
            consumer,
            number,
            rules: PollRules::default(),
            #[cfg(all(not(miri), target_os = "linux"))]
            _lent: None,
            card,
        }
    }

    #[cfg(all(not(miri), target_os = "linux"))]
    pub(crate) fn lent(self, lent: crate::card::Lent) -> Self {
        Self { _lent: Some(lent), ..self }
    }

    /// The stream's number: even, for streams that receive.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The card it belongs to.
    pub fn card(&self) -> &Card {
        &self.card
    }

    fn request(&self, result: Result<(), RequestError>) -> Result<(), Error> {
        let stream = self.number;
        result.map_err(|source| Repr::Request { stream, source }.into())
    }

    /// Lets the stream receive. A packet is received only while its stream is started.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone) when the card does not answer.
    pub fn start(&mut self) -> Result<(), Error> {
        let result = self.consumer.start();
        self.request(result)
    }

    /// Ends receiving; the loss account is final then. What is in the stream can still be read.
    ///
    /// A tap takes some tens of milliseconds for it, so that what the kernel has and has not handed over yet is received.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn stop(&mut self) -> Result<(), Error> {
        let result = self.consumer.stop();
        self.request(result)
    }

    /// Gives the stream up.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start); the stream is free all the same.
    pub fn detach(self) -> Result<(), Error> {
        let stream = self.number;
        self.consumer.detach().map_err(|source| Repr::Request { stream, source }.into())
    }

    /// The poll rules that [`advance`](Self::advance) keeps.
    pub fn poll_rules(&self) -> PollRules {
        self.rules
    }

    /// Sets the poll rules (`libdag-contract.md` section 2.9), before or after the start.
    pub fn set_poll_rules(&mut self, rules: PollRules) {
        self.rules = rules;
    }

    /// Releases everything before `release_to` to the card, waits by the poll rules, and takes the window as it is then.
    ///
    /// The wait ends early when `interrupt` becomes true, when a signal arrives, and when the feed is over.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) when the stream was never started or the release lies outside of the
    /// window; when everything has been read, the error that ended the feed.
    pub fn advance(&mut self, release_to: u64, interrupt: Option<&AtomicBool>) -> Result<Window, Error> {
        let stream = self.number;
        let window = match self.consumer.wait(release_to, &self.rules, interrupt) {
            Ok(window) => window,
            Err(AdvanceError::ProducerGone) if self.card.failure().is_some() => self.consumer.window(),
            Err(source) => return Err(Repr::Advance { stream, source }.into()),
        };
        if window.is_empty()
            && self.consumer.is_last()
            && let Some(failure) = self.card.failure()
        {
            return Err(failure);
        }
        Ok(window)
    }

    /// The window as last taken.
    pub fn window(&self) -> Window {
        self.consumer.window()
    }

    /// The bytes of the window as last taken: whole records, unless the card has faults that say otherwise.
    pub fn bytes(&self) -> &[u8] {
        self.consumer.bytes()
    }

    /// The feed was over when the window was last taken: nothing will follow it.
    pub fn is_last(&self) -> bool {
        self.consumer.is_last()
    }

    /// The loss account since attach; final and exact after [`stop`](Self::stop).
    pub fn drops(&self) -> Drops {
        self.consumer.drops()
    }

    /// Stream memory in bytes.
    pub fn memory_len(&self) -> u64 {
        self.consumer.ring_len()
    }

    /// The memory that the windows lie in: position `p` at `p % memory_len` from its base, contiguous for a whole ring
    /// length from there. For I/O from the stream: hold it while the I/O is in flight, and release nothing still needed.
    pub fn mapping(&self) -> &Arc<Mapping> {
        self.consumer.mapping()
    }
}
