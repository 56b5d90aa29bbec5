//! Typed views of the extension headers whose layout is public (`erf-format.md` section 5).
//!
//! A view reads the fields of an [`ExtHeader`] and can be turned back into one. Reserved bits are not
//! part of a view: to copy a header unchanged, copy the [`ExtHeader`] itself.

use core::fmt;

use super::{ExtHeader, ExtType};

/// An extension header by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ext {
    /// Type 3.
    Classification(Classification),
    /// Type 4.
    InterceptId(InterceptId),
    /// Type 5.
    RawLink(RawLink),
    /// Type 6.
    BfsFilter(BfsFilter),
    /// Type 12.
    Channelised(Channelised),
    /// Type 14.
    Signature(Signature),
    /// Type 16.
    FlowId(FlowId),
    /// Type 17.
    HostId(HostId),
    /// Type 18.
    AnchorId(AnchorId),
    /// Type 19.
    Entropy(Entropy),
    /// Type 15 (Packet ID), whose layout is not public, and every type without a name.
    Opaque(ExtHeader),
}

/// Bits `low .. low + width` of `h`, bit 63 first in the record.
const fn bits(h: u64, low: u32, width: u32) -> u64 {
    (h >> low) & ((1 << width) - 1)
}

impl Ext {
    pub(super) const fn of(header: ExtHeader) -> Self {
        let h = header.to_u64();
        match header.kind() {
            ExtType::CLASSIFICATION => Self::Classification(Classification::of(h)),
            ExtType::INTERCEPT_ID => Self::InterceptId(InterceptId { id: bits(h, 32, 16) as u16 }),
            ExtType::RAW_LINK => Self::RawLink(RawLink::of(h)),
            ExtType::BFS_FILTER => Self::BfsFilter(BfsFilter {
                hash: bits(h, 48, 8) as u8,
                filter_color: bits(h, 32, 16) as u16,
                raw_hash: h as u32,
            }),
            ExtType::CHANNELISED => Self::Channelised(Channelised::of(h)),
            ExtType::SIGNATURE => Self::Signature(Signature {
                payload_hash: bits(h, 32, 24) as u32,
                filter_color: bits(h, 24, 8) as u8,
                flow_hash: bits(h, 0, 24) as u32,
            }),
            ExtType::FLOW_ID => Self::FlowId(FlowId::of(h)),
            ExtType::HOST_ID => Self::HostId(HostId { source_id: bits(h, 48, 8) as u8, host_id: bits(h, 0, 48) }),
            ExtType::ANCHOR_ID => {
                Self::AnchorId(AnchorId { definition: bits(h, 55, 1) == 1, anchor_id: bits(h, 0, 48) })
            }
            ExtType::ENTROPY => Self::Entropy(Entropy { code: bits(h, 48, 8) as u8 }),
            _ => Self::Opaque(header),
        }
    }
}

/// Type 3: what the card's classifier said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Classification {
    /// The search hit.
    pub search_hit: bool,
    /// More than one search hit.
    pub multiple_hits: bool,
    /// User classification, 16 bits.
    pub user: u16,
    /// Steered to be dropped.
    pub drop_steering: bool,
    /// Steered to stream 0..=3.
    pub stream_steering: u8,
    /// Sequence number.
    pub sequence: u32,
}

impl Classification {
    const fn of(h: u64) -> Self {
        let flags = bits(h, 32, 24) as u32;
        Self {
            search_hit: flags & 0x80_0000 != 0,
            multiple_hits: flags & 0x40_0000 != 0,
            user: ((flags & 0x0F_FFF0) >> 4) as u16,
            drop_steering: flags & 0x4 != 0,
            stream_steering: (flags & 0x3) as u8,
            sequence: h as u32,
        }
    }
}

