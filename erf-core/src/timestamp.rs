//! [`Timestamp`]: the raw 32.32 value, and the two public rules for turning it into nanoseconds.

use core::fmt;
use core::ops::{Add, Sub};

const NANOS_PER_SEC: u64 = 1_000_000_000;
const MICROS_PER_SEC: u64 = 1_000_000;

/// An ERF timestamp: unsigned 32.32 fixed point, Unix seconds above the point.
///
/// Order, equality and subtraction work on the raw 64-bit integer, so nothing is lost by comparing
/// or sorting; conversion to nanoseconds is explicit and names its rounding. Seconds are unsigned
/// and last until 2106. On the wire and in files the value is **little-endian**, unlike every
/// other header field. Source: `erf-format.md` section 3.
///
/// ```
/// use erf_core::{Rounding, Timestamp};
///
/// let ts = Timestamp::from_raw(0x4148_d781_002f_4700);
/// assert_eq!(ts.secs(), 1_095_292_801);
/// assert_eq!(ts.to_nanos(Rounding::HalfUp), 1_095_292_801_000_721_395);
/// assert_eq!(ts.to_string(), "1095292801.000721395");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Timestamp(u64);

/// How a timestamp becomes a whole number of nanoseconds or microseconds (`erf-format.md` 3.2).
///
/// The two rules differ by one unit on about half of all real timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Rounding {
    /// Nearest, ties up, carrying into the seconds: Wireshark, libpcap, Scapy. The default.
    #[default]
    HalfUp,
    /// Toward zero: libtrace.
    Truncate,
}

/// How nanoseconds become the binary fraction (`erf-format.md` 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Fraction {
    /// Up: gives the same nanosecond back under both [`Rounding`] rules. The default.
    #[default]
    Ceil,
    /// Down: the bytes that Wireshark and libtrace write.
    Floor,
}

/// A signed difference of two timestamps, in units of 2^-32 s (about 0.233 ns).
///
/// The range is about plus or minus 68 years, enough for any two timestamps of one capture;
/// differences beyond it saturate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct TimeDelta(i64);

impl Timestamp {
    /// 1970-01-01 00:00:00 UTC, the smallest value.
    pub const ZERO: Self = Self(0);
    /// The largest value, in 2106.
    pub const MAX: Self = Self(u64::MAX);

    /// From the raw 32.32 integer.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// From Unix seconds and a fraction in units of 2^-32 s.
    pub const fn from_parts(secs: u32, frac: u32) -> Self {
        Self(((secs as u64) << 32) | frac as u64)
    }

