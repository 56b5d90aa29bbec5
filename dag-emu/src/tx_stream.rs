//! [`TxStream`]: one transmit stream of an emulated card, from attach to detach.

use std::time::{Duration, Instant};

use crate::card::Card;
use crate::error::{Error, Repr};
use crate::ring::{RequestError, Writer};

/// A transmit stream, owned by whoever holds this. Dropping it detaches.
///
/// What is written are ERF records, each as long as a multiple of 8 (`libdag-contract.md` section 2.13). A record goes when it is
/// whole, however many pieces it comes in.
///
/// ```
/// use dag_emu::erf_core::{RecordBuilder, RecordType};
/// use std::time::Duration;
///
/// let card = dag_emu::Card::open(&"none,tx=loop".parse()?)?;
/// let (mut out, mut back) = (card.attach_tx(1)?, card.attach(0)?);
/// (out.start()?, back.start()?);
/// let mut record = [0; 88];
/// RecordBuilder::new(RecordType::ETH).payload(&[0x55; 60]).append_fcs().write_to(&mut record)?;
/// out.send(&record, Duration::from_secs(1))?;
/// // What is sent on interface 0 arrives at port 1.
/// while back.advance(back.window().top, None)?.is_empty() {}
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TxStream {
    writer: Writer,
    number: u16,
    #[cfg(all(not(miri), target_os = "linux"))]
    _lent: Option<crate::card::Lent>,
    /// Kept last: the card must not be closed while the stream lives.
    card: Card,
}

impl TxStream {
    pub(crate) fn new(writer: Writer, number: u16, card: Card) -> Self {
        Self {
            writer,
            number,
            #[cfg(all(not(miri), target_os = "linux"))]
            _lent: None,
            card,
        }
    }

    #[cfg(all(not(miri), target_os = "linux"))]
    pub(crate) fn lent(self, lent: crate::card::Lent) -> Self {
        Self { _lent: Some(lent), ..self }
    }

    /// The stream's number: odd, for streams that transmit.
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

    /// Lets the stream send.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone) when the card does not answer.
    pub fn start(&mut self) -> Result<(), Error> {
        let result = self.writer.start();
        self.request(result)
    }

    /// Ends sending. Whole records that were committed have gone by then; a part of one is given up.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn stop(&mut self) -> Result<(), Error> {
        let result = self.writer.stop();
        self.request(result)
    }

    /// Gives the stream up.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start); the stream is free all the same.
    pub fn detach(self) -> Result<(), Error> {
        let stream = self.number;
        self.writer.detach().map_err(|source| Repr::Request { stream, source }.into())
    }

    /// Contiguous room for `bytes` bytes, where to write them: `None` when there is none within `patience`, when that is more
    /// than the stream's memory, or when the stream is not started. For the C API; others [`send`](Self::send).
    pub fn reserve(&mut self, bytes: u64, patience: Duration) -> Option<*mut u8> {
        self.writer.reserve(bytes, patience)
    }

    /// Sends the first `bytes` bytes of the room reserved last: `false` if less was reserved.
    pub fn commit(&mut self, bytes: u64) -> bool {
        self.writer.commit(bytes)
    }

    /// Where the next byte goes.
    pub fn next(&self) -> *mut u8 {
        self.writer.next()
    }

    /// Copies `bytes` into the stream: records, or pieces of them. Waits for room, at most `patience`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) when the stream is not started or has no room in time;
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone).
    pub fn send(&mut self, bytes: &[u8], patience: Duration) -> Result<(), Error> {
        let begun = Instant::now();
        let stream = self.number;
        // No piece is longer than what a ring takes while the card takes the rest.
        let piece = usize::try_from(self.writer.ring_len() / 4).unwrap_or(usize::MAX).max(1);
        for piece in bytes.chunks(piece) {
            if self.writer.is_gone() {
                return Err(Repr::Request { stream, source: RequestError::ProducerGone }.into());
            }
            let left = patience.saturating_sub(begun.elapsed());
            if self.writer.reserve(piece.len() as u64, left).is_none() || !self.writer.write(piece) {
                return Err(Repr::NoRoom { stream }.into());
            }
        }
        Ok(())
    }

    /// Bytes that were committed and that the card has not sent yet. 0 when all whole records have gone; a part of a record stays.
    pub fn level(&self) -> u64 {
        self.writer.level()
    }

    /// Whether the card is no more.
    pub fn is_gone(&self) -> bool {
        self.writer.is_gone()
    }

    /// Stream memory in bytes.
    pub fn memory_len(&self) -> u64 {
        self.writer.ring_len()
    }
}
