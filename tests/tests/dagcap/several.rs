//! Several streams, of one card or several: one file in order, or a file for each.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use erf::session::StoppedBy;
use house_tests::run::{Ran, dagcap, erf, number, run, start};
use house_tests::seen::{Packet, Seen};
use nix::sys::signal::Signal;
use serde_json::Value;

/// `dagcap` with `args`, separated by blanks, in which `@` is `folder`.
fn capture(folder: &Path, args: &str) -> Ran {
    run(&mut command(folder, args))
}

fn command(folder: &Path, args: &str) -> std::process::Command {
    let mut command = dagcap();
    command.args(args.replace('@', folder.to_str().unwrap()).split_whitespace());
    command
}

/// The accounts of the streams, which add up to the whole, each by itself and all together.
#[track_caller]
fn streams(json: &Value) -> &Vec<Value> {
    let streams = json["streams"].as_array().unwrap_or_else(|| panic!("no streams in {json}"));
    let of = |stream: &Value, keys: &[&str]| keys.iter().map(|key| number(stream, key)).sum::<u64>();
    for stream in streams {
        let parts = of(stream, &["delivered", "filtered", "lost_card", "lost_writer"]);
        assert_eq!(number(stream, "received"), parts, "{stream}");
    }
    for key in ["received", "delivered", "filtered", "lost_card", "lost_writer", "unread", "lost_after_last"] {
        let sum: u64 = streams.iter().map(|stream| number(stream, key)).sum();
        assert_eq!(sum, number(json, key), "{key} of {json}");
    }
    assert!(json["stream"].is_null());
    streams
}

fn names(value: &Value) -> Vec<PathBuf> {
    value.as_array().unwrap().iter().map(|name| PathBuf::from(name.as_str().unwrap())).collect()
}

/// What is in a file that is good in every respect.
#[track_caller]
fn whole(file: &Path) -> Seen {
    let seen = Seen::in_file(file);
    assert!(seen.defects.is_empty(), "{}: {:?}", file.display(), seen.defects);
    let account = seen.account();
    assert!(account.adds_up() && account.delivered == seen.packets.len() as u64, "{account:?}");
    run(&mut erf(&format!("check {}", file.display()))).exits(0);
    if house_skip::need_program("capinfos") {
        let said = house_tests::judge::capinfos(file);
        assert_eq!(said.packets, seen.packets.len() as u64 + seen.meta, "{}", file.display());
    }
    seen
}

/// Whether the stamps of packets never go back.
fn is_in_order(packets: &[Packet]) -> bool {
    packets.is_sorted_by_key(|packet| packet.stamp)
}

/// Packets from number `from` on, apart from their order and the time at which they came.
fn sorted(packets: impl IntoIterator<Item = Packet>, from: u64) -> Vec<(Option<u64>, u8, Vec<u8>)> {
    let packets = packets.into_iter().filter(|packet| packet.number.unwrap() >= from);
    let mut all: Vec<_> = packets.map(|packet| (packet.number, packet.port, packet.bytes)).collect();
    all.sort();
    all
}

#[test]
fn several_streams_go_into_one_file_in_order_of_stamps() {
    let dir = tempfile::tempdir().unwrap();
    let device = "emu:synthetic=imix,streams=3,rate=50kpps,count=9000";
    let ran = capture(dir.path(), &format!("--device {device} --stream all --json --out @/wire.erf")).exits(0);
    let json = ran.json();
    let each: Vec<_> = streams(&json).iter().map(|stream| (number(stream, "stream"), number(stream, "late"))).collect();
    assert_eq!(each, [(0, 0), (2, 0), (4, 0)]);
    assert!(streams(&json).iter().all(|stream| number(stream, "delivered") > 500), "{json}");
    ran.says("stream 4: received");
    let seen = whole(&dir.path().join("wire.erf"));
    assert!(is_in_order(&seen.packets));
    assert!(each_once(seen.numbers(), &[(begun(&json, &seen), 9000)]), "as they arrived");
}

/// The number of the first of these packets.
fn first<'p>(mut packets: impl Iterator<Item = &'p Packet>) -> u64 {
    packets.next().and_then(|packet| packet.number).unwrap()
}

/// The number of the packet in a file of all streams with which the last of them begins.
fn begun(json: &Value, seen: &Seen) -> u64 {
    let firsts = streams(json).iter().map(|stream| number(&stream["first"], "ns"));
    let begun = firsts.max().unwrap();
    first(seen.packets.iter().filter(|packet| packet.stamp.nanos() >= begun))
}

