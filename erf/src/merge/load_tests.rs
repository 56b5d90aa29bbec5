//! What a thread loads ahead.

use std::io::{Cursor, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use erf_core::{RecordBuilder, RecordType, Records, Timestamp};

use super::*;
use crate::FileFormat;
use crate::input::Source;

/// Records of 32 bytes: 8192 of them are a block.
const LEN: usize = 32;
const BLOCK: u64 = 8192;

fn record(kind: RecordType, stamp: u64) -> Vec<u8> {
    let payload = stamp.to_be_bytes();
    let record = RecordBuilder::new(kind).timestamp(Timestamp::from_raw(stamp)).payload(&payload);
    let mut record = record.to_vec().unwrap();
    record.resize(LEN, 0);
    record[11] = LEN as u8;
    record
}

/// Some blocks of records whose stamps are `step` apart, with filler, descriptions, what has no length on the wire, and damage in the midst
/// of it.
fn blocks(step: u64) -> Vec<u8> {
    let record = |n: u64| match n % 101 {
        7 => record(RecordType::PAD, 0),
        13 => record(RecordType::META, n * step),
        29 => {
            let mut odd = record(RecordType::ETH, n * step);
            odd[14..16].fill(0);
            odd
        }
        47 => {
            // Extension headers without an end.
            let mut damaged = record(RecordType::ETH, n * step);
            damaged[8] |= 0x80;
            damaged[16..].fill(0x80);
            damaged
        }
        _ => record(RecordType::ETH, n * step),
    };
    (0..3 * BLOCK + 100).flat_map(record).collect()
}

fn builder() -> crate::ReaderBuilder {
    Reader::builder().force_format(FileFormat::Erf)
}

fn stream(bytes: &[u8]) -> Input {
    let bytes = bytes.to_vec();
    Input::new(move || builder().open(Source::from_read(Cursor::new(bytes))))
}

fn file(bytes: &[u8]) -> (Input, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let path = file.path().to_owned();
    (Input::new(move || builder().open(path)), file)
}

/// Everything that a merge says.
struct All {
    out: Vec<u8>,
    /// Those of each input in their order, as blocks of a stream may be others.
    told: Vec<(usize, Defect)>,
    reports: Vec<(u64, Disorder)>,
}

fn all(merge: Merge) -> All {
    let (mut out, mut told) = (Vec::new(), Vec::new());
    let reports = merge.run(&mut |input, defect| told.push((input, *defect)), &mut |run, _| {
        out.extend_from_slice(run);
        Ok(())
    });
    told.sort_by_key(|(input, _)| *input);
    let reports = reports.unwrap().iter().map(|report| (report.records, report.disorder)).collect();
    All { out, told, reports }
}

#[test]
fn what_is_loaded_ahead_is_what_is_loaded_when_its_turn_comes() {
    let contents = [blocks(5), blocks(7), blocks(3)];
    let shift = || Correction::new(TimeDelta::from_raw(1000));
    for window in [None, Some(TimeDelta::from_raw(50))] {
        let merge = || window.into_iter().fold(Merge::new(), Merge::window);
        let files = contents.each_ref().map(|bytes| file(bytes));
        let (mut ahead, mut alone) = (merge(), merge());
        let mut kept = Vec::new();
        for (n, (input, file)) in files.into_iter().enumerate() {
            kept.push(file);
            let correction = if n == 1 { shift() } else { Correction::default() };
            ahead = ahead.input(input.correct(correction));
            alone = alone.input(stream(&contents[n]).correct(correction));
        }
        let (ahead, alone) = (all(ahead), all(alone));
        assert!(ahead.out == alone.out, "other records");
        assert_eq!(ahead.told, alone.told);
        assert_eq!(ahead.reports, alone.reports);
        assert!(alone.told.len() > 1000 && alone.out.len() > 2 << 20);
    }
}

#[test]
fn filler_at_the_start_of_a_block_stays_behind_what_was_before_it() {
    let mut bytes: Vec<u8> = (0..BLOCK).flat_map(|n| record(RecordType::ETH, 1000 + 10 * n)).collect();
    bytes.extend(record(RecordType::PAD, 0));
    bytes.extend(record(RecordType::ETH, 1000 + 10 * BLOCK));
    let other = record(RecordType::ETH, 1105);
    for by in [0, 50, -50] {
        // A stream may have other blocks.
        let (input, _file) = file(&bytes);
        let input = input.correct(Correction::new(TimeDelta::from_raw(by)));
        let All { out, reports, .. } = all(Merge::new().input(input).input(stream(&other)));
        let records: Vec<_> = Records::new(&out).map(Result::unwrap).collect();
        assert!(records[BLOCK as usize + 1].is_pad(), "moved by {by}");
        assert_eq!(reports[0].1, Disorder::default(), "moved by {by}");
    }
}

#[test]
fn who_refuses_ends_the_merge_also_of_what_is_loaded_ahead() {
    let (one, _one) = file(&blocks(5));
    let (other, _other) = file(&blocks(7));
    let mut taken = 0;
    let refused = Merge::new().input(one).input(other).run(&mut |_, _| {}, &mut |run, _| {
        taken += run.len();
        if taken > 300_000 { Err(Error::new(crate::ErrorKind::Write, "full")) } else { Ok(()) }
    });
    assert_eq!(refused.unwrap_err().kind(), crate::ErrorKind::Write);
}

/// One that waits for its writer does not keep the others from being read.
#[test]
fn nobody_waits_for_a_pipe_whose_turn_has_not_come() {
    let (mut slow, slow_end) = UnixStream::pair().unwrap();
    let (mut quick, quick_end) = UnixStream::pair().unwrap();
    let (seen, heard) = mpsc::channel();
    let input = |end: UnixStream| Input::new(move || builder().open(Source::from_read(end)));
    let writers = thread::spawn(move || {
        slow.write_all(&[record(RecordType::ETH, 1), record(RecordType::ETH, 1 << 40)].concat()).unwrap();
        quick.write_all(&record(RecordType::ETH, 2)).unwrap();
        let more: Vec<u8> = (10..5000).flat_map(|n| record(RecordType::ETH, n)).collect();
        quick.write_all(&more).unwrap();
        // Only when some of that has come out does the slow one go on.
        heard.recv_timeout(Duration::from_secs(60)).is_ok()
    });
    Merge::new()
        .input(input(slow_end))
        .input(input(quick_end))
        .run(&mut |_, _| {}, &mut |_, _| {
            let _ = seen.send(());
            Ok(())
        })
        .unwrap();
    assert!(writers.join().unwrap(), "nothing came out before the slow one had ended");
}
