use proptest::prelude::*;

use super::{FcsVerdict, Summary};
use crate::ext::HostId;
use crate::meta::{MetaWriter, SectionId, SectionType, TagType};
use crate::pieces::{Piece, Pieces};
use crate::session::{Account, Closing, Ending, Opening};
use crate::{Flags, Record, RecordBuilder, RecordType, Records, Timestamp};

fn stamp(secs: u32) -> Timestamp {
    Timestamp::from_parts(secs, 0x4000_0000)
}

fn packet(secs: u32) -> RecordBuilder<'static> {
    RecordBuilder::new(RecordType::ETH).timestamp(stamp(secs)).payload(&[0x55; 60])
}

fn summary_of(records: &[Vec<u8>]) -> Summary {
    let bytes = records.concat();
    let mut summary = Summary::new();
    let mut walk = Records::new(&bytes);
    loop {
        let at = walk.offset();
        match walk.next() {
            Some(Ok(record)) => summary.add(at, &record),
            Some(Err(defect)) => summary.add_defect(defect),
            None => return summary,
        }
    }
}

fn interface_record(host: HostId, name: &str) -> Vec<u8> {
    let mut area = [0u8; 256];
    let mut writer = MetaWriter::new(&mut area);
    writer.put(TagType::GEN_TIME, stamp(5)).unwrap();
    writer.section(SectionType::INTERFACE, SectionId::interface(1)).unwrap().put(TagType::NAME, name).unwrap();
    let area = writer.finish();
    let headers = [host.into()];
    RecordBuilder::new(RecordType::META).timestamp(stamp(10)).ext_headers(&headers).payload(area).to_vec().unwrap()
}

