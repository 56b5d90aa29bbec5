//! [`SubHeader`]: the 0, 2 or 4 bytes between the headers and the payload.

use crate::record_type::{RecordType, SubHeaderKind};

/// The sub-header of a record, by its type (`erf-format.md` section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubHeader {
    /// The type has none.
    None,
    /// `offset` and `pad` of an Ethernet record. Real files hold random bytes here; never a length.
    Ethernet([u8; 2]),
    /// The multi-channel header.
    MultiChannel(MultiChannel),
    /// The AAL2 header.
    Aal2(Aal2),
}

/// The 4-byte multi-channel header as one big-endian number, read by the record's type.
///
/// Reserved bits are kept in [`raw`](Self::raw). A field that the record's type does not have reads as `None`
/// or `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MultiChannel {
    record_type: RecordType,
    raw: u32,
}

/// Flags of the multi-channel header, each defined for some of the types 5..=9, 12 and 17.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelFlag {
    /// Types 5, 17: frame check sequence wrong.
    FcsError,
    /// Types 5, 6, 17: record shorter than 5 bytes.
    Short,
    /// Types 5, 6, 17: record longer than 2047 bytes.
    Long,
    /// Types 5, 17: frame aborted.
    Aborted,
    /// Types 5, 17: not a whole number of octets.
    OctetError,
    /// Types 5, 6, 7, 8, 17: a byte was lost.
    LostByte,
    /// Types 5, 6, 7, 8, 9, 17: first record of this channel.
    First,
    /// Type 7: multiplexed.
    Multiplexed,
    /// Type 7: HEC corrected.
    HecCorrected,
    /// Type 7: OAM CRC-10 error.
    OamCrcError,
    /// Type 7: OAM cell.
    OamCell,
    /// Type 9: CRC checked.
    CrcChecked,
    /// Type 9: CRC error.
    CrcError,
    /// Type 9: length checked.
    LengthChecked,
    /// Types 9, 12: length error.
    LengthError,
    /// Type 12: first cell.
    FirstCell,
    /// Type 12: MAAL error.
    MaalError,
}

impl MultiChannel {
    /// The four bytes as a number, reserved bits included.
    pub const fn raw(self) -> u32 {
        self.raw
    }

    /// Connection number (10 bits); `None` for MC_RAW, which has a physical interface instead.
    pub const fn connection(self) -> Option<u16> {
        match self.record_type {
            RecordType::MC_RAW => None,
            _ => Some((self.raw & 0x3FF) as u16),
        }
    }

    /// Physical interface of MC_RAW, or physical port of MC_ATM, MC_AAL5 and MC_AAL2 (4 bits).
    pub const fn port(self) -> Option<u8> {
        match self.record_type {
            RecordType::MC_RAW => Some((self.raw & 0xF) as u8),
            RecordType::MC_ATM | RecordType::MC_AAL5 | RecordType::MC_AAL2 => Some(((self.raw >> 16) & 0xF) as u8),
            _ => None,
        }
    }

    /// Channel id (CID) of MC_AAL2.
    pub const fn channel_id(self) -> Option<u8> {
        match self.record_type {
            RecordType::MC_AAL2 => Some((self.raw >> 24) as u8),
            _ => None,
        }
    }

    /// Whether `flag` is set; `false` where the type does not define it.
    pub const fn has(self, flag: ChannelFlag) -> bool {
        self.raw & Self::mask(self.record_type, flag) != 0
    }

