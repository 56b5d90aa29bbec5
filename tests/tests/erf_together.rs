//! `erf` putting files together and apart, in order, corrected and cut; judged by Wireshark's and libtrace's programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use erf::writer::ErfWriter;
use erf::{Fraction, Record, RecordBuilder, RecordType, Records, Timestamp};
use house_skip::{need_program, sample};
use house_tests::judge::{capinfos, tshark};
use house_tests::run::{Ran, erf, run};

/// 2023-11-14T22:13:20Z.
const START: u64 = 1_700_000_000_000_000_000;

/// An Ethernet packet that no other is like: `number` is its source address.
fn packet(nanos: u64, interface: u8, number: u32, len: usize) -> Vec<u8> {
    let mut frame = vec![0u8; len];
    frame[..6].fill(2);
    frame[6] = 2;
    frame[8..12].copy_from_slice(&number.to_be_bytes());
    frame[12..14].copy_from_slice(&[0x88, 0xB5]);
    let stamp = Timestamp::from_nanos(START + nanos, Fraction::Ceil).expect("a time of ours");
    let builder = RecordBuilder::new(RecordType::ETH).timestamp(stamp).interface(interface).payload(&frame);
    builder.append_fcs().to_vec().expect("a record")
}

/// `n` packets of interface `interface`, a prime number of nanoseconds apart, of all lengths.
fn packets(n: u32, interface: u8) -> Vec<Vec<u8>> {
    let step = [1_000_003, 700_001, 1_300_021][usize::from(interface % 3)];
    let of = |i: u32| {
        packet(
            u64::from(i) * step + u64::from(interface),
            interface,
            i << 4 | u32::from(interface),
            60 + (i as usize * 37) % 1400,
        )
    };
    (0..n).map(of).collect()
}

fn file(dir: &Path, name: &str, records: &[Vec<u8>]) -> PathBuf {
    let path = dir.join(name);
    let mut writer = ErfWriter::new(fs::File::create(&path).expect("a file"));
    for record in records {
        writer.write_record(&Record::parse(record).expect("a record")).expect("it is written");
    }
    writer.finish().expect("it is written");
    path
}

/// `erf`, run in `dir`.
fn erf_in(dir: &Path, args: &str) -> Ran {
    run(erf(args).current_dir(dir))
}

fn program(dir: &Path, name: &str, args: &str) {
    let mut command = Command::new(name);
    let said = command.args(args.split_whitespace()).current_dir(dir).env("TZ", "UTC").output().expect("it runs");
    assert!(said.status.success(), "{name} {args}: {}", String::from_utf8_lossy(&said.stderr));
}

const FIELDS: [&str; 4] = ["frame.time_epoch", "frame.len", "frame.cap_len", "eth.src"];

fn seen(path: &Path) -> Vec<Vec<String>> {
    tshark(path, "", &FIELDS)
}

fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_slice(&ran.stdout).expect("JSON")
}

#[test]
fn a_merge_is_that_of_mergecap_and_tracemerge() {
    if !need_program("mergecap") || !need_program("tracemerge") {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    for (name, interface) in [("a.erf", 0), ("b.erf", 1), ("c.erf", 2)] {
        file(dir, name, &packets(300, interface));
    }
    let ran = erf_in(dir, "merge a.erf b.erf c.erf --out ours.erf --json").exits(0);
    assert_eq!(json(&ran)["records"], 900);
    // To pcapng, mergecap 4.0 writes stamps of the first input's later packets as 0 ns.
    program(dir, "mergecap", "-F nsecpcap -w theirs.pcap a.erf b.erf c.erf");
    program(dir, "tracemerge", "erf:theirs.erf erf:a.erf erf:b.erf erf:c.erf");
    let ours = seen(&dir.join("ours.erf"));
    assert_eq!(ours.len(), 900);
    assert_eq!(ours, seen(&dir.join("theirs.pcap")));
    let stamps = |rows: Vec<Vec<String>>| rows.into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    assert_eq!(stamps(ours), stamps(seen(&dir.join("theirs.erf"))));
}

#[test]
fn clocks_are_corrected_and_disorder_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let at = |nanos, number| packet(nanos, 0, number, 60);
    file(dir, "a.erf", &[at(1_000, 1), at(3_000, 2)]);
    file(dir, "b.erf", &[at(14_000, 3), at(13_000, 4)]);
    let ran = erf_in(dir, "merge a.erf b.erf --shift 2=-12us --out m.erf").exits(0);
    ran.says("input 2, b.erf: out of order");
    ran.says("the first at byte 88");
    let order = |name: &str| -> Vec<u8> {
        let bytes = fs::read(dir.join(name)).expect("the output");
        Records::new(&bytes).map(|record| record.expect("a record").payload()[11] & 15).collect()
    };
    assert_eq!(order("m.erf"), [1, 3, 4, 2]);
    let ran = erf_in(dir, "merge a.erf b.erf --shift 2=-12us --window 1us --out w.erf").exits(0);
    assert_eq!((order("w.erf"), ran.stderr.as_str()), (vec![1, 4, 3, 2], ""));
    erf_in(dir, "merge a.erf b.erf --shift 3=1us --out x.erf").exits(2).says("there is no input 3");
    erf_in(dir, "merge a.erf b.erf --out b.erf --force").exits(2).says("while it is read");
    assert!(!dir.join("x.erf").exists());
}