impl From<Classification> for ExtHeader {
    fn from(c: Classification) -> Self {
        let flags = (u64::from(c.search_hit) << 23)
            | (u64::from(c.multiple_hits) << 22)
            | (u64::from(c.user) << 4)
            | (u64::from(c.drop_steering) << 2)
            | u64::from(c.stream_steering & 3);
        Self::new(ExtType::CLASSIFICATION, (flags << 32) | u64::from(c.sequence))
    }
}

/// Type 4: lawful-intercept identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct InterceptId {
    /// The identifier.
    pub id: u16,
}

impl From<InterceptId> for ExtHeader {
    fn from(i: InterceptId) -> Self {
        Self::new(ExtType::INTERCEPT_ID, u64::from(i.id) << 32)
    }
}

/// An enumeration of one byte that keeps the values nobody named.
macro_rules! byte_enum {
    ($(#[$meta:meta])* $name:ident { $($value:literal $variant:ident $doc:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = $doc] $variant,)*
            /// A value without a public name, kept.
            Other(u8),
        }

        impl $name {
            /// From the stored value.
            pub const fn from_u8(value: u8) -> Self {
                match value {
                    $($value => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// The stored value.
            pub const fn to_u8(self) -> u8 {
                match self {
                    $(Self::$variant => $value,)*
                    Self::Other(value) => value,
                }
            }
        }

        /// What the value means, in words.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$variant => f.write_str($doc.trim_end_matches('.')),)*
                    Self::Other(value) => write!(f, "value {value}"),
                }
            }
        }
    };
}

byte_enum! {
    /// Line rate of a raw link.
    LinkRate { 1 Oc3 "OC-3 / STM-1.", 2 Oc12 "OC-12 / STM-4.", 3 Oc48 "OC-48 / STM-16.", 4 Oc192 "OC-192 / STM-64.", }
}

byte_enum! {
    /// What the raw bits of a link are.
    RawLinkType {
        0 RawSonet "Raw SONET.",
        1 RawSdh "Raw SDH.",
        2 SonetSpe "SONET SPE.",
        3 SdhSpe "SDH SPE.",
        4 Ds3 "DS3.",
        5 SonetSpeNoPoh "SONET SPE without path overhead.",
        6 SdhSpeNoPoh "SDH SPE without path overhead.",
        7 SonetLine2 "SONET line mode 2.",
        8 SdhLine2 "SDH line mode 2.",
        9 RawBits "Raw bit level.",
        10 Raw10GbE66b "Raw 10 Gigabit Ethernet 66b.",
    }
}

/// Type 5: a piece of raw line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawLink {
    /// Sequence number.
    pub sequence: u16,
    /// Line rate.
    pub rate: LinkRate,
    /// What the bits are.
    pub link_type: RawLinkType,
}

impl RawLink {
    const fn of(h: u64) -> Self {
        Self {
            sequence: bits(h, 16, 16) as u16,
            rate: LinkRate::from_u8(bits(h, 8, 8) as u8),
            link_type: RawLinkType::from_u8(h as u8),
        }
    }
}

impl From<RawLink> for ExtHeader {
    fn from(r: RawLink) -> Self {
        let body = (u64::from(r.sequence) << 16) | (u64::from(r.rate.to_u8()) << 8) | u64::from(r.link_type.to_u8());
        Self::new(ExtType::RAW_LINK, body)
    }
}

/// Type 6: filter and hash of the BFS firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BfsFilter {
    /// Hash.
    pub hash: u8,
    /// Filter colour.
    pub filter_color: u16,
    /// Raw hash.
    pub raw_hash: u32,
}

impl From<BfsFilter> for ExtHeader {
    fn from(b: BfsFilter) -> Self {
        let body = (u64::from(b.hash) << 48) | (u64::from(b.filter_color) << 32) | u64::from(b.raw_hash);
        Self::new(ExtType::BFS_FILTER, body)
    }
}

byte_enum! {
    /// Size of a virtual container.
    ContainerSize {
        0 Unused "Not used.",
        1 Vc3 "VC-3 / STS-1.",
        2 Vc4 "VC-4 / STS-3.",
        3 Vc4x4 "VC-4-4c / STS-12.",
        4 Vc4x16 "VC-4-16c / STS-48.",
        5 Vc4x64 "VC-4-64c / STS-192.",
    }
}

