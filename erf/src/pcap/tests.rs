use std::io::{Cursor, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use erf_core::ext::HostId;
use erf_core::meta::{MetaWriter, SectionId, SectionType, TagType};
use erf_core::{ExtHeader, Record, RecordBuilder, RecordType, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::convert::{Encapsulation, FcsPolicy, Outcome, Skip};
use crate::input::{Input, Source};
use crate::{Error, ErrorKind};

/// What of a packet is compared.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    interface: u32,
    link_type: LinkType,
    nanos: Option<u64>,
    captured: Vec<u8>,
    original_len: u32,
    fcs_len: Option<u8>,
    drop_count: Option<u64>,
    comment: Option<String>,
}

fn seen(packet: &Packet<'_>) -> Seen {
    Seen {
        interface: packet.interface,
        link_type: packet.link_type,
        nanos: packet.timestamp.map(Timestamp::nanos),
        captured: packet.captured.to_vec(),
        original_len: packet.original_len,
        fcs_len: packet.fcs_len,
        drop_count: packet.drop_count,
        comment: packet.comment.map(str::to_owned),
    }
}

fn open(bytes: &[u8]) -> Result<Packets, Error> {
    Packets::open(Source::from_read(Cursor::new(bytes.to_vec())))
}

fn all(bytes: &[u8]) -> (Vec<Seen>, Option<Error>) {
    let mut packets = match open(bytes) {
        Ok(packets) => packets,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut found = Vec::new();
    loop {
        match packets.next_packet() {
            Ok(Some(packet)) => found.push(seen(&packet)),
            Ok(None) => return (found, None),
            Err(error) => {
                assert!(packets.next_packet().unwrap().is_none(), "an error ends the file");
                return (found, Some(error));
            }
        }
    }
}

fn classic_header(big: bool, magic: u32, snaplen: u32, network: u32) -> Vec<u8> {
    let four = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() };
    let two = |v: u16| if big { v.to_be_bytes() } else { v.to_le_bytes() };
    [&four(magic)[..], &two(2), &two(4), &[0; 8], &four(snaplen), &four(network)].concat()
}

fn classic_packet(big: bool, modified: bool, ts: (u32, u32), data: &[u8], original: u32) -> Vec<u8> {
    let four = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() };
    let mut out = [four(ts.0), four(ts.1), four(data.len() as u32), four(original)].concat();
    if modified {
        out.extend_from_slice(&[0; 8]);
    }
    out.extend_from_slice(data);
    out
}

#[test]
fn every_classic_magic_is_read_in_both_byte_orders() {
    for (magic, unit, modified) in
        [(0xA1B2_C3D4u32, 1000u64, false), (0xA1B2_3C4D, 1, false), (0xA1B2_CD34, 1000, true)]
    {
        for big in [false, true] {
            let mut file = classic_header(big, magic, 65_535, 1);
            file.extend(classic_packet(big, modified, (7, 999_999), b"first", 5));
            file.extend(classic_packet(big, modified, (u32::MAX, 1), b"snapped", 1500));
            let (found, error) = all(&file);
            assert!(error.is_none(), "{error:?}");
            assert_eq!(found.len(), 2, "{magic:x} {big}");
            assert_eq!(found[0].nanos, Some(7_000_000_000 + 999_999 * unit));
            assert_eq!(found[0].captured, b"first");
            assert_eq!((found[1].captured.len(), found[1].original_len), (7, 1500));
            assert_eq!(found[1].nanos, Some(u64::from(u32::MAX) * 1_000_000_000 + unit));
        }
    }
}

#[test]
fn classic_fcs_bits_and_fractions_beyond_a_second() {
    let mut file = classic_header(false, 0xA1B2_C3D4, 0, 0x2400_0001);
    file.extend(classic_packet(false, false, (7, 1_500_000), b"x", 1));
    let mut packets = open(&file).unwrap();
    let packet = packets.next_packet().unwrap().unwrap();
    assert_eq!((packet.link_type, packet.fcs_len), (LinkType::ETHERNET, Some(4)));
    assert_eq!(packet.timestamp.unwrap().nanos(), 8_500_000_000);
    assert_eq!(packet.offset, 24);
}

