//! `erf info`, `check`, `repair` and `dump`, held against other people's programs and against what `erf-format.md` section 11 says
//! of every kind of damage.

use std::fs;
use std::path::{Path, PathBuf};

use erf::check::Broken;
use erf::ext::{ExtType, HostId};
use erf::meta::{MetaWriter, SectionId, SectionType, TagType};
use erf::{DefectKind, ExtHeader, NAMED, Record, RecordBuilder, RecordType, Records, Timestamp};
use house_skip::{need_program, sample};
use house_tests::judge;
use house_tests::run::{Ran, erf, run};
use serde_json::Value;

const NOW: u32 = 1_700_000_000;

fn record(record_type: RecordType, n: u32) -> Vec<u8> {
    let stamp = Timestamp::from_parts(NOW + n / 10, ((n % 10) * 0x1999_9999) & 0xFFFF_FFC0);
    let frame: Vec<u8> = (0..60 + n % 50).map(|byte| (byte * 7 + n) as u8).collect();
    let record = RecordBuilder::new(record_type).timestamp(stamp).interface((n % 2) as u8).payload(&frame);
    let record = if record_type == RecordType::ATM || record_type == RecordType::MC_ATM {
        record.payload(&frame[..52])
    } else {
        record.append_fcs()
    };
    record.to_vec().expect("a frame fits its record")
}

fn eths(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|n| record(RecordType::ETH, n)).collect()
}

/// A record of `length` bytes with any type byte, and an `rlen` of its own.
fn odd(type_byte: u8, rlen: u16, length: usize) -> Vec<u8> {
    let mut bytes = record(RecordType::IPV4, 21);
    bytes.resize(length.max(16), 0x55);
    bytes[8] = type_byte;
    bytes[10..12].copy_from_slice(&rlen.to_be_bytes());
    bytes.truncate(length);
    bytes
}

fn at(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("the temporary folder can be written to");
    path
}

fn on(command: &str, file: &Path) -> Ran {
    run(erf(command).arg(file))
}

fn info(file: &Path, code: i32) -> Value {
    json(&on("info --json", file).exits(code))
}

fn out(ran: &Ran) -> &str {
    std::str::from_utf8(&ran.stdout).expect("UTF-8")
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(out(ran)).unwrap_or_else(|error| panic!("{error}: {}{}", out(ran), ran.stderr))
}

