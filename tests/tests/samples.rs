//! Every sample file, read to the ground truth of the MANIFEST beside it, rewritten, and compared with what Wireshark says.
//!
//! The numbers below were made by an independent walk of the bytes; they are the MANIFEST's, not ours.

use std::collections::BTreeMap;
use std::path::Path;

use erf::input::Compression;
use erf::{Access, ErrorKind, FileFormat, Reader, Record, RecordBuilder, RecordType};
use house_skip::{need_program, sample};
use house_tests::judge;

/// What the MANIFEST says about a sample.
#[derive(Debug)]
struct Truth {
    name: &'static str,
    bytes_on_disk: u64,
    format: FileFormat,
    compression: Compression,
    record_type: RecordType,
    records: u64,
    /// Types of the extension headers of each record.
    ext: &'static [u8],
    /// Raw value and nanoseconds by round half up.
    first: (u64, u64),
    last: (u64, u64),
    wire: u64,
    captured: u64,
    snapped: u64,
    flags: &'static [(u8, u64)],
    rlen_mod_8: &'static [(usize, u64)],
    /// Bytes behind the captured payload; the padding of packets from pcap is ours.
    trailing: Option<&'static [(usize, u64)]>,
    trailing_not_zero: u64,
    /// Low bits of the fraction that are zero throughout.
    low_zero_bits: u32,
    /// Records that a builder with the default alignment gives again byte for byte.
    canonical: u64,
}

const HUNDRED: Truth = Truth {
    name: "libtrace-100_packets.erf",
    bytes_on_disk: 7784,
    format: FileFormat::Erf,
    compression: Compression::None,
    record_type: RecordType::ETH,
    records: 100,
    ext: &[],
    first: (0x4148_d781_002f_4700, 1_095_292_801_000_721_395),
    last: (0x4148_d781_074b_0500, 1_095_292_801_028_488_457),
    wire: 30_960,
    captured: 5984,
    snapped: 100,
    flags: &[(0x04, 46), (0x05, 54)],
    rlen_mod_8: &[(0, 40), (4, 60)],
    trailing: Some(&[(0, 100)]),
    trailing_not_zero: 0,
    low_zero_bits: 8,
    canonical: 40,
};

const SAMPLES: [Truth; 6] = [
    HUNDRED,
    Truth {
        name: "libtrace-5_packets.erf.gz",
        bytes_on_disk: 299,
        compression: Compression::Gzip,
        records: 5,
        last: (0x4148_d781_004b_cc00, 1_095_292_801_001_156_569),
        wire: 1225,
        captured: 266,
        snapped: 5,
        flags: &[(0x04, 2), (0x05, 3)],
        rlen_mod_8: &[(0, 4), (4, 1)],
        trailing: Some(&[(0, 5)]),
        canonical: 4,
        ..HUNDRED
    },
    Truth {
        name: "libtrace-provenance.erf",
        bytes_on_disk: 32_752,
        record_type: RecordType::META,
        ext: &[17],
        first: (0x5a96_7dcb_0000_0000, 1_519_812_043_000_000_000),
        last: (0x5a96_7dfc_0000_0000, 1_519_812_092_000_000_000),
        wire: 30_352,
        captured: 30_352,
        snapped: 0,
        flags: &[(0x04, 100)],
        rlen_mod_8: &[(0, 50), (4, 50)],
        low_zero_bits: 32,
        canonical: 50,
        ..HUNDRED
    },
    Truth {
        name: "scapy-erf_eth_exthdr.erf",
        bytes_on_disk: 240,
        records: 2,
        ext: &[0],
        first: (0x5f92_395f_4521_3b34, 1_603_418_463_270_038_319),
        last: (0x5f92_395f_4522_cd30, 1_603_418_463_270_062_279),
        wire: 160,
        captured: 160,
        snapped: 0,
        flags: &[(0x00, 2)],
        rlen_mod_8: &[(0, 2)],
        trailing: Some(&[(14, 2)]),
        trailing_not_zero: 2,
        low_zero_bits: 2,
        canonical: 0,
        ..HUNDRED
    },
    Truth {
        name: "infiniband-linktype-erf.pcap",
        bytes_on_disk: 8894,
        format: FileFormat::Pcap,
        record_type: RecordType::INFINIBAND,
        records: 43,
        first: (0x482b_41ef_7feb_ea60, 1_210_794_479_499_693_535),
        last: (0x482b_42ea_12b5_9520, 1_210_794_730_073_083_229),
        wire: 7494,
        captured: 7494,
        snapped: 0,
        flags: &[(0x04, 22), (0x05, 21)],
        rlen_mod_8: &[(0, 43)],
        trailing: None,
        low_zero_bits: 5,
        canonical: 43,
        ..HUNDRED
    },
    Truth { name: "editcap-100-linktype-erf.nsec.pcap", bytes_on_disk: 9408, format: FileFormat::Pcap, ..HUNDRED },
];

