//! The writer as a whole, over sinks that misbehave, real full disks, real pipes and real kills.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use erf_core::{DefectKind, Record, RecordBuilder, RecordType, Records, Timestamp};
use house_skip::skip;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{ErfWriter, Output, OutputOptions, Unwritten};
use crate::{Error, ErrorKind};

fn record(record_type: RecordType, fill: u8, payload: usize) -> Vec<u8> {
    let mut buf = vec![0; payload + 64];
    let payload = vec![fill; payload];
    // A stamp of 0 that is torn behind it would be the zeros of a preallocated file.
    let stamp = Timestamp::from_parts(1_700_000_000, 1);
    let len = RecordBuilder::new(record_type).timestamp(stamp).payload(&payload).write_to(&mut buf).unwrap();
    buf.truncate(len);
    buf
}

fn packets(count: usize) -> Vec<u8> {
    (0..count).flat_map(|n| record(RecordType::ETH, n as u8, 60 + n % 7 * 100)).collect()
}

/// Takes at most `room` bytes, a few at a time as `steps` says, then fails with `kind`.
#[derive(Debug)]
struct Fussy {
    taken: Vec<u8>,
    writes: Vec<usize>,
    steps: VecDeque<usize>,
    room: usize,
    kind: io::ErrorKind,
    cut_to: Option<u64>,
}

impl Fussy {
    fn new(room: usize, steps: impl IntoIterator<Item = usize>) -> Self {
        let steps = steps.into_iter().collect();
        Self { taken: Vec::new(), writes: Vec::new(), steps, room, kind: io::ErrorKind::StorageFull, cut_to: None }
    }
}

impl Write for Fussy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let step = match self.steps.pop_front() {
            Some(0) => return Err(io::ErrorKind::Interrupted.into()),
            Some(step) => step,
            None => usize::MAX,
        };
        let n = bytes.len().min(step).min(self.room - self.taken.len());
        if n == 0 {
            return Err(self.kind.into());
        }
        self.taken.extend(&bytes[..n]);
        self.writes.push(bytes.len());
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_goes_in_comes_out() {
    let file = packets(1000);
    let mut writer = ErfWriter::new(Vec::new());
    for record in Records::new(&file) {
        writer.write_record(&record.unwrap()).unwrap();
    }
    assert_eq!(writer.records_written(), 1000);
    assert_eq!(writer.bytes_written(), file.len() as u64);
    assert!(writer.finish().unwrap() == file);
}

#[test]
fn every_piece_given_to_the_sink_is_whole_records() {
    let file = packets(3000);
    let mut writer = ErfWriter::with_capacity(0, Fussy::new(usize::MAX, []));
    for record in Records::new(&file) {
        writer.write_record(&record.unwrap()).unwrap();
    }
    let sink = writer.finish().unwrap();
    assert!(sink.writes.len() > 10, "{} pieces", sink.writes.len());
    let mut rest = file.as_slice();
    for len in sink.writes {
        let (piece, next) = rest.split_at(len);
        assert!(Records::new(piece).all(|record| record.is_ok()), "a piece of {len} bytes");
        rest = next;
    }
}

#[test]
fn short_writes_are_continued_and_interrupted_ones_repeated() {
    let file = packets(100);
    let mut writer = ErfWriter::new(Fussy::new(usize::MAX, [1, 0, 7, 0, 0, 100, 3]));
    assert_eq!(writer.write_records(&file).unwrap(), 100);
    assert!(writer.finish().unwrap().taken == file);
}

#[test]
fn a_large_run_is_not_gathered_and_keeps_its_place() {
    let (small, large) = (packets(3), packets(2000));
    let mut writer = ErfWriter::with_capacity(65_536, Fussy::new(usize::MAX, []));
    writer.write_run(&small, 3).unwrap();
    writer.write_run(&large, 2000).unwrap();
    writer.write_run(&small, 3).unwrap();
    let sink = writer.finish().unwrap();
    assert_eq!(sink.writes, [small.len(), large.len(), small.len()]);
    assert!(sink.taken == [&small[..], &large, &small].concat());
}