fn codes(report: &Value) -> Vec<String> {
    report["defects"].as_array().expect("a list").iter().map(|defect| text(&defect["code"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// What was wrong, by `erf check`, and what `erf repair` wrote.
fn checked(folder: &Path, bytes: &[u8], flags: &str) -> (Vec<String>, Vec<u8>) {
    let file = at(folder, "damaged.erf", bytes);
    let ran = run(erf(&format!("check --json --read-as erf --severity note {flags}")).arg(&file));
    let report = json(&ran);
    let found = codes(&report);
    assert_eq!(ran.status.code(), Some(i32::from(!found.is_empty())), "{found:?}");
    (found, repaired(&file))
}

fn repaired(file: &Path) -> Vec<u8> {
    let (once, twice) = (file.with_extension("once"), file.with_extension("twice"));
    let first = run(erf("repair --force --json").arg(file).arg(&once));
    let report = json(&first);
    let [total, kept, dropped] =
        ["bytes_in", "bytes_kept", "bytes_dropped"].map(|key| report[key].as_u64().expect("a count"));
    assert_eq!(total, kept + dropped);
    assert_eq!(total, fs::metadata(file).unwrap().len());
    let written = fs::read(&once).unwrap();
    assert_eq!(written.len() as u64, kept);
    assert_eq!(first.status.code(), Some(i32::from(dropped > 0)));
    if !written.is_empty() {
        run(erf("repair --force").arg(&once).arg(&twice)).exits(0);
        assert!(fs::read(&twice).unwrap() == written, "repaired twice is not repaired once");
    }
    written
}

#[test]
fn the_samples_are_what_their_manifest_says() {
    for (name, records, types, first, last, wire, captured, snapped, tick) in [
        ("libtrace-100_packets.erf", 100, "ETH", "0x4148d781002f4700", "0x4148d781074b0500", 30_960, 5984, 100, 24),
        ("libtrace-5_packets.erf.gz", 5, "ETH", "0x4148d781002f4700", "0x4148d781004bcc00", 1225, 266, 5, 24),
        ("libtrace-provenance.erf", 100, "META", "0x5a967dcb00000000", "0x5a967dfc00000000", 0, 0, 0, 0),
        ("scapy-erf_eth_exthdr.erf", 2, "ETH", "0x5f92395f45213b34", "0x5f92395f4522cd30", 160, 160, 0, 30),
    ] {
        let Some(file) = sample(name) else { return };
        let said = info(&file, 0);
        assert_eq!(said["schema"], 1);
        assert_eq!((&said["records"], &said["by_type"][types]), (&records.into(), &records.into()), "{name}");
        assert_eq!((&said["first"]["raw"], &said["last"]["raw"]), (&first.into(), &last.into()), "{name}");
        let counts = ["wire_bytes", "captured_bytes", "snapped", "tick_bits", "lost", "pads", "backward_steps"];
        assert_eq!(counts.map(|key| said[key].as_u64().unwrap()), [wire, captured, snapped, tick, 0, 0, 0], "{name}");
        assert_eq!(said["defects"], Value::Array(Vec::new()), "{name}");
        on("check", &file).exits(0);
    }
    let Some(scapy) = sample("scapy-erf_eth_exthdr.erf") else { return };
    assert_eq!(info(&scapy, 0)["fcs"]["verdict"], "present");
    let Some(probe) = sample("libtrace-provenance.erf") else { return };
    let meta = &info(&probe, 0)["meta"]["objects"];
    let sections: Vec<String> = meta.as_array().unwrap().iter().map(|object| text(&object["section"])).collect();
    for section in ["Capture", "Host", "Module", "Interface"] {
        assert!(sections.iter().any(|found| found.eq_ignore_ascii_case(section)), "{section}: {sections:?}");
    }
    let Some(legacy) = sample("libtrace-legacyeth.gz") else { return };
    on("info", &legacy).exits(2).says("before ERF");
}

#[test]
fn counts_and_stamps_are_those_of_capinfos_and_tshark() {
    if !need_program("capinfos") || !need_program("tshark") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let known = NAMED.iter().filter(|kind| !matches!(kind.number(), 0 | 27 | 48));
    let mut bytes = Vec::new();
    let mut records = Vec::new();
    for n in 0..20 {
        for &kind in known.clone() {
            records.push(record(kind, n));
        }
    }
    bytes.extend(records.concat());
    let file = at(folder.path(), "all.erf", &bytes);
    let said = info(&file, 0);
    let capinfos = judge::capinfos(&file);
    let number = |key: &str| said[key].as_u64().unwrap();
    assert_eq!((number("records"), number("wire_bytes")), (capinfos.packets, capinfos.data_size));
    let ns = |key: &str| said[key]["ns"].as_u64();
    assert_eq!((ns("earliest"), ns("latest")), (capinfos.first, capinfos.last));

    // Every line of a dump is the packet that tshark shows.
    let lines = on("dump --json", &file).exits(0);
    let dumped: Vec<Value> = out(&lines).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown = judge::tshark(&file, "", &["frame.time_epoch", "frame.len", "erf.types.type", "erf.flags.cap"]);
    assert_eq!(dumped.len(), shown.len());
    let mut offset = 0;
    for ((one, shown), bytes) in dumped.iter().zip(&shown).zip(&records) {
        assert_eq!(one["ns"].as_u64(), judge::nanos(&shown[0]));
        assert_eq!(one["wire_length"].to_string(), shown[1]);
        let kind = shown[2].strip_prefix("0x").map_or(shown[2].parse(), |hex| u8::from_str_radix(hex, 16)).unwrap();
        assert_eq!(one["type_number"], kind);
        assert_eq!(one["interface"].to_string(), shown[3].trim_start_matches("0x"));
        assert_eq!(one["offset"], offset);
        offset += bytes.len();
    }
    assert_eq!(out(&on("dump", &file).exits(0)).lines().count(), records.len());
    assert_eq!(out(&on("dump --count 3", &file).exits(0)).lines().count(), 3);
}

#[test]
fn libtrace_counts_the_same() {
    if !need_program("tracestats") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = at(folder.path(), "eth.erf", &eths(500).concat());
    let mut tracestats = house_tests::run::prepared("tracestats");
    let ran = run(tracestats.arg(format!("erf:{}", file.display())));
    let said = info(&file, 0);
    let packets = out(&ran).lines().chain(ran.stderr.lines()).find(|line| line.trim_start().starts_with("Total"));
    let packets = packets.unwrap_or_else(|| panic!("no total: {}{}", out(&ran), ran.stderr));
    let fields: Vec<&str> = packets.split(|c: char| !c.is_ascii_digit()).filter(|field| !field.is_empty()).collect();
    assert!(fields.contains(&"500") && said["packets"] == 500, "{packets}");
}

#[test]
fn several_files_folders_and_pipes() {
    let folder = tempfile::tempdir().unwrap();
    let good = at(folder.path(), "a.erf", &eths(40).concat());
    at(folder.path(), "b.erf", &[&eths(10).concat()[..], &[7; 9]].concat());
    let all = info(folder.path(), 1);
    let records: Vec<u64> = all.as_array().unwrap().iter().map(|one| one["records"].as_u64().unwrap()).collect();
    assert_eq!(records, [40, 10]);
    assert_eq!(all[1]["defects"][0]["code"], "torn-header");
    assert_eq!(out(&on("info --csv", folder.path()).exits(1)).lines().count(), 3);
    let mut piped = erf("info --json -");
    piped.stdin(fs::File::open(&good).unwrap());
    assert_eq!(json(&run(&mut piped).exits(0))["records"], 40);
    run(erf("info").arg(&good).arg(folder.path().join("none.erf"))).exits(2).says("none.erf");
}

#[test]
fn many_threads_say_what_one_says() {
    let folder = tempfile::tempdir().unwrap();
    // More than a chunk, damaged in several places.
    let mut bytes = eths(200_000).concat();
    for place in [1_000_000, 9_000_000, 17_000_003] {
        if let Some(field) = bytes.get_mut(place..place + 200) {
            field.fill(0xE5);
        }
    }
    assert!(bytes.len() > 20 << 20);
    let file = at(folder.path(), "long.erf", &bytes);
    let mut by_file = json(&on("info --json --recover", &file).exits(1));
    let mut piped = erf("info --json --recover -");
    piped.stdin(fs::File::open(&file).unwrap());
    let mut by_pipe = json(&run(&mut piped).exits(1));
    for said in [&mut by_file, &mut by_pipe] {
        said.as_object_mut().unwrap().remove("file");
    }
    assert_eq!(by_file, by_pipe);
    assert!(by_file["records"].as_u64().unwrap() > 199_000);
}

/// Every row of the table of section 11: what `check` finds without and with recovery, and that `repair` keeps what is good.
#[test]
fn odd_and_malformed_input() {
    let folder = tempfile::tempdir().unwrap();
    let good = eths(40);
    let (front, back) = (good[..20].concat(), good[20..].concat());
    let whole = good.concat();
    let between = |middle: &[u8]| [&front[..], middle, &back[..]].concat();
    let behind = |tail: &[u8]| [&whole[..], tail].concat();
    let check = |bytes: &[u8], flags: &str| checked(folder.path(), bytes, flags);
    let none: [&str; 0] = [];

    for rlen in 0..16 {
        let bytes = between(&odd(22, rlen, 80));
        let (found, kept) = check(&bytes, "");
        assert_eq!(found, ["record-length"], "{rlen}");
        assert!(kept == whole, "{rlen}");
        assert!(check(&bytes, "--recover").0.contains(&"skipped".to_owned()), "{rlen}");
    }
    // A record of 16 bytes is empty where its type needs no more, and too short where it does.
    let mut empty = odd(22, 16, 16);
    empty[14..16].fill(0);
    assert_eq!(check(&between(&empty), "").0, none);
    let (found, kept) = check(&between(&odd(2, 16, 16)), "");
    assert_eq!((found, kept == whole), (vec!["headers-too-long".to_owned()], true));
    let (found, kept) = check(&between(&odd(0x80 | 22, 64, 64)), "");
    // 0x55 has no "more" bit, so the chain is one header.
    assert_eq!((found, kept.len()), (Vec::new(), whole.len() + 64));
    let mut open = odd(0x80 | 22, 64, 64);
    open[16..].fill(0xFF);
    let (found, kept) = check(&between(&open), "");
    assert_eq!((found, kept == whole), (vec!["open-chain".to_owned()], true));
    // Tails.
    for (tail, code) in [
        (good[0][..40].to_vec(), "torn-record"),
        (good[0][..9].to_vec(), "torn-header"),
        (vec![0; 5000], "zero-tail"),
        (vec![0xFF; 5000], "torn-record"),
    ] {
        let (found, kept) = check(&behind(&tail), "");
        assert_eq!(found, [code]);
        assert!(kept == whole, "{code}");
    }
    // More than sixteen extension headers.
    let many = vec![ExtHeader::new(ExtType::new(0), 7); 40];
    let chained = RecordBuilder::new(RecordType::IPV4).timestamp(Timestamp::from_parts(NOW + 2, 0)).interface(7);
    let chained = chained.ext_headers(&many).payload(&[0x45; 20]).to_vec().unwrap();
    assert_eq!(check(&between(&chained), "").0, none);
    // Lengths on the wire.
    let mut zero = good[20].clone();
    zero[14..16].fill(0);
    assert_eq!(check(&between(&zero), "").0, ["zero-wire-length"]);
    let mut large = good[20].clone();
    large[14..16].fill(0xFF);
    assert_eq!(check(&between(&large), "").0, none);
    // PAD, with and without the extension bit, and alone.
    let mut pad = vec![0; 16];
    pad[8] = 48;
    pad[11] = 16;
    assert_eq!(check(&between(&pad), "").0, none);
    assert_eq!(check(&pad.repeat(3), "").0, none);
    let mut chained = [&pad[..], &[0x11, 0, 0, 0, 0, 0, 0, 1]].concat();
    (chained[8], chained[11]) = (0x80 | 48, 24);
    assert_eq!(check(&between(&chained), "").0, none);
    // Types.
    assert_eq!(check(&between(&odd(0, 80, 80)), "").0, ["legacy-type"]);
    for kind in [26, 60] {
        assert_eq!(check(&between(&odd(kind, 80, 80)), "").0, ["unknown-type"]);
    }
    // Stamps.
    let stamped = |raw: u64| {
        let mut record = good[20].clone();
        record[..8].copy_from_slice(&raw.to_le_bytes());
        record
    };
    let here = Record::parse(&good[19]).unwrap().timestamp().raw();
    let time = |raw: u64| check(&between(&stamped(raw)), "").0;
    assert_eq!(time(here - (5 << 32)), ["time-backwards"]);
    assert_eq!(time(here + ((2 * 365 * 86_400) << 32)), ["time-jump", "time-backwards"]);
    assert_eq!(time(0), ["time-zero", "time-backwards", "time-jump"]);
    assert_eq!(time(0xFFFF_FFFF_FFFF_FFFF), ["time-jump", "time-backwards"]);
    // Garbage.
    let (_, kept) = check(&[&[0xE5; 333][..], &whole].concat(), "--recover");
    assert!(kept == whole);
    let prefixed = at(folder.path(), "prefixed.erf", &[&[0xE5; 333][..], &whole].concat());
    on("info", &prefixed).exits(2).says("force the format");
    let (found, kept) = check(&between(&[0xE5; 333]), "--recover");
    assert!(kept == whole && found.contains(&"skipped".to_owned()), "{found:?}");
}

#[test]
fn meta_records_that_are_wrong_inside() {
    let folder = tempfile::tempdir().unwrap();
    let meta = |area: &[u8]| {
        let record = RecordBuilder::new(RecordType::META).timestamp(Timestamp::from_parts(NOW + 2, 0)).interface(5);
        [&eths(20).concat()[..], &record.payload(area).to_vec().unwrap()].concat()
    };
    let check = |area: &[u8]| checked(folder.path(), &meta(area), "").0;
    assert_eq!(check(&[0, 12, 0, 200, b'x', 0, 0, 0]), ["meta-tag"]);
    // CVE-2026-76884: gen_time that is empty or short; a snap length in front of a section without tags.
    assert_eq!(check(&[0, 2, 0, 0]), Vec::<String>::new());
    assert_eq!(check(&[0, 2, 0, 4, 1, 2, 3, 4]), ["meta-value"]);
    let mut area = [0; 256];
    let mut writer = MetaWriter::new(&mut area);
    writer.section(SectionType::MODULE, SectionId::from_bits(5)).unwrap().put(TagType::SNAPLEN, 128u32).unwrap();
    writer.section(SectionType::INTERFACE, SectionId::interface(0)).unwrap();
    assert_eq!(check(writer.finish()), Vec::<String>::new());
    // A value of fewer than four bytes where four belong.
    assert_eq!(check(&[0, 29, 0, 2, 1, 2, 0, 0]), ["meta-value"]);
}

/// The shapes of section 11.1: whatever they are, every program says so and ends by itself.
#[test]
fn shapes_that_broke_other_readers() {
    let folder = tempfile::tempdir().unwrap();
    let good = eths(20).concat();
    // CVE-2009-3829: lengths below the header for every type. CVE-2011-4102: headers longer than the record.
    let mut shapes = Vec::new();
    for kind in 0..=255u8 {
        for rlen in [0, 15, 16, 17, 20, 23, 24] {
            shapes.push(odd(kind, rlen, usize::from(rlen.max(16))));
        }
    }
    // CVE-2012-4294 and 4295: any rate in the Channelised header.
    for value in 0..=255u64 {
        let headers = [ExtHeader::new(ExtType::CHANNELISED, value << 16 | value << 8)];
        let record = RecordBuilder::new(RecordType::MC_HDLC).timestamp(Timestamp::from_parts(NOW + 3, 0));
        shapes.push(record.ext_headers(&headers).payload(&[7; 20]).to_vec().unwrap());
    }
    // Every shape that leads on, in one file; each that does not, behind good records.
    let leads = |shape: &&Vec<u8>| u16::from_be_bytes([shape[10], shape[11]]) >= 16;
    let file = at(
        folder.path(),
        "shapes.erf",
        &[&good[..], &shapes.iter().filter(leads).flatten().copied().collect::<Vec<u8>>()].concat(),
    );
    for command in [
        "info --read-as erf",
        "check --read-as erf",
        "dump --read-as erf --full --hex",
        "dump --read-as erf --json --full",
    ] {
        on(command, &file).exits(1);
    }
    repaired(&file);
    let full = on("dump --read-as erf --full", &file);
    assert!(out(&full).contains("container "), "extension headers are shown in words");
}

#[test]
fn every_code_is_explained_and_in_the_table() {
    let table = include_str!("../../docs/defects.md");
    for kind in DefectKind::ALL {
        let row = format!("| `{}` | {} | {} |", kind.code(), kind.severity(), kind.meaning());
        assert!(table.contains(&row), "docs/defects.md lacks:\n{row}");
        let said = run(&mut erf(&format!("check --explain {}", kind.code()))).exits(0);
        assert!(out(&said).contains(kind.code()));
    }
    let row = format!("| `{}` | {} | {} |", Broken::CODE, Broken::SEVERITY, Broken::MEANING);
    assert!(table.contains(&row), "docs/defects.md lacks:\n{row}");
    assert!(out(&run(&mut erf("check --explain broken-file")).exits(0)).contains(Broken::CODE));
    assert_eq!(table.matches("\n| `").count(), DefectKind::ALL.len() + 1);
    run(&mut erf("check --explain nonsense")).exits(2).says("torn-record");
}

#[test]
fn ports_of_several_hosts_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = Vec::new();
    for n in 0..30u32 {
        let flow = ExtHeader::new(ExtType::FLOW_ID, 4 << 48);
        let headers = [flow, HostId { source_id: 9, host_id: u64::from(n % 3) }.into()];
        let stamp = Timestamp::from_parts(NOW + n, 0);
        let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp).ext_headers(&headers).payload(&[7; 60]);
        bytes.extend(record.to_vec().unwrap());
    }
    let file = at(folder.path(), "hosts.erf", &bytes);
    let ports = info(&file, 0)["interfaces"].clone();
    let seen: Vec<(Value, Value, Value)> = ports
        .as_array()
        .unwrap()
        .iter()
        .map(|port| (port["host"].clone(), port["source"].clone(), port["packets"].clone()))
        .collect();
    let host = |n: u32| Value::from(format!("{n:012x}"));
    assert_eq!(
        seen,
        [(Value::Null, 4.into(), 10.into()), (host(1), 4.into(), 10.into()), (host(2), 4.into(), 10.into())]
    );
}

#[test]
fn a_torn_recording_is_repaired_for_other_programs() {
    if !need_program("capinfos") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let good = eths(300).concat();
    let torn = at(folder.path(), "torn.erf", &good[..good.len() - 5]);
    let ran = run(erf("repair --partial").arg(&torn).arg(folder.path().join("out.erf"))).exits(1);
    assert!(out(&ran).contains("kept as a snapped one"), "{}", out(&ran));
    let out = folder.path().join("out.erf");
    assert_eq!(judge::capinfos(&out).packets, 300);
    assert!(Records::new(&fs::read(&out).unwrap()).all(|record| record.is_ok()));
    // Nothing is written over by accident, and never the input.
    run(erf("repair").arg(&torn).arg(&out)).exits(2).says("--force");
    run(erf("repair --force").arg(&torn).arg(&torn)).exits(2).says("while it is read");
    // In pipes.
    let mut piped = erf("repair - -");
    piped.stdin(fs::File::open(&torn).unwrap());
    piped.stdout(fs::File::create(folder.path().join("piped.erf")).unwrap());
    run(&mut piped).exits(1);
    assert_eq!(judge::capinfos(&folder.path().join("piped.erf")).packets, 299);
}
