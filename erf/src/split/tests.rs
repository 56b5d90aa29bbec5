use erf_core::ext::{ExtHeader, HostId};
use erf_core::{RecordBuilder, RecordType};
use proptest::prelude::*;

use super::*;

fn record(kind: RecordType, nanos: u64, interface: u8, len: usize) -> Vec<u8> {
    let payload = vec![7; len];
    let stamp = Timestamp::from_nanos(nanos, Fraction::Ceil).unwrap();
    RecordBuilder::new(kind).timestamp(stamp).interface(interface).payload(&payload).to_vec().unwrap()
}

/// Contents of the parts.
fn split(rule: Rule, records: &[Vec<u8>]) -> (Vec<Vec<u8>>, Splitter) {
    let mut splitter = Splitter::new(rule);
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for bytes in records {
        let record = Record::parse(bytes).unwrap();
        match splitter.place(&record) {
            Place::In(number) => parts[number as usize].extend(bytes),
            Place::Begin(part) => {
                assert_eq!(part.number as usize, parts.len());
                parts.push(bytes.clone());
            }
            Place::All => parts.iter_mut().for_each(|part| part.extend(bytes)),
        }
    }
    (parts, splitter)
}

#[test]
fn a_part_ends_at_the_boundary_and_late_records_stay_and_are_counted() {
    let eth = |nanos| record(RecordType::ETH, nanos, 0, 60);
    let records = [eth(999_999_999), eth(1_000_000_000), eth(999_999_999), eth(1_999_999_999), eth(5_000_000_001)];
    let (parts, splitter) = split(Rule::Every(1_000_000_000), &records);
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[1], records[1..4].concat());
    assert_eq!(splitter.late(), 1);
}

#[test]
fn counts_are_of_packets_and_bytes_are_not_exceeded() {
    let eth = || record(RecordType::ETH, 1, 0, 62);
    let meta = record(RecordType::META, 1, 0, 8);
    let records = [meta.clone(), eth(), eth(), meta, eth()];
    let (parts, _) = split(Rule::Count(2), &records);
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [24 + 80 + 80 + 24, 80]);
    let (parts, _) = split(Rule::Bytes(110), &records);
    assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [104, 104, 80]);
    let (parts, _) = split(Rule::Bytes(1), &records);
    assert_eq!(parts.len(), 5, "a record at least");
}

#[test]
fn interfaces_and_sources_have_parts_and_meta_goes_to_all() {
    let meta = |n| record(RecordType::META, n, 0, 8 + n as usize);
    let eth = |interface| record(RecordType::ETH, 1, interface, 60);
    let records = [meta(1), eth(3), meta(2), eth(0), eth(3), meta(3), meta(3)];
    let (parts, splitter) = split(Rule::Interface, &records);
    assert_eq!(parts[0], [&records[1], &records[2], &records[4], &records[5], &records[6]].map(Clone::clone).concat());
    assert_eq!(parts[1], [&records[3], &records[5], &records[6]].map(Clone::clone).concat());
    assert_eq!(splitter.meta().collect::<Vec<_>>(), [&records[0], &records[2], &records[5]]);

    let of = |source_id, host_id| {
        let host = [ExtHeader::from(HostId { source_id, host_id })];
        RecordBuilder::new(RecordType::ETH)
            .ext_headers(&host)
            .interface(source_id & 3)
            .payload(&[7; 60])
            .to_vec()
            .unwrap()
    };
    let records = [of(1, 7), of(2, 7), of(1, 8), of(1, 7)];
    let (parts, _) = split(Rule::Source, &records);
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[0], [of(1, 7), of(1, 7)].concat());
}

proptest! {
    #[test]
    fn parts_in_a_row_are_the_file(
        steps in proptest::collection::vec((-3i64..20, 0u8..4, 0usize..90), 0..80), which in 0usize..3, size in 1u64..50,
    ) {
        let mut at = 1_000i64;
        let mut records = Vec::new();
        for (step, kind, len) in steps {
            at = (at + step).max(0);
            let kind = match kind { 0 => RecordType::META, 1 => RecordType::PAD, _ => RecordType::ETH };
            records.push(record(kind, at as u64, 0, len));
        }
        let rule = [Rule::Every(size), Rule::Count(size), Rule::Bytes(size * 20)][which];
        let (parts, _) = split(rule, &records);
        prop_assert_eq!(parts.concat(), records.concat());
    }
}
