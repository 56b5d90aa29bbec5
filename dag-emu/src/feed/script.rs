//! The feed of a scripted card: given records, at given times.

use std::collections::VecDeque;

use erf_core::{Record, TimeDelta, Timestamp};

use super::{Feed, Intake, Turn};
use crate::arrival::{Arrival, whole};
use crate::error::Error;

/// One event of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A packet arrives: a whole ERF record, whose stamp, loss counter and alignment the card makes its own.
    Record(Vec<u8>),
    /// Packets that the card had no room for.
    Lose(u64),
    /// What follows happens so much later on the card's manual clock.
    Wait(TimeDelta),
}

/// Plays events as the manual clock reaches them.
#[derive(Debug)]
pub(crate) struct ScriptFeed {
    events: VecDeque<Event>,
    due: Timestamp,
    /// Records keep the stamps they have.
    keep_stamps: bool,
}

impl ScriptFeed {
    pub(crate) fn new(events: VecDeque<Event>, keep_stamps: bool) -> Self {
        Self { events, due: Timestamp::ZERO, keep_stamps }
    }
}

impl Feed for ScriptFeed {
    fn begin(&mut self, now: Timestamp) -> Result<(), Error> {
        self.due = now;
        Ok(())
    }

    fn turn(&mut self, now: Timestamp, intake: &mut dyn Intake) -> Result<Turn, Error> {
        let Some(event) = self.events.front() else { return Ok(Turn::End) };
        if self.due > now {
            return Ok(Turn::Until(self.due));
        }
        match event {
            Event::Wait(by) => self.due = self.due + *by,
            Event::Lose(count) => intake.lost(0, *count),
            Event::Record(bytes) => {
                // Checked when the script was made.
                if let Ok(record) = Record::parse(bytes) {
                    let time = if self.keep_stamps { record.timestamp() } else { self.due };
                    intake.arrive(&arrival(&record, time));
                }
            }
        }
        self.events.pop_front();
        // The end is told with the last record, not a turn later.
        Ok(if self.events.is_empty() { Turn::End } else { Turn::More })
    }
}

/// `record` as it arrived at its interface, at `time`.
pub(crate) fn arrival<'a>(record: &Record<'a>, time: Timestamp) -> Arrival<'a> {
    Arrival {
        port: record.interface(),
        time,
        record_type: record.record_type(),
        flags: record.flags(),
        color: record.color().unwrap_or(0),
        wire_len: record.wire_len(),
        ext: record.ext_headers().bytes(),
        sub_header: record.sub_header_bytes(),
        packet: whole(record.payload()),
    }
}
