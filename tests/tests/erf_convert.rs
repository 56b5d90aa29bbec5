//! `erf convert`, judged by other people's programs.
//!
//! Known of these programs (Wireshark 4.0.17), and not copied:
//!
//! * stamps of if_tsresol 2^-32 are cut to nanoseconds, where those of ERF files are rounded: half of them look 1 ns earlier;
//!   every rewrite by editcap cuts again;
//! * tshark shows custom blocks as frames, capinfos does not count them;
//! * editcap and mergecap drop options from 0x8000 on, option 19373, and blocks that are not to be copied (0x40000BAD);
//! * LINKTYPE_INFINIBAND (247) is not known;
//! * capinfos has no times for a file with custom blocks;
//! * editcap rewrites no file without packets of a known link type.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use erf::ext::{AnchorId, HostId};
use erf::meta::{MetaWriter, SectionId, SectionType, TagType};
use erf::pcap::Packets;
use erf::session::{CardInfo, Opening};
use erf::{ExtHeader, Reader, RecordBuilder, RecordType, Timestamp};
use house_skip::{need_program, sample};
use house_tests::judge::{capinfos, file_comments, tshark};
use house_tests::run::{Ran, erf, prepared, run};
use serde_json::Value;

fn convert(folder: &Path, args: &str) -> Ran {
    run(erf("").current_dir(folder).arg("convert").args(args.split_whitespace()))
}

/// What it says in JSON, one line on standard output.
fn account(ran: &Ran) -> Value {
    let text = std::str::from_utf8(&ran.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).unwrap()
}

fn stamp(number: u64) -> Timestamp {
    Timestamp::from_raw((1_700_000_000 << 32) + number * 0x1_2345_6789)
}

fn frame(number: u8) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    frame.extend([0x45, 0, 0, 46, 0, number, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0, 9, 0, 9, 0, 26, 0, 0]);
    frame.extend([number; 18]);
    frame
}

/// What a META record says of ports 0 and 1, of the host and of the recording.
fn description() -> Vec<u8> {
    let mut area = [0; 2048];
    let mut writer = MetaWriter::new(&mut area);
    writer.put(TagType::GEN_TIME, stamp(0)).unwrap();
    writer.section(SectionType::CAPTURE, SectionId::from_bits(1)).unwrap().put(TagType::APP_NAME, "dagcap").unwrap();
    writer.section(SectionType::HOST, SectionId::from_bits(1)).unwrap();
    writer.put(TagType::HOSTNAME, "probe7").unwrap().put(TagType::MODEL, "DAG 9.2X2").unwrap();
    for (port, name) in [(0, "tap a"), (1, "tap b")] {
        writer.section(SectionType::INTERFACE, SectionId::interface(port)).unwrap();
        writer.put(TagType::NAME, name).unwrap().put(TagType::DESCR, "the east link").unwrap();
        writer.put(TagType::IF_SPEED, 10_000_000_000u64).unwrap().put(TagType::FILTER, "udp port 9").unwrap();
        writer.tag(TagType::IF_MAC, &[2, 0, 0, 0, 0, port]).unwrap();
    }
    let area = writer.finish().to_vec();
    RecordBuilder::new(RecordType::META).timestamp(stamp(0)).payload(&area).to_vec().unwrap()
}

/// A comment on packets that carry the anchor, and the headers of such a packet.
fn comment(text: &str) -> (Vec<u8>, [ExtHeader; 2]) {
    let headers = |definition| {
        [HostId { source_id: 0, host_id: 0 }.into(), ExtHeader::from(AnchorId { definition, anchor_id: 77 })]
    };
    let mut area = [0; 256];
    let mut writer = MetaWriter::new(&mut area);
    writer.put(TagType::GEN_TIME, stamp(1)).unwrap();
    writer.section(SectionType::INFORMATION, SectionId::from_bits(0).into_local()).unwrap();
    writer.put(TagType::COMMENT, text).unwrap();
    let area = writer.finish().to_vec();
    let defining = headers(true);
    let record = RecordBuilder::new(RecordType::META).timestamp(stamp(1)).ext_headers(&defining).payload(&area);
    (record.to_vec().unwrap(), headers(false))
}

