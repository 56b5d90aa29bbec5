use std::fs;
use std::path::Path;

use erf::session::Account;
use erf::writer::OutputOptions;
use erf::{Record, Records};

use super::*;
use crate::backend::Memory;
use crate::record::chunk::{Bytes, Lent, Turn, straight_len};
use crate::record::release::Release;

/// A file past the page cache; `None`, and the test skipped, where there is none.
fn direct(path: &Path, ring: bool, sync: Sync) -> Option<(Direct, Arc<Progress>)> {
    let output = Output::create(path, OutputOptions::new()).unwrap();
    let progress = Arc::new(Progress::default());
    match Place::of(&output) {
        Ok(place) => {
            let direct = Direct::open(ring, output, place, sync, None, Arc::clone(&progress));
            Some((direct.unwrap(), progress))
        }
        Err(reason) => {
            house_skip::skip(format_args!("no direct I/O in {}: {reason}", path.display()));
            None
        }
    }
}

/// A record with `len` bytes of payload, and its number in the stamp.
fn record(number: u32, len: usize) -> Vec<u8> {
    let payload = vec![number as u8; len];
    let stamp = Timestamp::from_parts(1_700_000_000 + number, 0);
    RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&payload).to_vec().unwrap()
}

/// Lengths that end at every distance from a block's end that a multiple of 8 can have.
fn some_records() -> Vec<Vec<u8>> {
    (0..1500).map(|n| record(n, 60 + (n as usize * 104) % 1400)).collect()
}

fn packets(file: &[u8]) -> Vec<&[u8]> {
    let all = Records::new(file).map(|item| item.expect("whole records only"));
    all.filter(Record::is_packet).map(|record| record.bytes()).collect()
}

#[test]
fn every_append_ends_on_a_record_and_on_a_block_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    for ring in [true, false] {
        let path = dir.path().join(format!("{ring}.erf"));
        let Some((mut direct, progress)) = direct(&path, ring, Sync::Never) else { return };
        let records = some_records();
        let mut before = Vec::new();
        for (n, record) in records.iter().enumerate() {
            direct.gather(record, 1, Timestamp::from_raw(n as u64)).unwrap();
            if n % 7 == 0 {
                direct.settle().unwrap();
                let now = fs::read(&path).unwrap();
                assert!(now.len().is_multiple_of(direct.block) && now.starts_with(&before), "{} bytes", now.len());
                assert_eq!(packets(&now).len(), n + 1);
                assert_eq!((direct.bytes(), direct.packets()), (now.len() as u64, n as u64 + 1));
                assert_eq!(progress.snapshot().written, n as u64 + 1);
                before = now;
            }
        }
        let (len, _) = direct.finish(None).unwrap();
        let file = fs::read(&path).unwrap();
        assert_eq!(file.len() as u64, len);
        assert_eq!(packets(&file), records);
        assert_eq!(progress.snapshot().written_bytes, len);
    }
}

#[test]
fn more_than_all_buffers_hold_comes_out_in_order() {
    let dir = tempfile::tempdir().unwrap();
    for ring in [true, false] {
        let path = dir.path().join(format!("{ring}.erf"));
        let Some((mut direct, progress)) = direct(&path, ring, Sync::Every(std::time::Duration::ZERO)) else { return };
        let chunks: Vec<Vec<u8>> =
            (0..40u32).map(|n| (0..1000).flat_map(|m| record(n * 1000 + m, 1000)).collect()).collect();
        for (n, chunk) in chunks.iter().enumerate() {
            direct.gather(chunk, 1000, Timestamp::from_raw(n as u64)).unwrap();
            if n == 20 {
                direct.flush().unwrap();
                direct.sync().unwrap();
            }
        }
        direct.settle().unwrap();
        assert_eq!(progress.snapshot().synced, 21_000, "what came before the order, and nothing behind it");
        let ended = Timestamp::from_parts(1_700_100_000, 0);
        let (len, _) = direct.finish(Some(Closing::new(ended, ended, Account::default()))).unwrap();
        assert_eq!((progress.snapshot().synced, progress.snapshot().written_bytes), (40_000, len));
        let file = fs::read(&path).unwrap();
        assert_eq!(file.len() as u64, len);
        assert_eq!(packets(&file).concat(), chunks.concat());
        let last = Records::new(&file).last().unwrap().unwrap();
        assert_eq!(Closing::from_record(&last).expect("no filler behind it").account.bytes_written, len);
    }
}

