use std::io::{self, Cursor, Write};

use proptest::prelude::*;

use super::*;
use crate::input::{Compression, Input, Source};
use crate::{Error, ErrorKind};

const ALL: [Codec; 3] = [Codec::Zstd, Codec::Lz4, Codec::Gzip];

/// What our own reader makes of `file`.
fn read(file: Vec<u8>) -> (Vec<u8>, Option<Error>, Compression) {
    let mut input = Input::open(Source::from_read(Cursor::new(file))).unwrap();
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        match input.read_some(&mut piece) {
            Ok(0) => return (bytes, None, input.compression()),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) => return (bytes, Some(error), input.compression()),
        }
    }
}

/// Bytes that compress somewhat: words of a few, at places of chance.
fn data(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 16);
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match state >> 62 {
            0 => bytes.extend_from_slice(&state.to_be_bytes()),
            n => bytes.extend_from_slice(&b"the quick brown fox"[..(n * 6) as usize]),
        }
    }
    bytes.truncate(len);
    bytes
}

fn packed(encoding: Encoding, workers: &Workers, pieces: &[&[u8]]) -> Vec<u8> {
    let mut packer = Packer::new(encoding, workers.clone());
    let mut file = Vec::new();
    for piece in pieces {
        packer.write(&mut file, piece).unwrap();
    }
    packer.end(&mut file).unwrap();
    file
}

#[test]
fn what_is_written_comes_back_in_order_with_any_number_of_threads() {
    let content = data(3 * BLOCK + 12_345, 7);
    let pieces: Vec<&[u8]> = content.chunks(100_000).collect();
    for codec in ALL {
        let mut before: Option<Vec<u8>> = None;
        for threads in [1, 3] {
            let workers = Workers::new(threads).unwrap();
            let file = packed(Encoding::new(codec), &workers, &pieces);
            assert!(file.len() < content.len(), "{codec}");
            assert!(before.is_none_or(|before| before == file), "{codec}: the file does not depend on the threads");
            let (bytes, error, compression) = read(file.clone());
            assert!(error.is_none() && bytes == content, "{codec}: {error:?}");
            assert_eq!(compression.to_string(), codec.to_string());
            before = Some(file);
        }
    }
}

#[test]
fn nothing_at_all_is_a_unit_without_content() {
    let workers = Workers::new(1).unwrap();
    for codec in ALL {
        let (bytes, error, compression) = read(packed(Encoding::new(codec), &workers, &[]));
        assert!(bytes.is_empty() && error.is_none(), "{codec}: {error:?}");
        assert!(compression.is_compressed(), "{codec}");
    }
}

/// What a kill leaves: all blocks before the place are there.
#[test]
fn a_file_that_breaks_off_has_all_blocks_before_that() {
    let workers = Workers::new(2).unwrap();
    for codec in ALL {
        let mut blocks = Blocks::new(Encoding::new(codec), workers.clone());
        let content = data(3 * 50_000, 3);
        let (mut file, mut ends) = (Vec::new(), vec![(0, 0)]);
        for block in content.chunks(50_000) {
            blocks.give(block.to_vec(), ());
            let unit = blocks.take(true).unwrap().unwrap();
            assert_eq!(unit.content, 50_000);
            file.extend_from_slice(&unit.unit);
            ends.push((file.len(), ends.len() * 50_000));
        }
        for cut in (0..=file.len()).step_by(97).chain(ends.iter().map(|(end, _)| *end)) {
            let (bytes, error, _) = read(file[..cut].to_vec());
            let (end, whole) = *ends.iter().rfind(|(end, _)| *end <= cut).unwrap();
            // The first few bytes do not show that they are compressed.
            if cut < 6 {
                continue;
            }
            assert!(bytes.len() >= whole && bytes[..] == content[..bytes.len()], "{codec} cut at {cut}");
            assert_eq!(error.is_none(), cut == end, "{codec} cut at {cut}: {error:?}");
            assert!(error.is_none_or(|error| error.kind() == ErrorKind::Decompress));
        }
    }
}

#[test]
fn the_seek_table_leads_to_every_frame() {
    let workers = Workers::new(2).unwrap();
    let content = data(3 * BLOCK + 5, 5);
    let pieces: Vec<&[u8]> = content.chunks(BLOCK).collect();
    let file = packed(Encoding::new(Codec::Zstd), &workers, &pieces);
    let table = SeekTable::at_end_of(&file).unwrap();
    assert_eq!(table.frames().iter().map(|frame| frame.1 as usize).collect::<Vec<_>>(), [BLOCK, BLOCK, BLOCK, 5]);
    let (mut at, mut from) = (0, 0);
    for (stored, len) in table.frames().iter().map(|(stored, len)| (*stored as usize, *len as usize)) {
        let (bytes, error, _) = read(file[at..at + stored].to_vec());
        assert!(error.is_none() && bytes == content[from..from + len]);
        at += stored;
        from += len;
    }
    assert_eq!(at + table.to_bytes().len(), file.len());
}

#[test]
fn blocks_under_way_are_bounded_and_come_back_with_their_word() {
    let workers = Workers::new(2).unwrap();
    let mut blocks = Blocks::new(Encoding::new(Codec::Lz4), workers);
    let mut given = 0;
    while !blocks.is_full() {
        blocks.give(vec![given; 1000], given);
        given += 1;
    }
    assert_eq!(given, 5, "two a thread, and one");
    let mut back = Vec::new();
    while let Some(packed) = blocks.take(true).unwrap() {
        back.push(packed.with);
    }
    assert_eq!(back, [0, 1, 2, 3, 4]);
    assert!(blocks.is_empty() && blocks.take(true).unwrap().is_none());
}

/// Takes so many bytes, and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.min(bytes.len()) {
            0 => Err(io::ErrorKind::StorageFull.into()),
            count => {
                self.0 -= count;
                Ok(count)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_the_sink_refuses_is_said() {
    let workers = Workers::new(1).unwrap();
    let mut packer = Packer::new(Encoding::new(Codec::Gzip), workers);
    let mut sink = Full(10);
    packer.write(&mut sink, &data(10, 1)).unwrap();
    assert_eq!(packer.end(&mut sink).unwrap_err().kind(), io::ErrorKind::StorageFull);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_come_back(
        pieces in proptest::collection::vec((any::<u64>(), 0usize..300_000, any::<bool>()), 0..6),
        codec in prop::sample::select(&ALL[..]),
    ) {
        let pieces: Vec<Vec<u8>> = pieces
            .into_iter()
            .map(|(seed, len, even)| if even { vec![seed as u8; len] } else { data(len, seed) })
            .collect();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let (bytes, error, _) = read(packed(Encoding::new(codec), &Workers::new(1).unwrap(), &pieces));
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert!(bytes == pieces.concat());
    }
}
