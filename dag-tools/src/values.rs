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

/// `10G`, `100M`, `2.5Gb/s`, `1Gbps`, in bits per second.
///
/// # Errors
///
/// Anything else, and 0.
pub fn rate(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no rate: write bits per second, such as 10G, 100M, 2.5Gb/s, 1Gbps or 9600");
    let number = ["bit/s", "bits/s", "b/s", "bps"].iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or(text);
    let number: String = number.split_whitespace().collect();
    // B would be bytes, and Ki is of memory.
    let digits = number.strip_suffix(['k', 'K', 'M', 'G', 'T']).unwrap_or(&number);
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(wrong());
    }
    match units::parse_size(&number) {
        Ok(0) | Err(_) => Err(wrong()),
        Ok(rate) => Ok(rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_in_bits_per_second() {
        for text in ["1G", "1Gbps", "1Gb/s", "1 Gb/s", "1Gbit/s", "1Gbits/s", "1000M", "1000000000", "1000000000 b/s"] {
            assert_eq!(rate(text), Ok(1_000_000_000), "{text}");
        }
        assert_eq!(rate("2.5Gb/s"), Ok(2_500_000_000));
        for text in ["", "0", "G", "b/s", "1GB/s", "1GB", "1Gi", "10m", "1e9", "-1G", "1.5", "10 Gb/h", "99999999999T"]
        {
            assert!(rate(text).is_err_and(|why| why.contains("2.5Gb/s")), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_them_panic(text in "\\PC{0,12}|[0-9.+-]{0,22}[a-zA-Z/ ]{0,6}") {
            let _ = (size(&text), duration(&text), rate(&text));
        }
    }
}
