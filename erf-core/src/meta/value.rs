//! [`ValueKind`] and [`Value`]: what the bytes of a tag mean.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::{ExtHeaderSet, NameRecord, SectionHeader, SectionId, SectionRef, SectionType, Text};
use crate::{TimeDelta, Timestamp};

/// What the value of a tag holds (`erf-format.md` section 7.7).
///
/// Integers are big-endian; ERF timestamps, absolute and relative, are little-endian (7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// Nothing: the tag itself is the message.
    Marker,
    /// Unsigned, 2 bytes.
    U16,
    /// Unsigned, 4 bytes; enumerations and sets of bits too.
    U32,
    /// Unsigned, 8 bytes.
    U64,
    /// Signed, 4 bytes.
    I32,
    /// Signed, 8 bytes.
    I64,
    /// An absolute ERF timestamp, 8 bytes little-endian.
    Time,
    /// A relative, signed ERF timestamp, 8 bytes little-endian.
    Delta,
    /// UTF-8 without terminator.
    Text,
    /// An IPv4 address or mask, 4 bytes.
    Ipv4,
    /// An IPv6 address, 16 bytes.
    Ipv6,
    /// A MAC address, 6 bytes.
    Mac,
    /// An EUI-64 or a PTP clock identity, 8 bytes.
    Eui64,
    /// An InfiniBand GID or a world wide name, 16 bytes.
    Id128,
    /// Bytes without further structure here.
    Bytes,
    /// One to four 32-bit words, a bit for each extension header type.
    ExtHeaders,
    /// Section type and section id, 2 bytes each.
    Parent,
    /// The header of a section: id and length, 2 bytes each.
    Section,
    /// An IPv4 address, then its name.
    NameIpv4,
    /// An IPv6 address, then its name.
    NameIpv6,
    /// A MAC address, then its name.
    NameMac,
    /// An EUI-64, then its name.
    NameEui64,
    /// A GID or world wide name, then its name.
    NameId128,
    /// An InfiniBand LID (2 bytes), then its name.
    NameU16,
    /// Not known: the tag is not in the table.
    Unknown,
}

impl ValueKind {
    /// Fewest bytes that make a value of this kind. A longer value is allowed, and its first bytes
    /// count; a shorter one is skipped.
    pub const fn min_len(self) -> usize {
        match self {
            Self::Marker | Self::Text | Self::Bytes | Self::Unknown => 0,
            Self::U16 | Self::NameU16 => 2,
            Self::U32 | Self::I32 | Self::Ipv4 | Self::NameIpv4 => 4,
            Self::ExtHeaders | Self::Parent | Self::Section => 4,
            Self::Mac | Self::NameMac => 6,
            Self::U64 | Self::I64 | Self::Time | Self::Delta | Self::Eui64 | Self::NameEui64 => 8,
            Self::Ipv6 | Self::Id128 | Self::NameIpv6 | Self::NameId128 => 16,
        }
    }
}

/// The name in section 7.7 where it has one.
impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Marker => "nothing",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::Time => "ts",
            Self::Delta => "ts-rel",
            Self::Text => "utf8",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Mac => "mac",
            Self::Eui64 => "eui64",
            Self::Id128 => "16 bytes",
            Self::Bytes => "bytes",
            Self::ExtHeaders => "extension header bitmap",
            Self::Parent => "parent section",
            Self::Section => "section header",
            Self::NameIpv4 => "ipv4 + name",
            Self::NameIpv6 => "ipv6 + name",
            Self::NameMac => "mac + name",
            Self::NameEui64 => "eui64 + name",
            Self::NameId128 => "16 bytes + name",
            Self::NameU16 => "u16 + name",
            Self::Unknown => "unknown",
        })
    }
}

