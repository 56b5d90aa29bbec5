//! Packets by channel, for those who want owned packets rather than borrowed records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use erf::{Defect, Record};

use crate::error::Error;
use crate::stream::{Interrupter, RxStream};

/// A record with memory of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRecord(Box<[u8]>);

impl OwnedRecord {
    /// A copy of `record`.
    pub fn copy_of(record: &Record<'_>) -> Self {
        Self(record.bytes().into())
    }

    /// The record.
    ///
    /// # Errors
    ///
    /// Never for one made by [`copy_of`](Self::copy_of): the bytes have been a record before.
    pub fn record(&self) -> Result<Record<'_>, Defect> {
        Record::parse(&self.0).map_err(|kind| Defect::new(0, kind))
    }
}

/// Reads a stream on a thread of its own and sends its records down a channel.
///
/// Each record is copied. When the channel is full the thread waits, the stream fills, and the card drops and counts: loss stands
/// in the loss counters of the records, as always. The channel ends when the feed does, on an error, and when this is dropped.
///
/// ```
/// # let card = dag::Card::open("emu:synthetic,count=500,rate=max")?;
/// let stream = card.attach(0)?;
/// let records = dag::Channel::spawn(stream, 256)?;
/// let seen = records.iter().filter(|item| item.is_ok()).count();
/// assert_eq!(seen, 500);
/// # Ok::<(), dag::Error>(())
/// ```
#[derive(Debug)]
pub struct Channel {
    records: Option<Receiver<Result<OwnedRecord, ChannelError>>>,
    stop: Arc<AtomicBool>,
    interrupter: Interrupter,
    thread: Option<JoinHandle<()>>,
}

/// What a [`Channel`] sends in place of a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// Bytes that are no record.
    #[error(transparent)]
    Defect(#[from] Defect),
    /// The stream failed; nothing follows.
    #[error(transparent)]
    Stream(#[from] Error),
}

impl Channel {
    /// Starts `stream` and a thread that reads it into a channel of `capacity` records.
    ///
    /// # Errors
    ///
    /// When the stream cannot be started or there is no thread.
    pub fn spawn(mut stream: RxStream, capacity: usize) -> Result<Self, Error> {
        stream.start()?;
        let interrupter = stream.interrupter();
        let (sender, records) = bounded(capacity);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("dag-channel".to_owned())
            .spawn(move || pump(&mut stream, &sender, &stopped))
            .map_err(crate::error::Repr::Thread)?;
        Ok(Self { records: Some(records), stop, interrupter, thread: Some(thread) })
    }

    /// The records as they come, until the channel ends.
    pub fn iter(&self) -> impl Iterator<Item = Result<OwnedRecord, ChannelError>> + '_ {
        self.records.iter().flat_map(Receiver::iter)
    }

    /// The receiving end, to be cloned for several workers or used in a `select!`.
    pub fn receiver(&self) -> Option<&Receiver<Result<OwnedRecord, ChannelError>>> {
        self.records.as_ref()
    }
}

/// Sends until the feed is over or nobody listens.
fn pump(stream: &mut RxStream, to: &Sender<Result<OwnedRecord, ChannelError>>, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        let batch = match stream.advance() {
            Ok(batch) => batch,
            Err(error) => {
                // If nobody listens any more, nobody wants to know.
                let _ = to.send(Err(error.into()));
                return;
            }
        };
        for item in &batch {
            let item = item.map(|record| OwnedRecord::copy_of(&record)).map_err(ChannelError::from);
            if to.send(item).is_err() {
                return;
            }
        }
        if batch.is_end() {
            return;
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // A sender that waits for room notices that nobody listens any more.
        self.records = None;
        self.interrupter.interrupt();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread of a record channel has panicked");
        }
    }
}
