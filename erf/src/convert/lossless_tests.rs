//! Records to pcapng without loss and back.

use std::io::Cursor;

use erf_core::ext::{ExtType, HostId};
use proptest::prelude::*;

use super::*;
use crate::{ExtHeader, FileFormat, Flags, HEADER_LEN, Reader, Record, RecordBuilder, RecordType, Records, Timestamp};

/// `records`, one after another.
fn lossless(records: &[u8], options: FileOptions) -> (Vec<u8>, Summary) {
    let options = FileOptions { lossless: true, ..options };
    let mut converter = Converter::new(Vec::new(), "made", options);
    let mut reader = Reader::builder().force_format(FileFormat::Erf).open(source(records)).unwrap();
    converter.run(&mut reader, |_| {}).unwrap();
    converter.finish().unwrap()
}

fn source(bytes: &[u8]) -> crate::input::Source {
    crate::input::Source::from_read(Cursor::new(bytes.to_vec()))
}

fn back(file: &[u8]) -> (Vec<u8>, Restorations) {
    let options = FileOptions::new(FileFormat::Erf).record_options();
    let mut reader = Reader::builder().record_options(options).open(source(file)).unwrap();
    let mut records = Vec::new();
    reader.for_each(|item| records.extend_from_slice(item.unwrap().bytes())).unwrap();
    (records, reader.restorations())
}

fn options() -> FileOptions {
    FileOptions::new(FileFormat::PcapNg)
}

/// A record of any type, valid, with whatever in it.
pub(super) fn any_record() -> impl Strategy<Value = Vec<u8>> {
    let chain = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(any::<u64>(), 1..20)];
    let body = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..200),
        // META may be any bytes, and is looked at.
        1 => prop::collection::vec(any::<u8>(), 0..2000),
        1 => (65_000usize..65_536, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    let header = (any::<u64>(), prop_oneof![0u8..50, 0u8..128], any::<u8>(), any::<u16>());
    (header, chain, body, prop_oneof![any::<u16>().boxed(), (0u16..220).boxed()]).prop_map(
        |((stamp, kind, flags, lctr), chain, body, wlen)| {
            let record_type = RecordType::new(kind);
            let mut record = stamp.to_le_bytes().to_vec();
            record.extend([record_type.number() | if chain.is_empty() { 0 } else { 0x80 }, flags, 0, 0]);
            record.extend(lctr.to_be_bytes());
            record.extend(wlen.to_be_bytes());
            for (number, header) in chain.iter().enumerate() {
                let more = number + 1 < chain.len();
                record.extend(((header & !(1 << 63)) | u64::from(more) << 63).to_be_bytes());
            }
            record.extend(vec![0xEE; record_type.sub_header_len()]);
            record.extend(body);
            record.truncate(crate::MAX_RECORD_LEN);
            let rlen = (record.len() as u16).to_be_bytes();
            record[10..12].copy_from_slice(&rlen);
            record
        },
    )
}

