//! [`RecordBuilder`]: writing a record into a caller's buffer.

use core::fmt;

use crate::ext::{self, ExtHeader};
use crate::fcs;
use crate::flags::Flags;
use crate::header::{Fit, Header};
use crate::record::{HEADER_LEN, MAX_RECORD_LEN, Record};
use crate::record_type::RecordType;
use crate::timestamp::Timestamp;

/// Writes one record into a buffer that the caller owns.
///
/// The defaults are those of `erf-format.md` section 4.1: records a multiple of 8 long, a whole packet padded up with zero
/// bytes, a snapped one cut **down**, since padding behind it would be read as payload. `wlen` is the payload's length, plus 4 with
/// [`append_fcs`](Self::append_fcs), unless given. [`from_record`](Self::from_record) copies any record byte for byte.
///
/// ```
/// use erf_core::{RecordBuilder, RecordType};
///
/// let mut buf = [0u8; 64];
/// // 30 of 100 bytes: 16 + 30 is no multiple of 8, so 24 are kept.
/// let len = RecordBuilder::new(RecordType::IPV4).payload(&[0x45; 30]).wire_len(100).write_to(&mut buf)?;
/// assert_eq!(len, 40);
/// # Ok::<(), erf_core::BuildError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RecordBuilder<'a> {
    timestamp: Timestamp,
    record_type: RecordType,
    flags: Flags,
    lctr: u16,
    wire_len: Option<u16>,
    chain: Chain<'a>,
    sub_header: [u8; 4],
    payload: &'a [u8],
    append_fcs: bool,
    padding: Padding<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Chain<'a> {
    /// Their "more" bits are set by us.
    Headers(&'a [ExtHeader]),
    /// Copied as they are.
    Raw(&'a [u8]),
}

#[derive(Debug, Clone, Copy)]
enum Padding<'a> {
    Align(u16),
    Bytes(&'a [u8]),
}

/// Why a record could not be written. Nothing was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The buffer is too small.
    Buffer {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        have: usize,
    },
    /// The record would be longer than the 65 535 bytes that `rlen` can say.
    RecordTooLong {
        /// Its length.
        len: usize,
    },
    /// The packet would be longer than the 65 535 bytes that `wlen` can say.
    WireTooLong {
        /// Its length.
        len: usize,
    },
    /// The alignment is not a power of two of at least 1, or not below 4096.
    Alignment(u16),
}

/// The parts of a record, measured.
struct Plan {
    rlen: usize,
    wire_len: u16,
    payload: usize,
    fcs: bool,
}

impl<'a> RecordBuilder<'a> {
    /// A record of type `record_type` at time 0 on interface 0, with `vlen` set as cards do, an empty payload, and
    /// aligned to 8 bytes.
    pub const fn new(record_type: RecordType) -> Self {
        Self {
            timestamp: Timestamp::ZERO,
            record_type,
            flags: Flags::from_bits(0x04),
            lctr: 0,
            wire_len: None,
            chain: Chain::Headers(&[]),
            sub_header: [0; 4],
            payload: &[],
            append_fcs: false,
            padding: Padding::Align(8),
        }
    }

    /// Everything of `record`, so that [`write_to`](Self::write_to) gives its bytes again.
    ///
    /// Changing the type, headers or payload afterwards keeps the padding bytes as they are; call
    /// [`alignment`](Self::alignment) to have it computed.
    pub fn from_record(record: &Record<'a>) -> Self {
        let mut sub_header = [0; 4];
        for (to, from) in sub_header.iter_mut().zip(record.sub_header_bytes()) {
            *to = *from;
        }
        Self {
            timestamp: record.timestamp(),
            record_type: record.record_type(),
            flags: record.flags(),
            lctr: record.lctr_raw(),
            wire_len: Some(record.wire_len()),
            chain: Chain::Raw(record.ext_headers().bytes()),
            sub_header,
            payload: record.payload(),
            append_fcs: false,
            padding: Padding::Bytes(record.padding()),
        }
    }

    /// The timestamp.
    pub const fn timestamp(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = timestamp;
        self
    }

    /// The type.
    pub const fn record_type(mut self, record_type: RecordType) -> Self {
        self.record_type = record_type;
        self
    }

    /// The whole flags byte, interface included.
    pub const fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// Capture interface (its low three bits).
    pub const fn interface(mut self, interface: u8) -> Self {
        self.flags = self.flags.with_interface(interface);
        self
    }

    /// Loss counter, or colour for the colour types.
    pub const fn lctr(mut self, value: u16) -> Self {
        self.lctr = value;
        self
    }

    /// Length on the wire, an FCS included.
    pub const fn wire_len(mut self, wire_len: u16) -> Self {
        self.wire_len = Some(wire_len);
        self
    }

    /// Extension headers; their "more" bits are set to make a chain.
    pub const fn ext_headers(mut self, headers: &'a [ExtHeader]) -> Self {
        self.chain = Chain::Headers(headers);
        self
    }

    /// The sub-header; as many bytes are used as the type has (0, 2 or 4).
    pub const fn sub_header(mut self, bytes: [u8; 4]) -> Self {
        self.sub_header = bytes;
        self
    }

    /// The stored bytes of the packet, an FCS included where there is one.
    pub const fn payload(mut self, payload: &'a [u8]) -> Self {
        self.payload = payload;
        self
    }

