//! Extension headers: 8 bytes each, chained after the record header.

mod views;

pub use views::{
    AnchorId, BfsFilter, Channelised, Classification, ContainerSize, Entropy, Ext, FlowId, FlowStack, FramePart,
    HashType, HostId, InterceptId, LineRate, LinkRate, RawLink, RawLinkType, Signature,
};

use core::fmt;

/// Length of one extension header in bytes.
pub const LEN: usize = 8;

const MORE: u8 = 0x80;

/// The number of an extension header's layout, 0..=127 (`erf-format.md` section 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ExtType(u8);

macro_rules! ext_types {
    ($($number:literal $name:ident $label:literal;)*) => {
        impl ExtType {
            $(#[doc = concat!("`", $label, "`, number ", stringify!($number), ".")] pub const $name: Self = Self($number);)*

            /// The name; `None` where nobody gave one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($label),)*
                    _ => None,
                }
            }
        }
    };
}

ext_types! {
    3 CLASSIFICATION "Classification";
    4 INTERCEPT_ID "Intercept ID";
    5 RAW_LINK "Raw Link";
    6 BFS_FILTER "BFS Filter/Hash";
    12 CHANNELISED "Channelised";
    14 SIGNATURE "Signature";
    15 PACKET_ID "Packet ID";
    16 FLOW_ID "Flow ID";
    17 HOST_ID "Host ID";
    18 ANCHOR_ID "Anchor ID";
    19 ENTROPY "Entropy";
}

impl ExtType {
    /// From a number; the "more" bit (bit 7) is dropped.
    pub const fn new(number: u8) -> Self {
        Self(number & !MORE)
    }

    /// The number, 0..=127.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// The name, or `extension N`.
impl fmt::Display for ExtType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "extension {}", self.0),
        }
    }
}

impl fmt::Debug for ExtType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtType({} {self})", self.0)
    }
}

/// One extension header, as its eight bytes.
///
/// Best read as one big-endian number: bit 63 says that another follows, bits 62..56 are the type,
/// bits 55..0 the body. Unknown types are kept as they are. [`view`](Self::view) gives the typed form.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct ExtHeader([u8; LEN]);

impl ExtHeader {
    /// From the eight bytes as stored.
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// From a type and the 56 bits of its body (higher bits are dropped); "more" is clear.
    pub const fn new(kind: ExtType, body: u64) -> Self {
        Self((((kind.0 as u64) << 56) | (body & 0x00FF_FFFF_FFFF_FFFF)).to_be_bytes())
    }

    /// The eight bytes as stored.
    pub const fn bytes(self) -> [u8; LEN] {
        self.0
    }

    /// All eight bytes as one big-endian number.
    pub const fn to_u64(self) -> u64 {
        u64::from_be_bytes(self.0)
    }

    /// The type.
    pub const fn kind(self) -> ExtType {
        ExtType(self.0[0] & !MORE)
    }

    /// Whether another extension header follows.
    pub const fn more(self) -> bool {
        self.0[0] & MORE != 0
    }

    /// With the "more" bit set or cleared. [`RecordBuilder`](crate::RecordBuilder) does this by itself.
    pub const fn with_more(self, more: bool) -> Self {
        let mut bytes = self.0;
        bytes[0] = if more { bytes[0] | MORE } else { bytes[0] & !MORE };
        Self(bytes)
    }

    /// The low 56 bits.
    pub const fn body(self) -> u64 {
        self.to_u64() & 0x00FF_FFFF_FFFF_FFFF
    }

    /// The typed form; [`Ext::Opaque`] for types whose layout is not public.
    pub const fn view(self) -> Ext {
        Ext::of(self)
    }
}

impl fmt::Debug for ExtHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtHeader({:#018x} {}{})", self.to_u64(), self.kind(), if self.more() { ", more" } else { "" })
    }
}

/// The extension headers of one record, in order.
///
/// Made only by [`Record::ext_headers`](crate::Record::ext_headers), which has counted the chain, so it ends
/// by that count even if the "more" bits change beneath it.
#[derive(Clone, Copy, Debug)]
pub struct ExtHeaders<'a> {
    rest: &'a [[u8; LEN]],
}

impl<'a> ExtHeaders<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes.as_chunks::<LEN>().0 }
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The first one of type `kind`.
    pub fn find(mut self, kind: ExtType) -> Option<ExtHeader> {
        Iterator::find(&mut self, |ext| ext.kind() == kind)
    }

    /// The raw bytes of those left.
    pub fn bytes(&self) -> &'a [u8] {
        self.rest.as_flattened()
    }
}

impl Iterator for ExtHeaders<'_> {
    type Item = ExtHeader;

    fn next(&mut self) -> Option<ExtHeader> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(ExtHeader(*first))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest.len(), Some(self.rest.len()))
    }
}

impl ExactSizeIterator for ExtHeaders<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_bit_is_not_part_of_the_type() {
        let ext = ExtHeader::new(ExtType::HOST_ID, 0x05_0025_90C0_3E08);
        assert_eq!(ext.to_u64(), 0x1105_0025_90C0_3E08);
        assert_eq!(ext.with_more(true).kind(), ExtType::HOST_ID);
        assert!(ext.with_more(true).more());
        assert_eq!(ext.with_more(true).with_more(false), ext);
        assert_eq!(ext.body(), 0x05_0025_90C0_3E08);
        assert_eq!(ExtType::new(0x80 | 18), ExtType::ANCHOR_ID);
    }
}
