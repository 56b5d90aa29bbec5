//! What a comparison of two captures finds is what was done to the packets between them.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use erf::{ErfWriter, Fraction, Record, RecordBuilder, RecordType, Timestamp};
use etherparse::PacketBuilder;
use proptest::prelude::*;
use wire_truth::Error;
use wire_truth::compare::{Common, CompareOptions, Comparison, compare};

const START: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;

/// A capture with datagrams of these numbers at these times, in this order; `hop` changes what a router does.
fn capture(path: PathBuf, packets: impl IntoIterator<Item = (i64, u32)>, hop: u8) -> PathBuf {
    let mut writer = ErfWriter::new(Vec::new());
    let mut record = vec![0; 256];
    for (nanos, number) in packets {
        let mut frame = Vec::new();
        let builder = PacketBuilder::ethernet2([hop; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64 - hop).udp(8, 9);
        builder.write(&mut frame, &number.to_be_bytes()).unwrap();
        let stamp = Timestamp::from_nanos(nanos as u64, Fraction::Ceil).unwrap();
        let builder = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&frame).append_fcs();
        let length = builder.write_to(&mut record).unwrap();
        writer.write_record(&Record::parse(&record[..length]).unwrap()).unwrap();
    }
    std::fs::write(&path, writer.finish().unwrap()).unwrap();
    path
}

#[derive(Debug)]
enum Never {
    Failed(Error),
}

