//! One recording in many files.

use std::fs;
use std::path::{Path, PathBuf};

use erf::session::{Account, StoppedBy};
use house_tests::run::{dagcap, dagcap_with, number, run, start};
use house_tests::seen::Seen;
use nix::sys::signal::Signal;
use serde_json::Value;

/// The files that an account names.
fn files(json: &Value) -> Vec<PathBuf> {
    json["files"].as_array().unwrap().iter().map(|name| PathBuf::from(name.as_str().unwrap())).collect()
}

/// The names in a folder.
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What holds for all files of a recording that ended well: each is one by itself, and together they have what the account says. Gives
/// what is in each.
fn check(json: &Value) -> Vec<Seen> {
    let files = files(json);
    let seen: Vec<Seen> = files.iter().map(|file| Seen::in_file(file)).collect();
    let mut sum = Account::default();
    for (n, (seen, file)) in seen.iter().zip(&files).enumerate() {
        assert!(seen.defects.is_empty(), "{}: {:?}", file.display(), seen.defects);
        let account = seen.account();
        assert!(account.adds_up(), "{account:?}");
        assert_eq!(account.delivered, seen.packets.len() as u64, "{}", file.display());
        assert_eq!(account.bytes_written, file.metadata().unwrap().len());
        assert_eq!(account.first, seen.packets.first().map(|packet| packet.stamp));
        assert_eq!(account.last, seen.packets.last().map(|packet| packet.stamp));
        assert_eq!(account.stopped_by == StoppedBy::Rotation, n + 1 < files.len(), "{:?}", account.stopped_by);
        sum.received += account.received;
        sum.delivered += account.delivered;
        sum.lost_card += account.lost_card;
        sum.filtered += account.filtered;
        sum.bytes_written += account.bytes_written;
    }
    for (key, sum) in [
        ("received", sum.received),
        ("delivered", sum.delivered),
        ("lost_card", sum.lost_card),
        ("filtered", sum.filtered),
        ("bytes_written", sum.bytes_written),
    ] {
        assert_eq!(number(json, key), sum, "{key} of {json}");
    }
    seen
}

/// One recording after the other.
fn together(parts: Vec<Seen>) -> Seen {
    let mut all = Seen::in_bytes(&[]);
    all.packets = parts.into_iter().flat_map(|part| part.packets).collect();
    all
}

#[test]
fn files_end_on_the_clock_and_no_packet_is_lost_between() {
    let dir = tempfile::tempdir().unwrap();
    for (io, ports) in [("direct", ""), ("buffered", ""), ("auto", "--port 1")] {
        let folder = dir.path().join(io);
        fs::create_dir(&folder).unwrap();
        let line = format!(
            "--device emu:synthetic,rate=5kpps,count=7000 --io {io} {ports} --rotate-every 250ms --json --out {}/w.erf",
            folder.display()
        );
        let ran = dagcap_with(&line);
        if io == "direct" && ran.stderr.contains("direct I/O is not possible") {
            house_skip::skip(&ran.stderr);
            continue;
        }
        let json = ran.exits(0).json();
        let parts = check(&json);
        assert!((5..=8).contains(&parts.len()), "{} files", parts.len());
        for (part, file) in parts.iter().zip(files(&json)) {
            let stretch = |packet: &house_tests::seen::Packet| packet.stamp.nanos() / 250_000_000;
            let first = stretch(&part.packets[0]);
            assert!(part.packets.iter().all(|packet| stretch(packet) == first), "all of one stretch");
            let fraction = format!(".{:09}Z-", first % 4 * 250_000_000);
            assert!(file.to_str().unwrap().contains(&fraction), "{} is named by {fraction}", file.display());
        }
        assert_eq!(names(&folder).len(), parts.len(), "nothing but complete files");
        if ports.is_empty() {
            assert_eq!(together(parts).numbers(), (0..7000).collect::<Vec<_>>());
        }
    }
}

#[test]
fn files_end_before_they_are_too_large() {
    let dir = tempfile::tempdir().unwrap();
    for (format, size) in [("erf --io auto", 17 << 20), ("erf --io buffered", 3 << 20), ("pcapng", 2 << 20)] {
        let folder = dir.path().join(size.to_string());
        fs::create_dir(&folder).unwrap();
        let line = format!(
            "--device emu:synthetic=imix,rate=max,count=150000 --format {format} --rotate-size {size} --json --out {}/%Y-{{n}}.erf",
            folder.display()
        );
        let json = dagcap_with(&line).json();
        let files = files(&json);
        assert!(files.len() > 2, "{json}");
        for (n, file) in files.iter().enumerate() {
            let len = file.metadata().unwrap().len();
            assert!(len <= size && (len > size - (700 << 10) || n + 1 == files.len()), "{len} bytes for {size}");
            assert!(file.to_str().unwrap().ends_with(&format!("-{n:05}.erf")), "{}", file.display());
        }
        if format.starts_with("erf") {
            let (told, stuck) = together(check(&json)).check_sequence();
            assert!(stuck || told == number(&json, "lost_card"), "{told} in the files, {json}");
        }
    }
}

