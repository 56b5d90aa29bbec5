use std::io::Write;

use proptest::prelude::*;

use super::{Mergeable, Piece, Pieces};
use crate::reader::{FileFormat, Reader};
use crate::{Defect, Record, RecordBuilder, RecordType, Records, Timestamp};

/// Everything, in order.
#[derive(Debug, Default, PartialEq)]
struct All(Vec<(u64, Result<Vec<u8>, Defect>)>);

impl Piece for All {
    fn record(&mut self, offset: u64, record: &Record<'_>) {
        self.0.push((offset, Ok(record.bytes().to_vec())));
    }

    /// None to three records, whole ones.
    fn run(&mut self, offset: u64, run: &[u8]) -> usize {
        let mut walk = Records::new(run).at_offset(offset);
        for _ in 0..offset % 4 {
            let at = walk.offset();
            let Some(Ok(record)) = walk.next() else { return (at - offset) as usize };
            self.record(at, &record);
        }
        (walk.offset() - offset) as usize
    }

    fn defect(&mut self, defect: Defect) {
        self.0.push((defect.offset, Err(defect)));
    }
}

impl Mergeable for All {
    fn merge(&mut self, next: Self) {
        self.0.extend(next.0);
    }
}

fn file_of(count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..count as u32 {
        let frame = vec![n as u8; 14 + (n as usize * 37) % 400];
        let record_type = match n % 7 {
            0..4 => RecordType::ETH,
            4 => RecordType::IPV4,
            5 => RecordType::META,
            _ => RecordType::PAD,
        };
        let stamp = Timestamp::from_parts(1_700_000_000 + n / 50, n << 20);
        let record = RecordBuilder::new(record_type).timestamp(stamp).interface((n % 3) as u8).payload(&frame);
        bytes.extend(record.to_vec().unwrap());
    }
    bytes
}

fn sequential(bytes: &[u8], recover: bool) -> All {
    let mut walk = Records::new(bytes).recover(recover);
    let mut all = All::default();
    loop {
        let at = walk.offset();
        match walk.next() {
            Some(Ok(record)) => all.record(at, &record),
            Some(Err(defect)) => all.defect(defect),
            None => return all,
        }
    }
}

fn in_pieces(bytes: &[u8], recover: bool, chunk: u64, threads: usize) -> (All, u64) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let reader = Reader::builder().force_format(FileFormat::Erf).recover(recover);
    let pieces = Pieces::new().threads(threads).chunk(chunk).reader(reader);
    let mut told = 0;
    let visited = pieces.visit(file.path(), All::default, |bytes| told += bytes).unwrap();
    assert!(visited.error.is_none());
    assert_eq!(told, visited.end);
    // One by one they are the same.
    if let Some((all, end)) = given(bytes, recover, chunk, threads) {
        assert!(all == visited.piece && end == visited.end, "given one by one");
    }
    (visited.piece, visited.end)
}

#[test]
fn a_guess_holds_for_a_good_file() {
    let bytes = file_of(4000);
    let file = {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file
    };
    let stored = super::Stored { file: &file, name: "good", len: bytes.len() as u64 };
    for recover in [false, true] {
        let mut blocks = super::blocks::Blocks::new(stored, recover);
        let mut state = crate::WalkState::new(0).with_recover(recover);
        for boundary in (10_000..bytes.len() as u64).step_by(20_000) {
            state = blocks.walk(state, boundary, &mut All::default()).0;
            let guess = super::blocks::Blocks::new(stored, recover).guess(boundary).unwrap();
            assert_eq!(guess, Some(state), "{boundary}");
        }
    }
}

#[test]
fn a_tail_of_zeros_and_a_torn_one_are_told_once() {
    let good = file_of(300);
    for cut in [0, 5, 30] {
        let mut bytes = good[..good.len() - cut].to_vec();
        for zeros in [0, 10, 100, 30_000] {
            bytes.resize(good.len() - cut + zeros, 0);
            for recover in [false, true] {
                let expected = sequential(&bytes, recover);
                for chunk in [64, 5000, 40_000] {
                    assert_eq!(in_pieces(&bytes, recover, chunk, 2).0, expected, "{cut} {zeros} {recover} {chunk}");
                }
            }
        }
    }
}

#[test]
fn an_empty_file_has_nothing() {
    assert_eq!(in_pieces(&[], false, 100, 2), (All::default(), 0));
}

#[test]
fn nobody_waits_for_a_piece_that_has_fallen() {
    /// At one record, far from the beginning, and only in a thread of its own.
    struct Trips(std::thread::ThreadId);
    impl Piece for Trips {
        fn record(&mut self, offset: u64, _: &Record<'_>) {
            let own = std::thread::current().id() != self.0;
            assert!(!(own && (40_000..42_000).contains(&offset)), "trips");
        }
        fn defect(&mut self, _: Defect) {}
    }

    impl Mergeable for Trips {
        fn merge(&mut self, _: Self) {}
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&file_of(900)).unwrap();
    let caller = std::thread::current().id();
    let pieces = Pieces::new().threads(2).chunk(2500);
    let fallen = std::panic::catch_unwind(|| pieces.visit(file.path(), || Trips(caller), |_| ()).map(|_| ()));
    assert!(fallen.is_err());
}

