//! [`Rate`]: how fast a synthetic feed is, and [`Schedule`], which says when each of its packets is due.

use std::fmt;
use std::str::FromStr;

use erf_core::TimeDelta;

use crate::units::{Decimal, NumberError};

/// Bytes between two frames on the wire: 8 of preamble and start delimiter, 12 of gap at least (IEEE 802.3).
const BETWEEN_FRAMES: u64 = 20;
const MAX_PPS: u64 = 1_000_000_000;
const MAX_BPS: u64 = 1_000_000_000_000;

/// How fast the packets of a feed come, over all its ports together.
///
/// | written | packets |
/// |---|---|
/// | `max` | as fast as the machine can |
/// | `1000pps`, `1.5Mpps` | so many a second, evenly |
/// | `10Gbps`, `100kbps` | as many as fit a wire of so many bits a second: a packet takes its length with FCS and 20 bytes of preamble and gap |
///
/// `k`, `M` and `G` are powers of 1000, and case does not matter. At most 1 Gpps and 1 Tbps. The default is `1000pps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Max,
    Packets(u64),
    Bits(u64),
}

/// Why a rate could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// It does not begin with a number, nor is it `max`.
    #[error("{text:?} is not a rate: {reason}; write max, 1000pps, 2Mpps or 10Gbps")]
    Number {
        /// As written.
        text: String,
        /// What is wrong with the number.
        reason: NumberError,
    },
    /// The number is followed by something that is no unit.
    #[error("{text:?} is not a rate: there is no unit {unit:?}; the units are pps and bps, with k, M or G before them")]
    Unit {
        /// As written.
        text: String,
        /// What stands where the unit should.
        unit: String,
    },
    /// A number without a unit.
    #[error("{text:?} is not a rate: add pps (packets per second) or bps (bits per second), as in {text}pps")]
    NoUnit {
        /// As written.
        text: String,
    },
    /// Not a whole number.
    #[error("{text:?} is not a whole number of {unit}")]
    Fraction {
        /// As written.
        text: String,
        /// `pps` or `bps`.
        unit: &'static str,
    },
    /// Zero.
    #[error("a rate of 0 would never send a packet; to stop a feed, stop its streams")]
    Zero,
    /// Faster than any wire.
    #[error("a rate of {rate} {unit} is too high: at most {most} {unit}; write max for as fast as the machine can")]
    TooHigh {
        /// The rate asked for.
        rate: u128,
        /// `pps` or `bps`.
        unit: &'static str,
        /// The most there can be.
        most: u64,
    },
}

impl Rate {
    /// As fast as the machine can.
    pub const MAX: Self = Self(Kind::Max);

    /// `rate` packets per second.
    ///
    /// # Errors
    /// [`RateError::Zero`], and [`RateError::TooHigh`] above 10^9.
    pub fn packets_per_second(rate: u64) -> Result<Self, RateError> {
        check(u128::from(rate), "pps", MAX_PPS).map(|rate| Self(Kind::Packets(rate)))
    }

    /// `rate` bits per second, preamble and gap counted.
    ///
    /// # Errors
    /// [`RateError::Zero`], and [`RateError::TooHigh`] above 10^12.
    pub fn bits_per_second(rate: u64) -> Result<Self, RateError> {
        check(u128::from(rate), "bps", MAX_BPS).map(|rate| Self(Kind::Bits(rate)))
    }

    /// Whether it counts bits, so that it depends on the lengths of packets when they come.
    #[must_use]
    pub const fn is_bits(self) -> bool {
        matches!(self.0, Kind::Bits(_))
    }

    /// Whether it is as fast as the machine can.
    #[must_use]
    pub const fn is_max(self) -> bool {
        matches!(self.0, Kind::Max)
    }
}