#[test]
fn classic_damage_is_told_after_the_packets_before_it() {
    let mut file = classic_header(false, 0xA1B2_C3D4, 65_535, 1);
    file.extend(classic_packet(false, false, (1, 0), b"good", 4));
    let good = file.len();
    file.extend(classic_packet(false, false, (2, 0), &[7; 100], 100));
    for (cut, words) in [(10, "packet header"), (16, "inside a packet"), (50, "inside a packet")] {
        let (found, error) = all(&file[..good + cut]);
        let error = error.unwrap();
        assert_eq!((found.len(), error.kind()), (1, ErrorKind::Truncated));
        assert_eq!(error.offset(), Some(good as u64));
        assert!(error.to_string().contains(words), "{error}");
    }
    file[good + 8..good + 12].copy_from_slice(&0x0100_0000u32.to_le_bytes());
    let (found, error) = all(&file);
    assert_eq!((found.len(), error.unwrap().kind()), (1, ErrorKind::Malformed));
    assert_eq!(all(&file[..20]).1.unwrap().kind(), ErrorKind::Truncated);
    assert_eq!(all(b"").1.unwrap().kind(), ErrorKind::UnknownFormat);
    file[4] = 9;
    assert_eq!(all(&file).1.unwrap().kind(), ErrorKind::Unsupported);
}

/// A pcapng block in either byte order.
fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let four = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() };
    let padded = body.len().next_multiple_of(4);
    let length = four(padded as u32 + 12);
    let mut out = [&four(kind)[..], &length, body].concat();
    out.resize(8 + padded, 0);
    out.extend_from_slice(&length);
    out
}

struct Ng(bool);

impl Ng {
    fn four(&self, v: u32) -> [u8; 4] {
        if self.0 { v.to_be_bytes() } else { v.to_le_bytes() }
    }
    fn two(&self, v: u16) -> [u8; 2] {
        if self.0 { v.to_be_bytes() } else { v.to_le_bytes() }
    }
    fn option(&self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut out = [&self.two(code)[..], &self.two(value.len() as u16), value].concat();
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }
    fn section(&self) -> Vec<u8> {
        let body = [
            &self.four(0x1A2B_3C4D)[..],
            &self.two(1),
            &self.two(0),
            &[0xFF; 8],
            &self.option(4, b"our own hands"),
            &[0; 4],
        ];
        block(self.0, 0x0A0D_0D0A, &body.concat())
    }
    fn interface(&self, link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
        let body = [&self.two(link)[..], &[0; 2], &self.four(snaplen), options].concat();
        block(self.0, 1, &body)
    }
    fn enhanced(&self, interface: u32, units: u64, data: &[u8], original: u32, options: &[u8]) -> Vec<u8> {
        let mut body = [
            self.four(interface),
            self.four((units >> 32) as u32),
            self.four(units as u32),
            self.four(data.len() as u32),
            self.four(original),
        ]
        .concat();
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend_from_slice(options);
        block(self.0, 6, &body)
    }
}

