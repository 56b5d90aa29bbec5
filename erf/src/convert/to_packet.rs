//! An ERF record as a pcap packet.

use erf_core::{ATM_CELL_LEN, HEADER_LEN, Record, RecordType};

use super::Skip;
use crate::pcap::LinkType;

/// What the packets of the file shall begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encapsulation {
    /// The link type that the record type stands for; the ERF header is gone.
    #[default]
    Native,
    /// Whole ERF records, LINKTYPE_ERF (197).
    Erf,
}

/// What to do about the Ethernet frame check sequence, which `wlen` counts by custom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FcsPolicy {
    /// `wlen` counts four bytes of it: take them off both lengths. What libpcap does.
    #[default]
    Strip,
    /// `wlen` counts four bytes of it: leave them, and say so in the file.
    Keep,
    /// The producer left it out of `wlen`: leave both lengths alone.
    Absent,
}

/// Which HDLC flavour the HDLC and PoS types hold; nothing in a record says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hdlc {
    /// Cisco HDLC where the first byte is 0x0F or 0x8F, else PPP. What Wireshark does.
    #[default]
    Guess,
    /// Cisco HDLC.
    Cisco,
    /// PPP.
    Ppp,
    /// Frame Relay.
    FrameRelay,
    /// SS7 MTP2.
    Mtp2,
}

/// How records become packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketOptions {
    /// Native link types or whole records.
    pub encapsulation: Encapsulation,
    /// The Ethernet FCS.
    pub fcs: FcsPolicy,
    /// The flavour of HDLC.
    pub hdlc: Hdlc,
    /// Bytes of FCS to take off HDLC frames: 0, 2 or 4 by link; 0 leaves them as they are.
    pub hdlc_fcs_len: u8,
}

/// A record as a packet: where its bytes lie and what to say about them.
#[derive(Clone, Copy, Debug)]
pub struct WirePacket<'a> {
    /// What it begins with.
    pub link_type: LinkType,
    /// Length before snapping, in bytes.
    pub original_len: u32,
    /// Bytes of FCS at the end of the unsnapped packet; 0 where it has none or nothing is known.
    pub fcs_len: u8,
    /// A rewritten ERF header, for LINKTYPE_ERF.
    header: Option<[u8; HEADER_LEN]>,
    /// Bytes of the payload before `body` that have no place in the link type.
    head: u8,
    body: &'a [u8],
}

impl<'a> WirePacket<'a> {
    /// The packet's bytes, in two parts of which the first is empty for native link types.
    #[inline]
    pub fn parts(&self) -> [&[u8]; 2] {
        [self.header.as_ref().map_or(&[], |header| &header[..]), self.body]
    }

    /// The packet's bytes behind a rewritten header; for native link types all there are.
    #[inline]
    pub(crate) fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Captured bytes: both parts together. At most 65 535.
    pub fn captured_len(&self) -> u32 {
        let header = if self.header.is_some() { HEADER_LEN } else { 0 };
        (header + self.body.len()) as u32
    }

    /// Bytes at the start of the record's payload that are not in the packet, at most; the payload may be shorter.
    pub(crate) fn skipped_head(&self) -> usize {
        self.head.into()
    }

    #[inline]
    fn native(link_type: LinkType, body: &'a [u8], original_len: usize) -> WirePacket<'a> {
        WirePacket { link_type, original_len: original_len as u32, fcs_len: 0, header: None, head: 0, body }
    }

    /// Takes `n` bytes off the end of the unsnapped packet, unless it has fewer.
    #[inline]
    fn without_tail(self, n: u8) -> WirePacket<'a> {
        let Some(original_len) = self.original_len.checked_sub(u32::from(n)) else {
            return self;
        };
        WirePacket { original_len, body: self.body.get(..original_len as usize).unwrap_or(self.body), ..self }
    }
}

