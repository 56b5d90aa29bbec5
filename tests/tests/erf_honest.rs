//! `erf` says what it loses and what is damaged: the same words in every command, one exit status for all damage, and no panic.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use erf::ext::{ExtType, HostId};
use erf::meta::{MetaWriter, SectionType, TagType};
use erf::session::{Account, Closing, StoppedBy};
use erf::{ExtHeader, Flags, RecordBuilder, RecordType, Timestamp};
use house_skip::need_program;
use house_tests::judge::{capinfos, file_comments, tshark};
use house_tests::run::{Ran, erf, prepared, run};
use serde_json::{Value, json};

const NOW: u32 = 1_700_000_000;

fn at(n: u32) -> Timestamp {
    Timestamp::from_parts(NOW, n << 20)
}

/// What does not compress: compressors would make one block of all, of which a part is nothing.
fn frame(n: u32, len: usize) -> Vec<u8> {
    let mut state = n.wrapping_mul(2_654_435_761);
    let mut frame: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(len)
    .collect();
    frame[12..14].copy_from_slice(&[0x88, 0xB5]);
    frame
}

/// A whole Ethernet frame with its FCS.
fn eth(n: u32) -> RecordBuilder<'static> {
    let payload: &'static [u8] = Box::leak(frame(n, 60 + n as usize % 40).into_boxed_slice());
    RecordBuilder::new(RecordType::ETH).timestamp(at(n)).payload(payload).append_fcs()
}

fn bytes(builder: &RecordBuilder<'_>) -> Vec<u8> {
    builder.to_vec().expect("a record")
}

fn eths(count: u32) -> Vec<u8> {
    (0..count).flat_map(|n| bytes(&eth(n))).collect()
}

/// What pcap has no place for, each thing once, among plain packets.
fn rich() -> Vec<u8> {
    let headers = [ExtHeader::new(ExtType::FLOW_ID, 7 << 48)];
    let mut area = [0; 64];
    let mut meta = MetaWriter::new(&mut area);
    meta.section(SectionType::CAPTURE, erf::meta::SectionId::from_bits(1)).expect("room");
    meta.put(TagType::COMMENT, "word").expect("room");
    let meta = RecordBuilder::new(RecordType::META).timestamp(at(0)).payload(meta.finish());
    let coloured: &'static [u8] = Box::leak(frame(5, 60).into_boxed_slice());
    let coloured = RecordBuilder::new(RecordType::COLOR_ETH).timestamp(at(5)).payload(coloured).append_fcs().lctr(9);
    let ip = RecordBuilder::new(RecordType::IPV4).timestamp(at(7)).payload(&[0x45; 40]);
    let ds = Flags::from_bits(0).with_varying_length(true).with_ds_error(true);
    [
        bytes(&meta),
        bytes(&eth(1)),
        bytes(&eth(2).lctr(3)),
        bytes(&eth(3).ext_headers(&headers)),
        bytes(&eth(4).flags(Flags::from_bits(0).with_varying_length(true).with_rx_error(true))),
        bytes(&coloured),
        bytes(&eth(6).flags(ds)),
        bytes(&ip),
        bytes(&RecordBuilder::new(RecordType::PAD).timestamp(at(7))),
        bytes(&RecordBuilder::new(RecordType::INFINIBAND_LINK).timestamp(at(8)).payload(&[1; 40])),
    ]
    .concat()
}

/// A block of pcapng, little-endian.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, &body, &length].concat()
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    let mut value_padded = value.to_vec();
    value_padded.resize(value.len().next_multiple_of(4), 0);
    [&code.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), &value_padded].concat()
}