/// The value of a tag, read by its kind. Borrows the tag area; nothing is copied but scalars.
///
/// A value never fails to read: a bad one is [`Value::TooShort`], and the walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Length 0 where a value belongs: deliberately invalid or cleared, not corruption.
    Cleared,
    /// Fewer bytes than the kind needs. Skip it.
    TooShort {
        /// Bytes that the kind needs.
        needed: usize,
    },
    /// The tag is the message ([`ValueKind::Marker`]).
    Marker,
    /// [`ValueKind::U16`].
    U16(u16),
    /// [`ValueKind::U32`].
    U32(u32),
    /// [`ValueKind::U64`].
    U64(u64),
    /// [`ValueKind::I32`].
    I32(i32),
    /// [`ValueKind::I64`].
    I64(i64),
    /// [`ValueKind::Time`].
    Time(Timestamp),
    /// [`ValueKind::Delta`].
    Delta(TimeDelta),
    /// [`ValueKind::Text`].
    Text(Text<'a>),
    /// [`ValueKind::Ipv4`].
    Ipv4(Ipv4Addr),
    /// [`ValueKind::Ipv6`].
    Ipv6(Ipv6Addr),
    /// [`ValueKind::Mac`], first byte first.
    Mac([u8; 6]),
    /// [`ValueKind::Eui64`], first byte first.
    Eui64([u8; 8]),
    /// [`ValueKind::Id128`], first byte first.
    Id128([u8; 16]),
    /// [`ValueKind::Bytes`], or the whole value of an unknown tag.
    Bytes(&'a [u8]),
    /// [`ValueKind::ExtHeaders`].
    ExtHeaders(ExtHeaderSet<'a>),
    /// [`ValueKind::Parent`].
    Parent(SectionRef),
    /// [`ValueKind::Section`].
    Section(SectionHeader),
    /// The kinds of an address with its name.
    Name(NameRecord<'a>),
    /// A parent that names a tag number below 0xFF00, which is no section.
    NotASection(u16),
}

impl<'a> Value<'a> {
    /// Reads `bytes` as a value of `kind`.
    ///
    /// Bytes past the length of a fixed kind are ignored, as the format demands.
    pub fn read(kind: ValueKind, bytes: &'a [u8]) -> Self {
        match kind {
            ValueKind::Marker => return Self::Marker,
            ValueKind::Unknown => return Self::Bytes(bytes),
            _ if bytes.is_empty() => return Self::Cleared,
            _ => {}
        }
        match kind {
            ValueKind::Marker | ValueKind::Unknown | ValueKind::Bytes => Self::Bytes(bytes),
            ValueKind::Text => Self::Text(Text::new(bytes)),
            ValueKind::U16 => fixed(bytes, |b| Self::U16(u16::from_be_bytes(b))),
            ValueKind::U32 => fixed(bytes, |b| Self::U32(u32::from_be_bytes(b))),
            ValueKind::U64 => fixed(bytes, |b| Self::U64(u64::from_be_bytes(b))),
            ValueKind::I32 => fixed(bytes, |b| Self::I32(i32::from_be_bytes(b))),
            ValueKind::I64 => fixed(bytes, |b| Self::I64(i64::from_be_bytes(b))),
            ValueKind::Time => fixed(bytes, |b| Self::Time(Timestamp::from_le_bytes(b))),
            ValueKind::Delta => fixed(bytes, |b| Self::Delta(TimeDelta::from_raw(i64::from_le_bytes(b)))),
            ValueKind::Ipv4 => fixed(bytes, |b: [u8; 4]| Self::Ipv4(b.into())),
            ValueKind::Ipv6 => fixed(bytes, |b: [u8; 16]| Self::Ipv6(b.into())),
            ValueKind::Mac => fixed(bytes, Self::Mac),
            ValueKind::Eui64 => fixed(bytes, Self::Eui64),
            ValueKind::Id128 => fixed(bytes, Self::Id128),
            ValueKind::ExtHeaders => match ExtHeaderSet::new(bytes) {
                Some(set) => Self::ExtHeaders(set),
                None => Self::TooShort { needed: kind.min_len() },
            },
            ValueKind::Parent => fixed(bytes, parent),
            ValueKind::Section => fixed(bytes, |b: [u8; 4]| Self::Section(SectionHeader::from_bytes(b))),
            ValueKind::NameIpv4
            | ValueKind::NameIpv6
            | ValueKind::NameMac
            | ValueKind::NameEui64
            | ValueKind::NameId128
            | ValueKind::NameU16 => match bytes.split_at_checked(kind.min_len()) {
                Some((address, name)) => Self::Name(NameRecord { address, name: Text::new(name) }),
                None => Self::TooShort { needed: kind.min_len() },
            },
        }
    }

    /// The value may be written to a tag of `kind` and reads back as itself; empty text and empty
    /// bytes are the same on the wire as [`Value::Cleared`] and read back as that.
    ///
    /// [`Value::Cleared`] fits every kind that has a value; [`Value::TooShort`] and
    /// [`Value::NotASection`] are what a reader found and fit none.
    pub fn fits(&self, kind: ValueKind) -> bool {
        match (self, kind) {
            (Self::Cleared, kind) => !matches!(kind, ValueKind::Marker | ValueKind::Unknown),
            (Self::Bytes(_), ValueKind::Bytes | ValueKind::Unknown)
            | (Self::Marker, ValueKind::Marker)
            | (Self::U16(_), ValueKind::U16)
            | (Self::U32(_), ValueKind::U32)
            | (Self::U64(_), ValueKind::U64)
            | (Self::I32(_), ValueKind::I32)
            | (Self::I64(_), ValueKind::I64)
            | (Self::Time(_), ValueKind::Time)
            | (Self::Delta(_), ValueKind::Delta)
            | (Self::Text(_), ValueKind::Text)
            | (Self::Ipv4(_), ValueKind::Ipv4)
            | (Self::Ipv6(_), ValueKind::Ipv6)
            | (Self::Mac(_), ValueKind::Mac)
            | (Self::Eui64(_), ValueKind::Eui64)
            | (Self::Id128(_), ValueKind::Id128)
            | (Self::ExtHeaders(_), ValueKind::ExtHeaders)
            | (Self::Parent(_), ValueKind::Parent)
            | (Self::Section(_), ValueKind::Section) => true,
            (Self::Name(record), kind) => {
                let is_name = matches!(
                    kind,
                    ValueKind::NameIpv4
                        | ValueKind::NameIpv6
                        | ValueKind::NameMac
                        | ValueKind::NameEui64
                        | ValueKind::NameId128
                        | ValueKind::NameU16
                );
                is_name && record.address.len() == kind.min_len()
            }
            _ => false,
        }
    }

    /// The two runs of bytes that make this value on the wire, scalars through `scratch`.
    pub(super) fn encode<'s>(&'s self, scratch: &'s mut [u8; 16]) -> (&'s [u8], &'s [u8]) {
        match *self {
            Self::Cleared | Self::Marker | Self::TooShort { .. } => (&[], &[]),
            Self::U16(v) | Self::NotASection(v) => (stage(scratch, v.to_be_bytes()), &[]),
            Self::U32(v) => (stage(scratch, v.to_be_bytes()), &[]),
            Self::U64(v) => (stage(scratch, v.to_be_bytes()), &[]),
            Self::I32(v) => (stage(scratch, v.to_be_bytes()), &[]),
            Self::I64(v) => (stage(scratch, v.to_be_bytes()), &[]),
            Self::Time(v) => (stage(scratch, v.to_le_bytes()), &[]),
            Self::Delta(v) => (stage(scratch, v.raw().to_le_bytes()), &[]),
            Self::Ipv4(v) => (stage(scratch, v.octets()), &[]),
            Self::Ipv6(v) => (stage(scratch, v.octets()), &[]),
            Self::Mac(v) => (stage(scratch, v), &[]),
            Self::Eui64(v) => (stage(scratch, v), &[]),
            Self::Id128(v) => (stage(scratch, v), &[]),
            Self::Text(v) => (v.as_bytes(), &[]),
            Self::Bytes(v) => (v, &[]),
            Self::ExtHeaders(v) => (v.as_bytes(), &[]),
            Self::Parent(v) => {
                let [a, b] = v.section_type.number().to_be_bytes();
                let [c, d] = v.id.bits().to_be_bytes();
                (stage(scratch, [a, b, c, d]), &[])
            }
            Self::Section(v) => (stage(scratch, v.to_bytes()), &[]),
            Self::Name(v) => (v.address, v.name.as_bytes()),
        }
    }

    /// The value can be used: neither cleared nor broken.
    pub const fn is_usable(&self) -> bool {
        !matches!(self, Self::Cleared | Self::TooShort { .. } | Self::NotASection(_))
    }

    /// An unsigned integer of at most 32 bits.
    pub const fn as_u32(&self) -> Option<u32> {
        match *self {
            Self::U16(v) => Some(v as u32),
            Self::U32(v) => Some(v),
            _ => None,
        }
    }

    /// An unsigned integer of any width.
    pub const fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U16(v) => Some(v as u64),
            Self::U32(v) => Some(v as u64),
            Self::U64(v) => Some(v),
            _ => None,
        }
    }

    /// A signed integer of any width.
    pub const fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::I32(v) => Some(v as i64),
            Self::I64(v) => Some(v),
            _ => None,
        }
    }

    /// Text, valid UTF-8 or not.
    pub const fn as_text(&self) -> Option<Text<'a>> {
        match *self {
            Self::Text(v) => Some(v),
            _ => None,
        }
    }

    /// Text that is valid UTF-8. See [`Value::as_text`] for text that may not be.
    pub fn as_str(&self) -> Option<&'a str> {
        self.as_text().and_then(|text| text.to_str().ok())
    }

    /// An absolute time.
    pub const fn as_timestamp(&self) -> Option<Timestamp> {
        match *self {
            Self::Time(v) => Some(v),
            _ => None,
        }
    }

    /// A relative time.
    pub const fn as_delta(&self) -> Option<TimeDelta> {
        match *self {
            Self::Delta(v) => Some(v),
            _ => None,
        }
    }

    /// An IPv4 address.
    pub const fn as_ipv4(&self) -> Option<Ipv4Addr> {
        match *self {
            Self::Ipv4(v) => Some(v),
            _ => None,
        }
    }

    /// An IPv6 address.
    pub const fn as_ipv6(&self) -> Option<Ipv6Addr> {
        match *self {
            Self::Ipv6(v) => Some(v),
            _ => None,
        }
    }

    /// A MAC address.
    pub const fn as_mac(&self) -> Option<[u8; 6]> {
        match *self {
            Self::Mac(v) => Some(v),
            _ => None,
        }
    }

    /// Bytes without further structure.
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Bytes(v) => Some(v),
            _ => None,
        }
    }
}

