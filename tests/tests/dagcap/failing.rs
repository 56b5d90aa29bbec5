//! Devices that fail, are full, stall or are slow: what could be written is whole, and the account says what became of the rest.

use std::fs;
use std::path::Path;
use std::process::Command;

use erf::session::Ending;
use house_tests::faulty::{Fault, FaultyDisk, with_faulty_disk};
use house_tests::run::{Ran, Running, dagcap, erf, number, run, start};
use house_tests::sandbox::{has_io_uring, without_io_uring};
use house_tests::seen::Seen;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::disk::is_direct;

/// How a recording comes to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Through the page cache of the recording's system.
    Buffered,
    /// Past it, several appends at once.
    Ring,
    /// Past it, one append after another, as io_uring is refused.
    Thread,
}

/// Each way, on a disk that the kernel may cache and on one that it may not.
fn on_each(test: impl Fn(&FaultyDisk, Way) + Sync) {
    for direct in [false, true] {
        for way in [Way::Buffered, Way::Ring, Way::Thread] {
            with_faulty_disk(direct, |disk| {
                eprintln!("{way:?}, direct: {direct}");
                test(disk, way);
            });
        }
    }
}

impl Way {
    /// `dagcap` with these `options` and a JSON account, writing `wire` on `disk`. It has begun to write.
    fn start(self, disk: &FaultyDisk, options: &str) -> Running {
        let io = if self == Self::Buffered { "buffered" } else { "direct" };
        let mut command: Command = dagcap();
        command.args(options.split_whitespace()).args(["--io", io, "--json", "--out"]).arg(disk.path("wire"));
        let mut running =
            if self == Self::Thread { without_io_uring(|| start(&mut command)) } else { start(&mut command) };
        running.until("it has written", || disk.len("wire") > 0);
        assert_eq!(has_io_uring(running.id()), self == Self::Ring, "{self:?}");
        running
    }
}

/// Waits for the end of `dagcap`, which is to exit with `code`. Gives its account and what it said.
fn end(running: Running, code: i32) -> (Value, Ran) {
    let ran = running.wait().exits(code);
    (ran.json(), ran)
}

/// What is in the file that `disk` has: whole records only, as many as the account says, without a gap that the loss counters do not tell.
fn check(disk: &FaultyDisk, json: &Value) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let copy = disk.copy("wire", folder.path());
    let seen = Seen::in_file(&copy);
    assert!(seen.defects.is_empty(), "{:?}", seen.defects);
    run(erf("check").arg(&copy)).exits(0);
    assert_eq!(seen.packets.len() as u64, number(json, "delivered"), "{json}");
    assert_eq!(copy.metadata().unwrap().len(), number(json, "bytes_written"), "{json}");
    seen
}

/// What an account is once the writer could write no more: packets that came are in the file, or lost by the writer.
fn check_failed(seen: &Seen, json: &Value) {
    assert_eq!(seen.ending, Ending::Open, "a recording that did not end by itself");
    assert_eq!(json["stopped_by"], "error", "{json}");
    assert!(number(json, "lost_writer") > 0, "{json}");
    let (lost, _) = seen.check_sequence();
    assert!(lost <= number(json, "lost_card"), "{lost} lost in the file, {json}");
}

/// The number `name` for Prometheus, as it stands in the file `metrics`; 0 while there is none.
fn value(metrics: &Path, name: &str) -> f64 {
    let text = fs::read_to_string(metrics).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |number| number.parse().unwrap())
}

/// 3 MB a second.
const FEED: &str = "emu:synthetic=1518,rate=2kpps,memory=1MiB";

#[test]
fn a_device_that_fails_ends_the_recording_with_all_that_could_be_written() {
    on_each(|disk, way| {
        // In the middle of a block, of a request, and of an append.
        disk.takes(3_123_457, Fault::Error);
        let running = way.start(disk, "--device emu:synthetic=imix,rate=50kpps");
        let (json, ran) = end(running, 2);
        ran.says("Input/output error");
        let seen = check(disk, &json);
        check_failed(&seen, &json);
        let len = number(&json, "bytes_written");
        assert!((3_123_457 - 65_536..=3_123_457).contains(&len), "{len} bytes of what was taken");
        // Nor is it waited for where a full disk would be.
        disk.is_well();
    });
}

