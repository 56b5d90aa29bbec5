//! The sample files, read to the ground truth of their MANIFEST.
//!
//! They lie in `../shared/samples` beside the project, or where `DAG_SAMPLES` says. Without them these tests are skipped
//! aloud; in CI they are required.

use erf::convert::{Encapsulation, PacketOptions};
use erf::input::Compression;
use erf::{ErrorKind, FileFormat, Reader, RecordType, pcap};
use house_skip::sample;

#[derive(Debug, Default, PartialEq)]
struct Truth {
    records: u64,
    types: Vec<RecordType>,
    first: u64,
    last: u64,
    wire: u64,
    captured: u64,
    defects: u64,
}

fn walk(reader: &mut Reader) -> Truth {
    let mut truth = Truth::default();
    while let Some(batch) = reader.next_batch().unwrap() {
        for item in &batch {
            let Ok(record) = item else {
                truth.defects += 1;
                continue;
            };
            if truth.records == 0 {
                truth.first = record.timestamp().raw();
            }
            truth.last = record.timestamp().raw();
            truth.records += 1;
            truth.wire += u64::from(record.wire_len());
            truth.captured += record.captured_len() as u64;
            if !truth.types.contains(&record.record_type()) {
                truth.types.push(record.record_type());
            }
        }
    }
    truth
}

fn truth(records: u64, record_type: RecordType, stamps: (u64, u64), wire: u64, captured: u64) -> Truth {
    Truth { records, types: vec![record_type], first: stamps.0, last: stamps.1, wire, captured, defects: 0 }
}

#[test]
fn every_readable_sample_gives_its_ground_truth() {
    let hundred = (0x4148_d781_002f_4700, 0x4148_d781_074b_0500);
    for (name, format, compression, expected) in [
        (
            "libtrace-100_packets.erf",
            FileFormat::Erf,
            Compression::None,
            truth(100, RecordType::ETH, hundred, 30_960, 5984),
        ),
        (
            "libtrace-5_packets.erf.gz",
            FileFormat::Erf,
            Compression::Gzip,
            truth(5, RecordType::ETH, (0x4148_d781_002f_4700, 0x4148_d781_004b_cc00), 1225, 266),
        ),
        (
            "libtrace-provenance.erf",
            FileFormat::Erf,
            Compression::None,
            truth(100, RecordType::META, (0x5a96_7dcb_0000_0000, 0x5a96_7dfc_0000_0000), 30_352, 30_352),
        ),
        (
            "scapy-erf_eth_exthdr.erf",
            FileFormat::Erf,
            Compression::None,
            truth(2, RecordType::ETH, (0x5f92_395f_4521_3b34, 0x5f92_395f_4522_cd30), 160, 160),
        ),
        (
            "infiniband-linktype-erf.pcap",
            FileFormat::Pcap,
            Compression::None,
            truth(43, RecordType::INFINIBAND, (0x482b_41ef_7feb_ea60, 0x482b_42ea_12b5_9520), 7494, 7494),
        ),
        (
            "editcap-100-linktype-erf.nsec.pcap",
            FileFormat::Pcap,
            Compression::None,
            truth(100, RecordType::ETH, hundred, 30_960, 5984),
        ),
    ] {
        let Some(path) = sample(name) else { return };
        let mut reader = Reader::open_path(&path).unwrap();
        assert_eq!((reader.format(), reader.compression()), (format, compression), "{name}");
        assert_eq!(walk(&mut reader), expected, "{name}");
        assert_eq!(reader.refused(), None, "{name}");
    }
}

#[test]
fn records_taken_out_of_pcap_are_those_that_went_in() {
    let (Some(wrapped), Some(original)) =
        (sample("editcap-100-linktype-erf.nsec.pcap"), sample("libtrace-100_packets.erf"))
    else {
        return;
    };
    let mut reader = Reader::open_path(wrapped).unwrap();
    let mut out = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        out.extend_from_slice(batch.bytes());
    }
    assert!(out == std::fs::read(&original).unwrap());
    // And back in: the packets that editcap wrote, byte for byte.
    let mut options = pcap::WriterOptions::default();
    options.packets = PacketOptions::default();
    options.packets.encapsulation = Encapsulation::Erf;
    let mut writer = pcap::Writer::new(Vec::new(), options);
    let mut reader = Reader::open_path(original).unwrap();
    while let Some(record) = reader.next_record().unwrap() {
        writer.write_record(&record.unwrap()).unwrap();
    }
    let ours = writer.finish().unwrap();
    let theirs = std::fs::read(sample("editcap-100-linktype-erf.nsec.pcap").unwrap()).unwrap();
    assert!(ours[24..] == theirs[24..], "all but the file header");
}

#[test]
fn infiniband_records_get_their_padding_back() {
    let Some(path) = sample("infiniband-linktype-erf.pcap") else { return };
    let mut reader = Reader::open_path(path).unwrap();
    let mut lengths = [0u64; 2];
    while let Some(record) = reader.next_record().unwrap() {
        let record = record.unwrap();
        assert_eq!(record.rlen() % 8, 0);
        assert!(!record.is_snapped());
        lengths[usize::from(record.padding().is_empty())] += 1;
    }
    assert_eq!(lengths.iter().sum::<u64>(), 43);
    assert!(lengths[0] > 0);
}

#[test]
fn samples_from_before_erf_are_refused_by_name() {
    for (name, words) in [("libtrace-legacyeth.gz", "before ERF"), ("libtrace-legacypos.gz", "before ERF")] {
        let Some(path) = sample(name) else { return };
        let error = Reader::open_path(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownFormat);
        assert!(error.to_string().contains(words), "{error}");
    }
    let Some(path) = sample("libtrace-legacypos.gz") else { return };
    let mut reader = Reader::builder().force_format(FileFormat::Erf).open(path.as_path()).unwrap();
    let found = walk(&mut reader);
    assert_eq!((found.records, found.types, found.wire), (100, vec![RecordType::LEGACY], 57_456));
    assert_eq!((found.captured, found.defects), (4752, 0));
}
