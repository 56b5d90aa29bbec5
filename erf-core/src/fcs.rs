//! The Ethernet frame check sequence.

/// The FCS of an Ethernet frame (destination address through payload), as a number.
///
/// On the wire and in records it follows the frame **little-endian**:
/// `frame.extend(fcs::ethernet(&frame).to_le_bytes())`. IEEE 802.3 CRC-32.
pub fn ethernet(frame: &[u8]) -> u32 {
    crc32fast::hash(frame)
}

/// The FCS of a frame that comes in pieces.
#[derive(Debug, Clone, Default)]
pub struct Ethernet(crc32fast::Hasher);

impl Ethernet {
    /// Before the first piece.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next piece of the frame.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The FCS of all pieces, as [`ethernet`] gives it.
    pub fn finish(self) -> u32 {
        self.0.finalize()
    }
}

/// Whether the last four bytes of `frame` are its right FCS.
///
/// `None` for fewer than five bytes, which cannot be a frame and its FCS.
pub fn verify_ethernet(frame: &[u8]) -> Option<bool> {
    let (body, stored) = frame.split_last_chunk::<4>()?;
    (!body.is_empty()).then(|| ethernet(body) == u32::from_le_bytes(*stored))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_polynomial() {
        assert_eq!(ethernet(b"123456789"), 0xCBF4_3926);
        assert_eq!(verify_ethernet(b"123456789\x26\x39\xf4\xcb"), Some(true));
        assert_eq!(verify_ethernet(b"123456789\x26\x39\xf4\xcc"), Some(false));
        assert_eq!(verify_ethernet(b"1234"), None);
        let mut pieces = Ethernet::new();
        pieces.update(b"1234");
        pieces.update(b"56789");
        assert_eq!(pieces.finish(), 0xCBF4_3926);
    }
}
