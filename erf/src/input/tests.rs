use std::io::{self, Read, Write};

use proptest::prelude::*;

use super::*;

/// Bytes that compress somewhat but not to nothing.
fn sample(len: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    (0..len)
        .map(|i| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if i % 3 == 0 { (state >> 32) as u8 & 0x3F } else { 0 }
        })
        .collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn bzip2(data: &[u8]) -> Vec<u8> {
    let mut writer = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn xz(data: &[u8]) -> Vec<u8> {
    if data.is_empty() {
        // As xz writes it: a stream header, an index of no records, a footer. The encoder used below
        // writes one that neither xz nor its own decoder accepts.
        return b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46\0\0\0\0\x1c\xdf\x44\x21\
                 \x1f\xb6\xf3\x7d\x01\0\0\0\0\x04YZ"
            .to_vec();
    }
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

fn lz4(data: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB).content_checksum(true);
    let mut writer = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

type Encode = fn(&[u8]) -> Vec<u8>;
const ALL: [(Compression, Encode); 5] = [
    (Compression::Gzip, gzip),
    (Compression::Bzip2, bzip2),
    (Compression::Xz, xz),
    (Compression::Zstd, zstd),
    (Compression::Lz4, lz4),
];

fn open(bytes: Vec<u8>) -> Input {
    Input::open(Source::from_read(io::Cursor::new(bytes))).unwrap()
}

/// All that comes out, and the error behind it if there is one.
fn drain(input: &mut Input, piece: usize) -> (Vec<u8>, Option<Error>) {
    let mut out = Vec::new();
    let mut block = vec![0; piece];
    loop {
        match input.read_some(&mut block) {
            Ok(0) => return (out, None),
            Ok(n) => out.extend_from_slice(&block[..n]),
            Err(error) => {
                assert_eq!(input.read_some(&mut block).unwrap(), 0, "an error comes once");
                return (out, Some(error));
            }
        }
    }
}

/// Hands out one byte at a time, as the slowest pipe does.
struct Drip(io::Cursor<Vec<u8>>);

impl Read for Drip {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = out.len().min(1);
        self.0.read(&mut out[..n])
    }
}

#[test]
fn every_compression_is_decoded_whatever_the_read_size() {
    let data = sample(120_000);
    for (compression, encode) in ALL {
        let stored = encode(&data);
        for piece in [1, 1000, 70_000, 1 << 20] {
            let mut input = open(stored.clone());
            assert_eq!(input.compression(), compression);
            let (out, error) = drain(&mut input, piece);
            assert!(error.is_none(), "{compression} {error:?}");
            assert!(out == data, "{compression} by {piece}");
            assert_eq!(input.position(), data.len() as u64);
            assert_eq!(input.stored_position(), stored.len() as u64, "{compression}");
        }
        let mut input = Input::open(Source::from_read(Drip(io::Cursor::new(encode(&data[..2000]))))).unwrap();
        assert_eq!(input.compression(), compression);
        let (out, error) = drain(&mut input, 1 << 16);
        assert!(error.is_none() && out == data[..2000], "{compression} dripping");
    }
}

#[test]
fn streams_one_after_another_are_one() {
    let data = sample(150_000);
    for (compression, encode) in ALL {
        let mut stored = Vec::new();
        for part in [&data[..100_000], &[], &data[100_000..]] {
            stored.extend_from_slice(&encode(part));
        }
        let (out, error) = drain(&mut open(stored), 10_000);
        assert!(error.is_none(), "{compression} {error:?}");
        assert!(out == data, "{compression}");
    }
}

#[test]
fn frames_of_different_block_sizes_follow_one_another() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let data = sample(600_000);
    let mut stored = Vec::new();
    for (size, mode) in [
        (BlockSize::Max4MB, BlockMode::Linked),
        (BlockSize::Max64KB, BlockMode::Linked),
        (BlockSize::Max256KB, BlockMode::Independent),
    ] {
        let info = FrameInfo::new().block_size(size).block_mode(mode);
        let mut writer = FrameEncoder::with_frame_info(info, &mut stored);
        writer.write_all(&data).unwrap();
        writer.finish().unwrap();
    }
    let (out, error) = drain(&mut open(stored), 1 << 16);
    assert!(error.is_none(), "{error:?}");
    assert!(out == [&data[..], &data, &data].concat());
}

