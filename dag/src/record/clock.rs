//! [`ClockWatch`]: asks the card about its clock while it is recorded from.

use std::time::{Duration, Instant};

use erf::Timestamp;
use erf::session::{ClockInfo, ClockNote};

use crate::card::Card;

/// Between two looks at the clock: a clock that loses its source drifts by less than a tick of 15 ns a second when it is
/// good, so a minute is soon enough, and notes of 100 bytes a minute cost nothing.
pub(super) const INTERVAL: Duration = Duration::from_secs(60);

/// What the card has said of its clock so far.
#[derive(Debug)]
pub(super) struct ClockWatch {
    card: Card,
    interval: Duration,
    asked: Instant,
    synchronised: Option<bool>,
    unknown: bool,
}

impl ClockWatch {
    /// Asks for the first time.
    pub(super) fn begin(card: Card, interval: Duration) -> (Self, ClockInfo) {
        let mut watch = Self { card, interval, asked: Instant::now(), synchronised: None, unknown: false };
        let clock = watch.ask();
        watch.unknown = clock.is_unknown();
        (watch, clock)
    }

    fn ask(&mut self) -> ClockInfo {
        let clock = self.card.clock();
        self.asked = Instant::now();
        if let Some(now) = clock.is_synchronised() {
            // Once unsynchronised stays so: some of the stamps are then not what they seem.
            self.synchronised = Some(self.synchronised.unwrap_or(true) && now);
        }
        clock
    }

    /// The note that is due, if one is, stamped `timestamp`. A card that tells nothing of its clock is not asked again.
    pub(super) fn due(&mut self, timestamp: Timestamp) -> Option<ClockNote> {
        let due = !self.unknown && self.asked.elapsed() >= self.interval;
        due.then(|| {
            let clock = self.ask();
            ClockNote::new(timestamp, self.card.name(), clock)
        })
    }

    /// The clock at the end.
    pub(super) fn last(&mut self) -> ClockInfo {
        if self.unknown { ClockInfo::default() } else { self.ask() }
    }

    /// Whether it was synchronised whenever it was asked; `None` if it never said.
    pub(super) fn synchronised(&self) -> Option<bool> {
        self.synchronised
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Format, Limits, Recorder};
    use dag_emu::ClockHealth;
    use erf::Records;
    use erf::session::{Closing, Opening};
    use erf::writer::{Output, OutputOptions};

    #[test]
    fn a_clock_that_loses_its_source_is_noted_and_flagged() {
        let emulated = dag_emu::Card::open(&"synthetic,rate=100kpps".parse().unwrap()).unwrap();
        let card = Card::emulated(emulated.clone(), "script");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wire.erf");
        let output = Output::create(&path, OutputOptions::new()).unwrap();
        let recorder = Recorder::new(card.attach(0).unwrap(), output, Format::Erf)
            .limits(Limits { count: Some(60_000), ..Limits::default() })
            .clock_interval(Duration::ZERO);
        let progress = recorder.progress();
        let recording = std::thread::scope(|scope| {
            let recorder = scope.spawn(|| recorder.run());
            while progress.snapshot().delivered < 1000 {
                std::thread::yield_now();
            }
            emulated.clock().set_health(ClockHealth::Unsynchronised);
            recorder.join().unwrap()
        });
        assert!(recording.error.is_none(), "{:?}", recording.error);
        assert_eq!(recording.account.clock_synchronised, Some(false));

        let file = std::fs::read(&path).unwrap();
        let mut last = Timestamp::from_raw(0);
        let (mut states, mut opened, mut closed) = (Vec::new(), None, None);
        for record in Records::new(&file) {
            let record = record.unwrap();
            assert!(record.timestamp() >= last, "META records are in order too");
            last = record.timestamp();
            states.extend(ClockNote::from_record(&record).map(|note| note.clock.is_synchronised()));
            opened = opened.or(Opening::from_record(&record));
            closed = closed.or(Closing::from_record(&record));
        }
        assert_eq!(opened.unwrap().card.clock.is_synchronised(), Some(true));
        assert_eq!((states.first(), states.last()), (Some(&Some(true)), Some(&Some(false))));
        let closing = closed.unwrap();
        assert_eq!(closing.clock.is_synchronised(), Some(false));
        assert_eq!(closing.account.clock_synchronised, Some(false));
    }

    #[test]
    fn one_look_a_minute_is_enough() {
        let card = Card::open("emu:synthetic").unwrap();
        let (mut watch, clock) = ClockWatch::begin(card, INTERVAL);
        assert_eq!(clock.is_synchronised(), Some(true));
        assert_eq!(watch.due(Timestamp::now()), None);
        assert_eq!(watch.synchronised(), Some(true));
    }
}
