use std::io::{Cursor, Write};

use proptest::prelude::*;

use super::{Dropped, Plan, Report};
use crate::input::Source;
use crate::{ErrorKind, Record, RecordBuilder, RecordType, Records, Timestamp};

fn file_of(count: u32, first_second: u32) -> Vec<Vec<u8>> {
    (0..count)
        .map(|n| {
            let frame = vec![n as u8; 60 + (n as usize * 31) % 200];
            let stamp = Timestamp::from_parts(first_second + n, n << 20);
            RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&frame).append_fcs().to_vec().unwrap()
        })
        .collect()
}

fn repaired_as(bytes: &[u8], partial: bool) -> Result<(Vec<u8>, Report), crate::Error> {
    let bytes = bytes.to_vec();
    let plan = Plan::of(|reader| reader.open(Source::from_read(Cursor::new(bytes.clone()))))?.partial(partial);
    let mut out = Vec::new();
    let report = plan.write(&mut out)?;
    assert_eq!(report.bytes_in, report.bytes_kept + report.bytes_dropped);
    assert_eq!(report.bytes_kept, out.len() as u64);
    let listed: u64 = report.dropped.iter().map(|dropped| dropped.bytes).sum();
    assert_eq!(listed, report.bytes_dropped);
    Ok((out, report))
}

fn repaired(bytes: &[u8]) -> (Vec<u8>, Report) {
    repaired_as(bytes, false).unwrap()
}

fn dropped(report: &Report) -> Vec<(u64, u64, &'static str)> {
    report.dropped.iter().map(|&Dropped { offset, bytes, why, .. }| (offset, bytes, why.code())).collect()
}

const NOW: u32 = 1_700_000_000;

#[test]
fn a_good_file_stays_as_it_is() {
    let good = file_of(40, NOW).concat();
    let (out, report) = repaired(&good);
    assert!(out == good && report.is_clean());
    assert_eq!(report.records, 40);
    let (out, report) = repaired(&[]);
    assert!(out.is_empty() && report.is_clean());
}

#[test]
fn tails_are_cut_off() {
    let good = file_of(40, NOW).concat();
    for (tail, why) in [
        (vec![1; 9], "torn-header"),
        (file_of(1, NOW + 50)[0][..50].to_vec(), "torn-record"),
        (vec![0; 3000], "zero-tail"),
    ] {
        let (out, report) = repaired(&[&good[..], &tail].concat());
        assert!(out == good, "{why}");
        assert_eq!(dropped(&report), [(good.len() as u64, tail.len() as u64, why)]);
    }
}

#[test]
fn records_behind_damage_are_found_again() {
    let records = file_of(40, NOW);
    let at = records[..20].concat().len();
    // Bytes that were put in between.
    let (out, report) = repaired(&[&records[..20].concat()[..], &[0xEE; 777], &records[20..].concat()].concat());
    assert!(out == records.concat());
    assert_eq!(dropped(&report)[0].0, at as u64);
    assert_eq!(report.bytes_dropped, 777);
    // A length that swallows what follows costs its own record.
    let mut bytes = records.concat();
    bytes[at + 10] = 9;
    let (out, report) = repaired(&bytes);
    assert!(out == [&records[..20], &records[21..]].concat().concat());
    assert_eq!(dropped(&report), [(at as u64, records[20].len() as u64, "garbage")]);
    // A record whose headers do not fit it is left out by its length.
    let mut bytes = records.concat();
    bytes[at + 8] |= 0x80;
    bytes[at + 16..at + records[20].len()].fill(0xFF);
    let (out, report) = repaired(&bytes);
    assert!(out == [&records[..20], &records[21..]].concat().concat());
    assert_eq!(dropped(&report), [(at as u64, records[20].len() as u64, "open-chain")]);
}

#[test]
fn damage_at_the_start_is_passed_over_and_what_is_no_erf_is_refused() {
    let good = file_of(40, NOW).concat();
    let (out, report) = repaired(&[&[0xEE; 100][..], &good].concat());
    assert!(out == good);
    assert_eq!(report.dropped[0].offset, 0);
    let error = repaired_as(b"just some text, nothing to capture here", false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownFormat);
    let pcap = crate::pcap::Writer::new(Vec::new(), Default::default()).finish().unwrap();
    assert_eq!(repaired_as(&pcap, false).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_clock_that_was_never_set_costs_nothing() {
    // No stamp is plausible, so a search finds nothing at all.
    let good = file_of(40, NOW).concat();
    let old: Vec<u8> = file_of(40, 100).into_iter().flatten().collect();
    let (out, report) = repaired(&[&good[..400], &[]].concat());
    assert!(report.bytes_dropped > 0 && !out.is_empty());
    let mut bytes = file_of(3, NOW).concat();
    let first = bytes.len();
    bytes.extend(&old);
    bytes.extend([7; 9]);
    let (out, report) = repaired(&bytes);
    assert_eq!(out.len(), first + old.len());
    assert_eq!(report.bytes_dropped, 9);
}

#[test]
fn a_torn_packet_can_be_kept_as_a_snapped_one() {
    let records = file_of(40, NOW);
    let bytes = records.concat();
    let cut = records[39].len() - 21;
    let (out, report) = repaired_as(&bytes[..bytes.len() - 21], true).unwrap();
    let kept = cut / 8 * 8;
    assert_eq!(report.partial, Some(kept as u16));
    assert_eq!(report.records, 40);
    let start = bytes.len() - records[39].len();
    let last = Record::parse(&out[start..]).unwrap();
    assert!(last.is_snapped() && last.bytes().len() == kept);
    assert_eq!(last.wire_len(), Record::parse(&records[39]).unwrap().wire_len());
    assert_eq!(last.payload(), &records[39][18..kept]);
    // Of a header alone nothing can be kept.
    let (_, report) = repaired_as(&bytes[..start + 18], true).unwrap();
    assert_eq!((report.partial, report.records), (None, 39));
}

#[test]
fn a_broken_compression_keeps_what_could_be_decoded() {
    let records = file_of(400, NOW);
    let good = records.concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&good).unwrap();
    let mut stored = gzip.finish().unwrap();
    stored.truncate(stored.len() / 2);
    let (out, report) = repaired(&stored);
    assert_eq!(report.broken.as_ref().map(crate::Error::kind), Some(ErrorKind::Decompress));
    assert!(!report.is_clean() && !out.is_empty());
    assert!(good.starts_with(&out));
    assert!(Records::new(&out).all(|record| record.is_ok()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_repaired_is_in_order_and_stays_so(
        count in 1u32..60,
        old: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        gap in (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..300)),
        cut in 0usize..100,
    ) {
        let mut bytes = file_of(count, if old { 100 } else { NOW }).concat();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let at = gap.0.index(bytes.len());
        bytes.splice(at..at, gap.1);
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        let Ok((once, report)) = repaired_as(&bytes, false) else { return Ok(()) };
        prop_assert!(Records::new(&once).all(|record| record.is_ok()));
        // What is kept stands in the input, in this order, between what is dropped.
        let mut from_input = Vec::new();
        let mut at = 0;
        for dropped in &report.dropped {
            from_input.extend_from_slice(&bytes[at..dropped.offset as usize]);
            at = (dropped.offset + dropped.bytes) as usize;
        }
        from_input.extend_from_slice(&bytes[at..]);
        prop_assert!(from_input == once);
        if Records::new(&bytes).all(|record| record.is_ok()) {
            prop_assert!(once == bytes);
        }
        if let Ok((twice, report)) = repaired_as(&once, false) {
            prop_assert!(twice == once);
            prop_assert!(report.is_clean() || once.is_empty());
        }
    }
}