#[test]
fn pcapng_packet_blocks_of_every_kind_in_both_byte_orders() {
    for big in [false, true] {
        let ng = Ng(big);
        let eight = |v: u64| if big { v.to_be_bytes() } else { v.to_le_bytes() };
        let mut file = ng.section();
        file.extend(ng.interface(1, 60, &[]));
        let options = [
            ng.option(2, b"port-a\0"),
            ng.option(9, &[0xA0]),
            ng.option(14, &eight((-2i64) as u64)),
            ng.option(13, &[32]),
            vec![0; 4],
        ];
        file.extend(ng.interface(197, 0, &options.concat()));
        file.extend(block(big, 0x0BAD, &[1; 400])); // unknown
        file.extend(block(big, 4, &[0; 8])); // name resolution
        let options = [ng.option(1, "größer".as_bytes()), ng.option(2, &ng.four(2 << 5)), ng.option(4, &eight(77))];
        file.extend(ng.enhanced(1, (9 << 32) | 0x8000_0001, b"exact", 9, &options.concat()));
        file.extend(ng.enhanced(0, 1_234_567, b"micro", 5, &[]));
        file.extend(block(big, 3, &[&ng.four(80)[..], &[5; 60]].concat()));
        let old = [&ng.two(0)[..], &ng.two(3), &ng.four(0), &ng.four(2_000_000), &ng.four(3), &ng.four(3), b"old\0"];
        file.extend(block(big, 2, &old.concat()));
        let counters = [&ng.four(1)[..], &[0; 8], &ng.option(5, &eight(5))].concat();
        file.extend(block(big, 5, &counters));

        let Packets::PcapNg(mut reader) = open(&file).unwrap() else { panic!("not taken for pcapng") };
        assert_eq!(reader.section().application, "our own hands");
        let exact = reader.next_packet().unwrap().unwrap();
        assert_eq!(exact.timestamp.unwrap().raw(), (7 << 32) | 0x8000_0001);
        assert_eq!((exact.link_type, exact.interface), (LinkType::ERF, 1));
        assert_eq!((exact.captured, exact.original_len), (&b"exact"[..], 9));
        assert_eq!((exact.fcs_len, exact.drop_count), (Some(2), Some(77)));
        assert_eq!(exact.comment, Some("größer"));
        let micro = seen(&reader.next_packet().unwrap().unwrap());
        assert_eq!(micro.nanos, Some(1_234_567_000));
        assert_eq!((micro.link_type, micro.fcs_len), (LinkType::ETHERNET, None));
        let simple = seen(&reader.next_packet().unwrap().unwrap());
        assert_eq!((simple.nanos, simple.captured.len(), simple.original_len), (None, 60, 80));
        let old = seen(&reader.next_packet().unwrap().unwrap());
        assert_eq!((old.captured, old.nanos), (b"old".to_vec(), Some(2_000_000_000)));
        assert_eq!(old.drop_count, Some(3));
        assert!(reader.next_packet().unwrap().is_none());
        let port = &reader.interfaces()[1];
        assert_eq!((&port.name[..], port.fcs_len, port.time_offset), ("port-a", Some(4), -2));
        assert_eq!(port.statistics.unwrap().dropped, Some(5));
    }
}

#[test]
fn a_new_section_has_its_own_order_and_interfaces() {
    let (little, big) = (Ng(false), Ng(true));
    let mut file = little.section();
    file.extend(little.interface(1, 0, &[]));
    file.extend(little.enhanced(0, 1, b"a", 1, &[]));
    file.extend(big.section());
    file.extend(big.interface(101, 0, &[]));
    file.extend(big.enhanced(0, 1, b"b", 1, &[]));
    let (found, error) = all(&file);
    assert!(error.is_none());
    let links: Vec<_> = found.iter().map(|packet| packet.link_type).collect();
    assert_eq!(links, [LinkType::ETHERNET, LinkType::RAW]);
    // A packet cannot name an interface of the section before.
    file.extend(little.section());
    let at = file.len() as u64;
    file.extend(little.enhanced(0, 1, b"c", 1, &[]));
    let (found, error) = all(&file);
    let error = error.unwrap();
    assert_eq!((found.len(), error.kind(), error.offset()), (2, ErrorKind::Malformed, Some(at)));
}

