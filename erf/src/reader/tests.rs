use std::io::{self, Read, Write};

use proptest::prelude::*;

use super::*;
use crate::{DefectKind, ErrorKind, RecordBuilder, RecordType, Records, Timestamp};

/// Hands out pieces of the sizes asked for, in turn, as a pipe may.
struct Pieces {
    bytes: io::Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].clamp(1, out.len());
        self.turn += 1;
        self.bytes.read(&mut out[..size])
    }
}

fn pieces(bytes: &[u8], sizes: &[usize]) -> Source {
    Source::from_read(Pieces { bytes: io::Cursor::new(bytes.to_vec()), sizes: sizes.to_vec(), turn: 0 })
}

/// `count` records of many sizes, some over 64 KiB of block boundaries, with plausible stamps.
fn file_of(count: usize) -> Vec<u8> {
    let mut file = Vec::new();
    let mut buffer = vec![0; crate::MAX_RECORD_LEN];
    for i in 0..count {
        let size = match i % 7 {
            0 => 9000,
            1 => 46,
            2 if i % 77 == 2 => 60_000,
            _ => 60 + i % 1400,
        };
        let mut payload: Vec<u8> = (0..size).map(|n| (n ^ i) as u8).collect();
        payload[0] = 0x45;
        let builder = RecordBuilder::new([RecordType::ETH, RecordType::IPV4, RecordType::HDLC_POS][i % 3])
            .timestamp(Timestamp::from_parts(1_700_000_000, i as u32 * 1000))
            .interface((i % 8) as u8)
            .payload(&payload);
        // Some without padding, so that records begin at odd offsets.
        let builder = if i % 5 == 0 { builder.exact() } else { builder };
        let length = builder.write_to(&mut buffer).unwrap();
        file.extend_from_slice(&buffer[..length]);
    }
    file
}

type Item = Result<Vec<u8>, Defect>;

fn owned(item: Result<Record<'_>, Defect>) -> Item {
    item.map(|record| record.bytes().to_vec())
}

fn by_batches(reader: &mut Reader) -> (Vec<Item>, Option<Error>) {
    let mut items = Vec::new();
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => {
                let before = items.len();
                items.extend(batch.iter().map(owned));
                assert!(items.len() > before, "a batch is never empty");
            }
            Ok(None) => return (items, None),
            Err(error) => {
                assert!(reader.next_batch().unwrap().is_none(), "an error ends the reading");
                return (items, Some(error));
            }
        }
    }
}

fn by_records(reader: &mut Reader) -> (Vec<Item>, Option<Error>) {
    let mut items = Vec::new();
    loop {
        match reader.next_record() {
            Ok(Some(item)) => items.push(owned(item)),
            Ok(None) => return (items, None),
            Err(error) => return (items, Some(error)),
        }
    }
}

fn by_slice(bytes: &[u8], recover: bool) -> Vec<Item> {
    Records::new(bytes).recover(recover).map(owned).collect()
}

fn forced(recover: bool) -> ReaderBuilder {
    Reader::builder().force_format(FileFormat::Erf).recover(recover)
}

fn on_disk(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file.flush().unwrap();
    file
}

#[test]
fn every_way_of_reading_gives_the_same_records() {
    let bytes = file_of(900);
    assert!(bytes.len() > 8 << 18, "many blocks");
    let expected = by_slice(&bytes, false);
    let file = on_disk(&bytes);
    for access in [Access::Auto, Access::Blocks, Access::Map] {
        let open = || Reader::builder().access(access).open(file.path()).unwrap();
        assert_eq!(open().access() == Access::Map, access == Access::Map, "small file");
        assert!(by_batches(&mut open()).0 == expected, "{access:?}");
        assert!(by_records(&mut open()).0 == expected, "{access:?}");
        let mut counted = 0;
        open().for_each(|item| counted += usize::from(item.is_ok())).unwrap();
        assert_eq!(counted, expected.len());
    }
    for sizes in [&[777usize][..], &[100, 7, 65_536], &[1 << 20]] {
        let mut reader = Reader::open(pieces(&bytes, sizes)).unwrap();
        assert!(by_batches(&mut reader).0 == expected, "{sizes:?}");
    }
    let short = &bytes[..20_000];
    let mut reader = Reader::open(pieces(short, &[1])).unwrap();
    assert!(by_batches(&mut reader).0 == by_slice(short, false), "byte by byte");
    let mut compressed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let part = &bytes[..600_000];
    compressed.write_all(part).unwrap();
    let file = on_disk(&compressed.finish().unwrap());
    let mut reader = Reader::open(file.path()).unwrap();
    assert_eq!(reader.compression(), Compression::Gzip);
    assert!(by_batches(&mut reader).0 == by_slice(part, false));
}