    /// From the 8 bytes of a record header (little-endian).
    pub const fn from_le_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// The 8 bytes of a record header (little-endian).
    pub const fn to_le_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    /// The raw 32.32 integer.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, unsigned.
    pub const fn secs(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The fraction, in units of 2^-32 s.
    pub const fn frac(self) -> u32 {
        self.0 as u32
    }

    /// Nanoseconds since the Unix epoch.
    ///
    /// Rounding up may carry into the seconds, up to 2^32 seconds, which the result holds.
    pub const fn to_nanos(self, rounding: Rounding) -> u64 {
        self.to_units(NANOS_PER_SEC, rounding)
    }

    /// Microseconds since the Unix epoch.
    pub const fn to_micros(self, rounding: Rounding) -> u64 {
        self.to_units(MICROS_PER_SEC, rounding)
    }

    /// Nanoseconds since the Unix epoch by the default rule, [`Rounding::HalfUp`].
    pub const fn nanos(self) -> u64 {
        self.to_nanos(Rounding::HalfUp)
    }

    const fn to_units(self, per_sec: u64, rounding: Rounding) -> u64 {
        // frac * 10^9 < 2^62: no overflow, and neither with the half added.
        let scaled = self.frac() as u64 * per_sec;
        let part = match rounding {
            Rounding::HalfUp => (scaled + (1 << 31)) >> 32,
            Rounding::Truncate => scaled >> 32,
        };
        self.secs() as u64 * per_sec + part
    }

    /// From nanoseconds since the Unix epoch; `None` past 2106.
    pub const fn from_nanos(nanos: u64, fraction: Fraction) -> Option<Self> {
        Self::from_units(nanos, NANOS_PER_SEC, fraction)
    }

    /// From microseconds since the Unix epoch; `None` past 2106.
    pub const fn from_micros(micros: u64, fraction: Fraction) -> Option<Self> {
        Self::from_units(micros, MICROS_PER_SEC, fraction)
    }

    const fn from_units(value: u64, per_sec: u64, fraction: Fraction) -> Option<Self> {
        let secs = value / per_sec;
        if secs > u32::MAX as u64 {
            return None;
        }
        let shifted = (value % per_sec) << 32;
        // Never carries: the remainder is at most per_sec - 1.
        let frac = match fraction {
            Fraction::Ceil => shifted.div_ceil(per_sec),
            Fraction::Floor => shifted / per_sec,
        };
        Some(Self((secs << 32) | frac))
    }

    /// This time moved by `delta`; `None` when it would leave 1970..2106.
    pub const fn checked_add(self, delta: TimeDelta) -> Option<Self> {
        match self.0.checked_add_signed(delta.0) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// This time moved by `delta`, held at 1970 and 2106.
    pub const fn saturating_add(self, delta: TimeDelta) -> Self {
        Self(self.0.saturating_add_signed(delta.0))
    }

    /// `self - earlier` as a signed difference, saturating at about 68 years.
    pub const fn since(self, earlier: Self) -> TimeDelta {
        let forward = self.0.wrapping_sub(earlier.0);
        if self.0 >= earlier.0 {
            TimeDelta(if forward > i64::MAX as u64 { i64::MAX } else { forward as i64 })
        } else {
            let back = forward.wrapping_neg();
            TimeDelta(if back > i64::MAX as u64 { i64::MIN } else { -(back as i64) })
        }
    }
}

#[cfg(feature = "std")]
impl Timestamp {
    /// From the system clock's type, by [`Fraction::Ceil`]; `None` before 1970 or past 2106.
    pub fn from_system_time(time: std::time::SystemTime) -> Option<Self> {
        let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        Self::from_nanos(u64::try_from(since.as_nanos()).ok()?, Fraction::Ceil)
    }

    /// As the system clock's type, rounded to nanoseconds by [`Rounding::HalfUp`].
    pub fn to_system_time(self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH + std::time::Duration::from_nanos(self.nanos())
    }

    /// The system clock now.
    pub fn now() -> Self {
        // Before 1970 or past 2106 the host clock is unusable; the nearest end says so.
        Self::from_system_time(std::time::SystemTime::now()).unwrap_or(Self::ZERO)
    }
}

impl Sub for Timestamp {
    type Output = TimeDelta;

    /// Signed difference on the raw integers; saturates at about 68 years.
    fn sub(self, earlier: Self) -> TimeDelta {
        self.since(earlier)
    }
}

impl Add<TimeDelta> for Timestamp {
    type Output = Self;

    /// Held at 1970 and 2106; see [`Timestamp::checked_add`].
    fn add(self, delta: TimeDelta) -> Self {
        self.saturating_add(delta)
    }
}

/// Seconds with nine decimals, by [`Rounding::HalfUp`], as Wireshark prints it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.nanos();
        write!(f, "{}.{:09}", nanos / NANOS_PER_SEC, nanos % NANOS_PER_SEC)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({:#018x} = {self})", self.0)
    }
}

impl TimeDelta {
    /// No difference.
    pub const ZERO: Self = Self(0);

    /// From the raw value in units of 2^-32 s.
    pub const fn from_raw(raw: i64) -> Self {
        Self(raw)
    }

    /// The raw value in units of 2^-32 s.
    pub const fn raw(self) -> i64 {
        self.0
    }

    /// From nanoseconds, rounded to the nearest unit; saturates at about 68 years.
    pub const fn from_nanos(nanos: i64) -> Self {
        let scaled = ((nanos as i128) << 32) + (NANOS_PER_SEC as i128 / 2);
        let raw = scaled.div_euclid(NANOS_PER_SEC as i128);
        Self(if raw > i64::MAX as i128 {
            i64::MAX
        } else if raw < i64::MIN as i128 {
            i64::MIN
        } else {
            raw as i64
        })
    }

    /// Nanoseconds, rounded to the nearest, ties up.
    pub const fn to_nanos(self) -> i64 {
        // |raw| * 10^9 / 2^32 < 2^61: always fits.
        ((self.0 as i128 * NANOS_PER_SEC as i128 + (1 << 31)) >> 32) as i64
    }

    /// The magnitude; saturates at the largest value.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }
}

/// Seconds with nine decimals and a sign where negative.
impl fmt::Display for TimeDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.to_nanos();
        let (sign, size) = if nanos < 0 { ("-", nanos.unsigned_abs()) } else { ("", nanos as u64) };
        write!(f, "{sign}{}.{:09}", size / NANOS_PER_SEC, size % NANOS_PER_SEC)
    }
}

