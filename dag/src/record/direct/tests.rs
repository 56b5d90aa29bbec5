use std::fs;
use std::path::Path;

use erf::session::Account;
use erf::writer::OutputOptions;
use erf::{Record, Records};

use super::*;

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
            direct.write(record, 1, Timestamp::from_raw(n as u64)).unwrap();
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
            direct.write(chunk, 1000, Timestamp::from_raw(n as u64)).unwrap();
            if n == 20 {
                direct.flush().unwrap();
                direct.sync().unwrap();
            }
        }
        direct.settle().unwrap();
        assert_eq!(progress.snapshot().synced, 21_000, "what came before the order, and nothing behind it");
        let ended = Timestamp::from_parts(1_700_100_000, 0);
        let (len, _) = direct.finish(Some(Closing::new(ended, ended, Account::default()))).unwrap();
        assert_eq!(progress.snapshot().synced, 40_000);
        let file = fs::read(&path).unwrap();
        assert_eq!(file.len() as u64, len);
        assert_eq!(packets(&file).concat(), chunks.concat());
        let last = Records::new(&file).last().unwrap().unwrap();
        assert_eq!(Closing::from_record(&last).expect("no filler behind it").account.bytes_written, len);
    }
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