#[test]
fn more_inputs_than_may_be_open_are_merged() {
    let dir = tempfile::tempdir().expect("a folder");
    let all = packets(1100, 0);
    fs::create_dir(dir.path().join("in")).expect("a folder");
    for (n, record) in all.iter().enumerate() {
        file(&dir.path().join("in"), &format!("{:04}.erf", 1099 - n), std::slice::from_ref(record));
    }
    erf_in(dir.path(), "merge in --out all.erf").exits(0);
    assert_eq!(fs::read(dir.path().join("all.erf")).expect("the output"), all.concat());
}

#[test]
fn a_sort_is_that_of_reordercap_also_through_temporary_files() {
    if !need_program("reordercap") {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    // Less than two seconds in all: stamps that step back by more are taken for no ERF.
    let mut records = packets(1900, 0);
    for n in 0..records.len() {
        records.swap(n, (n * 7919) % 1900);
    }
    file(dir, "mixed.erf", &records);
    erf_in(dir, "sort mixed.erf ours.erf").exits(0);
    let ran = erf_in(dir, "sort mixed.erf small.erf --memory 1MiB --json").exits(0);
    assert!(json(&ran)["temporary_files"].as_u64() > Some(1), "{:?}", json(&ran));
    assert_eq!(fs::read(dir.join("ours.erf")).ok(), fs::read(dir.join("small.erf")).ok());
    program(dir, "reordercap", "mixed.erf theirs.pcapng");
    assert_eq!(seen(&dir.join("ours.erf")), seen(&dir.join("theirs.pcapng")));
}

#[test]
fn parts_are_those_of_editcap_and_together_the_file() {
    if !need_program("editcap") {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let input = file(dir, "in.erf", &packets(95, 0));
    let whole = fs::read(&input).expect("the input");
    fs::create_dir(dir.join("theirs")).expect("a folder");
    program(dir, "editcap", "-c 10 in.erf theirs/part.pcapng");
    let listed = |folder: &str| {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(dir.join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    for (folder, rule) in [("count", "--count 10"), ("every", "--every 10ms"), ("bytes", "--bytes 5k")] {
        fs::create_dir(dir.join(folder)).expect("a folder");
        erf_in(dir, &format!("split in.erf --out-dir {folder} {rule}")).exits(0);
        let parts: Vec<Vec<u8>> = listed(folder).iter().map(|path| fs::read(path).expect("a part")).collect();
        assert_eq!(parts.concat(), whole, "{folder}");
        assert!(parts.len() >= 10);
    }
    let packets = |folder: &str| listed(folder).iter().map(|path| capinfos(path).packets).collect::<Vec<_>>();
    assert_eq!(packets("count"), packets("theirs"));
    assert!(dir.join("every/in-20231114T221320.010000000Z.erf").is_file(), "{:?}", listed("every"));
    for path in listed("every") {
        let of = |stamp: Option<u64>| stamp.expect("packets") / 10_000_000;
        let infos = capinfos(&path);
        assert_eq!(of(infos.first), of(infos.last), "{}", path.display());
    }
    erf_in(dir, "split in.erf --out-dir count --count 10").exits(2).says("--force");
    erf_in(dir, "split in.erf --out-dir theirs --count 10 --template one.erf").exits(2).says("one name");
}

#[test]
fn cut_shift_snap_and_dedup_are_those_of_editcap() {
    if !need_program("editcap") {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "in.erf", &packets(3000, 0));
    let same = |ours: &str, theirs: &str| {
        erf_in(dir, ours).exits(0);
        program(dir, "editcap", theirs);
        let (ours, theirs) = (seen(&dir.join("o.erf")), seen(&dir.join("t.pcapng")));
        assert!(!ours.is_empty());
        assert_eq!(ours, theirs);
    };
    same(
        "cut in.erf o.erf --force --from 2023-11-14T22:13:21Z --until 1700000002.5",
        "-A 1700000001 -B 1700000002.5 in.erf t.pcapng",
    );
    same("cut in.erf o.erf --force --from +1s --until +2.5s", "-A 1700000001 -B 1700000002.5 in.erf t.pcapng");
    same("cut in.erf o.erf --force --skip 10 --count 5", "-r in.erf t.pcapng 11-15");
    same("shift in.erf o.erf --force --by -1.5s", "-t -1.5 in.erf t.pcapng");
    same("snap in.erf o.erf --force --exact --len 100", "-s 100 in.erf t.pcapng");

    let twice: Vec<Vec<u8>> =
        (0..200u32).map(|n| packet(u64::from(n) * 400_000, 0, if n % 5 == 1 { n - 1 } else { n }, 80)).collect();
    file(dir, "in.erf", &twice);
    same("dedup in.erf o.erf --force --window 500us", "-w 0.0005 in.erf t.pcapng");
    assert_eq!(seen(&dir.join("o.erf")).len(), 160);
}

#[test]
fn there_and_back_is_the_same_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    file(dir, "in.erf", &packets(500, 1));
    erf_in(dir, "shift in.erf on.erf --by 12.345us").exits(0);
    erf_in(dir, "shift on.erf back.erf --by -12.345us").exits(0);
    assert_eq!(fs::read(dir.join("in.erf")).ok(), fs::read(dir.join("back.erf")).ok());
    erf_in(dir, "diff in.erf back.erf").exits(0);
    let ran = erf_in(dir, "diff in.erf on.erf --json -n 2").exits(1);
    let found = json(&ran);
    assert_eq!((&found["different"], found["differences"].as_array().map(Vec::len)), (&500.into(), Some(2)));
    assert_eq!(found["differences"][1]["fields"][0]["field"], "stamp");
    erf_in(dir, "diff in.erf on.erf --stamps 13us").exits(0);
    let ran = erf_in(dir, "shift in.erf no.erf --by -1h --scale 5ppm --pivot 5").exits(0);
    assert_eq!(ran.stderr, "erf: 500 records written\n");
    erf_in(dir, "shift in.erf never.erf --by -540000h").exits(2).says("record at byte 0");
    assert!(!dir.join("never.erf").exists());
}

#[test]
fn records_are_aligned_for_a_card() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let exact =
        |len: usize| RecordBuilder::new(RecordType::ETH).payload(&vec![7; len]).exact().to_vec().expect("a record");
    let snapped =
        RecordBuilder::new(RecordType::ETH).payload(&[7; 61]).wire_len(100).exact().to_vec().expect("a record");
    file(dir, "in.erf", &[exact(60), exact(61), snapped]);
    let ran = erf_in(dir, "align in.erf out.erf --multiple 16 --json --read-as erf").exits(0);
    let bytes = fs::read(dir.join("out.erf")).expect("the output");
    let lens: Vec<_> =
        Records::new(&bytes).map(|one| one.map(|one| (one.rlen(), one.captured_len())).expect("a record")).collect();
    assert_eq!(lens, [(80, 60), (80, 61), (64, 46)]);
    assert_eq!((&json(&ran)["changed"], &json(&ran)["cut_bytes"]), (&3.into(), &15.into()));
    erf_in(dir, "align in.erf out.pcap --read-as erf").exits(2).says("only records of ERF files");
}

#[test]
fn damage_is_told_and_what_can_be_read_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let records = packets(50, 0);
    let whole = records.concat();
    fs::write(dir.join("torn.erf"), &whole[..whole.len() - 3]).expect("a file");
    let kept = &whole[..whole.len() - records[49].len()];
    let offset = kept.len();
    for (command, options) in
        [("cut", ""), ("sort", ""), ("dedup", ""), ("align", ""), ("meta strip", ""), ("snap", "--len 65535")]
    {
        let ran = erf_in(dir, &format!("{command} torn.erf out.erf --force {options}")).exits(1);
        ran.says(&format!("byte {offset}: record torn"));
        assert_eq!(fs::read(dir.join("out.erf")).expect("the output"), kept, "{command}");
    }
    erf_in(dir, "merge torn.erf --out m.erf").exits(1).says("torn.erf: byte");
    assert_eq!(fs::read(dir.join("m.erf")).expect("the output"), kept);
    erf_in(dir, "diff torn.erf torn.erf").exits(1);
    for command in ["cut torn.erf torn.erf --force", "cut torn.erf out.erf", "cut torn.erf - --json"] {
        erf_in(dir, command).exits(2);
    }
    assert_eq!(fs::read(dir.join("torn.erf")).expect("the input").len(), whole.len() - 3);
}

#[test]
fn everything_pipes_and_compressed_input_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let input = file(dir, "in.erf", &packets(200, 0));
    let gzipped = Command::new("gzip").args(["-c", "in.erf"]).current_dir(dir).output().expect("gzip runs").stdout;
    fs::write(dir.join("in.erf.gz"), gzipped).expect("a file");
    let ran =
        run(erf("sort - -").stdin(Stdio::from(fs::File::open(dir.join("in.erf.gz")).expect("the file")))).exits(0);
    assert_eq!(ran.stdout, fs::read(&input).expect("the input"));
    // A pcap file comes back as the records it was made from: whole, with FCS, aligned.
    erf_in(dir, "cut in.erf x.pcap").exits(0);
    let ran = erf_in(dir, "merge x.pcap --out -").exits(0);
    assert_eq!(ran.stdout, fs::read(&input).expect("the input"));
}