/// Whether each number is there once, where all streams receive: they are started and stopped one after the other, and what arrives for one that is
/// not started is not received. `spans` are the first and the last number of each.
fn each_once(mut numbers: Vec<u64>, spans: &[(u64, u64)]) -> bool {
    numbers.sort_unstable();
    let begin = spans.iter().map(|span| span.0).max().unwrap();
    let end = spans.iter().map(|span| span.1).min().unwrap();
    let twice = numbers.windows(2).any(|pair| pair[0] == pair[1]);
    let between: Vec<u64> = numbers.into_iter().filter(|number| (begin..end).contains(number)).collect();
    !twice && !between.is_empty() && between.into_iter().eq(begin..end)
}

#[test]
fn a_file_for_each_stream_has_what_one_file_has() {
    let dir = tempfile::tempdir().unwrap();
    capture(dir.path(), "--device emu:synthetic=imix,rate=50kpps,count=20000 --out @/first.erf").exits(0);
    // The same packets each time, and to the same streams.
    let again = "--device emu:replay=@/first.erf,streams=3 --stream 0,2,4 --json";
    let one = capture(dir.path(), &format!("{again} --out @/one.erf")).exits(0).json();
    let apart = capture(dir.path(), &format!("{again} --out @/{{stream}}.erf")).exits(0).json();
    // Streams are started one after the other: what is the same begins where all have begun.
    let mut from = 0;
    let mut all = Vec::new();
    for (stream, name) in streams(&apart).iter().zip(["0.erf", "2.erf", "4.erf"]) {
        assert_eq!(names(&stream["files"]), [dir.path().join(name)]);
        let seen = whole(&dir.path().join(name));
        assert_eq!(seen.packets.len() as u64, number(stream, "delivered"));
        assert_eq!(fs::metadata(dir.path().join(name)).unwrap().len(), number(stream, "bytes_written"));
        assert!(is_in_order(&seen.packets));
        from = from.max(first(seen.packets.iter()));
        all.extend(seen.packets);
    }
    let seen = whole(&dir.path().join("one.erf"));
    let from = from.max(begun(&one, &seen));
    let one = seen.packets;
    assert!(is_in_order(&one));
    let (one, all) = (sorted(one, from), sorted(all, from));
    assert!(one.len() > 10_000 && one == all, "the same packets: {} and {}", one.len(), all.len());
}

#[test]
fn several_cards_in_one_file_have_to_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let cards =
        "--device emu:synthetic,rate=20kpps,count=500 --device emu:synthetic,rate=20kpps,count=700,seed=5 --json";
    let refused = capture(dir.path(), &format!("{cards} --out @/wire.erf")).exits(2);
    refused.says("--merge");
    refused.says("{device}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let json = capture(dir.path(), &format!("{cards} --merge=100ms --out @/wire.erf")).exits(0).json();
    let each: Vec<_> = streams(&json).iter().map(|stream| number(stream, "delivered")).collect();
    assert_eq!(each, [500, 700]);
    assert!(is_in_order(&whole(&dir.path().join("wire.erf")).packets));
    // Or a file for each, named after the card.
    let json = capture(dir.path(), &format!("{cards} --out @/{{device}}-{{stream}}.erf")).exits(0).json();
    assert_eq!(names(&json["files"]), ["emu0-0.erf", "emu1-0.erf"].map(|name| dir.path().join(name)));
    assert_eq!(whole(&dir.path().join("emu1-0.erf")).packets.len(), 700);
}

#[test]
fn what_cannot_be_is_refused_before_there_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let two = "--device emu:synthetic,streams=2";
    for (args, words) in [
        (
            format!("{two} --stream 0,2 --out @/{{device}}.erf"),
            &["would both be written to", "put {stream} into the name"][..],
        ),
        (format!("{two} {two} --out @/{{stream}}.erf"), &["would both be written to", "{device}"]),
        (format!("{two} --stream 0,2 --merge --out @/{{stream}}.erf"), &["--merge makes one file"]),
        (format!("{two} --stream 0,0 --out @/wire.erf"), &["stream 0 is named twice"]),
        (format!("{two} --stream 0,4 --out @/wire.erf"), &["no receive stream 4"]),
        (format!("{two} --stream all --cpu 0 --out @/wire.erf"), &["--cpu names 1 CPU", "there are 2 streams"]),
        (format!("{two} --stream all --cpu 1000,1000 --out @/{{stream}}.erf"), &["CPU 1000"]),
        (format!("{two} --stream all --cpu 1000,1000 --out @/wire.erf"), &["CPU 1000"]),
        (format!("{two} --stream some --out @/wire.erf"), &["the word all"]),
    ] {
        let ran = capture(dir.path(), &args).exits(2);
        for words in words {
            ran.says(words);
        }
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{args}");
    }
}

