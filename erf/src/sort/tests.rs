use erf_core::{RecordBuilder, RecordType, Records, Timestamp};
use proptest::prelude::*;

use super::*;

fn record(kind: RecordType, stamp: u64, number: u32, len: usize) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(4 + len, 0);
    RecordBuilder::new(kind).timestamp(Timestamp::from_raw(stamp)).payload(&payload).to_vec().unwrap()
}

fn sorted(memory: usize, records: &[Vec<u8>]) -> (Vec<u8>, SortReport) {
    let mut sorter = Sorter { memory, ..Sorter::new(0) };
    for bytes in records {
        sorter.push(&Record::parse(bytes).unwrap()).unwrap();
    }
    let mut out = Vec::new();
    let mut count = 0;
    let report = sorter
        .finish(&mut |run, records| {
            assert_eq!(Records::new(run).filter(Result::is_ok).count() as u64, records);
            count += records;
            out.extend_from_slice(run);
            Ok(())
        })
        .unwrap();
    assert_eq!(count, records.len() as u64);
    (out, report)
}

#[test]
fn a_stamp_that_looks_like_compressed_data_is_no_obstacle_to_temporary_files() {
    // gzip, and zstd.
    let records: Vec<_> =
        [0x0008_8b1f, 0xfd2f_b528u64].iter().map(|stamp| record(RecordType::IPV4, *stamp, 1, 60)).collect();
    let (out, report) = sorted(100, &records);
    assert_eq!((out, report.runs), (records.concat(), 2));
}

proptest! {
    #[test]
    fn it_is_a_stable_sort_whatever_the_memory(
        stamps in proptest::collection::vec((0u64..30, 0usize..70), 0..200), memory in 200usize..20_000,
    ) {
        let mut records: Vec<Vec<u8>> = stamps
            .iter()
            .enumerate()
            .map(|(n, (stamp, len))| record(RecordType::IPV4, *stamp, n as u32, *len))
            .collect();
        let (out, report) = sorted(memory, &records);
        let steps = stamps.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
        prop_assert_eq!(report.backward_steps, steps as u64);
        records.sort_by_key(|bytes| Record::parse(bytes).unwrap().timestamp());
        prop_assert_eq!(out, records.concat());
    }

    #[test]
    fn filler_goes_with_the_record_before_it(
        kinds in proptest::collection::vec((1u64..9, any::<bool>()), 1..60), memory in 200usize..3_000,
    ) {
        let mut records = vec![record(RecordType::IPV4, 5, 0, 8)];
        for (n, (stamp, pad)) in kinds.into_iter().enumerate() {
            records.push(match pad {
                true => record(RecordType::PAD, 0, n as u32 + 1, 0),
                false => record(RecordType::IPV4, stamp, n as u32 + 1, 8),
            });
        }
        let (out, _) = sorted(memory, &records);
        let mut before = None;
        for bytes in &mut records {
            match Record::parse(bytes).unwrap().is_pad() {
                true => bytes[..8].copy_from_slice(&u64::to_le_bytes(before.unwrap())),
                false => before = Some(Record::parse(bytes).unwrap().timestamp().raw()),
            }
        }
        records.sort_by_key(|bytes| Record::parse(bytes).unwrap().timestamp());
        prop_assert_eq!(out, records.concat());
    }
}
