//! [`Template`]: the first packets of a synthetic feed, again and again.

use std::sync::Arc;

use erf_core::{TimeDelta, Timestamp};

use super::{Full, PATTERN, Patience, Payload, Rate, Synthetic, SyntheticSpec, rate};
use crate::arrival::Arrival;
use crate::error::Error;
use crate::feed::{Feed, Intake, Turn};
use crate::pattern::Pattern;

/// Packets in one turn at most: what a turn costs besides is spread over them.
const TURN: usize = 1024;

/// Packets that come again and again; see the [module](super).
#[derive(Debug)]
pub(crate) struct Template {
    pattern: Arc<Pattern>,
    /// The packet that comes next.
    next: usize,
    /// So many are to come.
    left: u64,
    flat_out: bool,
    /// When a packet is due depends on the lengths of those before it, which differ.
    one_by_one: bool,
    waits: bool,
    schedule: rate::Schedule,
    start: Option<Timestamp>,
    last: Timestamp,
    times: Vec<Timestamp>,
    patience: Patience,
}

impl Template {
    /// A feed of the first packets that `spec` describes, for a card of `ports` ports.
    pub(crate) fn new(spec: &SyntheticSpec, seed: u64, ports: u8) -> Self {
        let first = SyntheticSpec { rate: Rate::MAX, count: Some(PATTERN), payload: Payload::Made, ..spec.clone() };
        let mut feed = Synthetic::new(&SyntheticSpec { full: Full::Drop, ..first }, seed, ports);
        let mut pattern = Pattern::new(spec.payload == Payload::Records);
        for _ in 0..PATTERN {
            feed.give(Timestamp::ZERO, &mut pattern);
        }
        Self {
            pattern: Arc::new(pattern),
            next: 0,
            left: spec.count.unwrap_or(u64::MAX),
            flat_out: spec.rate.is_max(),
            one_by_one: spec.rate.is_bits() && spec.sizes.least() != spec.sizes.most(),
            waits: spec.full == Full::Wait,
            schedule: rate::Schedule::new(spec.rate),
            start: None,
            last: Timestamp::ZERO,
            times: Vec::with_capacity(TURN),
            patience: Patience::default(),
        }
    }

    /// When the next packets arrive, of those that are due by `now`; what comes after them if there are none.
    fn due(&mut self, now: Timestamp) -> Option<Turn> {
        self.times.clear();
        let most = usize::try_from(self.left).unwrap_or(TURN).min(TURN);
        if most == 0 {
            return Some(Turn::End);
        }
        if self.flat_out {
            let first = now.max(self.last + TimeDelta::from_raw(1)).raw();
            // The last of them is far from the end of time: the clock does not go on beyond it.
            self.times.resize(most, Timestamp::ZERO);
            for (n, time) in (0..).zip(&mut self.times) {
                *time = Timestamp::from_raw(first.wrapping_add(n));
            }
            return None;
        }
        let start = *self.start.get_or_insert(now);
        let most = if self.one_by_one { 1 } else { most };
        let mut schedule = self.schedule.clone();
        for _ in 0..most {
            let due = start + schedule.due();
            if due > now {
                return self.times.is_empty().then_some(Turn::Until(due));
            }
            self.times.push(due);
            // Where lengths matter there is only this one.
            schedule.sent(self.pattern.size(self.next));
        }
        None
    }
}

impl Intake for Pattern {
    fn arrive(&mut self, arrival: &Arrival<'_>) {
        self.push(arrival);
    }

    fn lost(&mut self, _: u8, _: u64) {}
}

impl Feed for Template {
    /// The next packet is due `now`, and the others after it.
    fn begin(&mut self, now: Timestamp) -> Result<(), Error> {
        self.start = Some(now);
        self.schedule.restart();
        Ok(())
    }

    fn turn(&mut self, now: Timestamp, intake: &mut dyn Intake) -> Result<Turn, Error> {
        if let Some(turn) = self.due(now) {
            return Ok(turn);
        }
        let taken = intake.arrive_again(&self.pattern, self.next, &self.times, self.waits);
        let Some(last) = taken.count.checked_sub(1).and_then(|last| self.times.get(last)) else {
            return Ok(self.patience.turn(now));
        };
        self.patience = Patience::default();
        self.last = *last;
        for _ in 0..if self.flat_out { 0 } else { taken.count } {
            // Where lengths matter there was only this one.
            self.schedule.sent(self.pattern.size(taken.last));
        }
        self.next = taken.next;
        self.left -= taken.count as u64;
        Ok(if self.left == 0 { Turn::End } else { Turn::More })
    }
}
