//! The emulated card flat out: the feed on its own core, advance and iterate on the other, every record used and none lost.
//!
//! `DAG_BENCH_PACKETS` sets the packets of a round; 2 million by default. A plain producer and consumer in C beside it, in interleaved
//! rounds, are in `cargo xtask bench card`.

#![expect(missing_docs, reason = "criterion_group! makes a public function")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dag::file::RecordType;
use dag::{Card, PollRules};

fn card(criterion: &mut Criterion) {
    let packets = std::env::var("DAG_BENCH_PACKETS").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000_000u64);
    let mut group = criterion.benchmark_group("card");
    group.throughput(Throughput::Elements(packets)).sample_size(10);
    for payload in ["template", "records", "made"] {
        let device = format!("emu:synthetic=64,rate=max,full=wait,payload={payload},memory=32MiB,count={packets}");
        group.bench_function(format!("feed, advance, iterate; payload={payload}"), |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| drive(&device, packets).unwrap_or_default()).sum());
        });
    }
    group.finish();
}

/// How long it takes from the start of the stream to its end.
fn drive(device: &str, packets: u64) -> Result<Duration, dag::Error> {
    let mut stream = Card::open(device)?.attach(0)?;
    stream.set_poll_rules(PollRules { mindata: 64 << 10, ..PollRules::default() });
    let begun = Instant::now();
    stream.start()?;
    let mut seen = 0;
    loop {
        let batch = stream.advance()?;
        let (mut wire, mut ethernet) = (0u64, 0u64);
        for record in batch.iter().flatten() {
            wire += u64::from(record.wire_len());
            ethernet += u64::from(record.record_type() == RecordType::ETH);
            seen += u64::from(record.is_packet());
        }
        black_box((wire, ethernet));
        if batch.is_end() {
            break;
        }
    }
    let took = begun.elapsed();
    assert_eq!(seen, packets, "nothing is lost while the feed waits for room");
    Ok(took)
}

criterion_group!(cards, card);
criterion_main!(cards);
