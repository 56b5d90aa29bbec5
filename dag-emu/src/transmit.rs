//! What becomes of what is sent: it arrives again, leaves by an interface, goes into a file, or is counted.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use erf::writer::{ErfWriter, Output, OutputOptions};
use erf_core::{Flags, HEADER_LEN, Record, Timestamp};

use crate::arrival::{Arrival, whole};
use crate::error::{Error, Repr};
use crate::feed::Intake;
use crate::ring::{Event, Producer, Taker};
use crate::spec::FeedSpec;
use crate::tap::Sender;

/// What is wrong with `tx=tap` on a card that taps nothing.
pub(crate) const TAP_ONLY: &str =
    "tx=tap: what is sent leaves by the interfaces of tap=A or tap=A+B, and this card has another feed";

/// Records taken in one turn, so that requests are answered in between.
const A_TURN: usize = 256;

/// What becomes of what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TxSpec {
    /// What is sent on interface *i* arrives at port *i* xor 1, stamped anew.
    Loop,
    /// It leaves by the interface that is tapped: interface 0 is A and interface 1 is B of `tap=A+B`; both are A of `tap=A`.
    Tap,
    /// It goes into an ERF file, stamped as it leaves.
    File(PathBuf),
    /// It is counted.
    Drop,
}

impl FromStr for TxSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "loop" => Ok(Self::Loop),
            "tap" => Ok(Self::Tap),
            "drop" => Ok(Self::Drop),
            _ => match text.strip_prefix("file=") {
                Some(path) if !path.is_empty() => Ok(Self::File(path.into())),
                _ => Err("loop, tap, file=PATH or drop".to_owned()),
            },
        }
    }
}

/// What a transmit stream has sent since the card was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TxCount {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was no record, and positions that cannot be.
    pub bad: u64,
    /// Records among those sent that the interface behind the card did not take: it is down, the frame too long or cut, or there was no
    /// room.
    pub failed: u64,
}

/// [`TxCount`], counting.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    records: AtomicU64,
    bytes: AtomicU64,
    bad: AtomicU64,
    failed: AtomicU64,
}

impl Counter {
    pub(crate) fn get(&self) -> TxCount {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        TxCount {
            records: load(&self.records),
            bytes: load(&self.bytes),
            bad: load(&self.bad),
            failed: load(&self.failed),
        }
    }
}

/// Where records go.
#[derive(Debug)]
pub(crate) enum Sink {
    Loop,
    /// One for all streams of a card.
    Tap(Arc<Sender>),
    /// One for all streams of a card.
    File(Arc<Mutex<ErfWriter<Output>>>),
    Drop,
    /// As they are, into a stream that somebody reads: the other side of a card whose part this program plays.
    Stream(Producer),
    /// As they are, into the receive stream of this index.
    Receive(usize),
}

/// A transmit stream of a card, and what becomes of what it sends.
#[derive(Debug)]
pub(crate) struct Transmitter {
    taker: Taker,
    sink: Sink,
    counter: Arc<Counter>,
}

/// What a turn of the transmitters has left to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    /// More waits.
    More,
    /// Somebody has to make room.
    Room,
}

impl TxSpec {
    /// The sinks of `count` streams of a card with this feed.
    pub(crate) fn open(&self, count: usize, feed: &FeedSpec) -> Result<Vec<Sink>, Error> {
        match self {
            Self::Tap => {
                let FeedSpec::Tap(tap) = feed else { return Err(Error::spec(TAP_ONLY)) };
                let sender = Arc::new(Sender::open(&tap.ifaces)?);
                Ok((0..count).map(|_| Sink::Tap(Arc::clone(&sender))).collect())
            }
            Self::Loop => Ok((0..count).map(|_| Sink::Loop).collect()),
            Self::Drop => Ok((0..count).map(|_| Sink::Drop).collect()),
            Self::File(path) => {
                let output = Output::create(path, OutputOptions::new()).map_err(Repr::TxFile)?;
                let writer = Arc::new(Mutex::new(ErfWriter::for_output(output)));
                Ok((0..count).map(|_| Sink::File(Arc::clone(&writer))).collect())
            }
        }
    }
}

impl Transmitter {
    pub(crate) fn new(taker: Taker, sink: Sink, counter: Arc<Counter>) -> Self {
        Self { taker, sink, counter }
    }

