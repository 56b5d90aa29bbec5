//! The synthetic feed: packets made up, the same ones for the same seed.
//!
//! # What is in it
//!
//! * 256 conversations of UDP and TCP over IPv4 and IPv6 between the two sides of a tapped link. Half of them are UDP over
//!   IPv4, the only ones that fit the shortest frames: a conversation has packets only of lengths that hold its headers and the packet number.
//!   TCP bytes follow each other without gaps.
//! * An ICMP echo conversation: packet `k` with `k % 100 == 0` is a request, with one identifier and sequence number
//!   `k / 100`, seen at port 0; packet `k` with `k % 100 == 50` is the reply to it, as long as it, seen at port 1.
//! * In every packet its number, which [`packet_number`] finds; then bytes that count up.
//!
//! Checksums and FCS are right. Addresses are those reserved for documentation: 192.0.2.0/24 and 198.51.100.0/24 (RFC 5737),
//! 2001:db8::/32 (RFC 3849), 00-00-5E-00-53-xx (RFC 7042).
//!
//! With [`Payload::Template`] the first [`PATTERN`] packets come again and again, their numbers and checksums with them: the card
//! then has nothing to make but headers. Where a lap of stream memory ends they begin anew, and where a packet is dropped it
//! is the same one that comes when there is room again.
//!
//! # Ports
//!
//! Ports 2n and 2n+1 are the two directions of one tapped link: what clients send is seen at the even one, what servers send
//! at the odd one. The conversations are spread over the links. A last port without a partner, such as the only one of a card, sees
//! both directions.
//!
//! # Same seed, same packets
//!
//! Bytes, lengths and ports of the packets and their order follow from seed, size mix and number of ports alone; faults, rate
//! and the speed of the machine do not change them.

mod echo;
mod filler;
mod flows;
mod head;
mod number;
mod rate;
mod size;
mod template;
#[cfg(test)]
mod tests;

pub use number::packet_number;
pub use rate::{Rate, RateError};
pub use size::{SizeError, SizeMix};
pub(crate) use template::Template;

use std::fmt;

use erf_core::{TimeDelta, Timestamp};
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::{Feed, Intake, Turn};
use crate::arrival::Arrival;
use crate::error::Error;
use crate::ports::MAX_PORTS;
use echo::{Echo, EchoPacket};
use filler::Filler;
use flows::{Chosen, Flows};

/// Packets in one turn at most.
const TURN: u32 = 256;

/// What a synthetic feed is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyntheticSpec {
    /// Lengths of the frames; 64 bytes by default.
    pub sizes: SizeMix,
    /// Packets or bits per second over all ports together; 1000 packets per second by default.
    pub rate: Rate,
    /// After how many packets the feed is over; never by default.
    pub count: Option<u64>,
    /// Whether each packet is made anew, or the same ones come again and again.
    pub payload: Payload,
    /// What becomes of packets that a full stream has no room for.
    pub full: Full,
}

/// How the packets of a synthetic feed are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Payload {
    /// Each anew, with a number of its own.
    #[default]
    Made,
    /// The first [`PATTERN`] ones of the same seed, sizes and ports again and again: as fast as records can be written.
    Template,
    /// The same, with whole records written on every lap, as for a reader that may write to stream memory.
    Records,
}

/// What becomes of packets that a full stream has no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Full {
    /// They are dropped and counted, as by any card.
    #[default]
    Drop,
    /// The feed waits until there is room, which no wire does: for measuring how fast a reader is.
    Wait,
}

/// Packets of a synthetic feed that has templates.
pub const PATTERN: u64 = 1024;

/// In words, for a person: `64 byte frames, 1000pps`.
impl fmt::Display for SyntheticSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sizes, rate, count, payload, full } = self;
        if *sizes == SizeMix::IMIX {
            write!(f, "IMIX frames, ")?
        } else {
            write!(f, "{sizes} byte frames, ")?
        }
        if rate.is_max() {
            f.write_str("as fast as possible")?
        } else {
            write!(f, "{rate}")?
        }
        match payload {
            Payload::Made => {}
            Payload::Template => write!(f, ", {PATTERN} packets again and again")?,
            Payload::Records => write!(f, ", {PATTERN} packets again and again in whole records")?,
        }
        if *full == Full::Wait {
            f.write_str(", waiting for room")?
        }
        count.map_or(Ok(()), |count| write!(f, ", {count} packets"))
    }
}

