use std::collections::HashMap;

use erf_core::{DefectKind, Flags, RecordBuilder, RecordType, Records};
use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::from_parts(1_700_000_000, 0);
const GAP: TimeDelta = TimeDelta::from_nanos(10_000);

fn spec(text: &str) -> FaultSpec {
    text.parse().unwrap()
}

/// What strikes the packets of `count` arrivals of `frame`, on two ports in turn, 10 us apart.
fn strikes(spec: &FaultSpec, seed: u64, frame: &[u8], count: u32) -> Vec<Strike> {
    let mut faults = Faults::new(spec, seed);
    let mut time = START;
    (0..count)
        .map(|k| {
            time = time + GAP;
            faults.strike(&Arrival::ethernet((k % 2) as u8, time, frame))
        })
        .collect()
}

fn name(strike: Strike) -> &'static str {
    match strike {
        Strike::None => "none",
        Strike::RxError => "rx-error",
        Strike::DsError => "ds-error",
        Strike::Truncate(_) => "truncate",
        Strike::Pad(_) => "pad",
        Strike::Meta => "meta",
        Strike::Disorder(_) => "disorder",
        Strike::Burst(_) => "burst",
        Strike::LinkDown => "link-down",
        Strike::BadLength(_) => "bad-length",
    }
}

#[test]
fn faults_strike_as_often_as_they_are_told_to() {
    let text = "rx-error:0.1+ds-error:0.2+truncate:0.05+pad:1/100+meta:0.02+disorder:0.03+burst:0.04+bad-length:0.05";
    let mut seen = HashMap::new();
    for strike in strikes(&spec(text), 1, &[0; 64], 100_000) {
        *seen.entry(name(strike)).or_insert(0u32) += 1;
    }
    let expected = [
        ("rx-error", 10_000),
        ("ds-error", 20_000),
        ("truncate", 5_000),
        ("pad", 1_000),
        ("meta", 2_000),
        ("disorder", 3_000),
        ("burst", 4_000),
        ("bad-length", 5_000),
        ("none", 50_000),
    ];
    for (name, expected) in expected {
        // More than five standard deviations.
        let slack = 5 * f64::from(expected).sqrt() as u32 + 10;
        assert!(seen[name].abs_diff(expected) < slack, "{name}: {} instead of {expected}", seen[name]);
    }
}

#[test]
fn a_fault_of_rate_1_strikes_every_packet_and_none_strikes_none() {
    assert!(strikes(&spec("meta:1"), 5, &[0; 64], 10_000).iter().all(|strike| *strike == Strike::Meta));
    assert!(strikes(&FaultSpec::new(), 5, &[0; 64], 10_000).iter().all(|strike| *strike == Strike::None));
}

#[test]
fn the_same_seed_strikes_the_same_packets() {
    let all = spec("rx-error:0.1+truncate:0.1+pad:0.1+disorder:0.1+bad-length:0.1+link-down:0.001");
    assert_eq!(strikes(&all, 8, &[0; 64], 5_000), strikes(&all, 8, &[0; 64], 5_000));
    assert_ne!(strikes(&all, 8, &[0; 64], 5_000), strikes(&all, 9, &[0; 64], 5_000));
}

#[test]
fn a_link_is_down_for_a_thousand_packets_of_its_port() {
    let mut faults = Faults::new(&spec("link-down:0.0005"), 3);
    let (mut outages, mut run) = ([0u32; 2], [0u32; 2]);
    for k in 0..200_000usize {
        let port = k % 2;
        let strike = faults.strike(&Arrival::ethernet(port as u8, START, &[0; 64]));
        if strike == Strike::LinkDown {
            run[port] += 1;
            // Up again behind the last packet that did not arrive, and all the while on the other side.
            let ends = run[port].is_multiple_of(1_000);
            assert_eq!(faults.link_up(port as u8), ends);
            outages[port] += u32::from(ends);
        } else {
            assert_eq!((strike, run[port] % 1_000), (Strike::None, 0), "an outage is whole");
            assert!(faults.link_up(port as u8));
        }
    }
    assert!(outages.iter().all(|outages| *outages > 10), "{outages:?}");
    assert!(faults.link_up(200), "a port that is not there has no fault");
}

#[test]
fn disorder_is_before_the_packet_before() {
    for strike in strikes(&spec("disorder:1"), 1, &[0; 64], 10_000).into_iter().skip(1) {
        let Strike::Disorder(early) = strike else { panic!("{strike:?}") };
        let before_the_last = early.to_nanos() - GAP.to_nanos();
        assert!((1_000..=1_000_000).contains(&before_the_last), "{before_the_last} ns");
    }
}