#[test]
fn pcapng_damage_is_told_after_the_packets_before_it() {
    let ng = Ng(false);
    let mut start = ng.section();
    start.extend(ng.interface(1, 0, &[]));
    start.extend(ng.enhanced(0, 1, b"good", 4, &[]));
    let at = start.len() as u64;
    let with = |tail: &[u8]| [&start[..], tail].concat();
    let mut over = ng.enhanced(0, 1, b"data", 4, &[]);
    over[20..24].copy_from_slice(&5000u32.to_le_bytes());
    let mut mismatch = ng.enhanced(0, 1, b"data", 4, &[]);
    let end = mismatch.len();
    mismatch[end - 4] ^= 4;
    let mut skipped = block(false, 0x0BAD, &[1; 64]);
    let end = skipped.len();
    skipped[end - 4] ^= 4;
    for (tail, kind) in [
        (&[6, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0][..], ErrorKind::Malformed),
        (&[6, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0], ErrorKind::Malformed),
        (&[6, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0], ErrorKind::Malformed),
        (&[6, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0], ErrorKind::Malformed),
        (&[6, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], ErrorKind::Truncated),
        (&[0xAD, 0xB, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], ErrorKind::Truncated),
        (&[6, 0, 0], ErrorKind::Truncated),
        (&over, ErrorKind::Malformed),
        (&mismatch, ErrorKind::Malformed),
        (&skipped, ErrorKind::Malformed),
        (&ng.enhanced(9, 1, b"data", 4, &[]), ErrorKind::Malformed),
    ] {
        let (found, error) = all(&with(tail));
        let error = error.unwrap_or_else(|| panic!("{tail:x?} is no error"));
        assert_eq!((found.len(), error.kind()), (1, kind), "{error}");
        assert!(error.offset().unwrap() >= at, "{error}");
    }
    let mut unordered = ng.section();
    unordered[8] ^= 1;
    assert_eq!(all(&unordered).1.unwrap().kind(), ErrorKind::Malformed);
}