#[test]
fn batches_are_whole_records_in_one_piece_and_offsets_count_on() {
    let bytes = file_of(700);
    let mut reader = Reader::open(pieces(&bytes, &[10_000])).unwrap();
    let mut copy = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        assert_eq!(batch.offset(), copy.len() as u64);
        let mut iter = batch.iter();
        let mut at = iter.offset();
        while let Some(record) = iter.next() {
            at += u64::from(record.unwrap().rlen());
            assert_eq!(iter.offset(), at);
        }
        copy.extend_from_slice(batch.bytes());
    }
    assert!(copy == bytes);
    assert_eq!(reader.offset(), bytes.len() as u64);
}

#[test]
fn what_is_not_iterated_is_passed_over_and_ways_can_be_mixed() {
    let bytes = file_of(900);
    let expected = by_slice(&bytes, false);
    let mut reader = Reader::open(on_disk(&bytes).path()).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(owned(reader.next_record().unwrap().unwrap()));
    }
    let first = reader.next_batch().unwrap().unwrap();
    let all: Vec<Item> = first.iter().map(owned).collect();
    // Iterated in part, and again: the same, and no harm to the next batch.
    assert_eq!(first.iter().take(2).map(owned).collect::<Vec<_>>(), all[..2]);
    seen.extend(all);
    let skipped = reader.next_batch().unwrap().unwrap().iter().count();
    seen.extend(expected[seen.len()..seen.len() + skipped].iter().cloned());
    seen.extend(reader.next_batch().unwrap().unwrap().into_iter().map(owned));
    seen.extend(by_records(&mut reader).0);
    assert!(seen == expected);
}

#[test]
fn a_torn_tail_is_a_defect_after_all_good_records() {
    let bytes = file_of(400);
    let whole = by_slice(&bytes, false).len();
    for cut in [1, 15, 40] {
        let torn = &bytes[..bytes.len() - cut];
        for reader in [
            &mut Reader::open(pieces(torn, &[5000])).unwrap(),
            &mut Reader::builder().access(Access::Map).open(on_disk(torn).path()).unwrap(),
        ] {
            let (items, error) = by_batches(reader);
            assert!(error.is_none());
            assert_eq!(items.len(), whole);
            let defect = items.last().unwrap().as_ref().unwrap_err();
            assert!(defect.kind.is_torn(), "{defect}");
            let good: usize = items.iter().flatten().map(Vec::len).sum();
            assert_eq!(defect.offset, good as u64);
        }
    }
}

#[test]
fn a_tail_of_zeros_is_told_from_damage_however_long_it_is() {
    let good = file_of(100);
    let expected = by_slice(&good, false).len();
    for zeros in [16, 100_000, 3_000_000] {
        let mut bytes = good.clone();
        bytes.resize(good.len() + zeros, 0);
        let file = on_disk(&bytes);
        let mut readers = vec![
            Reader::open(pieces(&bytes, &[4096])).unwrap(),
            Reader::open(file.path()).unwrap(),
            Reader::builder().access(Access::Map).open(file.path()).unwrap(),
        ];
        for reader in &mut readers {
            let (items, _) = by_batches(reader);
            assert_eq!(items.len(), expected + 1, "{zeros} zeros");
            let defect = items[expected].clone().unwrap_err();
            assert_eq!(defect.offset, good.len() as u64);
            assert_eq!(defect.kind, DefectKind::ZeroTail { len: zeros as u64 });
        }
        // The same with something behind the zeros is damage, told where it begins.
        bytes.push(1);
        let mut reader = Reader::open(pieces(&bytes, &[4096])).unwrap();
        let (items, _) = by_records(&mut reader);
        assert_eq!(items.len(), expected + 1);
        let defect = items[expected].clone().unwrap_err();
        assert_eq!(defect, Defect::new(good.len() as u64, DefectKind::RecordLength { rlen: 0 }));
    }
}