#[test]
fn each_streams_files_are_rotated_by_themselves_and_kept_together() {
    let dir = tempfile::tempdir().unwrap();
    let args = "--device emu:synthetic,streams=2,rate=20kpps --stream 0,2 --rotate-every 1h --keep 100 --json --out @/{stream}-{n}.erf";
    let mut running = start(&mut command(dir.path(), args));
    let there = |name: &str| dir.path().join(name).exists();
    for n in 0..2 {
        running.until("both record", || (0..2).all(|stream| there(&format!("{}-{n:05}.erf.part", 2 * stream))));
        running.signal(Signal::SIGHUP);
    }
    running.until("both record", || (0..2).all(|stream| there(&format!("{}-00002.erf.part", 2 * stream))));
    running.signal(Signal::SIGINT);
    let json = running.wait().exits(0).json();
    assert_eq!(json["stopped_by"], "signal");
    let (mut numbers, mut spans) = (Vec::new(), Vec::new());
    for stream in streams(&json) {
        let files = names(&stream["files"]);
        assert_eq!(files.len(), 3, "{json}");
        let mut delivered = 0;
        for (n, file) in files.iter().enumerate() {
            let seen = whole(file);
            let reason = if n < 2 { StoppedBy::Rotation } else { StoppedBy::Signal };
            assert_eq!(seen.account().stopped_by, reason);
            delivered += seen.account().delivered;
            match n {
                0 => spans.push((first(seen.packets.iter()), u64::MAX)),
                _ => spans.last_mut().unwrap().1 = first(seen.packets.iter().rev()),
            }
            numbers.extend(seen.numbers());
        }
        assert_eq!(delivered, number(stream, "delivered"));
    }
    let all = numbers.len();
    assert!(each_once(numbers, &spans), "{all} packets");
}

#[test]
fn what_is_kept_is_kept_of_all_streams() {
    let dir = tempfile::tempdir().unwrap();
    let args = "--device emu:synthetic=1518,streams=2,rate=100kpps,count=6000 --stream 0,2 --rotate-size 1MiB --keep 3 --json --out @/{stream}-{n}.erf";
    let json = capture(dir.path(), args).exits(0).json();
    assert!(names(&json["files"]).len() > 6, "{json}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn a_stream_that_fails_is_told_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    // gzip of stored blocks, none of which is the last one, and nothing behind them.
    let record = erf::RecordBuilder::new(erf::RecordType::ETH)
        .timestamp(erf::Timestamp::from_parts(1_700_000_000, 0))
        .payload(&[7; 60])
        .append_fcs()
        .to_vec()
        .unwrap();
    let block = record.repeat(700);
    let len = (block.len() as u16).to_le_bytes();
    let block = [&[0, len[0], len[1], !len[0], !len[1]][..], &block].concat();
    let torn = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &block.repeat(30)].concat();
    fs::write(dir.path().join("torn.erf.gz"), torn).unwrap();
    for out in ["--merge --out @/one.erf", "--out @/{device}.erf"] {
        let cards = "--device emu:replay=@/torn.erf.gz,pace=max --device emu:synthetic,rate=20kpps,count=4000 --json";
        let ran = capture(dir.path(), &format!("{cards} {out}")).exits(2);
        ran.says("cut short");
        let json = ran.json();
        let [torn, whole] = &streams(&json)[..] else { panic!("{json}") };
        assert!(torn["error"].as_str().unwrap().contains("cut short"), "{json}");
        assert!(number(torn, "received") > 0);
        assert_eq!((number(whole, "received"), whole["error"].is_null()), (4000, true));
        assert_eq!(json["stopped_by"], "error");
    }
    assert_eq!(whole(&dir.path().join("emu1.erf")).packets.len(), 4000);
}