#[test]
fn skippable_frames_and_padding_are_passed_over() {
    let data = sample(5000);
    let skippable = b"\x53\x2a\x4d\x18\x05\0\0\0hello";
    for encode in [zstd, lz4] {
        let mut stored = encode(&data);
        stored.extend_from_slice(skippable);
        stored.extend_from_slice(&encode(&data));
        stored.extend_from_slice(skippable);
        let (out, error) = drain(&mut open(stored.clone()), 4096);
        assert!(error.is_none() && out == [&data[..], &data].concat(), "{error:?}");
        stored.truncate(stored.len() - 1);
        let (out, error) = drain(&mut open(stored), 4096);
        assert_eq!(out.len(), 10_000);
        assert_eq!(error.unwrap().kind(), ErrorKind::Decompress);
    }
    for (encode, padding) in [(gzip as Encode, 512), (xz, 8)] {
        let mut stored = encode(&data);
        stored.resize(stored.len() + padding, 0);
        stored.extend_from_slice(&encode(&data));
        stored.resize(stored.len() + padding, 0);
        let (out, error) = drain(&mut open(stored), 4096);
        assert!(error.is_none() && out == [&data[..], &data].concat(), "{error:?}");
    }
}

#[test]
fn a_stream_cut_short_gives_its_data_and_then_the_error() {
    let data = sample(400_000);
    for (compression, encode) in ALL {
        let stored = encode(&data);
        let mut most = 0;
        for cut in [10, stored.len() / 3, stored.len() / 2, stored.len() - 1] {
            let mut input = open(stored[..cut].to_vec());
            let (out, error) = drain(&mut input, 1 << 18);
            let error = error.unwrap_or_else(|| panic!("{compression} cut at {cut} is no error"));
            assert_eq!(error.kind(), ErrorKind::Decompress, "{error}");
            assert_eq!(error.offset(), Some(cut as u64), "{error}");
            assert!(error.to_string().contains("cut short"), "{error}");
            assert!(data.starts_with(&out), "{compression}");
            most = most.max(out.len());
        }
        // Half the stored bytes hold half the data; decoders work in blocks of up to 128 KiB.
        let half = drain(&mut open(stored[..stored.len() / 2].to_vec()), 1 << 18).0.len();
        assert!(half > data.len() / 4, "{compression}: only {half} from half the file");
        // What the last cut takes is a check sum or an end mark, no data: all of it must be there,
        // but for the bytes that bzip2 and the xz range coder hold back until their block is whole.
        let allowed = match compression {
            Compression::Bzip2 => 110_000,
            _ => 0,
        };
        assert!(most >= data.len() - allowed, "{compression}: only {most} of {}", data.len());
    }
}

#[test]
fn damage_is_told_with_offset_and_after_the_data_before_it() {
    let data = sample(600_000);
    for (compression, encode) in ALL {
        let mut stored = encode(&data);
        let at = stored.len() - stored.len() / 4;
        stored[at] ^= 0x10;
        stored[at + 1] ^= 0xFF;
        let (out, error) = drain(&mut open(stored), 1 << 18);
        let error = error.unwrap_or_else(|| panic!("{compression} hides damage"));
        assert_eq!(error.kind(), ErrorKind::Decompress, "{error}");
        let same = out.iter().zip(&data).take_while(|(a, b)| a == b).count();
        // Decoders work in blocks (128 KiB and less, one stream block for bzip2); all before the
        // damaged one is there.
        let needed = if compression == Compression::Bzip2 { 90_000 } else { 300_000 };
        assert!(same > needed, "{compression} kept only {same}");
    }
}

#[test]
fn what_lies_before_a_tear_inside_a_piece_is_kept() {
    let data = sample(600_000);
    let stored = xz(&data);
    // Chunks of LZMA2 end anywhere, pieces at multiples of 4096.
    let (out, error) = drain(&mut open(stored[..stored.len() / 2].to_vec()), 1 << 18);
    assert_eq!(error.unwrap().kind(), ErrorKind::Decompress);
    assert!(out.len() % 4096 != 0 && data.starts_with(&out), "{} bytes", out.len());
}

/// What a program makes of `data`, or `None` with a word on standard error where it is not installed.
fn by_program(program: &str, args: &[&str], data: &[u8]) -> Option<Vec<u8>> {
    use std::process::{Command, Stdio};
    let mut command = Command::new(program);
    let spawned = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            house_skip::skip(format_args!("the program `{program}` cannot be run: {error}"));
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    let out = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(data));
        child.wait_with_output().unwrap()
    });
    assert!(out.status.success());
    Some(out.stdout)
}