/// Read by force only.
const LEGACY: Truth = Truth {
    name: "libtrace-legacypos.gz",
    bytes_on_disk: 2840,
    compression: Compression::Gzip,
    record_type: RecordType::LEGACY,
    first: (0x3e56_09f7_34f4_0600, 1_045_826_039_206_848_502),
    last: (0x3e56_09f7_3aac_e400, 1_045_826_039_229_200_602),
    wire: 57_456,
    captured: 4752,
    snapped: 81,
    flags: &[(0x00, 100)],
    rlen_mod_8: &[(0, 100)],
    trailing: Some(&[(0, 81), (2, 18), (12, 1)]),
    // All but the one with more padding than an alignment to 8 would make.
    canonical: 99,
    ..HUNDRED
};

fn counted<K: Ord + Copy>(counts: &[(K, u64)]) -> BTreeMap<K, u64> {
    counts.iter().copied().collect()
}

/// Reads to the end and compares everything that the MANIFEST says.
fn check(reader: &mut Reader, truth: &Truth) {
    let name = truth.name;
    assert_eq!((reader.format(), reader.compression()), (truth.format, truth.compression), "{name}");
    let (mut records, mut wire, mut captured, mut snapped, mut not_zero, mut canonical) = (0, 0, 0, 0, 0, 0);
    let (mut flags, mut lengths, mut trailing) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let (mut first, mut last, mut fractions) = (None, None, 0);
    reader
        .for_each(|item| {
            let record = item.unwrap_or_else(|defect| panic!("{name}: {defect}"));
            let stamp = (record.timestamp().raw(), record.timestamp().nanos());
            assert!(last.is_none_or(|(raw, _)| raw <= stamp.0), "{name}: no backward steps");
            first.get_or_insert(stamp);
            last = Some(stamp);
            fractions |= record.timestamp().frac();
            records += 1;
            wire += u64::from(record.wire_len());
            captured += record.payload().len() as u64;
            assert_eq!(record.payload().len(), record.captured_len());
            snapped += u64::from(record.captured_len() < usize::from(record.wire_len()));
            *flags.entry(record.flags().bits()).or_insert(0) += 1;
            *lengths.entry(usize::from(record.rlen()) % 8).or_insert(0) += 1;
            *trailing.entry(record.padding().len()).or_insert(0) += 1;
            not_zero += u64::from(record.padding().iter().any(|&byte| byte != 0));
            assert_eq!(record.record_type(), truth.record_type, "{name}");
            let ext: Vec<u8> = record.ext_headers().map(|header| header.kind().number()).collect();
            assert_eq!(ext, truth.ext, "{name}");
            assert_eq!(record.lctr_raw(), 0, "{name}");
            canonical += u64::from(rebuild(&record));
        })
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(records, truth.records, "{name}");
    assert_eq!((first, last), (Some(truth.first), Some(truth.last)), "{name}");
    assert_eq!((wire, captured, snapped), (truth.wire, truth.captured, truth.snapped), "{name}");
    assert_eq!(flags, counted(truth.flags), "{name}: flags");
    assert_eq!(lengths, counted(truth.rlen_mod_8), "{name}: rlen mod 8");
    if let Some(expected) = truth.trailing {
        assert_eq!(trailing, counted(expected), "{name}: bytes behind the payload");
    }
    assert_eq!(not_zero, truth.trailing_not_zero, "{name}: trailing bytes that are not zero");
    assert_eq!(fractions.trailing_zeros(), truth.low_zero_bits, "{name}: low bits");
    assert_eq!(canonical, truth.canonical, "{name}: canonical records");
    assert_eq!(reader.refused(), None, "{name}");
}

/// Writes `record` again: copied, which must give the same bytes, and with the default alignment. Gives whether that was the same, too.
fn rebuild(record: &Record<'_>) -> bool {
    let copy = RecordBuilder::from_record(record);
    let mut buffer = [0xA5; 70_000];
    let len = copy.write_to(&mut buffer).unwrap();
    assert!(&buffer[..len] == record.bytes(), "a copy is byte-identical");
    let len = copy.alignment(8).write_to(&mut buffer).unwrap();
    let aligned = Record::parse(&buffer[..len]).unwrap();
    assert_eq!(aligned.rlen() % 8, 0);
    assert!(record.payload().starts_with(aligned.payload()));
    assert!(record.payload().len() - aligned.payload().len() < 8, "cut by alignment only");
    assert_eq!(aligned.wire_len(), record.wire_len());
    aligned.bytes() == record.bytes()
}

fn bytes_of(reader: &mut Reader) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        bytes.extend_from_slice(batch.bytes());
    }
    bytes
}

