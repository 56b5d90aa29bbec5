use std::io::Cursor;

use erf_core::{RecordBuilder, RecordType, TimeDelta, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::FileFormat;
use crate::input::Source;

fn reader(records: &[Vec<u8>]) -> Reader {
    let source = Source::from_read(Cursor::new(records.concat()));
    Reader::builder().force_format(FileFormat::Erf).open(source).unwrap()
}

fn diff(a: &[Vec<u8>], b: &[Vec<u8>], tolerance: Tolerance) -> (Counts, Vec<Finding>) {
    let mut found = Vec::new();
    let counts = Diff::new(reader(a), reader(b), tolerance).run(&mut |_, _| {}, &mut |one| found.push(one)).unwrap();
    (counts, found)
}

/// Packets all of their own.
fn packets(n: u64) -> Vec<Vec<u8>> {
    let packet = |n: u64| {
        let mut frame = [0u8; 60];
        frame[..8].copy_from_slice(&n.to_be_bytes());
        let stamp = Timestamp::from_raw(1 << 60 | n << 10);
        RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&frame).append_fcs().to_vec().unwrap()
    };
    (0..n).map(packet).collect()
}

fn of(frame: &[u8], change: impl Fn(RecordBuilder<'_>) -> RecordBuilder<'_>) -> Vec<Vec<u8>> {
    vec![change(RecordBuilder::new(RecordType::ETH).payload(frame)).to_vec().unwrap()]
}

#[test]
fn each_tolerance_is_for_one_thing() {
    let frame: Vec<u8> = (0..100).collect();
    let plain = of(&frame, |b| b.append_fcs());
    let none = Tolerance::default();
    let check = |other: Vec<Vec<u8>>, name: &str, tolerance: Tolerance| {
        let (counts, found) = diff(&plain, &other, none);
        assert_eq!((counts.different, counts.same), (1, 0), "{name}");
        let Finding::Differs { fields, .. } = &found[0] else { panic!("{found:?}") };
        assert!(fields.iter().any(|field| field.name() == name), "{name}: {fields:?}");
        assert!(diff(&plain, &other, tolerance).0.is_same(), "{name} is tolerated");
    };
    check(
        of(&frame, |b| b.append_fcs().timestamp(Timestamp::from_raw(5))),
        "stamp",
        none.stamp(TimeDelta::from_raw(5)),
    );
    check(of(&frame, |b| b.append_fcs().interface(2)), "interface", none.interface(true));
    check(of(&frame, |b| b.append_fcs().lctr(2)), "loss", none.loss(true));
    check(of(&frame[..50], |b| b.wire_len(104)), "captured", none.snap(true));
    check(of(&frame, |b| b), "wire_len", none.fcs(true));
    check(of(&frame, |b| b.wire_len(104).exact()), "captured", none.fcs(true));
    let wrong: Vec<u8> = frame.iter().copied().chain([0; 4]).collect();
    check(of(&wrong, |b| b), "packet", none.fcs(true));
    let host = [erf_core::ExtHeader::from(erf_core::ext::HostId { source_id: 1, host_id: 2 })];
    let mut record = RecordBuilder::new(RecordType::ETH).payload(&frame).append_fcs();
    record = record.ext_headers(&host);
    check(vec![record.to_vec().unwrap()], "extensions", none.extensions(true));
    let (counts, _) = diff(
        &plain,
        &of(&frame, |b| b.append_fcs().timestamp(Timestamp::from_raw(6))),
        none.stamp(TimeDelta::from_raw(5)),
    );
    assert_eq!(counts.different, 1);
}

#[test]
fn padding_filler_and_what_lies_before_ethernet_do_not_count() {
    let frame = [7; 61];
    let plain = of(&frame, |b| b);
    let mut other = of(&frame, |b| b.padding_bytes(&[9; 30]).sub_header([1, 2, 0, 0]));
    other.insert(0, RecordBuilder::new(RecordType::PAD).to_vec().unwrap());
    other.push(RecordBuilder::new(RecordType::PAD).payload(&[1; 30]).to_vec().unwrap());
    assert_eq!(diff(&plain, &other, Tolerance::default()), (Counts { same: 1, ..Counts::default() }, vec![]));
    let meta = RecordBuilder::new(RecordType::META).payload(&[0; 8]).to_vec().unwrap();
    other.insert(1, meta);
    assert_eq!(diff(&plain, &other, Tolerance::default()).0.only_b, 1);
    assert!(diff(&plain, &other, Tolerance::default().meta(true)).0.is_same());
}

#[test]
fn filler_between_differences_is_none() {
    let packets = packets(8);
    let pad = || RecordBuilder::new(RecordType::PAD).payload(&[1; 30]).to_vec().unwrap();
    // The first file has three records more, with filler between them.
    let mut a = packets.clone();
    a.insert(2, pad());
    a.insert(1, pad());
    let b = packets[3..].to_vec();
    let (counts, found) = diff(&a, &b, Tolerance::default());
    assert_eq!((counts.only_a, counts.same, found.len()), (3, 5, 3));
    let (counts, _) = diff(&b, &a, Tolerance::default());
    assert_eq!((counts.only_b, counts.same), (3, 5));
    let mut b = packets.clone();
    b[1][30] ^= 1;
    b[2][30] ^= 1;
    let (counts, found) = diff(&a, &b, Tolerance::default());
    assert_eq!((counts.different, counts.same, found.len()), (2, 6, 2));
}

#[test]
fn records_that_one_file_lacks_are_found_across_blocks() {
    // Some megabytes, so that what is looked for lies in another block.
    let a = packets(20_000);
    let mut b = a.clone();
    b.drain(2_900..3_500);
    let extra = packets(20_001).pop().unwrap();
    b.insert(10_000, extra);
    let (counts, found) = diff(&a, &b, Tolerance::default());
    assert_eq!(counts, Counts { same: 19_400, different: 0, only_a: 600, only_b: 1 });
    assert_eq!(found[0], Finding::Only { side: Side::A, record: 2_900, offset: 2_900 * 88 });
    assert_eq!(found[600], Finding::Only { side: Side::B, record: 10_000, offset: 10_000 * 88 });
}

proptest! {
    #[test]
    fn what_was_changed_is_found_and_nothing_else(
        n in 1u64..60, changed in proptest::collection::btree_map(0usize..60, (0usize..60, 1u8..=255), 0..6),
    ) {
        let a = packets(n);
        let mut b = a.clone();
        let mut expected = Vec::new();
        for (record, (at, xor)) in changed {
            if let Some(bytes) = b.get_mut(record) {
                bytes[18 + at] ^= xor;
                expected.push((record as u64, at));
            }
        }
        let (counts, found) = diff(&a, &b, Tolerance::default());
        prop_assert_eq!(counts.same, n - expected.len() as u64);
        let found: Vec<(u64, usize)> = found.iter().map(|one| match one {
            Finding::Differs { a_record, fields, .. } => match fields[..] {
                [Field::Packet { at, .. }] => (*a_record, at),
                _ => panic!("{fields:?}"),
            },
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn what_was_left_out_is_found_and_nothing_else(
        n in 2u64..60, missing in proptest::collection::btree_set(0usize..60, 0..8), swap: bool,
    ) {
        let a = packets(n);
        let b: Vec<_> = a.iter().enumerate().filter(|(at, _)| !missing.contains(at)).map(|(_, one)| one.clone()).collect();
        let side = if swap { Side::B } else { Side::A };
        let (counts, found) = if swap { diff(&b, &a, Tolerance::default()) } else { diff(&a, &b, Tolerance::default()) };
        prop_assert_eq!(counts.same, b.len() as u64);
        let expected: Vec<_> = missing.iter().filter(|at| **at < n as usize).map(|at| *at as u64)
            .map(|record| Finding::Only { side, record, offset: record * 88 }).collect();
        prop_assert_eq!(found, expected);
    }
}
