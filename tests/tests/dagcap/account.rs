//! Where every packet went: to the packet, in the JSON and in the file.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use erf::Timestamp;
use erf::session::Account;
use house_tests::run::{Ran, dagcap, dagcap_with, number, start};
use house_tests::seen::{Packet, Seen};
use serde_json::Value;

/// The account of the closing record says the same as the JSON.
#[track_caller]
fn check_same(account: &Account, json: &Value) {
    let counts = [
        ("received", account.received),
        ("delivered", account.delivered),
        ("lost_card", account.lost_card),
        ("lost_writer", account.lost_writer),
        ("filtered", account.filtered),
        ("truncated", account.truncated),
        ("rx_errors", account.rx_errors),
        ("ds_errors", account.ds_errors),
        ("unread", account.unread),
        ("bytes_written", account.bytes_written),
        ("tick_bits", account.tick_bits.into()),
    ];
    for (key, count) in counts {
        assert_eq!(number(json, key), count, "{key} in {json}");
    }
    assert_eq!(json["loss_exact"], account.loss_exact);
    assert_eq!(json["stopped_by"], account.stopped_by.as_str());
    check_stamp(&json["first"], account.first);
    check_stamp(&json["last"], account.last);
    assert!(account.adds_up());
}

#[track_caller]
fn check_stamp(json: &Value, stamp: Option<Timestamp>) {
    let Some(stamp) = stamp else { return assert!(json.is_null(), "{json}") };
    assert_eq!(json["raw"], format!("{:#018x}", stamp.raw()));
    assert_eq!(json["ns"], stamp.nanos());
}

/// What is the same in two recordings of one seed.
fn same(packet: &Packet) -> (u8, Option<u64>, u16, Vec<u8>) {
    (packet.port, packet.number, packet.wire_len, packet.bytes.clone())
}

#[test]
fn port_0_gives_exactly_the_packets_of_port_0() {
    let dir = tempfile::tempdir().unwrap();
    let capture = |ports: &str, name: &str| {
        let out = dir.path().join(name);
        let device = "emu:synthetic=imix,rate=max,count=20000,seed=7,ports=4";
        let ran = dagcap_with(&format!("--device {device} {ports} --json --out {}", out.display())).exits(0);
        (Seen::in_file(&out), ran.json())
    };
    let (all, json) = capture("", "all.erf");
    assert_eq!(all.numbers(), (0..20_000).collect::<Vec<_>>(), "nothing is lost: it all fits the memory");
    assert_eq!((number(&json, "delivered"), number(&json, "filtered")), (20_000, 0));

    for (option, ports) in [("--port 0", vec![0]), ("--port 0,3", vec![0, 3]), ("--port 2 --port 1", vec![1, 2])] {
        let (some, json) = capture(option, &format!("{option}.erf").replace(' ', "_"));
        let expected: Vec<_> = all.packets.iter().filter(|p| ports.contains(&p.port)).map(same).collect();
        assert!(expected.len() > 1000 && expected.len() < 19_000, "{option}: {} packets", expected.len());
        assert!(some.packets.iter().map(same).eq(expected.iter().cloned()), "{option}");
        assert_eq!(number(&json, "received"), 20_000, "{option}");
        assert_eq!(number(&json, "delivered"), expected.len() as u64, "{option}");
        assert_eq!(number(&json, "filtered"), 20_000 - expected.len() as u64, "{option}");
        check_same(&some.account(), &json);
    }
}

/// Reads with pauses, in which a card without much memory must drop, however slow the machine.
fn read_slowly(mut pipe: impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..3 {
        (&mut pipe).take(200_000).read_to_end(&mut all).unwrap();
        std::thread::sleep(Duration::from_millis(700));
    }
    pipe.read_to_end(&mut all).unwrap();
    all
}

/// A feed that is too fast for who reads it, and the truth about it: the packets' own numbers.
fn check_loss(file: &[u8], ran: &Ran, json: &Value, count: u64) {
    let seen = Seen::in_bytes(file);
    assert!(seen.defects.is_empty(), "{:?}", seen.defects);
    let numbers = seen.numbers();
    assert!(numbers.is_sorted_by(|a, b| a < b), "each once, in order");
    let last = *numbers.last().unwrap();
    assert!(last < count);

    let (delivered, lost) = (number(json, "delivered"), number(json, "lost_card"));
    assert_eq!(delivered, numbers.len() as u64);
    assert_eq!(number(json, "received"), last + 1, "up to the last packet looked at");
    assert_eq!(delivered + lost, last + 1);
    assert!(lost > 0, "the reader was not slow enough");
    assert_eq!((number(json, "lost_writer"), number(json, "filtered"), number(json, "unread")), (0, 0, 0));
    assert_eq!(json["loss_exact"], true, "the card counts drops in 32 bits, whatever the loss counters stick at");
    assert_eq!(json["stopped_by"], "end");

    let (told, stuck) = seen.check_sequence();
    if stuck {
        assert!(told <= lost, "a stuck counter tells a lower bound");
    } else {
        assert_eq!(told, lost, "the loss counters tell it all");
    }
    assert_eq!(number(json, "bytes_written"), file.len() as u64);
    check_same(&seen.account(), json);
    check_stamp(&json["first"], seen.packets.first().map(|p| p.stamp));
    check_stamp(&json["last"], seen.packets.last().map(|p| p.stamp));
    ran.says(&format!(
        "received {} = delivered {delivered} + filtered 0 + lost by card {lost} + lost by writer 0",
        last + 1
    ));
}