#[test]
fn what_counts_as_what() {
    let with = |record: RecordBuilder<'_>| record.to_vec().unwrap();
    let lossy = with(packet(10).append_fcs().lctr(7));
    let coloured = {
        let mut record = with(packet(11).append_fcs());
        record[8] = RecordType::COLOR_ETH.number();
        record[12..14].copy_from_slice(&999u16.to_be_bytes());
        record
    };
    let pad = {
        let mut record = with(RecordBuilder::new(RecordType::PAD));
        record[12..14].copy_from_slice(&0xFFFFu16.to_be_bytes());
        record
    };
    let bad = with(packet(9).append_fcs().flags(Flags::from_bits(0x34)).interface(0));
    let summary = summary_of(&[lossy, coloured, pad, bad, interface_record(HostId { source_id: 0, host_id: 0 }, "x")]);
    assert_eq!((summary.records(), summary.packets(), summary.pads()), (5, 3, 1));
    assert_eq!((summary.lost, summary.lost_at_least), (7 + 65_535, true));
    assert_eq!((summary.rx_errors, summary.ds_errors, summary.coloured), (1, 1, 1));
    assert_eq!((summary.sizes.wire.sum, summary.sizes.wire.min, summary.sizes.captured.max), (192, 64, 64));
    assert_eq!(summary.fcs.verdict(), FcsVerdict::Present);
    assert_eq!(summary.backward_steps(), 1);
    assert_eq!(summary.stamps.out_of_order, 1);
    assert_eq!((summary.stamps.first, summary.stamps.last), (Some(stamp(10)), Some(stamp(9))));
    assert_eq!((summary.stamps.earliest, summary.stamps.latest), (Some(stamp(9)), Some(stamp(11))));
    assert_eq!(summary.stamps.tick().map(crate::Tick::bits), Some(2));
    assert!(!summary.is_defective(), "a step back is a note");
    let classes: Vec<u64> = summary.sizes.classes().map(|class| class.count).collect();
    assert_eq!(classes, [0, 3, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn whether_the_fcs_is_there() {
    let verdict = |records: &[Vec<u8>]| summary_of(records).fcs.verdict();
    let good = packet(1).append_fcs().to_vec().unwrap();
    let none = packet(1).to_vec().unwrap();
    let not_stored = packet(1).wire_len(64).exact().to_vec().unwrap();
    let marked = {
        let mut record = none.clone();
        record[9] |= 0x10;
        record
    };
    assert_eq!(verdict(&[]), FcsVerdict::Unknown);
    assert_eq!(verdict(&[good.clone(), good.clone()]), FcsVerdict::Present);
    assert_eq!(verdict(&[none.clone(), none.clone()]), FcsVerdict::Absent);
    assert_eq!(verdict(&[not_stored]), FcsVerdict::NotStored);
    assert_eq!(verdict(&[good.clone(), none]), FcsVerdict::Mixed);
    assert_eq!(verdict(&[good, marked]), FcsVerdict::Present);
}

#[test]
fn a_port_gets_its_host_and_name_from_a_record_that_comes_later() {
    let early = packet(8).interface(1).to_vec().unwrap();
    let host = HostId { source_id: 5, host_id: 0x25_90C0_3E08 };
    let own = packet(12).interface(1).ext_headers(&[host.into()]).to_vec().unwrap();
    let summary = summary_of(&[early, interface_record(host, "xe1"), own]);
    let ports = summary.ports();
    let seen: Vec<_> = ports.iter().map(|(id, port)| (id.host_id, id.source_id, id.interface, port.packets)).collect();
    assert_eq!(seen, [(host.host_id, 0, 1, 1), (host.host_id, 5, 1, 1)]);
    for identity in ports.keys() {
        assert_eq!(summary.described.interface(*identity).and_then(|object| object.get(TagType::NAME)), Some("xe1"));
    }
}

#[test]
fn the_newer_statement_holds_and_a_recording_ends_with_its_account() {
    let mut opening = Opening::new(stamp(1));
    opening.card.device = "dag0".into();
    opening.comment = Some("rack 7".into());
    let mut newer = opening.clone();
    newer.card.device = "dag1".into();
    (opening.generated, newer.generated) = (stamp(100), stamp(200));
    let closing = Closing::new(stamp(1), stamp(9), Account::default()).to_bytes().unwrap();
    let (opening, newer) = (opening.to_bytes().unwrap(), newer.to_bytes().unwrap());
    let summary = summary_of(&[newer.clone(), opening.clone(), packet(8).to_vec().unwrap(), closing.clone()]);
    let module = summary.described.first(SectionType::MODULE).unwrap();
    assert_eq!(module.get(TagType::DEV_NAME), Some("dag1"));
    assert!(summary.described.comments.iter().any(|comment| comment.text.contains("rack 7")));
    assert!(matches!(summary.described.ending(), Ending::Closed(_)));
    let cut = summary_of(&[newer, packet(8).to_vec().unwrap()]);
    assert_eq!(cut.described.ending(), Ending::Open);
    let appended = summary_of(&[opening, closing, packet(9).to_vec().unwrap()]);
    assert_eq!(appended.described.ending(), Ending::Unmarked);
}

#[test]
fn only_so_many_defects_are_kept_and_all_are_counted() {
    let mut odd = packet(1).to_vec().unwrap();
    odd[14..16].fill(0);
    let summary = summary_of(&vec![odd; 1500]);
    assert_eq!((summary.findings.listed().len(), summary.findings.defects()), (1000, 1500));
}

/// Any records: types, stamps, hosts, odd lengths, openings and closings.
fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let one = (0u8..9, 0u8..2, 0u32..6, any::<u16>(), any::<u8>()).prop_map(|(what, port, secs, lctr, host)| {
        let mut record = match what {
            0 => return Opening::new(stamp(secs)).to_bytes().unwrap(),
            1 => return Closing::new(stamp(1), stamp(secs), Account::default()).to_bytes().unwrap(),
            2 => interface_record(HostId { source_id: host % 3, host_id: u64::from(host % 2) }, "name"),
            3 => RecordBuilder::new(RecordType::PAD).to_vec().unwrap(),
            4 => packet(secs).append_fcs().interface(port).to_vec().unwrap(),
            5 => packet(secs).wire_len(64).exact().interface(port).to_vec().unwrap(),
            6 => {
                let host = HostId { source_id: host % 3, host_id: u64::from(host % 4) };
                packet(secs).ext_headers(&[host.into()]).interface(port).to_vec().unwrap()
            }
            7 => RecordBuilder::new(RecordType::COLOR_ETH).timestamp(stamp(secs)).payload(&[1; 90]).to_vec().unwrap(),
            _ => packet(0).interface(port).to_vec().unwrap(),
        };
        record[12..14].copy_from_slice(&(if lctr > 60_000 { u16::MAX } else { lctr % 3 }).to_be_bytes());
        if what == 8 {
            record[14..16].fill(0);
        }
        record
    });
    prop::collection::vec(one, 0..60)
}

fn shown(summary: &Summary) -> String {
    // The names of what is private count as well, so the whole is compared as text; audits differ in nothing else.
    format!("{summary:#?}")
}

/// More shapes than there are places for.
#[test]
fn shapes_that_push_one_another_out_are_all_counted() {
    let mut summary = Summary::new();
    for n in 0..5000u32 {
        let frame = vec![7; 14 + (n as usize * 7) % 700];
        let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp(n)).payload(&frame);
        let record = record.interface((n % 8) as u8).to_vec().unwrap();
        summary.record(0, &Record::parse(&record).unwrap());
    }
    summary.settle();
    let bytes: u64 = (0..5000).map(|n| 14 + (n * 7) % 700).sum();
    assert_eq!((summary.records(), summary.sizes.wire.count, summary.sizes.wire.sum), (5000, 5000, bytes));
    assert_eq!(summary.sizes.classes().map(|class| class.count).sum::<u64>(), 5000);
    assert!(summary.ports().values().all(|port| port.packets == 625));
}

#[test]
fn with_more_ports_than_are_told_apart_the_first_ones_have_all_their_packets() {
    let packet_of = |source: u16| {
        let headers = [HostId { source_id: (source & 63) as u8, host_id: u64::from(source >> 6) + 1 }.into()];
        packet(1_700_000_000).ext_headers(&headers).to_vec().unwrap()
    };
    // There and back: those that come first come last again.
    let sources = (0..5000).chain((0..5000).rev());
    let bytes: Vec<u8> = sources.flat_map(packet_of).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let visit = |threads, chunk| {
        let pieces = Pieces::new().threads(threads).chunk(chunk);
        pieces.visit(file.path(), Summary::new, |_| ()).unwrap().piece
    };
    let alone = visit(1, 1 << 20);
    assert_eq!((alone.ports().len(), alone.other_ports()), (4096, 2 * (5000 - 4096)));
    assert!(alone.ports().values().all(|port| port.packets == 2));
    for (threads, chunk) in [(2, 10_000), (3, 470_000)] {
        let shared = visit(threads, chunk);
        assert!(shared.ports() == alone.ports(), "{threads} threads");
        assert_eq!(shared.other_ports(), alone.other_ports());
    }
}

proptest! {
    #[test]
    fn summaries_of_pieces_join_to_that_of_the_whole(
        records in records(),
        cuts in prop::collection::vec(0usize..60, 0..4),
    ) {
        let (mut whole, mut joined, mut piece) = (Summary::new(), Summary::new(), Summary::new());
        let mut offset = 0;
        for (n, bytes) in records.iter().enumerate() {
            if cuts.contains(&n) {
                piece.settle();
                joined.merge(std::mem::take(&mut piece));
            }
            let record = Record::parse(bytes).unwrap();
            whole.add(offset, &record);
            piece.record(offset, &record);
            offset += bytes.len() as u64;
        }
        piece.settle();
        joined.merge(piece);
        prop_assert_eq!(shown(&whole), shown(&joined));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(100))]

    #[test]
    fn runs_are_what_their_records_are_one_by_one(
        records in proptest::collection::vec(crate::convert::nearly_plain(), 1..60),
        chunks in 1u64..12,
    ) {
        let mut records = [records.clone(), records].concat();
        // Nearly all in order.
        for (number, record) in records.iter_mut().enumerate().filter(|(number, _)| number % 7 != 6) {
            record[..8].copy_from_slice(&(((1_700_000_000 + number as u64) << 32) | 5).to_le_bytes());
        }
        let bytes = records.concat();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        let reader = crate::Reader::builder().force_format(crate::FileFormat::Erf);
        let pieces = crate::pieces::Pieces::new().chunk(bytes.len() as u64 / chunks).reader(reader);
        let one_by_one = summary_of(&[bytes]);
        let mut check = crate::check::Check::new(crate::Severity::Note, 1000);
        Records::new(&std::fs::read(file.path()).unwrap()).for_each(|item| match item {
            Ok(record) => check.record(0, &record),
            Err(defect) => check.defect(defect),
        });
        for threads in [1, 2] {
            let pieces = pieces.clone().threads(threads);
            let made = pieces.visit(file.path(), Summary::new, |_| ()).unwrap().piece;
            proptest::prop_assert_eq!(format!("{made:?}"), format!("{one_by_one:?}"));
            let made = pieces.visit(file.path(), || crate::check::Check::new(crate::Severity::Note, 1000), |_| ()).unwrap().piece;
            proptest::prop_assert_eq!(made.records, check.records);
            proptest::prop_assert_eq!(made.findings.defects(), check.findings.defects());
        }
    }
}
