//! A recording that is killed: everything that it told to be in the file is there. Past the page cache there are whole records only; through it
//! what is not whole is at the very end and said so.
//!
//! A dozen kills; as many as `DAG_KILLS` says for the long form.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::time::{Duration, Instant};

use erf::input::{Input, Source};
use erf::session::Ending;
use house_tests::run::{dagcap, dagcap_with, erf, number, run, start};
use house_tests::seen::Seen;
use nix::sys::signal::Signal;
use serde_json::Value;

/// Some time up to `most`, another one each time.
fn any_time(most: Duration) -> Duration {
    let nanos = most.as_nanos() as u64;
    Duration::from_nanos(RandomState::new().build_hasher().finish() % nanos)
}

fn kills() -> u32 {
    let kills = std::env::var("DAG_KILLS").ok();
    kills.map_or(12, |kills| kills.parse().expect("DAG_KILLS is a number"))
}

/// Starts a capture and kills it so long after its first write, or, with nothing written, after its start. Gives how many packets it said
/// were in the file, the last time that it was asked.
fn kill(device: &str, way: &str, out: &Path, after: Duration, first_write: bool) -> u64 {
    let mut running =
        start(dagcap().args(["--device", device, "--json", "--force"]).args(way.split(' ')).arg("--out").arg(out));
    if first_write {
        running.until_written(out, 0);
        let begun = Instant::now();
        while begun.elapsed() < after {
            running.signal(Signal::SIGUSR1);
            std::thread::sleep(Duration::from_millis(1));
        }
    } else {
        std::thread::sleep(after);
    }
    running.signal(Signal::SIGKILL);
    let ran = running.wait().dies_of(Signal::SIGKILL);
    // The last line may be torn.
    let reports = ran.stderr.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    reports.map(|report| number(&report, "written")).next().unwrap_or(0)
}

/// What holds for every file that is left. Gives how many packets it has, and whether its last record is torn.
fn check(out: &Path) -> (usize, bool) {
    let len = out.metadata().map_or(0, |data| data.len());
    if len == 0 {
        return (0, false);
    }
    let seen = Seen::in_file(out);
    let torn = match seen.defects.as_slice() {
        [] => false,
        [defect] => {
            assert!(defect.kind.is_torn(), "{defect}");
            assert_eq!(defect.offset, seen.whole, "right behind the last whole record");
            true
        }
        many => panic!("{} defects: {many:?}", many.len()),
    };
    run(erf("check").arg(out)).exits(i32::from(torn));
    assert_eq!(seen.whole == len, !torn, "{} of {len} bytes are whole records", seen.whole);
    assert!(len - seen.whole < 65_536, "at most one record is torn");
    seen.check_sequence();
    let (opened, closed) = (seen.meta > 0, matches!(seen.ending, Ending::Closed(_)));
    assert!(!closed, "killed, and says that it ended by itself");
    if opened {
        assert_eq!(seen.ending, Ending::Open);
    } else {
        assert_eq!(seen.packets.len(), 0, "the opening record comes first");
    }
    (seen.packets.len(), torn)
}

fn kill_often(device: &str, io: &str, most: Duration) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let line = format!("--device emu:synthetic,count=1 --io {io} --quiet --out {}", out.display());
    let tried = dagcap_with(&line);
    if !tried.status.success() {
        return house_skip::skip(format_args!("{io}: {}", tried.stderr.trim()));
    }
    fs::remove_file(&out).unwrap();
    let (mut with_packets, mut torn, mut told) = (0, 0, 0);
    for n in 0..kills() {
        let after = any_time(most);
        let acknowledged = kill(device, &format!("--io {io}"), &out, after, n % 4 != 0);
        let (packets, is_torn) = check(&out);
        eprintln!("kill {n} after {after:?}: {packets} packets, {acknowledged} of them told, torn: {is_torn}");
        assert!(packets as u64 >= acknowledged, "{acknowledged} packets were in the file, and {packets} are");
        assert!(!is_torn || io != "direct", "past the page cache there are whole records only");
        with_packets += u32::from(packets > 0);
        torn += u32::from(is_torn);
        told += u32::from(acknowledged > 0);
        // Each begins without the file of the one before.
        let _ = fs::remove_file(&out);
    }
    eprintln!("{} kills, {with_packets} files with packets, {torn} with a torn record at the end", kills());
    assert!(with_packets >= kills() / 2, "only {with_packets} of {} files have packets", kills());
    assert!(told >= kills() / 4, "only {told} of {} told of packets in the file", kills());
}

