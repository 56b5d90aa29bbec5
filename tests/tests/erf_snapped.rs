//! Snapped packets of pcap and pcapng: whoever reads them sees every stored byte, and what an ERF file cuts off is told.

use std::fs;
use std::path::{Path, PathBuf};

use erf::convert::{Converter, FileOptions, RecordOptions, verify};
use erf::{FileFormat, Reader};
use house_skip::need_program;
use house_tests::judge::tshark;
use house_tests::run::{Ran, erf, prepared, run};
use serde_json::Value;

/// None of them makes a multiple of 8 with the 18 bytes before a frame in its record.
const SNAP_LENGTHS: [usize; 5] = [34, 37, 64, 68, 96];
const FILTER: &str = "dst host 192.168.1.4";
const NOW: u32 = 1_700_000_000;

/// A UDP packet in a frame; every third goes to the host that is looked for. The address ends with byte 34 of the frame.
fn frame(n: u32) -> Vec<u8> {
    let len = 42 + (n as usize * 7) % 90;
    let mut frame = vec![n as u8; len];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14..34].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 192, 168, 1, 0]);
    frame[16..18].copy_from_slice(&(len as u16 - 14).to_be_bytes());
    frame[33] = if n.is_multiple_of(3) { 4 } else { 5 };
    frame[38..40].copy_from_slice(&(len as u16 - 34).to_be_bytes());
    frame
}

/// What is stored of a frame.
struct Snapped {
    stored: Vec<u8>,
    original_len: usize,
}

impl Snapped {
    fn is_whole(&self) -> bool {
        self.stored.len() == self.original_len
    }
}

fn packets(snap: usize) -> Vec<Snapped> {
    let snapped =
        |frame: Vec<u8>| Snapped { stored: frame[..frame.len().min(snap)].to_vec(), original_len: frame.len() };
    (0..90).map(frame).map(snapped).collect()
}

/// Numbers as pcap has them, in little-endian order.
fn words<const N: usize>(words: [u32; N]) -> Vec<u8> {
    words.map(u32::to_le_bytes).concat()
}

fn pcap(packets: &[Snapped]) -> Vec<u8> {
    let mut file = words([0xA1B2_3C4D, 4 << 16 | 2, 0, 0, 65_535, 1]);
    for (n, packet) in (0..).zip(packets) {
        file.extend(words([NOW, n, packet.stored.len() as u32, packet.original_len as u32]));
        file.extend(&packet.stored);
    }
    file
}

fn pcapng(packets: &[Snapped]) -> Vec<u8> {
    let mut file = words([0x0A0D_0D0A, 28, 0x1A2B_3C4D, 1, !0, !0, 28]);
    file.extend(words([1, 32, 1, 65_535, 1 << 16 | 9, 9, 0, 32]));
    for (n, packet) in (0..).zip(packets) {
        let nanos = u64::from(NOW) * 1_000_000_000 + n;
        let padded = packet.stored.len().next_multiple_of(4);
        let (length, stored) = (32 + padded as u32, packet.stored.len() as u32);
        file.extend(words([6, length, 0, (nanos >> 32) as u32, nanos as u32, stored, packet.original_len as u32]));
        file.extend(&packet.stored);
        file.resize(file.len() + padded - packet.stored.len(), 0);
        file.extend(words([length]));
    }
    file
}

/// A folder with `in.pcap` and `in.pcapng`.
fn folder(packets: &[Snapped]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_owned();
    fs::write(path.join("in.pcap"), pcap(packets)).expect("the temporary folder can be written to");
    fs::write(path.join("in.pcapng"), pcapng(packets)).expect("the temporary folder can be written to");
    (dir, path)
}

fn erf_in(dir: &Path, args: &str) -> Ran {
    run(erf(args).current_dir(dir))
}

fn json(ran: &Ran) -> Value {
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr))
}