#[test]
fn a_panic_of_a_piece_is_passed_on() {
    struct Falls;
    impl Piece for Falls {
        fn record(&mut self, offset: u64, _: &Record<'_>) {
            assert!(offset < 20_000, "falls");
        }
        fn defect(&mut self, _: Defect) {}
    }

    impl Mergeable for Falls {
        fn merge(&mut self, _: Self) {}
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&file_of(300)).unwrap();
    let pieces = Pieces::new().threads(2).chunk(5000);
    let fallen = std::panic::catch_unwind(|| pieces.visit(file.path(), || Falls, |_| ()).map(|_| ()));
    assert!(fallen.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn pieces_of_a_damaged_file_give_what_one_walk_gives(
        count in 1usize..150,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        gaps in prop::collection::vec((any::<prop::sample::Index>(), 1usize..300), 0..3),
        cut in 0usize..100,
        chunk in 1u64..30_000,
        threads in 1usize..4,
        recover: bool,
    ) {
        let mut bytes = file_of(count);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        for (at, len) in gaps {
            let at = at.index(bytes.len());
            let end = (at + len).min(bytes.len());
            bytes.drain(at..end);
            if bytes.is_empty() {
                return Ok(());
            }
        }
        bytes.truncate(bytes.len() - cut.min(bytes.len()));
        let expected = sequential(&bytes, recover);
        prop_assert_eq!(in_pieces(&bytes, recover, chunk.max(bytes.len() as u64 / 200 + 1), threads).0, expected);
    }

    #[test]
    fn pieces_of_any_bytes_give_what_one_walk_gives(
        bytes in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..3000),
        chunk in 16u64..800,
        recover: bool,
    ) {
        prop_assume!(!crate::input::Compression::detect(&bytes).is_compressed());
        let expected = sequential(&bytes, recover);
        prop_assert_eq!(in_pieces(&bytes, recover, chunk, 2).0, expected);
    }
}

/// What `each` gives, one after the other.
fn given(bytes: &[u8], recover: bool, chunk: u64, threads: usize) -> Option<(All, u64)> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let reader = Reader::builder().force_format(FileFormat::Erf).recover(recover).open(file.path()).unwrap();
    let pieces = Pieces::new().threads(threads).chunk(chunk);
    let mut all = All::default();
    let take = |piece: All| {
        all.0.extend(piece.0);
        Ok::<_, crate::Error>(())
    };
    let given = pieces.each(&reader, All::default, take, |_| ()).unwrap()?;
    assert!(given.error.is_none());
    Some((all, given.end))
}

#[test]
fn pieces_are_given_in_order() {
    let mut bytes = file_of(400);
    let whole = bytes.len() as u64;
    assert_eq!(given(&bytes, false, 3000, 3), Some((sequential(&bytes, false), whole)));
    assert_eq!(given(&bytes, false, 3000, 1), None, "one thread has nobody to share with");
    // In the middle of a chunk: what follows is nobody's, or found again.
    bytes[40_000..40_050].fill(0);
    for recover in [false, true] {
        let (all, _) = given(&bytes, recover, 3000, 3).unwrap();
        assert!(all == sequential(&bytes, recover), "recovering: {recover}");
    }
}

#[test]
fn nothing_is_given_behind_what_was_refused() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&file_of(400)).unwrap();
    let reader = Reader::open_path(file.path()).unwrap();
    let mut taken = 0;
    let take = |_: All| {
        taken += 1;
        if taken == 3 { Err(crate::Error::new(crate::ErrorKind::Write, "full")) } else { Ok(()) }
    };
    let refused = Pieces::new().threads(2).chunk(3000).each(&reader, All::default, take, |_| ());
    assert_eq!(refused.unwrap_err().kind(), crate::ErrorKind::Write);
    assert_eq!(taken, 3);
}

#[test]
fn what_is_no_file_of_records_is_not_shared() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.erf");
    std::fs::write(&path, file_of(10)).unwrap();
    let reader = Reader::open_path(&path).unwrap();
    let pieces = Pieces::new().threads(2);
    assert!(pieces.can_share(&reader));
    assert!(!Pieces::new().threads(1).can_share(&reader));
    let stream = Reader::from_read(std::io::Cursor::new(file_of(10))).unwrap();
    assert!(!pieces.can_share(&stream));
    // As a file system says it that makes content as it is read.
    let empty = dir.path().join("empty.erf");
    std::fs::write(&empty, "").unwrap();
    assert!(!pieces.can_share(&Reader::builder().force_format(FileFormat::Erf).open(empty).unwrap()));
    let gzip = dir.path().join("x.gz");
    let mut packed = flate2::write::GzEncoder::new(std::fs::File::create(&gzip).unwrap(), flate2::Compression::fast());
    packed.write_all(&file_of(10)).unwrap();
    packed.finish().unwrap();
    assert!(!pieces.can_share(&Reader::open_path(&gzip).unwrap()));
}

/// Who has opened a file reads that one, also when another has its name by now.
#[test]
fn the_file_that_is_open_is_shared_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.erf");
    let bytes = file_of(400);
    std::fs::write(&path, &bytes).unwrap();
    let reader = Reader::open_path(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, vec![0x55; bytes.len()]).unwrap();
    let mut all = All::default();
    let take = |piece: All| {
        all.0.extend(piece.0);
        Ok::<_, crate::Error>(())
    };
    Pieces::new().threads(2).chunk(3000).each(&reader, All::default, take, |_| ()).unwrap().unwrap();
    assert!(all == sequential(&bytes, false));
}
