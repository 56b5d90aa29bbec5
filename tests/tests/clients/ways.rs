//! Each client sees what the card sends, packet for packet.

use std::collections::HashSet;
use std::time::Duration;

use dag::Card;
use house_tests::library::client;
use house_tests::run::{run, start};

use super::on_cards;

/// The digest of `client.h`.
pub(super) fn digest(record: &[u8]) -> u64 {
    let kept = record.iter().enumerate().skip(8).filter(|(at, _)| *at != 12 && *at != 13);
    kept.fold(0xcbf2_9ce4_8422_2325, |hash, (_, byte)| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// What the card of this description sends, read by ourselves.
pub(super) fn sent(spec: &str, packets: usize) -> Vec<u64> {
    let card = Card::open(&format!("emu:{spec}")).unwrap();
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    let mut digests = Vec::new();
    while digests.len() < packets {
        let batch = stream.advance().unwrap();
        digests.extend(batch.iter().map(|record| digest(record.unwrap().bytes())));
    }
    digests
}

pub(super) fn seen(stdout: &[u8]) -> Vec<u64> {
    let text = std::str::from_utf8(stdout).unwrap();
    text.lines().map(|line| u64::from_str_radix(line, 16).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// Runs a client for so many packets, and gives what it saw.
fn watch(name: &str, spec: &str, card: &str, packets: usize) -> Vec<u64> {
    let mut command = on_cards(client(name), &format!("dag0={spec}"));
    let ran = run(command.args([card, &packets.to_string()])).exits(0);
    let seen = seen(&ran.stdout);
    assert_eq!(seen.len(), packets, "{name}");
    seen
}

pub(super) const SPEC: &str = "synthetic=imix,rate=20kpps,seed=7";
pub(super) const PACKETS: usize = 3000;

#[track_caller]
fn sees_all(name: &str, card: &str) {
    assert!(watch(name, SPEC, card, PACKETS) == sent(SPEC, PACKETS)[..PACKETS], "{name} sees other packets");
}

#[test]
fn in_the_way_of_libpcap() {
    sees_all("like_libpcap.c", "dag0:0");
}

#[test]
fn in_the_way_of_libtrace() {
    // What came before its first look it throws away.
    let seen = watch("like_libtrace.c", SPEC, "/dev/dag0", PACKETS);
    let sent = sent(SPEC, 4 * PACKETS);
    let from = sent.iter().position(|one| *one == seen[0]).expect("the first is one of those sent");
    assert!(seen == sent[from..from + PACKETS]);
}

#[test]
fn in_the_way_of_suricata() {
    sees_all("like_suricata.c", "dag0");
}

#[test]
fn in_the_way_of_pf_ring() {
    sees_all("like_pfring.c", "0:0");
}

#[test]
fn in_the_way_of_zeek() {
    if !house_skip::need_program("c++") {
        return;
    }
    sees_all("like_zeek.cc", "dag0");
}

#[test]
fn in_the_way_of_dpmi() {
    sees_all("like_dpmi.c", "dag0");
}

#[test]
fn in_the_way_of_snort() {
    sees_all("like_daq.c", "dag0");
}

#[test]
fn in_the_way_of_yaf() {
    sees_all("like_yaf.c", "dag0");
}

#[test]
fn in_the_way_of_cyberprobe() {
    sees_all("like_cyberprobe.c", "dag0");
}

/// Streams are read side by side, and what comes for one before it is started is nobody's.
#[track_caller]
fn sees_of_four_streams(name: &str, extra: &[&str]) {
    let spec = "synthetic=128,rate=50kpps,seed=3";
    let mut command = on_cards(client(name), &format!("dag0={spec},streams=4,bare_streams=1"));
    let ran = run(command.args(["dag0", "4000"]).args(extra)).exits(0);
    let seen = seen(&ran.stdout);
    assert_eq!(seen.len(), 4000, "{name}");
    let sent: HashSet<u64> = sent(spec, 100_000).into_iter().collect();
    assert!(seen.iter().all(|one| sent.contains(one)), "{name} sees other packets");
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 4000, "{name} sees a packet twice");
}

#[test]
fn a_descriptor_for_each_thread() {
    sees_of_four_streams("like_suricata.c", &["4"]);
}

#[test]
fn one_descriptor_for_all_threads() {
    sees_of_four_streams("like_multiplexer.c", &[]);
}

#[test]
fn losses_are_counted_as_libpcap_counts_them() {
    let spec = "synthetic=1518,rate=max,memory=1MiB";
    let mut command = on_cards(client("like_libpcap.c"), &format!("dag0={spec}"));
    let running = start(command.args(["dag0", "20000"]));
    // Nobody reads what it prints, so that it waits, and the card drops.
    std::thread::sleep(Duration::from_secs(1));
    let ran = running.wait().exits(0);
    let line = ran.says("dropped ");
    let dropped: u64 = line.trim_start_matches("dropped ").parse().unwrap();
    assert!(dropped > 0, "{line}");
}