#[test]
fn damage_in_the_middle_ends_the_reading_or_is_recovered_from() {
    let mut bytes = file_of(900);
    let records: Vec<Vec<u8>> = by_slice(&bytes, false).into_iter().flatten().collect();
    let at: usize = records[..450].iter().map(Vec::len).sum();
    bytes[at + 10..at + 12].copy_from_slice(&[0, 5]);
    let (items, error) = by_batches(&mut Reader::open(pieces(&bytes, &[50_000])).unwrap());
    assert!(error.is_none());
    assert_eq!(items.len(), 451);
    assert_eq!(items[450], Err(Defect::new(at as u64, DefectKind::RecordLength { rlen: 5 })));
    let mut reader = Reader::builder().recover(true).open(pieces(&bytes, &[50_000])).unwrap();
    let (items, _) = by_batches(&mut reader);
    assert!(items == by_slice(&bytes, true));
    assert_eq!(items.iter().flatten().count(), 899, "all records but the damaged one");
}

#[test]
fn a_broken_compression_gives_its_records_and_then_the_error() {
    let bytes = file_of(100);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&bytes).unwrap();
    let mut stored = gzip.finish().unwrap();
    stored.truncate(stored.len() - 9);
    let (items, error) = by_batches(&mut Reader::open(on_disk(&stored).path()).unwrap());
    assert_eq!(error.unwrap().kind(), ErrorKind::Decompress);
    let expected = by_slice(&bytes, false);
    let good = items.iter().filter(|item| item.is_ok()).count();
    assert!(good + 2 >= expected.len(), "{good} of {}", expected.len());
    assert!(items[..good] == expected[..good]);
    // The torn record in front of the error is told too.
    assert!(items.len() == good || items[good].as_ref().unwrap_err().kind.is_torn());
}

#[test]
fn other_formats_are_refused_by_name() {
    let legacy: Vec<u8> = (0..10u64)
        .flat_map(|i| {
            let mut slot = [0xAAu8; 64];
            slot[..8].copy_from_slice(&((1_045_826_039 << 32) + (i << 20)).to_le_bytes());
            slot[8..10].copy_from_slice(&60u16.to_be_bytes());
            slot[10..12].copy_from_slice(&[0, 3]);
            slot
        })
        .collect();
    let mut inner = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    inner.write_all(b"\x1f\x8b\x08\0again").unwrap();
    for (bytes, words) in [
        (b"snoop\0\0\0\0\0\0\x02".to_vec(), "snoop"),
        (b"just some text, nothing to capture here".to_vec(), "force the format"),
        (legacy, "before ERF"),
        (inner.finish().unwrap(), "gzip data inside gzip data"),
        (vec![7; 10], "not ERF"),
    ] {
        let error = Reader::open(pieces(&bytes, &[64])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownFormat);
        assert!(error.to_string().contains(words), "{error}");
        // By force everything is ERF, with its defects.
        let mut reader = forced(false).open(pieces(&bytes, &[64])).unwrap();
        by_batches(&mut reader);
    }
}

#[test]
fn an_empty_file_holds_no_records() {
    assert!(Reader::open(pieces(b"", &[1])).unwrap().next_batch().unwrap().is_none());
    let file = on_disk(b"");
    for access in [Access::Auto, Access::Blocks, Access::Map] {
        let mut reader = Reader::builder().access(access).open(file.path()).unwrap();
        assert!(reader.next_record().unwrap().is_none());
    }
}