/// Another program's pcapng: a named interface, a comment, and blocks that ERF has no place for.
fn foreign() -> Vec<u8> {
    let header = [&0x1A2B_3C4Du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xFF; 8]].concat();
    let section = [&header[..], &option(1, b"rack"), &option(1, b"and roll"), &option(0, &[])].concat();
    let interface = [&[1, 0, 0, 0, 0, 0, 0, 0][..], &option(2, b"uplink"), &option(9, &[9]), &option(0, &[])].concat();
    let mut file = [block(0x0A0D_0D0A, &section), block(1, &interface)].concat();
    file.extend(block(10, &[&0x544C_534Bu32.to_le_bytes()[..], &4u32.to_le_bytes(), b"keys"].concat()));
    file.extend(block(4, &[0; 4]));
    for n in 0..10u32 {
        let (frame, nanos) = (frame(n, 60), u64::from(NOW) * 1_000_000_000 + u64::from(n));
        let head = [0, (nanos >> 32) as u32, nanos as u32, 60, 60].map(u32::to_le_bytes).concat();
        let comment = if n == 3 { [option(1, b"here"), option(0, &[])].concat() } else { Vec::new() };
        file.extend(block(6, &[&head[..], &frame, &comment].concat()));
    }
    file.extend(block(0x0BAD, &[&32_473u32.to_le_bytes()[..], b"mine"].concat()));
    file.extend(block(0x8000_0001, &[1; 8]));
    let statistics = [&[0; 12][..], &option(4, &10u64.to_le_bytes()), &option(0, &[])].concat();
    file.extend(block(5, &statistics));
    file
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_owned();
    (dir, path)
}

fn file(dir: &Path, name: &str, bytes: &[u8]) {
    fs::write(dir.join(name), bytes).expect("the temporary folder can be written to");
}

fn erf_in(dir: &Path, args: &str) -> Ran {
    run(erf(args).current_dir(dir))
}

fn json(ran: &Ran) -> Value {
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr))
}

fn zipped(dir: &Path, program: &str, option: &str, name: &str) -> Vec<u8> {
    let mut command = prepared(program);
    let said = command.args(option.split_whitespace()).args(["-c", name]).current_dir(dir).output().expect("it runs");
    assert!(said.status.success(), "{program}: {}", String::from_utf8_lossy(&said.stderr));
    said.stdout
}

/// Passes that change nothing about these records, with what they need.
const PASSES: [&str; 6] =
    ["cut", "sort", "shift --by 0.000000001s", "dedup", "snap --len 65535", "meta strip --host-ids"];

#[test]
fn every_pass_says_what_convert_says() {
    let (_dir, dir) = folder();
    file(&dir, "in.erf", &rich());
    for to in ["pcap", "pcapng"] {
        let told = json(&erf_in(&dir, &format!("convert in.erf c.{to} --force --json")).exits(0));
        assert_eq!(told["not_carried"]["rx_errors"], 1, "{told}");
        assert_eq!(told["not_carried"]["loss_counters"], u64::from(to == "pcap"));
        assert_eq!(told["not_carried"]["comments"], u64::from(to == "pcap"));
        let words = erf_in(&dir, &format!("convert in.erf c.{to} --force")).exits(0).stderr;
        let not_carried: Vec<&str> =
            words.lines().filter_map(|line| line.split_once("not carried over: ")).map(|(_, what)| what).collect();
        assert!(not_carried.len() >= 4, "{words}");
        for pass in PASSES {
            let line = format!("{pass} in.erf p.{to} --force");
            let mut said = json(&erf_in(&dir, &format!("{line} --json")).exits(0));
            if pass.starts_with("meta strip") {
                assert_eq!(said["not_carried"]["comments"], 0, "it was to go");
                said["not_carried"]["comments"] = told["not_carried"]["comments"].clone();
            }
            assert_eq!((&said["not_carried"], &said["fcs"]), (&told["not_carried"], &told["fcs"]), "{pass}");
            assert_eq!(said["records"], told["written"], "{pass}: totals are of the output");
            let ran = erf_in(&dir, &line).exits(0);
            let stripped = |what: &&&str| pass.starts_with("meta strip") && what.ends_with("comment");
            for what in not_carried.iter().filter(|what| !stripped(what)) {
                ran.says(&format!("p.{to}: not carried over: {what}"));
            }
            ran.says("INFINIBAND_LINK record: no pcap link type");
            if pass != "meta strip --host-ids" {
                ran.says("left out 1 META record");
            }
        }
        let said = json(&erf_in(&dir, &format!("merge in.erf --out p.{to} --force --json")).exits(0));
        assert_eq!((&said["not_carried"], &said["fcs"]), (&told["not_carried"], &told["fcs"]));
        if need_program("capinfos") {
            assert_eq!(Some(capinfos(&dir.join(format!("p.{to}"))).packets), told["written"].as_u64());
        }
    }
    // ERF says it all.
    let ran = erf_in(&dir, "sort in.erf out.erf").exits(0);
    assert_eq!(ran.stderr, "erf: 10 records written\n");
}