#[test]
fn what_a_device_that_fails_lets_nobody_cut_off_is_told() {
    on_each(|disk, way| {
        disk.takes(1_234_567, Fault::Error);
        disk.cannot_cut();
        let running = way.start(disk, "--device emu:synthetic=1518,rate=10kpps");
        let (json, ran) = end(running, 2);
        let said = ran.says("Input/output error");
        let folder = tempfile::tempdir().unwrap();
        let copy = disk.copy("wire", folder.path());
        let seen = Seen::in_file(&copy);
        let torn = copy.metadata().unwrap().len() - seen.whole;
        assert!(torn > 0 && said.contains(&format!("{torn} bytes of a torn")), "{torn} bytes: {said}");
        assert!(matches!(seen.defects.as_slice(), [defect] if defect.offset == seen.whole), "{:?}", seen.defects);
        assert_eq!(
            (seen.packets.len() as u64, seen.whole),
            (number(&json, "delivered"), number(&json, "bytes_written"))
        );
        check_failed(&seen, &json);
        run(erf("check").arg(&copy)).exits(1);
    });
}

#[test]
fn a_full_device_is_filled_to_the_last_whole_record_on_every_way() {
    on_each(|disk, way| {
        disk.takes(2_345_678, Fault::Full);
        let running = way.start(disk, "--device emu:synthetic=imix,rate=50kpps");
        let (json, ran) = end(running, 2);
        ran.says("No space left on device");
        let seen = check(disk, &json);
        check_failed(&seen, &json);
        let len = number(&json, "bytes_written");
        assert!((2_345_678 - 65_536..=2_345_678).contains(&len), "{len} bytes of what had room");
    });
}

#[test]
fn room_is_waited_for_and_a_device_that_fails_is_not() {
    on_each(|disk, way| {
        let folder = tempfile::tempdir().unwrap();
        let metrics = folder.path().join("dagcap.prom");
        let begin = || {
            // What the recording before has left.
            let _ = fs::remove_file(&metrics);
            let _ = fs::remove_file(disk.path("wire"));
            disk.takes(1_234_567, Fault::Full);
            let options = format!("--device {FEED} --on-full wait --metrics {}", metrics.display());
            let mut running = way.start(disk, &options);
            running.until("it has no room", || value(&metrics, "dagcap_disk_full") == 1.0);
            running
        };
        let mut running = begin();
        disk.is_well();
        running.until("it goes on", || disk.len("wire") > 3_000_000);
        running.signal(Signal::SIGINT);
        let ran = running.wait();
        let json = ran.json();
        assert_eq!((json["stopped_by"].as_str(), number(&json, "lost_writer")), (Some("signal"), 0), "{json}");
        let seen = check(disk, &json);
        let (lost, stuck) = seen.check_sequence();
        assert!(!stuck && lost == number(&json, "lost_card"), "{lost} in the file, {json}");
        assert_eq!(seen.account().delivered, number(&json, "delivered"));

        // Who waits for room is told of another failure at once.
        let running = begin();
        disk.takes(0, Fault::Error);
        let (json, ran) = end(running, 2);
        ran.says("Input/output error");
        check_failed(&check(disk, &json), &json);
    });
}

#[test]
fn a_stall_shows_in_stream_memory_first_and_as_counted_loss_last() {
    on_each(|disk, way| {
        let folder = tempfile::tempdir().unwrap();
        let metrics = folder.path().join("dagcap.prom");
        let mut running = way.start(disk, &format!("--device {FEED} --metrics {}", metrics.display()));
        let stall = disk.stall();
        // It is asked how it goes until it tells of loss.
        running.until_with("packets are lost", |running| {
            running.signal(Signal::SIGUSR1);
            value(&metrics, "dagcap_packets_lost") > 0.0
        });
        let before = disk.len("wire");
        drop(stall);
        // More than what was on its way.
        running.until("it goes on", || disk.len("wire") > before + 12_000_000);
        running.signal(Signal::SIGINT);
        let (json, ran) = end(running, 1);
        let reports: Vec<Value> = ran.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let fills = |with_loss: bool| {
            let some = reports.iter().filter(move |report| (number(report, "lost") > 0) == with_loss);
            some.map(|report| number(report, "fill_percent"))
        };
        let (before, after) = (fills(false).max(), fills(true).max());
        assert!(before > Some(30), "the memory is seen to fill before anything is lost: {before:?} %");
        assert!(after > Some(90), "{after:?} %");
        assert_eq!((json["stopped_by"].as_str(), number(&json, "lost_writer")), (Some("signal"), 0), "{json}");
        let seen = check(disk, &json);
        let (lost, stuck) = seen.check_sequence();
        assert!(!stuck && lost > 0 && lost == number(&json, "lost_card"), "{lost} in the file, {json}");
        assert_eq!((seen.account().delivered, seen.account().lost_card), (number(&json, "delivered"), lost));
    });
}

