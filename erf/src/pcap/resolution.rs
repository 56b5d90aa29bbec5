//! Units of packet stamps, and their exact way to and from ERF time.

use erf_core::{Rounding, Timestamp};

/// Unit of the stamps of a file or interface: a power of ten or of two of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolution(u8);

const POWER_OF_TWO: u8 = 0x80;

impl Resolution {
    /// 10^-6 s, what classic pcap and pcapng have unless they say otherwise.
    pub const MICROS: Resolution = Resolution(6);
    /// 10^-9 s.
    pub const NANOS: Resolution = Resolution(9);
    /// 2^-32 s, the unit of ERF itself: stamps stay exact. Wireshark cuts them to nanoseconds where it
    /// rounds those of ERF files, so that half of them look 1 ns earlier there.
    pub const ERF: Resolution = Resolution(POWER_OF_TWO | 32);

    /// From the byte of the pcapng option `if_tsresol`. `None` for a unit too small for 64 bits.
    pub fn from_byte(byte: u8) -> Option<Resolution> {
        let fits = if byte & POWER_OF_TWO == 0 { byte <= 19 } else { byte & !POWER_OF_TWO <= 63 };
        fits.then_some(Resolution(byte))
    }

    /// The byte of the pcapng option `if_tsresol`.
    pub fn byte(self) -> u8 {
        self.0
    }

    /// Units in a second.
    pub fn per_second(self) -> u64 {
        match self.0 & POWER_OF_TWO {
            0 => 10u64.pow(u32::from(self.0.min(19))),
            _ => 1 << (self.0 & 0x3F),
        }
    }

    /// The ERF time of `units` since 1970 plus `offset` seconds; `None` outside 1970..2106.
    ///
    /// Rounds up to the next 2^-32 s, so that the unit's value comes back under either public rounding
    /// rule (`erf-format.md` section 3.3). Powers of two down to 2^-32 are exact.
    pub fn to_timestamp(self, units: u64, offset: i64) -> Option<Timestamp> {
        // 64 + 32 bits, and then 64 + 32 bits signed: both far inside an i128.
        let shifted = (u128::from(units) << 32).div_ceil(u128::from(self.per_second()));
        let raw = i128::try_from(shifted).ok()? + (i128::from(offset) << 32);
        u64::try_from(raw).ok().map(Timestamp::from_raw)
    }

    /// The units since 1970 of an ERF time, rounded to the nearest as Wireshark and libpcap do
    /// (section 3.2). Saturates where 64 bits end.
    pub fn from_timestamp(self, timestamp: Timestamp) -> u64 {
        self.rounded(timestamp, Rounding::HalfUp)
    }

    /// As [`from_timestamp`](Resolution::from_timestamp), by the rule of one's choice.
    #[inline]
    pub fn rounded(self, timestamp: Timestamp, rounding: Rounding) -> u64 {
        match self {
            Resolution::NANOS => timestamp.to_nanos(rounding),
            Resolution::MICROS => timestamp.to_micros(rounding),
            Resolution::ERF => timestamp.raw(),
            _ => {
                let scaled = u128::from(timestamp.raw()) * u128::from(self.per_second());
                let half = if rounding == Rounding::Truncate { 0 } else { 1 << 31 };
                u64::try_from((scaled + half) >> 32).unwrap_or(u64::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_a_second() {
        assert_eq!(Resolution::MICROS.per_second(), 1_000_000);
        assert_eq!(Resolution::from_byte(19).unwrap().per_second(), 10u64.pow(19));
        assert_eq!(Resolution::from_byte(0xBF).unwrap().per_second(), 1 << 63);
        assert_eq!(Resolution::from_byte(20), None);
        assert_eq!(Resolution::from_byte(0xC0), None);
        assert_eq!(Resolution::ERF.byte(), 0xA0);
    }

    #[test]
    fn offsets_move_seconds_and_the_range_is_checked() {
        let seconds = Resolution::from_byte(0).unwrap();
        assert_eq!(seconds.to_timestamp(10, -3), Some(Timestamp::from_parts(7, 0)));
        assert_eq!(seconds.to_timestamp(10, -11), None);
        assert_eq!(seconds.to_timestamp(1 << 32, 0), None);
        assert_eq!(seconds.to_timestamp(u64::MAX, i64::MIN), None);
        assert_eq!(seconds.to_timestamp((1 << 32) - 1, 0), Some(Timestamp::from_parts(u32::MAX, 0)));
    }

    proptest::proptest! {
        #[test]
        fn every_unit_comes_back(secs in 0u64..1 << 32, part: u64, byte in 0u8..=255) {
            let Some(resolution) = Resolution::from_byte(byte) else { return Ok(()) };
            // What is finer than ERF time cannot come back.
            let per_second = resolution.per_second();
            proptest::prop_assume!(per_second <= 1 << 32);
            let units = secs * per_second + part % per_second;
            let timestamp = resolution.to_timestamp(units, 0).unwrap();
            proptest::prop_assert_eq!(u64::from(timestamp.secs()), secs);
            proptest::prop_assert_eq!(resolution.from_timestamp(timestamp), units);
            // The other public rule, truncation, gives the same.
            let truncated = (u128::from(timestamp.raw()) * u128::from(per_second)) >> 32;
            proptest::prop_assert_eq!(truncated, u128::from(units));
        }

        #[test]
        fn erf_time_is_exact(raw: u64) {
            let timestamp = Timestamp::from_raw(raw);
            let units = Resolution::ERF.from_timestamp(timestamp);
            proptest::prop_assert_eq!(Resolution::ERF.to_timestamp(units, 0), Some(timestamp));
        }
    }
}
