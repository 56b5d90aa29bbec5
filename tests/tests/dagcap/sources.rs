//! Recordings that are played again and are not as they should be: what can be read is recorded, and the end says what it was.

use std::fs;
use std::path::Path;
use std::process::Command;

use erf::session::Ending;
use house_tests::run::{Ran, dagcap, number, run};
use house_tests::seen::Seen;

/// Plays `input`, with options behind a comma, into `out`.
fn replay(input: &Path, options: &str, out: &Path) -> Ran {
    let device = format!("emu:replay={}{options}", input.display());
    run(dagcap().args(["--json", "--device", &device, "--out"]).arg(out))
}

/// A recording of `count` synthetic packets of 88 bytes, without META.
fn recording(at: &Path, count: u32) -> Vec<u8> {
    let device = format!("emu:synthetic,rate=max,count={count}");
    run(dagcap().args(["--no-meta", "--device", &device, "--out"]).arg(at)).exits(0);
    let bytes = fs::read(at).unwrap();
    assert_eq!(bytes.len(), count as usize * 88);
    bytes
}

/// A classic pcap file of one packet of 60 bytes and one whose length is `second`.
fn pcap(link_type: u32, second: u32) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let head = words(&[0xA1B2_3C4D, 0x0004_0002, 0, 0, 65_535, link_type]);
    let packet = |stored: u32| words(&[1_700_000_000, 5, stored, stored]);
    [head, packet(60), vec![0x55; 60], packet(second), vec![0x55; 60]].concat()
}

#[test]
fn a_source_that_breaks_is_an_error_and_what_came_before_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("broken.pcap"), dir.path().join("out.erf"));
    fs::write(&input, pcap(1, u32::MAX)).unwrap();
    // Whoever is first, the writer or the end of the feed: the end is the same.
    for _ in 0..5 {
        let ran = replay(&input, ",pace=max", &out).exits(2);
        let json = ran.json();
        assert_eq!((number(&json, "delivered"), &json["stopped_by"]), (1, &"error".into()));
        assert!(json["error"].as_str().unwrap().contains("broken.pcap"), "{json}");
        let seen = Seen::in_file(&out);
        assert_eq!(seen.packets.len(), 1);
        assert!(!matches!(seen.ending, Ending::Closed(_)), "nothing says that it ended by itself");
        fs::remove_file(&out).unwrap();
    }
}

#[test]
fn a_compressed_source_that_breaks_off_is_one_too() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.erf"), dir.path().join("out.erf"));
    recording(&input, 20_000);
    assert!(Command::new("gzip").arg(&input).status().unwrap().success());
    let packed = dir.path().join("in.erf.gz");
    let bytes = fs::read(&packed).unwrap();
    fs::write(&packed, &bytes[..bytes.len() / 2]).unwrap();
    let json = replay(&packed, ",pace=max", &out).exits(2).json();
    assert_eq!(json["stopped_by"], "error");
    assert!(!matches!(Seen::in_file(&out).ending, Ending::Closed(_)));
}

#[test]
fn data_behind_the_damage_is_played_and_the_damage_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.erf"), dir.path().join("out.erf"));
    let mut bytes = recording(&input, 900);
    bytes[400 * 88 + 10..400 * 88 + 12].copy_from_slice(&[0, 3]);
    fs::write(&input, &bytes).unwrap();
    let ran = replay(&input, ",pace=max", &out).exits(1);
    ran.says("record length 3");
    let json = ran.json();
    assert_eq!((number(&json, "received"), number(&json, "defects")), (899, 1));
    let seen = Seen::in_file(&out);
    assert_eq!(seen.numbers().len(), 899);
    assert!(!seen.numbers().contains(&400));
}

#[test]
fn many_defects_are_counted_and_few_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.erf"), dir.path().join("out.erf"));
    let mut bytes = recording(&input, 900);
    for n in (20..900).step_by(10) {
        bytes[n * 88 + 10..n * 88 + 12].copy_from_slice(&[0, 3]);
    }
    fs::write(&input, &bytes).unwrap();
    let ran = replay(&input, ",pace=max", &out).exits(1);
    assert_eq!(number(&ran.json(), "defects"), 88);
    ran.says("from here on only counted");
    assert!(ran.stderr.lines().count() < 20, "{}", ran.stderr);
}

#[test]
fn packets_without_a_place_in_erf_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.pcap"), dir.path().join("out.erf"));
    fs::write(&input, pcap(9999, 60)).unwrap();
    let ran = replay(&input, ",pace=max", &out).exits(0);
    ran.says("2 packets of the replayed file left out");
    assert_eq!(number(&ran.json(), "received"), 0);
}

#[test]
fn odd_stamps_are_read_when_the_format_is_forced() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.erf"), dir.path().join("out.erf"));
    let mut bytes = recording(&input, 3);
    for record in bytes.chunks_mut(88) {
        record[..8].copy_from_slice(&[0, 0, 0, 0, 5, 0, 0, 0]);
    }
    fs::write(&input, &bytes).unwrap();
    replay(&input, ",pace=max", &out).exits(2).says("format=erf");
    assert_eq!(number(&replay(&input, ",pace=max,format=erf", &out).exits(0).json(), "received"), 3);
}

#[test]
fn a_recording_is_not_played_into_itself() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.erf");
    let bytes = recording(&input, 50);
    let device = format!("emu:replay={}", input.display());
    run(dagcap().args(["--force", "--device", &device, "--out"]).arg(&input)).exits(2).says("what is to be replayed");
    assert!(fs::read(&input).unwrap() == bytes, "it was not touched");
}

#[test]
fn a_file_at_its_size_limit_is_like_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let program = house_tests::run::dagcap_path().display();
    // In units of 512 bytes; stream memory counts as a file, too.
    let script = format!(
        "ulimit -f 4096; exec {program} --json --device emu:rate=max,memory=1MiB --duration 20s --out {}",
        out.display()
    );
    let ran = run(house_tests::run::prepared("sh").args(["-c", &script])).exits(2);
    assert_eq!(ran.json()["stopped_by"], "error");
    let seen = Seen::in_file(&out);
    assert!(seen.defects.is_empty() && !seen.packets.is_empty());
    assert_eq!(seen.packets.len() as u64, number(&ran.json(), "delivered"));
}
