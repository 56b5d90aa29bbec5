//! A recording that goes on and on, to a disk that holds its rate: every packet is in its files in order, they are valid, the account is
//! exact, and neither memory nor what is open grows.
//!
//! Some seconds; as many as `DAG_SOAK` says, at `DAG_SOAK_RATE`, for the long form. Files are read and removed as they come.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dag::emu::synthetic::packet_number;
use erf::Reader;
use erf::session::{EndWatch, Ending, StoppedBy};
use house_tests::run::{Running, dagcap, number, start};
use serde_json::Value;

/// By how much memory may grow once it has settled, in KiB.
const GROWTH: u64 = 4 * 1024;

/// So many files have been completed once it has.
const SETTLED: u64 = 5;

/// There are so many files at least: what a file leaves behind is told from what differs between one look and the next by what many leave.
const FILES: u64 = 20;

/// A setting of the long form.
fn setting(name: &str, short: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| short.to_owned())
}

/// What the files held so far.
#[derive(Default)]
struct Held {
    files: u64,
    packets: u64,
    bytes: u64,
    /// Records lost, as loss counters tell.
    lost: u64,
    /// The number of the packet that comes next.
    next: u64,
}

impl Held {
    /// Reads a file of the recording, which follows the one before, and removes it.
    fn take(&mut self, file: &Path, is_last: bool) {
        let mut reader = Reader::open_path(file).unwrap_or_else(|error| panic!("{error}"));
        let mut watch = EndWatch::new();
        let before = self.packets;
        let read = reader.for_each(|item| {
            let record = item.unwrap_or_else(|defect| panic!("{}: {defect}", file.display()));
            watch.observe(&record);
            if !record.is_packet() {
                return;
            }
            let lost = u64::from(record.lctr_raw());
            match packet_number(record.payload()) {
                // A burst is one packet many times.
                Some(number) if number + 1 == self.next && lost == 0 => {}
                Some(number) => {
                    assert_eq!(number, self.next + lost, "{}: {lost} lost before this one", file.display());
                    self.next = number + 1;
                }
                // Cut before its number.
                None => self.next += lost + 1,
            }
            self.lost += lost;
            self.packets += 1;
        });
        read.unwrap_or_else(|error| panic!("{error}"));
        let Ending::Closed(account) = watch.ending() else { panic!("{}: no closing record", file.display()) };
        assert_eq!(account.delivered, self.packets - before, "{}", file.display());
        assert_eq!(account.stopped_by == StoppedBy::Rotation, !is_last, "{}", file.display());
        let bytes = file.metadata().unwrap().len();
        assert_eq!(account.bytes_written, bytes, "{}", file.display());
        self.bytes += bytes;
        self.files += 1;
        fs::remove_file(file).unwrap();
    }
}

/// Memory of its own in KiB, and how many files are open.
fn held_by(running: &Running) -> Option<(u64, usize)> {
    let status = fs::read_to_string(format!("/proc/{}/status", running.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let memory = line.split_whitespace().next()?.parse().ok()?;
    Some((memory, fs::read_dir(format!("/proc/{}/fd", running.id())).ok()?.count()))
}

#[test]
fn a_long_recording_is_whole_and_does_not_grow() {
    let seconds = setting("DAG_SOAK", "10");
    let rate = setting("DAG_SOAK_RATE", "20kpps");
    let millis = seconds.parse::<u64>().expect("DAG_SOAK is a number of seconds") * 1000;
    let every = format!("{}ms", (millis / FILES).min(2000));
    let dir = tempfile::tempdir().unwrap();
    let device = format!(
        "emu:synthetic=imix,rate={rate},memory=256MiB,faults=rx-error+ds-error+truncate+pad+meta+disorder+burst:1/1000000"
    );
    let mut running = start(
        dagcap()
            .args([
                "--device",
                &device,
                "--duration",
                &format!("{seconds}s"),
                "--rotate-every",
                &every,
                "--json",
                "--quiet",
            ])
            .arg("--out")
            .arg(dir.path().join("wire-{n}.erf")),
    );
    let mut held = Held::default();
    let mut settled: Option<(u64, usize)> = None;
    let (mut most, mut most_open) = (0, 0);
    let name = |n: u64| dir.path().join(format!("wire-{n:05}.erf"));
    let begun = |n: u64| name(n).exists() || dir.path().join(format!("wire-{n:05}.erf.part")).exists();
    while !running.has_ended() {
        std::thread::sleep(Duration::from_millis(20));
        // Where the next one has begun, this one is not the last.
        if !(name(held.files).exists() && begun(held.files + 1)) {
            continue;
        }
        held.take(&name(held.files), false);
        if let Some((memory, open)) = held_by(&running) {
            most = memory.max(most);
            most_open = open.max(most_open);
            if held.files <= SETTLED {
                settled = Some((most, most_open));
            }
        }
        if held.files % 60 == 0 {
            eprintln!("{} files, {} packets, {most} KiB, {most_open} files open", held.files, held.packets);
        }
    }
    let account: Value = running.wait().exits(0).json();
    while name(held.files).exists() {
        let is_last = !name(held.files + 1).exists();
        held.take(&name(held.files), is_last);
    }
    eprintln!("{account}");
    let (memory, open) = settled.expect("files have been completed while it ran");
    assert!(held.files >= FILES - 1, "{} files", held.files);
    eprintln!(
        "{} files, {} packets, {} bytes; memory {memory} to {most} KiB, {open} to {most_open} files open",
        held.files, held.packets, held.bytes
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing but complete files");
    assert_eq!(number(&account, "delivered"), held.packets);
    assert_eq!(number(&account, "bytes_written"), held.bytes);
    assert_eq!(number(&account, "lost_card"), held.lost);
    assert_eq!(held.lost, 0, "the disk holds {rate}");
    assert!(most <= memory + GROWTH, "memory grew from {memory} to {most} KiB");
    assert!(most_open <= open + 2, "{open} files were open, and {most_open}");
}