/// Records in stream memory as a card has them, and who has yet to read them.
struct Stream {
    memory: Arc<Vec<u8>>,
    release: Arc<Release>,
    sent: u64,
}

impl Stream {
    fn of(records: Vec<u8>) -> Self {
        let (tell, _) = crossbeam_channel::bounded(1);
        Self { memory: Arc::new(records), release: Arc::new(Release::new(tell)), sent: 0 }
    }

    /// The records from position `start` to `end`, of which so many are packets.
    fn chunk(&mut self, start: usize, end: usize, packets: u64) -> Chunk {
        let memory = Memory::window(self.memory.as_ptr(), 0, Arc::clone(&self.memory) as _);
        // SAFETY: the bytes lie in the vector, to which nobody writes and which stays as long as the memory made of it does.
        let lent = unsafe { Lent::new(memory, start as u64, end - start, 32 << 20) };
        let hold = Some(Arc::new(self.release.hold(self.sent, end as u64)));
        self.sent += 1;
        let last = Records::new(&self.memory[start..end]).map_while(Result::ok).last();
        let stamp = last.map_or(Timestamp::from_raw(0), |record| record.timestamp());
        Chunk { bytes: Bytes::Lent(lent), records: packets, packets, stamp, turn: None, done: end as u64, hold }
    }

    /// Up to where memory can be released, when it has been looked at up to `looked_at`.
    fn released(&self, looked_at: usize) -> u64 {
        self.release.up_to(self.sent, looked_at as u64)
    }
}

#[test]
fn records_are_written_from_where_they_lie_and_held_there_until_then() {
    let dir = tempfile::tempdir().unwrap();
    for ring in [true, false] {
        let path = dir.path().join(format!("{ring}.erf"));
        let Some((mut direct, progress)) = direct(&path, ring, Sync::Never) else { return };
        let records: Vec<Vec<u8>> = (0..12_000).map(|n| record(n, 60 + (n as usize * 104) % 1400)).collect();
        let mut stream = Stream::of(records.concat());
        let (mut start, mut number, mut before) = (0, 0, Vec::new());
        // Few that are copied, many that are not, and the other way round; one after another, and several on their way at once.
        for (turn, count) in [500, 3, 700, 800, 20, 1, 900, 1000, 1100, 5, 400, 1000].into_iter().cycle().enumerate() {
            let of_turn = &records[number..records.len().min(number + count)];
            if of_turn.is_empty() {
                break;
            }
            let end = start + of_turn.concat().len();
            let chunk = stream.chunk(start, end, of_turn.len() as u64);
            direct.write(&chunk).unwrap();
            number += of_turn.len();
            let is_straight = chunk.straight().is_some();
            drop(chunk);
            if turn % 3 == 0 {
                direct.settle().unwrap();
                assert_eq!((stream.released(end), direct.packets()), (end as u64, number as u64));
                let now = fs::read(&path).unwrap();
                assert!(now.len().is_multiple_of(direct.block) && now.starts_with(&before), "{} bytes", now.len());
                let in_file = packets(&now);
                assert_eq!(in_file.len(), number);
                assert_eq!(progress.snapshot().written_bytes, now.len() as u64);
                if is_straight {
                    // Where a block begins in memory, one begins in the file.
                    let (first, there) =
                        (in_file[number - of_turn.len()].as_ptr().addr(), stream.memory.as_ptr().addr() + start);
                    let at = first - now.as_ptr().addr();
                    assert_eq!(at % direct.block, there % direct.block, "turn {turn}");
                }
                before = now;
            }
            start = end;
        }
        assert_eq!(number, records.len());
        let most = 3 * direct.block * stream.sent as usize;
        let (len, _) = direct.finish(None).unwrap();
        let file = fs::read(&path).unwrap();
        assert_eq!((file.len() as u64, stream.released(start)), (len, start as u64));
        assert!(packets(&file) == records);
        let stamps: Vec<Timestamp> = Records::new(&file).map(|record| record.unwrap().timestamp()).collect();
        assert!(stamps.is_sorted(), "filler bears the stamp of what is in front of it");
        // Filler for the first and the last block of each, and what is between is not copied.
        let filler = file.len() - stream.memory.len();
        assert!(filler < most, "{filler} bytes of filler");
    }
}

