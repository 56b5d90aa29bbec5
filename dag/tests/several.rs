//! Several streams recorded into one file: in order, each record once, with an account for each stream.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dag::emu::{Card as Emulated, Script};
use dag::file::filter::{Filter, FilterOptions};
use dag::file::session::{Opening, StoppedBy};
use dag::file::writer::{Output, OutputOptions};
use dag::file::{RecordBuilder, RecordType, Records, TimeDelta, Timestamp};
use dag::record::{Format, Limits, OnFull, Recorder, Recording, Selection};
use dag::{Card, RxStream};

const START: u32 = 1_700_000_000;

fn at(second: u32) -> Timestamp {
    Timestamp::from_parts(START + second, 0)
}

/// A packet of port `port`, stamped so many seconds after the start.
fn packet(second: u32, port: u8) -> Vec<u8> {
    record(RecordType::ETH, second, port, 60)
}

fn record(kind: RecordType, second: u32, port: u8, len: usize) -> Vec<u8> {
    let mut frame = vec![0x55; len];
    frame[..4].copy_from_slice(&second.to_be_bytes());
    let builder = RecordBuilder::new(kind).timestamp(at(second)).interface(port).payload(&frame);
    if kind == RecordType::ETH { builder.append_fcs().to_vec().unwrap() } else { builder.to_vec().unwrap() }
}

fn script(seconds: &[u32], port: u8) -> Script {
    seconds.iter().try_fold(Script::new(), |script, &second| script.record(&packet(second, port))).unwrap()
}

fn emulated(script: Script) -> Emulated {
    script.card().unwrap()
}

fn stream(card: Emulated, name: &str) -> RxStream {
    Card::emulated(card, name).attach(0).unwrap()
}

fn recorder(path: &Path, format: Format, streams: Vec<RxStream>) -> Recorder {
    let output = Output::create(path, OutputOptions::new()).unwrap();
    let mut streams = streams.into_iter();
    let first = Recorder::new(streams.next().unwrap(), output, format);
    streams.fold(first, Recorder::and)
}

/// Stamp and port of each packet in a file.
fn packets(path: &Path) -> Vec<(Timestamp, u8)> {
    let file = std::fs::read(path).unwrap();
    let packets = Records::new(&file).map(|record| record.unwrap()).filter(|record| record.is_packet());
    packets.map(|record| (record.timestamp(), record.interface())).collect()
}

/// That accounts add up, each one and all of them to the whole.
fn check(recording: &Recording) {
    assert!(recording.account.adds_up(), "{:?}", recording.account);
    let mut sums = BTreeMap::new();
    for stream in &recording.streams {
        let account = &stream.account;
        assert!(account.adds_up(), "{stream:?}");
        for (name, value) in numbers(account) {
            *sums.entry(name).or_default() += value;
        }
    }
    assert_eq!(sums, numbers(&recording.account));
    assert_eq!(recording.defects, recording.streams.iter().map(|stream| stream.defects).sum::<u64>());
    assert_eq!(recording.unfit, recording.streams.iter().map(|stream| stream.unfit).sum::<u64>());
    assert_eq!(recording.lost_after, recording.streams.iter().map(|stream| stream.lost_after).sum::<u64>());
}

fn numbers(account: &dag::file::session::Account) -> BTreeMap<&'static str, u64> {
    BTreeMap::from([
        ("received", account.received),
        ("delivered", account.delivered),
        ("lost by card", account.lost_card),
        ("lost by writer", account.lost_writer),
        ("filtered", account.filtered),
        ("unread", account.unread),
        ("truncated", account.truncated),
    ])
}

/// What each stream has delivered.
fn delivered(recording: &Recording) -> Vec<u64> {
    recording.streams.iter().map(|stream| stream.account.delivered).collect()
}