byte_enum! {
    /// Rate of the line a channel came from.
    LineRate { 0 Reserved "Reserved.", 1 Stm0 "STM-0.", 2 Stm1 "STM-1.", 3 Stm4 "STM-4.", 4 Stm16 "STM-16.", 5 Stm64 "STM-64.", }
}

byte_enum! {
    /// Which part of a SONET/SDH frame a record holds.
    FramePart {
        0 SectionOverhead "Section or transport overhead (SOH / TOH).",
        1 PathOverhead "Path overhead (POH).",
        2 Container "Container.",
        3 PosPacket "PoS packet.",
        4 AtmCell "ATM cell.",
        5 PositiveJustification "Positive justification bytes.",
        6 RawChannel "Raw demultiplexed channel.",
    }
}

/// Type 12: one channel of a SONET/SDH line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Channelised {
    /// More fragments follow.
    pub more_fragments: bool,
    /// Sequence number, 15 bits.
    pub sequence: u16,
    /// Virtual container id.
    pub container_id: u8,
    /// Container size.
    pub container_size: ContainerSize,
    /// Origin line rate.
    pub line_rate: LineRate,
    /// Part of the frame.
    pub frame_part: FramePart,
}

impl Channelised {
    const fn of(h: u64) -> Self {
        Self {
            more_fragments: bits(h, 55, 1) == 1,
            sequence: bits(h, 40, 15) as u16,
            container_id: bits(h, 24, 8) as u8,
            container_size: ContainerSize::from_u8(bits(h, 16, 8) as u8),
            line_rate: LineRate::from_u8(bits(h, 8, 8) as u8),
            frame_part: FramePart::from_u8(h as u8),
        }
    }
}

impl From<Channelised> for ExtHeader {
    fn from(c: Channelised) -> Self {
        let body = (u64::from(c.more_fragments) << 55)
            | (u64::from(c.sequence & 0x7FFF) << 40)
            | (u64::from(c.container_id) << 24)
            | (u64::from(c.container_size.to_u8()) << 16)
            | (u64::from(c.line_rate.to_u8()) << 8)
            | u64::from(c.frame_part.to_u8());
        Self::new(ExtType::CHANNELISED, body)
    }
}

/// Type 14: payload and flow hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Signature {
    /// Hash of the payload, 24 bits.
    pub payload_hash: u32,
    /// Filter colour.
    pub filter_color: u8,
    /// Hash of the flow, 24 bits.
    pub flow_hash: u32,
}

impl From<Signature> for ExtHeader {
    fn from(s: Signature) -> Self {
        let body = (u64::from(s.payload_hash & 0xFF_FFFF) << 32)
            | (u64::from(s.filter_color) << 24)
            | u64::from(s.flow_hash & 0xFF_FFFF);
        Self::new(ExtType::SIGNATURE, body)
    }
}

byte_enum! {
    /// Which fields a flow hash covers (low seven bits of the hash type byte).
    HashType {
        0 NotSet "Not set.",
        1 NonIp "Not IP: MAC addresses and EtherType.",
        2 Tuple2 "2-tuple.",
        3 Tuple3 "3-tuple.",
        4 Tuple4WithInterface "4-tuple with interface.",
        5 Tuple5 "5-tuple.",
        6 Tuple6WithInterface "6-tuple with interface.",
    }
}

byte_enum! {
    /// Which protocols a flow's packets carry.
    FlowStack {
        0 NotSet "Not set.",
        1 NonIp "Not IP.",
        2 Ipv4 "IPv4.",
        3 Ipv6 "IPv6.",
        4 VlanIpv4 "One VLAN tag, IPv4.",
        5 VlanIpv6 "One VLAN tag, IPv6.",
        6 Vlan2Ipv4 "Two VLAN tags, IPv4.",
        7 Vlan2Ipv6 "Two VLAN tags, IPv6.",
    }
}