/// A file of frames on two ports with losses, a comment, an error, PAD, other types, and META that comes late.
fn made() -> Vec<u8> {
    let (defined, headers) = comment("look at this");
    let mut file = Vec::new();
    for number in 0..20u8 {
        let frame = frame(number);
        let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp(number.into())).interface(number % 2);
        let record = record.lctr(u16::from(number == 5) * 9).payload(&frame).append_fcs();
        let record = if number == 7 { record.ext_headers(&headers) } else { record };
        file.extend(record.to_vec().unwrap());
    }
    file.extend(defined);
    file.extend(description());
    file.extend(RecordBuilder::new(RecordType::PAD).padding_bytes(&[9; 16]).to_vec().unwrap());
    let raw = RecordBuilder::new(RecordType::MC_RAW).timestamp(stamp(21)).payload(&[4; 40]);
    file.extend(raw.to_vec().unwrap());
    let color = RecordBuilder::new(RecordType::COLOR_ETH).timestamp(stamp(22)).lctr(3).payload(&[1; 60]).append_fcs();
    file.extend(color.to_vec().unwrap());
    let ip = RecordBuilder::new(RecordType::IPV4).timestamp(stamp(23)).wire_len(1500).payload(&[0x45; 80]);
    file.extend(ip.to_vec().unwrap());
    file
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    fs::write(path.join("made.erf"), made()).unwrap();
    (dir, path)
}

/// Packets by capinfos, which has no times for a file in which something has none, such as a custom block.
fn packets(file: &Path) -> u64 {
    let output = Command::new("capinfos").args(["-M", "-c"]).arg(file).output().unwrap();
    let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complaint}");
    let count = said.lines().find_map(|line| line.strip_prefix("Number of packets:"));
    count.unwrap_or_else(|| panic!("{said}")).trim().parse().unwrap()
}

/// All records of a file, sorted.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = Reader::open_path(path).unwrap();
    let mut records = Vec::new();
    reader.for_each(|item| records.push(item.unwrap().bytes().to_vec())).unwrap();
    records.sort();
    records
}

#[test]
fn pcapng_says_what_meta_and_records_say() {
    if !need_program("tshark") || !need_program("capinfos") {
        return;
    }
    let (_dir, path) = folder();
    let ran = convert(&path, "made.erf made.pcapng --verify --json").exits(0);
    let told = account(&ran);
    assert_eq!((&told["schema"], &told["records"], &told["written"]), (&1.into(), &26.into(), &22.into()));
    assert_eq!((&told["lost"], &told["not_carried"]["colors"]), (&9.into(), &1.into()));
    assert_eq!((&told["fcs"]["policy"], &told["verified"]), (&"taken off".into(), &true.into()));
    let skipped: Vec<_> = told["skipped"].as_array().unwrap().iter().map(|left| left["reason"].clone()).collect();
    assert_eq!(skipped, ["no-link-type", "meta", "pad"]);

    let made = path.join("made.pcapng");
    let said = capinfos(&made);
    assert_eq!((said.packets, said.first), (22, Some(stamp(0).nanos())));
    let fields =
        ["frame.time_epoch", "frame.len", "frame.interface_name", "frame.interface_description", "frame.comment"];
    let rows = tshark(&made, "udp", &fields);
    assert_eq!(rows.len(), 20);
    for (number, row) in rows.iter().enumerate() {
        assert_eq!(house_tests::judge::nanos(&row[0]), Some(stamp(number as u64).nanos()));
        let name = ["tap a", "tap b"][number % 2];
        assert_eq!(row[1..4], ["60", name, "the east link"], "late META is known in time");
        assert_eq!(row[4], if number == 7 { "look at this" } else { "" });
    }
    let mut reader = erf::pcapng::Reader::open(made.as_path()).unwrap();
    let mut drops = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        drops.extend(packet.drop_count);
    }
    assert_eq!(drops, [9]);
    assert_eq!(reader.section().comments, ["host: probe7"]);
    assert_eq!((reader.section().hardware.as_str(), reader.section().application.as_str()), ("DAG 9.2X2", "dagcap"));
    let second = &reader.interfaces()[1];
    assert_eq!((second.speed, second.mac), (Some(10_000_000_000), Some([2, 0, 0, 0, 0, 1])));
    assert_eq!((second.filter.as_str(), second.statistics.unwrap().dropped), ("udp port 9", Some(9)));

    // And back: what it says of interfaces and packets stays, through ERF.
    convert(&path, "made.pcapng back.erf --verify").exits(0);
    convert(&path, "back.erf again.pcapng --verify").exits(0);
    let again = path.join("again.pcapng");
    assert_eq!(tshark(&again, "udp", &fields), rows);
    let mut reader_again = erf::pcapng::Reader::open(again.as_path()).unwrap();
    while reader_again.next_packet().unwrap().is_some() {}
    assert_eq!(reader_again.section(), reader.section());
    assert_eq!(reader_again.interfaces()[1].filter, "udp port 9");
    assert_eq!(reader_again.interfaces()[1].mac, second.mac);
}

