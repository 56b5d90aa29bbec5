//! The tap as a feed: real frames get an FCS and arrive at the card's ports.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use erf_core::{Flags, Fraction, RecordType, Timestamp};

use super::{Feed, FeedCounts, FeedInfo, FeedInterface, FeedWaker, Intake, Opened, StampSource, Turn};
use crate::arrival::Arrival;
use crate::error::Error;
use crate::tap::{Frame, Tap, TapSpec, offload_advice};

/// Frames of one turn.
const TURN: usize = 256;

/// How wrong a stamp may be, in nanoseconds: the worst seen on a veth pair at rest and under load was 37 microseconds
/// (`wire-truth-lab.md` section 3.2).
const STAMP_ERROR_NS: u64 = 40_000;

#[derive(Debug)]
struct TapFeed {
    tap: Tap,
    /// Frames stamped before this were on the wire before the first stream was started.
    since: u64,
    counts: Arc<Mutex<FeedCounts>>,
    advice: Vec<String>,
}

/// Opens the tap behind ports 0 and 1.
pub(crate) fn open(spec: &TapSpec) -> Result<Opened, Error> {
    let tap = Tap::open(spec)?;
    let names: Vec<String> = spec.ifaces.iter().map(ToString::to_string).collect();
    let mut info = FeedInfo::new(format!("tap on {}", names.join(" and ")), StampSource::Kernel);
    info.stamp_error_ns = Some(STAMP_ERROR_NS);
    for port in 0..2 {
        if let Some(seen) = tap.opened_on(port) {
            info.interfaces.push(FeedInterface {
                port,
                name: seen.iface.to_string(),
                description: match (names.len(), port) {
                    (1, 1) => format!("what leaves {}", seen.iface),
                    _ => format!("what arrives at {}", seen.iface),
                },
                mac: (!seen.loopback).then_some(seen.mac),
                speed: seen.speed_mbps.map(|mbps| u64::from(mbps) * 1_000_000),
                link_up: seen.up,
            });
        }
    }
    let waker = FeedWaker(tap.waker());
    let advice = spec.ifaces.iter().map(offload_advice).collect();
    let feed = TapFeed { tap, since: u64::MAX, counts: info.counts_cell(), advice };
    Ok((Box::new(feed), info, Some(waker)))
}

impl Feed for TapFeed {
    fn begin(&mut self, now: Timestamp) -> Result<(), Error> {
        self.since = now.nanos();
        // What the kernel had no room for before is no loss of ours.
        self.tap.take_lost()?;
        Ok(())
    }

    fn idle(&mut self) -> Result<Turn, Error> {
        while self.tap.next_frame().is_some() {}
        Ok(Turn::Outside)
    }

    fn turn(&mut self, _now: Timestamp, intake: &mut dyn Intake) -> Result<Turn, Error> {
        for _ in 0..TURN {
            let Some(frame) = self.tap.next_frame() else {
                self.tell();
                return Ok(Turn::Outside);
            };
            if frame.kernel_ns >= self.since {
                arrive(&frame, intake);
            }
        }
        Ok(Turn::More)
    }

    fn settle(&mut self, now: Timestamp, intake: &mut dyn Intake) -> Result<(), Error> {
        let now = now.nanos();
        let deadline = Instant::now() + self.tap.latency();
        loop {
            let mut beyond = false;
            while !(beyond && Instant::now() >= deadline) {
                let Some(frame) = self.tap.next_frame() else { break };
                beyond = frame.kernel_ns > now;
                if frame.kernel_ns >= self.since {
                    arrive(&frame, intake);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.tap.poll(Some(left))?;
        }
        for (port, lost) in (0..).zip(self.tap.take_lost()?) {
            if lost > 0 {
                intake.lost(port, lost);
            }
        }
        self.tell();
        Ok(())
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Error> {
        self.tap.poll(Some(limit))?;
        Ok(())
    }
}

impl TapFeed {
    /// Puts the tap's counts where the card's user finds them.
    fn tell(&mut self) {
        let Ok(stats) = self.tap.stats() else { return };
        let sum = |of: fn(&crate::tap::PortStats) -> u64| stats.ports.iter().map(of).sum::<u64>();
        let (over_limit, superframes) = (sum(|p| p.over_limit), sum(|p| p.superframes));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts = FeedCounts {
            over_limit,
            superframes,
            checksums_completed: sum(|p| p.checksums_completed),
            checksums_partial: sum(|p| p.checksums_partial),
            vlan_restored: sum(|p| p.vlan_restored),
            advice: if over_limit + superframes > 0 { self.advice.clone() } else { Vec::new() },
            ..FeedCounts::default()
        };
    }
}

/// A frame of the tap with the FCS that it had on a wire.
fn arrive(frame: &Frame<'_>, intake: &mut dyn Intake) {
    if frame.lost_before > 0 {
        intake.lost(frame.port, frame.lost_before);
    }
    let [a, b, c, d, e] = frame.pieces();
    // The FCS belongs behind the last byte of the frame: a cut one has none.
    let fcs = if frame.truncated() {
        [0; 4]
    } else {
        let mut crc = erf_core::fcs::Ethernet::new();
        for piece in [a, b, c, d, e] {
            crc.update(piece);
        }
        crc.finish().to_le_bytes()
    };
    let wire_len = frame.wire_len.saturating_add(4);
    intake.arrive(&Arrival {
        port: frame.port,
        // A kernel clock past 2106 has no ERF stamp; the last one says so.
        time: Timestamp::from_nanos(frame.kernel_ns, Fraction::Ceil).unwrap_or(Timestamp::MAX),
        record_type: RecordType::ETH,
        // Longer than a record can be: whoever reads it must know.
        flags: Flags::default().with_truncated(frame.over_limit),
        color: 0,
        wire_len: u16::try_from(wire_len).unwrap_or(u16::MAX),
        ext: &[],
        sub_header: &[0, 0],
        packet: [a, b, c, d, e, if frame.truncated() { &[] } else { &fcs }],
    });
}
