//! Points of time, lengths of time and rates of clocks, as options name them.

use std::fmt::Display;
use std::str::FromStr;

use dag::emu::units;
use erf::select::Bound;
use erf::{Fraction, TimeDelta, Timestamp};

use super::Failure;

/// `2026-11-29T13:28:43.25Z`, `1700000000.25`, `@1700000000`, or `+10s` after the first packet.
pub(super) fn bound(text: &str) -> Result<Bound, String> {
    match text.starts_with('+') {
        true => delta(text).map(Bound::After),
        false => stamp(text).map(Bound::At),
    }
}

/// Ways to write a time.
const FORMS: &str = "a time is 2026-11-29T13:28:43.25Z, or with another zone 2026-11-29 14:28:43.25+01:00, or 1795958923.25 (seconds since 1970)";

/// A point of time, absolute.
pub(super) fn stamp(text: &str) -> Result<Timestamp, String> {
    let seconds = text.strip_prefix('@').unwrap_or(text);
    if seconds.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !seconds.is_empty() {
        return unix(seconds).ok_or_else(|| {
            format!("{text} is no number of seconds from 1970 to before 2106, with at most nine decimals; {FORMS}")
        });
    }
    let parsed = jiff::Timestamp::from_str(text).map_err(|error| match jiff::civil::DateTime::from_str(text) {
        Ok(_) => format!("{text} is a time in no zone: write Z behind it for UTC; {FORMS}"),
        Err(_) => format!("{error}; {FORMS}"),
    })?;
    let nanos = u64::try_from(parsed.as_nanosecond()).ok();
    nanos.and_then(from_nanos).ok_or_else(|| format!("{text} is before 1970 or after 2106, where stamps end"))
}

fn unix(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || fraction.len() > 9 || fraction.contains('.') {
        return None;
    }
    let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
    from_nanos(whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)?)
}

/// The least stamp that is shown as this nanosecond by writers of either rounding.
fn from_nanos(nanos: u64) -> Option<Timestamp> {
    Timestamp::from_nanos(nanos, Fraction::Floor)
}

/// `12us`, `-3ms`, `+1.5s`.
pub(super) fn delta(text: &str) -> Result<TimeDelta, String> {
    units::parse_delta(text).map_err(|error| error.to_string())
}

/// A length of time, rounded to what stamps count in.
pub(super) fn span(text: &str) -> Result<TimeDelta, String> {
    match delta(text)? {
        span if span < TimeDelta::ZERO => Err(format!("{text} is negative, and a length of time is not")),
        span => Ok(span),
    }
}

/// A length of time in whole nanoseconds, more than none.
pub(super) fn nanos(text: &str) -> Result<u64, String> {
    let duration = crate::values::duration(text)?;
    u64::try_from(duration.as_nanos()).map_err(|_| format!("{text} is more than 584 years"))
}

/// `12.5ppb` or `-3ppm`, in parts per trillion.
pub(super) fn scale(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text} is no rate of a clock: 12.5ppb, -3ppm; below 10 %");
    let (number, unit) = match (text.strip_suffix("ppb"), text.strip_suffix("ppm")) {
        (Some(number), _) => (number, 1e3),
        (_, Some(number)) => (number, 1e6),
        _ => return Err(wrong()),
    };
    let scale = number.trim().parse::<f64>().map_err(|_| wrong())? * unit;
    // Whole numbers of this size are exact.
    if scale.is_finite() && scale.abs() < 1e11 { Ok(scale.round() as i64) } else { Err(wrong()) }
}

/// `N=VALUE`, with N counted from 1.
pub(super) fn numbered<T>(text: &str, value: impl Fn(&str) -> Result<T, String>) -> Result<(usize, T), String> {
    let (number, rest) = text.split_once('=').ok_or("N=VALUE, with N the number of the input, from 1")?;
    match number.parse() {
        Ok(0) | Err(_) => Err(format!("{number} is no number of an input; the first is 1")),
        Ok(number) => Ok((number, value(rest)?)),
    }
}

/// Refuses an option that says two things of one: `keys` are what its values are about.
pub(super) fn once<K: PartialEq + Display>(option: &str, keys: impl IntoIterator<Item = K>) -> Result<(), Failure> {
    let mut known = Vec::new();
    for key in keys {
        if known.contains(&key) {
            return Err(Failure::Usage(format!("{option} is given twice for {key}: give it once")));
        }
        known.push(key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_all_forms() {
        let quarter = Timestamp::from_parts(1_700_000_000, 1 << 30);
        for text in [
            "1700000000.25",
            "@1700000000.25",
            "2023-11-14T22:13:20.25Z",
            "2023-11-14 22:13:20.25Z",
            "2023-11-14T23:13:20.250+01:00",
        ] {
            assert_eq!(stamp(text), Ok(quarter), "{text}");
        }
        assert_eq!(bound("+2s"), Ok(Bound::After(TimeDelta::from_raw(2 << 32))));
        assert_eq!(bound("7"), Ok(Bound::At(Timestamp::from_parts(7, 0))));
        for text in
            ["", "@", ".", "1.2.3", "1.0000000001", "4294967296", "1969-12-31T23:59:59Z", "2023-11-14", "+5", "x"]
        {
            assert!(bound(text).is_err(), "{text}");
        }
        for (text, words) in [
            ("2023-11-14T22:13:20", "Z behind it"),
            ("2023-11-14", "Z behind it"),
            ("yesterday", "1795958923.25"),
            ("1.0000000001", "nine decimals"),
            ("2106-02-07T06:28:16Z", "where stamps end"),
        ] {
            assert!(stamp(text).is_err_and(|why| why.contains(words)), "{text}: {:?}", stamp(text));
        }
    }

    #[test]
    fn lengths_of_time_that_no_stamp_can_be_moved_by_are_refused() {
        assert_eq!(delta("2147483647s"), Ok(TimeDelta::from_raw(2_147_483_647 << 32)));
        for text in ["2147483648s", "-2147483648s", "600000h", "99999999999h"] {
            assert!(delta(text).is_err_and(|why| why.contains("68 years")), "{text}");
        }
        assert!(span("-1ns").is_err() && span("0").is_ok());
    }

    #[test]
    fn what_is_said_twice_is_refused() {
        assert!(once("--shift", [1, 2, 3]).is_ok());
        let why = once("--shift", [2, 1, 2]).unwrap_err().to_string();
        assert_eq!(why, "--shift is given twice for 2: give it once");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_them_panic(text in "\\PC{0,12}|[0-9.@+-]{0,22}[a-zA-Z=: ]{0,6}|[0-9]{1,6}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{0,12}(Z|[+-][0-9:]{0,5})") {
            let _ = (bound(&text), stamp(&text), span(&text), nanos(&text), scale(&text));
            let _ = numbered(&text, delta);
        }
    }

    #[test]
    fn rates_of_clocks() {
        assert_eq!(scale("12.5ppb"), Ok(12_500));
        assert_eq!(scale("-3ppm"), Ok(-3_000_000));
        for text in ["12", "ppm", "1e9ppm", "nanppb", "100000ppm"] {
            assert!(scale(text).is_err(), "{text}");
        }
        assert_eq!(numbered("2=+12us", delta), Ok((2, TimeDelta::from_nanos(12_000))));
        assert!(numbered("0=1us", delta).is_err() && numbered("1us", delta).is_err());
    }
}
