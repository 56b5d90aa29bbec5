//! [`SectionType`], [`SectionId`] and [`SectionRef`]: how a META section is named.

use core::fmt;

/// The type of a META section: 0xFF00 and above (`erf-format.md` section 7.2).
///
/// Unknown types are carried, never refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct SectionType(u16);

macro_rules! sections {
    ($($number:literal $constant:ident $name:literal $doc:literal;)*) => {
        impl SectionType {
            $(#[doc = $doc] pub const $constant: Self = Self($number);)*

            /// Every named section type, in numeric order.
            pub const ALL: &[Self] = &[$(Self::$constant),*];

            /// The name in section 7.2, such as `Interface`.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

sections! {
    0xFF00 CAPTURE "Capture" "The capture session.";
    0xFF01 HOST "Host" "The machine that captures.";
    0xFF02 MODULE "Module" "A card or another capture module of the host.";
    0xFF03 INTERFACE "Interface" "A port of a module.";
    0xFF04 FLOW "Flow" "A flow of packets.";
    0xFF05 STATISTICS "Statistics" "Counters.";
    0xFF06 INFORMATION "Information" "Comments; with a local id, on anchored packets.";
    0xFF07 CONTEXT "Context" "Context of a record.";
    0xFF08 STREAM "Stream" "A receive stream of a module.";
    0xFF09 TRANSFORM "Transform" "A change made to the records.";
    0xFF0A DNS "DNS" "Names and addresses.";
    0xFF0B SOURCE "Source" "A capture source.";
    0xFF0C NETWORK "Network" "A network.";
    0xFF0D ENDPOINT "Endpoint" "An end of a conversation.";
    0xFF0E INPUT "Input" "An input of the capture.";
    0xFF0F OUTPUT "Output" "An output of the capture.";
}

impl SectionType {
    pub(super) const FIRST: u16 = 0xFF00;

    /// From a tag number; `None` below 0xFF00, where tags do not open sections.
    pub const fn new(number: u16) -> Option<Self> {
        if number >= Self::FIRST { Some(Self(number)) } else { None }
    }

    /// The tag number, 0xFF00 or above.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Sections of this type never become the parent of a section of `other`: the same type, or
    /// Interface and Stream, which are siblings.
    pub(super) fn is_sibling_of(self, other: Self) -> bool {
        let port_or_stream = |s| s == Self::INTERFACE || s == Self::STREAM;
        self == other || (port_or_stream(self) && port_or_stream(other))
    }
}

/// The name, or the number in hexadecimal.
impl fmt::Display for SectionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl fmt::Debug for SectionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SectionType({:#06x} {self})", self.0)
    }
}

/// The id of a section: a number of 15 bits, and the local bit (`erf-format.md` section 7.2).
///
/// What the number means depends on the section type; number 0 is "single or unspecified".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct SectionId(u16);

impl SectionId {
    /// Number 0, not local: the only one of its type, or not said.
    pub const UNSPECIFIED: Self = Self(0);

    const LOCAL: u16 = 0x8000;
    const STREAM_NOT_NUMBERED: u16 = 0x7FFF;

    /// From the 16 bits as stored.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The 16 bits as stored.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The id of the Interface section of `interface`: its number plus one.
    pub const fn interface(interface: u8) -> Self {
        Self(interface as u16 + 1)
    }

    /// The id of the Stream section of `stream`: its number plus one. `None` from 0x7FFE on, where
    /// the format has no number left; use [`SectionId::UNSPECIFIED`] and the tag `stream_num`.
    pub const fn stream(stream: u16) -> Option<Self> {
        if stream < Self::STREAM_NOT_NUMBERED - 1 { Some(Self(stream + 1)) } else { None }
    }

    /// The same number with the local bit set: the section speaks about this one record or its
    /// anchors only, not about the capture.
    pub const fn into_local(self) -> Self {
        Self(self.0 | Self::LOCAL)
    }

    /// The local bit, bit 15.
    pub const fn is_local(self) -> bool {
        self.0 & Self::LOCAL != 0
    }

    /// The number without the local bit, 0..=0x7FFF.
    pub const fn number(self) -> u16 {
        self.0 & !Self::LOCAL
    }

    /// Of an Interface section: the interface number, which is the id minus one.
    pub(super) const fn as_interface(self) -> Option<u16> {
        self.number().checked_sub(1)
    }

    /// Of a Stream section: the stream number, which is the id minus one; `None` for 0 and 0x7FFF.
    pub(super) const fn as_stream(self) -> Option<u16> {
        match self.number() {
            Self::STREAM_NOT_NUMBERED => None,
            number => number.checked_sub(1),
        }
    }
}

/// The number, with ` local` after it where the bit is set.
impl fmt::Display for SectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number(), if self.is_local() { " local" } else { "" })
    }
}

/// A section named by type and id, as the `parent_section` tag does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionRef {
    /// The type.
    pub section_type: SectionType,
    /// The id, with its local bit.
    pub id: SectionId,
}

/// `TYPE ID`, such as `Module 5`.
impl fmt::Display for SectionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.section_type, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn sixteen_sections_are_named_and_the_others_kept() {
        assert_eq!(SectionType::ALL.len(), 16);
        for (n, section) in (0xFF00u16..).zip(SectionType::ALL) {
            assert_eq!(section.number(), n);
            assert!(section.name().is_some());
        }
        let unknown = SectionType::new(0xFF10).unwrap();
        assert_eq!((unknown.name(), unknown.number()), (None, 0xFF10));
        assert_eq!(format!("{unknown}"), "0xff10");
        assert_eq!(SectionType::new(0xFEFF), None);
    }

    #[test]
    fn ids_are_numbers_plus_one_and_a_local_bit() {
        assert_eq!(SectionId::interface(0).bits(), 1);
        assert_eq!(SectionId::interface(255).as_interface(), Some(255));
        assert_eq!(SectionId::UNSPECIFIED.as_interface(), None);
        let local = SectionId::interface(1).into_local();
        assert!(local.is_local());
        assert_eq!((local.bits(), local.as_interface()), (0x8002, Some(1)));
        assert_eq!(format!("{local}"), "2 local");
    }

    #[test]
    fn two_stream_ids_mean_not_numbered() {
        assert_eq!(SectionId::from_bits(0).as_stream(), None);
        assert_eq!(SectionId::from_bits(0x7FFF).as_stream(), None);
        assert_eq!(SectionId::from_bits(0xFFFF).as_stream(), None);
        assert_eq!(SectionId::from_bits(0x7FFE).as_stream(), Some(0x7FFD));
        assert_eq!(SectionId::stream(0x7FFD).unwrap().bits(), 0x7FFE);
        assert_eq!(SectionId::stream(0x7FFE), None);
    }

    #[test]
    fn interface_and_stream_are_siblings() {
        assert!(SectionType::INTERFACE.is_sibling_of(SectionType::STREAM));
        assert!(SectionType::STREAM.is_sibling_of(SectionType::INTERFACE));
        assert!(SectionType::HOST.is_sibling_of(SectionType::HOST));
        assert!(!SectionType::MODULE.is_sibling_of(SectionType::INTERFACE));
    }
}