#[test]
fn a_pass_finds_out_whether_there_is_an_fcs() {
    let (_dir, dir) = folder();
    let without: Vec<u8> = (0..40)
        .flat_map(|n| {
            let frame = frame(n, 60);
            bytes(&RecordBuilder::new(RecordType::ETH).timestamp(at(n)).payload(&frame))
        })
        .collect();
    file(&dir, "without.erf", &without);
    file(&dir, "with.erf", &eths(40));
    erf_in(&dir, "cut without.erf without.pcap").exits(0).says("Ethernet FCS absent: 0 of the first 32 whole");
    erf_in(&dir, "cut with.erf with.pcap").exits(0).says("Ethernet FCS taken off");
    if need_program("capinfos") {
        assert_eq!(capinfos(&dir.join("without.pcap")).data_size, 40 * 60);
    }
}

#[test]
fn blocks_of_pcapng_that_vanish_are_counted_and_names_stay() {
    let (_dir, dir) = folder();
    file(&dir, "in.pcapng", &foreign());
    let gone = "1 name resolution block, 1 decryption secrets block, 1 statistics block, 1 custom block, 1 other block";
    let mut expected = json!({
        "name_resolution_blocks": 1, "decryption_secrets_blocks": 1, "statistics_blocks": 1, "custom_blocks": 1, "other_blocks": 1,
        "interface_descriptions": 0, "packet_comments": 0, "section_comments": 0, "cut_packets": 0, "cut_bytes": 0,
    });
    for command in ["convert in.pcapng", "cut in.pcapng", "sort in.pcapng", "dedup in.pcapng"] {
        erf_in(&dir, &format!("{command} out.pcapng --force")).exits(0).says(&format!("not carried over: {gone}"));
        let said = json(&erf_in(&dir, &format!("{command} out.pcapng --force --json")).exits(0));
        assert_eq!(said["not_read"], expected, "{command}");
        assert_eq!(said["not_carried"]["ext_headers"], 0, "an anchor is no loss where its comment is there: {said}");
        if need_program("tshark") {
            let rows = tshark(&dir.join("out.pcapng"), "", &["frame.interface_name", "frame.comment"]);
            assert_eq!((rows.len(), rows[3].join(" ")), (10, "uplink here".to_owned()), "{command}");
            let told = file_comments(&dir.join("out.pcapng"));
            assert!(told.contains("rack") && told.contains("and roll"), "{command}: {told}");
        }
    }
    (expected["interface_descriptions"], expected["packet_comments"]) = (1.into(), 1.into());
    expected["section_comments"] = 2.into();
    for command in ["convert in.pcapng out.pcap", "cut in.pcapng out.pcap", "merge in.pcapng --out out.pcap"] {
        let said = json(&erf_in(&dir, &format!("{command} --force --json")).exits(0));
        assert_eq!(said["not_read"], expected, "{command}");
    }
    // Our own are made of records, and lose nothing.
    file(&dir, "in.erf", &rich());
    erf_in(&dir, "convert in.erf whole.pcapng --lossless").exits(0);
    let said = json(&erf_in(&dir, "convert whole.pcapng back.erf --json").exits(0));
    assert_eq!(said["not_read"]["statistics_blocks"], 0, "{said}");
}

#[test]
fn bytes_that_are_cut_off_are_told() {
    let (_dir, dir) = folder();
    let snapped = RecordBuilder::new(RecordType::ETH).timestamp(at(0)).payload(&[7; 61]).wire_len(100).exact();
    file(&dir, "in.erf", &[bytes(&snapped), eths(3)].concat());
    erf_in(&dir, "align in.erf out.erf").exits(0).says("erf: 7 bytes of 1 packet cut off");
    let ran = erf_in(&dir, "snap in.erf out.erf --force --len 40 --exact").exits(0);
    ran.says("of 4 packets cut off");
    assert_eq!(json(&erf_in(&dir, "align in.erf out.erf --force --json").exits(0))["cut_packets"], 1);
}

