use erf_core::{Fraction, RecordBuilder, RecordType};
use proptest::prelude::*;

use super::*;

fn add(gaps: &mut Gaps, kind: RecordType, nanos: u64, interface: u8, len: usize) {
    let payload = vec![7; len];
    let stamp = Timestamp::from_nanos(nanos, Fraction::Ceil).unwrap();
    let builder = RecordBuilder::new(kind).timestamp(stamp).interface(interface).payload(&payload);
    let bytes = builder.to_vec().unwrap();
    gaps.add(&Record::parse(&bytes).unwrap());
}

#[test]
fn interfaces_are_told_apart_and_what_is_no_packet_does_not_count() {
    let mut gaps = Gaps::new(&[]).unwrap();
    for (nanos, interface) in [(100, 0), (150, 1), (300, 0), (450, 1), (440, 1)] {
        add(&mut gaps, RecordType::ETH, nanos, interface, 60);
        add(&mut gaps, RecordType::META, nanos + 1, interface, 8);
    }
    let of =
        |number| gaps.interface(number).map(|side| (side.packets(), side.histogram().max(), side.backward_steps()));
    assert_eq!((of(0), of(1), of(2)), (Some((2, 200, 0)), Some((3, 300, 1)), None));
    let all = gaps.all();
    assert_eq!((all.packets(), all.wire_bytes(), all.line_bytes(), all.histogram().len()), (5, 300, 400, 3));
    assert_eq!(all.span().map(|(first, last)| (first.nanos(), last.nanos())), Some((100, 450)));
}

#[test]
fn a_full_link_is_full() {
    // 64 bytes at 10 Gbit/s take 67.2 ns of line time.
    let mut gaps = Gaps::new(&[672_000]).unwrap();
    for n in 0..20_000u64 {
        add(&mut gaps, RecordType::ETH, n * 672 / 10, 0, 64);
    }
    let bursts = &gaps.all().bursts()[0];
    let part = bursts.peak().of_line(bursts.window(), 10_000_000_000);
    assert!((0.999..=1.001).contains(&part), "{part}");
}

#[test]
fn windows_of_no_length_are_refused() {
    assert_eq!(Gaps::new(&[5, 0]).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert!(Gaps::new(&[60_000_000_001]).is_err());
}

proptest! {
    #[test]
    fn the_peak_is_the_fullest_of_all_windows(
        packets in proptest::collection::vec((0u64..50, 1usize..100), 1..50), window in 1u64..200,
    ) {
        let mut gaps = Gaps::new(&[window]).unwrap();
        let mut at = 0;
        let mut placed = Vec::new();
        for (step, len) in packets {
            at += step;
            placed.push((at, len as u64));
            add(&mut gaps, RecordType::IPV4, at, 0, len);
        }
        // Stamps are nanoseconds rounded up: a distance may be one unit less, never a nanosecond.
        let full = |from: u64| placed.iter().filter(|(at, _)| (from..from + window).contains(at)).map(|(_, len)| len).sum();
        let expected: u64 = placed.iter().map(|(at, _)| full(*at)).max().unwrap();
        let more = |from: u64| placed.iter().filter(|(at, _)| (from..=from + window).contains(at)).map(|(_, len)| len).sum();
        let at_most: u64 = placed.iter().map(|(at, _)| more(*at)).max().unwrap();
        let peak = gaps.all().bursts()[0].peak().bytes;
        prop_assert!((expected..=at_most).contains(&peak), "{expected} {peak} {at_most}");
    }
}