/// Type 16: the flow of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowId {
    /// Capture source inside the host; 0 is not given.
    pub source_id: u8,
    /// The hash is of the inner packet of a tunnel.
    pub inner: bool,
    /// What the hash covers.
    pub hash_type: HashType,
    /// Protocols.
    pub stack: FlowStack,
    /// The hash.
    pub flow_hash: u32,
}

impl FlowId {
    const fn of(h: u64) -> Self {
        Self {
            source_id: bits(h, 48, 8) as u8,
            inner: bits(h, 47, 1) == 1,
            hash_type: HashType::from_u8(bits(h, 40, 7) as u8),
            stack: FlowStack::from_u8(bits(h, 32, 8) as u8),
            flow_hash: h as u32,
        }
    }
}

impl From<FlowId> for ExtHeader {
    fn from(id: FlowId) -> Self {
        let body = (u64::from(id.source_id) << 48)
            | (u64::from(id.inner) << 47)
            | (u64::from(id.hash_type.to_u8() & 0x7F) << 40)
            | (u64::from(id.stack.to_u8()) << 32)
            | u64::from(id.flow_hash);
        Self::new(ExtType::FLOW_ID, body)
    }
}

/// Type 17: the machine, and the capture source inside it, that made a record (`erf-format.md` 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct HostId {
    /// Capture source inside the host; 0 is not given.
    pub source_id: u8,
    /// 48 bits, often a MAC address; 0 is unknown.
    pub host_id: u64,
}

impl From<HostId> for ExtHeader {
    fn from(id: HostId) -> Self {
        Self::new(ExtType::HOST_ID, (u64::from(id.source_id) << 48) | (id.host_id & 0xFFFF_FFFF_FFFF))
    }
}

/// Type 18: a name by which META speaks about this record (`erf-format.md` 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AnchorId {
    /// This record defines the anchor.
    pub definition: bool,
    /// 48 bits.
    pub anchor_id: u64,
}

impl From<AnchorId> for ExtHeader {
    fn from(id: AnchorId) -> Self {
        Self::new(ExtType::ANCHOR_ID, (u64::from(id.definition) << 55) | (id.anchor_id & 0xFFFF_FFFF_FFFF))
    }
}

/// Type 19: entropy of the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Entropy {
    /// 0 is not calculated, else bits per byte = (code + 1) / 32.
    pub code: u8,
}

impl Entropy {
    /// Bits per byte, up to 8.0; `None` where it was not calculated.
    pub const fn bits_per_byte(self) -> Option<f32> {
        match self.code {
            0 => None,
            code => Some((code as f32 + 1.0) / 32.0),
        }
    }
}