#[test]
fn damage_of_any_kind_is_one_defect_and_one_exit_status() {
    let (_dir, dir) = folder();
    file(&dir, "whole.erf", &eths(3000));
    erf_in(&dir, "convert whole.erf whole.pcap").exits(0);
    erf_in(&dir, "convert whole.erf whole.pcapng").exits(0);
    let half = |name: &str, bytes: Vec<u8>| file(&dir, name, &bytes[..bytes.len() * 2 / 3 + 21]);
    half("torn.erf", eths(3000));
    for name in ["pcap", "pcapng"] {
        half(&format!("torn.{name}"), fs::read(dir.join(format!("whole.{name}"))).expect("the file"));
    }
    let mut names = vec![("torn.erf", "torn-record"), ("torn.pcap", "broken-file"), ("torn.pcapng", "broken-file")];
    // Blocks small enough for some of them to be whole.
    let programs =
        [("gzip", "", "gz"), ("bzip2", "-1", "bz2"), ("xz", "--block-size=60000", "xz"), ("zstd", "", "zst")];
    for (program, option, ending) in programs {
        if need_program(program) {
            let name = format!("torn.{ending}");
            half(&name, zipped(&dir, program, option, "whole.erf"));
            names.push((Box::leak(name.into_boxed_str()), "broken-file"));
        }
    }
    // A length that leads nowhere, far behind.
    let mut absurd = fs::read(dir.join("whole.pcapng")).expect("the file");
    let at = (absurd.len() / 2) & !3;
    let place = (at..).step_by(4).find(|&at| absurd[at..at + 4] == [6, 0, 0, 0]).expect("a packet block");
    absurd[place + 4..place + 8].copy_from_slice(&0x7FFF_FFFCu32.to_le_bytes());
    file(&dir, "absurd.pcapng", &absurd);
    names.push(("absurd.pcapng", "broken-file"));
    for (name, code) in names {
        let codes = |said: &Value| -> Vec<String> {
            let all = said["defects"].as_array().unwrap_or_else(|| panic!("{name}: {said}"));
            assert_eq!(said["defects_total"], all.len(), "{said}");
            all.iter().map(|defect| defect["code"].as_str().expect("a code").to_owned()).collect()
        };
        for command in ["info --json", "check --json"] {
            let said = json(&run(erf(command).arg(name).current_dir(&dir)).exits(1));
            assert!(codes(&said).contains(&code.to_owned()), "{name}: {said}");
            assert_eq!(said["error"], Value::Null);
        }
        for command in ["cut", "sort", "dedup", "convert", "meta strip", "meta edit --host x"] {
            let said = json(&erf_in(&dir, &format!("{command} {name} out.erf --force --json")).exits(1));
            assert!(codes(&said).contains(&code.to_owned()), "{command} {name}: {said}");
            assert!(said["records"].as_u64() > Some(1), "{command} {name}: {said}");
        }
        erf_in(&dir, &format!("merge {name} --out out.erf --force")).exits(1).says(name);
        erf_in(&dir, &format!("gaps {name}")).exits(1).says(name);
        erf_in(&dir, &format!("dump {name}")).exits(1).says(name);
        erf_in(&dir, &format!("diff {name} {name}")).exits(1).says(name);
        let ran = run(erf("check").arg(name).current_dir(&dir)).exits(1);
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(!text.contains("no defects") && text.contains(code), "{text}");
        let ran = run(erf("info").arg(name).current_dir(&dir)).exits(1);
        assert!(String::from_utf8_lossy(&ran.stdout).contains(code), "{name}");
        let csv = run(erf("info --csv").arg(name).current_dir(&dir)).exits(1);
        assert_ne!(String::from_utf8_lossy(&csv.stdout).lines().nth(1).expect("a row").split(',').nth(23), Some("0"));
        for to in ["erf", "pcap", "pcapng"] {
            let ran = erf_in(&dir, &format!("convert {name} v.{to} --force --verify")).exits(1);
            ran.says("read back and found equal");
        }
    }
    // Not read at all.
    file(&dir, "text.erf", b"no capture at all, but text of some length\n");
    for command in ["info", "check", "dump", "cut -f ip", "convert"] {
        let out = if matches!(command, "info" | "check" | "dump") { "" } else { "out.erf --force" };
        erf_in(&dir, &format!("{command} text.erf {out}")).exits(2);
        erf_in(&dir, &format!("{command} none.erf {out}")).exits(2);
    }
}

