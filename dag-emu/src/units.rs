//! Sizes, times and rates as people write them: `64MiB`, `250ms`, `1/1000`.
//!
//! Numbers are read exactly, as decimals, never through floating point: what is written is what is meant, or it is refused.

use std::fmt;
use std::time::Duration;

use erf_core::TimeDelta;

/// Digits of a number, decimals included; more are refused. Any such number fits `u64`.
const MAX_DIGITS: usize = 19;
const NANOS_PER_SEC: u128 = 1_000_000_000;

/// Why a size or a time could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// It does not begin with a number.
    #[error("{text:?} is not a {what}: {reason}; {hint}", hint = .what.hint())]
    Number {
        /// What was to be read.
        what: Quantity,
        /// As written.
        text: String,
        /// What is wrong with the number.
        reason: NumberError,
    },
    /// The number is followed by something that is no unit.
    #[error("{text:?} is not a {what}: there is no unit {unit:?}; {hint}", hint = .what.hint())]
    Unit {
        /// What was to be read.
        what: Quantity,
        /// As written.
        text: String,
        /// What stands where the unit should.
        unit: String,
    },
    /// A time without a unit.
    #[error("{text:?} has no unit; {hint}", hint = .what.hint())]
    NoUnit {
        /// What was to be read.
        what: Quantity,
        /// As written.
        text: String,
    },
    /// Not a whole number of what it is counted in.
    #[error("{text:?} is not a whole number of {counted}; write it in a smaller unit")]
    Fraction {
        /// As written.
        text: String,
        /// Bytes or nanoseconds.
        counted: &'static str,
    },
    /// More than can be held.
    #[error("{text:?} is too large; {limit}")]
    TooLarge {
        /// As written.
        text: String,
        /// The most there can be.
        limit: &'static str,
    },
    /// A negative value where there is none.
    #[error("{text:?} is negative; a {what} is not")]
    Negative {
        /// What was to be read.
        what: Quantity,
        /// As written.
        text: String,
    },
}

/// What a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantity {
    /// A number of bytes.
    Size,
    /// A signed time.
    Time,
    /// A length of time.
    Duration,
}

impl Quantity {
    const fn hint(self) -> &'static str {
        match self {
            Self::Size => {
                "write bytes, or a number with k, M, G, T (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024)"
            }
            Self::Time | Self::Duration => "write a number with ns, us, ms, s, m or h, such as 250ms",
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "size",
            Self::Time => "time",
            Self::Duration => "duration",
        })
    }
}

/// What is wrong with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumberError {
    /// No digit where one must be.
    #[error("a number begins with a digit, and has one after its point")]
    NoDigits,
    /// More digits than anything here can need.
    #[error("a number has at most {MAX_DIGITS} digits")]
    TooManyDigits,
}

/// An unsigned decimal number, exact: `mantissa / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    mantissa: u64,
    scale: u32,
}

impl Decimal {
    /// Reads a number from the start of `text`; returns it with the rest.
    pub(crate) fn read(text: &str) -> Result<(Self, &str), NumberError> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, rest) = text.split_at(digits(text));
        let (part, rest) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(digits(rest)),
            None => ("0", rest),
        };
        if whole.is_empty() || part.is_empty() {
            return Err(NumberError::NoDigits);
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        if whole.len() + part.len() > MAX_DIGITS {
            return Err(NumberError::TooManyDigits);
        }
        let add = |sum: u64, digit: u8| sum * 10 + u64::from(digit - b'0');
        let mantissa = whole.bytes().chain(part.bytes()).fold(0, add);
        // At most MAX_DIGITS.
        Ok((Self { mantissa, scale: part.len() as u32 }, rest))
    }

    /// Numerator and denominator; the denominator is at most 10^19.
    pub(crate) const fn ratio(self) -> (u64, u64) {
        (self.mantissa, 10u64.pow(self.scale))
    }

    /// This number times `unit`, if that is whole.
    pub(crate) const fn times(self, unit: u64) -> Option<u128> {
        let (numerator, denominator) = self.ratio();
        let product = numerator as u128 * unit as u128;
        if product.is_multiple_of(denominator as u128) { Some(product / denominator as u128) } else { None }
    }

    const fn is_zero(self) -> bool {
        self.mantissa == 0
    }
}