fn record(builder: RecordBuilder<'_>) -> Vec<u8> {
    let mut buffer = vec![0; crate::MAX_RECORD_LEN];
    let length = builder.write_to(&mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}

/// Ethernet on two ports, one colour type, IPv4, PAD, META and one type without a link type.
fn mixed() -> Vec<Vec<u8>> {
    let at = |frac: u32| Timestamp::from_parts(1_700_000_000, frac);
    let host = [ExtHeader::from(HostId { source_id: 3, host_id: 0x0025_90C0_3E08 })];
    let frame = [0x42u8; 60];
    let mut tags = [0u8; 256];
    let mut meta = MetaWriter::new(&mut tags);
    meta.section(SectionType::CAPTURE, SectionId::from_bits(0)).unwrap();
    meta.put(TagType::APP_NAME, "dagcap").unwrap();
    meta.section(SectionType::INTERFACE, SectionId::interface(1)).unwrap();
    meta.put(TagType::NAME, "dag0:1").unwrap();
    meta.put(TagType::IF_SPEED, 10_000_000_000u64).unwrap();
    let tags = meta.finish();
    vec![
        record(RecordBuilder::new(RecordType::META).timestamp(at(0)).ext_headers(&host).payload(tags)),
        record(RecordBuilder::new(RecordType::ETH).timestamp(at(0x1000_0001)).payload(&frame).append_fcs()),
        record(RecordBuilder::new(RecordType::PAD).timestamp(at(1)).lctr(2).interface(1).payload(&[0; 16])),
        record(
            RecordBuilder::new(RecordType::ETH)
                .timestamp(at(0x2000_0003))
                .interface(1)
                .lctr(5)
                .payload(&frame)
                .wire_len(1518),
        ),
        record(RecordBuilder::new(RecordType::IPV4).timestamp(at(0x3000_0000)).payload(&[0x45; 40])),
        record(
            RecordBuilder::new(RecordType::COLOR_ETH).timestamp(at(0x4000_0000)).lctr(999).payload(&frame).append_fcs(),
        ),
        record(RecordBuilder::new(RecordType::RAW_LINK).timestamp(at(0x5000_0000)).payload(&[1; 32])),
        record(
            RecordBuilder::new(RecordType::ETH)
                .timestamp(at(0x6000_0000))
                .interface(1)
                .ext_headers(&host)
                .payload(&frame)
                .append_fcs(),
        ),
    ]
}

fn to_pcap(options: WriterOptions) -> (Vec<u8>, Vec<Outcome>, u64) {
    let mut writer = Writer::new(Vec::new(), options);
    let mut outcomes = Vec::new();
    for bytes in mixed() {
        outcomes.push(writer.write_record(&Record::parse(&bytes).unwrap()).unwrap());
    }
    let lost = writer.lost();
    assert_eq!(writer.written(), outcomes.iter().filter(|o| **o == Outcome::Written).count() as u64);
    assert_eq!(writer.skipped().of(RecordType::PAD), 1);
    let position = writer.position();
    let file = writer.finish().unwrap();
    assert_eq!(file.len() as u64, position);
    (file, outcomes, lost)
}

fn to_pcapng(options: ng::WriterOptions) -> Vec<u8> {
    let mut writer = ng::Writer::new(Vec::new(), options);
    for bytes in mixed() {
        writer.write_record(&Record::parse(&bytes).unwrap()).unwrap();
    }
    assert_eq!(writer.lost(), 7);
    writer.finish().unwrap()
}

#[test]
fn classic_has_one_link_type_and_says_what_it_left_out() {
    let (file, outcomes, lost) = to_pcap(WriterOptions::default());
    let skipped = |skip| Outcome::Skipped(skip);
    assert_eq!(
        outcomes,
        [
            skipped(Skip::Meta),
            Outcome::Written,
            skipped(Skip::Pad),
            Outcome::Written,
            skipped(Skip::OtherLinkType { file: LinkType::ETHERNET, packet: LinkType::RAW }),
            Outcome::Written,
            skipped(Skip::NoLinkType(RecordType::RAW_LINK)),
            Outcome::Written,
        ]
    );
    assert_eq!(lost, 7, "a colour is no loss");
    let (found, error) = all(&file);
    assert!(error.is_none());
    let lengths: Vec<_> = found.iter().map(|p| (p.captured.len(), p.original_len)).collect();
    // 16 + 2 + 60 is cut down to 72 when snapped: 54 bytes.
    assert_eq!(lengths, [(60, 60), (54, 1514), (60, 60), (60, 60)]);
    let stamp = Timestamp::from_parts(1_700_000_000, 0x1000_0001);
    assert_eq!(found[0].nanos, Some(stamp.nanos()));
    assert_eq!(found[0].fcs_len, None);
}

#[test]
fn the_fcs_is_kept_and_declared_on_request() {
    let mut options = WriterOptions::default();
    options.packets.fcs = FcsPolicy::Keep;
    let (file, ..) = to_pcap(options);
    let (found, _) = all(&file);
    assert_eq!((found[0].captured.len(), found[0].original_len, found[0].fcs_len), (64, 64, Some(4)));
    let mut options = ng::WriterOptions::default();
    options.packets.fcs = FcsPolicy::Keep;
    let (found, _) = all(&to_pcapng(options));
    assert_eq!((found[0].captured.len(), found[0].fcs_len), (64, Some(4)));
    let mut options = WriterOptions::default();
    options.packets.fcs = FcsPolicy::Absent;
    let (found, _) = all(&to_pcap(options).0);
    assert_eq!((found[0].captured.len(), found[0].original_len, found[0].fcs_len), (64, 64, None));
}

#[test]
fn microseconds_on_request_and_a_header_without_packets() {
    let options = WriterOptions { micros: true, ..WriterOptions::default() };
    let (file, ..) = to_pcap(options);
    assert_eq!(file[..4], 0xA1B2_C3D4u32.to_le_bytes());
    let stamp = Timestamp::from_parts(1_700_000_000, 0x1000_0001);
    let (found, _) = all(&file);
    assert_eq!(found[0].nanos, Some(stamp.to_micros(crate::Rounding::HalfUp) * 1000));
    let empty = Writer::new(Vec::new(), WriterOptions::default()).finish().unwrap();
    assert_eq!((empty.len(), all(&empty).0.len()), (24, 0));
    let empty = ng::Writer::new(Vec::new(), Default::default()).finish().unwrap();
    let (found, error) = all(&empty);
    assert!(found.is_empty() && error.is_none());
}

#[test]
fn the_last_second_of_2106_does_not_wrap() {
    let bytes = record(RecordBuilder::new(RecordType::IPV4).timestamp(Timestamp::MAX).payload(&[0x45; 20]));
    let mut writer = Writer::new(Vec::new(), WriterOptions::default());
    writer.write_record(&Record::parse(&bytes).unwrap()).unwrap();
    let (found, _) = all(&writer.finish().unwrap());
    assert_eq!(found[0].nanos, Some(u64::from(u32::MAX) * 1_000_000_000 + 999_999_999));
}

#[test]
fn pcapng_has_an_interface_for_each_port_source_and_link_type() {
    let file = to_pcapng(ng::WriterOptions::default());
    let Packets::PcapNg(mut reader) = open(&file).unwrap() else { panic!() };
    assert_eq!(reader.section().application, "dagcap", "from META");
    let mut found = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        found.push(seen(&packet));
    }
    let key: Vec<_> = found.iter().map(|p| (p.interface, p.link_type, p.drop_count)).collect();
    assert_eq!(
        key,
        [
            (0, LinkType::ETHERNET, None),
            (1, LinkType::ETHERNET, Some(7)), // its own 5 and 2 of the PAD record before
            (2, LinkType::RAW, None),
            (0, LinkType::ETHERNET, None),
            (3, LinkType::ETHERNET, None), // port 1 again, but of a named host
        ]
    );
    let interfaces = reader.interfaces();
    assert_eq!(interfaces[3].name, "dag0:1");
    assert_eq!(interfaces[3].speed, Some(10_000_000_000));
    assert_eq!(interfaces[0].name, "", "META says nothing of port 0");
    let statistics: Vec<_> = interfaces.iter().map(|i| i.statistics.unwrap()).collect();
    assert_eq!(statistics[0].received, Some(2));
    assert_eq!((statistics[1].received, statistics[1].dropped), (Some(8), Some(7)));
}

