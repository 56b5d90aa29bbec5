//! [`Filler`]: what follows the packet number in every frame, with all that is needed to take it into a checksum and an FCS
//! without looking at it again.

use erf_core::fcs;

/// The reflected polynomial of the Ethernet FCS (IEEE 802.3).
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// What one byte does to the CRC register.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// The bytes that fill frames up: each the low byte of its offset in the payload, as `ping` does it.
#[derive(Debug)]
pub(super) struct Filler {
    bytes: Box<[u8]>,
    /// By length: what a filler of that length adds to a sum, and to a CRC.
    prefixes: Box<[Prefix]>,
}

/// What a filler of some length is to a frame.
///
/// The CRC is linear: `crc(head, filler) = shift(crc(head)) ^ crc(filler)`, with the shift by the length of the filler.
#[derive(Debug, Clone)]
struct Prefix {
    /// The image of each bit of the register under that shift.
    shift: [u32; 32],
    /// The CRC of the filler alone.
    crc: u32,
    /// The ones' complement sum of the filler, its first byte a high one.
    sum: u16,
}

impl Filler {
    /// A filler of up to `most` bytes, whose first byte stands at offset `first` of the payload.
    pub(super) fn new(first: u8, most: u16) -> Self {
        let bytes: Box<[u8]> = (0..most).map(|at| (at as u8).wrapping_add(first)).collect();
        let empty = Prefix { shift: std::array::from_fn(|bit| 1 << bit), crc: 0, sum: 0 };
        let mut high = true;
        let prefixes = std::iter::once(empty.clone())
            .chain(bytes.iter().scan(empty, |prefix, byte| {
                let word = if high { u16::from(*byte) << 8 } else { u16::from(*byte) };
                high = !high;
                *prefix = Prefix {
                    shift: prefix.shift.map(|image| step(image, 0)),
                    crc: !step(!prefix.crc, *byte),
                    sum: fold(u64::from(prefix.sum) + u64::from(word)),
                };
                Some(prefix.clone())
            }))
            .collect();
        Self { bytes, prefixes }
    }

    /// The first `len` bytes.
    #[inline]
    pub(super) fn bytes(&self, len: u16) -> &[u8] {
        &self.bytes[..usize::from(len)]
    }

    /// The ones' complement sum of the first `len` bytes.
    #[inline]
    pub(super) fn sum(&self, len: u16) -> u16 {
        self.prefixes[usize::from(len)].sum
    }

    /// The FCS of a frame of `head` and the first `len` bytes, as it stands on the wire.
    #[inline]
    pub(super) fn fcs(&self, head: &[u8], len: u16) -> [u8; 4] {
        let prefix = &self.prefixes[usize::from(len)];
        let crc = fcs::ethernet(head);
        let images = prefix.shift.iter().enumerate();
        let shifted = images.fold(0, |sum, (bit, image)| sum ^ if crc & (1 << bit) != 0 { *image } else { 0 });
        (shifted ^ prefix.crc).to_le_bytes()
    }
}

/// The register after one more byte.
const fn step(register: u32, byte: u8) -> u32 {
    (register >> 8) ^ TABLE[(register as u8 ^ byte) as usize]
}

/// A sum of 16-bit words as a ones' complement sum (RFC 1071).
#[inline]
pub(super) const fn fold(sum: u64) -> u16 {
    let sum = (sum >> 32) + (sum & 0xFFFF_FFFF);
    let sum = (sum >> 16) + (sum & 0xFFFF);
    let sum = (sum >> 16) + (sum & 0xFFFF);
    // By now at most 0x1_0001.
    ((sum >> 16) + (sum & 0xFFFF)) as u16
}

/// The ones' complement sum of `bytes`, of which there is an even number.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    bytes.as_chunks().0.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_filler_counts_up_like_that_of_ping() {
        let filler = Filler::new(8, 300);
        assert_eq!(filler.bytes(3), [8, 9, 10]);
        assert_eq!(filler.bytes(300)[247..250], [255, 0, 1]);
    }

    proptest! {
        #[test]
        fn an_fcs_is_that_of_the_whole_frame(head in proptest::collection::vec(any::<u8>(), 0..100), len in 0u16..2000) {
            let filler = Filler::new(8, 2000);
            let frame = [head.as_slice(), filler.bytes(len)].concat();
            prop_assert_eq!(filler.fcs(&head, len), fcs::ethernet(&frame).to_le_bytes());
        }

        #[test]
        fn a_sum_is_that_of_the_bytes(len in 0u16..2000) {
            let filler = Filler::new(8, 2000);
            let mut bytes = filler.bytes(len).to_vec();
            bytes.resize(usize::from(len).next_multiple_of(2), 0);
            // Two ones' complement numbers for zero: neither appears here by itself.
            prop_assert_eq!(filler.sum(len), fold(sum(&bytes)));
        }

        #[test]
        fn folding_is_arithmetic_modulo_0xffff(words in prop_oneof![any::<u64>(), Just(0xFFFF_FFFF_0001_0000), Just(0)]) {
            prop_assert_eq!(u64::from(fold(words)) % 0xFFFF, words % 0xFFFF);
            prop_assert_eq!(fold(words) == 0, words == 0);
        }
    }
}
