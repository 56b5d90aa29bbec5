//! Numbers and addresses as they are written.

/// A number as C writes it.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = |text: &str, radix| {
        // `from_str_radix` takes a sign.
        if text.starts_with('+') { None } else { u32::from_str_radix(text, radix).ok() }
    };
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        digits(hex, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        digits(&text[1..], 8)
    } else {
        digits(text, 10)
    }
}

/// Two to four numbers up to 255 with dots between; their value and how many bits they are.
pub(super) fn octets(text: &str) -> Option<(u32, u32)> {
    let mut value = 0u32;
    let mut bits = 0;
    for part in text.split('.') {
        if bits == 32 || part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        value = value << 8 | u32::from(part.parse::<u8>().ok()?);
        bits += 8;
    }
    (bits > 8).then_some((value, bits))
}

/// Six bytes in hexadecimal with `:` or `-` between.
pub(super) fn ethernet(text: &str) -> Option<[u8; 6]> {
    let separator = if text.contains(':') { ':' } else { '-' };
    let mut address = [0; 6];
    let mut parts = text.split(separator);
    for byte in &mut address {
        let part = parts.next().filter(|part| (1..=2).contains(&part.len()) && !part.starts_with('+'))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(address)
}

/// The first `len` bits.
pub(super) fn prefix(len: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0)
}