    /// Takes what waits, some of it, and answers the owner; `receiver` is where what is sent arrives again.
    pub(crate) fn turn<R: Intake + Streams>(&mut self, now: Timestamp, receiver: &mut R) -> Result<Left, Error> {
        if let Sink::Stream(producer) = &mut self.sink {
            while producer.service().is_some() {}
        }
        let asked = self.taker.is_asked();
        let mut left = Left::Nothing;
        let mut taken = 0;
        // Before a stop is answered, all that was sent before it goes.
        while taken < A_TURN || asked {
            let Some(record) = self.taker.peek() else { break };
            if taken >= A_TURN * 64 {
                left = Left::More;
                break;
            }
            let len = record.len() as u64;
            if !deliver(&mut self.sink, record, now, receiver, &self.counter)? {
                left = Left::Room;
                break;
            }
            self.taker.take();
            taken += 1;
            self.counter.records.fetch_add(1, Ordering::Relaxed);
            self.counter.bytes.fetch_add(len, Ordering::Relaxed);
        }
        if taken == A_TURN && left == Left::Nothing {
            left = Left::More;
        }
        self.expose(receiver);
        if left == Left::Nothing || (left == Left::Room && asked) {
            while let Some(event) = self.taker.service() {
                if event == Event::Stopped {
                    self.flush()?;
                }
            }
        }
        self.counter.bad.store(self.taker.bad(), Ordering::Relaxed);
        Ok(left)
    }

    fn expose<R: Streams>(&mut self, receiver: &mut R) {
        match &mut self.sink {
            Sink::Stream(producer) => producer.publish(),
            Sink::Receive(index) => {
                if let Some(producer) = receiver.stream(*index) {
                    producer.publish();
                }
            }
            _ => {}
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        match &self.sink {
            Sink::File(writer) => writer
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .flush()
                .map_err(|error| Repr::TxFile(error).into()),
            _ => Ok(()),
        }
    }
}

/// The receive streams of a card, for what is put there as it is.
pub(crate) trait Streams {
    fn stream(&mut self, index: usize) -> Option<&mut Producer>;
}

/// Deals with one record; `false` where it has to wait.
fn deliver<R: Intake + Streams>(
    sink: &mut Sink,
    bytes: &[u8],
    now: Timestamp,
    receiver: &mut R,
    counter: &Counter,
) -> Result<bool, Error> {
    match sink {
        Sink::Drop => {}
        Sink::Tap(sender) => {
            let record = Record::parse(bytes).ok();
            let sent = record.and_then(|record| Some(sender.send(record.interface(), frame(&record)?)));
            if sent != Some(true) {
                counter.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        Sink::File(writer) => {
            // What has the length of a record and is none otherwise is in the file as it was sent, but for its stamp: senders leave
            // it empty, and the file is a recording of what went out.
            let mut stamped = bytes.to_vec();
            if let Some(stamp) = stamped.first_chunk_mut() {
                *stamp = now.raw().to_le_bytes();
            }
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            writer.write_run(&stamped, 1).map_err(Repr::TxFile)?;
        }
        Sink::Loop => {
            if let Ok(record) = Record::parse(bytes) {
                arrive(&record, now, receiver);
            }
        }
        Sink::Stream(producer) => return Ok(put(producer, bytes)),
        Sink::Receive(index) => return Ok(receiver.stream(*index).is_some_and(|producer| put(producer, bytes))),
    }
    Ok(true)
}

/// Puts a record into a stream as it is, if there is room and somebody who reads.
fn put(producer: &mut Producer, bytes: &[u8]) -> bool {
    let Some(mut slot) = producer.reserve(bytes.len()) else { return false };
    slot.copy_from(bytes).and_then(|()| producer.commit(bytes.len())).is_ok()
}

/// The frame of an Ethernet record, without the FCS that its wire length counts; `None` where not all of it is there.
fn frame<'a>(record: &Record<'a>) -> Option<&'a [u8]> {
    let len = usize::from(record.wire_len()).checked_sub(4).filter(|len| *len >= 14)?;
    if record.record_type().is_ethernet() { record.payload().get(..len) } else { None }
}

/// What is sent on an interface arrives at the one beside it, as over a cable. The card makes the FCS of what it sends.
fn arrive(record: &Record<'_>, now: Timestamp, intake: &mut dyn Intake) {
    if !record.is_packet() {
        return;
    }
    let record_type = record.record_type();
    let payload = record.payload();
    let wire_len = record.wire_len();
    let mut whole_frame;
    let packet = match frame(record) {
        Some(frame) => {
            whole_frame = frame.to_vec();
            whole_frame.extend(erf_core::fcs::ethernet(frame).to_le_bytes());
            &whole_frame[..]
        }
        None => payload.get(..usize::from(wire_len)).unwrap_or(payload),
    };
    let sub_header = record.sub_header_bytes();
    let ext = record.bytes().get(HEADER_LEN..record.header_len() - sub_header.len());
    intake.arrive(&Arrival {
        port: record.interface() ^ 1,
        time: now,
        record_type,
        flags: Flags::default(),
        color: record.lctr_raw(),
        wire_len,
        ext: ext.unwrap_or_default(),
        sub_header,
        packet: whole(packet),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_it_is_read() {
        assert_eq!("loop".parse(), Ok(TxSpec::Loop));
        assert_eq!("file=a=b.erf".parse(), Ok(TxSpec::File("a=b.erf".into())));
        assert_eq!("drop".parse(), Ok(TxSpec::Drop));
        assert_eq!("tap".parse(), Ok(TxSpec::Tap));
        for text in ["", "tap=a", "file=", "Loop"] {
            assert!(text.parse::<TxSpec>().is_err(), "{text}");
        }
    }
}