#[test]
fn bytes_that_are_not_whole_records_are_refused_and_the_writer_goes_on() {
    let good = packets(2);
    let mut writer = ErfWriter::new(Vec::new());
    let error = writer.write_records(&good[..good.len() - 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("nothing was written"), "{error}");
    assert!(writer.write_records(&[0; 64]).is_err(), "a zero tail is no record");
    writer.write_records(&good).unwrap();
    assert_eq!(writer.unwritten(), Unwritten::default());
    assert!(writer.finish().unwrap() == good);
}

#[test]
fn the_first_failure_is_final_and_tells_what_stands() {
    let one = record(RecordType::ETH, 1, 60);
    let mut writer = ErfWriter::new(Fussy::new(one.len() * 2 + 5, []));
    writer.write_run(&one.repeat(3), 3).unwrap();
    writer.write_run(&record(RecordType::META, 0, 40), 1).unwrap();
    assert_eq!(writer.records_written(), 4, "all are gathered");
    let error = writer.flush().unwrap_err();
    assert!(error.is_disk_full() && !error.is_closed_pipe());
    let said = error.to_string();
    assert!(
        said.starts_with("no room to write after 2 whole records (160 bytes) and 5 bytes of a torn one;"),
        "{said}"
    );
    assert_eq!((writer.whole_len(), writer.bytes_written(), writer.records_written()), (160, 160, 2));
    assert_eq!(writer.unwritten(), Unwritten { records: 2, packets: 1, bytes: 80 + 56 });
    let error = writer.write_run(&one, 1).unwrap_err();
    assert!(error.to_string().contains("an earlier write failed after 2 whole records"), "{error}");
    assert_eq!(writer.unwritten().packets, 2, "what is offered later counts too");
    assert!(writer.flush().is_err());
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Write);
}

#[test]
fn a_sink_that_takes_nothing_or_claims_too_much_is_an_error_not_a_loop() {
    struct Liar(usize);
    impl Write for Liar {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Ok(self.0)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for answer in [0, usize::MAX] {
        let mut writer = ErfWriter::new(Liar(answer));
        writer.write_run(&packets(1), 1).unwrap();
        assert_eq!(writer.flush().unwrap_err().kind(), ErrorKind::Write);
        assert_eq!(writer.whole_len(), 0);
    }
}

#[test]
fn dropping_writes_what_was_gathered() {
    let file = packets(5);
    let mut taken = Vec::new();
    let mut writer = ErfWriter::new(&mut taken);
    writer.write_run(&file, 5).unwrap();
    drop(writer);
    assert!(taken == file);
}

proptest! {
    /// Wherever a sink stops: what it says it kept is exactly the whole records before that byte, and offered = kept + unwritten.
    #[test]
    fn after_any_failure_the_books_balance(
        records in vec((0u8..3, 0usize..3000), 1..120),
        room in 0usize..200_000,
        steps in vec(0usize..5000, 0..20),
        runs in vec(1usize..40, 1..20),
    ) {
        let records: Vec<_> = records
            .into_iter()
            .map(|(kind, len)| record([RecordType::ETH, RecordType::META, RecordType::PAD][usize::from(kind)], kind, len))
            .collect();
        let file = records.concat();
        let ends: Vec<u64> = records.iter().scan(0, |end, r| { *end += r.len() as u64; Some(*end) }).collect();
        let mut sink = Fussy::new(room, steps);
        let mut writer = ErfWriter::assemble(0, &mut sink, None, |sink, len| {
            sink.cut_to = Some(len);
            sink.taken.truncate(len as usize);
            Ok(true)
        });
        let mut rest = records.as_slice();
        for run in runs.into_iter().cycle() {
            let (now, later) = rest.split_at(run.min(rest.len()));
            let _ = writer.write_run(&now.concat(), now.len() as u64);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let failed = writer.flush().is_err();
        let (whole, kept, unwritten) = (writer.whole_len(), writer.records_written(), writer.unwritten());
        drop(writer);
        prop_assert_eq!(failed, file.len() > room);
        prop_assert_eq!(sink.taken.len() as u64, whole);
        prop_assert!(file.starts_with(&sink.taken));
        prop_assert_eq!(kept, ends.iter().filter(|&&end| end <= whole).count() as u64);
        prop_assert_eq!(kept + unwritten.records, records.len() as u64);
        prop_assert_eq!(whole + unwritten.bytes, file.len() as u64);
        let lost = Records::new(&file[whole as usize..]).filter(|r| r.as_ref().unwrap().is_packet()).count();
        prop_assert_eq!(unwritten.packets, lost as u64);
        if failed {
            prop_assert_eq!(sink.cut_to, Some(whole));
            prop_assert_eq!(ends.iter().filter(|&&end| end <= room as u64).max().copied().unwrap_or(0), whole);
        }
    }
}

// Output

fn create(path: &Path) -> Result<Output, Error> {
    Output::create(path, OutputOptions::new())
}

#[test]
fn an_existing_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.erf");
    fs::write(&path, "precious").unwrap();
    let error = create(&path).unwrap_err();
    assert!(error.is_already_exists());
    assert_eq!(error.kind(), ErrorKind::Open);
    assert_eq!(error.file(), path.to_str());
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn force_empties_the_old_file_at_the_first_write_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.erf");
    let force = OutputOptions::new().force(true);
    fs::write(&path, vec![7; 5000]).unwrap();
    drop(ErfWriter::for_output(Output::create(&path, force).unwrap()));
    assert_eq!(fs::read(&path).unwrap(), [7; 5000], "never written");

    let file = packets(2);
    let mut writer = ErfWriter::for_output(Output::create(&path, force).unwrap());
    writer.write_run(&file, 2).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [7; 5000], "still gathered");
    writer.finish().unwrap().sync().unwrap();
    assert!(fs::read(&path).unwrap() == file);

    ErfWriter::for_output(Output::create(&path, force).unwrap()).finish().unwrap();
    assert!(fs::read(&path).unwrap().is_empty(), "a finished recording without records is an empty file");
    let new = dir.path().join("new.erf");
    ErfWriter::for_output(Output::create(&new, force).unwrap()).finish().unwrap();
    assert!(new.exists());
}