#[test]
fn hangup_completes_a_file_and_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let mut running = start(
        dagcap().args(["--device", "emu:synthetic,rate=2kpps", "--rotate-size", "1GiB", "--json", "--out"]).arg(&out),
    );
    let there = |name: &str| dir.path().join(name).metadata().is_ok_and(|data| data.len() > 0);
    running.until("it has begun", || there("wire-00000.erf.part"));
    running.signal(Signal::SIGHUP);
    running.until("it has gone on", || there("wire-00000.erf") && there("wire-00001.erf.part"));
    running.signal(Signal::SIGHUP);
    running.until("it has gone on again", || there("wire-00002.erf.part"));
    running.signal(Signal::SIGINT);
    let json = running.wait().exits(0).json();
    let all = together(check(&json));
    assert_eq!(all.numbers(), (0..number(&json, "delivered")).collect::<Vec<_>>());
    assert_eq!(names(dir.path()), ["wire-00000.erf", "wire-00001.erf", "wire-00002.erf"]);
}

#[test]
fn old_files_go_and_each_has_its_command() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list");
    let out = dir.path().join("wire.erf");
    let exec = format!("echo \"$1\" >>{}", list.display());
    for keep in ["2", "3MB"] {
        let mut command = dagcap();
        command.args(["--device", "emu:synthetic=1518,rate=max,count=5000,memory=64MiB", "--rotate-size", "1MiB"]);
        command.args(["--keep", keep, "--exec", &exec, "--force", "--quiet", "--json", "--out"]).arg(&out);
        let json = run(&mut command).json();
        let made: Vec<String> = files(&json).iter().map(|file| file.display().to_string()).collect();
        assert!(made.len() > 4, "{made:?}");
        let there: Vec<String> = made.iter().filter(|file| Path::new(file).exists()).cloned().collect();
        assert_eq!(there, made[made.len() - there.len()..], "the last ones");
        // As many as there may be: another one, of 1 MiB like all but the last, would be too much.
        let bytes: u64 = there.iter().map(|file| Path::new(file).metadata().unwrap().len()).sum();
        match keep {
            "2" => assert_eq!(there.len(), 2),
            _ => assert!(bytes <= 3_000_000 && bytes + (1 << 20) > 3_000_000, "{bytes} bytes in {there:?} of {made:?}"),
        }
        // All have been started when it ends, and none is waited for.
        let begun = std::time::Instant::now();
        let mut ran = Vec::new();
        while ran.len() < made.len() && begun.elapsed() < house_tests::run::PATIENCE {
            ran = fs::read_to_string(&list).unwrap_or_default().lines().map(str::to_owned).collect();
            ran.sort();
        }
        assert_eq!(ran, made, "each once");
        fs::remove_file(&list).unwrap();
    }
}

#[test]
fn what_is_there_is_not_overwritten_and_what_is_no_file_cannot_rotate() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("wire-00001.erf"), "precious").unwrap();
    let device = "--device emu:synthetic=1518,rate=max,count=3000,memory=64MiB --rotate-size 1MiB";
    let ran = dagcap_with(&format!("{device} --json --out {}/wire.erf", dir.path().display())).exits(2);
    ran.says("wire-00001.erf: exists already and was not touched");
    let json = ran.json();
    assert_eq!(names(dir.path()), ["wire-00000.erf", "wire-00001.erf"]);
    assert_eq!(fs::read(dir.path().join("wire-00001.erf")).unwrap(), b"precious");
    let first = Seen::in_file(&dir.path().join("wire-00000.erf"));
    assert_eq!(number(&json, "delivered"), first.account().delivered, "{json}");
    assert_eq!(number(&json, "lost_writer"), number(&json, "received") - number(&json, "delivered"));

    dagcap_with(&format!("{device} --out -")).exits(2).says("names none");
    dagcap_with(&format!("{device} --out {}/100%", dir.path().display())).exits(2).says("100%");
    dagcap_with(&format!("{device} --out {}/missing/x", dir.path().display())).exits(2).says("missing");
    let line = format!("--device emu:synthetic --keep 3 --out {}/x", dir.path().display());
    dagcap_with(&line).exits(2).says("--rotate-every");
}

#[test]
fn a_kill_leaves_complete_files_and_one_that_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let mut running = start(
        dagcap().args(["--device", "emu:synthetic=imix,rate=100kpps", "--rotate-size", "1MiB", "--out"]).arg(&out),
    );
    running.until("it has made some files", || dir.path().join("wire-00003.erf").exists());
    running.signal(Signal::SIGKILL);
    running.wait().dies_of(Signal::SIGKILL);
    let names = names(dir.path());
    let (complete, rest): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| name.ends_with(".erf"));
    assert!(rest.len() <= 1 && rest.iter().all(|name| name.ends_with(".erf.part")), "{names:?}");
    for name in complete {
        let seen = Seen::in_file(&dir.path().join(name));
        assert_eq!(seen.account().delivered, seen.packets.len() as u64, "{name} is complete");
    }
}
