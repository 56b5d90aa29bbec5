//! Walking a file of 64-byte frames from page cache, beside a plain loop over the same bytes.
//!
//! `DAG_BENCH_MIB` sets the size of the file; 1024 by default.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use dag::file::{Access, Reader, RecordBuilder, RecordType, Records, TimeDelta, Timestamp};
use house_benches::{Contestant, race};

/// Bytes of a record of a 64-byte frame.
const RECORD: usize = 88;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mib: usize = std::env::var("DAG_BENCH_MIB").map_or(Ok(1024), |mib| mib.parse())?;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("walk.erf");
    let records = (mib << 20) / RECORD;
    write_file(&path, records)?;
    // Into page cache.
    std::io::copy(&mut File::open(&path)?, &mut std::io::sink())?;

    let memory = std::fs::read(&path)?;
    race(
        &format!("Walk {mib} MiB in memory, type and wire length of each record used"),
        7,
        &mut [
            Contestant::new("plain loop over the length chain", || plain(&memory).0),
            Contestant::new("erf_core::Records", || in_memory(&memory)),
        ],
    );
    drop(memory);
    race(
        &format!("Walk a file of {mib} MiB in page cache"),
        5,
        &mut [
            Contestant::new("plain loop, read(2) in blocks of 256 KiB", || plain_file(&path).unwrap_or_default()),
            Contestant::new("erf::Reader, blocks", || through_reader(&path, Access::Blocks).unwrap_or_default()),
            Contestant::new("erf::Reader, map", || through_reader(&path, Access::Map).unwrap_or_default()),
            Contestant::new("erf::Reader, its own choice", || through_reader(&path, Access::Auto).unwrap_or_default()),
        ],
    );
    Ok(())
}

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
