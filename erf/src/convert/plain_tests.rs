//! What is converted at one look is converted as everything else is.

use std::io::Cursor;

use proptest::prelude::*;

use super::lossless_tests::{any_options, any_record};
use super::*;
use crate::input::Source;
use crate::pcap::Resolution;
use crate::{Audit, FileFormat, Reader, Records, Rounding, Severity};

/// An Ethernet record, plain but for what may be wrong with it.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![8 => prop::sample::select(vec![0u8, 1, 2, 4, 5, 0x40, 0x08]), 1 => any::<u8>()];
    let lctr = prop_oneof![12 => Just(0u16), 1 => any::<u16>()];
    let wire_len = prop_oneof![6 => 60u16..80, 1 => 0u16..8, 1 => any::<u16>()];
    let body = prop::collection::vec(any::<u8>(), 0..90);
    (any::<u64>(), flags, lctr, wire_len, body).prop_map(|(stamp, flags, lctr, wire_len, body)| {
        let mut record = stamp.to_le_bytes().to_vec();
        record.extend([2, flags]);
        record.extend((18 + body.len() as u16).to_be_bytes());
        record.extend(lctr.to_be_bytes());
        record.extend(wire_len.to_be_bytes());
        record.extend([0xEE, 0xEE]);
        record.extend(body);
        record
    })
}

/// Frames, and one in a dozen is anything.
pub(crate) fn nearly_plain() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![12 => frame(), 1 => any_record()]
}

fn options() -> impl Strategy<Value = FileOptions> {
    let format = prop::sample::select(vec![FileFormat::Pcap, FileFormat::PcapNg, FileFormat::PcapNg]);
    let resolution = prop::sample::select(vec![Resolution::NANOS, Resolution::MICROS]);
    let rounding = prop::sample::select(vec![Rounding::HalfUp, Rounding::Truncate]);
    (any_options(), format, resolution, rounding, prop::bool::weighted(0.1)).prop_map(
        |(options, format, resolution, rounding, lossless)| {
            let lossless = lossless && format == FileFormat::PcapNg;
            let resolution = if lossless { Resolution::ERF } else { resolution };
            FileOptions { format, resolution, rounding, lossless, ..options }
        },
    )
}

fn reader(records: &[u8]) -> Reader {
    let source = Source::from_read(Cursor::new(records.to_vec()));
    Reader::builder().force_format(FileFormat::Erf).open(source).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn runs_are_what_their_records_are_one_by_one(
        records in prop::collection::vec(nearly_plain(), 1..40),
        options in options(),
    ) {
        let records = records.concat();
        let survey = || Survey::of(&mut reader(&records), |_| {}).unwrap();
        let converter = || Converter::new(Vec::new(), "made", options).with_survey(survey());
        let mut fast = converter();
        fast.run(&mut reader(&records), |_| {}).unwrap();
        let mut run = converter();
        run.write_run(&records, Records::new(&records).count() as u64).unwrap();
        let mut slow = converter();
        let (mut defects, mut offset) = (Vec::new(), 0);
        for record in Records::new(&records).flatten() {
            slow.write_record(&record).unwrap();
            Audit::oddities(offset, &record, |defect| defects.push(defect));
            offset += u64::from(record.rlen());
        }
        defects.retain(|defect| defect.kind.severity() >= Severity::Warning);
        let (fast, run, slow) = (fast.finish().unwrap(), run.finish().unwrap(), slow.finish().unwrap());
        prop_assert_eq!(&fast.0, &slow.0);
        prop_assert_eq!(&run.0, &slow.0);
        prop_assert_eq!(&fast.1.first_defects, &defects);
        let account = |summary: &Summary| format!("{:?}", Summary { defects: 0, first_defects: Vec::new(), ..summary.clone() });
        prop_assert_eq!(account(&fast.1), account(&slow.1));
        prop_assert_eq!(account(&run.1), account(&slow.1));
    }
}