/// Packets made up; see the [module](self).
///
/// At a rate, each packet arrives at its own nominal time, the first when the feed [begins](Feed::begin), exactly and without drift. A
/// host that was late is given all that was due meanwhile, with those times: nothing is skipped. Flat out, a packet arrives when
/// it is made, at least 2^-32 s after the one before.
#[derive(Debug)]
pub(crate) struct Synthetic {
    sizes: SizeMix,
    ports: u8,
    /// Numbers of packets end before this one.
    end: u64,
    flat_out: bool,
    waits: bool,
    rng: Pcg64Mcg,
    flows: Flows,
    echo: Echo,
    filler: Filler,
    schedule: rate::Schedule,
    start: Option<Timestamp>,
    last: Timestamp,
    /// Number of the next packet.
    next: u64,
    patience: Patience,
}

impl Synthetic {
    /// A feed that begins with packet 0, for a card of `ports` ports.
    pub(crate) fn new(spec: &SyntheticSpec, seed: u64, ports: u8) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let ports = ports.clamp(1, MAX_PORTS);
        let identifier = rng.next_u32() as u16;
        Self {
            sizes: spec.sizes,
            ports,
            end: spec.count.unwrap_or(u64::MAX),
            flat_out: spec.rate.is_max(),
            waits: spec.full == Full::Wait,
            flows: Flows::new(&mut rng, ports.div_ceil(2)),
            echo: Echo::new(identifier),
            // As much as the longest frame has behind the shortest head.
            filler: Filler::new(number::LEN as u8, spec.sizes.most()),
            schedule: rate::Schedule::new(spec.rate),
            rng,
            start: None,
            last: Timestamp::ZERO,
            next: 0,
            patience: Patience::default(),
        }
    }

    /// Gives the next packet to `intake` as one that arrives at `time`.
    #[inline]
    fn give(&mut self, time: Timestamp, intake: &mut dyn Intake) {
        let draw = self.rng.next_u64();
        let drawn_size = self.sizes.draw(draw as u32);
        let packet = match self.echo.packet(self.next, drawn_size) {
            Some(EchoPacket { direction, size, number, sequence, head }) => {
                head.filler(size).map(|filler| (0, direction, number, filler, sequence, head))
            }
            None => self.flows.choose((draw >> 32) as u32, drawn_size).map(
                |Chosen { index, direction, filler, progress, head }| {
                    (index, direction, self.next, filler, progress, head)
                },
            ),
        };
        self.next += 1;
        // Always there: no size mix goes below 64 bytes.
        let Some((conversation, direction, number, rest, progress, head)) = packet else { return };
        head.touch_up(number, progress, &self.filler, rest);
        let fcs = self.filler.fcs(head.bytes(), rest);
        let links = self.ports.div_ceil(2);
        let link = (conversation % u32::from(links)) as u8;
        let port = (2 * link + direction).min(self.ports - 1);
        let bytes = [head.bytes(), self.filler.bytes(rest), &fcs];
        let size = bytes.map(<[u8]>::len).iter().sum::<usize>() as u16;
        let [head, filler, fcs] = bytes;
        intake.arrive(&Arrival {
            wire_len: size,
            packet: [head, filler, fcs, &[], &[], &[]],
            ..Arrival::ethernet(port, time, &[])
        });
        self.schedule.sent(size);
    }
}

impl Feed for Synthetic {
    /// The next packet is due `now`, and the others after it.
    fn begin(&mut self, now: Timestamp) -> Result<(), Error> {
        self.start = Some(now);
        self.schedule.restart();
        Ok(())
    }

    fn turn(&mut self, now: Timestamp, intake: &mut dyn Intake) -> Result<Turn, Error> {
        let start = *self.start.get_or_insert(now);
        for _ in 0..TURN {
            if self.next >= self.end {
                return Ok(Turn::End);
            }
            let time = if self.flat_out {
                now.max(self.last + TimeDelta::from_raw(1))
            } else {
                let due = start + self.schedule.due();
                if due > now {
                    return Ok(Turn::Until(due));
                }
                due
            };
            if self.waits && !intake.has_room() {
                return Ok(self.patience.turn(now));
            }
            self.last = time;
            self.give(time, intake);
        }
        self.patience = Patience::default();
        Ok(if self.next >= self.end { Turn::End } else { Turn::More })
    }
}

/// How a feed waits for room: awake for a while, since a reader that keeps up makes some at once, then giving its core to whom it
/// waits for, should they share one, and then asleep.
#[derive(Debug, Default)]
struct Patience(u32);

impl Patience {
    /// Turns without room before it sleeps.
    const AWAKE: u32 = 4096;
    const ALONE: u32 = 1024;

    fn turn(&mut self, now: Timestamp) -> Turn {
        if self.0 < Self::AWAKE {
            self.0 += 1;
            if self.0 < Self::ALONE {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
            return Turn::More;
        }
        Turn::Until(now + TimeDelta::from_nanos(100_000))
    }
}
