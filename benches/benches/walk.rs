//! Walking 64-byte frames in memory and in a file in the page cache, beside a plain loop over the same bytes.
//!
//! `DAG_BENCH_MIB` sets the size of the file; 256 by default. Criterion runs one after the other: ratios of interleaved rounds beside programs in C are
//! what `cargo xtask bench records walk` prints.

#![expect(missing_docs, reason = "criterion_group! makes a public function")]

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dag::file::{Access, Reader, RecordBuilder, RecordType, Records, TimeDelta, Timestamp};

/// Bytes of a record of a 64-byte frame.
const RECORD: usize = 88;

/// Bytes of what a second-level cache holds.
const CACHED: usize = 256 << 10;

fn walk(criterion: &mut Criterion) {
    let mib = std::env::var("DAG_BENCH_MIB").ok().and_then(|mib| mib.parse().ok()).unwrap_or(256);
    if let Err(error) = measured(criterion, mib) {
        eprintln!("walk: {error}");
    }
}

fn measured(criterion: &mut Criterion, mib: usize) -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("walk.erf");
    let records = (mib << 20) / RECORD;
    write_file(&path, records)?;
    // Into page cache.
    let memory = std::fs::read(&path)?;
    for (name, bytes) in [("memory/L2", &memory[..CACHED / RECORD * RECORD]), ("memory/DRAM", &memory)] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements((bytes.len() / RECORD) as u64));
        group.bench_function("plain loop over the length chain", |bencher| bencher.iter(|| plain(bytes).0));
        group.bench_function("erf_core::Records", |bencher| bencher.iter(|| in_memory(bytes)));
        group.finish();
    }
    drop(memory);
    let mut group = criterion.benchmark_group("file");
    group.throughput(Throughput::Elements(records as u64)).sample_size(10);
    group.bench_function("plain loop, read(2) in blocks of 256 KiB", |bencher| bencher.iter(|| plain_file(&path).ok()));
    for (name, access) in [("blocks", Access::Blocks), ("map", Access::Map), ("its own choice", Access::Auto)] {
        group.bench_function(format!("erf::Reader, {name}"), |bencher| {
            bencher.iter(|| through_reader(&path, access).ok());
        });
    }
    group.finish();
    Ok(())
}

criterion_group!(walks, walk);
criterion_main!(walks);

fn write_file(path: &Path, records: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut record = RecordBuilder::new(RecordType::ETH).payload(&[0x5A; 60]).append_fcs().to_vec()?;
    let mut stamp = Timestamp::from_parts(1_700_000_000, 0);
    for n in 0..records {
        stamp = stamp + TimeDelta::from_raw(289);
        record[..8].copy_from_slice(&stamp.to_le_bytes());
        record[9] = 4 | (n & 1) as u8;
        out.write_all(&record)?;
    }
    out.flush()?;
    Ok(())
}

/// What anybody would write by hand: packets, and how many bytes at the end belong to a record that is not all there.
fn plain(bytes: &[u8]) -> (u64, usize) {
    let (mut at, mut packets, mut wire, mut ethernet) = (0, 0u64, 0u64, 0u64);
    while let Some(head) = bytes.get(at..at + 16) {
        let rlen = usize::from(u16::from_be_bytes([head[10], head[11]]));
        if rlen < 16 || at + rlen > bytes.len() {
            break;
        }
        wire += u64::from(u16::from_be_bytes([head[14], head[15]]));
        ethernet += u64::from(head[8] & 0x7F == 2);
        packets += 1;
        at += rlen;
    }
    black_box((wire, ethernet));
    (packets, bytes.len() - at)
}

fn in_memory(bytes: &[u8]) -> u64 {
    let (mut packets, mut wire, mut ethernet) = (0u64, 0u64, 0u64);
    for record in Records::new(bytes).flatten() {
        wire += u64::from(record.wire_len());
        ethernet += u64::from(record.record_type() == RecordType::ETH);
        packets += 1;
    }
    black_box((wire, ethernet));
    packets
}

fn plain_file(path: &Path) -> std::io::Result<u64> {
    let mut file = File::open(path)?;
    let mut block = vec![0; 256 << 10];
    let (mut kept, mut packets) = (0, 0);
    loop {
        let count = file.read(&mut block[kept..])?;
        if count == 0 {
            return Ok(packets);
        }
        let end = kept + count;
        let (seen, rest) = plain(&block[..end]);
        packets += seen;
        block.copy_within(end - rest..end, 0);
        kept = rest;
    }
}

fn through_reader(path: &Path, access: Access) -> Result<u64, dag::file::Error> {
    let mut reader = Reader::builder().access(access).open(path)?;
    let (mut packets, mut wire, mut ethernet) = (0u64, 0u64, 0u64);
    while let Some(batch) = reader.next_batch()? {
        for record in batch.iter().flatten() {
            wire += u64::from(record.wire_len());
            ethernet += u64::from(record.record_type() == RecordType::ETH);
            packets += 1;
        }
    }
    black_box((wire, ethernet));
    Ok(packets)
}
