//! `erf cut --filter` of a file that threads share: what comes out, and what is said, is what one thread makes of the same bytes from a pipe.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use erf::{RecordBuilder, RecordType, Timestamp};
use house_tests::run::{Ran, erf, prepared, run};
use serde_json::Value;

/// Several times what a thread takes at once.
const BYTES: usize = 9 << 20;

/// Packets of which about half match the filter, and among them META, filler that stands for lost packets, raw IP, and now and then a
/// frame without a length on the wire.
fn records() -> Vec<u8> {
    let mut file = Vec::new();
    let mut number = 0u32;
    while file.len() < BYTES {
        number += 1;
        let stamp = Timestamp::from_parts(1_700_000_000 + number / 100_000, (number % 100_000) * 42_949);
        let len = 60 + (number as usize * 7919) % 700;
        let frame = vec![number as u8; len];
        let (record_type, loss) = match number % 97 {
            13 => (RecordType::META, 0),
            29 => (RecordType::PAD, (number % 5) as u16),
            47 => (RecordType::IPV4, 0),
            _ => (RecordType::ETH, 0),
        };
        let record = RecordBuilder::new(record_type).timestamp(stamp).interface((number % 4) as u8);
        let record = record.lctr(loss).payload(&frame).append_fcs().to_vec().expect("a record");
        let at = file.len();
        file.extend(record);
        if number.is_multiple_of(3001) {
            file[at + 14..at + 16].fill(0);
        }
    }
    file
}

/// `erf cut` of the file, and of the same bytes through a pipe, which nobody can share.
fn both(dir: &Path, args: &str) -> (Ran, Ran) {
    let command = |input: &str, output: &str| {
        let mut command = erf(&format!("cut {input} {output} --json --force"));
        command
            .args(["--filter", "greater 300 and not ether host 02:02:02:02:02:02"])
            .args(args.split_whitespace())
            .current_dir(dir);
        command
    };
    let shared = run(&mut command("in.erf", "shared.erf"));
    let mut cat = std::process::Command::new("cat");
    let mut cat = cat.arg(dir.join("in.erf")).stdout(Stdio::piped()).spawn().expect("cat");
    let alone = run(command("-", "alone.erf").stdin(cat.stdout.take().expect("a pipe")));
    cat.wait().expect("cat");
    (shared, alone)
}

/// What both say, with the input's name taken out.
fn said(ran: &Ran, name: &str) -> (Vec<String>, Value) {
    let lines = ran.stderr.lines().map(|line| line.replace(name, "IN")).collect();
    let text = String::from_utf8_lossy(&ran.stdout).replace(&format!("\"{name}\""), "\"IN\"");
    (lines, serde_json::from_str(&text).expect("one object"))
}

fn check_alike(dir: &Path, args: &str, code: i32) -> Value {
    let (shared, alone) = both(dir, args);
    let (shared, alone) = (shared.exits(code), alone.exits(code));
    assert!(
        fs::read(dir.join("shared.erf")).unwrap() == fs::read(dir.join("alone.erf")).unwrap(),
        "{args}: other records"
    );
    let (shared, alone) = (said(&shared, "in.erf"), said(&alone, "standard input"));
    assert_eq!(shared.0, alone.0, "{args}");
    assert_eq!(shared.1, alone.1, "{args}");
    shared.1
}

#[test]
fn what_threads_share_is_filtered_as_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("in.erf"), records()).unwrap();
    let json = check_alike(dir, "", 1);
    // It has everything that can go wrong in a share, and something of each kind comes out.
    assert!(json["records"].as_u64() > Some(5000) && json["passed_over"].as_u64() > Some(5000), "{json}");
    assert!(json["filter_without_meaning"]["RAW (101)"].as_u64() > Some(100), "{json}");
    assert!(json["lost_left_out"].as_u64() > Some(100), "{json}");
    assert!(json["defects_total"].as_u64() > Some(5), "{json}");
    check_alike(dir, "--no-meta -i 1,2 --size 300-", 1);
    check_alike(dir, "-t ETH --from 1700000000.05 --until 1700000000.2", 1);
    // These count what comes before, so that one thread does them.
    check_alike(dir, "--skip 10 --count 9000", 1);
    check_alike(dir, "--from +50ms", 1);
    check_alike(dir, "--recover", 1);
}

