use erf_core::{Record, Records};

use super::*;
use crate::card::Card;
use crate::feed::synthetic::packet_number;
use crate::ring::PollRules;
use crate::spec::CardSpec;
use crate::stream::Stream;

fn spec(more: &str) -> CardSpec {
    format!("synthetic=imix,rate=max,payload=template,memory=1MiB,seed=3{more}").parse().unwrap()
}

/// The frames that a feed of the same seed makes one by one, with their ports.
fn made(more: &str) -> Vec<(u8, Vec<u8>)> {
    let card =
        Card::open(&format!("synthetic=imix,rate=max,full=wait,seed=3,count=1024{more}").parse().unwrap()).unwrap();
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    let mut frames = Vec::new();
    read(&mut stream, u64::MAX, |record| frames.push((record.interface(), record.payload().to_vec())));
    assert_eq!(frames.len(), 1024);
    frames
}

/// Reads records until so many bytes have been seen or the feed is over, and returns the bytes.
fn read(stream: &mut Stream, bytes: u64, mut each: impl FnMut(&Record<'_>)) -> u64 {
    stream.set_poll_rules(PollRules { mindata: 64 << 10, ..PollRules::default() });
    let mut seen = 0;
    while seen < bytes {
        let window = stream.advance(stream.window().top, None).unwrap();
        for record in Records::new(stream.bytes()) {
            each(&record.unwrap());
        }
        seen += window.len();
        if window.is_empty() && stream.is_last() {
            break;
        }
    }
    seen
}

/// Checks that the records of some laps are those of the pattern, in its order, each lap from the start and closed by filler; with what
/// came between as it was lost. Returns packets and losses.
fn check(stream: &mut Stream, laps: u64, frames: &[(u8, Vec<u8>)]) -> (u64, u64) {
    let (mut next, mut packets, mut lost, mut pads, mut last) = (0, 0u64, 0u64, 0, Timestamp::ZERO);
    read(stream, laps << 20, |record| {
        if record.is_pad() {
            (next, pads) = (0, pads + 1);
            return;
        }
        let (port, frame) = &frames[next];
        assert_eq!(record.interface(), *port);
        assert!(record.payload() == frame.get(..record.captured_len()).unwrap(), "packet {next} behind {packets}");
        assert!(record.timestamp() >= last);
        last = record.timestamp();
        packets += 1;
        lost += u64::from(record.loss().unwrap());
        next = (next + 1) % frames.len();
    });
    assert!(pads + 1 >= laps, "{pads} of {laps} laps were closed");
    (packets, lost)
}

#[test]
fn every_lap_shows_the_first_packets_of_the_seed() {
    let frames = made("");
    for (at, (_, frame)) in frames.iter().enumerate() {
        assert_eq!(packet_number(frame), Some(at as u64));
    }
    let card = Card::open(&spec(",full=wait,count=100000")).unwrap();
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    let (packets, lost) = check(&mut stream, 30, &frames);
    let mut more = 0;
    read(&mut stream, u64::MAX, |record| more += u64::from(!record.is_pad()));
    assert_eq!((packets + more, lost, stream.drops().total), (100_000, 0, 0));
    let counted: u64 = (0..2).map(|port| card.ports().counted(port).packets).sum();
    let bytes: u64 = (0..2).map(|port| card.ports().counted(port).bytes).sum();
    assert_eq!(counted, 100_000);
    assert!(bytes / counted > 300 && bytes / counted < 420, "{bytes}");
}

#[test]
fn what_a_reader_may_have_edited_is_written_anew() {
    let frames = made("");
    let card = Card::open(&spec(",full=wait")).unwrap();
    for _ in 0..2 {
        let mut stream = card.attach_writable(0).unwrap();
        stream.start().unwrap();
        stream.set_poll_rules(PollRules { mindata: 1 << 18, ..PollRules::default() });
        let mut next = 0;
        for _ in 0..20 {
            stream.advance(stream.window().top, None).unwrap();
            let len = stream.bytes().len();
            for record in Records::new(stream.bytes()) {
                let record = record.unwrap();
                if record.is_pad() {
                    next = 0;
                    continue;
                }
                assert!(record.payload() == frames[next].1, "packet {next}");
                next = (next + 1) % frames.len();
            }
            let at = usize::try_from(stream.window().bottom % stream.memory_len()).unwrap();
            // SAFETY: the bytes lie in the window, which is ours until the next advance, in a mapping that may be written to.
            let start = unsafe { stream.mapping().base().cast_mut().add(at) };
            // SAFETY: as above; a slice of them is no longer in use.
            unsafe { std::ptr::write_bytes(start, 0xEE, len) };
        }
    }
    // The mapping may have been kept: records are whole for who comes next, too.
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    check(&mut stream, 5, &frames);
}

#[test]
fn loss_is_told_once_and_the_order_goes_on() {
    let frames = made("");
    let card = Card::open(&spec("")).unwrap();
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    // Nobody reads until the ring is full.
    while stream.drops().pending == 0 {
        std::thread::yield_now();
    }
    let (_, lost) = check(&mut stream, 20, &frames);
    assert!(lost > 0);
    stream.stop().unwrap();
    stream.set_poll_rules(PollRules::non_blocking());
    stream.advance(stream.window().top, None).unwrap();
    let rest: u64 = Records::new(stream.bytes()).map(|record| u64::from(record.unwrap().loss().unwrap_or(0))).sum();
    let drops = stream.drops();
    // A loss counter sticks at 65 535, so the records tell at most what the account does.
    assert!(lost + rest + drops.pending <= u64::from(drops.total), "{lost} {rest} {drops:?}");
}

#[test]
fn settings_hold_from_the_next_turn_on_and_what_lay_there_before_does_not_show() {
    let frames = made("");
    let card = Card::open(&spec(",full=wait")).unwrap();
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    check(&mut stream, 3, &frames);
    card.ports().set_snaplen(96);
    // What lies there already is of the old length.
    let mut next = None;
    for _ in 0..200 {
        stream.advance(stream.window().top, None).unwrap();
        for record in Records::new(stream.bytes()) {
            let record = record.unwrap();
            if record.is_pad() {
                next = next.map(|_| 0);
                continue;
            }
            if record.rlen() > 120 {
                assert_eq!(next, None, "a long record behind a short one");
                continue;
            }
            let number = packet_number(record.payload()).unwrap() as usize;
            assert!(next.is_none_or(|next| next == number), "{next:?} {number}");
            assert!(frames[number].1.starts_with(record.payload()));
            next = (record.wire_len() > 200 || next.is_some()).then_some((number + 1) % frames.len());
        }
    }
    assert!(next.is_some());
}

#[test]
fn faults_and_several_streams_get_packet_after_packet() {
    let frames = made("");
    let card = Card::open(&spec(",full=wait,streams=2,count=100000")).unwrap();
    let mut streams = [card.attach(0).unwrap(), card.attach(2).unwrap()];
    for stream in &mut streams {
        stream.set_poll_rules(PollRules { maxwait: std::time::Duration::from_millis(5), ..PollRules::default() });
        stream.start().unwrap();
    }
    let mut seen = [0u64; 2];
    // The feed begins with the first stream: what comes to the second before it is started is nobody's.
    let mut is_over = [false; 2];
    while is_over != [true; 2] {
        for ((stream, seen), is_over) in streams.iter_mut().zip(&mut seen).zip(&mut is_over) {
            stream.advance(stream.window().top, None).unwrap();
            *is_over = stream.is_last() && stream.bytes().is_empty();
            for record in Records::new(stream.bytes()) {
                let record = record.unwrap();
                let number = packet_number(record.payload()).unwrap() as usize;
                assert!(record.payload() == frames[number].1);
                *seen += 1;
            }
        }
    }
    assert!(seen.iter().all(|seen| *seen > 2_000), "{seen:?}");

    let card = Card::open(&spec(",full=wait,faults=rx-error:1/10,count=5000")).unwrap();
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    let (mut good, mut bad) = (0, 0);
    read(&mut stream, u64::MAX, |record| if record.flags().rx_error() { bad += 1 } else { good += 1 });
    assert_eq!(good + bad, 5000);
    assert!((300..700).contains(&bad), "{bad}");
}

#[test]
fn a_rate_is_kept_to_the_packet() {
    let card = Card::open(&spec(",count=3000").with_rate("10Gbps")).unwrap();
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    let (mut bits, mut first) = (0u64, None);
    read(&mut stream, u64::MAX, |record| {
        if record.is_pad() {
            return;
        }
        let since = record.timestamp() - *first.get_or_insert(record.timestamp());
        // A packet is due when the wire is free: exactly, but for the tick of the clock.
        let due = (u128::from(bits) << 32) / 10_000_000_000;
        assert!((since.raw() as u128).abs_diff(due) <= 64, "{since:?} {due}");
        bits += (u64::from(record.wire_len()) + 20) * 8;
    });
    assert!(bits > 0);
}

impl CardSpec {
    fn with_rate(mut self, rate: &str) -> Self {
        if let crate::spec::FeedSpec::Synthetic(synthetic) = &mut self.feed {
            synthetic.rate = rate.parse().unwrap();
        }
        self
    }
}