#[test]
fn a_device_slower_than_the_packets_costs_counted_packets_and_nothing_else() {
    on_each(|disk, way| {
        disk.is_slow(2_000_000);
        let mut running = way.start(disk, "--device emu:synthetic=1518,rate=5kpps,memory=1MiB");
        running.until("several memories full are written", || disk.len("wire") > 6_000_000);
        running.signal(Signal::SIGINT);
        let (json, _) = end(running, 1);
        assert_eq!((json["stopped_by"].as_str(), number(&json, "lost_writer")), (Some("signal"), 0), "{json}");
        assert_eq!(json["loss_exact"], true, "{json}");
        let seen = check(disk, &json);
        let (lost, stuck) = seen.check_sequence();
        assert!(!stuck && lost > 0 && lost == number(&json, "lost_card"), "{lost} in the file, {json}");
        assert_eq!(seen.account().delivered, number(&json, "delivered"));
    });
}

#[test]
fn where_io_uring_is_refused_the_same_is_written() {
    let dir = tempfile::tempdir().unwrap();
    if !is_direct(dir.path()) {
        return;
    }
    let packets = |refused: bool| {
        let out = dir.path().join(if refused { "thread" } else { "ring" });
        let mut command = dagcap();
        // Slow enough that nothing is lost.
        let device = "emu:synthetic=imix,rate=10kpps,count=20000,seed=7";
        command.args(["--device", device, "--io", "direct", "--json", "--out"]).arg(&out);
        let mut running = if refused { without_io_uring(|| start(&mut command)) } else { start(&mut command) };
        running.until_written(&out, 0);
        assert_eq!(has_io_uring(running.id()), !refused);
        let (json, _) = end(running, 0);
        let seen = Seen::in_file(&out);
        assert!(seen.defects.is_empty() && seen.check_sequence() == (0, false), "{:?}", seen.defects);
        assert_eq!((seen.account().delivered, number(&json, "delivered")), (20_000, 20_000));
        seen.packets.into_iter().map(|packet| packet.bytes).collect::<Vec<_>>()
    };
    assert!(packets(true) == packets(false));
}

#[test]
fn what_is_written_from_stream_memory_is_held_there_until_a_slow_disk_has_it() {
    for way in [Way::Ring, Way::Thread] {
        with_faulty_disk(false, |disk| {
            // All of the memory is full at any time, and what is released is written over at once. Appends are of 1.2 MiB.
            disk.is_slow(30_000_000);
            let mut running = way.start(disk, "--device emu:synthetic=imix,rate=max,memory=20MiB");
            running.until("twice the memory is written", || disk.len("wire") > 64 << 20);
            running.signal(Signal::SIGINT);
            let (json, _) = end(running, 1);
            assert_eq!((json["stopped_by"].as_str(), number(&json, "lost_writer")), (Some("signal"), 0), "{json}");
            assert_eq!(json["loss_exact"], true, "{json}");
            let seen = check(disk, &json);
            let (lost, _) = seen.check_sequence();
            assert!(lost <= number(&json, "lost_card"), "{lost} in the file, {json}");
            // Filler at either end of an append tells that it was written so.
            let megabytes = disk.len("wire") >> 20;
            assert!(seen.pad > megabytes * 3 / 2, "{} filler records in {megabytes} MiB", seen.pad);
        });
    }
}
