//! Two clocks: one whose time is written down, and one that nobody sets, for the schedule.

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// A time in nanoseconds.
pub(super) fn nanos(time: TimeSpec) -> i64 {
    // Until the year 2262.
    time.tv_sec().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec())
}

/// Nanoseconds since 1970: the clock of all stamps of the kernel.
pub(super) fn now() -> i64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, nanos)
}

/// Nanoseconds since some moment, which go on evenly whatever is done to the time of day.
pub(super) fn even() -> i64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, nanos)
}

/// The kernel's clock source.
pub(super) fn source() -> String {
    let file = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    std::fs::read_to_string(file).map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}
