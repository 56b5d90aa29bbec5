//! Frames of all sizes, sent in each of the ways of living programs, over several laps of a small ring, and across processes.

use std::path::Path;

use dag::file::fcs;
use house_tests::library::{client, libdag};
use house_tests::run::{PATIENCE, dagemu, prepared, run, serve, start};

use super::on_cards;
use super::ways::{digest, seen, sent};

const PACKETS: usize = 3000;

/// Frame `number` of `send.h`.
fn frame(number: usize) -> Vec<u8> {
    let len = 60 + number * 37 % 1441;
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5];
    frame.extend((frame.len()..len).map(|at| (number >> (8 * (at % 4))) as u8));
    frame
}

/// Its record as it is sent, from the type byte on, with an FCS of zeros.
fn record(number: usize, interface: u8) -> Vec<u8> {
    record_with(number, interface, [0; 4])
}

/// Its record as it arrives, with the FCS that the card makes.
fn arrived(number: usize, interface: u8) -> Vec<u8> {
    record_with(number, interface, fcs::ethernet(&frame(number)).to_le_bytes())
}

fn record_with(number: usize, interface: u8, fcs: [u8; 4]) -> Vec<u8> {
    let frame = frame(number);
    let wire = frame.len() as u16 + 4;
    let len = (wire + 18).next_multiple_of(8);
    let mut record = vec![2, 4 | interface];
    record.extend(len.to_be_bytes());
    record.extend([0, 0]);
    record.extend(wire.to_be_bytes());
    record.extend([0, 0]);
    record.extend(frame);
    record.extend(fcs);
    record.resize(usize::from(len) - 8, 0);
    record
}

/// The packets' records in a file, from the type byte on.
fn in_file(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = erf::Reader::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        records.extend(batch.iter().map(|record| record.unwrap().bytes()[8..].to_vec()));
    }
    records
}

#[track_caller]
fn sends_all(name: &str, card: &str, more: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sent.erf");
    let cards = format!("dag0=none,tx=file={}{more}", file.display());
    run(on_cards(client(name), &cards).args([card, &PACKETS.to_string()])).exits(0);
    let expected: Vec<_> = (0..PACKETS).map(|number| record(number, (number % 2) as u8)).collect();
    assert_eq!(expected[0].len() + 8, 88);
    let sent = in_file(&file);
    assert_eq!(sent.len(), PACKETS, "{name}");
    for (number, (sent, expected)) in sent.iter().zip(&expected).enumerate() {
        assert_eq!(sent, expected, "{name}: packet {number}");
    }
}

#[test]
fn in_copies_as_libpcap_does() {
    sends_all("send_copies.c", "dag0:1", "");
}

#[test]
fn in_copies_through_a_small_ring() {
    sends_all("send_copies.c", "dag0:1", ",memory=1MiB");
}

#[test]
fn in_place_as_libtrace_does() {
    sends_all("send_records.c", "dag0:1", ",memory=1MiB");
}

/// What has come from one interface goes out at the other, from where it lies.
#[test]
fn forwarded_as_dpmi_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("forwarded.erf");
    let spec = "synthetic=imix,rate=20kpps,seed=8";
    let cards = format!("dag0={spec},tx=file={}", file.display());
    let ran = run(on_cards(client("forward.c"), &cards).args(["dag0", &PACKETS.to_string()])).exits(0);
    assert!(seen(&ran.stdout) == sent(spec, PACKETS)[..PACKETS], "other packets came");
    let mut back = in_file(&file);
    // The interface as it was.
    back.iter_mut().for_each(|record| record[1] ^= 1);
    let digests: Vec<u64> = back.iter().map(|record| digest(&[&[0; 8], &record[..]].concat())).collect();
    assert!(digests == sent(spec, PACKETS)[..PACKETS], "other packets were sent");
}

/// `sender` sends again and again on a served card until a reader in another process has had as many packets as it sends in one run:
/// all of them, in their order, whichever came first.
#[track_caller]
fn crosses_processes(feed: &str, sender: &[&str], arriving: impl Fn(usize) -> Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "dag0", feed, &["--quiet"]);
    let command = |name: &str, args: &[&str]| {
        let mut command = prepared(client(name));
        command.env("LD_LIBRARY_PATH", libdag().lib()).env("DAG_EMU_DIR", dir.path()).args(args);
        command
    };
    let packets = PACKETS.to_string();
    let mut reader = start(&mut command("like_yaf.c", &["dag0", &packets]));
    let begun = std::time::Instant::now();
    let mut send = command(sender[0], &[sender[1], &packets]);
    send.args(&sender[2..]);
    while !reader.has_ended() {
        assert!(begun.elapsed() < PATIENCE, "{}", run(dagemu(dir.path()).args(["stat", "dag0"])).stderr);
        run(&mut send).exits(0);
    }
    let seen = seen(&reader.wait().exits(0).stdout);
    let sent: Vec<u64> = (0..PACKETS).map(|number| digest(&[&[0; 8], &arriving(number)[..]].concat())).collect();
    let from = sent.iter().position(|one| *one == seen[0]).expect("the first is one of those sent");
    let expected: Vec<u64> = sent.iter().cycle().skip(from).take(PACKETS).copied().collect();
    assert!(seen == expected, "from packet {from} on others came");
}

#[test]
fn what_is_sent_arrives_at_the_other_interface_of_a_loop() {
    let arrives = |number: usize| arrived(number, (number % 2) as u8 ^ 1);
    crosses_processes("none,tx=loop", &["send_copies.c", "dag0:1"], arrives);
    crosses_processes("none,tx=loop", &["send_records.c", "dag0:1"], arrives);
}

#[test]
fn a_program_plays_the_card() {
    crosses_processes("none,reverse=on", &["send_records.c", "dag0:0", "reverse"], |number| {
        record(number, (number % 2) as u8)
    });
}

#[test]
fn valgrind_has_nothing_against_it() {
    if !house_skip::need_program("valgrind") {
        return;
    }
    for (name, card) in [("send_copies.c", "dag0:1"), ("send_records.c", "dag0:1"), ("forward.c", "dag0")] {
        let mut command = on_cards("valgrind", "dag0=synthetic,rate=20kpps,tx=drop");
        command.args(["--quiet", "--error-exitcode=99"]).arg(client(name)).args([card, "200"]);
        run(&mut command).exits(0);
    }
}