#[test]
fn records_of_two_cards_come_in_the_order_of_their_stamps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.erf");
    let a = stream(emulated(script(&[1, 3, 5, 6, 7], 0)), "a");
    let b = stream(emulated(script(&[2, 4, 4, 8], 1).lose(3)), "b");
    let recording = recorder(&path, Format::Erf, vec![a, b]).run();
    assert!(recording.error.is_none(), "{:?}", recording.error);
    let order = [(1, 0), (2, 1), (3, 0), (4, 1), (4, 1), (5, 0), (6, 0), (7, 0), (8, 1)];
    assert_eq!(packets(&path), order.map(|(second, port)| (at(second), port)));
    check(&recording);
    assert_eq!(delivered(&recording), [5, 4]);
    assert_eq!(recording.account.stopped_by, StoppedBy::End);
    let [a, b] = &recording.streams[..] else { panic!("{:?}", recording.streams) };
    assert_eq!((a.device.as_str(), b.device.as_str(), a.lost_after, b.lost_after), ("a", "b", 0, 3));
    assert_eq!((a.late, b.late), (0, 0));
    assert_eq!((a.account.first, b.account.last), (Some(at(1)), Some(at(8))));
    // The file says whose packets they are.
    let file = std::fs::read(&path).unwrap();
    let opening = Records::new(&file).flatten().find_map(|record| Opening::from_record(&record)).unwrap();
    assert_eq!((opening.card.device.as_str(), opening.streams.len()), ("a and b", 2));
}

#[test]
fn streams_of_one_card_add_up_and_nothing_is_lost_or_split() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.erf");
    let card =
        Card::open("emu:synthetic=imix,streams=4,rate=100kpps,count=20000,faults=bad-length:1/3000+pad:1/50+meta:1/50")
            .unwrap();
    let streams = (0..4).map(|n| card.attach(2 * n).unwrap()).collect();
    let recording = recorder(&path, Format::Erf, streams).run();
    assert!(recording.error.is_none(), "{:?}", recording.error);
    check(&recording);
    assert!(delivered(&recording).iter().all(|&packets| packets > 1000), "{:?}", delivered(&recording));
    assert!(recording.defects > 0, "and places that are no records are told stream by stream");
    let seen = packets(&path);
    assert_eq!(seen.len() as u64, recording.account.delivered);
    assert!(seen.is_sorted_by_key(|&(stamp, _)| stamp));
}

#[test]
fn one_file_has_what_files_of_the_streams_have() {
    let folder = tempfile::tempdir().unwrap();
    // The same packets come to the same streams, with the same stamps.
    let seconds: Vec<u32> = (0..400).collect();
    let cards = || {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        seconds.iter().for_each(|&second| if second * second % 7 < 3 { a.push(second) } else { b.push(second) });
        [stream(emulated(script(&a, 2)), "a"), stream(emulated(script(&b, 3)), "b")]
    };
    let one = folder.path().join("one.erf");
    recorder(&one, Format::Erf, cards().into()).run();
    let mut each = Vec::new();
    for (n, stream) in cards().into_iter().enumerate() {
        let path = folder.path().join(format!("{n}.erf"));
        recorder(&path, Format::Erf, vec![stream]).run();
        each.extend(packets(&path));
    }
    each.sort();
    assert_eq!(packets(&one), each);
}

#[test]
fn a_silent_stream_is_waited_for_and_what_it_brings_too_late_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.erf");
    let hour = TimeDelta::from_nanos(3_600_000_000_000);
    let silent = script(&[1], 1).wait(hour).record(&packet(5, 1)).unwrap().record(&packet(30, 1)).unwrap();
    let silent = emulated(silent);
    let clock = silent.clock().clone();
    let talks = stream(emulated(script(&[2, 20, 25], 0)), "talks");
    let recorder = recorder(&path, Format::Erf, vec![stream(silent, "silent"), talks])
        .merge_wait(Duration::from_millis(20))
        .io(dag::record::Io::Buffered);
    let progress = recorder.progress();
    let recording = thread::scope(|scope| {
        let recorder = scope.spawn(|| recorder.run());
        while progress.snapshot().delivered < 4 {
            thread::sleep(Duration::from_millis(1));
        }
        clock.advance(hour);
        recorder.join().unwrap()
    });
    assert!(recording.error.is_none(), "{:?}", recording.error);
    let seconds: Vec<_> = packets(&path).into_iter().map(|(stamp, _)| stamp).collect();
    assert_eq!(seconds, [1, 2, 20, 25, 5, 30].map(at), "it is late, and there");
    check(&recording);
    let [silent, talks] = &recording.streams[..] else { panic!("{:?}", recording.streams) };
    assert_eq!((silent.late, silent.late_by, talks.late), (1, at(25) - at(5), 0));
}

