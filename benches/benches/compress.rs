//! What one thread that compresses takes, for each format: bytes before compression for a second of processor time, and how much smaller they
//! become.
//!
//! With `--features zstd` zstd is that of the C library. `DAG_BENCH_MIB` sets the bytes compressed; 64 by default.

use std::time::Duration;

use dag::file::compress::{Encoding, Packer, Workers};
use dag::file::writer::{Output, OutputOptions};
use dag::file::{Record, RecordBuilder, Records};
use dag::record::{Format, Io, Limits, Recorder};

/// Each encoding is measured so often, in turn with the others.
const ROUNDS: usize = 5;

/// Bytes at the front of a packet that stay as they are: headers, which no cipher hides.
const HEADERS: usize = 54;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mib: u64 = std::env::var("DAG_BENCH_MIB").map_or(Ok(64), |mib| mib.parse())?;
    let imix = imix(mib << 20)?;
    hold("IMIX of the emulated card", &imix)?;
    hold("the same, with noise for payloads", &noisy(&imix)?)
}

/// Records of the synthetic feed, as they are recorded.
fn imix(bytes: u64) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("imix.erf");
    let card = dag::Card::open("emu:synthetic=imix,rate=max,seed=7,memory=256MiB")?;
    let output = Output::create(&path, OutputOptions::new())?;
    let limits = Limits { size: Some(bytes), ..Limits::default() };
    let recording = Recorder::new(card.attach(0)?, output, Format::Erf).io(Io::Buffered).limits(limits).run();
    recording.error.map_or(Ok(()), Err)?;
    Ok(std::fs::read(path)?)
}

/// The same records with what follows the headers of their packets replaced, as where all is encrypted.
fn noisy(records: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (mut made, mut state) = (Vec::with_capacity(records.len()), 7u64);
    for record in Records::new(records) {
        let record = record.map_err(|defect| defect.to_string())?;
        if !record.is_packet() {
            made.extend_from_slice(record.bytes());
            continue;
        }
        let mut payload = record.payload().to_vec();
        for byte in payload.iter_mut().skip(HEADERS) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        let builder = RecordBuilder::new(record.record_type()).timestamp(record.timestamp()).payload(&payload);
        let bytes = builder.interface(record.interface()).to_vec()?;
        made.extend_from_slice(Record::parse(&bytes)?.bytes());
    }
    Ok(made)
}

/// Processor time of all threads that there are, as the scheduler counts it: what else runs on the machine is not in it.
fn worked() -> Result<Duration, Box<dyn std::error::Error>> {
    let mut nanos = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos += text.split_whitespace().next().ok_or("no time in schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

fn hold(title: &str, records: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let names = ["lz4", "gzip:1", "gzip:3", "gzip:6", "zstd:1", "zstd:3", "zstd:6"];
    let encodings: Vec<Encoding> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let mut measured = vec![(Vec::new(), 0); encodings.len()];
    for round in 0..=ROUNDS {
        for (encoding, (rates, len)) in encodings.iter().zip(&mut measured) {
            // Kept to the end, so that its thread is there to be asked.
            let workers = Workers::new(1)?;
            let mut packer = Packer::new(*encoding, workers.clone());
            let mut file = Vec::with_capacity(records.len());
            let begun = worked()?;
            for piece in records.chunks(1 << 20) {
                packer.write(&mut file, piece)?;
            }
            packer.end(&mut file)?;
            // The first round warms up.
            if round > 0 {
                rates.push(records.len() as f64 / (worked()? - begun).as_secs_f64() / 1e6);
            }
            *len = file.len();
        }
    }
    println!("\n{title}, {} MB, one thread that compresses", records.len() / 1_000_000);
    println!("| what | MB/CPU-second | least | most | to 1 |\n|---|---|---|---|---|");
    for (encoding, (rates, len)) in encodings.iter().zip(&mut measured) {
        rates.sort_by(f64::total_cmp);
        let (least, most) = (rates.first().copied().unwrap_or(0.0), rates.last().copied().unwrap_or(0.0));
        let ratio = records.len() as f64 / (*len).max(1) as f64;
        let median = rates.get(rates.len() / 2).copied().unwrap_or(0.0);
        println!("| {encoding} | {median:.0} | {least:.0} | {most:.0} | {ratio:.1} |");
    }
    Ok(())
}