pub(super) fn any_options() -> impl Strategy<Value = FileOptions> {
    let fcs = prop_oneof![Just(FcsChoice::Auto), Just(FcsChoice::Strip), Just(FcsChoice::Keep), Just(FcsChoice::None)];
    let hdlc = prop_oneof![Just(Hdlc::Guess), Just(Hdlc::FrameRelay)];
    (fcs, hdlc, any::<bool>(), prop_oneof![Just(0u8), Just(2), Just(4)]).prop_map(|(fcs, hdlc, whole, hdlc_fcs_len)| {
        let encapsulation = if whole { Encapsulation::Erf } else { Encapsulation::Native };
        FileOptions { fcs, hdlc, encapsulation, hdlc_fcs_len, ..options() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_records_come_back_byte_for_byte(
        records in prop::collection::vec(any_record(), 1..12),
        options in any_options(),
    ) {
        let records = records.concat();
        prop_assume!(Records::new(&records).all(|record| record.is_ok()));
        let (file, summary) = lossless(&records, options);
        let (again, restored) = back(&file);
        prop_assert_eq!(again, records);
        prop_assert_eq!(summary.written + summary.beside, summary.records);
        prop_assert_eq!((restored.packets, restored.beside), (summary.written, summary.beside));
        prop_assert_eq!((restored.edited, restored.restamped, restored.damaged), (0, 0, 0));
    }

    #[test]
    fn no_damage_panics_or_passes_for_the_record(
        records in prop::collection::vec(any_record(), 1..5),
        at: prop::sample::Index,
        bits in 1u8..,
    ) {
        let records = records.concat();
        let (mut file, _) = lossless(&records, options());
        let at = at.index(file.len());
        file[at] ^= bits;
        let options = FileOptions::new(FileFormat::Erf).record_options();
        if let Ok(mut reader) = Reader::builder().record_options(options).open(source(&file)) {
            let _ = reader.for_each(|_| {});
        }
    }
}

/// Types with and without link types, META, PAD, padding of other than zero, an FCS.
fn mixed() -> Vec<u8> {
    let stamp = |n: u64| Timestamp::from_raw((1_700_000_000 + n) << 32 | 0x1234_5678);
    let host = [ExtHeader::from(HostId { source_id: 3, host_id: 0xAABB }), ExtHeader::new(ExtType::new(77), 9)];
    let eth = |n| RecordBuilder::new(RecordType::ETH).timestamp(stamp(n)).payload(&[0x11; 61]).append_fcs();
    [
        eth(0).lctr(7).interface(5).to_vec(),
        eth(1).sub_header([9, 9, 0, 0]).padding_bytes(b"stale memory").to_vec(),
        eth(2).ext_headers(&host).to_vec(),
        RecordBuilder::new(RecordType::META).timestamp(stamp(3)).payload(&[0, 12, 0, 3, b'a', b'b', b'c', 0]).to_vec(),
        RecordBuilder::new(RecordType::PAD).padding_bytes(&[5; 24]).to_vec(),
        RecordBuilder::new(RecordType::COLOR_ETH).timestamp(stamp(4)).lctr(0xC010).payload(&[1; 64]).to_vec(),
        RecordBuilder::new(RecordType::MC_RAW).timestamp(stamp(5)).sub_header([1, 2, 3, 4]).payload(&[8; 30]).to_vec(),
        RecordBuilder::new(RecordType::ATM).timestamp(stamp(6)).wire_len(53).payload(&[7; 52]).to_vec(),
        RecordBuilder::new(RecordType::HDLC_POS).timestamp(stamp(7)).payload(&[0x0F; 40]).to_vec(),
        RecordBuilder::new(RecordType::IPV4).timestamp(stamp(8)).wire_len(900).payload(&[0x45; 80]).to_vec(),
    ]
    .map(Result::unwrap)
    .concat()
}

#[test]
fn every_kind_of_record_is_where_it_belongs() {
    let records = mixed();
    let (file, summary) = lossless(&records, options());
    assert_eq!((summary.records, summary.written, summary.beside), (10, 8, 2));
    assert!(summary.skipped.is_empty());
    assert_eq!(summary.uncarried, Uncarried::default());
    let mut packets = crate::pcap::Packets::open(source(&file)).unwrap();
    let mut seen = Vec::new();
    while let Some(packet) = packets.next_packet().unwrap() {
        seen.push((packet.link_type.0, packet.captured.len(), packet.original_len, packet.drop_count));
    }
    let eth = (1, 61, 61, None);
    let expected = [
        (1, 61, 61, Some(7)),
        eth,
        eth,
        (1, 60, 60, None),
        (197, 16 + 4 + 30, 16 + 4 + 30, None),
        (100, 48, 48, None),
        (104, 40, 40, None),
        (101, 80, 900, None),
    ];
    assert_eq!(seen, expected);
    assert_eq!(back(&file).0, records);
}

/// Changes the packet blocks of a file as an editor would, by `edit` on captured bytes (in front), and the rest of the block.
fn edited(file: &[u8], mut edit: impl FnMut(usize, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut rest, mut number) = (file, 0);
    while let Some(kind) = rest.first_chunk::<4>() {
        let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        let (block, after) = rest.split_at(length);
        rest = after;
        let mut block = block.to_vec();
        if u32::from_le_bytes(*kind) == 6 {
            edit(number, &mut block);
            number += 1;
        }
        out.extend(block);
    }
    out
}

#[test]
fn an_edited_packet_is_converted_by_the_normal_rules_and_counted() {
    let records = mixed();
    let (file, _) = lossless(&records, options());
    let changed = edited(&file, |number, block| {
        if number == 2 {
            block[28 + 20] ^= 1;
        }
    });
    let (again, restored) = back(&changed);
    assert_eq!((restored.packets, restored.edited, restored.beside), (7, 1, 2));
    let made: Vec<_> = Records::new(&again).map(Result::unwrap).collect();
    let original: Vec<_> = Records::new(&records).map(Result::unwrap).collect();
    assert_eq!(made.len(), original.len());
    for (number, (made, original)) in made.iter().zip(&original).enumerate() {
        assert_eq!(made.bytes() == original.bytes(), number != 2, "{number}");
    }
    // Its port is known all the same, and its new FCS is right.
    let identity = |record: &Record<'_>| crate::identity::Identity::new(record.ext_headers(), record.interface());
    assert_eq!(identity(&made[2]), identity(&original[2]));
    assert_eq!((made[2].wire_len(), made[2].verify_fcs()), (65, Some(true)));
    assert_eq!(made[2].timestamp(), original[2].timestamp());
}

#[test]
fn a_stamp_rounded_on_the_way_is_restored_and_a_shifted_one_is_kept() {
    let records = mixed();
    let (file, _) = lossless(&records, options());
    let shift = |by: u32| {
        edited(&file, move |number, block| {
            if number == 0 {
                let low = u32::from_le_bytes(block[16..20].try_into().unwrap());
                block[16..20].copy_from_slice(&(low - by).to_le_bytes());
            }
        })
    };
    let (again, restored) = back(&shift(5));
    assert_eq!((again == records, restored.restamped), (true, 0));
    let (again, restored) = back(&shift(50_000));
    assert_eq!(restored.restamped, 1);
    let mut expected = records.clone();
    expected[..8].copy_from_slice(&(1_700_000_000 << 32 | (0x1234_5678u64 - 50_000)).to_le_bytes());
    assert_eq!(again, expected);
}

#[test]
fn options_and_blocks_of_others_with_the_same_number_are_not_taken_for_ours() {
    let records = mixed();
    let (file, _) = lossless(&records, options());
    let magic = file.windows(4).filter(|bytes| bytes == b"ERF\x01").count();
    // Eight packets, two blocks, seven interfaces.
    assert_eq!(magic, 8 + 2 + 7);
    let mut other = file.clone();
    for at in 0..other.len() - 4 {
        if &other[at..at + 4] == b"ERF\x01" {
            other[at + 3] = 9;
        }
    }
    let (_, restored) = back(&other);
    assert_eq!(restored, Restorations::default());
}

#[test]
fn a_record_with_more_padding_than_an_option_holds_stands_beside_the_packets() {
    let record = RecordBuilder::new(RecordType::ETH).payload(&[1; 4]).padding_bytes(&vec![3; 65_513]).to_vec().unwrap();
    let (file, summary) = lossless(&record, options());
    assert_eq!((summary.written, summary.beside), (0, 1));
    assert_eq!(back(&file).0, record);
}

#[test]
fn flags_and_stamps_of_every_value_come_back() {
    for bits in 0..=255u8 {
        let record = RecordBuilder::new(RecordType::ETH)
            .flags(Flags::from_bits(bits))
            .timestamp(Timestamp::from_raw(u64::MAX - u64::from(bits)))
            .payload(&[bits; 60])
            .to_vec()
            .unwrap();
        assert!(record.len() > HEADER_LEN);
        assert_eq!(back(&lossless(&record, options()).0).0, record);
    }
}

#[test]
fn the_fcs_is_found_by_meta_or_by_the_first_whole_frames() {
    let frame = |right: bool| {
        let builder = RecordBuilder::new(RecordType::ETH).payload(&[0x11; 64]);
        if right { builder.append_fcs().to_vec() } else { builder.to_vec() }.unwrap()
    };
    let snapped = RecordBuilder::new(RecordType::ETH).payload(&[0x11; 64]).wire_len(500).to_vec().unwrap();
    let stated = |bits: u8| {
        let area = [0xFF, 3, 0, 4, 0, 1, 0, 0, 0, 8, 0, 4, 0, 0, 0, bits];
        RecordBuilder::new(RecordType::META).payload(&area).to_vec().unwrap()
    };
    for (records, policy, ground, captured) in [
        ([frame(true), frame(false)].concat(), FcsPolicy::Strip, FcsGround::Checked { right: 1, of: 2 }, 64),
        (frame(false), FcsPolicy::Absent, FcsGround::Checked { right: 0, of: 1 }, 64),
        (snapped, FcsPolicy::Strip, FcsGround::Assumed, 62),
        ([stated(0), frame(true)].concat(), FcsPolicy::Absent, FcsGround::Meta, 68),
        ([stated(32), frame(false)].concat(), FcsPolicy::Strip, FcsGround::Meta, 60),
    ] {
        let mut converter = Converter::new(Vec::new(), "made", FileOptions::new(FileFormat::Pcap));
        let mut reader = Reader::builder().force_format(FileFormat::Erf).open(source(&records)).unwrap();
        converter.run(&mut reader, |_| {}).unwrap();
        let (file, summary) = converter.finish().unwrap();
        assert_eq!(summary.fcs, Some((policy, ground)));
        let mut packets = crate::pcap::Packets::open(source(&file)).unwrap();
        assert_eq!(packets.next_packet().unwrap().unwrap().captured.len(), captured);
    }
}