#[test]
fn without_loss_the_file_comes_back_and_others_read_it() {
    let (_dir, path) = folder();
    convert(&path, "made.erf made.pcapng --lossless --verify").exits(0);
    convert(&path, "made.pcapng back.erf --verify").exits(0);
    assert_eq!(fs::read(path.join("back.erf")).unwrap(), made());
    if !need_program("editcap") || !need_program("mergecap") || !need_program("capinfos") {
        return;
    }
    assert_eq!(packets(&path.join("made.pcapng")), 23);
    let other = |program: &str, args: &str| {
        run(Command::new(program).current_dir(&path).args(args.split_whitespace())).exits(0);
    };
    // Rewritten by another program: all but PAD, which must not be copied.
    other("editcap", "made.pcapng edited.pcapng");
    convert(&path, "edited.pcapng edited.erf").exits(0);
    let pad = |record: &Vec<u8>| record[8] != 48;
    let expected: Vec<_> = records(&path.join("made.erf")).into_iter().filter(pad).collect();
    assert_eq!(records(&path.join("edited.erf")), expected);

    // What describes packets comes before them in every recording.
    fs::write(path.join("described.erf"), [description(), made()].concat()).unwrap();
    convert(&path, "described.erf described.pcapng --lossless --verify --one-pass").exits(0);
    other("editcap", "described.pcapng rewritten.pcapng");
    convert(&path, "rewritten.pcapng rewritten.erf").exits(0);
    let described: Vec<_> = records(&path.join("described.erf")).into_iter().filter(pad).collect();
    assert_eq!(records(&path.join("rewritten.erf")), described);

    // Snapped: packets are what they are now, their stamps and lengths what they were.
    other("editcap", "-s 40 made.pcapng short.pcapng");
    let told = account(&convert(&path, "short.pcapng short.erf --json").exits(0));
    assert_eq!(told["restored"]["edited"], 22, "{told}");
    let mut reader = Reader::open_path(path.join("short.erf")).unwrap();
    let first = reader.next_record().unwrap().unwrap().unwrap();
    assert_eq!((first.wire_len(), first.is_snapped()), (64, true));

    // Shifted by an hour: the records are, too.
    other("editcap", "-t 3600 made.pcapng later.pcapng");
    let told = account(&convert(&path, "later.pcapng later.erf --json").exits(0));
    assert_eq!(told["restored"]["restamped"], 23, "{told}");

    // Joined with another file whose interfaces come first.
    let more: Vec<u8> = (0..5)
        .flat_map(|number| {
            let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp(number)).interface(3).payload(&[7; 60]);
            record.append_fcs().to_vec().unwrap()
        })
        .collect();
    fs::write(path.join("more.erf"), more).unwrap();
    convert(&path, "more.erf more.pcapng --lossless").exits(0);
    other("mergecap", "-w both.pcapng more.pcapng made.pcapng");
    convert(&path, "both.pcapng both.erf").exits(0);
    let mut expected = [expected, records(&path.join("more.erf"))].concat();
    expected.sort();
    assert_eq!(records(&path.join("both.erf")), expected);
}

/// A META record with a comment on the capture; an empty one takes back what was said before.
fn remark(at: u64, text: &str) -> Vec<u8> {
    let mut area = vec![0; 65_500];
    let mut writer = MetaWriter::new(&mut area);
    writer.put(TagType::GEN_TIME, stamp(at)).unwrap();
    writer.section(SectionType::CAPTURE, SectionId::UNSPECIFIED).unwrap();
    writer.tag(TagType::COMMENT, text.as_bytes()).unwrap();
    let area = writer.finish().to_vec();
    RecordBuilder::new(RecordType::META).timestamp(stamp(at)).payload(&area).to_vec().unwrap()
}

