//! [`Defect`]: what is wrong, and where. A bad length is a value, neither a panic nor the end of the file.

use core::fmt;

use crate::timestamp::TimeDelta;

/// Something wrong or odd in ERF data, with the byte offset at which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Defect {
    /// Byte offset of the record (or of the bytes that are none) from the start of the decoded data.
    pub offset: u64,
    /// What it is.
    pub kind: DefectKind,
}

/// The kinds of defect: one for each row of `erf-format.md` section 11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DefectKind {
    /// `rlen` below 16: the chain of records ends here, unless a walk resynchronises.
    RecordLength {
        /// The value found.
        rlen: u16,
    },
    /// `rlen` leaves no room for the extension headers and sub-header that the type calls for.
    HeadersTooLong {
        /// The value found.
        rlen: u16,
        /// Bytes that the headers take.
        needed: u32,
    },
    /// The extension header chain does not end within the record.
    OpenChain {
        /// Record length.
        rlen: u16,
    },
    /// Fewer than 16 bytes are left.
    TornHeader {
        /// Bytes left.
        have: u8,
    },
    /// The record runs past the end of the data: a crash while writing, or a wrong length.
    TornRecord {
        /// Length claimed.
        rlen: u16,
        /// Bytes there are.
        have: u16,
    },
    /// Nothing but zero bytes to the end: a preallocated file. Not an error.
    ZeroTail {
        /// How many.
        len: u64,
    },
    /// A length that fits, but neither it nor what follows it looks like a record (only when recovering).
    Garbage {
        /// The length the bytes claim.
        rlen: u16,
    },
    /// Bytes passed over to find the next record (only when recovering).
    Skipped {
        /// How many.
        bytes: u64,
    },
    /// A record from before ERF, type 0. Readable as opaque.
    LegacyType,
    /// A type without a public name. The record is delivered.
    UnknownType {
        /// The number.
        number: u8,
    },
    /// `wlen` is 0 though bytes are stored; the packet is empty.
    ZeroWireLength {
        /// Bytes stored after the headers.
        available: u16,
    },
    /// META cut short: fewer tag bytes stored than `wlen` says.
    MetaTruncated {
        /// Bytes missing.
        missing: u16,
    },
    /// A META tag runs over the end of the tag area, or 1 to 3 bytes are left over.
    MetaTag {
        /// Offset of the tag in the tag area.
        at: u16,
    },
    /// A META value is shorter than its kind; the tag is ignored.
    MetaValue {
        /// Tag type.
        tag: u16,
        /// Length of the value.
        len: u16,
    },
    /// The timestamp is earlier than the one before.
    TimeBackwards {
        /// By how much.
        by: TimeDelta,
    },
    /// The timestamp is more than 365 days after the one before.
    TimeJump {
        /// By how much.
        by: TimeDelta,
    },
    /// The timestamp is 0.
    TimeZero,
    /// Flag bit 7, reserved, is set.
    ReservedFlag,
}

/// How bad a defect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// The data is legal and delivered; worth a count.
    Note,
    /// Delivered, but something about it cannot be right.
    Warning,
    /// A record is lost.
    Error,
}

impl Defect {
    /// A defect at `offset`.
    pub const fn new(offset: u64, kind: DefectKind) -> Self {
        Self { offset, kind }
    }
}