#[test]
fn truncation_takes_something_away() {
    let mut kept = HashMap::new();
    for strike in strikes(&spec("truncate:1"), 1, &[0; 64], 10_000) {
        let Strike::Truncate(keep) = strike else { panic!("{strike:?}") };
        *kept.entry(keep).or_insert(0) += 1;
    }
    assert_eq!((kept.len(), kept.keys().max()), (64, Some(&63)));
    assert!(strikes(&spec("truncate:1"), 1, &[], 10).iter().all(|strike| *strike == Strike::Truncate(0)));
}

#[test]
fn pads_are_of_every_length() {
    let mut lens = HashMap::new();
    for strike in strikes(&spec("pad:1"), 1, &[0; 64], 10_000) {
        let Strike::Pad(len) = strike else { panic!("{strike:?}") };
        assert_eq!(pad_record(len).len(), usize::from(len));
        *lens.entry(len).or_insert(0) += 1;
    }
    assert_eq!((lens.len(), lens.keys().min(), lens.keys().max()), (31, Some(&16), Some(&256)));
}

/// A record with the length field `rlen`, and another behind it.
fn hostile(arrival: &Arrival<'_>, rlen: u16) -> Vec<u8> {
    let payload = arrival.packet.concat();
    let mut buf = vec![0; 70_000];
    let builder = RecordBuilder::new(arrival.record_type).timestamp(arrival.time).payload(&payload);
    let len = builder.write_to(&mut buf).unwrap();
    let next = builder.write_to(&mut buf[len..]).unwrap();
    buf.truncate(len + next);
    buf[10..12].copy_from_slice(&rlen.to_be_bytes());
    buf
}

#[test]
fn a_bad_length_is_a_defect_of_its_kind() {
    let mut kinds = HashMap::new();
    for strike in strikes(&spec("bad-length:1"), 1, &[0x55; 64], 10_000) {
        let Strike::BadLength(rlen) = strike else { panic!("{strike:?}") };
        let arrival = Arrival::ethernet(0, START, &[0x55; 64]);
        let bytes = hostile(&arrival, rlen);
        let first = Records::new(&bytes).next().unwrap();
        let kind = match first {
            Err(defect) => match defect.kind {
                DefectKind::RecordLength { rlen: found } if found == rlen => "length",
                DefectKind::HeadersTooLong { .. } => "headers",
                DefectKind::TornRecord { .. } => "torn",
                other => panic!("{rlen}: {other}"),
            },
            // Longer than the record: it swallows the head of the next one, and the walk goes on inside of that.
            Ok(record) => {
                assert!(usize::from(record.rlen()) > bytes.len() / 2, "{rlen}");
                "longer"
            }
        };
        *kinds.entry((kind, rlen)).or_insert(0) += 1;
    }
    let mut kinds: Vec<_> = kinds.into_keys().collect();
    kinds.sort_unstable();
    let expected = [("headers", 17), ("length", 0), ("length", 8), ("length", 15), ("longer", 112), ("torn", u16::MAX)];
    assert_eq!(kinds, expected);
}

proptest! {
    #[test]
    fn any_arrival_can_be_struck(
        kind in proptest::sample::select(&FaultKind::ALL[..]), seed: u64, port: u8, times: [u64; 4],
        number in 0u8..128, len in 0usize..70_000, ext in 0usize..40, sub in 0usize..=4, wire_len: u16,
    ) {
        let mut faults = Faults::new(&FaultSpec::new().with(kind, Probability::new(1, 1).unwrap()).unwrap(), seed);
        let (packet, ext, sub_header) = (vec![0; len], vec![0; ext * 8], vec![0; sub]);
        for time in times {
            let arrival = Arrival {
                record_type: RecordType::new(number),
                flags: Flags::default(),
                wire_len,
                ext: &ext,
                sub_header: &sub_header,
                ..Arrival::ethernet(port, Timestamp::from_raw(time), &packet)
            };
            match faults.strike(&arrival) {
                Strike::Truncate(keep) => prop_assert!(keep < len || len == 0),
                Strike::Disorder(early) => prop_assert!(early > TimeDelta::ZERO),
                Strike::BadLength(rlen) => {
                    let right = (16 + ext.len() + sub + len).next_multiple_of(8);
                    prop_assert!(usize::from(rlen) != right || right > 65_535);
                }
                other => prop_assert_eq!(name(other), kind.name()),
            }
        }
    }
}