#[test]
fn warnings_are_defects_everywhere_and_notes_nowhere() {
    let (_dir, dir) = folder();
    // A META value of four bytes where eight belong; a type without a meaning and a clock set back.
    let meta = RecordBuilder::new(RecordType::META).timestamp(at(0)).payload(&[0, 2, 0, 4, 0, 0, 0, 0]);
    let odd = RecordBuilder::new(RecordType::new(60)).timestamp(at(9)).payload(&[7; 60]);
    file(&dir, "warned.erf", &[bytes(&meta), eths(5)].concat());
    file(&dir, "noted.erf", &[eths(100), bytes(&odd), eths(2)].concat());
    for (name, code, total) in [("warned.erf", 1, 1), ("noted.erf", 0, 0)] {
        for command in ["info --json", "check --json"] {
            let said = json(&run(erf(command).arg(name).current_dir(&dir)).exits(code));
            assert_eq!(said["defects_total"], total, "{command}: {said}");
        }
        for command in ["cut NAME out.erf", "sort NAME out.erf", "convert NAME out.pcapng", "merge NAME --out out.erf"]
        {
            let line = format!("{} --force --json", command.replace("NAME", name));
            let said = json(&erf_in(&dir, &line).exits(code));
            assert_eq!(said["defects_total"], total, "{command}: {said}");
        }
    }
    let ran = run(erf("check").arg("warned.erf").current_dir(&dir)).exits(1);
    assert!(String::from_utf8_lossy(&ran.stdout).ends_with(", 1 defect\n"));
}

#[test]
fn more_defects_than_are_told_are_counted() {
    let (_dir, dir) = folder();
    let zero = |n: u32| {
        let mut record = bytes(&RecordBuilder::new(RecordType::IPV4).timestamp(at(n)).payload(&[0x45; 40]));
        record[14..16].fill(0);
        record
    };
    file(&dir, "in.erf", &[eths(100), (0..1500).flat_map(|n| zero(n + 100)).collect()].concat());
    let ran = erf_in(&dir, "cut in.erf out.erf --json").exits(1);
    ran.says("erf: 500 defects more");
    let said = json(&ran);
    assert_eq!((&said["defects_total"], said["defects"].as_array().map(Vec::len)), (&1500.into(), Some(1000)));
}

#[test]
fn what_could_not_be_read_is_in_every_list() {
    let (_dir, dir) = folder();
    fs::create_dir(dir.join("in")).expect("a folder");
    file(&dir.join("in"), "a.erf", &eths(3));
    file(&dir.join("in"), "b.erf", b"no capture at all, but text of some length\n");
    let said = json(&erf_in(&dir, "convert in --out-dir out --to pcap --json").exits(2));
    assert_eq!((&said[0]["written"], &said[1]["input"]), (&3.into(), &"in/b.erf".into()), "{said}");
    assert!(said[1]["error"].as_str().is_some_and(|text| text.contains("b.erf")), "{said}");
    let ran = erf_in(&dir, "info in --csv").exits(2);
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.splitn(25, ',').collect()).collect();
    assert_eq!((rows.len(), rows[2][0], rows[0][24]), (3, "in/b.erf", "error"), "{text}");
    assert!(rows[2][24].contains("b.erf"), "{text}");
}

#[test]
fn twins_that_disorder_hides_are_told() {
    let (_dir, dir) = folder();
    let all: Vec<Vec<u8>> = (0..60).map(|n| bytes(&eth(n))).collect();
    file(&dir, "in.erf", &[all.concat(), all[..20].concat()].concat());
    let ran = erf_in(&dir, "dedup in.erf out.erf --window 100us --json").exits(0);
    ran.says("20 packets stamped earlier than one before by more than the window");
    ran.says("erf sort");
    assert_eq!((&json(&ran)["out_of_order"], &json(&ran)["duplicates"]), (&20.into(), &0.into()));
    erf_in(&dir, "sort in.erf sorted.erf").exits(0);
    let ran = erf_in(&dir, "dedup sorted.erf out.erf --force --window 100us --json").exits(0);
    assert_eq!((&json(&ran)["out_of_order"], &json(&ran)["duplicates"]), (&0.into(), &20.into()));
}