#[test]
fn exact_stamps_survive_pcapng_with_the_resolution_of_erf() {
    let options = ng::WriterOptions { resolution: Resolution::ERF, ..ng::WriterOptions::default() };
    let file = to_pcapng(options);
    let mut packets = open(&file).unwrap();
    let packet = packets.next_packet().unwrap().unwrap();
    assert_eq!(packet.timestamp, Some(Timestamp::from_parts(1_700_000_000, 0x1000_0001)));
}

#[test]
fn comments_and_rx_errors_reach_the_packet() {
    let bytes = record(RecordBuilder::new(RecordType::IPV4).flags(crate::Flags::from_bits(0x14)).payload(&[0x45; 20]));
    let parsed = Record::parse(&bytes).unwrap();
    let options = ng::WriterOptions { rx_error_is_crc_error: true, ..ng::WriterOptions::default() };
    let mut writer = ng::Writer::new(Vec::new(), options);
    let long = "ü".repeat(40_000);
    writer.write_commented(&parsed, Some("odd one")).unwrap();
    writer.write_commented(&parsed, Some(&long)).unwrap();
    let file = writer.finish().unwrap();
    let mut packets = open(&file).unwrap();
    let packet = packets.next_packet().unwrap().unwrap();
    assert_eq!((packet.comment, packet.flags), (Some("odd one"), Some(1 << 24)));
    let comment = packets.next_packet().unwrap().unwrap().comment.unwrap().to_owned();
    assert_eq!(comment.len(), 65_532);
    assert!(long.starts_with(&comment));
}

#[test]
fn a_full_disk_is_a_write_error_with_its_name() {
    #[derive(Debug)]
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
            }
            let n = bytes.len().min(self.0);
            self.0 -= n;
            Ok(n)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let bytes = record(RecordBuilder::new(RecordType::IPV4).payload(&[0x45; 1000]));
    let parsed = Record::parse(&bytes).unwrap();
    let mut writer = ng::Writer::new(Full(100_000), Default::default()).named("out.pcapng");
    let error = (0..1000).find_map(|_| writer.write_record(&parsed).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::Write);
    assert!(error.to_string().starts_with("out.pcapng: write failed at byte "), "{error}");
    let mut writer = Writer::new(Full(100), WriterOptions::default());
    writer.write_record(&parsed).unwrap();
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Write);
}

