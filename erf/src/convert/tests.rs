use erf_core::ext::HostId;
use erf_core::{DefectKind, Ext, ExtHeader, MAX_RECORD_LEN, Record, RecordBuilder, RecordType, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::pcap::{LinkType, Packet};

fn record(builder: RecordBuilder<'_>) -> Vec<u8> {
    let mut buffer = vec![0; MAX_RECORD_LEN];
    let length = builder.write_to(&mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}

fn made(options: RecordOptions, packet: &Packet<'_>) -> Result<Vec<u8>, Refusal> {
    let mut buffer = vec![0xEE; MAX_RECORD_LEN];
    let length = ToRecord::new(options).write(packet, &mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

fn native(bytes: &[u8], options: PacketOptions) -> Result<(LinkType, Vec<u8>, u32), Skip> {
    let record = Record::parse(bytes).unwrap();
    to_packet(&record, &options).map(|packet| {
        assert_eq!(packet.captured_len() as usize, packet.parts().concat().len());
        (packet.link_type, packet.parts().concat(), packet.original_len)
    })
}

#[test]
fn the_link_type_of_every_record_type() {
    let expected = |number: u8| match number {
        1 | 5 | 10 | 15 | 17 | 19 => Ok(LinkType::PPP_HDLC),
        2 | 11 | 16 | 20 => Ok(LinkType::ETHERNET),
        3 | 4 | 7 | 9 => Ok(LinkType::ATM_RFC1483),
        21 => Ok(LinkType::INFINIBAND),
        22 | 23 => Ok(LinkType::RAW),
        27 => Err(Skip::Meta),
        48 => Err(Skip::Pad),
        other => Err(Skip::NoLinkType(RecordType::new(other))),
    };
    let whole = PacketOptions { encapsulation: Encapsulation::Erf, ..PacketOptions::default() };
    for number in 0..128 {
        let bytes = record(RecordBuilder::new(RecordType::new(number)).payload(&[0x45; 60]));
        let found = native(&bytes, PacketOptions::default()).map(|found| found.0);
        assert_eq!(found, expected(number), "type {number}");
        let found = native(&bytes, whole).map(|found| found.0);
        let expected = if number == 48 { Err(Skip::Pad) } else { Ok(LinkType::ERF) };
        assert_eq!(found, expected, "type {number}");
    }
}

#[test]
fn the_flavour_of_hdlc_is_guessed_or_told() {
    for (first, guessed) in [(0x0F, LinkType::C_HDLC), (0x8F, LinkType::C_HDLC), (0xFF, LinkType::PPP_HDLC)] {
        let mut payload = [0u8; 40];
        payload[0] = first;
        let bytes = record(RecordBuilder::new(RecordType::HDLC_POS).payload(&payload));
        assert_eq!(native(&bytes, PacketOptions::default()).unwrap().0, guessed);
        let options = PacketOptions { hdlc: Hdlc::FrameRelay, hdlc_fcs_len: 2, ..PacketOptions::default() };
        let (link_type, data, original) = native(&bytes, options).unwrap();
        assert_eq!((link_type, data.len(), original), (LinkType::FRELAY, 38, 38));
    }
}

#[test]
fn stripping_an_fcs_never_eats_more_than_there_is() {
    // wlen, bytes stored -> captured, original.
    for (wlen, stored, captured, original) in [
        (64u16, 64, 60, 60),
        (64, 60, 60, 60), // the FCS was never stored
        (64, 40, 40, 60),
        (1518, 62, 62, 1514),
        (4, 4, 0, 0),
        (3, 3, 3, 3),
        (0, 8, 0, 0),
    ] {
        let payload = vec![7u8; stored];
        let bytes = record(RecordBuilder::new(RecordType::ETH).payload(&payload).wire_len(wlen).exact());
        let (_, data, length) = native(&bytes, PacketOptions::default()).unwrap();
        assert_eq!((data.len(), length), (captured, original), "wlen {wlen} stored {stored}");
    }
}

#[test]
fn atm_loses_its_header_and_counts_52_bytes_a_cell() {
    let cell: Vec<u8> = (0..52).collect();
    let bytes = record(RecordBuilder::new(RecordType::ATM).payload(&cell).wire_len(53));
    let (_, data, original) = native(&bytes, PacketOptions::default()).unwrap();
    assert_eq!((&data[..], original), (&cell[4..], 48));
    let bytes = record(RecordBuilder::new(RecordType::MC_AAL5).payload(&[9; 104]).wire_len(104));
    let (_, data, original) = native(&bytes, PacketOptions::default()).unwrap();
    assert_eq!((data.len(), original), (100, 100));
    let bytes = record(RecordBuilder::new(RecordType::AAL5).payload(&[9; 2]).wire_len(2));
    let (_, data, original) = native(&bytes, PacketOptions::default()).unwrap();
    assert_eq!((data.len(), original), (0, 0));
}

#[test]
fn whole_records_lose_their_padding_and_say_so() {
    let host = [ExtHeader::from(HostId { source_id: 1, host_id: 2 })];
    let bytes = record(RecordBuilder::new(RecordType::ETH).ext_headers(&host).payload(&[7; 61]));
    assert_eq!(bytes.len(), 88);
    let options = PacketOptions { encapsulation: Encapsulation::Erf, ..PacketOptions::default() };
    let (_, data, original) = native(&bytes, options).unwrap();
    assert_eq!((data.len(), original), (87, 87));
    assert_eq!(data[10..12], [0, 87]);
    assert_eq!(data[..10], bytes[..10]);
    assert_eq!(data[12..], bytes[12..87]);
    // And back: padded again, as it was.
    let back = made(RecordOptions::default(), &Packet::new(LinkType::ERF, &data)).unwrap();
    assert_eq!(back, bytes);
}

#[test]
fn an_ethernet_packet_gets_its_fcs() {
    let mut packet = Packet::new(LinkType::ETHERNET, &[0x42; 60]);
    packet.timestamp = Some(Timestamp::from_parts(9, 8));
    packet.interface = 5;
    packet.drop_count = Some(70_000);
    let bytes = made(RecordOptions::default(), &packet).unwrap();
    let parsed = Record::parse(&bytes).unwrap();
    assert_eq!((parsed.rlen(), parsed.wire_len(), parsed.interface()), (88, 64, 5));
    assert_eq!((parsed.verify_fcs(), parsed.loss()), (Some(true), Some(u16::MAX)));
    assert_eq!(parsed.timestamp(), Timestamp::from_parts(9, 8));
    assert!(parsed.flags().varying_length() && !parsed.has_ext_headers());
    assert!(parsed.padding().iter().all(|&byte| byte == 0));
    // There already: kept as it is.
    packet.fcs_len = Some(4);
    let bytes = made(RecordOptions::default(), &packet).unwrap();
    assert_eq!(Record::parse(&bytes).unwrap().wire_len(), 60);
    // Not wanted.
    packet.fcs_len = None;
    let options = RecordOptions { fcs: FcsRule::None, ..RecordOptions::default() };
    let bytes = made(options, &packet).unwrap();
    assert_eq!(Record::parse(&bytes).unwrap().wire_len(), 60);
    // Snapped: counted, not stored, and never padded; all that is stored is there, or as much as a multiple takes.
    let mut packet = Packet::new(LinkType::ETHERNET, &[0x42; 61]);
    packet.original_len = 1500;
    for (cut, expected) in [(false, (79, 1504, 61)), (true, (72, 1504, 54))] {
        let bytes = made(RecordOptions { cut, ..RecordOptions::default() }, &packet).unwrap();
        let parsed = Record::parse(&bytes).unwrap();
        assert_eq!((parsed.rlen(), parsed.wire_len(), parsed.captured_len()), expected);
    }
}

#[test]
fn link_types_become_record_types() {
    for (link_type, first, expected) in [
        (LinkType::C_HDLC, 0x0F, Some(RecordType::HDLC_POS)),
        (LinkType::PPP_HDLC, 0xFF, Some(RecordType::HDLC_POS)),
        (LinkType::FRELAY, 0, Some(RecordType::HDLC_POS)),
        (LinkType::MTP2, 0, Some(RecordType::HDLC_POS)),
        (LinkType::IPV4, 0x45, Some(RecordType::IPV4)),
        (LinkType::IPV6, 0x60, Some(RecordType::IPV6)),
        (LinkType::RAW, 0x45, Some(RecordType::IPV4)),
        (LinkType::RAW, 0x60, Some(RecordType::IPV6)),
        (LinkType::RAW, 0x10, None),
        (LinkType::INFINIBAND, 0, Some(RecordType::INFINIBAND)),
        (LinkType(113), 0, None),
    ] {
        let found = made(RecordOptions::default(), &Packet::new(link_type, &[first; 40]));
        match (found, expected) {
            (Ok(bytes), Some(expected)) => {
                let parsed = Record::parse(&bytes).unwrap();
                assert_eq!((parsed.record_type(), parsed.wire_len()), (expected, 40));
            }
            (Err(Refusal::NotIp), None) if link_type == LinkType::RAW => {}
            (Err(Refusal::LinkType(refused)), None) => assert_eq!(refused, link_type),
            (found, _) => panic!("{link_type}: {found:?}"),
        }
    }
}

#[test]
fn interfaces_beyond_eight_are_sources_of_their_own() {
    for (interface, port, source) in [(7, 7, None), (8, 0, Some(1)), (2047, 7, Some(255))] {
        let mut packet = Packet::new(LinkType::IPV4, &[0x45; 20]);
        packet.interface = interface;
        let bytes = made(RecordOptions::default(), &packet).unwrap();
        let parsed = Record::parse(&bytes).unwrap();
        assert_eq!(parsed.interface(), port);
        let found = parsed.ext_headers().next().map(|header| header.view());
        let expected = source.map(|source_id| Ext::HostId(HostId { source_id, host_id: 0 }));
        assert_eq!(found, expected);
    }
    let mut packet = Packet::new(LinkType::IPV4, &[0x45; 20]);
    packet.interface = 2048;
    assert_eq!(made(RecordOptions::default(), &packet), Err(Refusal::Interface(2048)));
}

#[test]
fn what_is_too_long_is_refused_and_never_wraps() {
    let long = vec![0x45; 70_000];
    let refused = made(RecordOptions::default(), &Packet::new(LinkType::IPV4, &long));
    assert_eq!(refused, Err(Refusal::TooLong(70_000)));
    // Fits `wlen`, but not with its headers.
    let refused = made(RecordOptions::default(), &Packet::new(LinkType::IPV4, &long[..65_530]));
    assert_eq!(refused, Err(Refusal::TooLong(65_530)));
    // Fits without the FCS only.
    let mut packet = Packet::new(LinkType::ETHERNET, &long[..60]);
    packet.original_len = 65_534;
    assert_eq!(made(RecordOptions::default(), &packet), Err(Refusal::TooLong(65_534)));
    packet.original_len = u32::MAX;
    assert_eq!(made(RecordOptions::default(), &packet), Err(Refusal::TooLong(u32::MAX)));
    let mut small = [0; 40];
    let refused = ToRecord::new(RecordOptions::default()).write(&Packet::new(LinkType::IPV4, &long[..60]), &mut small);
    assert_eq!(refused, Err(Refusal::Buffer { needed: 80, have: 40 }));
}

#[test]
fn a_packet_without_a_stamp_gets_the_one_before() {
    let mut convert = ToRecord::new(RecordOptions::default());
    let mut buffer = vec![0; MAX_RECORD_LEN];
    let mut stamp = |timestamp| {
        let mut packet = Packet::new(LinkType::IPV4, &[0x45; 20]);
        packet.timestamp = timestamp;
        convert.write(&packet, &mut buffer).unwrap();
        Record::parse(&buffer).unwrap().timestamp()
    };
    let first = Timestamp::from_parts(5, 6);
    assert_eq!(stamp(None), Timestamp::ZERO);
    assert_eq!(stamp(Some(first)), first);
    assert_eq!(stamp(None), first);
}

#[test]
fn a_crc_error_on_the_packet_is_an_rx_error_on_the_record() {
    let mut packet = Packet::new(LinkType::IPV4, &[0x45; 20]);
    for (flags, expected) in [(None, false), (Some(1), false), (Some(1 << 24), true)] {
        packet.flags = flags;
        let bytes = made(RecordOptions::default(), &packet).unwrap();
        assert_eq!(Record::parse(&bytes).unwrap().flags().rx_error(), expected);
    }
}

#[test]
fn inside_linktype_erf_the_file_is_believed_before_the_record() {
    let bytes = record(RecordBuilder::new(RecordType::INFINIBAND).payload(&[3; 50]));
    assert_eq!(bytes.len(), 72);
    // Padding cut, `rlen` not: as in the InfiniBand sample.
    let back = made(RecordOptions::default(), &Packet::new(LinkType::ERF, &bytes[..66])).unwrap();
    assert_eq!(back, bytes);
    // Snapped by pcap: what is there is kept, and not padded.
    let back = made(RecordOptions::default(), &Packet::new(LinkType::ERF, &bytes[..45])).unwrap();
    let parsed = Record::parse(&back).unwrap();
    assert_eq!((back.len(), parsed.captured_len(), parsed.is_snapped()), (45, 29, true));
    // An `rlen` that leaves no room for the headers.
    let mut wrong = bytes.clone();
    wrong[10..12].copy_from_slice(&[0, 3]);
    let back = made(RecordOptions::default(), &Packet::new(LinkType::ERF, &wrong[..66])).unwrap();
    assert_eq!(Record::parse(&back).unwrap().payload(), [3; 50]);
    // Bytes behind a shorter `rlen` are not the record's.
    let mut longer = bytes.clone();
    longer.extend_from_slice(&[9; 20]);
    let back = made(RecordOptions::default(), &Packet::new(LinkType::ERF, &longer)).unwrap();
    assert_eq!(back, bytes);
    // PAD, and what is no record.
    let pad = record(RecordBuilder::new(RecordType::PAD).payload(&[0; 16]));
    assert_eq!(made(RecordOptions::default(), &Packet::new(LinkType::ERF, &pad)), Err(Refusal::Pad));
    let torn = made(RecordOptions::default(), &Packet::new(LinkType::ERF, &bytes[..9]));
    assert_eq!(torn, Err(Refusal::Record(DefectKind::TornHeader { have: 9 })));
}

#[test]
fn extension_and_channel_headers_over_the_end_of_a_linktype_erf_packet() {
    // CVE-2012-1595: packets of 16 to 24 bytes with the extension bit or a multi-channel type.
    for number in 0..128u8 {
        for length in 16..=24 {
            for ext in [0, 0x80] {
                let mut bytes = vec![0xFF; length];
                bytes[8] = number | ext;
                for rlen in [0, 16, length as u16, u16::MAX] {
                    bytes[10..12].copy_from_slice(&rlen.to_be_bytes());
                    if let Ok(back) = made(RecordOptions::default(), &Packet::new(LinkType::ERF, &bytes)) {
                        assert_eq!(Record::parse(&back).unwrap().bytes().len(), back.len());
                    }
                }
            }
        }
    }
}

#[test]
fn skipped_records_are_counted_by_type() {
    let mut counts = SkipCounts::default();
    for number in [48, 24, 24, 27] {
        counts.add(RecordType::new(number));
    }
    assert_eq!(counts.of(RecordType::RAW_LINK), 2);
    assert_eq!(counts.packets(), 2);
    let all: Vec<_> = counts.iter().map(|(t, n)| (t.number(), n)).collect();
    assert_eq!(all, [(24, 2), (27, 1), (48, 1)]);
}

proptest! {
    #[test]
    fn any_packet_makes_a_record_or_a_reason(
        link in prop::sample::select(vec![1u32, 50, 101, 104, 197, 228, 229, 247, 9]),
        data in prop::collection::vec(any::<u8>(), 0..400),
        more in 0u32..70_000,
        fcs in prop::option::of(0u8..=5),
        interface in 0u32..3000,
        alignment in prop::sample::select(vec![1u16, 4, 8, 16]),
        cut: bool,
    ) {
        let mut packet = Packet::new(LinkType(link), &data);
        packet.original_len = data.len() as u32 + more;
        packet.fcs_len = fcs;
        packet.interface = interface;
        let options = RecordOptions { alignment, cut, ..RecordOptions::default() };
        let mut convert = ToRecord::new(options);
        let mut bytes = vec![0xEE; MAX_RECORD_LEN];
        if let Ok(length) = convert.write(&packet, &mut bytes) {
            bytes.truncate(length);
            let parsed = Record::parse(&bytes).unwrap();
            prop_assert_eq!(parsed.bytes().len(), bytes.len());
            if link != 197 {
                // Headers are never cut.
                let is_exact = more > 0 && !cut;
                prop_assert!(is_exact || bytes.len().is_multiple_of(usize::from(alignment)) || parsed.payload().is_empty());
                let kept = parsed.payload().len().min(data.len());
                prop_assert!(data.starts_with(&parsed.payload()[..kept]));
                prop_assert!(kept == data.len() || (more > 0 && cut));
                let lost = (data.len() - kept) as u64;
                prop_assert_eq!(convert.cut(), Cut { packets: u64::from(lost > 0), bytes: lost });
            }
        }
    }

    #[test]
    fn whole_records_come_back_through_linktype_erf(
        number in 0u8..128,
        payload in prop::collection::vec(any::<u8>(), 0..300),
        cut in 0u16..200,
        raw: u64,
    ) {
        let record_type = RecordType::new(number);
        prop_assume!(record_type != RecordType::PAD);
        let bytes = record(
            RecordBuilder::new(record_type)
                .timestamp(Timestamp::from_raw(raw))
                .payload(&payload)
                .wire_len(payload.len() as u16 + cut),
        );
        let options = PacketOptions { encapsulation: Encapsulation::Erf, ..PacketOptions::default() };
        let (_, data, _) = native(&bytes, options).unwrap();
        let back = made(RecordOptions::default(), &Packet::new(LinkType::ERF, &data)).unwrap();
        // An ATM cell may count more bytes on the wire than it stores; its padding is not cut then.
        prop_assert_eq!(back, bytes);
    }
}
