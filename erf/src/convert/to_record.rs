//! A pcap packet as an ERF record.

use erf_core::ext::{self, HostId};
use erf_core::identity::Identity;
use erf_core::{
    BuildError, DefectKind, ExtHeader, Flags, HEADER_LEN, MAX_RECORD_LEN, Record, RecordBuilder, RecordType, Timestamp,
};

use crate::pcap::{LinkType, Packet};

/// Where the Ethernet FCS of the record comes from when the packet has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FcsRule {
    /// A whole frame gets a computed one; `wlen` counts it also where the frame is snapped. What
    /// readers of ERF expect.
    #[default]
    Append,
    /// None, and `wlen` counts none. Readers must be told, by a META tag `fcs_len` of 0.
    None,
}

/// How packets become records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordOptions {
    /// The Ethernet FCS.
    pub fcs: FcsRule,
    /// Records of whole packets are padded to multiples of this many bytes, a power of two; 1 is no padding at all.
    pub alignment: u16,
    /// Snapped records are cut **down** to such a multiple, as padding behind them would be taken for payload (`erf-format.md` section
    /// 4). Off by default: reading loses no stored byte. What is cut off is counted ([`ToRecord::cut`]).
    pub cut: bool,
    /// Make META records of what the file says about interfaces and packets: names, speeds, filters, comments. They stand
    /// before the first packet that they are about; a packet with comments gets an anchor. For whole files, off by default:
    /// [`ToRecord`] alone knows nothing of it.
    pub describe: bool,
    /// Give the records that a pcapng file without loss was made of, byte for byte, instead of converting its packets; on by
    /// default. [`ToRecord`] alone knows nothing of it.
    pub restore: bool,
}

/// What was found in pcapng files that were written without loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restorations {
    /// Packets of which the record came back.
    pub packets: u64,
    /// Records that stood beside the packets: META, PAD.
    pub beside: u64,
    /// Of the packets, those with another stamp than the record had: its stamp is the packet's now.
    pub restamped: u64,
    /// Packets that were changed since: they were converted as any other.
    pub edited: u64,
    /// Records beside the packets that are damaged and lost.
    pub damaged: u64,
}

impl Default for RecordOptions {
    fn default() -> RecordOptions {
        RecordOptions { fcs: FcsRule::Append, alignment: 8, cut: false, describe: false, restore: true }
    }
}

/// Why a packet did not become a record. The file goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No ERF type fits the link type.
    #[error("no ERF record type for {0} packets")]
    LinkType(LinkType),
    /// A raw IP packet that begins with neither 4 nor 6.
    #[error("raw IP packet that is neither IPv4 nor IPv6")]
    NotIp,
    /// The packet, or the record it would need, is longer than the 65 535 bytes ERF can say.
    #[error("packet of {0} bytes is longer than a record can hold; use a snap length")]
    TooLong(u32),
    /// The ERF record inside a LINKTYPE_ERF packet is none.
    #[error("LINKTYPE_ERF packet: {0}")]
    Record(DefectKind),
    /// The ERF record inside a LINKTYPE_ERF packet is filler.
    #[error("PAD is filler, no packet")]
    Pad,
    /// An interface number above the 2048 that eight ports on each of 256 sources make.
    #[error("interface {0} is more than ERF can number")]
    Interface(u32),
    /// The caller's buffer is too small; [`MAX_RECORD_LEN`] bytes are always enough.
    #[error("the record needs {needed} bytes, the buffer has {have}")]
    Buffer {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        have: usize,
    },
    /// The options cannot be met, for example an alignment that is no power of two.
    #[error("{0}")]
    Options(BuildError),
}

/// Bit 24 of the pcapng packet flags: the frame check sequence was wrong on the wire.
const FLAG_CRC_ERROR: u32 = 1 << 24;