#[test]
fn files_of_the_usual_programs_are_decoded_whole_and_cut() {
    let data = sample(400_000);
    for (program, args) in [
        ("gzip", &["-9"][..]),
        ("bzip2", &["-9"]),
        ("xz", &["-6"]),
        ("xz", &["-T2", "--block-size=60000", "--check=sha256", "--delta", "--lzma2"]),
        ("zstd", &["-3"]),
        ("zstd", &["--ultra", "-20", "--no-check"]),
        ("lz4", &["-1", "-B4"]),
        ("lz4", &["-9", "-BD", "-B4"]),
    ] {
        let Some(stored) = by_program(program, args, &data) else { continue };
        let (out, error) = drain(&mut open(stored.clone()), 1 << 18);
        assert!(error.is_none(), "{program} {args:?}: {error:?}");
        assert!(out == data, "{program} {args:?}");
        let (out, error) = drain(&mut open(stored[..stored.len() / 2].to_vec()), 1 << 18);
        assert_eq!(error.unwrap().kind(), ErrorKind::Decompress, "{program} {args:?}");
        assert!(data.starts_with(&out), "{program} {args:?}");
        // What a decoder has not seen the end of is lost: one block. For `bzip2 -9` and `xz -6` that is all.
        let block = if args.len() == 1 && ["bzip2", "xz"].contains(&program) { data.len() } else { 140_000 };
        assert!(out.len() + block > data.len() / 2, "{program} {args:?}: {} bytes", out.len());
    }
}

/// The end of a torn xz file is that which `xz` finds, byte for byte, or more of what was compressed.
#[test]
fn the_end_of_a_torn_xz_file_is_read_as_xz_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("torn.xz");
    // What compresses well, what does not, and long runs.
    let mut runs = sample(20_000);
    runs.extend([7; 90_000]);
    runs.extend(sample(1000).repeat(20));
    for data in [sample(3_000), sample(150_000), runs] {
        let Some(stored) = by_program("xz", &["-6"], &data) else { return };
        for cut in (1..8).map(|n| stored.len() * n / 8).chain((stored.len() - 40..stored.len()).step_by(7)) {
            std::fs::write(&path, &stored[..cut]).unwrap();
            let said = std::process::Command::new("xz").args(["-dc"]).arg(&path).output().unwrap();
            let (out, error) = drain(&mut Input::open(path.as_path()).unwrap(), 1 << 18);
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Decompress), "cut at {cut}");
            assert!(data.starts_with(&out), "cut at {cut}");
            assert!(out.len() >= said.stdout.len(), "cut at {cut}: {} of {} bytes", out.len(), said.stdout.len());
        }
    }
}

#[test]
fn a_wrong_check_sum_is_an_error_behind_all_the_data() {
    let data = sample(10_000);
    for (encode, from_end) in [(gzip as Encode, 8), (lz4, 4), (bzip2, 3)] {
        let mut stored = encode(&data);
        let at = stored.len() - from_end;
        stored[at] ^= 0x40;
        let (out, error) = drain(&mut open(stored), 1 << 18);
        assert!(out == data);
        assert_eq!(error.unwrap().kind(), ErrorKind::Decompress);
    }
}

#[test]
fn foreign_bytes_behind_a_stream_are_an_error_behind_its_data() {
    let data = sample(10_000);
    for (compression, encode) in ALL {
        let mut stored = encode(&data);
        stored.extend_from_slice(b"what is this doing here");
        let (out, error) = drain(&mut open(stored), 1 << 18);
        assert!(out == data, "{compression}");
        assert!(error.unwrap().to_string().contains("after the last"), "{compression}");
    }
}

#[test]
fn an_xz_stream_that_wants_gigabytes_is_refused() {
    let mut stored = xz(&sample(100));
    // Stream header 12, block header: size, flags, filter id, property length, dictionary size.
    assert_eq!(stored[14..16], [0x21, 1]);
    stored[16] = 40;
    let (out, error) = drain(&mut open(stored), 4096);
    assert!(out.is_empty());
    assert!(error.unwrap().to_string().contains("dictionary"));
}

