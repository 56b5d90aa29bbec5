//! [`Header`], the first 16 bytes of a record, and [`Fit`], how long a record becomes: for writers that put a record together
//! where it is to stand, such as a card.

use crate::flags::Flags;
use crate::record::{ATM_CELL_LEN, HEADER_LEN};
use crate::record_type::RecordType;
use crate::timestamp::Timestamp;

/// The 16-byte record header (`erf-format.md` section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// Timestamp, little-endian in the bytes; everything else is big-endian.
    pub timestamp: Timestamp,
    /// Type.
    pub record_type: RecordType,
    /// Extension headers follow (bit 7 of the type byte).
    pub has_ext: bool,
    /// Interface and error bits.
    pub flags: Flags,
    /// Length of the whole record in bytes.
    pub rlen: u16,
    /// Loss counter or colour.
    pub lctr: u16,
    /// Length on the wire in bytes.
    pub wire_len: u16,
}

impl Header {
    /// The bytes as they stand in a record.
    #[inline]
    pub const fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let type_byte = self.record_type.number() | if self.has_ext { 0x80 } else { 0 };
        let word = ((type_byte as u64) << 56)
            | ((self.flags.bits() as u64) << 48)
            | ((self.rlen as u64) << 32)
            | ((self.lctr as u64) << 16)
            | self.wire_len as u64;
        let all = self.timestamp.raw() as u128 | ((word.swap_bytes() as u128) << 64);
        all.to_le_bytes()
    }
}

/// How long a record becomes when it is to be a multiple of some length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fit {
    /// Length of the record in bytes, padding included. May exceed what `rlen` can say.
    pub rlen: usize,
    /// Bytes of the packet that are stored.
    pub stored: usize,
}

impl Fit {
    /// A record of `headers` bytes of headers and `stored` bytes of a packet of `wire_len`, a multiple of `align` long.
    ///
    /// A whole packet is padded up; a snapped one is cut **down**, since padding behind it would be read as payload
    /// (`erf-format.md` sections 4 and 4.1). `align` must be a power of two.
    #[inline]
    pub const fn aligned(record_type: RecordType, headers: usize, stored: usize, wire_len: u16, align: usize) -> Self {
        let whole_len = if record_type.is_atm_cell() {
            ATM_CELL_LEN
        } else if record_type.number() == RecordType::PAD.number() {
            0
        } else {
            wire_len as usize
        };
        let len = headers + stored;
        if stored >= whole_len {
            Self { rlen: (len + align - 1) & !(align - 1), stored }
        } else {
            let over = len & (align - 1);
            let cut = if over < stored { over } else { stored };
            Self { rlen: len - cut, stored: stored - cut }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    #[test]
    fn a_header_is_read_back_as_written() {
        let header = Header {
            timestamp: Timestamp::from_raw(0x0102_0304_0506_0708),
            record_type: RecordType::IPV4,
            has_ext: false,
            flags: Flags::from_bits(0x45),
            rlen: 16,
            lctr: 0x1234,
            wire_len: 0x5678,
        };
        let bytes = header.to_bytes();
        assert_eq!(bytes, [8, 7, 6, 5, 4, 3, 2, 1, 22, 0x45, 0, 16, 0x12, 0x34, 0x56, 0x78]);
        let record = Record::parse(&bytes).unwrap();
        assert_eq!((record.timestamp(), record.wire_len(), record.lctr_raw()), (header.timestamp, 0x5678, 0x1234));
        assert_eq!(Header { has_ext: true, ..header }.to_bytes()[8], 0x80 | 22);
    }

    #[test]
    fn whole_records_grow_and_snapped_ones_shrink() {
        let fit = |stored, wire| Fit::aligned(RecordType::ETH, 18, stored, wire, 8);
        assert_eq!(fit(64, 64), Fit { rlen: 88, stored: 64 });
        assert_eq!(fit(64, 1518), Fit { rlen: 80, stored: 62 });
        assert_eq!(fit(0, 60), Fit { rlen: 18, stored: 0 });
        assert_eq!(Fit::aligned(RecordType::ATM, 16, 52, 53, 8), Fit { rlen: 72, stored: 52 });
    }
}