/// Writes packets as records, one after another.
///
/// It remembers one thing between packets: a packet without a stamp gets that of the one before it, so
/// that the order of the file stays the order of time.
///
/// ```
/// use erf::convert::{RecordOptions, ToRecord};
/// use erf::pcap::{LinkType, Packet};
///
/// let packet = Packet::new(LinkType::ETHERNET, &[0; 60]);
/// let mut buffer = vec![0; erf::MAX_RECORD_LEN];
/// let length = ToRecord::new(RecordOptions::default()).write(&packet, &mut buffer)?;
/// let record = erf::Record::parse(&buffer[..length])?;
/// assert_eq!((record.wire_len(), record.verify_fcs()), (64, Some(true)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ToRecord {
    options: RecordOptions,
    last: Timestamp,
    cut: Cut,
}

/// Stored bytes of packets that are not in their records, because snapped ones were [cut down](RecordOptions::cut).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// Packets that lost some.
    pub packets: u64,
    /// The bytes lost, of all of them together.
    pub bytes: u64,
}

impl ToRecord {
    /// With these options.
    pub fn new(options: RecordOptions) -> ToRecord {
        ToRecord { options, last: Timestamp::ZERO, cut: Cut::default() }
    }

    /// What has been cut off so far.
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// Writes `packet` as a record to the start of `buffer`, by `erf-format.md` sections 9 and 10.2;
    /// returns the record's length.
    ///
    /// The interface's low three bits become the record's; every further eight interfaces are a source
    /// of their own, named by a Host ID extension header with Host ID 0 (unknown). A packet that states its port itself keeps it.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]; what `buffer` then holds means nothing.
    pub fn write(&mut self, packet: &Packet<'_>, buffer: &mut [u8]) -> Result<usize, Refusal> {
        let record_type = match packet.link_type {
            LinkType::ERF => return self.whole_record(packet, buffer),
            LinkType::ETHERNET => RecordType::ETH,
            LinkType::C_HDLC | LinkType::PPP_HDLC | LinkType::FRELAY | LinkType::MTP2 => RecordType::HDLC_POS,
            LinkType::RAW => match packet.captured.first().map(|first| first >> 4) {
                Some(4) => RecordType::IPV4,
                Some(6) => RecordType::IPV6,
                _ => return Err(Refusal::NotIp),
            },
            LinkType::IPV4 => RecordType::IPV4,
            LinkType::IPV6 => RecordType::IPV6,
            LinkType::INFINIBAND => RecordType::INFINIBAND,
            other => return Err(Refusal::LinkType(other)),
        };
        // Files exist whose original length is below the captured one.
        let captured_len = u32::try_from(packet.captured.len()).unwrap_or(u32::MAX);
        let original_len = packet.original_len.max(captured_len);
        let append =
            record_type.is_ethernet() && self.options.fcs == FcsRule::Append && !matches!(packet.fcs_len, Some(1..));
        let wire_len = original_len.saturating_add(if append { 4 } else { 0 });
        let Ok(wire_len) = u16::try_from(wire_len) else {
            return Err(Refusal::TooLong(original_len));
        };
        let identity = match packet.identity {
            Some(identity) => identity,
            None => {
                let source_id = u8::try_from(packet.interface / 8).map_err(|_| Refusal::Interface(packet.interface))?;
                Identity { host_id: 0, source_id, interface: (packet.interface % 8) as u8 }
            }
        };
        let host = [ExtHeader::from(HostId { source_id: identity.source_id, host_id: identity.host_id })];
        let is_plain = (identity.source_id, identity.host_id) == (0, 0);
        let drops = packet.drop_count.unwrap_or(0);
        let crc_error = packet.flags.is_some_and(|flags| flags & FLAG_CRC_ERROR != 0);
        let flags = Flags::from_bits(0)
            .with_varying_length(true)
            .with_interface(identity.interface & 7)
            .with_rx_error(crc_error);
        let builder = RecordBuilder::new(record_type)
            .timestamp(self.stamp(packet.timestamp))
            .flags(flags)
            .lctr(u16::try_from(drops).unwrap_or(u16::MAX))
            .ext_headers(if is_plain { &[] } else { &host })
            .payload(packet.captured)
            .wire_len(wire_len);
        let is_snapped = captured_len < original_len;
        let builder =
            if is_snapped && !self.options.cut { builder.exact() } else { builder.alignment(self.options.alignment) };
        let builder = if append { builder.append_fcs() } else { builder };
        let length = builder.write_to(buffer).map_err(|error| match error {
            BuildError::Buffer { needed, have } => Refusal::Buffer { needed, have },
            BuildError::RecordTooLong { .. } | BuildError::WireTooLong { .. } => Refusal::TooLong(original_len),
            other => Refusal::Options(other),
        })?;
        if is_snapped {
            let headers = HEADER_LEN + if is_plain { 0 } else { ext::LEN } + record_type.sub_header_len();
            let lost = (headers + packet.captured.len()).saturating_sub(length);
            self.cut.packets += u64::from(lost > 0);
            self.cut.bytes += lost as u64;
        }
        Ok(length)
    }