#[test]
fn what_cannot_be_mapped_is_refused_with_the_way_out() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&file_of(3)).unwrap();
    let file = on_disk(&gzip.finish().unwrap());
    let mapped = Reader::builder().access(Access::Map);
    let error = mapped.clone().open(file.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("read it in blocks"), "{error}");
    let error = mapped.clone().open(Source::Stdin).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let empty = crate::pcap::Writer::new(Vec::new(), Default::default()).finish().unwrap();
    let file = on_disk(&empty);
    let error = mapped.clone().open(file.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // What the caller forces counts for a map too.
    let reader = mapped.clone().force_format(FileFormat::Erf).open(file.path()).unwrap();
    assert_eq!((reader.access(), reader.format()), (Access::Map, FileFormat::Erf));
    let error = mapped.force_format(FileFormat::Pcap).open(on_disk(&file_of(2)).path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_large_file_is_read_the_same_whichever_way_the_trial_goes() {
    // Sparse: PAD records of 32 KiB, of which only the headers are written.
    let mut file = tempfile::tempfile().unwrap();
    let count = (65u64 << 20) / 32_768;
    let mut header = [0u8; 16];
    header[8] = RecordType::PAD.number();
    header[10..12].copy_from_slice(&32_768u16.to_be_bytes());
    for i in 0..count {
        io::Seek::seek(&mut file, io::SeekFrom::Start(i * 32_768)).unwrap();
        file.write_all(&header).unwrap();
    }
    file.set_len(count * 32_768).unwrap();
    let mapped = super::map::Mapped::if_it_pays(&file, "sparse", crate::RESUME_MIN);
    let body = match mapped {
        Some(mapped) => Body::Map(mapped),
        None => Body::Map(super::map::Mapped::new(&file, "sparse", crate::RESUME_MIN).unwrap()),
    };
    let mut reader = Reader::new("sparse".into(), FileFormat::Erf, Compression::None, body, false);
    let (items, error) = by_batches(&mut reader);
    assert!(error.is_none());
    assert_eq!(items.len() as u64, count);
    assert!(items.iter().all(Result::is_ok));
}

#[test]
fn pcap_and_pcapng_are_read_as_records() {
    let bytes = file_of(1500);
    let mut classic = crate::pcap::Writer::new(Vec::new(), Default::default());
    let mut ng = crate::pcapng::Writer::new(Vec::new(), Default::default());
    let mut whole = crate::pcap::WriterOptions::default();
    whole.packets.encapsulation = crate::convert::Encapsulation::Erf;
    let mut whole = crate::pcap::Writer::new(Vec::new(), whole);
    for record in Records::new(&bytes).flatten() {
        classic.write_record(&record).unwrap();
        ng.write_record(&record).unwrap();
        whole.write_record(&record).unwrap();
    }
    let (written, skipped) = (classic.written(), classic.skipped().packets());
    assert!(skipped > 0);
    let ng = ng.finish().unwrap();
    for (file, format, count) in
        [(classic.finish().unwrap(), FileFormat::Pcap, written), (ng.clone(), FileFormat::PcapNg, written + skipped)]
    {
        let mut reader = Reader::open(pieces(&file, &[30_000])).unwrap();
        assert_eq!(reader.format(), format);
        let (items, error) = by_batches(&mut reader);
        assert!(error.is_none());
        assert_eq!(items.iter().flatten().count() as u64, count);
        let total: usize = items.iter().flatten().map(Vec::len).sum();
        assert_eq!(reader.offset(), total as u64);
        assert!(by_records(&mut Reader::open(pieces(&file, &[30_000])).unwrap()).0 == items);
    }
    // Whole records in pcap are the records.
    let mut reader = Reader::open(pieces(&whole.finish().unwrap(), &[9999])).unwrap();
    let (items, _) = by_batches(&mut reader);
    let expected = by_slice(&bytes, false);
    assert_eq!(items.len(), expected.len());
    for (item, expected) in items.iter().flatten().zip(expected.iter().flatten()) {
        let (item, expected) = (Record::parse(item).unwrap(), Record::parse(expected).unwrap());
        assert_eq!((item.payload(), item.timestamp()), (expected.payload(), expected.timestamp()));
        assert_eq!(item.rlen() % 8, 0, "aligned again");
    }
    // Cut: what was there, then the error.
    let (items, error) = by_batches(&mut Reader::open(pieces(&ng[..ng.len() / 2], &[30_000])).unwrap());
    assert_eq!(error.unwrap().kind(), ErrorKind::Truncated);
    assert!(items.len() > 500);
    // A link type without a place in ERF is counted.
    let mut foreign = vec![0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 113, 0, 0, 0];
    foreign.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 7, 7]);
    let mut reader = Reader::open(pieces(&foreign, &[100])).unwrap();
    assert!(reader.next_batch().unwrap().is_none());
    assert_eq!(reader.refused(), Some((1, Refusal::LinkType(crate::pcap::LinkType(113)))));
}