#[test]
fn every_readable_sample_gives_its_ground_truth() {
    for truth in &SAMPLES {
        let Some(path) = sample(truth.name) else { return };
        assert_eq!(path.metadata().unwrap().len(), truth.bytes_on_disk, "{}: not the file of the MANIFEST", truth.name);
        for access in [Access::Auto, Access::Blocks] {
            check(&mut Reader::builder().access(access).open(path.as_path()).unwrap(), truth);
        }
        let mapped = Reader::builder().access(Access::Map).open(path.as_path());
        if truth.format == FileFormat::Erf && truth.compression == Compression::None {
            let mut mapped = mapped.unwrap();
            assert_eq!(mapped.access(), Access::Map);
            check(&mut mapped, truth);
        } else {
            assert_eq!(mapped.unwrap_err().kind(), ErrorKind::Unsupported, "{}: cannot be mapped", truth.name);
        }
    }
}

#[test]
fn files_copied_through_the_builder_are_byte_identical() {
    for truth in SAMPLES.iter().filter(|truth| truth.format == FileFormat::Erf) {
        let Some(path) = sample(truth.name) else { return };
        let mut reader = Reader::open_path(&path).unwrap();
        let mut written = Vec::new();
        let mut buffer = [0; 70_000];
        while let Some(record) = reader.next_record().unwrap() {
            let len = RecordBuilder::from_record(&record.unwrap()).write_to(&mut buffer).unwrap();
            written.extend_from_slice(&buffer[..len]);
        }
        let on_disk = std::fs::read(&path).unwrap();
        if truth.compression == Compression::None {
            assert!(written == on_disk, "{}", truth.name);
        }
    }
    // The compressed one is the beginning of another, and editcap's is all of it.
    let (Some(five), Some(hundred), Some(editcap)) =
        (sample(SAMPLES[1].name), sample(HUNDRED.name), sample(SAMPLES[5].name))
    else {
        return;
    };
    let hundred = std::fs::read(hundred).unwrap();
    let five = bytes_of(&mut Reader::open_path(five).unwrap());
    assert_eq!(five.len(), 356);
    assert!(hundred.starts_with(&five));
    assert!(hundred == bytes_of(&mut Reader::open_path(editcap).unwrap()));
}

#[test]
fn what_is_not_erf_is_refused_and_type_0_can_be_forced() {
    for name in ["libtrace-legacyeth.gz", LEGACY.name] {
        let Some(path) = sample(name) else { return };
        for access in [Access::Auto, Access::Blocks] {
            let error = Reader::builder().access(access).open(path.as_path()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnknownFormat, "{name}");
            assert!(error.to_string().contains(name) && error.to_string().contains("before ERF"), "{error}");
        }
    }
    let Some(path) = sample(LEGACY.name) else { return };
    check(&mut Reader::builder().force_format(FileFormat::Erf).open(path.as_path()).unwrap(), &LEGACY);

    // Not even by force: its first length is 0.
    let Some(path) = sample("libtrace-legacyeth.gz") else { return };
    let mut forced = Reader::builder().force_format(FileFormat::Erf).open(path.as_path()).unwrap();
    let defect = forced.next_record().unwrap().unwrap().unwrap_err();
    assert_eq!((defect.offset, defect.kind.code()), (0, "record-length"));
}

#[test]
fn the_manifest_itself_is_kept() {
    let Some(dir) = house_skip::samples_dir() else { return };
    let listed = |name: &str| SAMPLES.iter().any(|truth| truth.name == name) || name == LEGACY.name;
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = listed(&name) || ["MANIFEST.md", "libtrace-legacyeth.gz"].contains(&name.as_str());
        assert!(known, "{name} is a sample without a test");
    }
}

fn our_packets(path: &Path) -> Vec<(u64, u64)> {
    let mut packets = Vec::new();
    let mut reader = Reader::open_path(path).unwrap();
    reader
        .for_each(|item| {
            let record = item.unwrap();
            packets.push((record.timestamp().nanos(), u64::from(record.wire_len())));
        })
        .unwrap();
    packets
}

#[test]
fn wireshark_sees_the_same() {
    if !need_program("tshark") || !need_program("capinfos") {
        return;
    }
    for truth in &SAMPLES {
        let Some(path) = sample(truth.name) else { return };
        let infos = judge::capinfos(&path);
        assert_eq!((infos.packets, infos.data_size), (truth.records, truth.wire), "{}", truth.name);
        assert_eq!((infos.first, infos.last), (Some(truth.first.1), Some(truth.last.1)), "{}", truth.name);
        let theirs: Vec<(u64, u64)> = judge::tshark(&path, "", &["frame.time_epoch", "frame.len"])
            .iter()
            .map(|fields| (judge::nanos(&fields[0]).unwrap(), fields[1].parse().unwrap()))
            .collect();
        assert_eq!(theirs, our_packets(&path), "{}", truth.name);
    }
}