/// The packets that tcpdump reads, with all of their bytes.
fn tcpdump(file: &Path, filter: &str) -> String {
    let mut command = prepared("tcpdump");
    let said = command.args(["-n", "-tt", "-xx", "-r"]).arg(file).arg(filter).output().expect("it runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// The lengths and payloads of the packets of an ERF file.
fn records(file: &Path) -> Vec<(usize, Vec<u8>)> {
    let mut records = Vec::new();
    let mut reader = Reader::builder().force_format(FileFormat::Erf).open(file).expect("the file");
    reader
        .for_each(|item| {
            let record = item.expect("a record");
            if record.is_packet() {
                records.push((record.bytes().len(), record.payload().to_vec()));
            }
        })
        .expect("the file can be read");
    records
}

#[test]
fn whoever_reads_sees_every_stored_byte() {
    for snap in SNAP_LENGTHS {
        let packets = packets(snap);
        let (_dir, dir) = folder(&packets);
        let stored: usize = packets.iter().map(|packet| packet.stored.len()).sum();
        let whole = packets.iter().filter(|packet| packet.is_whole()).count();
        for input in ["in.pcap", "in.pcapng"] {
            let said = json(&erf_in(&dir, &format!("info --json {input}")).exits(0));
            // A whole frame becomes a record with a frame check sequence.
            assert_eq!(said["captured_bytes"], stored + 4 * whole, "{input} {snap}");
            for to in ["pcap", "pcapng", "erf"] {
                let mut command = erf(&format!("cut {input} part.{to} --force --json -f"));
                let said = json(&run(command.arg(FILTER).current_dir(&dir)).exits(0));
                assert_eq!(said["not_read"]["cut_bytes"], 0, "{input} {to} {snap}");
                if to == "erf" {
                    let found: Vec<Vec<u8>> =
                        records(&dir.join("part.erf")).into_iter().map(|(_, bytes)| bytes).collect();
                    assert_eq!(found.len(), 30, "{input} {snap}");
                    for (found, packet) in found.iter().zip(packets.iter().step_by(3)) {
                        assert!(found.starts_with(&packet.stored), "{input} {snap}");
                    }
                } else if need_program("tcpdump") {
                    let expected = tcpdump(&dir.join(input), FILTER);
                    assert_eq!(tcpdump(&dir.join(format!("part.{to}")), ""), expected, "{input} {to} {snap}");
                }
            }
            for command in ["convert IN OUT --verify", "convert IN OUT --fcs none", "merge IN --out OUT", "sort IN OUT"]
            {
                for to in ["out.pcap", "out.pcapng"] {
                    let line = command.replace("IN", input).replace("OUT", to);
                    let ran = erf_in(&dir, &format!("{line} --force")).exits(0);
                    assert!(!ran.stderr.contains("cut off"), "{line}: {}", ran.stderr);
                    if to == "out.pcap" {
                        let same = fs::read(dir.join(to)).expect("the output")[24..] == pcap(&packets)[24..];
                        assert!(same, "{line} {snap}");
                    } else if need_program("tshark") {
                        let lengths = tshark(&dir.join(to), "", &["frame.cap_len", "frame.len"]);
                        let expected = packets
                            .iter()
                            .map(|packet| vec![packet.stored.len().to_string(), packet.original_len.to_string()]);
                        assert_eq!(lengths, expected.collect::<Vec<_>>(), "{line} {snap}");
                    }
                    erf_in(&dir, &format!("diff {input} {to}")).exits(0);
                }
            }
        }
    }
}

#[test]
fn twins_are_told_apart_by_their_last_stored_byte() {
    let mut packets = packets(61);
    packets.truncate(1);
    packets[0].original_len = 1500;
    packets[0].stored.resize(61, 7);
    let mut other = Snapped { stored: packets[0].stored.clone(), original_len: 1500 };
    other.stored[60] ^= 1;
    packets.push(other);
    let (_dir, dir) = folder(&packets);
    for to in ["pcap", "erf"] {
        let said = json(&erf_in(&dir, &format!("dedup in.pcap out.{to} --window 1s --json")).exits(0));
        assert_eq!((&said["records"], &said["duplicates"]), (&2.into(), &0.into()), "{to}");
    }
}

#[test]
fn what_erf_cuts_off_is_told() {
    for snap in SNAP_LENGTHS {
        let packets = packets(snap);
        let (_dir, dir) = folder(&packets);
        // 16 bytes of header and 2 of padding before each frame.
        let over = packets.iter().filter(|packet| !packet.is_whole()).map(|packet| (18 + packet.stored.len()) % 8);
        let over: Vec<usize> = over.filter(|&over| over > 0).collect();
        let (bytes, count) = (over.iter().sum::<usize>(), over.len());
        assert!(bytes > 0, "{snap}");
        for input in ["in.pcap", "in.pcapng"] {
            for command in
                ["convert IN OUT", "merge IN --out OUT", "sort IN OUT", "shift IN OUT --by 1ms", "cut IN OUT"]
            {
                let line = command.replace("IN", input).replace("OUT", "out.erf --force");
                erf_in(&dir, &line).exits(0).says(&format!("cut off: {bytes} bytes of {count} snapped packets"));
                let said = json(&erf_in(&dir, &format!("{line} --json")).exits(0));
                let told = (&said["not_read"]["cut_bytes"], &said["not_read"]["cut_packets"]);
                assert_eq!(told, (&bytes.into(), &count.into()), "{line} {snap}");
                let made = records(&dir.join("out.erf"));
                assert!(made.len() == 90 && made.iter().all(|(length, _)| length.is_multiple_of(8)), "{line} {snap}");
                let kept = made.iter().zip(&packets).filter(|(_, packet)| !packet.is_whole());
                let lost: usize = kept.map(|((_, bytes), packet)| packet.stored.len() - bytes.len()).sum();
                assert_eq!(lost, bytes, "{line} {snap}");
            }
            let ran = erf_in(&dir, &format!("convert {input} out.erf --force --verify")).exits(0);
            ran.says("read back and found equal but for what is cut off");
            erf_in(&dir, &format!("diff {input} out.erf")).exits(1);
            // Who makes multiples tells it as well.
            erf_in(&dir, &format!("align {input} out.erf --force"))
                .exits(0)
                .says(&format!("{bytes} bytes of {count} packets cut off"));
        }
    }
}

#[test]
fn the_comparison_notices_bytes_that_were_lost_in_reading() {
    let (_dir, dir) = folder(&packets(45));
    let input = dir.join("in.pcap");
    let mut cutting = RecordOptions::default();
    (cutting.cut, cutting.alignment) = (true, 16);
    let open = || Reader::builder().record_options(cutting).open(input.as_path()).expect("the file");
    for format in [FileFormat::Pcap, FileFormat::PcapNg, FileFormat::Erf] {
        for lossless in [false, true] {
            let mut options = FileOptions::new(format);
            options.lossless = lossless && format == FileFormat::PcapNg;
            let mut converter = Converter::new(Vec::new(), "made", options);
            converter.run(&mut open(), |_| {}).expect("it can be converted");
            let (bytes, summary) = converter.finish().expect("memory can be written to");
            assert!(summary.unread.cut_bytes > 0);
            let made = dir.join("made");
            fs::write(&made, bytes).expect("the temporary folder can be written to");
            let fcs = summary.fcs.map(|(policy, _)| policy);
            let found = verify(&mut open(), &input, &made, &options, fcs).expect("both can be read");
            let what = found.expect("a difference").what;
            assert!(what.contains("cut off") || what == "the bytes differ", "{format:?}: {what}");
        }
    }
}
