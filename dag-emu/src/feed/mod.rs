//! Feeds: where the packets of an emulated card come from.

pub(crate) mod none;
pub(crate) mod replay;
pub(crate) mod script;
pub mod synthetic;
pub(crate) mod tap;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use erf_core::Timestamp;

use crate::arrival::Arrival;
use crate::error::Error;
use crate::pattern::{Pattern, Taken};

/// Takes packets into the card; given to a feed at each turn.
pub(crate) trait Intake {
    /// A packet has arrived. Never waits: what a full stream has no room for is dropped and counted.
    fn arrive(&mut self, arrival: &Arrival<'_>);

    /// Packets of `pattern` have arrived, from packet `next` on, one at each of `times`. Where they `wait`, only those that there is
    /// room for are taken; else what there is no room for is dropped and counted.
    fn arrive_again(&mut self, pattern: &Arc<Pattern>, next: usize, times: &[Timestamp], waits: bool) -> Taken {
        let _ = waits;
        times.iter().fold(Taken::none(next), |taken, time| {
            self.arrive(&pattern.arrival(taken.next, *time));
            taken.and_one(pattern.len())
        })
    }

    /// Whether every started stream has room for a record of any length.
    fn has_room(&mut self) -> bool {
        true
    }

    /// Packets that were lost before they reached the card, on this port (a kernel ring that overflowed).
    fn lost(&mut self, port: u8, count: u64);
}

/// What a feed says at the end of its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// More is due at once.
    More,
    /// Nothing before this true time.
    Until(Timestamp),
    /// It waits for the outside: ask again after [`Feed::wait`].
    Outside,
    /// It is over.
    End,
}

/// A source of packets.
pub(crate) trait Feed: Send + std::fmt::Debug {
    /// The first stream has been started, at true time `now`: packets count from here.
    fn begin(&mut self, now: Timestamp) -> Result<(), Error>;

    /// A turn before the first stream is started: what arrives is nobody's, and is thrown away.
    fn idle(&mut self) -> Result<Turn, Error> {
        Ok(Turn::End)
    }

    /// Gives `intake` the packets due by `now`, some tens or hundreds at most, so that requests to the card are answered between turns.
    fn turn(&mut self, now: Timestamp, intake: &mut dyn Intake) -> Result<Turn, Error>;

    /// A stream is to be stopped, as of `now`: gives `intake` what arrived before and has not been handed over yet, and the losses that
    /// no packet has told. For feeds that hear of packets later than they arrive.
    fn settle(&mut self, _now: Timestamp, _intake: &mut dyn Intake) -> Result<(), Error> {
        Ok(())
    }

    /// Waits for the outside, at most `limit`; ended early by the feed's own waker. Only after [`Turn::Outside`].
    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        std::thread::sleep(limit.min(Duration::from_millis(1)));
        Ok(())
    }
}

/// Who made the stamps of a card's records, and how far to trust them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StampSource {
    /// Made up: the due time of an invented packet.
    Synthetic,
    /// The kernel's software stamp of a real packet.
    Kernel,
    /// Played back: the gaps of a recording, or as fast as it went.
    Replay,
    /// Given by a test.
    Script,
}

/// Where the packets of a card come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FeedInfo {
    /// In words, for a person.
    pub description: String,
    /// Who made the stamps.
    pub stamp_source: StampSource,
    /// How wrong a stamp may be, in nanoseconds, the card's own clock aside; `None` where it is not known or means nothing.
    pub stamp_error_ns: Option<u64>,
    /// What is behind each port that has something behind it.
    pub interfaces: Vec<FeedInterface>,
    counts: Arc<Mutex<FeedCounts>>,
}

/// A network interface behind a port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedInterface {
    /// The port.
    pub port: u8,
    /// Its name, `NETNS/IFACE` where it lies in a named network namespace.
    pub name: String,
    /// What arrives at the port.
    pub description: String,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Link speed in bits per second.
    pub speed: Option<u64>,
    /// Whether the link was up when the card was opened.
    pub link_up: bool,
}

/// What a feed has counted beside packets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedCounts {
    /// Frames longer than a record can hold, cut to that.
    pub over_limit: u64,
    /// Frames longer than the interface's MTU allows: segmentation offload.
    pub superframes: u64,
    /// Checksums that the host had left to its hardware, and that were completed.
    pub checksums_completed: u64,
    /// Checksums that the host had left to its hardware, and that could not be completed.
    pub checksums_partial: u64,
    /// VLAN tags that the kernel had taken off, put back.
    pub vlan_restored: u64,
    /// Records of a replayed file that were no packets (META, PAD), or none that a card could receive: left out.
    pub skipped: u64,
    /// Packets of a replayed pcap or pcapng file that have no place in ERF: left out.
    pub refused: u64,
    /// Defects in a replayed file.
    pub defects: u64,
    /// The command that ends segmentation offload, once there is reason for it.
    pub advice: Vec<String>,
    /// What another process says about its feed, whose counts are not here.
    told: Option<Vec<String>>,
}

impl FeedCounts {
    /// What there is to say about them, in lines for a person, with the way out where there is one.
    pub fn notes(&self) -> Vec<String> {
        if let Some(told) = &self.told {
            return told.clone();
        }
        let advice = self.advice.join("`, `");
        let mut notes = Vec::new();
        if self.over_limit > 0 {
            notes.push(format!(
                "{} frames were longer than a record can be and are cut (segmentation offload); `{advice}` ends it",
                self.over_limit
            ));
        } else if self.superframes > 0 {
            notes.push(format!(
                "{} frames were longer than the MTU (segmentation offload): not what is on a wire; `{advice}` ends it",
                self.superframes
            ));
        }
        let others = [
            (self.checksums_completed, "checksums that the host leaves to its hardware were completed"),
            (self.checksums_partial, "checksums that the host leaves to its hardware could not be completed"),
            (self.vlan_restored, "VLAN tags that the kernel had taken off were put back"),
            (self.skipped, "records of the replayed file left out: no packets, or of ports that the card lacks"),
            (self.refused, "packets of the replayed file left out: they have no place in ERF"),
            (self.defects, "places in the replayed file that are no records"),
        ];
        notes.extend(others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        notes
    }
}

impl FeedInfo {
    pub(crate) fn new(description: String, stamp_source: StampSource) -> Self {
        Self { description, stamp_source, stamp_error_ns: None, interfaces: Vec::new(), counts: Arc::default() }
    }

    /// What a feed of another process has counted, as it says.
    #[cfg(all(not(miri), target_os = "linux"))]
    pub(crate) fn show(&self, status: &crate::serve::Status) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.defects = status.defects;
        counts.told = Some(status.notes.clone());
    }

    /// What the feed has counted beside packets, as of its last turn.
    pub fn counts(&self) -> FeedCounts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the feed puts its counts.
    pub(crate) fn counts_cell(&self) -> Arc<Mutex<FeedCounts>> {
        Arc::clone(&self.counts)
    }
}

/// Ends a [`Feed::wait`] from another thread.
#[derive(Debug, Clone)]
pub(crate) struct FeedWaker(pub(crate) crate::tap::Waker);

impl FeedWaker {
    pub(crate) fn wake(&self) {
        self.0.wake();
    }
}

/// A feed that has been opened, and what goes with it.
pub(crate) type Opened = (Box<dyn Feed>, FeedInfo, Option<FeedWaker>);
