//! What a pcap or pcapng file says about its interfaces and packets, as META records.

use erf_core::ext::{self, AnchorId, HostId};
use erf_core::meta::{MetaWriteError, MetaWriter, SectionId, SectionType, TagType};
use erf_core::{ExtHeader, MAX_RECORD_LEN, Record, RecordBuilder, RecordType, Timestamp};

use super::FcsRule;
use crate::pcap::{LinkType, Packets};
use crate::pcapng::{HOST_COMMENT, Interface, Section, cut};

/// Bytes of tags that one META record holds, with its extension headers.
const MAX_AREA: usize = MAX_RECORD_LEN - 64;

/// Bytes of a comment on the file that are kept: what a META record has room for, the tags around it aside.
const MAX_COMMENT: usize = MAX_AREA - 64;

/// Makes META records of what a file says, each thing once.
#[derive(Debug)]
pub(crate) struct About {
    fcs: FcsRule,
    /// Section headers met, and interfaces of the last one that are described.
    sections: u64,
    described: usize,
    anchors: u64,
}

impl About {
    pub(crate) fn new(fcs: FcsRule) -> About {
        About { fcs, sections: 0, described: 0, anchors: 0 }
    }

    /// Puts META records with the stamp of `record`, the first packet of theirs, before those in `out`, about the interfaces that have become known since the last call: a record for
    /// each eight of them, which are the ports of one source.
    pub(crate) fn describe(&mut self, packets: &Packets, record: &[u8], out: &mut Vec<u8>) {
        let (sections, interfaces) = match packets {
            Packets::Pcap(_) => (1, 1),
            Packets::PcapNg(reader) => (reader.sections(), reader.interfaces().len()),
        };
        if sections == self.sections && interfaces == self.described {
            return;
        }
        let first = if sections == self.sections { self.described } else { 0 };
        (self.sections, self.described) = (sections, interfaces);
        let stamp = Record::parse(record).map(|record| record.timestamp()).unwrap_or_default();
        let mut made = Vec::new();
        match packets {
            // Nothing is said but what we do ourselves.
            Packets::Pcap(reader) => {
                if self.fcs == FcsRule::None && reader.link_type() == LinkType::ETHERNET {
                    let area = |writer: &mut MetaWriter<'_>| {
                        writer.put(TagType::GEN_TIME, stamp)?;
                        writer.section(SectionType::INTERFACE, SectionId::interface(0))?;
                        writer.put(TagType::FCS_LEN, 0u32).map(|_| ())
                    };
                    append(&mut made, stamp, &[], area);
                }
            }
            Packets::PcapNg(reader) => {
                let new = reader.interfaces().iter().enumerate().skip(first);
                let new: Vec<_> = new.filter(|(_, interface)| has_no_meta(interface)).collect();
                for group in new.chunk_by(|one, other| one.0 / 8 == other.0 / 8) {
                    self.group(group, reader.section(), stamp, &mut made);
                }
                if first == 0 && reader.interfaces().iter().all(has_no_meta) {
                    remarks(reader.section(), stamp, &mut made);
                }
            }
        }
        if !made.is_empty() {
            made.append(out);
            *out = made;
        }
    }

    /// Interfaces of the section at hand about which a file says something that is not told without [`describe`](Self::describe).
    pub(crate) fn undescribed(&self, packets: &Packets) -> u64 {
        let Packets::PcapNg(reader) = packets else { return 0 };
        let is_told = |interface: &&Interface| has_no_meta(interface) && is_described(interface);
        reader.interfaces().iter().filter(is_told).count() as u64
    }

    /// Comments on the section at hand, which are not told either.
    pub(crate) fn unremarked(&self, packets: &Packets) -> u64 {
        let Packets::PcapNg(reader) = packets else { return 0 };
        let is_made_up = reader.interfaces().iter().all(has_no_meta);
        if is_made_up { reader.section().comments.len() as u64 } else { 0 }
    }

    fn group(&self, group: &[(usize, &Interface)], section: &Section, stamp: Timestamp, out: &mut Vec<u8>) {
        let Some(&(number, _)) = group.first() else { return };
        // More than 2048 interfaces have no number in ERF; their packets are refused.
        let Ok(source_id) = u8::try_from(number / 8) else { return };
        let host = [ExtHeader::from(HostId { source_id, host_id: 0 })];
        let host = if source_id == 0 { &[][..] } else { &host[..] };
        let without_fcs =
            |interface: &Interface| self.fcs == FcsRule::None && interface.link_type == LinkType::ETHERNET;
        let said = group.iter().any(|(_, interface)| is_described(interface) || without_fcs(interface));
        if !said && !names_who(section) {
            return;
        }
        append(out, stamp, host, |writer| {
            writer.put(TagType::GEN_TIME, stamp)?;
            put_section(writer, section)?;
            for (number, interface) in group {
                writer.section(SectionType::INTERFACE, SectionId::interface((number % 8) as u8))?;
                put_text(writer, TagType::NAME, &interface.name)?;
                put_text(writer, TagType::DESCR, &interface.description)?;
                put_text(writer, TagType::FILTER, &interface.filter)?;
                if let Some(speed) = interface.speed {
                    writer.put(TagType::IF_SPEED, speed)?;
                }
                if let Some(mac) = interface.mac {
                    writer.tag(TagType::IF_MAC, &mac)?;
                }
                if without_fcs(interface) {
                    writer.put(TagType::FCS_LEN, 0u32)?;
                }
            }
            Ok(())
        });
    }

    /// Gives the record of `length` bytes at the start of `record` an anchor for each of `comments`, and appends to `out` the META
    /// records that define them, as Wireshark writes them (`erf-format.md` section 7.4). The record's new length; a comment that
    /// it has no room for is left out.
    pub(crate) fn comment<'c>(
        &mut self,
        comments: impl Iterator<Item = &'c str>,
        record: &mut [u8],
        length: usize,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut length = length;
        for comment in comments.filter(|comment| !comment.is_empty()) {
            let Ok(parsed) = Record::parse(record) else { return length };
            let stamp = parsed.timestamp();
            // Not the same in two files that are joined, and the same each time this one is read.
            self.anchors += 1;
            let anchor_id =
                stamp.raw().wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(self.anchors) >> 8 & 0xFFFF_FFFF_FFFF;
            let host = ExtHeader::from(HostId { source_id: 0, host_id: 0 });
            let anchor = |definition| [host, ExtHeader::from(AnchorId { definition, anchor_id })];
            let Some(longer) = insert(record, length, &anchor(false)) else { return length };
            length = longer;
            append(out, stamp, &anchor(true), |writer| {
                writer.put(TagType::GEN_TIME, stamp)?;
                writer.section(SectionType::INFORMATION, SectionId::from_bits(0).into_local())?;
                writer.tag(TagType::COMMENT, comment.as_bytes()).map(|_| ())
            });
        }
        length
    }
}

