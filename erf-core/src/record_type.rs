//! [`RecordType`]: what a record holds, and what follows from it.

use core::fmt;

/// An ERF record type: the low seven bits of byte 8 (`erf-format.md` section 6).
///
/// Every value 0..=127 is representable; unknown ones are carried, never refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct RecordType(u8);

macro_rules! types {
    ($($number:literal $name:ident $doc:literal;)*) => {
        impl RecordType {
            $(#[doc = $doc] pub const $name: Self = Self($number);)*

            /// The name in the ERF type list without its `TYPE_` prefix; `None` where nobody gave one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    32..=47 => Some("INTERNAL"),
                    _ => None,
                }
            }
        }

        /// Every named type, in numeric order (the sixteen private INTERNAL ones left out).
        pub const NAMED: &[RecordType] = &[$(RecordType::$name),*];
    };
}

types! {
    0 LEGACY "Records from before ERF; opaque (section 6.2).";
    1 HDLC_POS "HDLC frame (Cisco HDLC, PPP, Frame Relay, MTP2: not stated) with FCS.";
    2 ETH "Ethernet frame with FCS.";
    3 ATM "ATM cell: 4-byte header without HEC, 48 bytes of payload.";
    4 AAL5 "ATM header and reassembled AAL5 PDU.";
    5 MC_HDLC "HDLC frame of one channel.";
    6 MC_RAW "Raw line data of one channel.";
    7 MC_ATM "ATM cell of one channel.";
    8 MC_RAW_CHANNEL "Raw data of one channel.";
    9 MC_AAL5 "AAL5 PDU of one channel.";
    10 COLOR_HDLC_POS "HDLC frame; the loss counter field is a colour.";
    11 COLOR_ETH "Ethernet frame; the loss counter field is a colour.";
    12 MC_AAL2 "AAL2 of one channel.";
    13 IP_COUNTER "Counters; layout not public.";
    14 TCP_FLOW_COUNTER "Counters; layout not public.";
    15 DSM_COLOR_HDLC_POS "HDLC frame; the loss counter field is a colour.";
    16 DSM_COLOR_ETH "Ethernet frame; the loss counter field is a colour.";
    17 COLOR_MC_HDLC_POS "HDLC frame of one channel; the loss counter field is a colour.";
    18 AAL2 "AAL2 with its own 4-byte sub-header.";
    19 COLOR_HASH_POS "HDLC frame; the loss counter field is colour and hash.";
    20 COLOR_HASH_ETH "Ethernet frame; the loss counter field is colour and hash.";
    21 INFINIBAND "InfiniBand packet from the LRH on.";
    22 IPV4 "IPv4 packet.";
    23 IPV6 "IPv6 packet.";
    24 RAW_LINK "Raw SONET/SDH or other bits; see the Raw Link extension header.";
    25 INFINIBAND_LINK "InfiniBand link packets.";
    27 META "Provenance: tags about host, card, interface, clock (section 7).";
    28 OPA_SNC "Omni-Path with SNC header.";
    29 OPA_9B "Omni-Path 9B.";
    48 PAD "Filler, to be ignored.";
}

/// What stands between the headers and the payload of a record type (`erf-format.md` 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubHeaderKind {
    /// Nothing.
    None,
    /// Two bytes, `offset` and `pad`, that align the IP header. Their content means nothing.
    Ethernet,
    /// Four bytes, big-endian: channel number and flags.
    MultiChannel,
    /// Four bytes, big-endian: the AAL2 header.
    Aal2,
}

impl RecordType {
    /// From a number; the extension bit (bit 7) is dropped.
    pub const fn new(number: u8) -> Self {
        Self(number & 0x7F)
    }

    /// The number, 0..=127.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// What stands between the headers and the payload.
    #[inline]
    pub const fn sub_header(self) -> SubHeaderKind {
        match self.0 {
            2 | 11 | 16 | 20 => SubHeaderKind::Ethernet,
            5..=9 | 12 | 17 => SubHeaderKind::MultiChannel,
            18 => SubHeaderKind::Aal2,
            _ => SubHeaderKind::None,
        }
    }