fn check(rate: u128, unit: &'static str, most: u64) -> Result<u64, RateError> {
    match u64::try_from(rate) {
        Ok(0) => Err(RateError::Zero),
        Ok(rate) if rate <= most => Ok(rate),
        _ => Err(RateError::TooHigh { rate, unit, most }),
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self(Kind::Packets(1000))
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::MAX);
        }
        let number = |reason| RateError::Number { text: text.to_owned(), reason };
        let (number, suffix) = Decimal::read(text).map_err(number)?;
        let lower = suffix.to_ascii_lowercase();
        let (prefix, unit) = match (lower.strip_suffix("pps"), lower.strip_suffix("bps")) {
            (Some(prefix), _) => (prefix, Some("pps")),
            (None, Some(prefix)) => (prefix, Some("bps")),
            (None, None) => (lower.as_str(), None),
        };
        let scale = match prefix {
            "" => 1,
            "k" => 1_000,
            "m" => 1_000_000,
            "g" => 1_000_000_000,
            _ => return Err(RateError::Unit { text: text.to_owned(), unit: suffix.to_owned() }),
        };
        let unit = unit.ok_or_else(|| RateError::NoUnit { text: text.to_owned() })?;
        let rate = number.times(scale).ok_or_else(|| RateError::Fraction { text: text.to_owned(), unit })?;
        Ok(Self(match unit {
            "pps" => Kind::Packets(check(rate, unit, MAX_PPS)?),
            _ => Kind::Bits(check(rate, unit, MAX_BPS)?),
        }))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, unit) = match self.0 {
            Kind::Max => return f.write_str("max"),
            Kind::Packets(rate) => (rate, "pps"),
            Kind::Bits(rate) => (rate, "bps"),
        };
        // 1000pps is how people say it.
        for (scale, prefix) in [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] {
            if rate != 1_000 && rate.is_multiple_of(scale) {
                return write!(f, "{}{prefix}{unit}", rate / scale);
            }
        }
        write!(f, "{rate}{unit}")
    }
}

/// The due times of the packets of a feed, one after another, exact for as long as it runs: what is left over when a time is
/// cut to 2^-32 s goes into the next one.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    rate: Rate,
    /// Time of the next packet since the start, in 2^-32 s, cut.
    due: u64,
    /// What was cut, in 2^-32 s divided by the rate.
    rest: u64,
}

impl Schedule {
    /// The first packet is due at once.
    pub(super) const fn new(rate: Rate) -> Self {
        Self { rate, due: 0, rest: 0 }
    }