    fn stamp(&mut self, timestamp: Option<Timestamp>) -> Timestamp {
        self.last = timestamp.unwrap_or(self.last);
        self.last
    }

    /// LINKTYPE_ERF: the record itself, with what the pcap file says about its length believed before
    /// what it says itself (section 9), and its padding restored.
    fn whole_record(&mut self, packet: &Packet<'_>, buffer: &mut [u8]) -> Result<usize, Refusal> {
        let stored = &packet.captured[..packet.captured.len().min(MAX_RECORD_LEN)];
        let Some(header) = stored.first_chunk::<HEADER_LEN>() else {
            return Err(Refusal::Record(DefectKind::TornHeader { have: stored.len() as u8 }));
        };
        // `rlen` is a claim. Where it leaves no room for the headers, the file's length is taken.
        let claimed = usize::from(u16::from_be_bytes([header[10], header[11]]));
        let believed = if claimed < HEADER_LEN { stored.len() } else { claimed.min(stored.len()) };
        let inner = match inner(stored, believed, buffer) {
            Err(Refusal::Record(_)) if believed < stored.len() => inner(stored, stored.len(), buffer)?,
            result => result?,
        };
        if inner.pad {
            return Err(Refusal::Pad);
        }
        self.last = inner.timestamp;
        if inner.snapped {
            // Padding behind a snapped packet would be read as payload.
            return Ok(inner.length);
        }
        let align = usize::from(self.options.alignment);
        if !align.is_power_of_two() {
            return Err(Refusal::Options(BuildError::Alignment(self.options.alignment)));
        }
        let padded = inner.length.next_multiple_of(align);
        if padded <= MAX_RECORD_LEN {
            place(&stored[..inner.length], padded, buffer)?;
            return Ok(padded);
        }
        Ok(inner.length)
    }
}

/// What matters about the record inside a LINKTYPE_ERF packet.
struct Inner {
    length: usize,
    pad: bool,
    snapped: bool,
    timestamp: Timestamp,
}

/// Takes the first `length` bytes of `stored` for a record, and puts it into `buffer`.
fn inner(stored: &[u8], length: usize, buffer: &mut [u8]) -> Result<Inner, Refusal> {
    place(&stored[..length], length, buffer)?;
    let record = Record::parse(&buffer[..length]).map_err(Refusal::Record)?;
    Ok(Inner { length, pad: record.is_pad(), snapped: record.is_snapped(), timestamp: record.timestamp() })
}

/// Puts a record into `buffer`, filled up with zeros to `padded` bytes, which `rlen` then says.
fn place(record: &[u8], padded: usize, buffer: &mut [u8]) -> Result<(), Refusal> {
    let have = buffer.len();
    let out = buffer.get_mut(..padded).ok_or(Refusal::Buffer { needed: padded, have })?;
    let (start, end) = out.split_at_mut(record.len());
    start.copy_from_slice(record);
    end.fill(0);
    // `padded` is at most MAX_RECORD_LEN.
    start[10..12].copy_from_slice(&(padded as u16).to_be_bytes());
    Ok(())
}