fn fixed<'a, const N: usize>(bytes: &'a [u8], read: impl Fn([u8; N]) -> Value<'a>) -> Value<'a> {
    match bytes.first_chunk::<N>() {
        Some(chunk) => read(*chunk),
        None => Value::TooShort { needed: N },
    }
}

fn parent<'a>([a, b, c, d]: [u8; 4]) -> Value<'a> {
    let number = u16::from_be_bytes([a, b]);
    match SectionType::new(number) {
        Some(section_type) => {
            let id = SectionId::from_bits(u16::from_be_bytes([c, d]));
            Value::Parent(SectionRef { section_type, id })
        }
        None => Value::NotASection(number),
    }
}

fn stage<const N: usize>(scratch: &mut [u8; 16], bytes: [u8; N]) -> &[u8] {
    const { assert!(N <= 16) };
    match scratch.first_chunk_mut::<N>() {
        Some(chunk) => {
            *chunk = bytes;
            chunk
        }
        None => &[],
    }
}

macro_rules! from {
    ($($variant:ident: $from:ty),* $(,)?) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    U16: u16, U32: u32, U64: u64, I32: i32, I64: i64, Time: Timestamp, Delta: TimeDelta,
    Text: &'a str, Text: Text<'a>, Ipv4: Ipv4Addr, Ipv6: Ipv6Addr, Mac: [u8; 6],
    Eui64: [u8; 8], Id128: [u8; 16], Bytes: &'a [u8], ExtHeaders: ExtHeaderSet<'a>, Parent: SectionRef, Name: NameRecord<'a>,
}