    /// Computes the Ethernet FCS and stores it behind the payload, if that is the whole frame; otherwise only `wlen` counts it.
    ///
    /// `wlen` is the frame's length plus 4: [`wire_len`](Self::wire_len), where given, must count the FCS.
    /// For types that are no Ethernet this does nothing.
    pub const fn append_fcs(mut self) -> Self {
        self.append_fcs = true;
        self
    }

    /// Makes the record a multiple of `bytes` long: a whole packet padded with zeros, a snapped one cut down.
    pub const fn alignment(mut self, bytes: u16) -> Self {
        self.padding = Padding::Align(bytes);
        self
    }

    /// Exactly as long as its parts, without padding.
    pub const fn exact(self) -> Self {
        self.padding_bytes(&[])
    }

    /// These bytes as padding, whatever the alignment.
    pub const fn padding_bytes(mut self, padding: &'a [u8]) -> Self {
        self.padding = Padding::Bytes(padding);
        self
    }

    /// The record's length in bytes, as [`write_to`](Self::write_to) would write it.
    ///
    /// # Errors
    ///
    /// As for [`write_to`](Self::write_to), the buffer aside.
    pub fn encoded_len(&self) -> Result<usize, BuildError> {
        self.plan().map(|plan| plan.rlen)
    }

    fn chain_len(&self) -> usize {
        match self.chain {
            Chain::Headers(headers) => headers.len() * ext::LEN,
            Chain::Raw(bytes) => bytes.len(),
        }
    }

    fn plan(&self) -> Result<Plan, BuildError> {
        let fcs = self.append_fcs && self.record_type.is_ethernet();
        let fcs_len = if fcs { 4 } else { 0 };
        let natural = self.payload.len() + fcs_len;
        let wire_len = match self.wire_len {
            Some(wire_len) => wire_len,
            None => u16::try_from(natural).map_err(|_| BuildError::WireTooLong { len: natural })?,
        };
        // The FCS can only follow a frame that is all there.
        let fcs = fcs && natural == usize::from(wire_len);
        let stored = if fcs { natural } else { self.payload.len() };
        let headers = HEADER_LEN + self.chain_len() + self.record_type.sub_header_len();
        let (rlen, payload) = match self.padding {
            Padding::Bytes(padding) => (headers + stored + padding.len(), self.payload.len()),
            Padding::Align(align) => {
                if !align.is_power_of_two() || align >= 4096 {
                    return Err(BuildError::Alignment(align));
                }
                let fit = Fit::aligned(self.record_type, headers, stored, wire_len, usize::from(align));
                (fit.rlen, self.payload.len() - (stored - fit.stored))
            }
        };
        if rlen > MAX_RECORD_LEN {
            return Err(BuildError::RecordTooLong { len: rlen });
        }
        Ok(Plan { rlen, wire_len, payload, fcs })
    }

    /// The record in memory of its own.
    ///
    /// # Errors
    ///
    /// As for [`write_to`](Self::write_to), the buffer aside.
    #[cfg(feature = "std")]
    pub fn to_vec(&self) -> Result<std::vec::Vec<u8>, BuildError> {
        let mut bytes = std::vec![0; self.encoded_len()?];
        self.write_to(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes the record to the start of `buf` and returns its length.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when it does not fit the buffer or the format; nothing is written then.
    pub fn write_to(&self, buf: &mut [u8]) -> Result<usize, BuildError> {
        let plan = self.plan()?;
        let have = buf.len();
        let Some(out) = buf.get_mut(..plan.rlen) else {
            return Err(BuildError::Buffer { needed: plan.rlen, have });
        };
        let mut out = Out { rest: out };
        let head = Header {
            timestamp: self.timestamp,
            record_type: self.record_type,
            has_ext: self.chain_len() > 0,
            flags: self.flags,
            // At most 65 535: `plan` has checked.
            rlen: plan.rlen as u16,
            lctr: self.lctr,
            wire_len: plan.wire_len,
        };
        out.put(&head.to_bytes());
        match self.chain {
            Chain::Raw(bytes) => out.put(bytes),
            Chain::Headers(headers) => {
                for (n, header) in headers.iter().enumerate() {
                    out.put(&header.with_more(n + 1 < headers.len()).bytes());
                }
            }
        }
        out.put(self.sub_header.get(..self.record_type.sub_header_len()).unwrap_or_default());
        out.put(self.payload.get(..plan.payload).unwrap_or_default());
        if plan.fcs {
            out.put(&fcs::ethernet(self.payload).to_le_bytes());
        }
        match self.padding {
            Padding::Bytes(padding) => out.put(padding),
            Padding::Align(_) => out.rest.fill(0),
        }
        Ok(plan.rlen)
    }
}

/// The unwritten end of the buffer.
struct Out<'b> {
    rest: &'b mut [u8],
}

impl Out<'_> {
    /// The parts add up to the buffer by construction, so all of `bytes` fits.
    fn put(&mut self, bytes: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        let (to, rest) = rest.split_at_mut(bytes.len().min(rest.len()));
        to.copy_from_slice(bytes.get(..to.len()).unwrap_or_default());
        self.rest = rest;
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer { needed, have } => {
                write!(f, "the record needs {needed} bytes, the buffer has {have}")
            }
            Self::RecordTooLong { len } => {
                write!(f, "the record would be {len} bytes long; a record holds at most 65535: use a snap length")
            }
            Self::WireTooLong { len } => {
                write!(f, "the packet is {len} bytes long; a record can state at most 65535")
            }
            Self::Alignment(align) => write!(f, "alignment {align} is not a power of two below 4096"),
        }
    }
}

impl core::error::Error for BuildError {}