/// Reads a number of bytes: `4096`, `1500B`, `64MiB`, `1.5G`.
///
/// `k`, `M`, `G`, `T`, with or without `B`, are powers of 1000; with an `i` after them, powers of 1024. Case does not matter.
///
/// # Errors
/// Anything else, what is not a whole number of bytes, and more than `u64::MAX`.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let what = Quantity::Size;
    let number = |reason| UnitError::Number { what, text: text.to_owned(), reason };
    let (number, suffix) = Decimal::read(text).map_err(number)?;
    let unit = match suffix.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1000u64.pow(2),
        "g" | "gb" => 1000u64.pow(3),
        "t" | "tb" => 1000u64.pow(4),
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return Err(UnitError::Unit { what, text: text.to_owned(), unit: suffix.to_owned() }),
    };
    let bytes = number.times(unit).ok_or_else(|| UnitError::Fraction { text: text.to_owned(), counted: "bytes" })?;
    let limit = "a size is at most 18446744073709551615 bytes";
    u64::try_from(bytes).map_err(|_| UnitError::TooLarge { text: text.to_owned(), limit })
}

/// Reads a signed time: `10s`, `-3us`, `1.5s`, `15ns`, `2m`, `1h`, rounded to the nearest 2^-32 s. `0` needs no unit.
///
/// Units are `ns`, `us` (or `µs`), `ms`, `s`, `m` (or `min`) and `h`.
///
/// # Errors
/// Anything else, a number without a unit, and 2^31 s (68 years) or more.
pub fn parse_delta(text: &str) -> Result<TimeDelta, UnitError> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1, size),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (nanos, denominator) = nanos(text, size, Quantity::Time)?;
    // At most 10^28, so that what is left over of it, shifted by 33 bits, is below 2^127.
    let denominator = denominator * NANOS_PER_SEC;
    // Below 2^77, so it can be shifted as well.
    let (secs, rest) = (nanos / denominator, nanos % denominator);
    let raw = (secs << 32) + ((rest << 33) / denominator).div_ceil(2);
    let limit = "a time is less than 68 years";
    let raw = i64::try_from(raw).map_err(|_| UnitError::TooLarge { text: text.to_owned(), limit })?;
    Ok(TimeDelta::from_raw(sign * raw))
}

/// Reads a length of time, as [`parse_delta`], without a sign and exact.
///
/// # Errors
/// As [`parse_delta`]; also what is negative, what is not a whole number of nanoseconds, and 2^64 s or more.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let what = Quantity::Duration;
    if text.starts_with('-') {
        return Err(UnitError::Negative { what, text: text.to_owned() });
    }
    let (nanos, denominator) = nanos(text, text, what)?;
    if !nanos.is_multiple_of(denominator) {
        return Err(UnitError::Fraction { text: text.to_owned(), counted: "nanoseconds" });
    }
    let nanos = nanos / denominator;
    let limit = "a duration is less than 2^64 seconds";
    let secs = u64::try_from(nanos / NANOS_PER_SEC);
    let secs = secs.map_err(|_| UnitError::TooLarge { text: text.to_owned(), limit })?;
    // A remainder of 10^9.
    Ok(Duration::new(secs, (nanos % NANOS_PER_SEC) as u32))
}

/// The unsigned time `size`, a part of `text`, in nanoseconds, as numerator and denominator.
fn nanos(text: &str, size: &str, what: Quantity) -> Result<(u128, u128), UnitError> {
    let number = |reason| UnitError::Number { what, text: text.to_owned(), reason };
    let (number, suffix) = Decimal::read(size).map_err(number)?;
    let unit: u64 = match suffix {
        "" if number.is_zero() => 1,
        "" => return Err(UnitError::NoUnit { what, text: text.to_owned() }),
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(UnitError::Unit { what, text: text.to_owned(), unit: suffix.to_owned() }),
    };
    let (numerator, denominator) = number.ratio();
    Ok((u128::from(numerator) * u128::from(unit), u128::from(denominator)))
}

