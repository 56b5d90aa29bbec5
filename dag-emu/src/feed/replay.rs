//! The replay feed: the packets of a recording arrive once more.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use erf::input::Source;
use erf::{FileFormat, Reader};
use erf_core::{Defect, DefectKind, Fcs, Record, TimeDelta, Timestamp};

use super::script::arrival;
use super::{Feed, FeedCounts, FeedInfo, Intake, Opened, StampSource, Turn};
use crate::error::{Error, Repr};

/// Packets of one turn.
const TURN: usize = 256;

/// A recording to be played.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ReplaySpec {
    /// ERF, pcap or pcapng, plain or compressed; `-` is standard input.
    pub path: PathBuf,
    /// How fast.
    pub pace: Pace,
    /// How many times; `None` for ever.
    pub times: Option<u64>,
    /// It is ERF, whatever it looks like: no other format is thought of, and no stamp is too odd.
    pub forced: bool,
}

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Pace {
    /// With the gaps that were recorded.
    #[default]
    Recorded,
    /// As fast as it goes.
    Max,
    /// So many times faster.
    Times(f64),
}

impl ReplaySpec {
    /// The file once, with its recorded gaps.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), pace: Pace::Recorded, times: Some(1), forced: false }
    }
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "recorded" => Ok(Self::Recorded),
            "max" => Ok(Self::Max),
            _ => {
                let factor = text.strip_prefix('x').and_then(|x| x.parse::<f64>().ok());
                match factor.filter(|x| (1e-6..=1e6).contains(x)) {
                    Some(factor) => Ok(Self::Times(factor)),
                    None => Err("recorded, max, or xN with N from 0.000001 to 1000000".to_owned()),
                }
            }
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recorded => f.write_str("with the recorded gaps"),
            Self::Max => f.write_str("as fast as it goes"),
            Self::Times(factor) => write!(f, "{factor} times as fast"),
        }
    }
}

struct Replay {
    path: PathBuf,
    pace: Pace,
    laps_left: Option<u64>,
    forced: bool,
    ports: u8,
    reader: Reader,
    /// A record that has been read, and the true time at which it is due.
    next: Option<(Timestamp, Vec<u8>)>,
    schedule: Schedule,
    counts: Arc<Mutex<FeedCounts>>,
    seen: FeedCounts,
}

/// When the records of a lap are due.
#[derive(Debug, Default)]
struct Schedule {
    /// True time at which the lap began, or the last packet's when there is no pace.
    start: Timestamp,
    /// Stamp of the lap's first packet.
    first: Option<Timestamp>,
    /// The latest packet so far.
    last: Timestamp,
    packets: u64,
}

/// Opens the file behind the card's ports.
pub(crate) fn open(spec: &ReplaySpec, ports: u8) -> Result<Opened, Error> {
    let stdin = spec.path == Path::new("-");
    if stdin && spec.times != Some(1) {
        return Err(Error::spec("standard input can be played only once: leave out loop="));
    }
    let reader = open_reader(&spec.path, spec.forced)?;
    let description = format!("replay of {}, {}", spec.path.display(), spec.pace);
    let info = FeedInfo::new(description, StampSource::Replay);
    let feed = Replay {
        path: spec.path.clone(),
        pace: spec.pace,
        laps_left: spec.times,
        forced: spec.forced,
        ports,
        reader,
        next: None,
        schedule: Schedule::default(),
        counts: info.counts_cell(),
        seen: FeedCounts::default(),
    };
    Ok((Box::new(feed), info, None))
}

/// Damage does not end a replay: the reader looks for the next record, unless it is to take everything for one.
fn open_reader(path: &Path, forced: bool) -> Result<Reader, Error> {
    let mut builder = Reader::builder().recover(!forced);
    if forced {
        builder = builder.force_format(FileFormat::Erf);
    }
    builder.open(Source::from_arg(path)).map_err(|source| Repr::Replay { forced, source }.into())
}

/// Defects that are told one by one.
const SHOWN: u64 = 5;

fn warn(number: u64, path: &Path, defect: &Defect) {
    match number {
        1..=SHOWN => log::warn!("replay {}: {defect}", path.display()),
        n if n == SHOWN + 1 => log::warn!("replay {}: more defects, from here on only counted", path.display()),
        _ => {}
    }
}

impl Schedule {
    fn begin(&mut self, start: Timestamp) {
        *self = Self { start, last: start, ..Self::default() };
    }

    /// The true time at which a packet stamped `stamp` arrives.
    fn due(&mut self, stamp: Timestamp, pace: Pace, now: Timestamp) -> Timestamp {
        self.packets += 1;
        let gap = stamp - *self.first.get_or_insert(stamp);
        let due = match pace {
            Pace::Recorded => self.start + gap,
            Pace::Times(factor) => self.start + TimeDelta::from_raw((gap.raw() as f64 / factor) as i64),
            // One behind the other.
            Pace::Max => now.max(self.last + TimeDelta::from_raw(1)),
        };
        self.last = self.last.max(due);
        due
    }

