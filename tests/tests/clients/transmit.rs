//! Clients that send: what becomes of it, and who plays the card.

use std::path::Path;
use std::process::Command;

use house_tests::judge::tshark;
use house_tests::library::{client, libdag};
use house_tests::run::{dagcap, prepared, run, serve, start};
use house_tests::seen::{Packet, Seen};

use super::on_cards;

/// The frame of `transmit.c`, with the FCS that a card makes.
fn check(packet: &Packet, number: u32, port: u8) {
    assert_eq!((packet.port, packet.wire_len), (port, 64), "frame {number}");
    let mut frame = [0x55; 60];
    frame[..12].fill(2);
    frame[12..14].copy_from_slice(&[0x88, 0xB5]);
    frame[14..18].copy_from_slice(&number.to_ne_bytes());
    assert_eq!(packet.bytes.get(..60), Some(&frame[..]), "frame {number}");
}

#[test]
fn every_way_to_send_makes_whole_records() {
    let dir = tempfile::tempdir().unwrap();
    for (way, packets) in [("copy", 1), ("copy", 500), ("commit", 500), ("bytes", 500)] {
        let file = dir.path().join(format!("{way}{packets}.erf"));
        let cards = format!("dag0=none,tx=file={},memory=1MiB", file.display());
        run(on_cards(client("transmit.c"), &cards).args(["dag0", "1", way, &packets.to_string()])).exits(0);
        let seen = Seen::in_file(&file);
        assert!(seen.defects.is_empty());
        assert_eq!(seen.packets.len(), packets, "{way}");
        for (packet, number) in seen.packets.iter().zip(0..) {
            check(packet, number, (number % 2) as u8);
        }
        assert_eq!(file.metadata().unwrap().len(), packets as u64 * 88, "padded to 8");
        if way == "copy" && packets == 1 && house_skip::need_program("tshark") {
            let fields = tshark(&file, "", &["erf.types.type", "erf.flags.vlen", "erf.rlen", "erf.wlen", "eth.type"]);
            assert_eq!(fields, [["2", "1", "88", "64", "0x88b5"]]);
        }
    }
}

#[test]
fn what_is_sent_on_a_loop_arrives_at_the_other_port() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "dag0", "none", &["--tx", "loop"]);
    let out = dir.path().join("wire.erf");
    let mut capture = dagcap();
    capture
        .env("DAG_EMU_DIR", dir.path())
        .args(["--device", "emu:dag0", "--count", "200", "--json", "--out"])
        .arg(&out);
    let mut capture = start(&mut capture);
    let mut sent = 0;
    // What is sent before somebody listens is nobody's.
    while !capture.has_ended() {
        let mut send = prepared(client("transmit.c"));
        send.env("DAG_EMU_DIR", dir.path()).env("LD_LIBRARY_PATH", libdag().lib());
        run(send.args(["dag0", "1", "copy", "100"])).exits(0);
        sent += 100;
        assert!(sent < 100_000);
    }
    capture.wait().exits(0);
    let seen = Seen::in_file(&out);
    assert_eq!(seen.packets.len(), 200);
    let mut last = None;
    for packet in &seen.packets {
        let number = u32::from_ne_bytes(packet.bytes[14..18].try_into().unwrap());
        check(packet, number, 1 - (number % 2) as u8);
        assert!(last.is_none_or(|last| packet.stamp >= last), "stamped anew");
        last = Some(packet.stamp);
    }
    if house_skip::need_program("tshark") {
        let bad = tshark(&out, "eth.fcs.status == \"Bad\"", &["frame.number"]);
        assert!(bad.is_empty(), "{bad:?}");
    }
}

#[test]
fn a_wiretap_forwards_what_it_receives() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.erf");
    let spec = format!("synthetic=imix,rate=20kpps,tx=file={}", file.display());
    run(on_cards(client("transmit.c"), &format!("dag0={spec}")).args(["dag0", "1", "inline", "500"])).exits(0);
    let seen = Seen::in_file(&file);
    assert_eq!(seen.numbers(), (0..500).collect::<Vec<_>>());
    // Every hundredth packet came in at port 0.
    assert_eq!(seen.packets[0].port, 1);
}

fn lines(stdout: &[u8]) -> Vec<String> {
    String::from_utf8(stdout.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

fn on_served(program: &Path, folder: &Path) -> Command {
    let mut command = prepared(program);
    command.env("DAG_EMU_DIR", folder).env("LD_LIBRARY_PATH", libdag().lib());
    command
}

#[test]
fn one_process_plays_the_card_that_another_one_reads() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "dag16", "none,reverse=on", &["--memory", "1MiB"]);
    let (reader, writer) = (client("like_yaf.c"), client("transmit.c"));
    // More than the memory holds: nothing is lost, who sends waits.
    let reader = start(on_served(&reader, dir.path()).args(["dag16", "30000"]));
    let sender = start(on_served(&writer, dir.path()).args(["dag16", "0", "commit", "30000", "reverse"]));
    let read = lines(&reader.wait().exits(0).stdout);
    sender.wait().exits(0);
    assert_eq!(read.len(), 30_000);
    // They come as they were sent, so a file of the same has the same digests.
    let file = dir.path().join("same.erf");
    let cards = format!("dag0=none,tx=file={}", file.display());
    run(on_cards(&writer, &cards).args(["dag0", "1", "commit", "30000"])).exits(0);
    let bytes = std::fs::read(&file).unwrap();
    let same = erf::Records::new(&bytes).map(|record| format!("{:016x}", super::ways::digest(record.unwrap().bytes())));
    assert!(same.eq(read));
}

#[test]
fn what_one_sends_another_reads_who_plays_the_card() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "dag16", "none,reverse=on", &[]);
    let reader = start(on_served(&client("reverse_reader.c"), dir.path()).args(["dag16", "100"]));
    // What is sent waits for somebody who reads.
    let mut sender = on_served(&client("send.c"), dir.path());
    run(sender.args(["dag16", "100"])).exits(0);
    assert_eq!(lines(&reader.wait().exits(0).stdout).len(), 100);
    // On a card whose part cannot be played.
    let _other = serve(dir.path(), "dag0", "synthetic", &[]);
    run(on_served(&client("reverse_reader.c"), dir.path()).args(["dag0", "1"])).exits(1).says("not supported");
}