#[test]
fn meta_is_shown_added_changed_and_left_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let input = file(dir, "in.erf", &packets(3, 1));
    erf_in(dir, "meta add in.erf one.erf --comment lab3 --attribute site=a --interface 1=up").exits(0);
    let text = |args: &str| String::from_utf8(erf_in(dir, args).exits(0).stdout).expect("text");
    let shown = text("meta show one.erf");
    for words in ["META 2023-11-14T22:13:20.000000001Z", "comment: lab3", "attribute: site=a", "name: up"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    if need_program("tshark") {
        let comments =
            tshark(&dir.join("one.erf"), "erf.meta.section_capture.comment", &["erf.meta.section_capture.comment"]);
        assert_eq!(comments, [["lab3"]]);
    }
    let ran = erf_in(dir, "meta edit one.erf two.erf --interface 1=down --host h1 --json").exits(0);
    assert_eq!((&json(&ran)["changed"], &json(&ran)["added"]), (&1.into(), &1.into()));
    let shown = text("meta show two.erf");
    assert!(shown.contains("name: down") && shown.contains("hostname: h1") && !shown.contains("name: up"), "{shown}");
    erf_in(dir, "meta strip two.erf three.erf").exits(0);
    assert_eq!(fs::read(dir.join("three.erf")).ok(), fs::read(input).ok());
    if let Some(provenance) = sample("libtrace-provenance.erf") {
        let shown = text(&format!("meta show {}", provenance.display()));
        let distinct = text(&format!("meta show --distinct {}", provenance.display()));
        assert!(distinct.contains("hostname: endace-c03e08"), "{distinct}");
        assert!(distinct.lines().count() < shown.lines().count(), "some say what was said before");
    }
}