/// As files that people make: without sums, in other formats, compressed.
#[test]
fn what_threads_share_goes_into_any_file() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("in.erf"), records()).unwrap();
    for (ending, args) in [("erf", ""), ("pcap", ""), ("pcapng", ""), ("erf.lz4", ""), ("pcap", "--recover")] {
        let (shared, alone) = (format!("shared.{ending}"), format!("alone.{ending}"));
        let cut = |input: &str, output: &str| {
            let mut command = erf(&format!("cut {input} {output} --force {args}"));
            command.args(["--filter", "greater 300"]).current_dir(dir);
            command
        };
        let ran = run(&mut cut("in.erf", &shared)).exits(1);
        let mut cat = std::process::Command::new("cat");
        let mut cat = cat.arg(dir.join("in.erf")).stdout(Stdio::piped()).spawn().expect("cat");
        let other = run(cut("-", &alone).stdin(cat.stdout.take().expect("a pipe"))).exits(1);
        cat.wait().expect("cat");
        // What is compressed has other blocks.
        let read = |name: &str| {
            let mut bytes = Vec::new();
            let mut source = erf::input::Input::open(erf::input::Source::Path(dir.join(name))).unwrap();
            std::io::Read::read_to_end(&mut source, &mut bytes).unwrap();
            bytes
        };
        assert!(read(&shared) == read(&alone) && read(&shared).len() > 500_000, "{ending} {args}");
        let lines = |ran: &Ran, names: [&str; 2]| {
            let text = ran.stderr.replace(names[0], "IN").replace(names[1], "OUT");
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(&ran, ["in.erf", &shared]), lines(&other, ["standard input", &alone]), "{ending} {args}");
    }
}

#[test]
fn damage_ends_what_threads_share_where_it_ends_one() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut bytes = records();
    // Where a thread begins in the midst of a run of zeros, and a torn record at the end.
    bytes[(4 << 20) - 700..(4 << 20) + 700].fill(0);
    bytes.truncate(BYTES - 17);
    fs::write(dir.join("in.erf"), &bytes).unwrap();
    let ended = check_alike(dir, "", 1);
    let recovered = check_alike(dir, "--recover", 1);
    assert!(recovered["records"].as_u64() > ended["records"].as_u64(), "{recovered} {ended}");
    assert!(recovered["defects_total"].as_u64() > ended["defects_total"].as_u64(), "{recovered} {ended}");
}

#[test]
fn more_defects_than_are_told_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut bytes = records();
    let mut at = 0;
    while let Some(head) = bytes.get_mut(at..at + 16) {
        head[14..].fill(0);
        at += usize::from(u16::from_be_bytes([head[10], head[11]]));
    }
    fs::write(dir.join("in.erf"), &bytes).unwrap();
    let json = check_alike(dir, "--read-as erf", 1);
    assert!(json["defects_total"].as_u64() > Some(20_000), "{}", json["defects_total"]);
    assert_eq!(json["defects"].as_array().map(Vec::len), Some(1000));
}

/// Somebody else, who may have so many processes and threads.
#[test]
fn where_threads_cannot_be_had_it_is_done_without() {
    if !house_skip::need_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
    // Several times as many stretches as may be under way.
    fs::write(dir.join("in.erf"), records().repeat(3)).unwrap();
    fs::copy(erf("").get_program(), dir.join("erf")).unwrap();
    let mut made = Vec::new();
    for most in [1, 2, 50] {
        let line = format!("ulimit -u {most} && exec ./erf cut in.erf out-{most}.erf --filter 'greater 300'");
        run(prepared("bash").args(["-c", &line]).current_dir(dir).uid(64_999).gid(64_999)).exits(1);
        made.push(fs::read(dir.join(format!("out-{most}.erf"))).unwrap());
    }
    assert!(made[0].len() > 10_000_000 && made.iter().all(|one| *one == made[0]));
}
