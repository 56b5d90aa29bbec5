//! Limits: so many packets, so many bytes, so long.

use house_tests::run::{dagcap_with, number};
use house_tests::seen::Seen;

#[test]
fn count_stops_at_that_many_packets() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    for (device, ports, count) in [
        ("emu:synthetic,rate=max", "", 1),
        ("emu:synthetic,rate=max", "", 12_345),
        ("emu:synthetic,rate=max", "--port 1", 500),
        ("emu:synthetic,rate=200kpps", "", 1000),
        // META and PAD records are no packets.
        ("emu:synthetic,rate=max,faults=pad:0.3+meta:0.3", "", 1000),
    ] {
        let line = format!("--device {device} {ports} --force --count {count} --json --out {}", out.display());
        let ran = dagcap_with(&line);
        // Flat out, packets may be lost before the last one that was asked for.
        let json = ran.json();
        assert_eq!(ran.status.code(), Some(i32::from(number(&json, "lost_card") > 0)), "{line}");
        let seen = Seen::in_file(&out);
        assert_eq!(seen.packets.len(), count, "{line}");
        assert_eq!(number(&json, "delivered"), count as u64, "{line}");
        assert_eq!(json["stopped_by"], "count", "{line}");
        assert_eq!(number(&json, "received"), seen.numbers().last().unwrap() + 1, "{line}");
        assert_eq!(seen.account().delivered, count as u64, "{line}");
    }
}

#[test]
fn size_stops_before_the_packets_take_more() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    for (size, record) in [(100_000u64, 88), (1_000_000, 88)] {
        let line = format!(
            "--device emu:synthetic,rate=max,memory=64MiB,count=200000 --force --size {size} --json --out {}",
            out.display()
        );
        let ran = dagcap_with(&line);
        let json = ran.json();
        assert_eq!(json["stopped_by"], "size", "{json}");
        let file = std::fs::read(&out).unwrap();
        // The closing record aside, which tells the account.
        let mut end = 0;
        let mut closing = 0;
        for item in erf::Records::new(&file) {
            let record = item.unwrap();
            closing = if record.is_meta() { record.bytes().len() } else { 0 };
            end += record.bytes().len();
        }
        let packets = (end - closing) as u64;
        assert!(packets <= size, "{packets} bytes for {size}");
        assert!(packets + record > size, "{packets} bytes for {size}: there was room for one more");
        assert_eq!(number(&json, "bytes_written"), file.len() as u64);
    }
}

#[test]
fn a_size_with_no_room_for_a_packet_gives_none() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let ran = dagcap_with(&format!("--device emu:synthetic --size 20B --json --out {}", out.display())).exits(0);
    let json = ran.json();
    assert_eq!((number(&json, "delivered"), json["stopped_by"].as_str()), (0, Some("size")));
    assert!(Seen::in_file(&out).packets.is_empty());
}

#[test]
fn duration_stops_a_feed_that_would_go_on_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let line = format!("--device emu:synthetic,rate=1000pps --duration 1200ms --json --out {}", out.display());
    let json = dagcap_with(&line).exits(0).json();
    assert_eq!(json["stopped_by"], "duration");
    let seen = Seen::in_file(&out);
    let packets = seen.packets.len() as u64;
    assert_eq!((number(&json, "delivered"), number(&json, "received")), (packets, packets));
    // A thousand packets a second by the stamps, whatever the machine did meanwhile.
    let nanos: Vec<u64> = seen.packets.iter().map(|p| p.stamp.nanos()).collect();
    assert!(nanos.windows(2).all(|pair| (pair[1] - pair[0]).abs_diff(1_000_000) < 30), "a packet every millisecond");
    assert!(packets >= 1000, "{packets} packets in at least 1.2 s");
    seen.check_sequence();
}

#[test]
fn the_first_limit_reached_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    for (limits, reason) in [
        ("--count 10 --duration 1h --size 1GB", "count"),
        ("--count 1000000 --duration 1h --size 10kB", "size"),
        ("--count 1000000 --duration 100ms --size 1GB", "duration"),
    ] {
        let out = dir.path().join(reason);
        let line = format!("--device emu:synthetic {limits} --json --out {}", out.display());
        assert_eq!(dagcap_with(&line).exits(0).json()["stopped_by"], reason);
    }
}