#[test]
fn gaps_and_bursts_are_measured() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let records: Vec<_> = (0..1000u32).map(|n| packet(u64::from(n) * 6_720, 0, n, 60)).collect();
    file(dir, "in.erf", &records);
    let ran = erf_in(dir, "gaps in.erf --window 1ms --link-rate 100M --csv g.csv --svg g.svg --json").exits(0);
    let found = json(&ran);
    assert_eq!((&found["all"]["packets"], &found["by_interface"]["0"]["gap_ns"]["min"]), (&1000.into(), &6720.into()));
    let part = found["all"]["bursts"][0]["of_link"].as_f64().expect("a number");
    assert!((0.99..=1.01).contains(&part), "{part}");
    let csv = fs::read_to_string(dir.join("g.csv")).expect("the table");
    let of_all =
        csv.lines().filter_map(|row| row.strip_prefix("in.erf,all,")).map(|row| row.split_once(',').expect("a row").1);
    assert_eq!(of_all.map(|count| count.parse::<u64>().expect("a number")).sum::<u64>(), 999);
    assert!(fs::read_to_string(dir.join("g.svg")).expect("the drawing").starts_with("<svg"));
}

#[test]
fn samples_come_through_unchanged() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    for name in ["libtrace-100_packets.erf", "libtrace-provenance.erf", "scapy-erf_eth_exthdr.erf"] {
        let Some(path) = sample(name) else { return };
        let whole = fs::read(&path).expect("the sample");
        let path = path.display();
        for command in ["sort", "align --multiple 4", "snap --len 65535"] {
            let (name, options) = command.split_once(' ').unwrap_or((command, ""));
            erf_in(dir, &format!("{name} {path} o.erf --force {options}")).exits(0);
            assert_eq!(fs::read(dir.join("o.erf")).expect("the output"), whole, "{command} {path}");
        }
        erf_in(dir, &format!("merge {path} --out o.erf --force")).exits(0);
        assert_eq!(fs::read(dir.join("o.erf")).expect("the output"), whole, "{path}");
        erf_in(dir, &format!("diff {path} o.erf")).exits(0);
    }
}
