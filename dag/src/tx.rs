//! [`TxStream`]: a transmit stream, from attach to close.

use std::time::{Duration, Instant};
use std::{cell::Cell, marker::PhantomData};

use erf::{MAX_RECORD_LEN, Record, Records};

use crate::backend::TxBackend;
use crate::card::Card;
use crate::error::{Error, Repr};

/// How long a record waits for room: the card is about to send what is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a stream may take to send what it has before it is stopped all the same.
const DRAIN: Duration = Duration::from_secs(5);

/// Some devices never report less than this (`libdag-contract.md` section 5, a vDAG).
const STICKS: u64 = 8;

/// A transmit stream that this program owns.
///
/// What is sent are ERF records: the card sends each on the interface that it names, and makes its FCS. A record goes as long as a
/// multiple of [`align`](Self::align) bytes; a shorter one is padded on its way. Its stamp says nothing to most cards: they send as
/// fast as they can.
///
/// ```
/// use dag::file::{Record, RecordBuilder, RecordType};
///
/// let card = dag::Card::open("emu:none,tx=loop")?;
/// let (mut out, mut back) = (card.attach_tx(1)?, card.attach(0)?);
/// back.start()?;
/// out.start()?;
/// let mut frame = [0; 96];
/// let len = RecordBuilder::new(RecordType::ETH).payload(&[0x55; 61]).append_fcs().write_to(&mut frame)?;
/// out.send(&Record::parse(&frame[..len]).map_err(|defect| format!("{defect:?}"))?)?;
/// out.close()?;
/// loop {
///     let batch = back.advance()?;
///     let Some(record) = batch.iter().next() else { continue };
///     assert_eq!(record?.interface(), 1, "what is sent on 0 arrives at 1");
///     break;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TxStream {
    backend: Box<dyn TxBackend>,
    number: u16,
    align: usize,
    started: bool,
    closed: bool,
    /// A record on its way to be padded.
    padded: Vec<u8>,
    card: Card,
    _not_sync: PhantomData<Cell<()>>,
}

impl TxStream {
    pub(crate) fn new(backend: Box<dyn TxBackend>, number: u16, card: Card) -> Self {
        let align = backend.align();
        let padded = Vec::new();
        Self { backend, number, align, started: false, closed: false, padded, card, _not_sync: PhantomData }
    }

    /// The stream's number: odd.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The card it belongs to.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Records are sent as long as a multiple of this: 8 bytes, 16 on some cards (`libdag-contract.md` section 2.11).
    pub fn align(&self) -> usize {
        self.align
    }

    /// Lets the stream send.
    ///
    /// # Errors
    ///
    /// When the card does not answer.
    pub fn start(&mut self) -> Result<(), Error> {
        if !self.started {
            self.backend.start()?;
            self.started = true;
        }
        Ok(())
    }

    /// Sends a record. Returns when it lies in stream memory; it waits for room there, some seconds at most.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::State`](crate::ErrorKind::State) before the start, and when there is no room in time or no way to pad the
    /// record; [`ErrorKind::Gone`](crate::ErrorKind::Gone).
    pub fn send(&mut self, record: &Record<'_>) -> Result<(), Error> {
        self.send_bytes(record.bytes())
    }

    /// Sends `bytes`, which must be whole records.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send); at the first defect, with what stands before it sent.
    pub fn send_records(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for record in Records::new(bytes) {
            let record = record.map_err(|defect| Error::state(format!("not sent: {defect}")))?;
            self.send_bytes(record.bytes())?;
        }
        Ok(())
    }

    fn send_bytes(&mut self, record: &[u8]) -> Result<(), Error> {
        if !self.started {
            return Err(Error::state("the stream is not started"));
        }
        let len = record.len().next_multiple_of(self.align);
        if len == record.len() {
            return self.backend.send(record, PATIENCE);
        }
        let Some(rlen) = u16::try_from(len).ok().filter(|_| len <= MAX_RECORD_LEN) else {
            return Err(Repr::TxTooLong { align: self.align, len: record.len() }.into());
        };
        self.padded.clear();
        self.padded.extend_from_slice(record);
        self.padded.resize(len, 0);
        self.padded.iter_mut().skip(10).zip(rlen.to_be_bytes()).for_each(|(to, from)| *to = from);
        self.backend.send(&self.padded, PATIENCE)
    }

    /// Bytes in stream memory that have not been sent yet.
    ///
    /// # Errors
    ///
    /// When the card does not say.
    pub fn level(&self) -> Result<u64, Error> {
        self.backend.level()
    }

    /// Waits until all has been sent, at most `limit`: `false` if some has not.
    ///
    /// # Errors
    ///
    /// When the card does not say.
    pub fn drain(&self, limit: Duration) -> Result<bool, Error> {
        let begun = Instant::now();
        let mut before = None;
        loop {
            let level = self.level()?;
            // Twice the same little: that is how some say that they are done.
            if level == 0 || (level <= STICKS && before == Some(level)) {
                return Ok(true);
            }
            if begun.elapsed() >= limit {
                return Ok(false);
            }
            before = Some(level);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until all has been sent, some seconds at most, stops, and detaches.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong, or that not all was sent; the stream is given up all the same.
    pub fn close(mut self) -> Result<(), Error> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        let mut sent = Ok(());
        if self.started {
            sent = self.drain(DRAIN).and_then(|all| match all {
                true => Ok(()),
                false => Err(Repr::TxLeft { stream: self.number, seconds: DRAIN.as_secs() }.into()),
            });
            sent = sent.and(self.backend.stop());
        }
        sent.and(self.backend.detach())
    }
}

impl Drop for TxStream {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            log::error!("{} stream {}: {error}", self.card.name(), self.number);
        }
    }
}