#[test]
fn killed_flat_out() {
    for io in ["direct", "buffered"] {
        kill_often("emu:synthetic=imix,rate=max", io, Duration::from_millis(300));
    }
}

#[test]
fn killed_while_slow() {
    for io in ["direct", "buffered"] {
        kill_often("emu:synthetic,rate=2000pps", io, Duration::from_millis(1500));
    }
}

/// What holds for a file of compressed units that is left: all that can be decompressed is whole records, up to the unit that is torn, if one
/// is. Gives how many packets there are, and whether the file is torn.
fn check_packed(out: &Path) -> (usize, bool) {
    if out.metadata().map_or(0, |data| data.len()) == 0 {
        return (0, false);
    }
    let mut input = Input::open(Source::from(out)).unwrap();
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    let torn = loop {
        match input.read_some(&mut piece) {
            Ok(0) => break false,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) => {
                assert!(error.to_string().contains("cut short"), "{error}");
                break true;
            }
        }
    };
    let seen = Seen::in_bytes(&bytes);
    seen.check_sequence();
    match seen.defects.as_slice() {
        [] => {}
        [defect] => assert!(torn && defect.kind.is_torn() && defect.offset == seen.whole, "{defect}"),
        many => panic!("{} defects: {many:?}", many.len()),
    }
    assert!(!matches!(seen.ending, Ending::Closed(_)), "killed, and says that it ended by itself");
    let said = run(erf("check").arg(out)).exits(i32::from(torn));
    assert_eq!(String::from_utf8_lossy(&said.stdout).contains("broken-file"), torn);
    let fixed = out.with_extension("fixed.zst");
    run(erf("repair").arg(out).arg(&fixed)).exits(i32::from(torn));
    run(erf("check").arg(&fixed)).exits(0);
    fs::remove_file(fixed).unwrap();
    (seen.packets.len(), torn)
}

#[test]
fn killed_while_it_compresses() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["zstd", "lz4", "gzip"] {
        let out = dir.path().join(format);
        let (mut with_packets, mut torn, mut told) = (0, 0, 0);
        for n in 0..kills() {
            let (device, most) = match n % 3 {
                0 => ("emu:synthetic,rate=2000pps", Duration::from_millis(1500)),
                _ => ("emu:synthetic=imix,rate=max", Duration::from_millis(600)),
            };
            let after = any_time(most);
            let acknowledged = kill(device, &format!("--compress {format}"), &out, after, n % 4 != 0);
            let (packets, is_torn) = check_packed(&out);
            eprintln!("{format}: kill {n} after {after:?}: {packets} packets, {acknowledged} told, torn: {is_torn}");
            assert!(packets as u64 >= acknowledged, "{acknowledged} packets were in the file, and {packets} are");
            with_packets += u32::from(packets > 0);
            torn += u32::from(is_torn);
            told += u32::from(acknowledged > 0);
            let _ = fs::remove_file(&out);
        }
        eprintln!("{format}: {} kills, {with_packets} files with packets, {torn} torn", kills());
        assert!(with_packets >= kills() / 2, "only {with_packets} of {} files have packets", kills());
        assert!(told >= kills() / 4, "only {told} of {} told of packets in the file", kills());
    }
}

/// The reader says where the whole records end, wherever a file is cut.
#[test]
fn a_cut_anywhere_is_found_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    house_tests::run::dagcap_with(&format!("--device emu:synthetic,count=20,rate=max --out {}", out.display()))
        .exits(0);
    let file = std::fs::read(&out).unwrap();
    let mut boundaries = vec![0];
    for item in erf::Records::new(&file) {
        boundaries.push(boundaries[boundaries.len() - 1] + item.unwrap().bytes().len());
    }
    let cut = dir.path().join("cut.erf");
    for len in 0..file.len() {
        std::fs::write(&cut, &file[..len]).unwrap();
        let seen = Seen::in_file(&cut);
        let whole = *boundaries.iter().rfind(|boundary| **boundary <= len).unwrap();
        assert_eq!(seen.whole, whole as u64);
        let offsets: Vec<u64> = seen.defects.iter().map(|defect| defect.offset).collect();
        assert_eq!(offsets, if whole == len { vec![] } else { vec![whole as u64] }, "cut at {len}");
        assert!(!matches!(seen.ending, Ending::Closed(_)), "cut at {len}");
    }
}