/// What `record` is as a pcap packet, by `erf-format.md` sections 9 and 10.1. Nothing is copied.
///
/// # Errors
///
/// Why it is none: PAD always, META unless whole records are wanted, types without a link type.
#[inline]
pub fn to_packet<'a>(record: &Record<'a>, options: &PacketOptions) -> Result<WirePacket<'a>, Skip> {
    if record.is_pad() {
        return Err(Skip::Pad);
    }
    match options.encapsulation {
        Encapsulation::Erf => Ok(whole_record(record)),
        Encapsulation::Native => native(record, options),
    }
}

/// LINKTYPE_ERF: padding is cut and `rlen` made to agree, as Wireshark does (section 9).
fn whole_record<'a>(record: &Record<'a>) -> WirePacket<'a> {
    let bytes = record.bytes();
    let full = record.header_len() + usize::from(record.wire_len());
    let kept = bytes.len().min(full);
    let (header, body) = bytes.split_at(HEADER_LEN.min(kept));
    let mut rewritten = [0; HEADER_LEN];
    for (to, from) in rewritten.iter_mut().zip(header) {
        *to = *from;
    }
    // At most `rlen`, so it fits 16 bits.
    rewritten[10..12].copy_from_slice(&(kept as u16).to_be_bytes());
    WirePacket {
        link_type: LinkType::ERF,
        original_len: full as u32,
        fcs_len: 0,
        header: Some(rewritten),
        head: 0,
        body: &body[..kept - header.len()],
    }
}

#[inline]
fn native<'a>(record: &Record<'a>, options: &PacketOptions) -> Result<WirePacket<'a>, Skip> {
    let payload = record.payload();
    let wire_len = usize::from(record.wire_len());
    let record_type = record.record_type();
    Ok(match record_type {
        _ if record_type.is_ethernet() => ethernet_frame(record, options.fcs),
        _ if record_type.is_hdlc() => WirePacket::native(hdlc_link_type(options.hdlc, payload), payload, wire_len)
            .without_tail(options.hdlc_fcs_len),
        // The four bytes of ATM header have no place in LINKTYPE_ATM_RFC1483; a cell counts 52 bytes
        // whatever its `wlen` says.
        RecordType::ATM | RecordType::MC_ATM => atm(payload, ATM_CELL_LEN),
        RecordType::AAL5 | RecordType::MC_AAL5 => atm(payload, wire_len),
        RecordType::INFINIBAND => WirePacket::native(LinkType::INFINIBAND, payload, wire_len),
        RecordType::IPV4 | RecordType::IPV6 => WirePacket::native(LinkType::RAW, payload, wire_len),
        RecordType::META => return Err(Skip::Meta),
        other => return Err(Skip::NoLinkType(other)),
    })
}

/// The frame of an Ethernet record.
#[inline]
pub(crate) fn ethernet_frame<'a>(record: &Record<'a>, fcs: FcsPolicy) -> WirePacket<'a> {
    let frame = WirePacket::native(LinkType::ETHERNET, record.payload(), record.wire_len().into());
    match fcs {
        FcsPolicy::Strip => frame.without_tail(4),
        FcsPolicy::Keep => WirePacket { fcs_len: 4, ..frame },
        FcsPolicy::Absent => frame,
    }
}

fn atm(payload: &[u8], length: usize) -> WirePacket<'_> {
    const ATM_HEADER: u8 = 4;
    let head = usize::from(ATM_HEADER);
    let body = payload.get(head..).unwrap_or_default();
    let packet = WirePacket::native(LinkType::ATM_RFC1483, body, length.saturating_sub(head));
    WirePacket { head: ATM_HEADER, ..packet }
}

fn hdlc_link_type(flavour: Hdlc, payload: &[u8]) -> LinkType {
    match flavour {
        Hdlc::Guess if matches!(payload.first(), Some(0x0F | 0x8F)) => LinkType::C_HDLC,
        Hdlc::Guess | Hdlc::Ppp => LinkType::PPP_HDLC,
        Hdlc::Cisco => LinkType::C_HDLC,
        Hdlc::FrameRelay => LinkType::FRELAY,
        Hdlc::Mtp2 => LinkType::MTP2,
    }
}