/// The comments that `erf info` finds in META.
fn comments(folder: &Path, file: &str) -> Vec<String> {
    let said: Value = serde_json::from_slice(&run(erf("info --json").arg(file).current_dir(folder)).stdout).unwrap();
    let found = said["meta"]["comments"].as_array().unwrap_or_else(|| panic!("{said}"));
    found.iter().map(|comment| comment["text"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()).collect()
}

const CARD: &str = "emulated card: packets and timestamps come from software, not from DAG hardware";

#[test]
fn comments_on_the_capture_come_along_or_are_counted() {
    let (_dir, path) = folder();
    let mut opening = Opening::new(stamp(0));
    opening.card = CardInfo::default();
    opening.card.emulated = true;
    fs::write(path.join("wire.erf"), [opening.to_bytes().unwrap(), made()].concat()).unwrap();
    run(erf("meta add --comment hello wire.erf ma.erf").current_dir(&path)).exits(0);
    let mut expected = comments(&path, "ma.erf");
    assert_eq!(expected.len(), 3, "{expected:?}");
    for line in ["convert ma.erf to.pcapng", "convert ma.erf to.pcapng --lossless --verify", "sort ma.erf to.pcapng"] {
        let told = account(&run(erf(&format!("{line} --force --json")).current_dir(&path)).exits(0));
        assert_eq!(told["not_carried"]["comments"], 0, "{told}");
        if need_program("capinfos") {
            let told = file_comments(&path.join("to.pcapng"));
            assert!(told.contains(CARD) && told.contains("hello"), "{line}: {told}");
        }
        run(erf("convert to.pcapng back.erf --force --verify").current_dir(&path)).exits(0);
        let mut back = comments(&path, "back.erf");
        expected.sort();
        back.sort();
        assert_eq!(back, expected, "{line}");
        if line.contains("--lossless") {
            assert_eq!(fs::read(path.join("back.erf")).unwrap(), fs::read(path.join("ma.erf")).unwrap());
        }
        // And on into another file of the kind.
        run(erf("convert to.pcapng on.pcapng --force").current_dir(&path)).exits(0);
        if need_program("capinfos") {
            let told = file_comments(&path.join("on.pcapng"));
            assert_eq!((told.matches(CARD).count(), told.matches("hello").count()), (1, 1), "{line}: {told}");
        }
    }
    // Classic pcap has no comments at all, on packets neither.
    for line in ["convert ma.erf to.pcap", "sort ma.erf to.pcap"] {
        run(erf(&format!("{line} --force")).current_dir(&path)).exits(0).says("not carried over: 3 comments");
    }
    let ran = run(erf("convert to.pcapng to.pcap --force --json").current_dir(&path)).exits(0);
    assert_eq!(account(&ran)["not_read"]["section_comments"], 3);
}

#[test]
fn comments_that_come_late_are_told_and_long_ones_stay_whole() {
    let (_dir, path) = folder();
    let packets = made().repeat(200);
    let long = "x".repeat(65_000);
    fs::write(
        path.join("late.erf"),
        [&remark(0, &long)[..], &packets, &remark(1, "late"), &remark(1, "late")].concat(),
    )
    .unwrap();
    let told = account(&convert(&path, "late.erf both.pcapng --json").exits(0));
    assert_eq!(told["not_carried"]["comments"], 0, "{told}");
    convert(&path, "late.erf early.pcapng --one-pass").exits(0).says("not carried over: 1 comment");
    run(erf("sort late.erf sorted.pcapng").current_dir(&path)).exits(0);
    for (file, carries) in [("both", true), ("early", false)] {
        if need_program("capinfos") {
            let told = file_comments(&path.join(format!("{file}.pcapng")));
            assert_eq!((told.contains(&long), told.contains("late")), (true, carries), "{file}");
        }
    }
    // Without loss it is in the file in any case.
    let told = account(&convert(&path, "late.erf whole.pcapng --one-pass --lossless --verify --json").exits(0));
    assert_eq!(told["not_carried"]["comments"], 0, "{told}");
    convert(&path, "early.pcapng early.erf").exits(0);
    let records = records(&path.join("early.erf"));
    assert!(records.iter().any(|record| record.windows(long.len()).any(|part| part == long.as_bytes())));

    // What was taken back is not said.
    fs::write(path.join("back.erf"), [remark(0, "wrong"), remark(1, ""), made(), remark(6, "right")].concat()).unwrap();
    let told = account(&convert(&path, "back.erf back.pcapng --json").exits(0));
    assert_eq!(told["not_carried"]["comments"], 0, "{told}");
    if need_program("capinfos") {
        let told = file_comments(&path.join("back.pcapng"));
        assert!(told.contains("right") && !told.contains("wrong"), "{told}");
    }
}

/// Only the ends of a large file are looked at beforehand. What its middle says is in a file all the same, which is made once more.
#[test]
fn what_the_middle_of_a_large_file_says_is_in_a_file_and_told_of_a_pipe() {
    let (_dir, path) = folder();
    let packets = made().repeat((3 << 20) / made().len());
    for (name, middle) in [("plain", Vec::new()), ("middle", remark(1, "half way"))] {
        let records = [&remark(0, "begun")[..], &packets, &middle, &packets, &remark(9, "done")].concat();
        fs::write(path.join(format!("{name}.erf")), &records).unwrap();
        let is_late = !middle.is_empty();
        for options in ["", " --lossless"] {
            let file = account(&convert(&path, &format!("{name}.erf {name}.pcapng --json --force{options}")).exits(0));
            assert_eq!(
                (&file["described_late"], &file["not_carried"]["comments"]),
                (&false.into(), &0.into()),
                "{file}"
            );
            let piped = convert(&path, &format!("{name}.erf - --to pcapng{options}")).exits(0);
            let told = piped.stderr.contains("META describes the capture in the middle");
            assert_eq!(told, is_late);
            let file = fs::read(path.join(format!("{name}.pcapng"))).unwrap();
            assert_eq!(file == piped.stdout, !is_late, "{name}{options}");
        }
        if need_program("capinfos") {
            let told = file_comments(&path.join(format!("{name}.pcapng")));
            assert_eq!(["begun", "half way", "done"].map(|text| told.contains(text)), [true, is_late, true], "{told}");
        }
    }
}

#[test]
fn what_comes_before_the_end_of_a_torn_file_is_converted() {
    let (_dir, path) = folder();
    convert(&path, "made.erf made.pcapng").exits(0);
    let whole = fs::read(path.join("made.pcapng")).unwrap();
    fs::write(path.join("torn.pcapng"), &whole[..whole.len() / 2]).unwrap();
    for options in ["torn.erf", "torn.pcap", "again.pcapng"] {
        let ran = convert(&path, &format!("torn.pcapng {options} --json")).exits(1);
        let told = account(&ran);
        assert!(told["broken"].as_str().is_some_and(|text| text.contains("torn.pcapng: ")), "{told}");
        assert!(told["written"].as_u64() > Some(5), "{told}");
        assert!(path.join(options).is_file());
    }
}

#[test]
fn what_comes_through_a_pipe_is_not_read_twice_unasked() {
    let (_dir, path) = folder();
    let script = |line: &str| {
        let program = erf("").get_program().to_owned();
        run(prepared("bash").current_dir(&path).env("ERF", program).args(["-c", line]))
    };
    script("\"$ERF\" convert --verify <(cat made.erf) piped.pcapng").exits(2).says("pipes do not allow");
    script("\"$ERF\" repair <(cat made.erf) piped.erf").exits(0);
    assert_eq!(fs::read(path.join("piped.erf")).unwrap(), made());
    // Standard output is the input: it would grow for ever.
    script("\"$ERF\" cut piped.erf - >> piped.erf").exits(2).says("while it is read");
    assert_eq!(fs::read(path.join("piped.erf")).unwrap(), made());
}

#[test]
fn every_sample_comes_back_from_pcapng_without_loss() {
    for name in [
        "libtrace-100_packets.erf",
        "libtrace-5_packets.erf.gz",
        "libtrace-provenance.erf",
        "scapy-erf_eth_exthdr.erf",
        "infiniband-linktype-erf.pcap",
        "editcap-100-linktype-erf.nsec.pcap",
    ] {
        let Some(sample) = sample(name) else { return };
        let dir = tempfile::tempdir().unwrap();
        let sample = sample.display();
        convert(dir.path(), &format!("{sample} plain.erf")).exits(0);
        convert(dir.path(), &format!("{sample} made.pcapng --lossless --verify")).exits(0);
        convert(dir.path(), "made.pcapng back.erf --verify").exits(0);
        let plain = fs::read(dir.path().join("plain.erf")).unwrap();
        assert_eq!(fs::read(dir.path().join("back.erf")).unwrap(), plain, "{name}");
        for to in ["pcap", "pcap-us", "pcapng"] {
            let ran = convert(dir.path(), &format!("{sample} {to}.out --to {to} --verify --json")).exits(0);
            assert_eq!(account(&ran)["verified"], true);
        }
        if !need_program("capinfos") {
            return;
        }
        let count = Reader::open_path(dir.path().join("plain.erf")).map(|mut reader| {
            let mut count = 0;
            reader.for_each(|item| count += u64::from(item.unwrap().is_packet())).unwrap();
            count
        });
        let native: &[&str] = match name {
            // LINKTYPE_INFINIBAND, which Wireshark does not know.
            "infiniband-linktype-erf.pcap" => &[],
            _ => &["pcap.out", "pcap-us.out", "pcapng.out"],
        };
        for file in ["made.pcapng"].iter().chain(native) {
            assert_eq!(packets(&dir.path().join(file)), *count.as_ref().unwrap(), "{name} {file}");
        }
    }
}

#[test]
fn pipes_into_other_programs() {
    if !need_program("tcpdump") || !need_program("tshark") {
        return;
    }
    let (_dir, path) = folder();
    for (to, program, args) in
        [("pcap", "tcpdump", "-nr -"), ("pcapng", "tshark", "-n -r -"), ("pcap-us", "tshark", "-nr -")]
    {
        let mut converts = erf("");
        converts.current_dir(&path).args(["convert", "made.erf", "-", "--to", to]);
        let mut converts = converts.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut reads = Command::new(program);
        reads.args(args.split_whitespace()).stdin(converts.stdout.take().unwrap());
        let shown = String::from_utf8(reads.output().unwrap().stdout).unwrap();
        assert!(converts.wait().unwrap().success());
        assert!(shown.lines().count() >= 21 && shown.contains("10.0.0.1"), "{program}: {shown}");
    }
}

#[test]
fn a_folder_is_converted_and_names_do_not_collide() {
    let (_dir, path) = folder();
    fs::create_dir(path.join("in")).unwrap();
    fs::copy(path.join("made.erf"), path.join("in/one.erf")).unwrap();
    fs::copy(path.join("made.erf"), path.join("in/two.erf")).unwrap();
    let accounts = account(&convert(&path, "in --out-dir out --to pcapng --json").exits(0));
    assert_eq!(accounts.as_array().unwrap().len(), 2);
    assert!(path.join("out/one.pcapng").is_file() && path.join("out/two.pcapng").is_file());
    fs::copy(path.join("made.erf"), path.join("in/one.cap")).unwrap();
    convert(&path, "in --out-dir out --to pcapng --force").exits(2).says("would both become out/one.pcapng");
    convert(&path, "made.erf - --verify --to pcap").exits(2).says("--verify");
    convert(&path, "made.erf made.erf --force").exits(2).says("written over while it is read");
}

#[test]
fn every_link_type_is_what_tshark_takes_it_for() {
    if !need_program("tshark") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let plain = |record_type: RecordType, payload: &[u8]| {
        RecordBuilder::new(record_type).timestamp(stamp(1)).payload(payload).to_vec().unwrap()
    };
    let ip = &frame(1)[14..];
    let ppp = [&[0xFF, 3, 0, 0x21], ip].concat();
    let cisco = [&[0x0F, 0, 8, 0], ip].concat();
    let cell = [&[0; 4][..], &[0xAA, 0xAA, 3, 0, 0, 0, 8, 0], &ip[..40]].concat();
    let all = [
        (plain(RecordType::ETH, &frame(1)), "--fcs none", "1"),
        (plain(RecordType::HDLC_POS, &ppp), "", "4"),
        (plain(RecordType::MC_HDLC, &cisco), "", "28"),
        (plain(RecordType::ATM, &cell), "", "10"),
        (plain(RecordType::IPV4, ip), "", "7"),
        (plain(RecordType::IPV6, &[0x60; 60]), "", "7"),
        (plain(RecordType::ETH, &frame(1)), "--encapsulation erf", "98"),
    ];
    for (record, options, encapsulation) in all {
        fs::write(dir.path().join("one.erf"), &record).unwrap();
        for to in ["pcap", "pcapng"] {
            convert(dir.path(), &format!("one.erf one.{to} --force --verify {options}")).exits(0);
            let file = dir.path().join(format!("one.{to}"));
            let rows = tshark(&file, "", &["frame.encap_type", "frame.time_epoch"]);
            assert_eq!(rows[0][0], encapsulation, "{to} {options}");
            assert_eq!(house_tests::judge::nanos(&rows[0][1]), Some(stamp(1).nanos()));
            assert!(matches!(Packets::open(file.as_path()).unwrap().next_packet(), Ok(Some(_))));
        }
    }
}
