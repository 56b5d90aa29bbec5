//! What `erf` finds or leaves out is told, in words and in JSON; what `erf` writes, `erf` reads; few open files are enough.

use std::fs;
use std::path::Path;
use std::process::Command;

use erf::{RecordBuilder, RecordType, Timestamp};
use house_tests::run::{Ran, erf, prepared, run};
use serde_json::{Value, json};

fn record(record_type: RecordType, secs: u32) -> RecordBuilder<'static> {
    RecordBuilder::new(record_type).timestamp(Timestamp::from_parts(1_700_000_000 + secs, 0)).payload(&[7; 60])
}

fn eths(count: u32) -> Vec<u8> {
    (0..count).flat_map(|n| record(RecordType::ETH, n).to_vec().expect("a record")).collect()
}

fn file(dir: &Path, name: &str, bytes: &[u8]) {
    fs::write(dir.join(name), bytes).expect("the temporary folder can be written to");
}

fn erf_in(dir: &Path, args: &str) -> Ran {
    run(erf(args).current_dir(dir))
}

/// `erf`, which may have so many files open.
fn erf_with_files(dir: &Path, files: u32, args: &str) -> Ran {
    let program = erf("");
    let mut shell: Command = prepared("sh");
    shell.args(["-c", &format!("ulimit -n {files}; exec \"$0\" {args}")]).arg(program.get_program());
    run(shell.current_dir(dir))
}

fn lines(ran: &Ran) -> Vec<Value> {
    let text = String::from_utf8_lossy(&ran.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn damage_and_doubts_are_in_what_programs_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let mut bytes = eths(4);
    let len = bytes.len() / 4;
    // A packet whose wire length is zero although bytes are stored, and a torn one.
    bytes[len + 14..len + 16].fill(0);
    file(dir, "odd.erf", &bytes[..bytes.len() - 9]);
    let dump = erf_in(dir, "dump --json odd.erf").exits(1);
    dump.says("[zero-wire-length]");
    let dumped = lines(&dump);
    assert_eq!(dumped.len(), 3 + 2, "{dumped:?}");
    assert!(dumped.iter().all(|line| line["schema"] == 1));
    let defects: Vec<&Value> = dumped.iter().map(|line| &line["defect"]["code"]).collect();
    let none = &Value::Null;
    assert_eq!(defects, [none, none, &json!("zero-wire-length"), none, &json!("torn-record")]);
    let shown = lines(&erf_in(dir, "meta show --json odd.erf").exits(1));
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(shown[1]["defect"]["code"], "torn-record");
    erf_in(dir, "dump --count 1 odd.erf").exits(0);

    let packed = prepared("gzip").args(["-c", "odd.erf"]).current_dir(dir).output().expect("gzip runs").stdout;
    file(dir, "torn.erf.gz", &packed[..packed.len() - 4]);
    for command in ["dump", "info", "check", "meta show"] {
        erf_in(dir, &format!("{command} torn.erf.gz")).exits(1).says("[broken-file]");
    }
    let report = &lines(&erf_in(dir, "repair --json torn.erf.gz whole.erf").exits(1))[0];
    assert_eq!(report["broken"]["code"], "broken-file", "{report}");
}

#[test]
fn pads_that_are_cut_out_take_their_loss_with_them_and_that_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let pads = [9, 4].map(|lost| RecordBuilder::new(RecordType::PAD).lctr(lost).to_vec().expect("a record")).concat();
    file(dir, "in.erf", &[eths(3), pads].concat());
    let cut = erf_in(dir, "cut --json in.erf out.erf").exits(0);
    cut.says("2 PAD records left out, whose loss counters stood for 13 lost packets");
    let told = &lines(&cut)[0];
    assert_eq!((&told["pads_left_out"], &told["lost_left_out"]), (&json!(2), &json!(13)), "{told}");
}

#[test]
fn names_of_files_command_no_terminal() {
    let dir = tempfile::tempdir().expect("a folder");
    let ran = run(erf("info").arg("no\x1b[2J\nname.erf").current_dir(dir.path())).exits(2);
    // A new line commands nothing, and messages have some of their own.
    ran.says("no\\u{1b}[2J");
    assert!(!ran.stderr.contains('\x1b'), "{}", ran.stderr);
}

#[test]
fn what_erf_writes_it_reads_and_what_is_unsorted_can_be_sorted() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    // Classic pcap with one packet of original length 0.
    let head = [0xA1B2_C3D4u32, 0x0004_0002, 0, 0, 65_535, 1, 1_700_000_000, 0, 0, 0];
    file(dir, "tiny.pcap", &head.map(u32::to_le_bytes).concat());
    erf_in(dir, "convert tiny.pcap tiny.erf").exits(0);
    erf_in(dir, "info tiny.erf").exits(0);
    let backwards: Vec<u8> =
        (0..30).rev().flat_map(|n| record(RecordType::ETH, 3600 * n).to_vec().expect("a record")).collect();
    file(dir, "backwards.erf", &backwards);
    erf_in(dir, "sort backwards.erf sorted.erf").exits(0);
    erf_in(dir, "check sorted.erf").exits(0);
}

#[test]
fn few_open_files_are_enough_and_what_was_made_goes_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "in.erf", &eths(60));
    erf_with_files(dir, 24, "split in.erf --out-dir parts --count 1").exits(0);
    assert_eq!(fs::read_dir(dir.join("parts")).expect("a folder").count(), 60);
    let split = erf_in(dir, "split in.erf --out-dir small --json --bytes 20").exits(0);
    split.says("60 records longer than --bytes (20 bytes)");
    assert_eq!(lines(&split)[0]["longer_than_bytes"], 60);
    // Two parts of one name: nothing is left, the folder above neither.
    erf_in(dir, "split in.erf --out-dir new/er/parts --template one --count 9").exits(2).says("{number}");
    assert!(!dir.join("new").exists());
    let help = erf_in(dir, "split --help").exits(0);
    assert!(String::from_utf8_lossy(&help.stdout).contains("{number} for the number from 0"));
}