#[test]
fn errors_of_the_source_are_read_errors() {
    struct Breaks(usize);
    impl Read for Breaks {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("cable pulled"));
            }
            let n = self.0.min(out.len());
            out[..n].fill(7);
            self.0 -= n;
            Ok(n)
        }
    }
    let mut input = Input::open(Source::Stream { name: "probe".to_owned(), reader: Box::new(Breaks(1000)) }).unwrap();
    let (out, error) = drain(&mut input, 64);
    let error = error.unwrap();
    assert_eq!(out.len(), 1000);
    assert_eq!(error.kind(), ErrorKind::Read);
    assert_eq!(error.to_string(), "probe: read failed at byte 1000: cable pulled");
    // The same source inside a compression is still the source's fault.
    let broken = gzip(&sample(1000))[..200].to_vec();
    let chained = io::Cursor::new(broken).chain(Breaks(0));
    let (_, error) = drain(&mut Input::open(Source::from_read(chained)).unwrap(), 64);
    assert_eq!(error.unwrap().kind(), ErrorKind::Read);
}

/// Found by fuzzing: the decoder reserves memory for as many records as the index says that it has.
#[test]
fn an_xz_index_that_claims_more_than_there_can_be_is_an_error() {
    let header = [0xFD, b'7', b'z', b'X', b'Z', 0, 0, 4, 0xE6, 0xD6, 0xB4, 0x46];
    let claims = [0u8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F];
    let (out, error) = drain(&mut open([&header[..], &claims, &[0x37; 200]].concat()), 4096);
    assert!(out.is_empty());
    assert_eq!(error.unwrap().kind(), ErrorKind::Decompress);
}

#[test]
fn a_missing_file_and_a_directory_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no-such.erf");
    let error = Input::open(missing.as_path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Open);
    assert!(error.to_string().contains("no-such.erf: cannot open: "), "{error}");
    assert_eq!(Input::open(dir.path()).unwrap_err().kind(), ErrorKind::Open);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_streams_never_panic_and_end(
        which in 0usize..5,
        len in 0usize..3000,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        piece in 1usize..5000,
    ) {
        let mut stored = ALL[which].1(&sample(len));
        for (index, value) in damage {
            let at = index.index(stored.len());
            stored[at] = value;
        }
        let (out, error) = drain(&mut open(stored), piece);
        prop_assert!(error.is_some() || out.len() <= 1 << 24);
    }

    #[test]
    fn any_bytes_behind_a_magic_never_panic(
        which in 0usize..5,
        keep in 4usize..20,
        tail in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut stored = ALL[which].1(&sample(100));
        stored.truncate(keep);
        stored.extend_from_slice(&tail);
        let (out, _) = drain(&mut open(stored), 4096);
        prop_assert!(out.len() <= 1 << 26);
    }
}

/// Where the blocks of a frame of zstd begin (RFC 8878 section 3.1.1).
fn zstd_blocks(frame: &[u8]) -> Vec<usize> {
    let descriptor = frame[4];
    let is_single = descriptor & 0x20 != 0;
    let content_size = [usize::from(is_single), 2, 4, 8][usize::from(descriptor >> 6)];
    let mut at = 5 + usize::from(!is_single) + [0, 1, 2, 4][usize::from(descriptor & 3)] + content_size;
    let mut blocks = Vec::new();
    loop {
        blocks.push(at);
        let header = u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], 0]);
        // A block of type 1 is one byte, repeated.
        at += 3 + if header >> 1 & 3 == 1 { 1 } else { header as usize >> 3 };
        if header & 1 == 1 {
            return blocks;
        }
    }
}

#[test]
fn what_lies_in_front_of_a_damaged_block_of_zstd_comes_to_the_last_byte() {
    let data = sample(1 << 20);
    let frame = zstd(&data);
    let blocks = zstd_blocks(&frame);
    assert_eq!(blocks.len(), 9, "of 128 KiB each, and an empty one");
    for (block, place) in blocks.into_iter().enumerate() {
        let mut damaged = frame.clone();
        // The type that is not to be used.
        damaged[place] |= 6;
        for piece in [1000, 128 << 10, 1 << 20] {
            let (out, error) = drain(&mut open(damaged.clone()), piece);
            assert!(error.is_some() && data.starts_with(&out), "block {block}");
            assert_eq!(out.len(), block * (128 << 10), "block {block}, {piece} bytes at once");
        }
    }
}
