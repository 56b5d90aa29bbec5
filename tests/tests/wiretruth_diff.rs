//! `wiretruth diff` finds the delay that a known queue adds between two taps.

use std::fs;
use std::net::UdpSocket;

use house_tests::lab::{Inline, TARGET};
use house_tests::run::{dagcap, run, start, wiretruth};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Datagrams that are sent at once.
const BURST: usize = 60;
/// Of 1000 bytes with their headers, at 10 Mb/s: one every 800 us.
const DATA: usize = 1000 - 14 - 20 - 8;
const EACH_NS: f64 = 800_000.0;

#[test]
fn a_queue_between_two_taps_is_seen_packet_by_packet() {
    let Some(lab) = Inline::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    lab.tap.exec("tc qdisc add dev b root tbf rate 10mbit burst 2000 limit 200000");
    let (before, behind) = (dir.path().join("before.erf"), dir.path().join("behind.erf"));
    let mut cards = [(&before, lab.tap.iface("a")), (&behind, lab.target.iface("g0"))].map(|(file, iface)| {
        start(dagcap().args(["--device", &format!("emu:tap={iface}"), "--port", "0", "--no-meta", "--out"]).arg(file))
    });
    for (card, file) in cards.iter_mut().zip([&before, &behind]) {
        card.until_written_with(file, || {
            lab.system.nudge();
        });
    }
    lab.system.inside(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        for number in 0..BURST as u32 {
            let mut data = [0; DATA];
            data[..4].copy_from_slice(&number.to_be_bytes());
            socket.send_to(&data, (TARGET, 9)).unwrap();
        }
    });
    // It comes behind all of them.
    lab.system.nudge();
    for card in &cards {
        card.signal(Signal::SIGINT);
    }
    for card in cards {
        card.wait().exits(0);
    }

    let diff = |words: &str| run(wiretruth().current_dir(dir.path()).args(["diff"]).args(words.split_whitespace()));
    let ran = diff("before.erf behind.erf --json --csv all.csv --svg all.svg").exits(0);
    let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let table = fs::read_to_string(dir.path().join("all.csv")).unwrap();
    let rows: Vec<Vec<i64>> =
        table.lines().skip(1).map(|line| line.split(',').map(|field| field.parse().unwrap()).collect()).collect();
    assert_eq!(found["common"].as_u64().unwrap(), rows.len() as u64);
    assert_eq!((&found["ambiguous"], &found["duplicates"], &found["reordered"]), (&0.into(), &0.into(), &0.into()));
    let burst: Vec<&Vec<i64>> = rows.iter().filter(|row| row[3] == 1004).collect();
    assert_eq!(burst.len(), BURST, "each of them once: {found}");
    for row in &rows {
        assert_eq!(row[1] - row[0], row[2]);
        assert!(row[2] > 0, "one clock, and the queue is behind: {row:?}");
    }
    // The queue lets one go every 800 us, so that each waits for all before it. It was never empty, or the last would have waited for nothing.
    let (first, last) = (burst[0], burst[BURST - 1]);
    let spacing = (last[1] - first[1]) as f64 / (BURST - 1) as f64;
    // Not sooner; later where the machine was busy.
    assert!((0.95..2.0).contains(&(spacing / EACH_NS)), "{spacing}");
    let waited = (last[2] - first[2]) as f64;
    let sent = (last[0] - first[0]) as f64;
    assert_eq!(waited + sent, (last[1] - first[1]) as f64);
    assert!(waited > 10.0 * EACH_NS, "{waited}");
    assert_eq!(found["delay"]["max_ns"].as_i64(), rows.iter().map(|row| row[2]).max());
    let classes: u64 = found["histogram"].as_array().unwrap().iter().map(|class| class[2].as_u64().unwrap()).sum();
    assert_eq!(classes, rows.len() as u64);
    let drawing = fs::read_to_string(dir.path().join("all.svg")).unwrap();
    assert!(drawing.starts_with("<svg ") && drawing.contains(&format!("(n = {})", rows.len())), "{drawing}");

    // Of itself: nothing. The clock is the same, so there is no drift.
    let same: Value = serde_json::from_slice(&diff("before.erf before.erf --json").exits(0).stdout).unwrap();
    assert_eq!(
        (&same["delay"]["max_ns"], &same["delay"]["min_ns"], &same["only_a"]),
        (&0.into(), &0.into(), &0.into())
    );
    // Counted from the least, in words.
    let told = diff("before.erf behind.erf --offset remove").exits(0);
    assert!(String::from_utf8_lossy(&told.stdout).contains("delays are counted from the least one"), "{told:?}");
    diff("behind.erf before.erf").exits(0);
}

#[test]
fn captures_of_other_traffic_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    for (name, seed) in [("a.erf", 1), ("b.erf", 2)] {
        let feed = format!("emu:synthetic,rate=max,count=50,seed={seed}");
        run(dagcap().current_dir(dir.path()).args(["--device", &feed, "--quiet", "--out", name])).exits(0);
    }
    let diff = |words: &str| run(wiretruth().current_dir(dir.path()).args(["diff"]).args(words.split_whitespace()));
    let ran = diff("a.erf b.erf --csv x.csv").exits(2);
    ran.says("no packet is in both captures");
    ran.says("a.erf has 50 packets");
    assert!(fs::read_dir(dir.path()).unwrap().count() == 2, "no table that looks whole");
    diff("a.erf none.erf").exits(2).says("none.erf: ");
    diff("a.erf a.erf --hdr /no/such/x.hdr").exits(2).says("/no/such/x.hdr: ");
    diff("a.erf a.erf --svg /no/such/x.svg").exits(2).says("/no/such/x.svg: ");
    diff("a.erf a.erf").exits(0);
}

#[test]
fn more_delays_than_are_kept_are_all_counted() {
    let dir = tempfile::tempdir().unwrap();
    let make = "emu:synthetic,rate=max,count=600000,seed=1,memory=128MiB";
    let ran = run(dagcap().current_dir(dir.path()).args(["--device", make, "--quiet", "--no-meta", "--out", "a.erf"]));
    ran.exits(0);
    let words = ["diff", "a.erf", "a.erf", "--json", "--hdr", "x.hdr", "--svg", "x.svg"];
    let ran = run(wiretruth().current_dir(dir.path()).args(words)).exits(0);
    let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let common = found["common"].as_u64().unwrap();
    assert!(common > 1 << 19, "{found}");
    let delay = &found["delay"];
    assert_eq!((&delay["exact"], &delay["resolution"], &delay["n"]), (&false.into(), &0.001.into(), &common.into()));
    assert_eq!(found["histogram"], serde_json::json!([[0.0, 1000.0, common]]));
    assert_eq!((&found["steps"], found["anchors"].as_u64().unwrap() > 10_000), (&serde_json::json!([]), true));
    let log = fs::read_to_string(dir.path().join("x.hdr")).unwrap();
    assert!(log.starts_with("#[Histogram log format version 1.3]\n"), "{log}");
    for tag in ["\nTag=delay,0.000,", "\nTag=variation_size,0.000,"] {
        assert!(log.contains(tag), "{tag}: {log}");
    }
    let drawing = fs::read_to_string(dir.path().join("x.svg")).unwrap();
    assert_eq!(drawing.matches(&format!("(n = {common})")).count(), 2, "a histogram and a distribution");
}