impl DefectKind {
    /// A stable code, for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RecordLength { .. } => "record-length",
            Self::HeadersTooLong { .. } => "headers-too-long",
            Self::OpenChain { .. } => "open-chain",
            Self::TornHeader { .. } => "torn-header",
            Self::TornRecord { .. } => "torn-record",
            Self::ZeroTail { .. } => "zero-tail",
            Self::Garbage { .. } => "garbage",
            Self::Skipped { .. } => "skipped",
            Self::LegacyType => "legacy-type",
            Self::UnknownType { .. } => "unknown-type",
            Self::ZeroWireLength { .. } => "zero-wire-length",
            Self::MetaTruncated { .. } => "meta-truncated",
            Self::MetaTag { .. } => "meta-tag",
            Self::MetaValue { .. } => "meta-value",
            Self::TimeBackwards { .. } => "time-backwards",
            Self::TimeJump { .. } => "time-jump",
            Self::TimeZero => "time-zero",
            Self::ReservedFlag => "reserved-flag",
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::RecordLength { .. }
            | Self::HeadersTooLong { .. }
            | Self::OpenChain { .. }
            | Self::TornHeader { .. }
            | Self::TornRecord { .. }
            | Self::Garbage { .. }
            | Self::Skipped { .. } => Severity::Error,
            Self::ZeroTail { .. }
            | Self::LegacyType
            | Self::ZeroWireLength { .. }
            | Self::MetaTruncated { .. }
            | Self::MetaTag { .. }
            | Self::MetaValue { .. } => Severity::Warning,
            Self::UnknownType { .. }
            | Self::TimeBackwards { .. }
            | Self::TimeJump { .. }
            | Self::TimeZero
            | Self::ReservedFlag => Severity::Note,
        }
    }

    /// Every kind once, with values of zero: what there is to be found.
    pub const ALL: &[Self] = &[
        Self::RecordLength { rlen: 0 },
        Self::HeadersTooLong { rlen: 0, needed: 0 },
        Self::OpenChain { rlen: 0 },
        Self::TornHeader { have: 0 },
        Self::TornRecord { rlen: 0, have: 0 },
        Self::Garbage { rlen: 0 },
        Self::Skipped { bytes: 0 },
        Self::ZeroTail { len: 0 },
        Self::LegacyType,
        Self::ZeroWireLength { available: 0 },
        Self::MetaTruncated { missing: 0 },
        Self::MetaTag { at: 0 },
        Self::MetaValue { tag: 0, len: 0 },
        Self::UnknownType { number: 0 },
        Self::TimeBackwards { by: TimeDelta::ZERO },
        Self::TimeJump { by: TimeDelta::ZERO },
        Self::TimeZero,
        Self::ReservedFlag,
    ];

    /// What it means for the data, and what reading does about it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::RecordLength { .. } => {
                "The length of a record is below the 16 bytes of its header, so there is no way to the next one. Reading ends \
                 here, unless it recovers."
            }
            Self::HeadersTooLong { .. } => {
                "The extension headers and the sub-header that the type calls for do not fit the length of the record. It is \
                 left out; reading goes on behind it."
            }
            Self::OpenChain { .. } => {
                "Every extension header says that another one follows, up to the end of the record. It is left out; reading \
                 goes on behind it."
            }
            Self::TornHeader { .. } => {
                "The data ends inside the header of a record: a copy or a recording that broke off. All records before it are \
                 good."
            }
            Self::TornRecord { .. } => {
                "A record runs past the end of the data: a copy or a recording that broke off, or a wrong length in the last \
                 record that could be reached. All records before it are good."
            }
            Self::Garbage { .. } => {
                "Bytes that can be read as a record, but neither look like one nor lead to one. Found only when recovering."
            }
            Self::Skipped { .. } => {
                "Bytes passed over until records follow one another again. Found only when recovering."
            }
            Self::ZeroTail { .. } => {
                "Nothing but zero bytes up to the end: space that was allocated and never written. No record is lost."
            }
            Self::LegacyType => {
                "A record of type 0, from before ERF. What is in it is not stated; it is delivered as it is."
            }
            Self::ZeroWireLength { .. } => {
                "The wire length is zero although bytes are stored. The packet is delivered empty."
            }
            Self::MetaTruncated { .. } => {
                "A META record has fewer bytes of tags than it states. The tags that are there are read."
            }
            Self::MetaTag { .. } => {
                "A META tag runs over the end of its record, or a few bytes are left over behind the last one. The tags \
                 before it are read."
            }
            Self::MetaValue { .. } => {
                "A META tag has fewer bytes than a value of its kind takes. The tag is passed over."
            }
            Self::UnknownType { .. } => "The type of a record has no public meaning. It is delivered as it is.",
            Self::TimeBackwards { .. } => {
                "A record is stamped earlier than the one before it on the same interface: the clock was set, or records were \
                 put together out of order."
            }
            Self::TimeJump { .. } => {
                "A record is stamped more than a year after the one before it on the same interface: the clock was set."
            }
            Self::TimeZero => "A record is stamped 1970-01-01 00:00:00: it was made without a clock.",
            Self::ReservedFlag => "Bit 7 of the flags is set, which has no public meaning.",
        }
    }

    /// For a bad record whose length can be believed: that length, so that a walk goes on behind it.
    pub const fn next_record(self) -> Option<u16> {
        match self {
            Self::HeadersTooLong { rlen, .. } | Self::OpenChain { rlen } => Some(rlen),
            _ => None,
        }
    }

    /// The data ends inside a record.
    pub const fn is_torn(self) -> bool {
        matches!(self, Self::TornHeader { .. } | Self::TornRecord { .. })
    }
}

/// One word.
impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::RecordLength { rlen } => {
                write!(f, "record length {rlen} is below the 16 bytes of a header; nothing behind it can be trusted")
            }
            Self::HeadersTooLong { rlen, needed } => {
                write!(f, "record of {rlen} bytes is shorter than its headers ({needed} bytes); skipped")
            }
            Self::OpenChain { rlen } => {
                write!(f, "extension headers do not end within the record of {rlen} bytes; skipped")
            }
            Self::TornHeader { have } => write!(f, "record torn at the end of the data: {have} of 16 header bytes"),
            Self::TornRecord { rlen, have } => write!(
                f,
                "record torn at the end of the data: {have} of {rlen} bytes, {} missing",
                rlen.saturating_sub(have)
            ),
            Self::ZeroTail { len } => write!(f, "{len} zero bytes to the end (a preallocated file)"),
            Self::Garbage { rlen } => {
                write!(f, "bytes that claim a record of {rlen} bytes but do not look like one")
            }
            Self::Skipped { bytes } => write!(f, "{bytes} bytes skipped to the next record"),
            Self::LegacyType => f.write_str("record type 0, from before ERF"),
            Self::UnknownType { number } => write!(f, "record type {number} has no public meaning"),
            Self::ZeroWireLength { available } => {
                write!(f, "wire length 0 with {available} bytes stored; the packet is empty")
            }
            Self::MetaTruncated { missing } => write!(f, "META record lacks {missing} bytes of its tags"),
            Self::MetaTag { at } => write!(f, "META tag at byte {at} of the tag area runs over its end"),
            Self::MetaValue { tag, len } => {
                write!(f, "META tag {tag} has a value of {len} bytes, shorter than its kind; ignored")
            }
            Self::TimeBackwards { by } => write!(f, "timestamp goes back by {by} s"),
            Self::TimeJump { by } => write!(f, "timestamp jumps forward by {by} s"),
            Self::TimeZero => f.write_str("timestamp is zero"),
            Self::ReservedFlag => f.write_str("reserved flag bit 7 is set"),
        }
    }
}

/// `byte 1234: what is wrong [code]`.
impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {} [{}]", self.offset, self.kind, self.kind.code())
    }
}

impl core::error::Error for Defect {}
impl core::error::Error for DefectKind {}