/// Shows a number of bytes in the largest unit in which it is whole, so that [`parse_size`] gives it back (up to 19 digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 7] = [
            (1 << 40, "TiB"),
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
            (1_000_000_000, "GB"),
            (1_000_000, "MB"),
            (1_000, "kB"),
        ];
        match UNITS.iter().find(|(unit, _)| self.0 != 0 && self.0.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Shows a time in the largest unit in which it is a whole number, or in nanoseconds with one decimal, so that [`parse_delta`] gives it
/// back (up to 30 years either way).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta(pub TimeDelta);

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < TimeDelta::ZERO { "-" } else { "" };
        let raw = u128::from(self.0.raw().unsigned_abs());
        let nanos = (raw * NANOS_PER_SEC + (1 << 31)) >> 32;
        // One unit of 2^-32 s is 0.23 ns: a tenth of a nanosecond tells all apart.
        if ((nanos << 33) / NANOS_PER_SEC).div_ceil(2) == raw {
            f.write_str(sign)?;
            write_nanos(f, nanos)
        } else {
            let tenths = (raw * NANOS_PER_SEC * 10 + (1 << 31)) >> 32;
            write!(f, "{sign}{}.{}ns", tenths / 10, tenths % 10)
        }
    }
}

/// Shows a length of time so that [`parse_duration`] gives it back (up to 19 digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_nanos(f, self.0.as_nanos())
    }
}

