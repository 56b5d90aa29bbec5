//! The emulated card flat out: the feed on its own core, advance and iterate on the other, beside a plain loop over the same bytes.
//!
//! `DAG_BENCH_PACKETS` sets the packets of a round; 20 million by default.

use std::hint::black_box;

use dag::file::{RecordType, Records};
use dag::{Card, PollRules};
use house_benches::{Contestant, race};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let packets: u64 = std::env::var("DAG_BENCH_PACKETS").map_or(Ok(20_000_000), |n| n.parse())?;
    let device = format!("emu:synthetic=64,rate=max,memory=256MiB,count={packets}");
    let sample = sample(&device)?;
    let laps = packets / (sample.len() as u64 / 88).max(1);
    let mut lost = 0;
    let mut rounds = 0;
    race(
        "Synthetic 64-byte frames flat out",
        5,
        &mut [
            Contestant::new("plain loop over the same bytes, in memory", || (0..laps).map(|_| plain(&sample)).sum()),
            Contestant::new("Records over the same bytes, in memory", || (0..laps).map(|_| walk(&sample)).sum()),
            Contestant::new("feed alone: advance, nothing looked at", || {
                drive(&device, false).map_or(0, |seen| seen.0)
            }),
            Contestant::new("feed -> advance -> iterate, every record used", || {
                drive(&device, true).map_or(0, |seen| {
                    rounds += 1;
                    lost += seen.1;
                    seen.0
                })
            }),
        ],
    );
    println!("\nlost in the last contest: {lost} of {} packets", packets * rounds);
    Ok(())
}

/// Some records as the card makes them.
fn sample(device: &str) -> Result<Vec<u8>, dag::Error> {
    let card = Card::open(device)?;
    let mut stream = card.attach(0)?;
    stream.set_poll_rules(PollRules { mindata: 8 << 20, ..PollRules::default() });
    stream.start()?;
    Ok(stream.advance()?.bytes().to_vec())
}

/// Packets that the feed offered, and those of them that were lost.
fn drive(device: &str, look: bool) -> Result<(u64, u64), dag::Error> {
    let card = Card::open(device)?;
    let mut stream = card.attach(0)?;
    stream.start()?;
    let (mut seen, mut lost) = (0, 0);
    loop {
        let batch = stream.advance()?;
        if look {
            let (mut wire, mut ethernet) = (0u64, 0u64);
            for record in batch.iter().flatten() {
                wire += u64::from(record.wire_len());
                ethernet += u64::from(record.record_type() == RecordType::ETH);
                lost += u64::from(record.loss().unwrap_or(0));
                seen += 1;
            }
            black_box((wire, ethernet));
        } else {
            seen += batch.bytes().len() as u64 / 88;
        }
        if batch.is_end() {
            break;
        }
    }
    Ok((seen + lost, lost))
}

fn plain(bytes: &[u8]) -> u64 {
    let (mut at, mut packets, mut wire) = (0, 0u64, 0u64);
    while let Some(head) = bytes.get(at..at + 16) {
        let rlen = usize::from(u16::from_be_bytes([head[10], head[11]]));
        if rlen < 16 {
            break;
        }
        wire += u64::from(u16::from_be_bytes([head[14], head[15]]));
        packets += 1;
        at += rlen;
    }
    black_box(wire);
    packets
}

fn walk(bytes: &[u8]) -> u64 {
    let (mut packets, mut wire) = (0u64, 0u64);
    for record in Records::new(bytes).flatten() {
        wire += u64::from(record.wire_len());
        packets += 1;
    }
    black_box(wire);
    packets
}
