//! What is written: with and without META, as pcap and pcapng, whole and snapped; Wireshark judges.

use std::path::{Path, PathBuf};

use erf::{FileFormat, Reader};
use house_skip::need_program;
use house_tests::judge;
use house_tests::run::{dagcap_with, number};
use house_tests::seen::Seen;
use serde_json::Value;

fn capture(dir: &Path, name: &str, device: &str, options: &str) -> (PathBuf, Value) {
    let out = dir.join(name);
    let line = format!("--device {device} {options} --json --out {}", out.display());
    let json = dagcap_with(&line).exits(0).json();
    (out, json)
}

#[test]
fn no_meta_writes_neither_meta_nor_pad() {
    let dir = tempfile::tempdir().unwrap();
    let device = "emu:synthetic,rate=max,count=5000,faults=pad:0.1+meta:0.1";
    let (with, json) = capture(dir.path(), "with.erf", device, "");
    let (without, json_without) = capture(dir.path(), "without.erf", device, "--no-meta");
    let with = Seen::in_file(&with);
    assert!(with.meta > 100 && with.pad > 100, "the card's own, and the opening and the closing one");
    assert_eq!(number(&json, "delivered"), 5000);
    let without = Seen::in_file(&without);
    assert_eq!((without.meta, without.pad, without.packets.len()), (0, 0, 5000));
    assert_eq!(without.ending, erf::session::Ending::Unmarked);
    assert_eq!(number(&json_without, "delivered"), 5000);
    assert_eq!(number(&json_without, "filtered"), 0, "META and PAD never count");
    let bytes = |seen: &Seen| seen.packets.iter().map(|p| p.bytes.clone()).collect::<Vec<_>>();
    assert!(bytes(&with) == bytes(&without));
}

#[test]
fn the_name_says_the_format_unless_an_option_does() {
    let dir = tempfile::tempdir().unwrap();
    let device = "emu:synthetic,rate=max,count=100";
    for (name, options, format) in [
        ("a.pcap", "", FileFormat::Pcap),
        ("a.pcapng", "", FileFormat::PcapNg),
        ("a.pcapng.gz", "", FileFormat::PcapNg),
        ("a.erf", "", FileFormat::Erf),
        ("a", "", FileFormat::Erf),
        ("b.pcap", "--format erf", FileFormat::Erf),
        ("b.erf", "--format pcapng", FileFormat::PcapNg),
    ] {
        let (out, _) = capture(dir.path(), name, device, options);
        assert_eq!(Reader::open_path(&out).unwrap().format(), format, "{name} {options}");
    }
    let (_, json) = capture(dir.path(), "%s-{number}.pcap", device, "--rotate-size 1MiB");
    let made = json["files"][0].as_str().unwrap();
    assert_eq!(Reader::open_path(made).unwrap().format(), FileFormat::Pcap, "{made}");
}

#[test]
fn wireshark_reads_what_is_written() {
    if !need_program("tshark") || !need_program("capinfos") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let device = "emu:synthetic=imix,rate=100kpps,count=4000,seed=3";
    let (erf, json) = capture(dir.path(), "wire.erf", device, "");
    let seen = Seen::in_file(&erf);
    let wire: u64 = seen.packets.iter().map(|p| u64::from(p.wire_len)).sum();
    let infos = judge::capinfos(&erf);
    assert_eq!(infos.packets, 4000 + seen.meta);
    assert_eq!(infos.file_type, "erf");
    let theirs = judge::tshark(&erf, "erf.types.type == 2", &["frame.time_epoch", "frame.len"]);
    let ours: Vec<(u64, String)> = seen.packets.iter().map(|p| (p.stamp.nanos(), p.wire_len.to_string())).collect();
    assert!(theirs.iter().map(|f| (judge::nanos(&f[0]).unwrap(), f[1].clone())).eq(ours));
    assert_eq!(json["last"]["ns"], seen.packets[3999].stamp.nanos());

    for (format, file_type) in [("pcap", "nsecpcap"), ("pcapng", "pcapng")] {
        let (path, json) = capture(dir.path(), format, device, &format!("--format {format}"));
        let infos = judge::capinfos(&path);
        assert_eq!(infos.file_type, file_type);
        assert_eq!(infos.packets, 4000, "{format}");
        assert_eq!(infos.data_size, wire - 4 * 4000, "{format}: without FCS");
        assert_eq!((infos.first, infos.last), (json["first"]["ns"].as_u64(), json["last"]["ns"].as_u64()), "{format}");
        assert_eq!(number(&json, "bytes_written"), path.metadata().unwrap().len(), "{format}");
        let sick = "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0";
        assert_eq!(judge::tshark(&path, sick, &["frame.number"]), Vec::<Vec<String>>::new(), "{format}");
        let echoes = judge::tshark(&path, "icmp.type == 0 && icmp.resp_to", &["frame.number"]);
        assert_eq!(echoes.len(), 40, "{format}: every request has its reply");
        if format == "pcapng" {
            let ports = judge::tshark(&path, "", &["frame.interface_id"]);
            assert!(ports.iter().map(|f| f[0].parse::<u8>().unwrap()).eq(seen.packets.iter().map(|p| p.port)));
        }
    }
}

