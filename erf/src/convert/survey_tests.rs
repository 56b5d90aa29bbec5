//! A look at the ends of a file, and whether it was enough.

use std::fs;

use erf_core::meta::{MetaWriter, SectionId, SectionType, TagType};

use super::*;
use crate::{FileFormat, Reader, RecordBuilder, RecordType, Timestamp};

/// META that names port 1 and says something of the capture.
fn described(at: u32, name: &str, comment: &str) -> Vec<u8> {
    let mut area = [0; 512];
    let mut writer = MetaWriter::new(&mut area);
    let stamp = Timestamp::from_parts(1_700_000_000 + at, 0);
    writer.put(TagType::GEN_TIME, stamp).unwrap();
    writer.section(SectionType::CAPTURE, SectionId::UNSPECIFIED).unwrap().put(TagType::COMMENT, comment).unwrap();
    writer.section(SectionType::INTERFACE, SectionId::interface(1)).unwrap().put(TagType::NAME, name).unwrap();
    let area = writer.finish().to_vec();
    RecordBuilder::new(RecordType::META).timestamp(stamp).payload(&area).to_vec().unwrap()
}

/// More than 2 MiB of whole frames of ports 0 and 1.
fn frames(from: u32) -> Vec<u8> {
    let one = |at: u32| {
        let builder = RecordBuilder::new(RecordType::ETH).timestamp(Timestamp::from_parts(1_700_000_000 + from, at));
        builder.interface((at % 2) as u8).payload(&[7; 60]).append_fcs().to_vec().unwrap()
    };
    (0..30_000).flat_map(one).collect()
}

/// The file, and whether it is what the survey promised.
fn converted(survey: Survey, records: &[u8]) -> (Vec<u8>, bool) {
    let mut converter = Converter::new(Vec::new(), "made", FileOptions::new(FileFormat::PcapNg)).with_survey(survey);
    converter.run(&mut Reader::from_read(std::io::Cursor::new(records.to_vec())).unwrap(), |_| {}).unwrap();
    let kept = converter.is_as_surveyed();
    (converter.finish().unwrap().0, kept)
}

#[test]
fn the_ends_of_a_file_say_it_all_or_it_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.erf");
    let (begin, same, end) =
        (described(1, "east", "begun"), described(3, "east", "begun"), described(9, "east", "done"));
    let torn = &frames(4)[..100];
    for (middle, tail, wanted) in [
        (Vec::new(), &[][..], true),
        // What is said again is nothing new, even where it is newer.
        (same, &[], true),
        (described(3, "east", "half way"), &[], false),
        (described(3, "west", "begun"), &[], true),
        (described(10, "west", "begun"), &[], false),
        // A record of which the search in the tail must not be led astray.
        (Vec::new(), torn, true),
    ] {
        let records = [&begin[..], &frames(1), &middle, &frames(3), &end, tail].concat();
        fs::write(&path, &records).unwrap();
        let all = Survey::of(&mut Reader::open_path(&path).unwrap(), |_| {}).unwrap();
        let ends = Survey::of_ends(&path).unwrap().unwrap();
        let (of_all, of_ends) = (converted(all, &records), converted(ends, &records));
        assert!(of_all.1);
        assert_eq!((of_ends.0 == of_all.0, of_ends.1), (wanted, wanted), "{}", middle.len());
        let text = String::from_utf8_lossy(&of_all.0);
        assert!(text.contains("done") && text.contains("begun") && text.contains("st"));
    }
}

/// Damage in the middle: what lies behind it is not converted, and what it says not known.
#[test]
fn what_lies_behind_the_end_of_the_reading_is_not_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.erf");
    let records = [&frames(1)[..], &[0; 20], &frames(3), &described(9, "east", "done")].concat();
    fs::write(&path, &records).unwrap();
    let ends = Survey::of_ends(&path).unwrap().unwrap();
    assert!(!converted(ends, &records).1);
}

#[test]
fn where_the_ends_are_no_short_cut_all_is_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.erf");
    let ends = |records: &[u8]| {
        fs::write(&path, records).unwrap();
        Survey::of_ends(&path).unwrap().is_some()
    };
    let frames = [frames(1), frames(3)].concat();
    assert!(ends(&frames));
    assert!(!ends(&frames[..1 << 20]), "small");
    let mut snapped = frames.clone();
    snapped.chunks_exact_mut(88).for_each(|record| record[14..16].copy_from_slice(&200u16.to_be_bytes()));
    assert!(!ends(&snapped), "nothing says whether there is an FCS");
    let pcap = crate::pcap::Writer::new(Vec::new(), Default::default()).finish().unwrap();
    assert!(!ends(&[pcap, vec![0; 8 << 20]].concat()), "no ERF");
}