/// Where a file has the META records themselves, nothing is made up.
fn has_no_meta(interface: &Interface) -> bool {
    interface.identity.is_none() && interface.link_type != LinkType::ERF
}

fn is_described(interface: &Interface) -> bool {
    !interface.name.is_empty()
        || !interface.description.is_empty()
        || !interface.filter.is_empty()
        || interface.speed.is_some()
        || interface.mac.is_some()
}

fn put_section(writer: &mut MetaWriter<'_>, section: &Section) -> Result<(), MetaWriteError> {
    if !section.application.is_empty() {
        writer.section(SectionType::CAPTURE, SectionId::from_bits(1))?;
        put_text(writer, TagType::APP_NAME, &section.application)?;
    }
    let host = host_of(section).unwrap_or_default();
    if !(section.hardware.is_empty() && section.os.is_empty() && host.is_empty()) {
        writer.section(SectionType::HOST, SectionId::from_bits(1))?;
        put_text(writer, TagType::HOSTNAME, host)?;
        put_text(writer, TagType::MODEL, &section.hardware)?;
        put_text(writer, TagType::OS, &section.os)?;
    }
    Ok(())
}

/// Whether the section says who captured.
fn names_who(section: &Section) -> bool {
    !(section.application.is_empty() && section.hardware.is_empty() && section.os.is_empty())
        || host_of(section).is_some()
}

/// The host that a comment of the section names.
fn host_of(section: &Section) -> Option<&str> {
    section.comments.iter().find_map(|comment| comment.strip_prefix(HOST_COMMENT))
}

/// Appends a META record for each comment of a section but the one that names the host.
fn remarks(section: &Section, stamp: Timestamp, out: &mut Vec<u8>) {
    let host = section.comments.iter().position(|comment| comment.starts_with(HOST_COMMENT));
    for (_, comment) in section.comments.iter().enumerate().filter(|(number, _)| Some(*number) != host) {
        let kept = cut(comment, MAX_COMMENT);
        if kept.len() < comment.len() {
            log::warn!("a comment of {} bytes is cut to {}: a META record holds no more", comment.len(), kept.len());
        }
        append(out, stamp, &[], |writer| {
            writer.put(TagType::GEN_TIME, stamp)?;
            writer.section(SectionType::CAPTURE, SectionId::from_bits(1))?;
            put_text(writer, TagType::COMMENT, kept)
        });
    }
}

/// An empty text would mean "cleared".
fn put_text(writer: &mut MetaWriter<'_>, tag: TagType, text: &str) -> Result<(), MetaWriteError> {
    if text.is_empty() { Ok(()) } else { writer.put(tag, text).map(|_| ()) }
}

/// Appends a META record with what `fill` writes; without it if that does not fit, which texts of limited length do.
fn append(
    out: &mut Vec<u8>,
    stamp: Timestamp,
    host: &[ExtHeader],
    fill: impl FnOnce(&mut MetaWriter<'_>) -> Result<(), MetaWriteError>,
) {
    let mut area = vec![0; MAX_AREA];
    let mut writer = MetaWriter::new(&mut area);
    if let Err(error) = fill(&mut writer) {
        log::warn!("what a pcapng file says is not kept: {error}");
        return;
    }
    let record = RecordBuilder::new(RecordType::META).timestamp(stamp).ext_headers(host).payload(writer.finish());
    match record.to_vec() {
        Ok(record) => out.extend_from_slice(&record),
        Err(error) => log::warn!("what a pcapng file says is not kept: {error}"),
    }
}

/// Puts extension headers behind those of the record of `length` bytes. The new length; `None`: no room.
fn insert(record: &mut [u8], length: usize, headers: &[ExtHeader]) -> Option<usize> {
    let parsed = Record::parse(record.get(..length)?).ok()?;
    let chain = parsed.ext_headers().bytes().len();
    let longer = length + headers.len() * ext::LEN;
    let rlen = u16::try_from(longer).ok()?.to_be_bytes();
    let record = record.get_mut(..longer)?;
    let at = crate::HEADER_LEN + chain;
    record.copy_within(at..length, at + headers.len() * ext::LEN);
    // The header before says that another follows: the last of the chain, or the type.
    let before = if chain == 0 { 8 } else { at - ext::LEN };
    record[before] |= 0x80;
    record[10..12].copy_from_slice(&rlen);
    for (number, header) in headers.iter().enumerate() {
        let more = number + 1 < headers.len();
        let start = at + number * ext::LEN;
        record[start..start + ext::LEN].copy_from_slice(&header.with_more(more).bytes());
    }
    Some(longer)
}
