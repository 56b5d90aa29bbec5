//! The clock: an error put in is found again in the stamps.

use dag::emu::erf_core::{RecordBuilder, RecordType, Tick, TimeDelta, Timestamp};
use dag::emu::{Card as Emulated, ClockSettings, Script};
use dag::{Card, StampSource};
use house_tests::seen::Seen;

use super::{card, read_all, read_some, started};

const SECOND: TimeDelta = TimeDelta::from_raw(1 << 32);

fn frame() -> [u8; 88] {
    let mut record = [0; 88];
    RecordBuilder::new(RecordType::ETH).payload(&[0x55; 60]).append_fcs().write_to(&mut record).unwrap();
    record
}

/// A card at whose port a packet arrives every second, stamped by its clock, which only the test moves.
fn every_second(packets: u32, clock: ClockSettings) -> (Emulated, Card) {
    let mut script = Script::new().stamp_on_arrival().configure(|spec| spec.clock = clock);
    for _ in 0..packets {
        script = script.wait(SECOND).record(&frame()).unwrap();
    }
    let emulated = script.card().unwrap();
    (emulated.clone(), Card::emulated(emulated, "script"))
}

/// Lets a second pass, and reads the stamp of its packet.
fn tick(emulated: &Emulated, stream: &mut dag::RxStream) -> Timestamp {
    assert!(emulated.clock().advance(SECOND));
    let batch = stream.advance().unwrap();
    let records: Vec<_> = batch.iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(records.len(), 1);
    records[0].timestamp()
}

#[test]
fn offset_drift_and_step_are_found_again() {
    let clock = ClockSettings {
        tick: Tick::FINEST,
        offset: TimeDelta::from_nanos(-250_000),
        drift_ppb: 40_000,
        ..ClockSettings::default()
    };
    let (emulated, card) = every_second(60, clock);
    let start = emulated.clock().true_time();
    let mut stream = started(&card, 0);
    let mut errors = Vec::new();
    for n in 1..=60 {
        if n == 31 {
            emulated.clock().step(TimeDelta::from_nanos(7_000_000));
        }
        let stamp = tick(&emulated, &mut stream);
        let truth = start + TimeDelta::from_raw(n << 32);
        assert_eq!(emulated.clock().true_time(), truth);
        errors.push((stamp - truth).to_nanos());
    }
    // Offset and drift by the first thirty stamps: a line through the first and the last.
    let drift = (errors[29] - errors[0]) as f64 / 29.0;
    assert!((drift - 40_000.0).abs() < 1.0, "{drift} ns a second");
    let offset = errors[0] as f64 - drift;
    assert!((offset + 250_000.0).abs() < 2.0, "{offset} ns at the start");
    // And the step where it was made, and nowhere else.
    let steps: Vec<i64> = errors.windows(2).map(|pair| pair[1] - pair[0] - 40_000).collect();
    for (n, step) in steps.iter().enumerate() {
        let expected = if n == 29 { 7_000_000 } else { 0 };
        assert!((step - expected).abs() <= 2, "between stamps {n} and {}: {step} ns", n + 1);
    }
}

#[test]
fn drift_shows_on_the_hosts_clock_too() {
    for drift in [-1_000_000, 0, 250_000] {
        let spec = format!("synthetic,rate=100kpps,count=20000,tick=32,drift={drift}");
        let (_, card) = card(&spec);
        let seen = read_all(&mut started(&card, 0));
        // Packet k is due k * 10 us after the first, exactly.
        let span = (seen.packets[19_999].stamp - seen.packets[0].stamp).to_nanos();
        let nominal = 19_999i64 * 10_000;
        let found = (span - nominal) as f64 * 1e9 / nominal as f64;
        assert!((found - f64::from(drift)).abs() < 50.0, "{found} ppb found, {drift} put in");
    }
}

#[test]
fn offset_shows_against_the_hosts_clock() {
    for (offset, nanos) in [("0", 0i64), ("2h", 7_200_000_000_000), ("-250ms", -250_000_000)] {
        let (_, card) = card(&format!("synthetic,rate=max,count=100,offset={offset}"));
        let before = Timestamp::now();
        let seen = read_all(&mut started(&card, 0));
        let after = Timestamp::now();
        let shift = TimeDelta::from_nanos(nanos);
        for packet in &seen.packets {
            // Stamps are cut to a tick of 15 ns.
            assert!(packet.stamp + TimeDelta::from_nanos(15) >= before + shift, "offset {offset}");
            assert!(packet.stamp <= after + shift + TimeDelta::from_nanos(1), "offset {offset}");
        }
    }
}

#[test]
fn a_clock_can_be_set_while_packets_come() {
    let (emulated, card) = card("synthetic,rate=10kpps,tick=32");
    let mut stream = started(&card, 0);
    let mut packets = read_some(&mut stream, 50).packets;
    emulated.clock().step(TimeDelta::from_nanos(-500_000_000));
    packets.extend(read_some(&mut stream, 500).packets);
    let gaps: Vec<i64> = packets.windows(2).map(|pair| (pair[1].stamp - pair[0].stamp).to_nanos()).collect();
    let back: Vec<i64> = gaps.iter().copied().filter(|gap| *gap < 0).collect();
    assert_eq!(back.len(), 1, "one step back");
    assert!((back[0] - (100_000 - 500_000_000)).abs() <= 2, "{back:?}");
    assert!(gaps.iter().filter(|gap| **gap > 0).all(|gap| (gap - 100_000).abs() <= 2));
}

#[test]
fn the_card_says_what_its_stamps_are_worth() {
    let (_, synthetic) = card("synthetic,tick=28");
    let info = synthetic.info();
    assert_eq!((info.stamp_source, info.tick.unwrap().bits(), info.emulated), (StampSource::Synthetic, 28, true));
    assert_eq!(info.stamp_error_ns, None, "invented packets have no error");
    let (_, script) = every_second(1, ClockSettings::default());
    assert_eq!(script.info().stamp_source, StampSource::Script);
}

#[test]
fn a_script_without_its_own_stamps_shows_the_cards_time() {
    let (emulated, card) = every_second(3, ClockSettings { tick: Tick::FINEST, ..ClockSettings::default() });
    let mut stream = started(&card, 0);
    let before = emulated.clock().now();
    let stamps: Vec<Timestamp> = (0..3).map(|_| tick(&emulated, &mut stream)).collect();
    assert_eq!(stamps, [1, 2, 3].map(|n| before + TimeDelta::from_raw(n << 32)));
    let rest: Seen = read_all(&mut stream);
    assert!(rest.packets.is_empty());
}
