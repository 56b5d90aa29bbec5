//! [`Scenario`]: what is put into a synthetic experiment.

use super::margin::{Coupling, Margin};
use crate::error::{Error, Repr};
use crate::paper;

/// What the layers of a host add to a probe, both directions together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stack {
    /// The kernel; where there is a guest, its host (dom0).
    pub kern: Margin,
    /// The guest (domU), where there is one.
    pub guest: Option<Margin>,
    /// The program.
    pub user: Margin,
}

/// The host's clock against time that flows evenly.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HostClock {
    /// Ahead by so much at the start, in nanoseconds.
    pub offset_ns: i64,
    /// Faster by so much, in parts per 10^9.
    pub drift_ppb: f64,
    /// From this probe on ahead by so many nanoseconds more.
    pub step: Option<(u32, i64)>,
}

impl HostClock {
    /// What it shows at `time`, when probe `number` is under way.
    pub(super) fn at(&self, start: i64, time: i64, number: u32) -> i64 {
        let drifted = ((time - start) as f64 * self.drift_ppb / 1e9).round() as i64;
        let step = self.step.filter(|(from, _)| number >= *from).map_or(0, |(_, by)| by);
        time + self.offset_ns + drifted + step
    }
}

/// What is put into a synthetic experiment. The default is the paper's vanilla Linux: 200 probes of 250 ms, network stress between twenty
/// probes at rest before and twenty after.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Probes, up to 65 536: an identifier has no more sequence numbers.
    pub probes: u32,
    /// Their identifier.
    pub ident: u16,
    /// From one to the next, in nanoseconds.
    pub interval_ns: i64,
    /// When the first is sent, in nanoseconds since 1970.
    pub start_ns: i64,
    /// Decides all that is drawn.
    pub seed: u64,
    /// At rest before the stress.
    pub rest_lead: u32,
    /// At rest after it.
    pub rest_trail: u32,
    /// From request to reply on the wire.
    pub network: Margin,
    /// What the host adds at rest.
    pub rest: Stack,
    /// What it adds otherwise.
    pub stress: Stack,
    /// Which part of that is added when sending, from 0 to 1.
    pub send_share: f64,
    /// How the layers hang together.
    pub coupling: Coupling,
    /// The host's clock.
    pub clock: HostClock,
    /// Probes that are lost, from 0 to 1: half of them in the host, half on the way.
    pub loss: f64,
    /// Probes of which the reply comes twice, from 0 to 1.
    pub duplicates: f64,
    /// Probes of which the reply is overtaken by those of the next, from 0 to 1.
    pub reordered: f64,
    /// Packets of others for each probe.
    pub other: u32,
}

/// Packets of others, all together: an experiment is made in memory.
const MOST_OTHERS: u64 = 5_000_000;

/// A margin in milliseconds, known to be one.
fn margin(median: f64, p99: f64) -> Margin {
    Margin::new(median * 1e6, p99 * 1e6).expect("constants in order")
}

impl Default for Scenario {
    fn default() -> Self {
        // Table 1 of the paper, vanilla: at rest, and network stress.
        let cell = |stress: &str, layer: &str| {
            let (median, p99) = paper::cell("vanilla", layer, stress).expect("a cell of the table");
            margin(median, p99)
        };
        let (rest_kern, rest_user) = (cell("at_rest", "kern"), cell("at_rest", "user"));
        let (kern, user) = (cell("network", "kern"), cell("network", "user"));
        let network = margin(0.2, 0.4);
        Self {
            probes: 240,
            ident: 4711,
            interval_ns: 250_000_000,
            start_ns: 1_700_000_000_000_000_000,
            seed: 1,
            rest_lead: 20,
            rest_trail: 20,
            network,
            rest: Stack { kern: rest_kern, guest: None, user: rest_user },
            stress: Stack { kern, guest: None, user },
            send_share: 0.95,
            coupling: Coupling::Independent,
            clock: HostClock::default(),
            loss: 0.0,
            duplicates: 0.0,
            reordered: 0.0,
            other: 0,
        }
    }
}

impl Scenario {
    /// Whether the probe of this number is sent at rest.
    pub fn is_at_rest(&self, number: u32) -> bool {
        number < self.rest_lead || number >= self.probes.saturating_sub(self.rest_trail)
    }

    /// # Errors
    ///
    /// When it contradicts itself.
    pub(super) fn check(&self) -> Result<(), Error> {
        let share = |share: f64| (0.0..=1.0).contains(&share);
        let what = if self.probes == 0 || self.probes > 65_536 {
            format!("{} probes cannot be told apart by a sequence number of 16 bits; ask for 1 to 65536", self.probes)
        } else if u64::from(self.rest_lead) + u64::from(self.rest_trail) >= u64::from(self.probes) {
            let resting = u64::from(self.rest_lead) + u64::from(self.rest_trail);
            format!("{resting} probes are to be at rest, and there are {}; some are needed between them", self.probes)
        } else if !(1_000..=3_600_000_000_000).contains(&self.interval_ns) {
            format!("an interval of {} ns is not between a microsecond and an hour", self.interval_ns)
        } else if ![self.send_share, self.loss, self.duplicates, self.reordered].into_iter().all(share) {
            "a share is below 0 or above 1".to_owned()
        } else if !(-1e6..=1e6).contains(&self.clock.drift_ppb) {
            format!("a drift of {} ppb is above 1000 ppm, which no clock has", self.clock.drift_ppb)
        } else if u64::from(self.probes) * u64::from(self.other) > MOST_OTHERS {
            format!("{} packets of others for each of {} probes are more than 5 million", self.other, self.probes)
        } else if self.rest.guest.is_some() != self.stress.guest.is_some() {
            "there is a guest at rest or under stress only".to_owned()
        } else if self.start_ns < 0 || self.latest().is_none() {
            "it reaches beyond the stamps of an ERF record, which are from 1970 to 2106".to_owned()
        } else {
            return Ok(());
        };
        Err(Repr::Scenario { what }.into())
    }

    /// The last stamp that any clock can show, if it can be written.
    fn latest(&self) -> Option<i64> {
        // Every delay together is below a day.
        const DAY: i64 = 86_400_000_000_000;
        let span = i64::from(self.probes).checked_mul(self.interval_ns)?.checked_add(DAY)?;
        let step = self.clock.step.map_or(0, |(_, by)| by);
        let last = self.start_ns.checked_add(span)?;
        let host = last.checked_add(self.clock.offset_ns)?.checked_add(step)?;
        let first = self.start_ns.checked_add(self.clock.offset_ns)?.checked_add(step.min(0))?;
        let limit = i64::from(u32::MAX) * 1_000_000_000;
        (first >= 0 && last < limit && host < limit).then_some(host)
    }
}