#[test]
fn records_are_copied_where_the_system_does_not_write_from_their_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wire.erf");
    let Some((mut direct, _)) = direct(&path, true, Sync::Never) else { return };
    direct.straight = Some(false);
    let records: Vec<Vec<u8>> = (0..1000).map(|n| record(n, 1000)).collect();
    let mut stream = Stream::of(records.concat());
    let chunk = stream.chunk(0, stream.memory.len(), 1000);
    assert!(chunk.straight().is_some());
    direct.write(&chunk).unwrap();
    assert_eq!(stream.released(stream.memory.len()), 0, "the chunk is here");
    drop(chunk);
    assert_eq!(stream.released(1), 1, "nobody reads there any more");
    direct.finish(None).unwrap();
    assert!(packets(&fs::read(&path).unwrap()) == records);
}

#[test]
fn little_and_much_of_the_memory_are_copied() {
    let mut stream = Stream::of(vec![0; 4 << 20]);
    for (len, is_straight) in
        [(1000, false), (CHUNK / 4 - 8, false), (CHUNK / 4, true), (2 << 20, true), (3 << 20, false)]
    {
        assert_eq!(stream.chunk(0, len, 1).straight().is_some(), is_straight, "{len} bytes of 32 MiB");
    }
}

#[test]
fn a_long_chunk_that_has_to_be_copied_goes_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.erf");
    let Some((mut direct, progress)) = direct(&path, true, Sync::Never) else { return };
    let records: Vec<Vec<u8>> = (0..6000).map(|n| record(n, 60 + (n as usize * 104) % 1400)).collect();
    let bytes = records.concat();
    assert!(bytes.len() > 4 * CHUNK, "{}", bytes.len());
    let mut chunk = Chunk::of_turn(Turn::End(None), 0);
    (chunk.bytes, chunk.turn, chunk.packets) = (Bytes::Owned(bytes), None, 6000);
    chunk.stamp = Record::parse(&records[5999]).unwrap().timestamp();
    direct.write(&chunk).unwrap();
    direct.finish(None).unwrap();
    let file = fs::read(&path).unwrap();
    assert!(packets(&file) == records);
    assert_eq!(progress.snapshot().written, 6000);
    let stamps: Vec<Timestamp> = Records::new(&file).map(|record| record.unwrap().timestamp()).collect();
    assert!(stamps.is_sorted(), "filler bears the stamp of what is in front of it");
}

#[test]
fn chunks_are_longer_where_memory_is_large_enough() {
    let mut stream = Stream::of(vec![0; 8 << 20]);
    let lengths = [1, 16, 32, 65, 1 << 20].map(|mib: u64| straight_len(mib << 20));
    assert_eq!(lengths, [CHUNK, CHUNK, (2 << 20) - MAX_RECORD_LEN, 4 << 20, 4 << 20]);
    let longest = lengths[2] + MAX_RECORD_LEN - 1;
    assert!(
        stream.chunk(0, longest, 1).straight().is_some(),
        "with the rest of a record it is not too long for 32 MiB"
    );
}

#[test]
fn filler_is_none_or_long_enough_for_a_record() {
    for (len, want) in [(0, 0), (4096, 0), (8192, 0), (4080, 16), (4088, 4104), (4095, 4097), (1, 4095), (8176, 16)] {
        assert_eq!(filler(len, 4096), want, "behind {len} bytes");
    }
    assert_eq!(filler(4096 + 8, 8192), 4088);
}

#[test]
fn where_it_cannot_be_the_output_is_left_alone() {
    let output = Output::create("/dev/null", OutputOptions::new()).unwrap();
    assert_eq!(Place::of(&output).unwrap_err(), "it is no file opened by its name");
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        let dir = tempfile::tempdir_in(memory).unwrap();
        let path = dir.path().join("wire.erf");
        fs::write(&path, "old").unwrap();
        let output = Output::create(&path, OutputOptions::new().force(true)).unwrap();
        assert_eq!(Place::of(&output).unwrap_err(), "the file system is in memory");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }
}