#[test]
fn a_slow_pipe_loses_packets_and_the_account_adds_up_to_the_packet() {
    let device = "emu:synthetic=1518,rate=50kpps,count=250000,memory=1MiB";
    let mut running = start(dagcap().args(["--device", device, "--out", "-", "--json"]));
    let file = read_slowly(running.take_stdout());
    let ran = running.wait().exits(1);
    check_loss(&file, &ran, &ran.json_on_stderr(), 250_000);
}

#[test]
fn a_slow_fifo_does_too_with_the_json_on_standard_output() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("wire");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let device = "emu:synthetic,rate=80kpps,count=400000,memory=1MiB";
    let running = start(dagcap().args(["--device", device, "--json", "--out"]).arg(&fifo));
    let file = read_slowly(fs::File::open(&fifo).unwrap());
    let ran = running.wait().exits(1);
    let json = ran.json();
    assert_eq!(json["files"], serde_json::json!([fifo]));
    check_loss(&file, &ran, &json, 400_000);
}

#[test]
fn what_is_lost_behind_the_last_packet_is_outside_the_sum() {
    // All of the feed comes while nobody reads: most of it finds no room, and no packet follows that could tell.
    let device = "emu:synthetic=1518,rate=max,count=20000,memory=1MiB";
    let mut running = start(dagcap().args(["--device", device, "--out", "-", "--json"]));
    let mut pipe = running.take_stdout();
    std::thread::sleep(Duration::from_secs(2));
    let mut file = Vec::new();
    pipe.read_to_end(&mut file).unwrap();
    let ran = running.wait().exits(1);
    let json = ran.json_on_stderr();
    let seen = Seen::in_bytes(&file);
    let last = *seen.numbers().last().unwrap();
    assert!(last < 10_000, "the feed went on without being read: {last}\n{}", ran.stderr);
    assert_eq!(number(&json, "received"), last + 1);
    assert_eq!(number(&json, "lost_after_last"), 20_000 - (last + 1));
    ran.says("lost behind the last one recorded");
    assert_eq!(number(&json, "delivered"), seen.packets.len() as u64);
    check_same(&seen.account(), &json);
}

#[test]
fn what_is_left_in_stream_memory_is_unread_or_drained() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let capture = |option: &str| {
        let device = "emu:synthetic,rate=max,memory=64MiB";
        let ran =
            dagcap_with(&format!("--device {device} --json --force --duration 100ms {option} --out {}", out.display()));
        let json = ran.json();
        assert_eq!(ran.status.code(), Some(i32::from(number(&json, "lost_card") > 0)), "{json}");
        assert_eq!(json["stopped_by"], "duration");
        let seen = Seen::in_file(&out);
        assert_eq!(number(&json, "delivered"), seen.packets.len() as u64);
        let last = seen.numbers().last().map_or(0, |last| last + 1);
        assert_eq!(number(&json, "received"), last, "unread packets and what was lost among them stay outside the sum");
        check_same(&seen.account(), &json);
        let unread = number(&json, "unread");
        assert_eq!(ran.stderr.contains("packets left unread in stream memory"), unread > 0, "{}", ran.stderr);
        unread
    };
    assert_eq!(capture(""), 0, "draining is the default");
    assert_eq!(capture("--drain"), 0);
    // Something comes in between the last look and the stop, unless the card gets no processor just then.
    assert!((0..50).any(|_| capture("--no-drain") > 0), "never anything unread");
}

#[test]
fn the_json_says_what_card_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let ran = dagcap_with(&format!("-d emu:synthetic,count=10,rate=max,tick=32 --json -o {}", out.display())).exits(0);
    let json = ran.json();
    assert_eq!(json["device"], "emu:synthetic,count=10,rate=max,tick=32");
    assert_eq!(json["emulated"], true);
    assert_eq!(json["stamp_source"], "synthetic");
    assert_eq!(json["tick_bits"], 32);
    assert_eq!(json["files"], serde_json::json!([out]));
    assert_eq!(number(&json, "bytes_written"), out.metadata().unwrap().len());
    ran.says("emulated card");
    ran.says("not a measurement");
}

#[test]
fn a_recording_without_packets_has_an_account_too() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let device = "emu:synthetic,ports=1,count=100,rate=max,faults=link-down:1";
    let ran = dagcap_with(&format!("--device {device} --json --out {}", out.display())).exits(0);
    let json = ran.json();
    assert_eq!(number(&json, "received"), 0);
    assert!(json["first"].is_null() && json["last"].is_null());
    let seen = Seen::in_file(&out);
    assert_eq!((seen.packets.len(), seen.meta), (0, 2), "opening and closing");
    check_same(&seen.account(), &json);
}

#[test]
fn quiet_is_quiet_and_json_still_comes() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let line = format!("--device emu:synthetic,count=10,rate=max --quiet --json --out {}", out.display());
    let ran = dagcap_with(&line).exits(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(number(&ran.json(), "delivered"), 10);
}

/// A card is used by default only if there is none on this machine.
#[test]
fn without_a_device_the_emulated_card_says_that_it_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let hints = ["/sys/class/dag", "/dev/dag0", "/usr/lib/libdag.so", "/usr/local/lib/libdag.so"];
    if let Some(hint) = hints.into_iter().find(|path| Path::new(path).exists()) {
        return house_skip::skip(format_args!("{hint} hints at a real card"));
    }
    let ran = dagcap_with(&format!("--quiet --count 5 --json --out {}", out.display())).exits(0);
    ran.says("emulated card");
    assert_eq!(ran.json()["emulated"], true);
    let opening = fs::read(&out).unwrap();
    let said = String::from_utf8_lossy(&opening);
    assert!(said.contains("dag-emu (emulated card)") && said.contains("stamp_source=synthetic"), "in the file, too");
}