#[test]
fn a_new_file_that_was_never_used_is_removed_and_a_stranger_in_its_place_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.erf");
    let output = create(&path).unwrap();
    assert!(path.exists(), "made at once, so that trouble shows before the capture");
    drop(output);
    assert!(!path.exists());

    let output = create(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    // Keep the number of the first file from being used again: that one is still open.
    drop(output);
    assert_eq!(path.exists(), cfg!(unix));

    let path = dir.path().join("b.erf");
    create(&path).unwrap().flush().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn directories_and_missing_ones_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    for options in [OutputOptions::new(), OutputOptions::new().force(true)] {
        let error = Output::create(dir.path(), options).unwrap_err();
        assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::IsADirectory);
        assert!(!error.is_already_exists());
        let error = Output::create(dir.path().join("none/a.erf"), options).unwrap_err();
        assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::NotFound);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_nothing_is_followed_only_by_force() {
    let dir = tempfile::tempdir().unwrap();
    let (link, target) = (dir.path().join("link"), dir.path().join("target"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert!(create(&link).unwrap_err().is_already_exists());
    let mut output = Output::create(&link, OutputOptions::new().force(true)).unwrap();
    output.write_all(b"x").unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"x");
}

#[cfg(target_os = "linux")]
#[test]
fn devices_that_hold_nothing_need_no_force() {
    let file = packets(3);
    let mut writer = ErfWriter::for_output(create(Path::new("/dev/null")).unwrap());
    writer.write_run(&file, 3).unwrap();
    writer.finish().unwrap().sync().unwrap();

    let mut writer = ErfWriter::for_output(create(Path::new("/dev/full")).unwrap());
    writer.write_run(&file, 3).unwrap();
    let error = writer.flush().unwrap_err();
    assert!(error.is_disk_full());
    let said = error.to_string();
    assert!(said.starts_with("/dev/full: no room to write after 0 whole records (0 bytes); free some space"), "{said}");
    assert_eq!(writer.unwritten().packets, 3);
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_refused() {
    // `script` gives its child a terminal as standard output.
    let test = "writer::tests::child_opens_stdout";
    let Some(line) = child_line(test) else { return skip("the test program has no path in UTF-8") };
    let Ok(run) = Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output() else {
        return skip("no program `script`");
    };
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(said.contains("standard output: is a terminal"), "{said}");
}

#[test]
#[ignore = "run by a_terminal_is_refused"]
fn child_opens_stdout() {
    match Output::create("-", OutputOptions::new()) {
        Ok(_) => eprintln!("opened"),
        Err(error) => eprintln!("{error}"),
    }
}

/// A shell command that runs one ignored test of this program.
#[cfg(unix)]
fn child_line(test: &str) -> Option<String> {
    let program = std::env::current_exe().ok()?;
    Some(format!("'{}' --exact {test} --ignored --nocapture", program.to_str()?))
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_a_valid_file() {
    let dir = tempfile::tempdir().unwrap();
    // A file system of 100 KiB, seen only by the child: namespaces of its own.
    let Some(line) = child_line("writer::tests::child_fills_the_disk") else {
        return skip("the test program has no path in UTF-8");
    };
    let mount = "mount -t tmpfs -o size=100k tmpfs \"$DIR\" || { echo no-mount; exit 0; }";
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &format!("{mount}; {line}")])
        .env("DIR", dir.path())
        .output();
    let Ok(run) = run else { return skip("no program `unshare`") };
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    if said.contains("no-mount") || !said.contains("running 1 test") {
        return skip("cannot mount in a namespace");
    }
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
#[ignore = "run by a_full_disk_leaves_a_valid_file"]
fn child_fills_the_disk() {
    let Some(dir) = std::env::var_os("DIR") else { return };
    let path = Path::new(&dir).join("full.erf");
    let file = packets(2000);
    let mut writer = ErfWriter::for_output(create(&path).unwrap());
    let mut offered = 0;
    let error = loop {
        let record = Records::new(&file).nth(offered % 2000).unwrap().unwrap();
        offered += 1;
        if let Err(error) = writer.write_record(&record) {
            break error;
        }
    };
    assert!(error.is_disk_full(), "{error}");
    let written = fs::read(&path).unwrap();
    assert_eq!(written.len() as u64, writer.whole_len());
    assert!(!written.is_empty() && written.len() <= 100 << 10);
    assert!(file.starts_with(&written));
    assert!(Records::new(&written).all(|record| record.is_ok()));
    assert_eq!(Records::new(&written).filter(Result::is_ok).count() as u64, writer.records_written());
    assert_eq!(writer.records_written() + writer.unwritten().packets, offered as u64);
    let said = error.to_string();
    assert!(said.contains("full.erf: no room to write after ") && !said.contains("torn"), "{said}");
}

#[test]
fn a_pipe_whose_reader_has_gone_is_told_apart() {
    let (mut reader, pipe) = io::pipe().unwrap();
    let file = packets(10_000);
    let taking = std::thread::spawn(move || reader.read_exact(&mut [0; 1000]));
    let mut writer = ErfWriter::new(pipe);
    let error = Records::new(&file).find_map(|record| writer.write_record(&record.unwrap()).err()).unwrap();
    taking.join().unwrap().unwrap();
    assert!(error.is_closed_pipe(), "{error}");
    assert!(error.to_string().starts_with("the reader of the pipe has gone after "), "{error}");
    assert!(writer.whole_len() >= 1000 - 700, "the reader had 1000 bytes");
    let kept = &file[..writer.whole_len() as usize];
    assert_eq!(Records::new(kept).filter(Result::is_ok).count() as u64, writer.records_written());
}

/// Kill -9 flat out: everything before the last write is whole, and at most one record is torn, at the end.
#[cfg(unix)]
#[test]
fn a_killed_writer_leaves_whole_records() {
    let program = std::env::current_exe().unwrap();
    let dir = tempfile::tempdir().unwrap();
    // Wherever it is cut, which is at a page: so that no round passes by luck.
    let three = packets(3);
    for cut in (0..three.len()).filter(|cut| cut % 8 == 0) {
        let torn = Records::new(&three[..cut]).filter_map(Result::err);
        torn.for_each(|defect| assert!(defect.kind.is_torn(), "cut at {cut}: {defect}"));
    }
    for round in 0..8 {
        let path = dir.path().join(format!("{round}.erf"));
        let mut child = Command::new(&program)
            .args(["--exact", "writer::tests::child_writes_flat_out", "--ignored", "--nocapture"])
            .env("OUT", &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while fs::metadata(&path).map_or(0, |metadata| metadata.len()) < 4 << 20 {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let written = fs::read(&path).unwrap();
        let mut whole = 0;
        for record in Records::new(&written) {
            match record {
                Ok(_) if whole == usize::MAX => panic!("a record behind a defect"),
                Ok(record) => whole += record.bytes().len(),
                Err(defect) => {
                    assert!(defect.kind.is_torn(), "{defect}");
                    assert_eq!(defect.offset, whole as u64);
                    whole = usize::MAX;
                }
            }
        }
        assert!(whole >= 4 << 20);
    }
}

#[test]
#[ignore = "run by a_killed_writer_leaves_whole_records"]
fn child_writes_flat_out() {
    let Some(path) = std::env::var_os("OUT") else { return };
    let file = packets(1000);
    let mut writer = ErfWriter::for_output(create(Path::new(&path)).unwrap());
    // 4 GB and no more, should nobody kill it.
    for _ in 0..10_000 {
        for record in Records::new(&file) {
            writer.write_record(&record.unwrap()).unwrap();
        }
    }
}

#[test]
fn records_of_every_type_pass_unchanged() {
    for number in 0..=127u8 {
        let bytes = record(RecordType::new(number), number, 40);
        let Ok(parsed) = Record::parse(&bytes) else { continue };
        let mut writer = ErfWriter::new(Vec::new());
        writer.write_record(&parsed).unwrap();
        assert!(writer.finish().unwrap() == bytes, "type {number}");
    }
    let empty = Record::parse(&[0; 16]).unwrap_err();
    assert!(matches!(empty, DefectKind::RecordLength { .. }));
}