#[test]
fn another_reader_agrees() {
    use pcap_file::{pcap, pcapng};
    let (file, ..) = to_pcap(WriterOptions::default());
    let mut theirs = pcap::PcapReader::new(&file[..]).unwrap();
    let (ours, _) = all(&file);
    for packet in &ours {
        let other = theirs.next_packet().unwrap().unwrap();
        assert_eq!(other.data[..], packet.captured);
        assert_eq!(other.orig_len, packet.original_len);
        assert_eq!(other.timestamp.as_nanos() as u64, packet.nanos.unwrap());
    }
    assert!(theirs.next_packet().is_none());

    for (lossless, interfaces) in [(false, 4), (true, 5)] {
        let file = to_pcapng(ng::WriterOptions { lossless, ..Default::default() });
        let (ours, _) = all(&file);
        let mut theirs = pcapng::PcapNgReader::new(&file[..]).unwrap();
        let mut at = 0;
        while let Some(next) = theirs.next_block() {
            if let pcapng::Block::EnhancedPacket(other) = next.unwrap() {
                assert_eq!(other.data[..], ours[at].captured);
                assert_eq!(other.interface_id, ours[at].interface);
                at += 1;
            }
        }
        assert_eq!(at, ours.len());
        assert_eq!(theirs.interfaces().len(), interfaces);
    }

    // And the other way: what it writes, we read.
    let mut out = Vec::new();
    let header = pcap::PcapHeader {
        ts_resolution: pcap_file::TsResolution::NanoSecond,
        endianness: pcap_file::Endianness::Big,
        ..Default::default()
    };
    let mut writer = pcap::PcapWriter::with_header(&mut out, header).unwrap();
    let stamp = std::time::Duration::new(5, 6);
    writer.write_packet(&pcap::PcapPacket::new(stamp, 900, b"theirs")).unwrap();
    let (found, error) = all(&out);
    assert!(error.is_none());
    assert_eq!((found[0].nanos, found[0].original_len), (Some(5_000_000_006), 900));
    assert_eq!(found[0].captured, b"theirs");
}

/// Reads stamps and lengths of all blocks by itself, custom blocks and options too, which pcap-file passes over.
#[test]
fn a_third_reader_agrees() {
    use pcap_parser::traits::PcapNGPacketBlock;
    use pcap_parser::{Block, LegacyPcapSlice, PcapBlockOwned, PcapNGSlice};
    let (file, ..) = to_pcap(WriterOptions::default());
    let (ours, _) = all(&file);
    let mut at = 0;
    for block in LegacyPcapSlice::from_slice(&file).unwrap() {
        if let PcapBlockOwned::Legacy(other) = block.unwrap() {
            let nanos = u64::from(other.ts_sec) * 1_000_000_000 + u64::from(other.ts_usec);
            assert_eq!(
                (Some(nanos), other.origlen, other.data),
                (ours[at].nanos, ours[at].original_len, &ours[at].captured[..])
            );
            at += 1;
        }
    }
    assert_eq!(at, ours.len());

    for lossless in [false, true] {
        let file = to_pcapng(ng::WriterOptions { lossless, ..Default::default() });
        let (ours, _) = all(&file);
        let (mut at, mut interfaces, mut custom) = (0, 0, 0);
        for block in PcapNGSlice::from_slice(&file).unwrap() {
            match block.unwrap() {
                PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                    interfaces += 1;
                    assert_eq!(interface.if_tsresol, if lossless { 0xA0 } else { 9 });
                }
                PcapBlockOwned::NG(Block::EnhancedPacket(other)) => {
                    assert_eq!((other.if_id, other.origlen), (ours[at].interface, ours[at].original_len));
                    assert_eq!(other.packet_data(), ours[at].captured);
                    let units = u64::from(other.ts_high) << 32 | u64::from(other.ts_low);
                    assert!(lossless || Some(units) == ours[at].nanos);
                    at += 1;
                }
                PcapBlockOwned::NG(Block::Custom(_)) => custom += 1,
                _ => {}
            }
        }
        assert_eq!((at, interfaces, custom > 0), (ours.len(), if lossless { 5 } else { 4 }, lossless));
    }
}

/// Output of a program, or `None` with a word on standard error where it is not installed.
fn output_of(program: &str, args: &[&str], file: &Path) -> Option<String> {
    match Command::new(program).args(args).arg(file).stderr(Stdio::inherit()).output() {
        Ok(output) => {
            assert!(output.status.success(), "{program} refuses {}", file.display());
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) => {
            house_skip::skip(format_args!("the program `{program}` cannot be run: {error}"));
            None
        }
    }
}