#[test]
fn who_asks_is_told_of_each_stream() {
    for out in ["one.erf", "{stream}.erf"] {
        let dir = tempfile::tempdir().unwrap();
        let args =
            format!("--device emu:synthetic,streams=2,rate=20kpps --stream all --json --metrics @/prom --out @/{out}");
        let mut running = start(&mut command(dir.path(), &args));
        let metrics = || fs::read_to_string(dir.path().join("prom")).unwrap_or_default();
        let values = |text: &str| {
            let lines =
                text.lines().filter_map(|line| line.strip_prefix("dagcap_receive_stream_packets_delivered_total{"));
            let stream = |line: &str| {
                let (labels, value) = line.split_once("} ").unwrap();
                let stream = labels.split_once("stream=\"").unwrap().1.trim_end_matches('"').to_owned();
                (stream, value.parse::<u64>().unwrap())
            };
            lines.map(stream).collect::<BTreeMap<String, u64>>()
        };
        running.until("both are told of", || {
            let values = values(&metrics());
            values.len() == 2 && values.values().all(|&packets| packets > 0)
        });
        let asked = values(&metrics());
        running.signal(Signal::SIGUSR1);
        running.until("it has gone on", || {
            let before = values(&metrics());
            std::thread::sleep(std::time::Duration::from_millis(20));
            values(&metrics()) != before
        });
        running.signal(Signal::SIGTERM);
        let ran = running.wait().exits(0);
        let line = ran.says("\"report\":1");
        let report: Value = serde_json::from_str(line).unwrap();
        let told: Vec<_> =
            report["streams"].as_array().unwrap().iter().map(|stream| number(stream, "stream")).collect();
        assert_eq!(told, [0, 2]);
        assert_eq!(report["streams"][0]["written"].is_null(), out == "one.erf", "{report}");
        let json = ran.json();
        // What had been told before, or more, and no more than there was in the end.
        let between = |report: &Value, before: u64, last: &Value| {
            let delivered = number(report, "delivered");
            assert!(before <= delivered && delivered <= number(last, "delivered"), "{before}, {report}, {last}");
        };
        for (report, last) in report["streams"].as_array().unwrap().iter().zip(streams(&json)) {
            between(report, asked[&number(report, "stream").to_string()], last);
        }
        between(&report, asked.values().sum(), &json);
        let last: BTreeMap<_, _> = streams(&json)
            .iter()
            .map(|stream| (number(stream, "stream").to_string(), number(stream, "delivered")))
            .collect();
        assert_eq!(values(&metrics()), last, "{out}");
    }
}

#[test]
fn threads_stay_on_the_cpus_that_are_named() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = |status: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.unwrap().trim().to_owned()
    };
    let own = allowed(&status);
    let first: usize = own.split(['-', ',']).next().unwrap().parse().unwrap();
    let last: usize = own.split(['-', ',']).next_back().unwrap().parse().unwrap();
    let dir = tempfile::tempdir().unwrap();
    for out in ["one.erf", "{stream}.erf"] {
        let device = "emu:synthetic,streams=2,rate=20kpps";
        let args = format!("--device {device} --stream 0,2 --cpu {first},{last} --out @/{out}");
        let mut running = start(&mut command(dir.path(), &args));
        let tasks = format!("/proc/{}/task", running.id());
        running.until("its threads are where they belong", || {
            let mut seen = BTreeMap::new();
            for task in fs::read_dir(&tasks).into_iter().flatten().flatten() {
                let read = |file| fs::read_to_string(task.path().join(file));
                let (Ok(name), Ok(status)) = (read("comm"), read("status")) else { continue };
                seen.insert(name.trim().to_owned(), allowed(&status));
            }
            let on = |name: &str, cpu: usize| seen.get(name) == Some(&cpu.to_string());
            // And nobody else is kept from running where there is room.
            let writer = seen.get("dag-writer").is_none_or(|cpus| *cpus == own);
            on("dag-take-0", first) && on("dag-take-2", last) && writer
        });
        running.signal(Signal::SIGINT);
        running.wait().exits(0);
    }
}

#[test]
fn a_limit_is_for_the_one_file_or_for_each() {
    let dir = tempfile::tempdir().unwrap();
    let args = "--device emu:synthetic=imix,streams=2,rate=50kpps --stream all --count 1000 --json --filter udp";
    let json = capture(dir.path(), &format!("{args} --out @/one.erf")).exits(0).json();
    assert_eq!((number(&json, "delivered"), &json["stopped_by"]), (1000, &Value::from("count")));
    assert!(number(&json, "filtered") > 0, "what is left out counts for no limit: {json}");
    streams(&json);
    whole(&dir.path().join("one.erf"));
    let json = capture(dir.path(), &format!("{args} --out @/{{stream}}.erf")).exits(0).json();
    let each: Vec<_> = streams(&json).iter().map(|stream| number(stream, "delivered")).collect();
    assert_eq!(each, [1000, 1000]);
}

#[test]
fn one_stream_has_its_number_in_the_name_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let args = "--device emu:synthetic,streams=2,rate=max,count=100 --stream 2 --json --out @/{device}-{stream}.erf";
    let json = capture(dir.path(), args).exits(0).json();
    assert_eq!(names(&json["files"]), [dir.path().join("emu-2.erf")]);
    assert_eq!(number(&json, "stream"), 2);
    assert!(json["streams"].is_null(), "{json}");
}