impl From<Error> for Never {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Infallible> for Never {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

fn compared(a: &Path, b: &Path, options: CompareOptions) -> Result<(Comparison, Vec<Common>), String> {
    let mut all = Vec::new();
    let found = compare(a, b, options, |common| {
        all.push(common);
        Ok::<(), Never>(())
    });
    found.map(|found| (found, all)).map_err(|Never::Failed(error)| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Every packet is lost, or arrives with its own delay, so that some overtake others, and some arrive twice.
    #[test]
    fn every_packet_is_found_with_its_delay(
        fates in proptest::collection::vec((0i64..400, 0u8..10), 1..300),
        offset in prop_oneof![Just(0i64), -7_200_000..7_200_000i64],
    ) {
        prop_assume!(fates.iter().any(|(_, luck)| *luck > 1));
        let dir = tempfile::tempdir().unwrap();
        let sent = |number: usize| START + 86_400_000 * MS + number as i64 * MS;
        let a = capture(dir.path().join("a"), (0..fates.len()).map(|number| (sent(number), number as u32)), 0);
        let mut arrived: Vec<(i64, u32)> = Vec::new();
        for (number, (delay, luck)) in fates.iter().enumerate() {
            let at = sent(number) + delay * MS + offset * MS;
            match luck {
                0 => {}
                1 => arrived.extend([(at, number as u32), (at + 50 * MS, number as u32)]),
                _ => arrived.push((at, number as u32)),
            }
        }
        arrived.sort();
        let b = capture(dir.path().join("b"), arrived.iter().copied(), 3);
        let aligned = fates.iter().any(|(_, luck)| *luck > 1);
        prop_assume!(aligned);
        let (found, all) = compared(&a, &b, CompareOptions::default()).unwrap();
        let lost = fates.iter().filter(|(_, luck)| *luck == 0).count() as u64;
        let twice = fates.iter().filter(|(_, luck)| *luck == 1).count() as u64;
        let common = fates.len() as u64 - lost;
        prop_assert_eq!((found.common, found.a.only, found.b.only), (common, lost, 0));
        prop_assert_eq!((found.duplicates, found.ambiguous), (twice, 0));
        for packet in &all {
            let number = ((packet.a - sent(0)) / MS) as usize;
            prop_assert_eq!(packet.a, sent(number));
            prop_assert_eq!(packet.b - packet.a, (fates[number].0 + offset) * MS);
        }
        // In the order of arrival, a later one overtook those that were sent before it.
        let mut first: Vec<u32> = Vec::new();
        for (_, number) in &arrived {
            if !first.contains(number) {
                first.push(*number);
            }
        }
        let mut highest = 0;
        let behind = first.iter().filter(|number| { highest = highest.max(**number); **number < highest }).count();
        prop_assert_eq!(found.reordered, behind as u64);
    }
}

#[test]
fn packets_that_are_all_alike_are_in_no_delay() {
    let dir = tempfile::tempdir().unwrap();
    let at = |number: i64| START + number * 10 * MS;
    let numbers = (0..100).map(|number| (at(number), if number % 10 == 0 { 7_777 } else { number as u32 }));
    let a = capture(dir.path().join("a"), numbers.clone(), 0);
    let b = capture(dir.path().join("b"), numbers.map(|(at, number)| (at + 2 * MS, number)), 1);
    let (found, all) = compared(&a, &b, CompareOptions::default()).unwrap();
    assert_eq!((found.common, found.ambiguous, found.b.only), (90, 10, 0));
    assert!(all.iter().all(|packet| packet.b - packet.a == 2 * MS));
    assert!(found.notes.iter().any(|note| note.contains("10 packets are like others")), "{:?}", found.notes);
    // Far enough apart each is one of its own.
    let mut options = CompareOptions::default();
    options.window_ns = 40 * MS;
    let (found, _) = compared(&a, &b, options).unwrap();
    assert_eq!((found.common, found.ambiguous), (100, 0));
}

#[test]
fn drift_and_offset_are_taken_out_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let at = |number: i64| START + number * 10 * MS;
    let a = capture(dir.path().join("a"), (0..10_000).map(|number| (at(number), number as u32)), 0);
    // 40 ppm too fast and 37 s ahead; queues of up to 5 ms.
    let clock = |time: i64| time + 37_000 * MS + (time - START) / 25_000;
    let queue = |number: i64| (number * 7_919 % 5_000) * 1_000;
    let arrive = (0..10_000).map(|number| (clock(at(number) + 200_000 + queue(number)), number as u32));
    let mut arrive: Vec<(i64, u32)> = arrive.collect();
    arrive.sort();
    let b = capture(dir.path().join("b"), arrive, 1);
    let (raw, _) = compared(&a, &b, CompareOptions::default()).unwrap();
    assert!((raw.drift_ppb.unwrap() - 40_000.0).abs() < 200.0, "{:?}", raw.drift_ppb);
    assert!(raw.notes.iter().any(|note| note.contains("37 whole seconds, which is what TAI")), "{:?}", raw.notes);
    let mut options = CompareOptions::default();
    (options.remove_drift, options.remove_offset) = (true, true);
    let (clean, _) = compared(&a, &b, options).unwrap();
    let values = &clean.delays.values;
    assert_eq!((values.n, values.is_exact(), values.min_ns), (10_000, true, Some(0.0)));
    // The queue is even from 0 to 5 ms.
    for (p, expected) in [(0.5, 2.5e6), (0.99, 4.95e6)] {
        let percentile = values.sample.percentile(p).unwrap();
        assert!((percentile - expected).abs() < 30_000.0, "{p}: {percentile}");
    }
    assert!((clean.delays.counted_from_ns.unwrap() - 37.0002e9).abs() < 50_000.0, "{:?}", clean.delays.counted_from_ns);
}

#[test]
fn what_is_held_has_a_limit_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let at = |number: i64| START + number * MS;
    let a = capture(dir.path().join("a"), (0..500).map(|number| (at(number), number as u32)), 0);
    // All as late as another: however little is held, it is what is wanted.
    let b = capture(dir.path().join("b"), (0..500).map(|number| (at(number + 50), number as u32)), 1);
    let mut options = CompareOptions::default();
    options.most_held = 3;
    let (found, _) = compared(&a, &b, options).unwrap();
    assert_eq!((found.common, found.a.only, found.b.only, found.is_partial()), (500, 0, 0, false));
    // Each second one is later than 200 others.
    let mut late: Vec<(i64, u32)> = (0..500).map(|number| (at(number + number % 2 * 200), number as u32)).collect();
    late.sort();
    let b = capture(dir.path().join("late"), late, 1);
    options.most_held = 1_000;
    let (found, _) = compared(&a, &b, options).unwrap();
    assert_eq!((found.common, found.is_partial()), (500, false));
    options.most_held = 100;
    let (found, _) = compared(&a, &b, options).unwrap();
    assert!(found.common < 500 && found.is_partial() && found.notes.iter().any(|note| note.contains("--window")));
    assert_eq!((found.common + found.a.only, found.common + found.b.only), (500, 500), "all are accounted for");
    // The last one is far sooner than all others, and not held yet.
    let sooner = (0..6).map(|number| (at(number), number as u32)).chain([(at(6), 300)]);
    let b = capture(dir.path().join("sooner"), sooner, 1);
    options.most_held = 3;
    let (found, _) = compared(&a, &b, options).unwrap();
    assert_eq!((found.common, found.b.only, found.is_partial()), (6, 1, true));
}

#[test]
fn captures_with_nothing_in_common_say_what_they_have() {
    let dir = tempfile::tempdir().unwrap();
    let a = capture(dir.path().join("a"), [(START, 1), (START + MS, 2)], 0);
    let b = capture(dir.path().join("b"), [(START, 3)], 0);
    let error = compared(&a, &b, CompareOptions::default()).unwrap_err();
    for words in [
        "no packet is in both captures",
        "2 packets, 2 of them of IP",
        "1700000000.000000000 to 1700000000.001000000",
        "snap length",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    let error = compared(&a, Path::new("/dev/null"), CompareOptions::default()).unwrap_err();
    assert!(error.contains("/dev/null is no file, and is to be read twice"), "{error}");
    // Damage is counted, and what is behind it compared.
    let a = capture(dir.path().join("more"), (0..20).map(|number| (START + i64::from(number) * MS, number)), 0);
    let mut bytes = std::fs::read(&a).unwrap();
    bytes.truncate(bytes.len() - 5);
    let torn = dir.path().join("torn");
    std::fs::write(&torn, bytes).unwrap();
    let (found, _) = compared(&a, &torn, CompareOptions::default()).unwrap();
    assert_eq!((found.common, found.a.only, found.b.defects, found.is_partial()), (19, 1, 1, true));
}

/// Of datagrams, one a millisecond from `START` on: all common ones were found, each with what was done to it.
fn all_of(found: &(Comparison, Vec<Common>), numbers: u64, expected: impl Fn(&Common) -> i64) {
    let (found, all) = found;
    assert_eq!((found.common, found.is_partial()), (numbers, false), "{found:?}");
    for packet in all {
        assert_eq!(packet.b - packet.a, expected(packet), "{packet:?}");
    }
}

#[test]
fn captures_that_begin_far_apart_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let at = |number: i64| START + number * MS;
    let hour = 3_600_000 * MS;
    // A long one before all that is common, and a short one: few of those that tell the offset of the long one are in it.
    let a = capture(dir.path().join("a"), (0..300_000).map(|number| (at(number), number as u32)), 0);
    let late = (299_000..301_000).map(|number| (at(number) + hour + MS / 2, number as u32));
    let b = capture(dir.path().join("b"), late, 1);
    let mut options = CompareOptions::default();
    options.window_ns = 10 * MS;
    let found = compared(&a, &b, options).unwrap();
    all_of(&found, 1_000, |_| hour + MS / 2);
    assert_eq!((found.0.a.only, found.0.b.only, found.0.anchors), (299_000, 1_000, 1_000));
    // The other way round.
    let found = compared(&b, &a, options).unwrap();
    all_of(&found, 1_000, |_| -hour - MS / 2);
}

#[test]
fn drift_of_a_day_needs_no_window() {
    let dir = tempfile::tempdir().unwrap();
    // 20 000 packets in a day, and 100 ppm make 8.6 s of it.
    let at = |number: i64| START + number * 4_320 * MS;
    let a = capture(dir.path().join("a"), (0..20_000).map(|number| (at(number), number as u32)), 0);
    let ahead = |time: i64| (time - START) / 10_000 + MS;
    let b = (0..20_000).map(|number| (at(number) + ahead(at(number)), number as u32));
    let b = capture(dir.path().join("b"), b, 1);
    let mut options = CompareOptions::default();
    options.window_ns = 5 * MS;
    let found = compared(&a, &b, options).unwrap();
    all_of(&found, 20_000, |packet| ahead(packet.a));
    assert_eq!(found.0.steps, []);
    assert!((found.0.drift_ppb.unwrap() - 100_000.0).abs() < 1.0);
}

#[test]
fn a_stepped_clock_loses_no_packet_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let at = |number: i64| START + number * MS;
    let clock = |by: i64, number: i64| if number < 12_000 { 0 } else { by };
    let file = |name: &str, delay: i64, by: i64| {
        let numbers = (0..20_000).map(|number| (at(number) + delay + clock(by, number), number as u32));
        capture(dir.path().join(name), numbers, 0)
    };
    let (five, mut options) = (5_000 * MS, CompareOptions::default());
    options.window_ns = 100 * MS;
    for (by_a, by_b) in [(0, five), (0, -five), (five, 0), (-five, 0)] {
        // Little held: of what is read too early, all but what is wanted soon has to wait.
        for most_held in [1 << 20, 1_000] {
            options.most_held = most_held;
            let (a, b) = (file("a", 0, by_a), file("b", 2 * MS, by_b));
            let (found, all) = compared(&a, &b, options).unwrap();
            assert_eq!((found.common, found.a.only, found.b.only), (20_000, 0, 0), "{by_a} {by_b} {most_held}");
            let by = by_b - by_a;
            assert_eq!(all.iter().filter(|packet| packet.b - packet.a == 2 * MS).count(), 12_000);
            assert_eq!(all.iter().filter(|packet| packet.b - packet.a == 2 * MS + by).count(), 8_000);
            let [step] = found.steps[..] else { panic!("{:?}", found.steps) };
            assert_eq!((step.by_ns, step.after_ns, step.before_ns), (by, all[11_999].b, all[12_000].b));
            assert!(found.notes.iter().any(|note| note.contains("a clock was stepped")), "{:?}", found.notes);
            assert!(found.drift_ppb.unwrap().abs() < 1.0, "a step is no drift: {:?}", found.drift_ppb);
        }
    }
}

#[test]
fn captures_with_little_in_them_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let one = capture(dir.path().join("one"), [(START, 1)], 0);
    let (found, _) = compared(&one, &one, CompareOptions::default()).unwrap();
    assert_eq!((found.common, found.anchors, found.offset_ns), (1, 1, 0));
    // No packet is known from another.
    let alike = capture(dir.path().join("alike"), (0..1_000).map(|number| (START + number * MS, 7)), 0);
    let error = compared(&alike, &alike, CompareOptions::default()).unwrap_err();
    assert!(error.contains("no packet is in both captures") && error.contains("1000 packets, 1000 of"), "{error}");
    let none = dir.path().join("none");
    std::fs::write(&none, []).unwrap();
    let error = compared(&one, &none, CompareOptions::default()).unwrap_err();
    assert!(error.contains("none has 0 packets"), "{error}");
}
