//! Faults on demand: what can go wrong with a card and on its wires, seeded, so that it goes wrong in the same way again.
//!
//! [`FaultSpec`] says which faults and how often. They have a random generator of their own, so that they do not change the packets
//! they strike.

mod probability;
mod record;
mod spec;

pub use probability::{Probability, ProbabilityError};
pub(crate) use record::{meta_record, pad_record};
pub use spec::{FaultError, FaultKind, FaultSpec};

use erf_core::{HEADER_LEN, TimeDelta, Timestamp};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::arrival::Arrival;
use crate::ports::MAX_PORTS;

/// How many times a packet arrives in a burst.
const BURST: u32 = 256;
/// How many packets a link is down for.
const DOWN_FOR: u32 = 1_000;
/// The least that a stamp out of order is early, 1 us in 2^-32 s: more than a tick of any card, so that it shows.
const LEAST_DISORDER: u32 = 4_295;
/// The most, 1 ms.
const MOST_DISORDER: u32 = 4_294_967;
/// Sets faults apart from packets with the same seed.
const OWN: u64 = 0x6661_756C_7473_2121;

/// What is to happen to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// Nothing.
    None,
    /// It was bad on the wire: rx error flag, wrong FCS.
    RxError,
    /// Ds error flag.
    DsError,
    /// Truncation flag; so many bytes of it are kept, fewer than there are if there are any.
    Truncate(usize),
    /// A PAD record of so many bytes goes before it.
    Pad(u16),
    /// A META record goes before it.
    Meta,
    /// Its stamp is so much before its time of arrival, which is 1 us to 1 ms before the arrival of the packet before.
    Disorder(TimeDelta),
    /// It arrives so many times, back to back.
    Burst(u32),
    /// The link of its port is down: it does not arrive, and is not lost either.
    LinkDown,
    /// Its record says that it is so long.
    BadLength(u16),
}

/// The faults of a card: asked about every packet.
#[derive(Debug)]
pub(crate) struct Faults {
    /// Up to which draw of 63 bits which fault strikes, ascending.
    thresholds: Vec<(u64, FaultKind)>,
    rng: Pcg64Mcg,
    /// How many more packets do not arrive, by port.
    down: [u32; MAX_PORTS as usize],
    last: Option<Timestamp>,
}

impl Faults {
    /// The faults that follow from `spec` and `seed`.
    pub(crate) fn new(spec: &FaultSpec, seed: u64) -> Self {
        let thresholds = spec
            .iter()
            .scan(0u64, |sum, (kind, rate)| {
                // The specification holds the sum to 2^63.
                *sum = sum.saturating_add(rate.threshold());
                Some((*sum, kind))
            })
            .collect();
        Self { thresholds, rng: Pcg64Mcg::seed_from_u64(seed ^ OWN), down: Default::default(), last: None }
    }

    /// What happens to the next packet. One draw, unless something does happen or the link is down.
    #[inline]
    pub(crate) fn strike(&mut self, arrival: &Arrival<'_>) -> Strike {
        if let Some(down @ 1..) = self.down.get_mut(usize::from(arrival.port)) {
            *down -= 1;
            return Strike::LinkDown;
        }
        let draw = self.rng.next_u64() >> 1;
        let struck = self.thresholds.iter().find(|(threshold, _)| draw < *threshold).map(|(_, kind)| *kind);
        let strike = struck.map_or(Strike::None, |kind| self.make(kind, arrival));
        if strike != Strike::LinkDown {
            self.last = Some(arrival.time);
        }
        strike
    }

    /// Whether the link of `port` is up, as far as faults go.
    pub(crate) fn link_up(&self, port: u8) -> bool {
        self.down.get(usize::from(port)).is_none_or(|down| *down == 0)
    }

    #[cold]
    fn make(&mut self, kind: FaultKind, arrival: &Arrival<'_>) -> Strike {
        let draw = self.rng.next_u32();
        // Uniform over `least..=most`.
        let between = |least: u32, most: u32| {
            let count = u64::from(most - least) + 1;
            least + ((u64::from(draw) * count) >> 32) as u32
        };
        match kind {
            FaultKind::RxError => Strike::RxError,
            FaultKind::DsError => Strike::DsError,
            FaultKind::Truncate => {
                let there = arrival.packet.iter().map(|piece| piece.len()).sum::<usize>();
                let most = u32::try_from(there.saturating_sub(1)).unwrap_or(u32::MAX);
                Strike::Truncate(between(0, most) as usize)
            }
            FaultKind::Pad => {
                let [least, most] = record::PAD_LENS;
                // A multiple of 8, as all records of a card.
                Strike::Pad((between(u32::from(least) / 8, u32::from(most) / 8) * 8) as u16)
            }
            FaultKind::Meta => Strike::Meta,
            FaultKind::Disorder => {
                let since = self.last.map_or(TimeDelta::ZERO, |last| arrival.time - last);
                let early = i64::from(between(LEAST_DISORDER, MOST_DISORDER));
                Strike::Disorder(TimeDelta::from_raw(since.raw().max(0).saturating_add(early)))
            }
            FaultKind::Burst => Strike::Burst(BURST),
            FaultKind::LinkDown => {
                if let Some(down) = self.down.get_mut(usize::from(arrival.port)) {
                    // This packet is the first of them.
                    *down = DOWN_FOR - 1;
                }
                Strike::LinkDown
            }
            FaultKind::BadLength => Strike::BadLength(bad_length(arrival, draw)),
        }
    }
}

/// A length that the record of `arrival` cannot have, one of six chosen by `draw`.
fn bad_length(arrival: &Arrival<'_>, draw: u32) -> u16 {
    let headers = HEADER_LEN + arrival.ext.len() + arrival.sub_header.len();
    let there = arrival.packet.iter().map(|piece| piece.len()).sum::<usize>();
    // One byte of the headers is missing, or more; without any beyond the first 16 that is a length below 16 again.
    let headless = headers - 1;
    // The walk goes on in the middle of a record behind this one.
    let longer = (headers + there).next_multiple_of(8) + 24;
    let lengths = [0, 8, HEADER_LEN - 1, headless, longer, usize::from(u16::MAX)];
    let chosen = lengths[((u64::from(draw) * lengths.len() as u64) >> 32) as usize];
    u16::try_from(chosen).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
