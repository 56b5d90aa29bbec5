//! Stopping: the first signal is a clean end, one that comes later ends it at once.

use std::io::Read;

use house_tests::run::{dagcap, number, start};
use house_tests::seen::Seen;
use nix::sys::signal::Signal;

#[test]
fn ctrl_c_and_its_kin_are_a_normal_stop() {
    let dir = tempfile::tempdir().unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let out = dir.path().join(signal.as_str());
        let mut running = start(dagcap().args(["--device", "emu:synthetic,rate=20kpps", "--json", "--out"]).arg(&out));
        running.until_written(&out, 0);
        running.signal(signal);
        let json = running.wait().exits(0).json();
        assert_eq!(json["stopped_by"], "signal");
        let seen = Seen::in_file(&out);
        assert!(seen.defects.is_empty());
        assert_eq!(seen.account().delivered, seen.packets.len() as u64, "closed, with its account");
        assert_eq!(number(&json, "received"), seen.numbers().last().unwrap() + 1);
        assert_eq!(number(&json, "unread"), 0);
        seen.check_sequence();
    }
}

/// As `timeout` does: to the program, and then to the group that it is in.
#[test]
fn two_signals_at_once_are_one_wish() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..4 {
        let out = dir.path().join(format!("{n}.erf"));
        let mut running = start(dagcap().args(["--device", "emu:synthetic,rate=20kpps", "--json", "--out"]).arg(&out));
        running.until_written(&out, 0);
        running.signal(Signal::SIGTERM);
        running.signal(Signal::SIGTERM);
        let json = running.wait().exits(0).json();
        let seen = Seen::in_file(&out);
        assert_eq!(seen.account().delivered, seen.packets.len() as u64, "closed, with its account");
        assert_eq!(number(&json, "received"), seen.numbers().last().unwrap() + 1);
    }
}

#[test]
fn a_stop_before_the_first_packet_is_one_too() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    // The link goes down with the first packet and comes up after a thousand seconds.
    let device = "emu:synthetic,rate=1pps,ports=1,faults=link-down:1";
    let mut running = start(dagcap().args(["--device", device, "--json", "--out"]).arg(&out));
    running.until("there is a file", || out.exists());
    running.signal(Signal::SIGINT);
    let json = running.wait().exits(0).json();
    assert_eq!((number(&json, "received"), json["stopped_by"].as_str()), (0, Some("signal")));
    let seen = Seen::in_file(&out);
    assert_eq!((seen.packets.len(), seen.meta), (0, 2));
    assert_eq!(seen.account().received, 0);
}

#[test]
fn the_second_signal_stops_at_once() {
    for (first, second) in [(Signal::SIGINT, Signal::SIGINT), (Signal::SIGTERM, Signal::SIGINT)] {
        // Nobody reads the pipe, so that a clean stop would wait for ever.
        let args = ["--device", "emu:synthetic,rate=max,memory=1MiB", "--out", "-"];
        let mut running = start(dagcap().args(args));
        let mut pipe = running.take_stdout();
        let mut piece = [0; 1024];
        pipe.read_exact(&mut piece).unwrap();
        running.signal(first);
        std::thread::sleep(std::time::Duration::from_millis(800));
        assert!(!running.has_ended(), "it has some patience with its reader, to lose nothing");
        running.signal(second);
        running.wait().dies_of(second);
    }
}

#[test]
fn a_reader_that_reads_no_more_does_not_hold_up_the_stop() {
    for stop in [Some(Signal::SIGTERM), None] {
        let mut command = dagcap();
        command.args(["--device", "emu:synthetic,rate=max,memory=1MiB", "--json", "--out", "-"]);
        if stop.is_none() {
            command.args(["--duration", "500ms"]);
        }
        let mut running = start(&mut command);
        let mut pipe = running.take_stdout();
        let mut file = vec![0; 100_000];
        pipe.read_exact(&mut file).unwrap();
        if let Some(signal) = stop {
            running.signal(signal);
        }
        // From here on nobody reads until it has ended.
        let ran = running.wait().exits(1);
        ran.says("the reader of the pipe reads no more");
        let json = ran.json_on_stderr();
        assert_eq!(json["stopped_by"], if stop.is_some() { "signal" } else { "duration" });
        assert!(number(&json, "lost_writer") > 0, "{json}");
        // What had got into the pipe before can still be read, and is what the account says.
        pipe.read_to_end(&mut file).unwrap();
        let seen = Seen::in_bytes(&file);
        assert_eq!(number(&json, "delivered"), seen.packets.len() as u64);
        assert_eq!(seen.ending, erf::session::Ending::Open, "it does not pass for a whole recording");
    }
}

#[test]
fn a_reader_that_is_slow_gets_everything_after_the_stop() {
    let mut running = start(dagcap().args(["--device", "emu:synthetic,rate=max,memory=4MiB", "--json", "--out", "-"]));
    let mut pipe = running.take_stdout();
    let mut file = vec![0; 100_000];
    pipe.read_exact(&mut file).unwrap();
    running.signal(Signal::SIGINT);
    let mut piece = vec![0; 64 << 10];
    loop {
        match pipe.read(&mut piece).unwrap() {
            0 => break,
            n => file.extend_from_slice(&piece[..n]),
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let json = running.wait().json_on_stderr();
    assert_eq!(number(&json, "lost_writer"), 0);
    let seen = Seen::in_bytes(&file);
    assert_eq!(seen.account().delivered, seen.packets.len() as u64, "closed, with its account");
}

#[test]
fn a_stop_with_a_reader_that_goes_on_reading_loses_nothing() {
    let mut running = start(dagcap().args(["--device", "emu:synthetic,rate=50kpps", "--out", "-", "--json"]));
    let mut pipe = running.take_stdout();
    let mut file = vec![0; 100_000];
    pipe.read_exact(&mut file).unwrap();
    running.signal(Signal::SIGINT);
    pipe.read_to_end(&mut file).unwrap();
    let json = running.wait().exits(0).json_on_stderr();
    let seen = Seen::in_bytes(&file);
    assert!(seen.defects.is_empty());
    assert_eq!(number(&json, "delivered"), seen.packets.len() as u64);
    assert_eq!(seen.numbers(), (0..seen.packets.len() as u64).collect::<Vec<_>>());
}

#[test]
fn sigusr1_asks_how_it_is_going_and_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let mut running = start(dagcap().args(["--device", "emu:synthetic,rate=1000pps", "--out"]).arg(&out));
    running.until_written(&out, 0);
    running.signal(Signal::SIGUSR1);
    running.until_written(&out, out.metadata().unwrap().len());
    running.signal(Signal::SIGINT);
    let ran = running.wait().exits(0);
    let said = ran.says("are in the file");
    assert!(said.contains(" 0 lost") && !said.contains(" 0 packets"), "{said}");
}
