//! The flight recorder: what it logs of programs, that it changes nothing for them, and that a changed card is found by its log.

mod mutants;

use std::fs;
use std::path::Path;

use dag_trace::{Line, Log};
use house_tests::library::{client, libdag, recorder};
use house_tests::run::{Ran, dagctl, prepared, run};

/// The cards of this process alone, for programs under the recorder.
const CARD: &str = "dag0=synthetic,rate=2kpps,memory=4MiB,streams=2,bare_streams=1,tx=drop,tx_streams=1";

/// `dagctl` with our libdag as the real one.
fn under(folder: &Path, args: &str) -> std::process::Command {
    recorder();
    let mut command = dagctl(folder, args);
    command.env("DAG_EMU_CARDS", CARD).env("LD_LIBRARY_PATH", libdag().lib()).current_dir(folder);
    command
}

/// A log of the exercise, on the emulated card.
fn exercised(folder: &Path, name: &str) -> Ran {
    run(&mut under(folder, &format!("exercise dag0 --transmit --risky --out {name}"))).exits(0)
}

#[test]
fn an_exercise_is_logged_and_replays_without_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    exercised(dir.path(), "a.jsonl");
    let log = Log::read(&dir.path().join("a.jsonl")).unwrap();
    assert_eq!(log.opening.emulated, Some(1), "{:?}", log.opening);
    assert_eq!((log.cards[0].rx_streams, log.cards[0].tx_streams), (Some(3), Some(1)));
    assert_eq!(log.cards[0].memory, [(0, 4 << 20), (1, 4 << 20), (2, 4 << 20), (4, 0)]);
    assert!(!log.is_cut && !log.is_torn);
    for name in ["dag_parse_name", "dag_advance_stream", "dag_rx_stream_next_record", "dag_tx_stream_commit_records64"]
    {
        assert!(log.calls.iter().any(|call| call.call == name && call.result != 0 || call.said.is_some()), "{name}");
    }
    // Windows are whole, and what is given back is what was lent.
    let windows = log.calls.iter().filter(|call| call.call == "dag_advance_stream").filter_map(|call| call.window);
    assert!(windows.clone().any(|window| window.records > 100 && window.whole));
    assert!(windows.clone().any(|window| window.consumed_records == 1 && window.had > 1000));
    let ran = run(&mut under(dir.path(), "replay-trace a.jsonl")).exits(0);
    assert!(String::from_utf8_lossy(&ran.stdout).ends_with("\nno difference\n"), "{ran:?}");

    // No log is written over.
    run(&mut under(dir.path(), "exercise dag0 --out a.jsonl")).exits(2).says("a.jsonl exists already");
    run(&mut under(dir.path(), "exercise emu:c0 --out b.jsonl")).exits(2).says("names no card of Endace");
    run(&mut under(dir.path(), "replay-trace none.jsonl")).exits(2).says("none.jsonl: No such file");
    fs::write(dir.path().join("text"), "hello\n").unwrap();
    run(&mut under(dir.path(), "replay-trace text")).exits(2).says("text is no log of the flight recorder");
    run(&mut under(dir.path(), "exercise dag5 --out c.jsonl")).exits(2).says("/dev/dag5: dag_open: No such file");
    run(&mut under(dir.path(), "replay-trace c.jsonl")).exits(2).says("no card was opened");
}

#[test]
fn programs_run_as_they_do_without_it_and_nothing_of_a_packet_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let (yaf, pcap) = (client("like_yaf.c"), client("like_libpcap.c"));
    for (program, args) in [(&yaf, "dag0 300"), (&pcap, "dag0:0 300")] {
        let mut plain = prepared(program);
        plain.env("DAG_EMU_CARDS", CARD).env("LD_LIBRARY_PATH", libdag().lib()).args(args.split(' '));
        let plain = run(&mut plain).exits(0);
        let log = dir.path().join("log.jsonl");
        let words = format!("trace --out log.jsonl -- {} {args}", program.display());
        let traced = run(&mut under(dir.path(), &words)).exits(0);
        let lines = |ran: &Ran| ran.stdout.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines(&traced), lines(&plain), "{traced:?}");
        // A line has no more than numbers and names of devices: bytes of packets would make it longer.
        let text = fs::read_to_string(&log).unwrap();
        assert!(text.lines().all(|line| line.len() < 500), "{}", text.lines().max_by_key(|line| line.len()).unwrap());
        let read = Log::read(&log).unwrap();
        assert!(read.opening.program.ends_with(program.file_name().unwrap().to_str().unwrap()));
        let records: u64 = read.calls.iter().filter_map(|call| call.window).map(|window| window.records).sum();
        assert!(records >= 300, "{records}");
        run(&mut under(dir.path(), "replay-trace log.jsonl")).exits(0);
        fs::remove_file(log).unwrap();
    }
}

#[test]
fn children_have_logs_of_their_own_and_never_hang() {
    let dir = tempfile::tempdir().unwrap();
    let words = format!("trace --out log.jsonl -- {}", client("forks.c").display());
    run(under(dir.path(), &words).env("DAG_TRACE_LIMIT", "100000")).exits(0);
    let logs: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(logs.len(), 21, "{logs:?}");
    for path in logs {
        let log = Log::read(&path).unwrap();
        assert!(log.calls.iter().any(|call| call.call == "dag_rx_get_stream_count"), "{}", path.display());
    }
}

#[test]
fn a_log_that_cannot_be_written_is_told_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let words = "trace --out none/log.jsonl -- touch ran";
    run(&mut under(dir.path(), words)).exits(2).says("none/log.jsonl: No such file");
    assert!(!dir.path().join("ran").exists());
}

#[test]
fn a_log_ends_at_its_limit_and_the_program_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let words = format!("trace --out log.jsonl -- {} dag0 300", client("like_yaf.c").display());
    run(under(dir.path(), &words).env("DAG_TRACE_LIMIT", "2000")).exits(0);
    let text = fs::read_to_string(dir.path().join("log.jsonl")).unwrap();
    assert!(text.len() <= 2000 + Line::Full.to_text().len() && text.ends_with(&Line::Full.to_text()), "{text}");
    assert!(Log::read(&dir.path().join("log.jsonl")).unwrap().is_cut);
}

#[test]
fn without_the_real_library_every_call_fails_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    recorder();
    let links = dir.path().join("links");
    fs::create_dir(&links).unwrap();
    for (name, built) in [("libdag.so.5", "libdag_trace_abi.so"), ("libdagconf.so.5", "libdag_emu_conf_abi.so")] {
        std::os::unix::fs::symlink(house_tests::run::profile().join(built), links.join(name)).unwrap();
    }
    let mut command = prepared(client("like_yaf.c"));
    command.env("LD_LIBRARY_PATH", &links).args(["dag0", "1"]).current_dir(dir.path());
    command.env_remove("DAG_TRACE_LIBRARY");
    let ran = run(&mut command).exits(1);
    ran.says("DAG_TRACE_LIBRARY does not name the real libdag");
    ran.says("Function not implemented");
    command.env("DAG_TRACE_LIBRARY", "/no/such/libdag.so");
    run(&mut command).exits(1).says("/no/such/libdag.so, which cannot be loaded");
}