#[test]
fn packets_are_held_back_for_a_stream_that_may_bring_earlier_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.erf");
    let hour = TimeDelta::from_nanos(3_600_000_000_000);
    let silent = emulated(Script::new().wait(hour).record(&packet(5, 1)).unwrap());
    let clock = silent.clock().clone();
    let held = Script::new().record(&record(RecordType::ETH, 20, 0, 60_000)).unwrap();
    let streams = vec![stream(silent, "silent"), stream(emulated(held), "held")];
    let recorder = recorder(&path, Format::Erf, streams).merge_wait(Duration::from_secs(3600));
    let (progress, each) = (recorder.progress(), [Arc::default(), Arc::<dag::record::Progress>::default()]);
    let recorder = recorder.stream_progress_to(each.to_vec());
    thread::scope(|scope| {
        let recorder = scope.spawn(|| recorder.run());
        while each[1].snapshot().fill_percent == 0 && !recorder.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        // Time enough for whoever would not wait.
        thread::sleep(Duration::from_millis(300));
        let before = progress.snapshot().delivered;
        clock.advance(hour);
        check(&recorder.join().unwrap());
        assert_eq!(before, 0);
    });
    assert_eq!(packets(&path), [(at(5), 1), (at(20), 0)]);
}

#[test]
fn order_is_given_up_before_packets_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.erf");
    // 2.4 MB through 1 MiB of memory, while the other stream says nothing and would be waited for.
    let big = |script: Script, second| script.record(&record(RecordType::ETH, second, 0, 60_000)).unwrap();
    let busy = emulated((0..40).fold(Script::new(), big));
    let silent = emulated(Script::new().wait(TimeDelta::from_nanos(1 << 50)).record(&packet(1, 1)).unwrap());
    let recording = recorder(&path, Format::Erf, vec![stream(silent, "silent"), stream(busy, "busy")])
        .merge_wait(Duration::from_secs(3600))
        .limits(Limits { count: Some(30), ..Limits::default() })
        .run();
    check(&recording);
    assert_eq!((delivered(&recording), recording.account.stopped_by), (vec![0, 30], StoppedBy::Count));
}

#[test]
fn a_limit_ends_all_and_what_nobody_looked_at_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.erf");
    let odd: Vec<u32> = (0..500).map(|n| 2 * n + 1).collect();
    let even: Vec<u32> = (0..500).map(|n| 2 * n).collect();
    let streams = vec![stream(emulated(script(&odd, 0)), "odd"), stream(emulated(script(&even, 1)), "even")];
    let recording = recorder(&path, Format::Erf, streams)
        .limits(Limits { count: Some(301), ..Limits::default() })
        .selection(Selection::of_ports(&[1]))
        .run();
    check(&recording);
    assert_eq!(delivered(&recording), [0, 301]);
    let [odd, even] = &recording.streams[..] else { panic!("{:?}", recording.streams) };
    assert_eq!((odd.account.filtered, even.account.filtered), (301, 0));
    assert_eq!((odd.account.unread, even.account.unread), (199, 199));
}

#[test]
fn a_filter_is_asked_on_the_streams_threads_and_counted_for_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.erf");
    let card = Card::open("emu:synthetic,streams=2,rate=200kpps,count=4000").unwrap();
    let streams = vec![card.attach(0).unwrap(), card.attach(2).unwrap()];
    let filter = Filter::new("icmp", FilterOptions::default()).unwrap();
    let recording = recorder(&path, Format::Erf, streams).filter(filter).run();
    assert!(recording.error.is_none(), "{:?}", recording.error);
    check(&recording);
    assert!(recording.account.filtered > 3000 && recording.account.delivered > 0);
    assert!(recording.streams.iter().all(|stream| stream.account.filtered > 1000));
}

#[test]
fn a_stream_that_fails_ends_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (path, torn) = (folder.path().join("wire.erf"), folder.path().join("torn.erf.gz"));
    // Stored blocks, none of which says that it is the last one, and nothing behind them.
    let block = packet(3, 0).repeat(700);
    let len = (block.len() as u16).to_le_bytes();
    let block = [&[0, len[0], len[1], !len[0], !len[1]][..], &block].concat();
    std::fs::write(&torn, [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &block.repeat(30)].concat()).unwrap();
    let fails = Card::open(&format!("emu:replay={},pace=max", torn.display())).unwrap();
    let goes_on = Card::open("emu:synthetic,rate=20kpps,count=5000").unwrap();
    let streams = vec![fails.attach(0).unwrap(), goes_on.attach(0).unwrap()];
    let recording = recorder(&path, Format::Erf, streams).run();
    assert!(recording.error.is_none(), "{:?}", recording.error);
    check(&recording);
    let [failed, whole] = &recording.streams[..] else { panic!("{:?}", recording.streams) };
    assert_eq!((failed.account.stopped_by, recording.account.stopped_by), (StoppedBy::Error, StoppedBy::Error));
    assert!(failed.error.as_ref().unwrap().to_string().contains("cut short"), "{:?}", failed.error);
    assert!(failed.account.received > 0);
    assert_eq!((whole.account.received, whole.error.is_none()), (5000, true));
}

