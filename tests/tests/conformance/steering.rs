//! One card's packets over several streams: each packet to one, and both directions of a flow to the same.

use std::collections::{BTreeMap, BTreeSet};

use dag::emu::synthetic::packet_number;
use dag::emu::{Script, erf_core::Record};
use dag::{Card, RxStream};

use super::{open, started, stream};

/// A conversation, the same for both its directions.
fn flow(frame: &[u8]) -> (Vec<Vec<u8>>, u8) {
    let (mut ends, protocol, ports) = match frame[12..14] {
        [0x08, 0x00] => (vec![frame[26..30].to_vec(), frame[30..34].to_vec()], frame[23], 34),
        _ => (vec![frame[22..38].to_vec(), frame[38..54].to_vec()], frame[20], 54),
    };
    if protocol != 1 {
        ends[0].extend_from_slice(&frame[ports..ports + 2]);
        ends[1].extend_from_slice(&frame[ports + 2..ports + 4]);
    }
    ends.sort();
    (ends, protocol)
}

/// The records of a synthetic feed.
fn some_records(count: usize) -> Vec<Vec<u8>> {
    let mut stream = stream(&format!("synthetic=128,rate=max,count={count}"));
    let mut records = Vec::new();
    loop {
        let batch = stream.advance().unwrap();
        records.extend(batch.iter().map(|record| record.unwrap().bytes().to_vec()));
        if batch.is_end() {
            return records;
        }
    }
}

#[test]
fn every_packet_goes_to_one_stream_and_a_flow_keeps_together() {
    const PACKETS: usize = 4000;
    let script = some_records(PACKETS).iter().try_fold(Script::new(), |script, record| script.record(record)).unwrap();
    let card = script.configure(|spec| spec.streams = 4).card().unwrap();
    let card = Card::emulated(card, "script");
    let mut streams: Vec<RxStream> = (0..4).map(|n| started(&card, 2 * n)).collect();

    let mut homes: BTreeMap<_, BTreeSet<u16>> = BTreeMap::new();
    let mut directions: BTreeMap<_, BTreeSet<u8>> = BTreeMap::new();
    let mut numbers = vec![Vec::new(); 4];
    let mut over = [false; 4];
    while over != [true; 4] {
        for (n, stream) in streams.iter_mut().enumerate() {
            let number = stream.number();
            let batch = stream.advance().unwrap();
            for record in &batch {
                let record: Record<'_> = record.unwrap();
                let flow = flow(record.payload());
                homes.entry(flow.clone()).or_default().insert(number);
                directions.entry(flow).or_default().insert(record.interface());
                numbers[n].push(packet_number(record.payload()).unwrap());
                assert_eq!(record.loss(), Some(0));
            }
            over[n] = batch.is_end();
        }
    }
    assert!(homes.len() > 100, "{} flows", homes.len());
    assert!(homes.values().all(|streams| streams.len() == 1), "a flow is in one stream");
    let both = directions.values().filter(|ports| ports.len() == 2).count();
    assert!(both > homes.len() / 2, "of {both} flows both directions were seen");
    for (n, numbers) in numbers.iter().enumerate() {
        assert!(numbers.is_sorted(), "stream {n} is in order");
        assert!(numbers.len() > PACKETS / 10, "stream {n} has only {}", numbers.len());
    }
    let mut all = numbers.concat();
    all.sort_unstable();
    assert_eq!(all, (0..PACKETS as u64).collect::<Vec<_>>(), "every packet exactly once");
}

#[test]
fn streams_are_read_from_threads_of_their_own() {
    let card = open("synthetic=128,rate=max,count=40000,streams=4");
    let streams: Vec<RxStream> = (0..4).map(|n| card.attach(2 * n).unwrap()).collect();
    let counts: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> = streams
            .into_iter()
            .map(|mut stream| {
                scope.spawn(move || {
                    stream.start().unwrap();
                    let seen = super::read_all(&mut stream);
                    assert!(seen.numbers().is_sorted_by(|a, b| a < b));
                    (seen.packets.len() as u64, u64::from(stream.drops().unwrap().counter))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // Those that were not started yet when the feed began have missed its beginning.
    let all: u64 = counts.iter().map(|(seen, lost)| seen + lost).sum();
    assert!(all <= 40_000 && all > 0, "{counts:?}");
}

#[test]
fn a_packet_whose_stream_is_not_started_is_nobodys() {
    let records = some_records(1000);
    let script = records.iter().try_fold(Script::new(), |script, record| script.record(record)).unwrap();
    let card = Card::emulated(script.configure(|spec| spec.streams = 2).card().unwrap(), "script");
    let mut one = started(&card, 2);
    let seen = super::read_all(&mut one);
    assert!(seen.packets.len() > 100 && seen.packets.len() < 900, "{}", seen.packets.len());
    assert!(seen.packets.iter().all(|packet| packet.lctr == 0));
    let mut late = started(&card, 0);
    assert!(super::read_all(&mut late).packets.is_empty());
    assert_eq!(late.drops().unwrap().counter, 0);
}