#[test]
fn wireshark_shows_what_card_it_was() {
    if !need_program("tshark") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (erf, _) = capture(dir.path(), "wire.erf", "emu:synthetic,rate=max,count=10", "--port 0");
    let section = |name: &str| format!("erf.meta.section_{name}");
    let fields =
        [section("host.model"), section("capture.comment"), section("capture.filter"), section("module.dev_name")];
    let said = judge::tshark(&erf, "frame.number == 1", &fields.each_ref().map(String::as_str));
    let [model, comment, filter, device] = said[0].as_slice() else { panic!("{said:?}") };
    assert_eq!(model, "dag-emu (emulated card)");
    assert!(comment.contains("emulated card"), "{comment}");
    assert_eq!(filter, "port 0");
    assert_eq!(device, "emu:synthetic,rate=max,count=10");
}

#[test]
fn a_snap_length_cuts_packets_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for snaplen in [1u16, 64, 100, 1518, 65_535] {
        let options = format!("--snaplen {snaplen}");
        let device = "emu:synthetic=1518,rate=max,count=300";
        let (out, json) = capture(dir.path(), &snaplen.to_string(), device, &options);
        let seen = Seen::in_file(&out);
        assert_eq!(seen.packets.len(), 300);
        assert_eq!(number(&json, "truncated"), 0, "snapping is no truncation");
        for packet in &seen.packets {
            assert_eq!(packet.wire_len, 1518);
            assert!(!packet.flags.truncated());
            let kept = packet.bytes.len();
            // The first word behind the header of a record is always filled.
            let most = usize::from(snaplen).clamp(6, 1518);
            assert!(kept <= most && kept + 8 > most, "{kept} of {snaplen} bytes kept");
            assert!(snaplen >= 1518 || (kept + 18) % 8 == 0, "a snapped record is cut down to a multiple of 8");
        }
    }
}

#[test]
fn a_recording_played_again_gives_the_same_packets() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["erf", "pcap", "pcapng"] {
        let device = "emu:synthetic=64-1518,rate=max,count=3000,seed=11";
        let (first, _) = capture(dir.path(), &format!("first.{format}"), device, &format!("--format {format}"));
        let replay = format!("emu:replay={},pace=max", first.display());
        let (second, json) = capture(dir.path(), &format!("second-{format}.erf"), &replay, "");
        assert_eq!(json["stamp_source"], "replay");
        assert_eq!(number(&json, "delivered"), 3000, "{format}");
        let original = dir.path().join("first.erf");
        let (original, again) = (Seen::in_file(&original), Seen::in_file(&second));
        for (a, b) in original.packets.iter().zip(&again.packets) {
            // pcap knows no ports and no FCS, which is computed again.
            assert_eq!((a.number, a.wire_len), (b.number, b.wire_len), "{format}");
            assert!(a.bytes == b.bytes, "{format}: packet {:?}", a.number);
            assert!(format == "pcap" || a.port == b.port, "{format}");
        }
    }
}