    /// Bytes between the headers and the payload: 0, 2 or 4.
    #[inline]
    pub const fn sub_header_len(self) -> usize {
        match Self::low_sub_header_len(self.0) {
            Some(len) => len,
            None => 0,
        }
    }

    /// The same for a type byte as it is in a record, if the type is below 32, as all with a sub-header are, and no extension headers follow.
    #[inline]
    pub(crate) const fn low_sub_header_len(type_byte: u8) -> Option<usize> {
        // Half the length of each type below 32, in two bits: one shift, since this is on the walk's way.
        const HALVES: u64 = {
            let mut halves = 0;
            let mut n = 0;
            while n < 32 {
                halves |= match RecordType(n).sub_header() {
                    SubHeaderKind::None => 0,
                    SubHeaderKind::Ethernet => 1 << (2 * n),
                    SubHeaderKind::MultiChannel | SubHeaderKind::Aal2 => 2 << (2 * n),
                };
                n += 1;
            }
            halves
        };
        if type_byte < 32 { Some((((HALVES >> (2 * type_byte)) & 3) as usize) * 2) } else { None }
    }

    /// An Ethernet frame: types 2, 11, 16 and 20.
    pub const fn is_ethernet(self) -> bool {
        matches!(self.sub_header(), SubHeaderKind::Ethernet)
    }

    /// An HDLC or PoS frame: types 1, 5, 10, 15, 17 and 19.
    pub const fn is_hdlc(self) -> bool {
        matches!(self.0, 1 | 5 | 10 | 15 | 17 | 19)
    }

    /// An ATM cell of 52 stored bytes: types 3 and 7.
    #[inline]
    pub const fn is_atm_cell(self) -> bool {
        matches!(self.0, 3 | 7)
    }

    /// Whether a whole record of this type stores as much as `wlen` says: all but ATM cells and PAD.
    #[inline]
    pub(crate) const fn stores_wire_len(self) -> bool {
        // One test for all three, since this is on the way of whoever uses a packet's length.
        const OTHERS: u64 = 1 << 3 | 1 << 7 | 1 << RecordType::PAD.0;
        self.0 >= 64 || (OTHERS >> self.0) & 1 == 0
    }

    /// The payload begins with the 4-byte ATM header: types 3, 4, 7, 9, 12 and 18.
    pub const fn has_atm_header(self) -> bool {
        matches!(self.0, 3 | 4 | 7 | 9 | 12 | 18)
    }

    /// The loss counter field holds a colour, never a count (`erf-format.md` 2.2).
    ///
    /// Types 10, 11, 15, 16, 17, 19 and 20.
    pub const fn is_color(self) -> bool {
        matches!(self.0, 10 | 11 | 15 | 16 | 17 | 19 | 20)
    }

    /// A packet: neither META nor PAD.
    #[inline]
    pub const fn is_packet(self) -> bool {
        !matches!(self.0, 27 | 48)
    }

    /// A number that public readers know: 0..=25, 27..=29, 32..=48.
    pub const fn is_known(self) -> bool {
        matches!(self.0, 0..=25 | 27..=29 | 32..=48)
    }
}

/// The name, or `type N`.
impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some("INTERNAL") => write!(f, "INTERNAL{}", self.0 - 32),
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordType({} {self})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ways_to_the_sub_header_length_agree() {
        for n in 0..=255u8 {
            let t = RecordType::new(n);
            let expected = match t.sub_header() {
                SubHeaderKind::None => 0,
                SubHeaderKind::Ethernet => 2,
                SubHeaderKind::MultiChannel | SubHeaderKind::Aal2 => 4,
            };
            assert_eq!(t.sub_header_len(), expected, "type {n}");
        }
    }

    #[test]
    fn the_table_of_section_6() {
        let colors: [u8; 7] = [10, 11, 15, 16, 17, 19, 20];
        for n in 0..128u8 {
            assert_eq!(RecordType::new(n).is_color(), colors.contains(&n), "type {n}");
        }
        assert_eq!(RecordType::META.number(), 27);
        assert_eq!(RecordType::new(0x80 | 48), RecordType::PAD, "the extension bit is masked");
        assert_eq!(RecordType::new(26).name(), None);
        assert_eq!(NAMED.len(), 30);
    }
}
