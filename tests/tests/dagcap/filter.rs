//! `--filter`: the packets that tcpdump would take, and an account that still adds up.

use std::fs;
use std::path::Path;

use erf::{RecordBuilder, RecordType, Timestamp};
use house_skip::need_program;
use house_tests::judge;
use house_tests::run::{Ran, dagcap, number, run};
use house_tests::seen::Seen;

const DEVICE: &str = "emu:synthetic=imix,rate=max,count=5000,seed=7,ports=2";

fn capture(device: &str, options: &[&str], out: &Path) -> Ran {
    run(dagcap().args(["--device", device, "--json"]).args(options).arg("--out").arg(out))
}

/// Packets of a pcap file with their lengths, without their stamps: two captures of one feed are made at different times.
fn packets(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = file.get(24..).unwrap_or_default();
    let mut packets = Vec::new();
    while let Some(header) = rest.first_chunk::<16>() {
        let kept = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let (packet, behind) = rest.split_at(16 + kept as usize);
        packets.push(&packet[8..]);
        rest = behind;
    }
    packets
}

#[test]
fn tcpdump_takes_the_same_packets() {
    if !need_program("tcpdump") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let all = dir.path().join("all.pcap");
    capture(DEVICE, &["--format", "pcap"], &all).exits(0);
    for (n, expression) in
        ["udp", "greater 600", "tcp or icmp", "not ip", "ip6 and greater 600"].into_iter().enumerate()
    {
        let taken = std::process::Command::new("tcpdump")
            .args(["--time-stamp-precision=nano", "-w", "-", "-r"])
            .args([all.to_str().unwrap(), expression])
            .output()
            .unwrap();
        assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
        let some = dir.path().join(format!("{n}.pcap"));
        let json = capture(DEVICE, &["--format", "pcap", "--filter", expression], &some).exits(0).json();
        let found = fs::read(&some).unwrap();
        let found = packets(&found);
        assert!(found == packets(&taken.stdout), "{expression}");
        assert!(!found.is_empty() && found.len() < 5000, "{expression} takes {} packets", found.len());
        assert_eq!(json["filter"], expression);
        assert_eq!(number(&json, "received"), 5000);
        assert_eq!(number(&json, "delivered") + number(&json, "filtered"), 5000);
    }
}

#[test]
fn the_account_and_meta_know_of_the_filter() {
    let dir = tempfile::tempdir().unwrap();
    let (all, some) = (dir.path().join("all.erf"), dir.path().join("some.erf"));
    let json = capture(DEVICE, &[], &all).exits(0).json();
    assert!(json["filter"].is_null());
    let json = capture(DEVICE, &["--filter", "greater 600", "--port", "1"], &some).exits(0).json();
    let (all, seen) = (Seen::in_file(&all), Seen::in_file(&some));
    // Frames of 1518 and 596 bytes with their FCS: without it, those of 1518 are left.
    let expected: Vec<_> = all.packets.iter().filter(|p| p.port == 1 && p.wire_len >= 604).map(|p| p.number).collect();
    assert!(seen.packets.iter().map(|packet| packet.number).eq(expected.iter().copied()));
    assert!(!expected.is_empty() && expected.len() < 2500);
    let account = seen.account();
    assert!(account.adds_up());
    assert_eq!((account.delivered, account.filtered), (expected.len() as u64, 5000 - expected.len() as u64));
    assert_eq!(number(&json, "filtered"), account.filtered);
    assert_eq!(seen.meta, all.meta, "META is no matter of filters");
    if need_program("tshark") {
        let said = judge::tshark(&some, "frame.number == 1", &["erf.meta.section_capture.filter"]);
        assert_eq!(said[0], ["greater 600 (of port 1)"]);
    }
}

#[test]
fn an_expression_that_is_none_fails_before_the_card_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    for (expression, words) in
        [("tcp and and", "filter \"tcp and and\": "), ("port 99999", "99999"), ("vlan 5000", "5000")]
    {
        let ran = capture("dag9", &["--filter", expression], &out).exits(2);
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("dag9"), "{}", ran.stderr);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(!out.exists());
    }
}

#[test]
fn a_packet_for_which_it_has_no_meaning_does_not_match_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("mixed.erf"), dir.path().join("wire.erf"));
    let mut mixed = Vec::new();
    for (n, record_type) in
        [RecordType::ETH, RecordType::ETH, RecordType::IPV4, RecordType::ETH].into_iter().enumerate()
    {
        let builder = RecordBuilder::new(record_type).timestamp(Timestamp::from_parts(1_700_000_000, n as u32));
        mixed.extend(builder.payload(&[0x45; 64]).to_vec().unwrap());
    }
    fs::write(&input, mixed).unwrap();
    let device = format!("emu:replay={},pace=max", input.display());
    let ran = capture(&device, &["--filter", "ether src 45:45:45:45:45:45"], &out).exits(0);
    ran.says("the filter has no meaning for them: 1 RAW (101) packets");
    assert_eq!(Seen::in_file(&out).packets.len(), 3, "what comes behind it is there");
    let json = ran.json();
    assert_eq!((number(&json, "delivered"), number(&json, "filtered")), (3, 1));
}