#[test]
fn a_part_does_not_take_the_account_of_the_whole_for_its_own() {
    let (_dir, dir) = folder();
    let mut account = Account::default();
    (account.received, account.delivered, account.stopped_by) = (50, 50, StoppedBy::Count);
    let closing = Closing::new(at(0), at(49), account).to_bytes().expect("a record");
    file(&dir, "whole.erf", &[eths(50), closing].concat());
    erf_in(&dir, "cut whole.erf part.erf --skip 40").exits(0);
    for (name, is_whole) in [("whole.erf", true), ("part.erf", false)] {
        let said = json(&run(erf("info --json").arg(name).current_dir(&dir)).exits(0));
        assert_eq!(
            (&said["recording"]["delivered"], &said["recording"]["is_of_this_file"]),
            (&50.into(), &is_whole.into())
        );
        let ran = run(erf("info").arg(name).current_dir(&dir)).exits(0);
        let text = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert_eq!(text.contains("the whole recording; of it, this file has 10 packets"), !is_whole, "{text}");
    }
}

#[test]
fn a_filter_passes_over_what_it_has_no_meaning_for() {
    let (_dir, dir) = folder();
    let ip = |n| bytes(&RecordBuilder::new(RecordType::IPV4).timestamp(at(n)).payload(&[0x45; 40]));
    file(&dir, "mixed.erf", &[eths(5), ip(6), ip(7), bytes(&eth(8))].concat());
    let mut command = erf("cut mixed.erf out.erf --json");
    let ran =
        run(command.args(["--filter", "ether proto 0x88b5 or ether src 45:45:45:45:45:45"]).current_dir(&dir)).exits(0);
    ran.says("the filter has no meaning for them: 2 RAW (101) packets");
    let said = json(&ran);
    assert_eq!((&said["records"], &said["filter_without_meaning"]), (&6.into(), &json!({ "RAW (101)": 2 })));
}

/// As tcpdump has it of the file that a conversion makes: also without an FCS, and with other criteria beside it.
#[test]
fn a_filter_sees_what_a_conversion_writes() {
    let (_dir, dir) = folder();
    let without: Vec<u8> = (0..40)
        .flat_map(|n| {
            let mut payload = frame(n, 60);
            payload[56..].copy_from_slice(&[0xDE, 0xAD, 0xBE, 0xEF]);
            bytes(&RecordBuilder::new(RecordType::ETH).timestamp(at(n)).interface((n % 2) as u8).payload(&payload))
        })
        .collect();
    file(&dir, "without.erf", &without);
    file(&dir, "with.erf", &eths(40));
    let records = |args: &str| json(&erf_in(&dir, args).exits(0))["records"].as_u64().expect("a number");
    assert_eq!(records("cut without.erf a.erf --json -f len=60"), 40);
    // Single bytes need libpcap, which comes with tcpdump.
    if need_program("tcpdump") {
        let command = &mut erf("cut without.erf b.erf --json");
        let at_the_end = run(command.current_dir(&dir).args(["-f", "ether[56:4] = 0xdeadbeef"])).exits(0);
        assert_eq!(json(&at_the_end)["records"], 40);
    }
    // Frames of 60 to 99 bytes, and behind them an FCS that no filter sees.
    assert_eq!(records("cut with.erf c.erf --json -f len=60"), 1);
    assert_eq!(records("cut without.erf d.erf --json -f len=60 -i 1"), 20);
    assert_eq!(records("cut without.erf e.erf --json -f len=60 -i 1 --skip 5 --count 7"), 7);

    // Only packets that the filter is asked about count as those for which it has no meaning.
    let raw = |n| bytes(&RecordBuilder::new(RecordType::IPV4).timestamp(at(n)).payload(&[0x45; 40]));
    let mixed: Vec<u8> = (0..30).flat_map(|n| [bytes(&eth(n)), raw(n)].concat()).collect();
    file(&dir, "mixed.erf", &mixed);
    for (args, expected) in [("f.erf", 30), ("g.erf -t ETH", 0), ("h.erf --count 2", 1)] {
        let mut command = erf("cut mixed.erf --json -f");
        command.current_dir(&dir).arg("ether proto 0x88b5 or ether src 45:45:45:45:45:45").args(args.split(' '));
        let counts = json(&run(&mut command).exits(0))["filter_without_meaning"].clone();
        let counts = counts.as_object().expect("counts").values().filter_map(Value::as_u64);
        assert_eq!(counts.sum::<u64>(), expected, "{args}");
    }
}

