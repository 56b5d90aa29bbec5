//! Stamps as dates.

use std::fmt;

use crate::Timestamp;

/// A stamp as date and time of day in UTC, as [`utc`] gives it.
#[derive(Debug, Clone, Copy)]
pub struct Utc(Timestamp);

/// `stamp` as date and time of day, to the nanosecond: `2023-11-14T22:13:20.250000000Z`.
pub const fn utc(stamp: Timestamp) -> Utc {
    Utc(stamp)
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.nanos();
        let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March, counted from 0000-03-01: the leap day comes last, and months have a regular pattern.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_gnu_date_prints_them() {
        // date -u -d @N +%FT%T
        for (seconds, date) in [
            (0u32, "1970-01-01T00:00:00"),
            (68_169_599, "1972-02-28T23:59:59"),
            (68_169_600, "1972-02-29T00:00:00"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_095_292_801, "2004-09-16T00:00:01"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (u32::MAX, "2106-02-07T06:28:15"),
        ] {
            let shown = utc(Timestamp::from_parts(seconds, 0)).to_string();
            assert_eq!(shown, format!("{date}.000000000Z"));
        }
        assert_eq!(utc(Timestamp::MAX).to_string(), "2106-02-07T06:28:16.000000000Z", "rounding carries");
    }
}