#[test]
fn wireshark_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let mut whole = ng::WriterOptions::default();
    whole.packets.encapsulation = Encapsulation::Erf;
    let mut whole_classic = WriterOptions::default();
    whole_classic.packets.encapsulation = Encapsulation::Erf;
    for (name, file, native) in [
        ("native.pcap", to_pcap(WriterOptions::default()).0, true),
        ("whole.pcap", to_pcap(whole_classic).0, false),
        ("native.pcapng", to_pcapng(ng::WriterOptions::default()), true),
        ("whole.pcapng", to_pcapng(whole), false),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, &file).unwrap();
        let fields = ["-n", "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len", "-r"];
        let Some(output) = output_of("tshark", &fields, &path) else { return };
        let (ours, _) = all(&file);
        let lines: Vec<_> = output.lines().collect();
        assert_eq!(lines.len(), ours.len(), "{name}:\n{output}");
        for (line, packet) in lines.iter().zip(&ours) {
            let parts: Vec<_> = line.split('\t').collect();
            let nanos = packet.nanos.unwrap();
            assert_eq!(parts[0], format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000), "{name}");
            if native {
                assert_eq!(parts[1], packet.original_len.to_string(), "{name}");
                assert_eq!(parts[2], packet.captured.len().to_string(), "{name}");
            }
        }
        let Some(output) = output_of("capinfos", &["-M", "-c"], &path) else { return };
        assert!(output.contains(&format!("{}", ours.len())), "{name}: {output}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_never_panic(
        start in 0usize..5,
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let ng = Ng(start == 3);
        let head = match start {
            0 => classic_header(false, 0xA1B2_C3D4, 65_535, 1),
            1 => classic_header(true, 0xA1B2_CD34, 0, 197),
            4 => Vec::new(),
            _ => [ng.section(), ng.interface(1, 0, &[])].concat(),
        };
        all(&[head, bytes].concat());
    }

    #[test]
    fn damaged_files_never_panic_and_keep_what_stood_before(
        classic: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = if classic {
            to_pcap(WriterOptions::default()).0
        } else {
            to_pcapng(ng::WriterOptions::default())
        };
        let (whole, _) = all(&file);
        let mut first = file.len();
        for (index, value) in damage {
            let at = index.index(file.len());
            file[at] = value;
            first = first.min(at);
        }
        file.truncate(file.len() - cut.index(file.len()));
        first = first.min(file.len());
        let (found, _) = all(&file);
        // Packets that end before the first damage come out unharmed. A pcapng block has at most
        // 60 bytes around its packet here.
        let mut end = 400;
        let safe = whole.iter().take_while(|packet| {
            end += packet.captured.len() + 60;
            end < first
        }).count();
        prop_assert!(found.len() >= safe && found[..safe] == whole[..safe]);
    }

    #[test]
    fn what_is_written_is_read(
        stamps in prop::collection::vec(any::<u64>(), 1..20),
        size in 0usize..300,
        exact: bool,
    ) {
        let mut options = ng::WriterOptions::default();
        if exact {
            options.resolution = Resolution::ERF;
        }
        let mut writer = ng::Writer::new(Vec::new(), options);
        let payload = vec![0x45; size];
        for raw in &stamps {
            let bytes = record(
                RecordBuilder::new(RecordType::IPV4).timestamp(Timestamp::from_raw(*raw)).payload(&payload),
            );
            writer.write_record(&Record::parse(&bytes).unwrap()).unwrap();
        }
        let file = writer.finish().unwrap();
        let mut packets = Packets::PcapNg(
            ng::Reader::new(Input::open(Source::from_read(Cursor::new(file))).unwrap()).unwrap(),
        );
        for raw in stamps {
            let packet = packets.next_packet().unwrap().unwrap();
            prop_assert_eq!(packet.captured, &payload[..]);
            let stamp = Timestamp::from_raw(raw);
            if exact {
                prop_assert_eq!(packet.timestamp, Some(stamp));
            } else {
                prop_assert!(packet.timestamp.is_none_or(|t| t.nanos() == stamp.nanos()));
            }
        }
        prop_assert!(packets.next_packet().unwrap().is_none());
    }
}