#[test]
fn what_a_format_has_no_place_for_is_told_stream_by_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.pcap");
    // pcap has one link type: that of the first packet.
    let hdlc = (0..700u32)
        .fold(script(&[1], 1), |script, n| script.record(&record(RecordType::HDLC_POS, 2 + 2 * n, 1, 60)).unwrap());
    let ethernet: Vec<u32> = (0..600).map(|n| 3 + 2 * n).collect();
    let streams = vec![stream(emulated(hdlc), "hdlc"), stream(emulated(script(&ethernet, 0)), "ethernet")];
    let recording = recorder(&path, Format::Pcap, streams).run();
    check(&recording);
    assert_eq!((delivered(&recording), recording.unfit), (vec![1, 600], 700));
    let lost: Vec<u64> = recording.streams.iter().map(|stream| stream.account.lost_writer).collect();
    assert_eq!(lost, [700, 0]);
}

#[test]
fn a_full_disk_is_told_stream_by_stream() {
    if !Path::new("/dev/full").exists() {
        house_skip::skip("there is no /dev/full");
        return;
    }
    let output = Output::create(Path::new("/dev/full"), OutputOptions::new()).unwrap();
    let streams = [stream(emulated(script(&[1, 3, 5], 0)), "a"), stream(emulated(script(&[2, 4], 1)), "b")];
    let [a, b] = streams;
    let recording = Recorder::new(a, output, Format::Erf).and(b).on_full(OnFull::End).run();
    assert_eq!(recording.error.as_ref().map(dag::Error::kind), Some(dag::ErrorKind::Write));
    check(&recording);
    assert_eq!((delivered(&recording), recording.account.lost_writer), (vec![0, 0], 5));
}

#[test]
fn each_streams_thread_stays_on_its_cpu() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let allowed = |status: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.unwrap().trim().to_owned()
    };
    let cpu: usize = allowed(&status).split(['-', ',']).next_back().unwrap().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let card = Card::open("emu:synthetic,streams=2,rate=10kpps").unwrap();
    let streams = vec![card.attach(0).unwrap(), card.attach(2).unwrap()];
    let recorder = recorder(&folder.path().join("wire.erf"), Format::Erf, streams).cpus(vec![cpu, cpu]);
    let (progress, stop) = (recorder.progress(), recorder.stop_flag());
    thread::scope(|scope| {
        let recorder = scope.spawn(|| recorder.run());
        while progress.snapshot().delivered == 0 && !recorder.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        let mut seen = Vec::new();
        for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            // A thread of another test may be gone by now.
            let Ok(name) = std::fs::read_to_string(task.path().join("comm")) else { continue };
            let Ok(status) = std::fs::read_to_string(task.path().join("status")) else { continue };
            if name.starts_with("dag-take-") && allowed(&status) == cpu.to_string() {
                seen.push(name.trim().to_owned());
            }
        }
        seen.sort();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        check(&recorder.join().unwrap());
        assert_eq!(seen, ["dag-take-0", "dag-take-2"]);
    });

    let card = Card::open("emu:synthetic,streams=2").unwrap();
    let streams = vec![card.attach(0).unwrap(), card.attach(2).unwrap()];
    let refused = self::recorder(&folder.path().join("none.erf"), Format::Erf, streams).cpus(vec![1000]).run();
    let error = refused.error.unwrap();
    assert_eq!(error.kind(), dag::ErrorKind::Unsupported);
    assert!(error.to_string().contains("CPU 1000"), "{error}");
}

#[test]
fn each_streams_numbers_are_shown_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let numbers: Vec<Arc<dag::record::Progress>> = vec![Arc::default(), Arc::default()];
    let streams = vec![stream(emulated(script(&[1, 3], 0)), "a"), stream(emulated(script(&[2], 1)), "b")];
    recorder(&folder.path().join("wire.erf"), Format::Erf, streams).stream_progress_to(numbers.clone()).run();
    let shown: Vec<_> = numbers.iter().map(|progress| (progress.snapshot().delivered, progress.has_ended())).collect();
    assert_eq!(shown, [(2, true), (1, true)]);
}