/// Records that follow one another and have nothing to do with one another: no search may decide which of them are any.
#[test]
fn packets_of_pcap_are_not_searched_for() {
    let mut classic = crate::pcap::Writer::new(Vec::new(), Default::default());
    for n in 0..20u32 {
        let stamp = Timestamp::from_parts(n * 200_000_000, n);
        let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 9]).to_vec().unwrap();
        let outcome = classic.write_record(&Record::parse(&record).unwrap()).unwrap();
        assert_eq!(outcome, crate::convert::Outcome::Written);
    }
    let bytes = classic.finish().unwrap();
    let read = |recover| by_batches(&mut Reader::builder().recover(recover).open(pieces(&bytes, &[4096])).unwrap()).0;
    assert_eq!(read(true).len(), 20);
    assert!(read(true) == read(false));
}

/// No search decides about records whose lengths lead to the end of their file.
#[test]
fn a_file_without_damage_is_read_the_same_with_recovery() {
    let mut bytes = Vec::new();
    for n in 0..40u32 {
        // Nothing about one says anything of the next.
        let stamp = Timestamp::from_parts(n.wrapping_mul(0x9E37_79B9), 0);
        let record = RecordBuilder::new(RecordType::new(40 + (n % 40) as u8)).timestamp(stamp).payload(&[0x30; 90]);
        bytes.extend(record.to_vec().unwrap());
    }
    let file = on_disk(&bytes);
    let read = |bytes: &[u8], access| {
        std::fs::write(file.path(), bytes).unwrap();
        by_batches(&mut forced(true).access(access).open(file.path().to_owned()).unwrap()).0
    };
    for access in [Access::Blocks, Access::Map] {
        assert!(read(&bytes, access) == by_slice(&bytes, false));
        // Torn, it is searched.
        let torn = &bytes[..bytes.len() - 1];
        assert!(read(torn, access) == by_slice(torn, true));
    }
}

#[test]
fn records_of_a_batch_cross_threads() {
    fn check<T: Send + Sync>(_: &T) {}
    fn check_send<T: Send>(_: &T) {}
    let bytes = file_of(50);
    let mut reader = Reader::open(pieces(&bytes, &[1 << 20])).unwrap();
    check_send(&reader);
    let batch = reader.next_batch().unwrap().unwrap();
    check(&batch);
    let records: Vec<Record<'_>> = batch.iter().flatten().collect();
    let (left, right) = records.split_at(records.len() / 2);
    let sum = |records: &[Record<'_>]| records.iter().map(|r| u64::from(r.wire_len())).sum::<u64>();
    let total = std::thread::scope(|scope| {
        let left = scope.spawn(|| sum(left));
        let right = scope.spawn(|| sum(right));
        left.join().unwrap() + right.join().unwrap()
    });
    assert_eq!(total, sum(&records));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_give_what_one_walk_over_them_gives(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        sizes in prop::collection::vec(1usize..700, 1..6),
    ) {
        prop_assume!(!Compression::detect(&bytes).is_compressed());
        let expected = by_slice(&bytes, false);
        let (items, error) = by_batches(&mut forced(false).open(pieces(&bytes, &sizes)).unwrap());
        prop_assert!(error.is_none());
        prop_assert_eq!(items, expected);
    }

    #[test]
    fn damaged_records_give_what_one_walk_over_them_gives(
        count in 1usize..60,
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1u8..=255), 0..8),
        cut in any::<prop::sample::Index>(),
        sizes in prop::collection::vec(1usize..60_000, 1..4),
        recover: bool,
        single: bool,
    ) {
        let mut bytes = file_of(count);
        for (index, value) in damage {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len()).min(100));
        let expected = by_slice(&bytes, recover);
        let mut reader = forced(recover).open(pieces(&bytes, &sizes)).unwrap();
        let (items, error) = if single { by_records(&mut reader) } else { by_batches(&mut reader) };
        prop_assert!(error.is_none());
        prop_assert!(items == expected);
    }
}
