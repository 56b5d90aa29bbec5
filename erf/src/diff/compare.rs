//! [`Tolerance`]: when two records count as the same, and in what they differ.

use std::fmt;

use erf_core::{Record, RecordType, TimeDelta, Timestamp};

/// Bytes of an Ethernet FCS.
const FCS_LEN: usize = 4;

/// What may differ between two records that count as the same. Padding always may: its content is undefined
/// (`erf-format.md` section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tolerance {
    stamp: TimeDelta,
    snap: bool,
    fcs: bool,
    interface: bool,
    loss: bool,
    extensions: bool,
    meta: bool,
}

impl Tolerance {
    /// Stamps may be so far apart.
    pub fn stamp(self, by: TimeDelta) -> Self {
        Self { stamp: by.abs(), ..self }
    }

    /// One may be cut shorter than the other: what both have is compared.
    pub const fn snap(self, on: bool) -> Self {
        Self { snap: on, ..self }
    }

    /// One Ethernet record may have an FCS, or count one in its wire length, and the other not. An FCS is not compared then.
    pub const fn fcs(self, on: bool) -> Self {
        Self { fcs: on, ..self }
    }

    /// Interfaces may differ.
    pub const fn interface(self, on: bool) -> Self {
        Self { interface: on, ..self }
    }

    /// Loss counters and colours may differ.
    pub const fn loss(self, on: bool) -> Self {
        Self { loss: on, ..self }
    }

    /// Extension headers may differ.
    pub const fn extensions(self, on: bool) -> Self {
        Self { extensions: on, ..self }
    }

    /// META records are passed over. PAD always is.
    pub const fn meta(self, on: bool) -> Self {
        Self { meta: on, ..self }
    }

    pub(super) fn passes_over(&self, record: &Record<'_>) -> bool {
        record.is_pad() || (self.meta && record.is_meta())
    }

    /// Whether two records count as the same.
    pub fn same(&self, a: &Record<'_>, b: &Record<'_>) -> bool {
        self.same_stamp(a, b)
            && a.record_type() == b.record_type()
            && self.same_lengths(a, b)
            && self.same_header(a, b)
            && self.payloads(a, b).is_none_or(|(a, b)| a == b)
    }

    fn same_stamp(&self, a: &Record<'_>, b: &Record<'_>) -> bool {
        let (a, b) = (a.timestamp(), b.timestamp());
        a == b || (a - b).abs() <= self.stamp
    }

    fn same_header(&self, a: &Record<'_>, b: &Record<'_>) -> bool {
        (self.interface || a.interface() == b.interface())
            && bits(a) == bits(b)
            && (self.loss || a.lctr_raw() == b.lctr_raw())
            && (self.extensions || a.ext_headers().bytes() == b.ext_headers().bytes())
            && sub_header(a) == sub_header(b)
    }

    /// Wire lengths are the same, or differ by an FCS that may differ; so many bytes are stored of both, unless that may differ.
    fn same_lengths(&self, a: &Record<'_>, b: &Record<'_>) -> bool {
        let apart = a.wire_len().abs_diff(b.wire_len());
        let ethernet = a.record_type().is_ethernet();
        let same_wire = apart == 0 || (self.fcs && ethernet && usize::from(apart) == FCS_LEN);
        let apart = a.captured_len().abs_diff(b.captured_len());
        same_wire && (self.snap || apart == 0 || (self.fcs && ethernet && apart == FCS_LEN))
    }

    /// The bytes of both that are to be the same; `None` where a difference of lengths says it all.
    fn payloads<'a>(&self, a: &Record<'a>, b: &Record<'a>) -> Option<(&'a [u8], &'a [u8])> {
        let (mut one, mut other) = (a.payload(), b.payload());
        if self.fcs && a.record_type().is_ethernet() {
            // The frame without FCS is what the smaller wire length leaves, or that without its last four bytes.
            let frame = match a.wire_len() == b.wire_len() {
                true => usize::from(a.wire_len()).saturating_sub(FCS_LEN),
                false => usize::from(a.wire_len().min(b.wire_len())),
            };
            one = &one[..one.len().min(frame)];
            other = &other[..other.len().min(frame)];
        }
        if self.snap || self.fcs {
            let both = one.len().min(other.len());
            (one, other) = (&one[..both], &other[..both]);
        }
        (one.len() == other.len()).then_some((one, other))
    }

    /// In what two records differ.
    pub fn fields(&self, a: &Record<'_>, b: &Record<'_>) -> Vec<Field> {
        let mut fields = Vec::new();
        if !self.same_stamp(a, b) {
            fields.push(Field::Stamp { a: a.timestamp(), b: b.timestamp() });
        }
        if a.record_type() != b.record_type() {
            fields.push(Field::Type { a: a.record_type(), b: b.record_type() });
        }
        if !self.interface && a.interface() != b.interface() {
            fields.push(Field::Interface { a: a.interface(), b: b.interface() });
        }
        if bits(a) != bits(b) {
            fields.push(Field::Flags { a: a.flags().bits(), b: b.flags().bits() });
        }
        if !self.loss && a.lctr_raw() != b.lctr_raw() {
            fields.push(Field::Loss { a: a.lctr_raw(), b: b.lctr_raw() });
        }
        if !self.same_lengths(a, b) {
            if a.wire_len() != b.wire_len() {
                fields.push(Field::WireLength { a: a.wire_len(), b: b.wire_len() });
            }
            if a.captured_len() != b.captured_len() {
                fields.push(Field::Captured { a: a.captured_len(), b: b.captured_len() });
            }
        }
        if !self.extensions && a.ext_headers().bytes() != b.ext_headers().bytes() {
            fields.push(Field::Extensions { a: a.ext_headers().len(), b: b.ext_headers().len() });
        }
        if a.record_type() == b.record_type() && sub_header(a) != sub_header(b) {
            fields.push(Field::SubHeader);
        }
        // Where lengths differ, the first byte that does is of interest all the same.
        let (one, other) = self.payloads(a, b).unwrap_or((a.payload(), b.payload()));
        if let Some(at) = one.iter().zip(other).position(|(a, b)| a != b) {
            fields.push(Field::Packet { at, a: one[at], b: other[at] });
        }
        fields
    }
}