    const fn mask(record_type: RecordType, flag: ChannelFlag) -> u32 {
        use ChannelFlag as F;
        match (record_type.number(), flag) {
            (5 | 17, F::FcsError) => 0x0100_0000,
            (5 | 6 | 17, F::Short) => 0x0200_0000,
            (5 | 6 | 17, F::Long) => 0x0400_0000,
            (5 | 17, F::Aborted) => 0x0800_0000,
            (5 | 17, F::OctetError) => 0x1000_0000,
            (5 | 6 | 8 | 17, F::LostByte) => 0x2000_0000,
            (5 | 6 | 8 | 17, F::First) => 0x4000_0000,
            (7, F::Multiplexed) => 0x0000_8000,
            (7, F::LostByte) => 0x0100_0000,
            (7, F::HecCorrected) => 0x0200_0000,
            (7, F::OamCrcError) => 0x0400_0000,
            (7, F::OamCell) => 0x0800_0000,
            (7 | 9, F::First) => 0x1000_0000,
            (9, F::CrcChecked) => 0x0010_0000,
            (9, F::CrcError) => 0x0020_0000,
            (9, F::LengthChecked) => 0x0040_0000,
            (9 | 12, F::LengthError) => 0x0080_0000,
            (12, F::FirstCell) => 0x0020_0000,
            (12, F::MaalError) => 0x0040_0000,
            _ => 0,
        }
    }
}

/// The 4-byte AAL2 header of type 18 as one big-endian number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Aal2 {
    raw: u32,
}

impl Aal2 {
    /// The four bytes as a number, reserved bits included.
    pub const fn raw(self) -> u32 {
        self.raw
    }

    /// Channel id (CID).
    pub const fn channel_id(self) -> u8 {
        self.raw as u8
    }

    /// MAAL error number.
    pub const fn maal_error_number(self) -> u8 {
        (self.raw >> 8) as u8
    }

    /// MAAL error.
    pub const fn maal_error(self) -> bool {
        self.raw & 0x0001_0000 != 0
    }

    /// First cell.
    pub const fn first_cell(self) -> bool {
        self.raw & 0x0002_0000 != 0
    }
}

impl SubHeader {
    /// Reads the sub-header of `record_type` from `bytes`; [`SubHeader::None`] when they are too few.
    pub(crate) fn read(record_type: RecordType, bytes: &[u8]) -> Self {
        match record_type.sub_header() {
            SubHeaderKind::None => Self::None,
            SubHeaderKind::Ethernet => bytes.first_chunk::<2>().map_or(Self::None, |b| Self::Ethernet(*b)),
            SubHeaderKind::MultiChannel => bytes
                .first_chunk::<4>()
                .map_or(Self::None, |b| Self::MultiChannel(MultiChannel { record_type, raw: u32::from_be_bytes(*b) })),
            SubHeaderKind::Aal2 => {
                bytes.first_chunk::<4>().map_or(Self::None, |b| Self::Aal2(Aal2 { raw: u32::from_be_bytes(*b) }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mc(number: u8, raw: u32) -> MultiChannel {
        match SubHeader::read(RecordType::new(number), &raw.to_be_bytes()) {
            SubHeader::MultiChannel(m) => m,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fields_belong_to_their_types() {
        assert_eq!(mc(5, 0x4100_03FF).connection(), Some(0x3FF));
        assert!(mc(5, 0x4000_0000).has(ChannelFlag::First));
        assert!(mc(17, 0x0100_0000).has(ChannelFlag::FcsError));
        assert!(!mc(7, 0x0100_0000).has(ChannelFlag::FcsError));
        assert!(mc(7, 0x0100_0000).has(ChannelFlag::LostByte));
        assert_eq!(mc(6, 0x0000_000C).port(), Some(12));
        assert_eq!(mc(6, 0x0000_000C).connection(), None);
        assert_eq!(mc(9, 0x000A_0001).port(), Some(10));
        assert_eq!(mc(12, 0xAB0F_0001).channel_id(), Some(0xAB));
        assert!(mc(12, 0x0020_0000).has(ChannelFlag::FirstCell));
        assert!(mc(9, 0x0020_0000).has(ChannelFlag::CrcError));
        assert!(!mc(8, 0x1000_0000).has(ChannelFlag::First));
    }

    #[test]
    fn aal2_has_its_own_layout() {
        let SubHeader::Aal2(h) = SubHeader::read(RecordType::AAL2, &0x0003_0C2Au32.to_be_bytes()) else {
            panic!("type 18 has an AAL2 header");
        };
        assert_eq!((h.channel_id(), h.maal_error_number()), (0x2A, 0x0C));
        assert!(h.maal_error() && h.first_cell());
    }
}
