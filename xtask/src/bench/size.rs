//! Numbers of bytes as people write them.

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

/// Reads `1GiB`, `16MiB` or a number of bytes.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
    let bytes = factor.zip(number.parse::<u64>().ok()).and_then(|(factor, number)| factor.checked_mul(number));
    match bytes {
        Some(0) => Err("nothing can be measured with no bytes".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err(format!("{text} is no size: 1GiB, 16MiB, 4096")),
    }
}

/// As [`parse`] reads it.
pub(super) fn shown(bytes: u64) -> String {
    let (name, factor) = UNITS.iter().find(|(_, factor)| bytes.is_multiple_of(*factor)).unwrap_or(&UNITS[3]);
    format!("{}{name}", bytes / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes) in [("1GiB", 1 << 30), ("16MiB", 16 << 20), ("3KiB", 3 << 10), ("1000", 1000)] {
            assert_eq!(parse(text), Ok(bytes));
            assert_eq!(shown(bytes), text);
        }
        for text in ["", "GiB", "1GB", "0", "-1", "1 GiB", "99999999999GiB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