/// Hours and minutes are read but not written: seconds are what people compare.
fn write_nanos(f: &mut fmt::Formatter<'_>, nanos: u128) -> fmt::Result {
    match nanos {
        0 => f.write_str("0s"),
        n if n.is_multiple_of(NANOS_PER_SEC) => write!(f, "{}s", n / NANOS_PER_SEC),
        n if n.is_multiple_of(1_000_000) => write!(f, "{}ms", n / 1_000_000),
        n if n.is_multiple_of(1_000) => write!(f, "{}us", n / 1_000),
        n => write!(f, "{n}ns"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// In 2^-32 s.
    const YEARS_30: i64 = (30 * 365 * 86_400) << 32;

    #[test]
    fn sizes_are_binary_with_an_i_and_decimal_without() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("1500B", 1500),
            ("64k", 64_000),
            ("64kB", 64_000),
            ("64KiB", 65_536),
            ("64mib", 64 << 20),
            ("1Gi", 1 << 30),
            ("1.5GiB", 3 << 29),
            ("2.5M", 2_500_000),
            ("0.5KiB", 512),
            ("16TiB", 16 << 40),
            ("9999999999999999999", 9_999_999_999_999_999_999),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn sizes_that_are_none_are_refused_with_the_reason() {
        for (text, part) in [
            ("", "begins with a digit"),
            ("MiB", "begins with a digit"),
            (".5MiB", "begins with a digit"),
            ("5.MiB", "one after its point"),
            ("-1", "begins with a digit"),
            ("1e6", "no unit \"e6\""),
            ("10 MiB", "no unit \" MiB\""),
            ("10Mbit", "no unit \"Mbit\""),
            ("0.3KiB", "not a whole number of bytes"),
            ("1.5", "not a whole number of bytes"),
            ("99999999TiB", "too large"),
            ("99999999999999999999", "at most 19 digits"),
        ] {
            let error = parse_size(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn times_have_a_unit_and_a_sign() {
        for (text, nanos) in [
            ("10s", 10_000_000_000),
            ("250ms", 250_000_000),
            ("-3us", -3_000),
            ("+3us", 3_000),
            ("3\u{b5}s", 3_000),
            ("15ns", 15),
            ("1.5s", 1_500_000_000),
            ("2m", 120_000_000_000),
            ("2min", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("0", 0),
            ("-0.000000015s", -15),
        ] {
            assert_eq!(parse_delta(text), Ok(TimeDelta::from_nanos(nanos)), "{text}");
        }
        assert_eq!(parse_delta("0.5s").unwrap().raw(), 1 << 31);
        assert_eq!(parse_delta("0.25ns").unwrap().raw(), 1);
        assert_eq!(parse_delta("2147483647s").unwrap().raw(), 2_147_483_647 << 32);
        assert_eq!(parse_duration("1.5us"), Ok(Duration::from_nanos(1500)));
    }

    #[test]
    fn times_that_are_none_are_refused_with_the_reason() {
        for (text, part) in [
            ("10", "has no unit; write a number with ns"),
            ("s", "begins with a digit"),
            ("--1s", "begins with a digit"),
            ("1sec", "no unit \"sec\""),
            ("1M", "no unit \"M\""),
            ("2147483648s", "less than 68 years"),
            ("999999999999999999h", "less than 68 years"),
        ] {
            let error = parse_delta(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(parse_duration("-1s").unwrap_err().to_string().contains("negative"));
        assert!(parse_duration("0.5ns").unwrap_err().to_string().contains("whole number of nanoseconds"));
        assert!(parse_duration("99999999999999999h").unwrap_err().to_string().contains("2^64"));
    }

    #[test]
    fn values_are_shown_in_the_unit_in_which_they_are_whole() {
        let sizes = [64 << 20, 1_000_000, 1500, 1536, 0].map(|bytes| Size(bytes).to_string());
        assert_eq!(sizes, ["64MiB", "1MB", "1500", "1536", "0"]);
        let time = |nanos| Delta(TimeDelta::from_nanos(nanos)).to_string();
        assert_eq!([-3_000, 250_000_000, 90_000_000_000, 15].map(time), ["-3us", "250ms", "90s", "15ns"]);
        assert_eq!(Delta(TimeDelta::from_raw(1)).to_string(), "0.2ns");
        assert_eq!(Delta(TimeDelta::from_raw(i64::MIN)).to_string(), "-2147483648s");
        assert_eq!(Span(Duration::from_millis(1500)).to_string(), "1500ms");
    }

    proptest! {
        #[test]
        fn a_size_is_read_back_as_shown(bytes in 0..10u64.pow(18), shift in 0u32..50) {
            let bytes = bytes >> shift << (shift % 41).min(shift);
            prop_assert_eq!(parse_size(&Size(bytes).to_string()), Ok(bytes));
        }

        #[test]
        fn a_time_is_read_back_as_shown(raw in -YEARS_30..YEARS_30, shift in 0u32..63) {
            let time = TimeDelta::from_raw(raw >> shift);
            prop_assert_eq!(parse_delta(&Delta(time).to_string()), Ok(time));
        }

        #[test]
        fn a_whole_nanosecond_is_shown_as_one(nanos in -2_000_000_000_000_000_000i64..2_000_000_000_000_000_000, shift in 0u32..60) {
            let text = Delta(TimeDelta::from_nanos(nanos >> shift)).to_string();
            prop_assert!(!text.contains('.'), "{}", text);
            prop_assert_eq!(parse_delta(&text).unwrap().to_nanos(), nanos >> shift);
        }

        #[test]
        fn a_duration_is_read_back_as_shown(count in 0u64..10_000_000_000, zeros in 0u32..=9) {
            let span = Duration::from_nanos(count * 10u64.pow(zeros));
            prop_assert_eq!(parse_duration(&Span(span).to_string()), Ok(span));
        }

        #[test]
        fn time_agrees_with_exact_arithmetic(whole in 0u64..2_000_000_000, part in 0u64..1_000_000_000) {
            let raw = parse_delta(&format!("{whole}.{part:09}s")).unwrap().raw();
            let exact = ((u128::from(whole) * NANOS_PER_SEC + u128::from(part)) << 32) as f64 / 1e9;
            prop_assert!((raw as f64 - exact).abs() <= exact * 1e-15 + 0.51);
            let nearest = TimeDelta::from_nanos((whole * 1_000_000_000 + part) as i64);
            prop_assert_eq!(raw, nearest.raw());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,24}|[0-9]{0,20}[.]?[0-9]{0,20}[a-zA-Z]{0,3}") {
            let _ = (parse_size(&text), parse_delta(&text), parse_duration(&text));
        }
    }
}