    /// When the next lap begins: a mean gap behind the last packet.
    fn next_lap(&self) -> Timestamp {
        let span = (self.last - self.start).raw();
        let gaps = i64::try_from(self.packets.saturating_sub(1)).unwrap_or(i64::MAX);
        let mean = if gaps > 0 { span / gaps } else { 0 };
        self.last + TimeDelta::from_raw(mean.max(TimeDelta::from_nanos(1_000).raw()))
    }
}

impl Feed for Replay {
    fn begin(&mut self, now: Timestamp) -> Result<(), Error> {
        self.schedule.begin(now);
        Ok(())
    }

    fn turn(&mut self, now: Timestamp, intake: &mut dyn Intake) -> Result<Turn, Error> {
        let turn = self.play(now, intake);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if *counts != self.seen {
            counts.clone_from(&self.seen);
        }
        turn
    }
}

impl Replay {
    fn play(&mut self, now: Timestamp, intake: &mut dyn Intake) -> Result<Turn, Error> {
        if let Some((due, bytes)) = self.next.take() {
            if due > now {
                self.next = Some((due, bytes));
                return Ok(Turn::Until(due));
            }
            // It was a record when it was put by.
            if let Ok(record) = Record::parse(&bytes) {
                arrive(&record, due, intake);
            }
        }
        for _ in 0..TURN {
            let item = match self.reader.next_record() {
                Ok(Some(item)) => item,
                Ok(None) => return self.next_lap(),
                Err(source) => {
                    return Err(Repr::Replay { forced: self.forced, source }.into());
                }
            };
            let record = match item {
                Ok(record) => record,
                Err(defect) => {
                    // What was skipped to get on is part of the defect before it.
                    if !matches!(defect.kind, DefectKind::Skipped { .. }) {
                        self.seen.defects += 1;
                        warn(self.seen.defects, &self.path, &defect);
                    }
                    continue;
                }
            };
            if !record.is_packet() || record.interface() >= self.ports {
                self.seen.skipped += 1;
                continue;
            }
            let due = self.schedule.due(record.timestamp(), self.pace, now);
            if due > now && self.pace != Pace::Max {
                self.next = Some((due, record.bytes().to_vec()));
                return Ok(Turn::Until(due));
            }
            arrive(&record, due, intake);
        }
        Ok(Turn::More)
    }

    fn next_lap(&mut self) -> Result<Turn, Error> {
        if let Some((count, why)) = self.reader.refused() {
            if self.seen.refused == 0 {
                log::warn!("replay {}: {count} packets left out; the first: {why}", self.path.display());
            }
            self.seen.refused += count;
        }
        if let Some(laps) = &mut self.laps_left {
            *laps -= 1;
            if *laps == 0 {
                return Ok(Turn::End);
            }
        }
        if self.schedule.packets == 0 {
            let path = self.path.display().to_string();
            let what = "it has no packet that the card could receive: nothing to loop over".to_owned();
            return Err(Repr::ReplayContent { path, what }.into());
        }
        self.reader = open_reader(&self.path, self.forced)?;
        let start = self.schedule.next_lap();
        self.schedule.begin(start);
        Ok(Turn::More)
    }
}

/// A record as it arrived at its interface; an Ethernet FCS that was never stored is computed.
fn arrive(record: &Record<'_>, due: Timestamp, intake: &mut dyn Intake) {
    let mut arrival = arrival(record, due);
    let fcs;
    if record.fcs() == Fcs::NotStored {
        fcs = erf_core::fcs::ethernet(record.payload()).to_le_bytes();
        arrival.packet[1] = &fcs;
    }
    intake.arrive(&arrival);
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("path", &self.path).field("pace", &self.pace).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces() {
        assert_eq!("recorded".parse(), Ok(Pace::Recorded));
        assert_eq!("max".parse(), Ok(Pace::Max));
        assert_eq!("x2.5".parse(), Ok(Pace::Times(2.5)));
        for bad in ["x0", "x-1", "xnan", "xinf", "2", "", "x1e9"] {
            assert!(bad.parse::<Pace>().is_err(), "{bad}");
        }
    }

    #[test]
    fn gaps_are_kept_or_scaled_and_laps_follow() {
        let at = |ms: i64| Timestamp::from_parts(100, 0) + TimeDelta::from_nanos(ms * 1_000_000);
        let mut schedule = Schedule::default();
        let start = Timestamp::from_parts(5_000, 0);
        schedule.begin(start);
        let dues: Vec<i64> =
            [0, 10, 30, 20].map(|ms| (schedule.due(at(ms), Pace::Times(2.0), start) - start).to_nanos()).into();
        assert_eq!(dues, [0, 5_000_000, 15_000_000, 10_000_000]);
        assert_eq!((schedule.next_lap() - start).to_nanos(), 20_000_000);
        schedule.begin(start);
        let first = schedule.due(at(0), Pace::Max, start);
        assert!(schedule.due(at(0), Pace::Max, start) > first);
    }
}
