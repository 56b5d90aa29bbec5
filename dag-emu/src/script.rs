//! [`Script`]: a card for unit tests. No threads, no sleeping, and a clock that only the test moves.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;

use erf_core::{Record, Tick, TimeDelta, Timestamp};

use crate::card::Card;
use crate::clock::TimeSource;
use crate::error::Error;
use crate::feed::script::{Event, ScriptFeed};
use crate::feed::{FeedInfo, StampSource};
use crate::spec::CardSpec;

/// A card that receives exactly what a test says, when it says so.
///
/// Nothing is lost unless the script [loses](Self::lose) it: a full stream holds the script back. The card runs on the
/// thread of whoever asks it for data, so there is nothing to wait for, and the same script gives the same bytes.
///
/// ```
/// use dag_emu::{Script, erf_core::{RecordBuilder, RecordType, Timestamp}};
///
/// let mut record = [0u8; 88];
/// RecordBuilder::new(RecordType::ETH).payload(&[0x55; 60]).append_fcs().write_to(&mut record)?;
///
/// let card = Script::new().record(&record)?.lose(3).record(&record)?.card()?;
/// let mut stream = card.attach(0)?;
/// stream.start()?;
/// stream.advance(0, None)?;
/// let records: Vec<_> = dag_emu::erf_core::Records::new(stream.bytes()).collect::<Result<_, _>>()?;
/// assert_eq!(records.len(), 2);
/// assert_eq!(records[1].loss(), Some(3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    events: VecDeque<Event>,
    start: Timestamp,
    keep_stamps: bool,
    spec: CardSpec,
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Script {
    /// An empty script for a card of 8 ports and one stream of 1 MiB, whose clock shows 2020-01-01 00:00:00 UTC.
    pub fn new() -> Self {
        let mut spec = CardSpec { ports: 8, streams: 1, memory: 1 << 20, ..CardSpec::default() };
        spec.clock.tick = Tick::FINEST;
        Self { events: VecDeque::new(), start: Timestamp::from_parts(1_577_836_800, 0), keep_stamps: true, spec }
    }

    /// A packet arrives at the port that is the record's interface.
    ///
    /// Its stamp is kept (cut to the card's tick), unless [`stamp_on_arrival`](Self::stamp_on_arrival) is on; the loss counter is the
    /// card's own.
    ///
    /// # Errors
    ///
    /// When `record` is no whole ERF record.
    pub fn record(mut self, record: &[u8]) -> Result<Self, Error> {
        match Record::parse(record) {
            Ok(parsed) => self.events.push_back(Event::Record(parsed.bytes().to_vec())),
            Err(kind) => return Err(Error::spec(format!("the script's record is no ERF record: {kind}"))),
        }
        Ok(self)
    }

    /// `count` packets arrive for which there is no room.
    pub fn lose(mut self, count: u64) -> Self {
        self.events.push_back(Event::Lose(count));
        self
    }

    /// What follows happens `by` later: not before the test has moved [`Clock::advance`](crate::Clock::advance) that far.
    pub fn wait(mut self, by: TimeDelta) -> Self {
        self.events.push_back(Event::Wait(by));
        self
    }

    /// Stamps records with the card's clock as they arrive, instead of keeping the stamps they have.
    pub fn stamp_on_arrival(mut self) -> Self {
        self.keep_stamps = false;
        self
    }

    /// What the card's clock shows at first.
    pub fn starting_at(mut self, time: Timestamp) -> Self {
        self.start = time;
        self
    }

    /// The card's other settings: streams, memory, snap length, clock, faults. Its feed is the script.
    pub fn configure(mut self, change: impl FnOnce(&mut CardSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    /// The card.
    ///
    /// # Errors
    ///
    /// When there is no memory for its streams, or the configuration cannot be.
    pub fn card(self) -> Result<Card, Error> {
        self.spec.check()?;
        let time = TimeSource::Manual(AtomicU64::new(self.start.raw()));
        let feed = Box::new(ScriptFeed::new(self.events, self.keep_stamps));
        Card::by_hand(&self.spec, time, feed, FeedInfo::new("a script".to_owned(), StampSource::Script))
    }
}

/// A card that receives `records`, each a whole ERF record, for users' own unit tests: no sleeping, no threads.
///
/// # Errors
///
/// As for [`Script::record`] and [`Script::card`].
pub fn script<R: AsRef<[u8]>>(records: impl IntoIterator<Item = R>) -> Result<Card, Error> {
    records.into_iter().try_fold(Script::new(), |script, record| script.record(record.as_ref()))?.card()
}