impl From<Entropy> for ExtHeader {
    fn from(e: Entropy) -> Self {
        Self::new(ExtType::ENTROPY, u64::from(e.code) << 48)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(raw: u64) -> Ext {
        ExtHeader::from_bytes(raw.to_be_bytes()).view()
    }

    #[expect(clippy::unusual_byte_groupings, reason = "digits stand in groups as the fields of the format do")]
    #[test]
    fn fields_lie_where_section_5_puts_them() {
        assert_eq!(
            view(0x03_CA5A5E_01020304),
            Ext::Classification(Classification {
                search_hit: true,
                multiple_hits: true,
                user: 0xA5A5,
                drop_steering: true,
                stream_steering: 2,
                sequence: 0x0102_0304
            })
        );
        assert_eq!(view(0x04_00_1234_00000000), Ext::InterceptId(InterceptId { id: 0x1234 }));
        assert_eq!(
            view(0x05_000000_BEEF_03_09),
            Ext::RawLink(RawLink { sequence: 0xBEEF, rate: LinkRate::Oc48, link_type: RawLinkType::RawBits })
        );
        assert_eq!(
            view(0x06_AB_1234_01020304),
            Ext::BfsFilter(BfsFilter { hash: 0xAB, filter_color: 0x1234, raw_hash: 0x0102_0304 })
        );
        assert_eq!(
            view(0x8C_8123_00_07_02_05_03),
            Ext::Channelised(Channelised {
                more_fragments: true,
                sequence: 0x0123,
                container_id: 7,
                container_size: ContainerSize::Vc4,
                line_rate: LineRate::Stm64,
                frame_part: FramePart::PosPacket
            })
        );
        assert_eq!(
            view(0x0E_ABCDEF_11_123456),
            Ext::Signature(Signature { payload_hash: 0xAB_CDEF, filter_color: 0x11, flow_hash: 0x12_3456 })
        );
        assert_eq!(
            view(0x10_05_85_04_DEADBEEF),
            Ext::FlowId(FlowId {
                source_id: 5,
                inner: true,
                hash_type: HashType::Tuple5,
                stack: FlowStack::VlanIpv4,
                flow_hash: 0xDEAD_BEEF
            })
        );
        assert_eq!(view(0x11_05_002590C03E08), Ext::HostId(HostId { source_id: 5, host_id: 0x0025_90C0_3E08 }));
        assert_eq!(view(0x12_80_000000000007), Ext::AnchorId(AnchorId { definition: true, anchor_id: 7 }));
        assert_eq!(view(0x13_FF_000000000000), Ext::Entropy(Entropy { code: 255 }));
        assert_eq!(Entropy { code: 255 }.bits_per_byte(), Some(8.0));
        assert!(matches!(view(0x0F_01_020304050607), Ext::Opaque(_)));
        assert!(matches!(view(0), Ext::Opaque(_)));
    }

    #[test]
    fn every_value_of_the_channelised_bytes_is_survived() {
        // CVE-2012-4294 and CVE-2012-4295: an out-of-range rate indexed a table.
        for value in 0..=255u64 {
            let Ext::Channelised(c) = view(0x0C00_0000_0000_0000 | (value << 16) | (value << 8) | value) else {
                panic!("type 12 is channelised");
            };
            assert_eq!(u64::from(c.container_size.to_u8()), value);
            assert_eq!(u64::from(c.line_rate.to_u8()), value);
            assert_eq!(u64::from(c.frame_part.to_u8()), value);
        }
    }

    #[test]
    fn views_turn_back_into_the_header() {
        let masks: [(u8, u64); 10] = [
            (3, 0x00CF_FFF7_FFFF_FFFF),
            (4, 0x0000_FFFF_0000_0000),
            (5, 0x0000_0000_FFFF_FFFF),
            (6, 0x00FF_FFFF_FFFF_FFFF),
            (12, 0x00FF_FF00_FFFF_FFFF),
            (14, 0x00FF_FFFF_FFFF_FFFF),
            (16, 0x00FF_FFFF_FFFF_FFFF),
            (17, 0x00FF_FFFF_FFFF_FFFF),
            (18, 0x0080_FFFF_FFFF_FFFF),
            (19, 0x00FF_0000_0000_0000),
        ];
        for (kind, mask) in masks {
            for pattern in [0u64, u64::MAX, 0xA5A5_A5A5_A5A5_A5A5, 0x0123_4567_89AB_CDEF] {
                let header = ExtHeader::new(ExtType::new(kind), pattern & mask);
                let back: ExtHeader = match header.view() {
                    Ext::Classification(v) => v.into(),
                    Ext::InterceptId(v) => v.into(),
                    Ext::RawLink(v) => v.into(),
                    Ext::BfsFilter(v) => v.into(),
                    Ext::Channelised(v) => v.into(),
                    Ext::Signature(v) => v.into(),
                    Ext::FlowId(v) => v.into(),
                    Ext::HostId(v) => v.into(),
                    Ext::AnchorId(v) => v.into(),
                    Ext::Entropy(v) => v.into(),
                    Ext::Opaque(v) => v,
                };
                assert_eq!(back, header, "type {kind}");
            }
        }
    }
}