/// The flags that say something of the packet: not the interface, and not whether record lengths vary.
fn bits(record: &Record<'_>) -> u8 {
    record.flags().with_interface(0).with_varying_length(false).bits()
}

/// What a sub-header says; the two bytes before Ethernet mean nothing (`erf-format.md` section 6.1).
fn sub_header<'a>(record: &Record<'a>) -> &'a [u8] {
    if record.record_type().is_ethernet() { &[] } else { record.sub_header_bytes() }
}

/// A field in which two records differ, with the values of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// Stamps, further apart than they may be.
    Stamp {
        /// The stamp of the first file.
        a: Timestamp,
        /// The stamp of the second file.
        b: Timestamp,
    },
    /// Record types.
    Type {
        /// The type of the first file.
        a: RecordType,
        /// The type of the second file.
        b: RecordType,
    },
    /// Capture interfaces.
    Interface {
        /// The interface, 0 to 7, of the first file.
        a: u8,
        /// The interface, 0 to 7, of the second file.
        b: u8,
    },
    /// Flags other than interface and varying length.
    Flags {
        /// The flags of the first file.
        a: u8,
        /// The flags of the second file.
        b: u8,
    },
    /// Loss counters, or colours.
    Loss {
        /// The counter or colour of the first file.
        a: u16,
        /// The counter or colour of the second file.
        b: u16,
    },
    /// Wire lengths.
    WireLength {
        /// Bytes on the wire of the first file.
        a: u16,
        /// Bytes on the wire of the second file.
        b: u16,
    },
    /// Bytes stored of the packet.
    Captured {
        /// Bytes stored of the first file.
        a: usize,
        /// Bytes stored of the second file.
        b: usize,
    },
    /// Extension headers; how many there are.
    Extensions {
        /// Headers of the first file.
        a: usize,
        /// Headers of the second file.
        b: usize,
    },
    /// What stands between headers and packet.
    SubHeader,
    /// The first byte of the packet that differs.
    Packet {
        /// Bytes from the start of the packet.
        at: usize,
        /// The byte of the first file.
        a: u8,
        /// The byte of the second file.
        b: u8,
    },
}

impl Field {
    /// A stable name, for scripts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stamp { .. } => "stamp",
            Self::Type { .. } => "type",
            Self::Interface { .. } => "interface",
            Self::Flags { .. } => "flags",
            Self::Loss { .. } => "loss",
            Self::WireLength { .. } => "wire_len",
            Self::Captured { .. } => "captured",
            Self::Extensions { .. } => "extensions",
            Self::SubHeader => "sub_header",
            Self::Packet { .. } => "packet",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Stamp { a, b } => write!(f, "stamp: {a} and {b} ({} ns)", (b - a).to_nanos()),
            Self::Type { a, b } => write!(f, "type: {a} and {b}"),
            Self::Interface { a, b } => write!(f, "interface: {a} and {b}"),
            Self::Flags { a, b } => write!(f, "flags: {a:#04x} and {b:#04x}"),
            Self::Loss { a, b } => write!(f, "loss counter or colour: {a} and {b}"),
            Self::WireLength { a, b } => write!(f, "wire length: {a} and {b}"),
            Self::Captured { a, b } => write!(f, "stored: {a} and {b} bytes"),
            Self::Extensions { a, b } if a == b => write!(f, "extension headers: contents of {a}"),
            Self::Extensions { a, b } => write!(f, "extension headers: {a} and {b}"),
            Self::SubHeader => f.write_str("sub-header"),
            Self::Packet { at, a, b } => write!(f, "byte {at} of the packet: {a:02x} and {b:02x}"),
        }
    }
}