    /// The next packet is due at once.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.rate);
    }

    /// When the next packet is due, since the start.
    #[inline]
    pub(super) fn due(&self) -> TimeDelta {
        // The feed has run for 68 years when this is held.
        TimeDelta::from_raw(i64::try_from(self.due).unwrap_or(i64::MAX))
    }

    /// Goes on to the packet after one of `size` bytes, FCS included.
    #[inline]
    pub(super) fn sent(&mut self, size: u16) {
        // Time is `units / rate` seconds: at most 2^17 units, so that shifted it stays below 2^49.
        let (units, rate) = match self.rate.0 {
            Kind::Max => return,
            Kind::Packets(rate) => (1, rate),
            Kind::Bits(rate) => ((u64::from(size) + BETWEEN_FRAMES) * 8, rate),
        };
        let scaled = units << 32;
        self.due = self.due.saturating_add(scaled / rate);
        self.rest += scaled % rate;
        if self.rest >= rate {
            self.rest -= rate;
            self.due = self.due.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_to_write_a_rate() {
        for (text, rate, shown) in [
            ("max", Ok(Rate::MAX), "max"),
            ("MAX", Ok(Rate::MAX), "max"),
            ("1000pps", Rate::packets_per_second(1000), "1000pps"),
            ("1kpps", Rate::packets_per_second(1000), "1000pps"),
            ("2Mpps", Rate::packets_per_second(2_000_000), "2Mpps"),
            ("1.5mPPS", Rate::packets_per_second(1_500_000), "1500kpps"),
            ("14880952pps", Rate::packets_per_second(14_880_952), "14880952pps"),
            ("1gpps", Rate::packets_per_second(1_000_000_000), "1Gpps"),
            ("10Gbps", Rate::bits_per_second(10_000_000_000), "10Gbps"),
            ("100kbps", Rate::bits_per_second(100_000), "100kbps"),
            ("1000gbps", Rate::bits_per_second(1_000_000_000_000), "1000Gbps"),
        ] {
            assert_eq!(text.parse(), rate, "{text}");
            assert_eq!(rate.unwrap().to_string(), shown);
        }
        assert_eq!(Rate::default().to_string(), "1000pps");
    }

    #[test]
    fn wrong_rates_are_refused_with_the_way_out() {
        for (text, part) in [
            ("", "write max, 1000pps"),
            ("fast", "write max, 1000pps"),
            ("-1pps", "write max, 1000pps"),
            ("1000", "add pps (packets per second) or bps (bits per second), as in 1000pps"),
            ("10G", "add pps (packets per second) or bps"),
            ("10Gbit", "no unit \"Gbit\""),
            ("10 Gbps", "no unit \" Gbps\""),
            ("10Tbps", "no unit \"Tbps\""),
            ("0pps", "never send a packet"),
            ("0.0Gbps", "never send a packet"),
            ("0.5pps", "not a whole number of pps"),
            ("1000000001pps", "at most 1000000000 pps"),
            ("2Gpps", "at most 1000000000 pps"),
            ("1001Gbps", "at most 1000000000000 bps"),
            ("999999999999999999Gbps", "at most 1000000000000 bps"),
            ("99999999999999999999bps", "at most 19 digits"),
        ] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_full_wire_carries_the_textbook_packet_rate() {
        // 10 Gbit/s of 64-byte frames are 14 880 952.38 packets per second.
        let mut schedule = Schedule::new("10Gbps".parse().unwrap());
        let mut count = 0;
        while schedule.due() < TimeDelta::from_raw((1 << 32) / 100) {
            schedule.sent(64);
            count += 1;
        }
        assert_eq!(count, 148_810);
    }

    #[test]
    fn days_do_not_make_it_drift() {
        // A second at 3 packets per second is a second, however often.
        let mut schedule = Schedule::new("3pps".parse().unwrap());
        for _ in 0..3 * 86_400 * 10 {
            schedule.sent(64);
        }
        assert_eq!(schedule.due(), TimeDelta::from_raw((86_400 * 10) << 32));
    }

    proptest! {
        #[test]
        fn packet_k_is_due_at_k_divided_by_the_rate(rate in 1u64..=MAX_PPS, packets in 0u64..2_000) {
            let mut schedule = Schedule::new(Rate::packets_per_second(rate).unwrap());
            for _ in 0..packets {
                schedule.sent(64);
            }
            let exact = (u128::from(packets) << 32) / u128::from(rate);
            prop_assert_eq!(schedule.due().raw() as u128, exact);
        }

        #[test]
        fn a_packet_is_due_when_the_wire_is_free(
            rate in 1u64..=MAX_BPS, sizes in proptest::collection::vec(64u16..=9600, 0..500),
        ) {
            let mut schedule = Schedule::new(Rate::bits_per_second(rate).unwrap());
            let mut bits = 0u128;
            for size in &sizes {
                prop_assert!(schedule.due().raw() as u128 == (bits << 32) / u128::from(rate));
                schedule.sent(*size);
                bits += (u128::from(*size) + 20) * 8;
            }
            let exact = ((bits << 32) / u128::from(rate)).min(i64::MAX as u128);
            prop_assert_eq!(schedule.due().raw() as u128, exact);
        }

        #[test]
        fn a_rate_is_read_back_as_shown(rate in 1u64..=MAX_BPS, zeros in 0u32..12) {
            let unit = 10u64.pow(zeros);
            let rate = (rate / unit).max(1) * unit;
            let bits = Rate::bits_per_second(rate).unwrap();
            prop_assert_eq!(bits.to_string().parse(), Ok(bits));
            let packets = Rate::packets_per_second(rate.min(MAX_PPS)).unwrap();
            prop_assert_eq!(packets.to_string().parse(), Ok(packets));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}|[0-9]{0,20}[.]?[0-9]{0,3}[kKmMgG]?[pb]?(ps)?") {
            let _ = text.parse::<Rate>();
        }
    }
}
