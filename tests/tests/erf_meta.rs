//! `erf meta` and what else says what META records say: for a person, for a terminal, as JSON.

use std::fs;
use std::path::Path;

use erf::meta::{Meta, MetaWriter, SectionId, SectionType, TagType};
use erf::{Record, RecordBuilder, RecordType, Records, Timestamp};
use house_skip::need_program;
use house_tests::judge::tshark;
use house_tests::run::{Ran, erf, run};

fn erf_in(dir: &Path, args: &str) -> Ran {
    run(erf(args).current_dir(dir))
}

fn text(ran: Ran) -> String {
    String::from_utf8(ran.exits(0).stdout).expect("text")
}

/// A META record about host and two interfaces, and a packet.
fn file(dir: &Path, name: &str, host: &str) {
    let mut area = [0; 512];
    let mut writer = MetaWriter::new(&mut area);
    let stamp = Timestamp::from_parts(1_700_000_000, 0);
    writer.put(TagType::GEN_TIME, stamp).expect("room");
    writer
        .section(SectionType::HOST, SectionId::from_bits(1))
        .expect("room")
        .put(TagType::HOSTNAME, host)
        .expect("room");
    writer.put(TagType::OS, "Linux").expect("room");
    for number in 0..2 {
        writer.section(SectionType::INTERFACE, SectionId::interface(number)).expect("room");
        writer.put(TagType::NAME, "port").expect("room");
        writer.put(TagType::IF_SPEED, 10_000_000_000u64).expect("room");
        writer.put(TagType::IF_MAC, [0, 0x25, 0x90, 0xC0, 0x3E, number]).expect("room");
    }
    let source = [erf::core::ext::HostId { source_id: 5, host_id: 0x0025_90C0_3E08 }.into()];
    let meta = RecordBuilder::new(RecordType::META).timestamp(stamp).ext_headers(&source);
    let meta = meta.payload(writer.finish()).to_vec().expect("a record");
    let packet = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 60]).append_fcs();
    fs::write(dir.join(name), [meta, packet.to_vec().expect("a record")].concat()).expect("a file");
}

/// The text of a tag in each section of its kind, of all META records.
fn said(path: &Path, section: SectionType, tag: TagType) -> Vec<Option<String>> {
    let bytes = fs::read(path).expect("the file");
    let records: Vec<Record<'_>> = Records::new(&bytes).map(|record| record.expect("a record")).collect();
    let metas = records.iter().filter(|record| record.is_meta()).map(|record| Meta::new(record.payload()));
    let sections = metas.flat_map(|meta| meta.sections()).filter(|found| found.is(section));
    sections.map(|found| found.value(tag).and_then(|value| value.as_str().map(str::to_owned))).collect()
}

#[test]
fn what_a_file_says_commands_no_terminal() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let name = "a\u{1b}]0;pwned\u{7}\u{9b}2J\r\u{202e}z";
    file(dir, "in.erf", name);
    for args in ["meta show in.erf", "dump --full in.erf", "meta show in.erf in.erf"] {
        let shown = text(erf_in(dir, args));
        assert!(shown.contains("hostname: a\\u{1b}]0;pwned\\u{7}\\u{9b}2J\\r\\u{202e}z\n"), "{args}: {shown}");
        assert!(!shown.contains(|letter: char| letter.is_control() && letter != '\n'), "{args}: {shown}");
    }
    for args in ["meta show --json in.erf", "dump --full --json --count 1 in.erf"] {
        let found: serde_json::Value = serde_json::from_str(&text(erf_in(dir, args))).expect("JSON");
        let sections = if args.starts_with("dump") { &found["meta"] } else { &found["sections"] };
        assert_eq!(sections[1]["tags"][0]["value"], name, "{args}");
        let speed = &sections[2]["tags"][1];
        assert_eq!((&speed["kind"], &speed["value"]), (&"u64".into(), &10_000_000_000u64.into()), "{args}");
        assert_eq!(sections[0]["tags"][0]["value"]["ns"], 1_700_000_000_000_000_000u64, "{args}");
    }
}

#[test]
fn values_are_shown_for_a_person_and_files_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "a.erf", "one");
    file(dir, "b.erf", "two");
    let shown = text(erf_in(dir, "meta show a.erf"));
    let expected = "\
byte 0: META 2023-11-14T22:13:20.000000000Z
  Host ID: host 002590c03e08, source 5
    gen_time: 2023-11-14T22:13:20.000000000Z
  Host 1
    hostname: one
    os: Linux
  Interface 1 (interface 0)
    name: port
    if_speed: 10 Gb/s
    if_mac: 00:25:90:c0:3e:00
  Interface 2 (interface 1)
    name: port
    if_speed: 10 Gb/s
    if_mac: 00:25:90:c0:3e:01
";
    assert_eq!(shown, expected);
    let shown = text(erf_in(dir, "meta show a.erf b.erf"));
    let heads: Vec<&str> = shown.lines().filter(|line| line.contains("byte")).collect();
    assert_eq!(heads, ["a.erf", "b.erf"].map(|name| format!("{name}: byte 0: META 2023-11-14T22:13:20.000000000Z")));
    // One that cannot be read does not keep the others from being shown.
    let ran = erf_in(dir, "meta show none.erf b.erf").exits(2);
    ran.says("none.erf");
    assert!(String::from_utf8(ran.stdout).expect("text").contains("hostname: two"));

    erf_in(dir, "meta strip a.erf bare.erf").exits(0);
    erf_in(dir, "meta show bare.erf").exits(0).says("bare.erf: there are no META records");

    let shown = text(erf_in(dir, "dump a.erf b.erf"));
    let (a, b) = (shown.matches("a.erf: ").count(), shown.matches("b.erf: ").count());
    assert_eq!((a, b, shown.lines().count()), (2, 2, 4), "{shown}");
}

