//! [`Tag`], one tag of a META record, and [`MetaDefect`], where the tags end before their area.

use core::fmt;

use super::{TagType, Value};

/// Bytes before the value of a tag: type and length.
pub(super) const HEADER_LEN: usize = 4;

/// One tag: its type and the bytes of its value (`erf-format.md` section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    tag_type: TagType,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Tag<'a> {
    pub(super) const fn new(tag_type: TagType, bytes: &'a [u8], offset: usize) -> Self {
        Self { tag_type, bytes, offset }
    }

    /// The type.
    pub const fn tag_type(&self) -> TagType {
        self.tag_type
    }

    /// The value as stored, without padding.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the tag begins, in bytes from the start of the tag area.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The value, read by the kind of the tag's type.
    pub fn value(&self) -> Value<'a> {
        Value::read(self.tag_type.kind(), self.bytes)
    }

    /// The name of the value where the tag is an enumeration (`erf-format.md` section 7.6), such as
    /// `synchronised` for a `clk_state` of 2.
    pub fn value_name(&self) -> Option<&'static str> {
        self.value().as_u32().and_then(|value| self.tag_type.value_name(value))
    }
}

/// Where the tags of a META record end before their area does. What stands before is good.
///
/// A defect of one record's content: the record itself is whole, and the next one is not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MetaDefect {
    /// Bytes from the start of the tag area to the tag that is not whole.
    pub offset: usize,
    /// What is wrong there.
    pub kind: MetaDefectKind,
}

/// What [`MetaDefect`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetaDefectKind {
    /// One to three bytes after the last tag: too few for another one.
    TrailingBytes {
        /// Bytes left.
        left: usize,
    },
    /// A tag whose value runs over the end of the area.
    TagOverrun {
        /// The type of the tag.
        tag_type: TagType,
        /// The length that the tag states.
        length: u16,
        /// Bytes left for the value.
        left: usize,
    },
}

impl MetaDefectKind {
    /// A stable name for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TrailingBytes { .. } => "meta-trailing-bytes",
            Self::TagOverrun { .. } => "meta-tag-overrun",
        }
    }
}

impl fmt::Display for MetaDefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TrailingBytes { left } => write!(f, "{left} bytes left over, a tag needs {HEADER_LEN}"),
            Self::TagOverrun { tag_type, length, left } => {
                write!(f, "{tag_type} has a value of {length} bytes but {left} are left")
            }
        }
    }
}

impl fmt::Display for MetaDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} of the tag area; the tags before it are good", self.kind, self.offset)
    }
}

impl core::error::Error for MetaDefect {}
