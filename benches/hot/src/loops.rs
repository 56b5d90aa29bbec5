//! Loops over records in memory, for counting their instructions: what comes before the loop is the same however often it is run.

use std::error::Error;
use std::hint::black_box;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use erf::check::Check;
use erf::convert::{Converter, FcsPolicy, FileOptions};
use erf::filter::{Compiler, Filter, FilterOptions, Sieve};
use erf::merge::{Input, Merge};
use erf::pieces::Piece;
use erf::summary::Summary;
use erf::{Access, FileFormat, Reader, Records, WalkState};

use crate::traffic::{self, Mix};
use crate::walk;

/// What [`run`] knows.
pub(crate) const NAMES: &[&str] = &[
    "records",
    "reader-blocks",
    "reader-map",
    "filter",
    "filter-sieve",
    "convert-pcap",
    "convert-pcapng",
    "summary",
    "check",
    "merge",
];

const SEED: u64 = 53;

/// Inputs of the merge.
const INPUTS: u64 = 8;

/// Runs the loop of this name so many times over so many records, and says how many it has seen in all.
pub(crate) fn run(name: &str, records: u64, times: u64) -> Result<u64, Box<dyn Error>> {
    let inputs = if name == "merge" { INPUTS } else { 1 };
    let make = |input| traffic::in_memory(Mix::Imix, SEED + input, records / inputs).map(Arc::from);
    let made = (0..inputs).map(make).collect::<Result<Vec<Arc<[u8]>>, _>>()?;
    let mut file = tempfile::NamedTempFile::new()?;
    made.iter().try_for_each(|bytes| file.write_all(bytes))?;
    // Whoever compiles it has a say in what the program takes.
    let mut options = FilterOptions::default();
    options.compiler = Compiler::Libpcap;
    let filter = Filter::new("udp port 53", options)?;
    let bytes = &made[0];
    (0..times).try_fold(0, |seen, _| {
        Ok(seen
            + match name {
                "records" => {
                    let mut seen = walk::Seen::default();
                    walk::records(bytes, &mut seen);
                    black_box(seen).packets
                }
                "reader-blocks" => black_box(walk::file(file.path(), Access::Blocks)?).packets,
                "reader-map" => black_box(walk::file(file.path(), Access::Map)?).packets,
                "filter" => matching(bytes, &filter)?,
                "filter-sieve" => sieved(file.path(), &filter)?,
                "convert-pcap" => convert(bytes, FileFormat::Pcap)?,
                "convert-pcapng" => convert(bytes, FileFormat::PcapNg)?,
                "summary" => sum_up(bytes),
                "check" => audit(bytes),
                "merge" => merge(&made)?,
                other => return Err(format!("{other} is no loop; there are {}", NAMES.join(", ")).into()),
            })
    })
}

fn matching(bytes: &[u8], filter: &Filter) -> Result<u64, Box<dyn Error>> {
    let (mut seen, mut matching) = (0, 0u64);
    for record in Records::new(bytes).flatten() {
        seen += 1;
        matching += u64::from(filter.matches(&record)?);
    }
    black_box(matching);
    Ok(seen)
}

fn sieved(path: &Path, filter: &Filter) -> Result<u64, Box<dyn Error>> {
    let (mut seen, mut matching) = (0, 0u64);
    // Mapped, so that nothing of what is counted is reading.
    let mut reader = Reader::builder().access(Access::Map).open(path)?;
    while let Some(batch) = reader.next_batch()? {
        let mut sieve = Sieve::new(filter.clone(), FcsPolicy::Strip);
        let mut records = batch.iter();
        loop {
            seen += sieve.put_plain(&mut records);
            sieve.sift(|_| matching += 1);
            let Some(item) = records.next() else { break };
            seen += 1;
            sieve.put(&item?)?;
        }
    }
    black_box(matching);
    Ok(seen)
}

fn convert(bytes: &Arc<[u8]>, format: FileFormat) -> Result<u64, Box<dyn Error>> {
    let mut converter = Converter::new(std::io::sink(), "nowhere", FileOptions::new(format));
    converter.run(&mut Reader::from_read(Cursor::new(Arc::clone(bytes)))?, |_| {})?;
    Ok(converter.finish()?.1.written)
}

fn sum_up(bytes: &[u8]) -> u64 {
    let mut summary = Summary::new();
    look(bytes, &mut summary);
    black_box(summary).records()
}

fn audit(bytes: &[u8]) -> u64 {
    let mut check = Check::default();
    look(bytes, &mut check);
    black_box(check).records
}

/// As a piece is shown a file.
fn look(bytes: &[u8], piece: &mut impl Piece) {
    let mut walk = Records::resume(bytes, WalkState::new(0), true);
    loop {
        if let Some(run) = walk.plain_rest() {
            walk.pass(piece.run(walk.offset(), run));
        }
        let at = walk.offset();
        match walk.next() {
            Some(Ok(record)) => piece.record(at, &record),
            Some(Err(defect)) => piece.defect(defect),
            None => break,
        }
    }
    piece.settle();
}

fn merge(inputs: &[Arc<[u8]>]) -> Result<u64, Box<dyn Error>> {
    let mut merge = Merge::new();
    for bytes in inputs {
        let bytes = Arc::clone(bytes);
        merge = merge.input(Input::new(move || Reader::from_read(Cursor::new(bytes))));
    }
    let mut seen = 0;
    merge.run(&mut |_, _| {}, &mut |run, count| {
        black_box(run);
        seen += count;
        Ok(())
    })?;
    Ok(seen)
}