#[test]
fn rows_of_a_dump_are_its_records() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "a,\"b\".erf", "one");
    fs::copy(dir.join("a,\"b\".erf"), dir.join("c.erf")).expect("a copy");
    let shown = text(run(erf("dump --csv c.erf").arg("a,\"b\".erf").current_dir(dir)));
    let rows: Vec<&str> = shown.lines().collect();
    assert_eq!(rows.len(), 5);
    let columns = rows[0].split(',').count();
    assert!(rows[0].starts_with("file,offset,raw,ns,time,type,"), "{}", rows[0]);
    assert!(
        rows[1].starts_with("c.erf,0,") && rows[1].ends_with(",11050025 90c03e08".replace(' ', "").as_str()),
        "{}",
        rows[1]
    );
    assert_eq!(rows[2].split(',').count(), columns);
    assert!(rows[4].starts_with("\"a,\"\"b\"\".erf\","), "{}", rows[4]);
    let values: Vec<&str> = rows[2].split(',').collect();
    let of = |name: &str| rows[0].split(',').position(|column| column == name).map(|at| values[at]);
    let found = ["type", "ns", "wire_length", "captured_length", "lost", "color"].map(of);
    assert_eq!(found, ["ETH", "1700000000000000000", "64", "64", "0", ""].map(Some));
    erf_in(dir, "dump --csv --full c.erf").exits(2).says("--full");
}

#[test]
fn text_of_any_tag_is_set_and_removed() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "in.erf", "one");
    let some = |words: &[&str]| words.iter().map(|word| Some((*word).to_owned())).collect::<Vec<_>>();
    erf_in(dir, "meta edit in.erf set.erf --set interface.descr=all --set interface1.descr=one --set capture.comment=x --unset host.os").exits(0);
    let set = dir.join("set.erf");
    assert_eq!(said(&set, SectionType::INTERFACE, TagType::DESCR), some(&["all", "one"]));
    assert_eq!(said(&set, SectionType::INTERFACE, TagType::NAME), some(&["port", "port"]));
    assert_eq!(said(&set, SectionType::CAPTURE, TagType::COMMENT), some(&["x"]));
    assert_eq!(said(&set, SectionType::HOST, TagType::HOSTNAME), some(&["one"]));
    assert_eq!(said(&set, SectionType::HOST, TagType::OS), [None]);
    if need_program("tshark") {
        let fields = ["erf.meta.section_interface.descr", "erf.meta.section_host.os"];
        let rows = tshark(&set, "erf.meta.section_host.hostname", &fields);
        assert!(rows.len() <= 1 && rows.iter().all(|row| row.get(1).is_none_or(String::is_empty)), "{rows:?}");
    }
    // What is removed may come from a pipe, and a file in which there is nothing to remove stays as it is.
    let pipe = run(erf("meta edit - -  --unset host.os").stdin(fs::File::open(&set).expect("the file")));
    assert_eq!(pipe.exits(0).stdout, fs::read(&set).expect("the file"));
    erf_in(dir, "meta edit set.erf same.erf --unset host.os").exits(0).says("no META record had to be changed");
}

#[test]
fn options_that_cannot_be_meant_are_refused_by_name() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "in.erf", "one");
    for (args, option, words) in [
        ("meta add in.erf out.erf --interface 0=a --interface 0=b", "--interface", "twice for 0"),
        ("meta edit in.erf out.erf --interface 0=a --interface 0=b", "--interface", "twice for 0"),
        ("meta edit in.erf out.erf --interface 0=a --set interface0.name=b", "--set", "twice for interface0.name"),
        ("meta edit in.erf out.erf --set host.os=a --unset host.os", "--unset", "twice for host.os"),
        ("meta edit in.erf out.erf --set host.mem=1", "--set", "mem holds u64"),
        ("meta edit in.erf out.erf --set host.none=1", "--set", "no tag \"none\""),
        ("meta edit in.erf out.erf --set host.os=", "--set", "--unset"),
        ("meta edit in.erf out.erf --set stream.name=a", "stream.name", "stream0"),
        ("meta edit in.erf out.erf", "--unset", "nothing to be changed"),
        ("meta add in.erf out.erf --attribute =x", "--attribute", "with a KEY"),
        ("meta add in.erf out.erf --attribute a", "--attribute", "with a KEY"),
        ("meta add in.erf out.erf --attribute a=1 --attribute a=2", "--attribute", "twice for a"),
        ("gaps in.erf --csv x --svg ./x", "--svg", "./x"),
        ("gaps in.erf --csv - --json", "--csv", "standard output"),
        ("gaps in.erf --window 1ms,1000us", "--window", "twice for 1 ms"),
        ("gaps in.erf --link-rate 1GB", "--link-rate", "2.5Gb/s"),
        ("diff in.erf in.erf --stamps=-1us", "--stamps", "negative"),
        ("diff in.erf in.erf --stamps 2147483648s", "--stamps", "68 years"),
        ("cut in.erf out.erf --from 2023-11-14T22:13:20", "--from", "Z behind it"),
    ] {
        let ran = erf_in(dir, args).exits(2);
        ran.says(option);
        ran.says(words);
        assert_eq!(fs::read_dir(dir).expect("the folder").count(), 1, "{args}");
    }
    for rate in ["1G", "1Gbps", "1Gb/s", "1000M"] {
        erf_in(dir, &format!("gaps in.erf --link-rate {rate}")).exits(0);
    }
    erf_in(dir, "cut in.erf in.erf.copy").exits(0);
    let ran = erf_in(dir, "cut in.erf in.erf.copy").exits(2);
    assert_eq!(ran.stderr, "erf: in.erf.copy: exists already and was not touched; --force replaces it\n");
}
