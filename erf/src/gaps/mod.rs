//! Times between packets, and bursts: how full the link is over windows of microseconds.
//!
//! ```
//! use erf::gaps::Gaps;
//! use erf::{Fraction, Record, RecordBuilder, RecordType, Timestamp};
//!
//! let mut gaps = Gaps::new(&[1_000, 1_000_000])?;
//! for nanos in [0, 672, 1_344, 500_000] {
//!     let stamp = Timestamp::from_nanos(nanos, Fraction::Ceil).unwrap();
//!     let bytes = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 64]).to_vec()?;
//!     gaps.add(&Record::parse(&bytes)?);
//! }
//! let port = gaps.interface(0).unwrap();
//! assert_eq!((port.histogram().len(), port.extremes()), (3, Some((672, 498_656))));
//! // Two frames of 64 bytes, each with 20 of preamble and gap, in a window of a microsecond.
//! assert_eq!((port.bursts()[0].peak().bytes, port.bursts()[1].peak().bytes), (168, 336));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod burst;
#[cfg(test)]
mod tests;

use std::fmt;

use erf_core::{Record, Timestamp};
use hdrhistogram::Histogram;

pub use burst::{Bursts, Peak};

use crate::{Error, ErrorKind};

/// Significant decimal digits of histograms.
const DIGITS: u8 = 3;

/// Preamble, start delimiter and the least gap between frames: what an Ethernet frame takes on the wire besides its own bytes.
/// IEEE 802.3.
pub const ETHERNET_OVERHEAD: u64 = 20;

/// Gaps and bursts of each interface, and of all together.
#[derive(Debug)]
pub struct Gaps {
    windows: Vec<u64>,
    interfaces: [Option<Box<Side>>; 8],
    all: Box<Side>,
}

/// Gaps and bursts of one interface, or of all.
pub struct Side {
    packets: u64,
    wire_bytes: u64,
    line_bytes: u64,
    first: Option<Timestamp>,
    last: Timestamp,
    latest: Timestamp,
    backward: u64,
    histogram: Histogram<u64>,
    extremes: Option<(u64, u64)>,
    bursts: Vec<Bursts>,
}

impl Gaps {
    /// Bursts are looked for in windows of these lengths, in nanoseconds; of 0 there are none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a window of 0, or of more than a minute.
    pub fn new(windows: &[u64]) -> Result<Self, Error> {
        if windows.iter().any(|window| !(1..=60_000_000_000).contains(window)) {
            return Err(Error::new(ErrorKind::InvalidInput, "a window for bursts is between 1 ns and 60 s"));
        }
        let all = Box::new(Side::new(windows)?);
        Ok(Self { windows: windows.to_vec(), interfaces: Default::default(), all })
    }

    /// Adds the next record; META and PAD are no packets.
    pub fn add(&mut self, record: &Record<'_>) {
        if !record.is_packet() {
            return;
        }
        self.all.add(record);
        if let Some(slot) = self.interfaces.get_mut(usize::from(record.interface())) {
            if slot.is_none() {
                *slot = Side::new(&self.windows).ok().map(Box::new);
            }
            if let Some(side) = slot {
                side.add(record);
            }
        }
    }

    /// Of one interface, 0 to 7; `None` where it had no packet.
    pub fn interface(&self, number: u8) -> Option<&Side> {
        self.interfaces.get(usize::from(number))?.as_deref()
    }

    /// Of all interfaces, as if they were one.
    pub const fn all(&self) -> &Side {
        &self.all
    }
}

impl Side {
    fn new(windows: &[u64]) -> Result<Self, Error> {
        let histogram = Histogram::new(DIGITS)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, format!("no histogram: {error}")))?;
        Ok(Self {
            packets: 0,
            wire_bytes: 0,
            line_bytes: 0,
            first: None,
            last: Timestamp::ZERO,
            latest: Timestamp::ZERO,
            backward: 0,
            histogram,
            extremes: None,
            bursts: windows.iter().map(|window| Bursts::new(*window)).collect(),
        })
    }

    fn add(&mut self, record: &Record<'_>) {
        let stamp = record.timestamp();
        let wire = u64::from(record.wire_len());
        let overhead = if record.record_type().is_ethernet() { ETHERNET_OVERHEAD } else { 0 };
        if self.first.is_some() {
            // Differences of the raw values: two roundings to nanoseconds would add up.
            match u64::try_from((stamp - self.last).to_nanos()) {
                // The histogram grows as it must, so that every gap is recorded.
                Ok(gap) if stamp >= self.last && self.histogram.record(gap).is_ok() => {
                    let (least, most) = self.extremes.unwrap_or((gap, gap));
                    self.extremes = Some((least.min(gap), most.max(gap)));
                }
                _ => self.backward += 1,
            }
        }
        self.first = Some(self.first.map_or(stamp, |first| first.min(stamp)));
        self.last = stamp;
        self.latest = self.latest.max(stamp);
        self.packets += 1;
        self.wire_bytes += wire;
        self.line_bytes += wire + overhead;
        for bursts in &mut self.bursts {
            bursts.add(stamp, wire + overhead);
        }
    }

    /// Packets.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes of the packets on the wire.
    pub const fn wire_bytes(&self) -> u64 {
        self.wire_bytes
    }

    /// Bytes of line time: the same, and 20 more for each Ethernet frame.
    pub const fn line_bytes(&self) -> u64 {
        self.line_bytes
    }

    /// Earliest and latest stamp.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.first.map(|first| (first, self.latest))
    }

    /// Packets stamped earlier than the one before them: there is no gap before these.
    pub const fn backward_steps(&self) -> u64 {
        self.backward
    }

    /// The least and the greatest gap in nanoseconds, exactly; `None` where there is none.
    pub const fn extremes(&self) -> Option<(u64, u64)> {
        self.extremes
    }

    /// Times from one packet to the next, in nanoseconds, to three digits.
    pub const fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Bursts, in the order in which windows were given.
    pub fn bursts(&self) -> &[Bursts] {
        &self.bursts
    }
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side")
            .field("packets", &self.packets)
            .field("line_bytes", &self.line_bytes)
            .field("backward", &self.backward)
            .finish_non_exhaustive()
    }
}
