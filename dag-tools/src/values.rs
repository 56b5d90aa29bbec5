//! Values of options, read: sizes, times, counts.

use std::time::Duration;

use dag::emu::units;

/// `64MiB`, `1GB`, `4096`.
///
/// # Errors
///
/// Anything else, and 0.
pub fn size(text: &str) -> Result<u64, String> {
    match units::parse_size(text) {
        Ok(0) => Err("at least one byte".to_owned()),
        Ok(size) => Ok(size),
        Err(error) => Err(error.to_string()),
    }
}

/// `10s`, `250ms`, `2h`.
///
/// # Errors
///
/// Anything else, and 0.
pub fn duration(text: &str) -> Result<Duration, String> {
    match units::parse_duration(text) {
        Ok(Duration::ZERO) => Err("longer than nothing".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
}