#[test]
fn a_merge_makes_do_with_the_files_it_may_open() {
    let (_dir, dir) = folder();
    fs::create_dir(dir.join("in")).expect("a folder");
    for n in 0..120 {
        file(&dir.join("in"), &format!("{n:03}.erf"), &bytes(&eth(n)));
    }
    let limited = |soft: u32, hard: u32, out: &str| {
        let line = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$ERF\" merge in --out {out}");
        let program = erf("").get_program().to_owned();
        run(prepared("bash").current_dir(&dir).env("ERF", program).args(["-c", &line]))
    };
    // The soft limit is raised; a hard one leads to more rounds, or to words.
    limited(32, 1024, "raised.erf").exits(0);
    limited(64, 64, "rounds.erf").exits(0);
    for name in ["raised.erf", "rounds.erf"] {
        assert_eq!(fs::read(dir.join(name)).expect("the output"), eths(120), "{name}");
    }
    limited(24, 24, "never.erf").exits(2).says("120 inputs are too many for the 24 files that may be open");
    assert!(!dir.join("never.erf").exists());
}

/// Whatever the input, every command ends by itself with 0, 1 or 2.
#[test]
fn no_command_panics() {
    let (_dir, dir) = folder();
    file(&dir, "rich.erf", &rich());
    erf_in(&dir, "convert rich.erf rich.pcap").exits(0);
    erf_in(&dir, "convert rich.erf rich.pcapng --lossless").exits(0);
    file(&dir, "foreign.pcapng", &foreign());
    let mut gzip = Command::new("gzip");
    gzip.args(["-k", "rich.erf"]).current_dir(&dir).status().expect("gzip runs");
    let good: Vec<Vec<u8>> = ["rich.erf", "rich.pcap", "rich.pcapng", "foreign.pcapng", "rich.erf.gz"]
        .map(|name| fs::read(dir.join(name)).expect("the file"))
        .to_vec();
    // A small generator, the same each time.
    let mut state = 7u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let mut hostile: Vec<Vec<u8>> = vec![Vec::new(), vec![0; 100], vec![0xFF; 100]];
    for file in &good {
        hostile.push(file[..file.len() * 3 / 4].to_vec());
        for _ in 0..3 {
            let mut broken = file.clone();
            for _ in 0..1 + random(6) {
                let at = random(broken.len());
                broken[at] = [0, 0xFF, 0x80, 1, random(256) as u8][random(5)];
            }
            hostile.push(broken);
        }
    }
    let headers = [ExtHeader::from(HostId { source_id: 255, host_id: u64::MAX >> 16 }); 16];
    hostile.push(bytes(&eth(1).ext_headers(&headers)).repeat(3));
    let commands = [
        "info IN",
        "info IN --json --clock",
        "check IN --severity note",
        "dump IN --full --hex",
        "dump IN --json --full",
        "gaps IN",
        "meta show IN",
        "diff IN IN",
        "align IN OUT",
        "convert IN OUT",
        "convert IN OUT.pcap --verify",
        "convert IN OUT.pcapng --verify",
        "convert IN OUT.pcapng --lossless --verify",
        "cut IN OUT.pcapng",
        "cut IN OUT --filter ip --from +1ms",
        "dedup IN OUT --window 1s",
        "merge IN IN --out OUT --window 1s",
        "merge IN --out OUT.pcap --scale 1=5ppm",
        "meta add IN OUT --comment x",
        "meta strip IN OUT --host-ids",
        "meta edit IN OUT --host x",
        "repair IN OUT --partial",
        "shift IN OUT --by -1s",
        "snap IN OUT --len 17",
        "sort IN OUT",
        "split IN --out-dir parts --by source",
        "split IN --out-dir parts --every 1ms",
    ];
    for (number, bytes) in hostile.iter().enumerate() {
        let name = format!("hostile{number}");
        file(&dir, &name, bytes);
        for command in commands {
            for flags in ["", "--read-as erf --recover"] {
                if !flags.is_empty() && command.starts_with("repair") {
                    continue;
                }
                let writes = if command.contains("OUT") || command.starts_with("split") { "--force" } else { "" };
                let command = command.replace("OUT", "out.erf").replace("out.erf.", "out.").replace("IN", &name);
                let ran = erf_in(&dir, &format!("{command} {writes} {flags}"));
                let code = ran.status.code();
                let ended_well = matches!(code, Some(0..=2)) && !ran.stderr.contains("panicked");
                assert!(ended_well, "{command} {flags}: {code:?} {}", ran.stderr);
                // A usage error would mean that this test asks for nothing.
                assert!(!ran.stderr.contains("Usage:"), "{command} {flags}: {}", ran.stderr);
            }
        }
    }
}