impl fmt::Debug for TimeDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeDelta({} = {self} s)", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn the_two_rules_differ_and_only_one_carries() {
        let ts = Timestamp::from_parts(7, 0xFFFF_FFFF);
        assert_eq!(ts.to_nanos(Rounding::HalfUp), 8_000_000_000);
        assert_eq!(ts.to_nanos(Rounding::Truncate), 7_999_999_999);
        assert_eq!(Timestamp::from_parts(7, 0xFFFF_FFFE).nanos(), 8_000_000_000);
        assert_eq!(Timestamp::from_parts(7, 0xFFFF_FFFD).nanos(), 7_999_999_999);
        assert_eq!(ts.to_micros(Rounding::HalfUp), 8_000_000);
        assert_eq!(ts.to_micros(Rounding::Truncate), 7_999_999);
    }

    #[test]
    fn the_carry_past_2106_is_kept() {
        let secs = u64::from(u32::MAX) + 1;
        assert_eq!(Timestamp::MAX.nanos(), secs * NANOS_PER_SEC);
        assert_eq!(Timestamp::from_nanos(secs * NANOS_PER_SEC, Fraction::Ceil), None);
        assert!(Timestamp::from_nanos(secs * NANOS_PER_SEC - 1, Fraction::Ceil).is_some());
    }

    #[test]
    fn seconds_are_unsigned() {
        let ts = Timestamp::from_le_bytes([0, 0, 0, 0x80, 0, 0, 0, 0x80]);
        assert_eq!(ts.secs(), 0x8000_0000);
        assert_eq!(ts.to_string(), "2147483648.500000000");
    }

    #[test]
    fn differences_saturate_instead_of_wrapping() {
        assert_eq!((Timestamp::MAX - Timestamp::ZERO).raw(), i64::MAX);
        assert_eq!((Timestamp::ZERO - Timestamp::MAX).raw(), i64::MIN);
        assert_eq!((Timestamp::from_raw(5) - Timestamp::from_raw(9)).raw(), -4);
        assert_eq!(TimeDelta::from_nanos(-1).to_string(), "-0.000000001");
    }

    #[cfg(feature = "std")]
    #[test]
    fn system_time_keeps_the_nanosecond() {
        let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_700_000_000, 123_456_789);
        let ts = Timestamp::from_system_time(time).unwrap();
        assert_eq!(ts.to_system_time(), time);
    }

    proptest! {
        #[test]
        fn ceil_gives_the_nanosecond_back_under_both_rules(secs in any::<u32>(), n in 0u64..1_000_000_000) {
            let nanos = u64::from(secs) * NANOS_PER_SEC + n;
            let ts = Timestamp::from_nanos(nanos, Fraction::Ceil).unwrap();
            prop_assert_eq!(ts.to_nanos(Rounding::HalfUp), nanos);
            prop_assert_eq!(ts.to_nanos(Rounding::Truncate), nanos);
            let floor = Timestamp::from_nanos(nanos, Fraction::Floor).unwrap();
            prop_assert_eq!(floor.to_nanos(Rounding::HalfUp), nanos);
        }

        #[test]
        fn conversion_keeps_order(a in any::<u64>(), b in any::<u64>()) {
            let (a, b) = (Timestamp::from_raw(a), Timestamp::from_raw(b));
            for rule in [Rounding::HalfUp, Rounding::Truncate] {
                prop_assert!(a > b || a.to_nanos(rule) <= b.to_nanos(rule));
            }
        }

        #[test]
        fn adding_a_difference_comes_back(b in any::<u64>(), d in -i64::MAX..i64::MAX) {
            let (a, b) = (Timestamp::from_raw(b.saturating_add_signed(d)), Timestamp::from_raw(b));
            let delta = a - b;
            prop_assert_eq!(b + delta, a);
        }

        #[test]
        fn delta_nanos_round_trip(n in -2_147_483_647_000_000_000i64..2_147_483_647_000_000_000) {
            let delta = TimeDelta::from_nanos(n);
            prop_assert_eq!(delta.to_nanos(), n);
        }
    }
}