/// As a person reads it: numbers in decimal, addresses in their usual form, bytes in hexadecimal.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cleared => f.write_str("(cleared)"),
            Self::TooShort { needed } => write!(f, "(too short, needs {needed} bytes)"),
            Self::NotASection(number) => write!(f, "(not a section: {number:#06x})"),
            Self::Marker => Ok(()),
            Self::U16(v) => v.fmt(f),
            Self::U32(v) => v.fmt(f),
            Self::U64(v) => v.fmt(f),
            Self::I32(v) => v.fmt(f),
            Self::I64(v) => v.fmt(f),
            Self::Time(v) => v.fmt(f),
            Self::Delta(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
            Self::Ipv4(v) => v.fmt(f),
            Self::Ipv6(v) => v.fmt(f),
            Self::Mac(v) => hex(f, v, ":"),
            Self::Eui64(v) => hex(f, v, ":"),
            Self::Id128(v) => hex(f, v, ":"),
            Self::Bytes(v) => hex(f, v, ""),
            Self::ExtHeaders(v) => v.fmt(f),
            Self::Parent(v) => v.fmt(f),
            Self::Section(v) => v.fmt(f),
            Self::Name(v) => v.fmt(f),
        }
    }
}

pub(super) fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8], separator: &str) -> fmt::Result {
    for (n, byte) in bytes.iter().enumerate() {
        let before = if n == 0 { "" } else { separator };
        write!(f, "{before}{byte:02x}")?;
    }
    Ok(())
}
