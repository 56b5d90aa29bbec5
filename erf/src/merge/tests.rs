use std::io::Cursor;

use erf_core::{Record, RecordBuilder, RecordType, Records, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::FileFormat;
use crate::input::Source;

fn record(kind: RecordType, stamp: u64, mark: (usize, usize)) -> Vec<u8> {
    let payload = [mark.0 as u8, mark.1 as u8, 3, 4];
    RecordBuilder::new(kind).timestamp(Timestamp::from_raw(stamp)).payload(&payload).to_vec().unwrap()
}

fn input(bytes: Vec<u8>) -> Input {
    Input::new(move || Reader::builder().force_format(FileFormat::Erf).open(Source::from_read(Cursor::new(bytes))))
}

fn run(merge: Merge) -> (Vec<u8>, Vec<InputReport>) {
    let mut out = Vec::new();
    let reports = merge
        .run(&mut |_, _| {}, &mut |run, count| {
            assert_eq!(Records::new(run).filter(Result::is_ok).count() as u64, count);
            out.extend_from_slice(run);
            Ok(())
        })
        .unwrap();
    (out, reports)
}

/// Files of these stamps, each file in order.
fn files(stamps: &[Vec<u64>]) -> Vec<Vec<Vec<u8>>> {
    let of = |(file, stamps): (usize, &Vec<u64>)| {
        stamps.iter().enumerate().map(|(n, stamp)| record(RecordType::IPV4, *stamp, (file, n))).collect()
    };
    stamps.iter().enumerate().map(of).collect()
}

#[test]
fn a_file_out_of_order_keeps_its_order_and_is_told() {
    let files = files(&[vec![10, 30, 20, 25, 40], vec![15, 35]]);
    let merge = || files.iter().fold(Merge::new(), |merge, file| merge.input(input(file.concat())));
    let (out, reports) = run(merge());
    let (a, b) = (&files[0], &files[1]);
    assert_eq!(out, [&a[0], &b[0], &a[1], &a[2], &a[3], &b[1], &a[4]].map(Clone::clone).concat());
    let disorder = reports[0].disorder;
    assert_eq!((disorder.backward_steps, disorder.most.raw(), disorder.first_offset), (1, 10, Some(48)));
    assert_eq!(reports[1].disorder, Disorder::default());

    let (out, reports) = run(merge().window(TimeDelta::from_raw(10)));
    assert_eq!(out, [&a[0], &b[0], &a[2], &a[3], &a[1], &b[1], &a[4]].map(Clone::clone).concat());
    assert_eq!(reports[0].disorder, Disorder::default());
}

#[test]
fn what_describes_packets_stays_before_them_and_filler_behind() {
    let eth = |stamp, n| record(RecordType::ETH, stamp, (0, n));
    let meta = record(RecordType::META, 20, (0, 0));
    let pad = record(RecordType::PAD, 0, (0, 0));
    let one = [meta.clone(), eth(20, 1), pad.clone(), eth(30, 2)];
    let other = [eth(10, 3), eth(20, 4), eth(25, 5)];
    let (out, _) = run(Merge::new().input(input(one.concat())).input(input(other.concat())));
    assert_eq!(out, [&other[0], &one[0], &one[1], &one[2], &other[1], &other[2], &one[3]].map(Clone::clone).concat());
}

#[test]
fn clocks_are_corrected_before_they_are_compared() {
    let files = files(&[vec![10, 30], vec![1000, 1019]]);
    let behind = Correction::new(TimeDelta::from_raw(-990));
    let merge = Merge::new().input(input(files[0].concat())).input(input(files[1].concat()).correct(behind));
    let stamps: Vec<u64> = Records::new(&run(merge).0).map(|record| record.unwrap().timestamp().raw()).collect();
    assert_eq!(stamps, [10, 10, 29, 30]);
    let too_far = Correction::new(TimeDelta::from_raw(-11));
    let merge = Merge::new().input(input(files[0].concat()).correct(too_far));
    let error = merge.run(&mut |_, _| {}, &mut |_, _| Ok(())).unwrap_err();
    assert!(error.to_string().contains("at byte 0"), "{error}");
}

#[test]
fn damage_is_told_by_input_and_the_rest_is_merged() {
    let files = files(&[vec![10, 30, 50], vec![20, 40]]);
    let torn = files[0].concat()[..24 * 3 - 4].to_vec();
    let mut told = Vec::new();
    let mut count = 0;
    let merge = Merge::new().input(input(files[1].concat())).input(input(torn));
    let reports = merge
        .run(&mut |input, defect| told.push((input, defect.offset)), &mut |_, records| {
            count += records;
            Ok(())
        })
        .unwrap();
    assert_eq!((told, count, reports[1].records), (vec![(1, 48)], 4, 2));
}

proptest! {
    #[test]
    fn files_in_order_give_a_stable_merge_in_any_number_of_rounds(
        stamps in proptest::collection::vec(proptest::collection::vec(0u64..40, 0..20), 0..12), fan_in in 2usize..14,
    ) {
        let mut stamps = stamps;
        stamps.iter_mut().for_each(|file| file.sort_unstable());
        let files = files(&stamps);
        let merge = files.iter().fold(Merge::new().fan_in(fan_in), |merge, file| merge.input(input(file.concat())));
        let mut all = files.concat();
        all.sort_by_key(|bytes| Record::parse(bytes).unwrap().timestamp());
        prop_assert_eq!(run(merge).0, all.concat());
    }

    #[test]
    fn a_window_puts_right_what_is_within_it(
        base in proptest::collection::vec((0u64..50, 0u64..=9), 1..80),
    ) {
        // Records late by up to 9.
        let mut file: Vec<(u64, u64)> = base;
        file.sort_by_key(|(stamp, late)| stamp + late);
        let stamps: Vec<u64> = file.iter().map(|(stamp, _)| *stamp).collect();
        let mut records = files(&[stamps]).remove(0);
        let merge = Merge::new().input(input(records.concat())).window(TimeDelta::from_raw(9));
        let (out, reports) = run(merge);
        records.sort_by_key(|bytes| Record::parse(bytes).unwrap().timestamp());
        prop_assert_eq!(out, records.concat());
        prop_assert_eq!(reports[0].disorder, Disorder::default());
    }
}
