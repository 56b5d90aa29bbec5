//! Walking records with every header field used, and nothing else done.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use memmap2::{Advice, MmapOptions};

use erf::{Access, Error, Reader, Records};

/// What is kept of the records, so that no field can be left out by the compiler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) packets: u64,
    stamps: u64,
    wire: u64,
    captured: u64,
    counters: u64,
    kinds: u64,
    damage: u64,
}

impl Seen {
    /// One number that depends on all that was seen; the plain loops in C make the same.
    pub(crate) fn sum(&self) -> u64 {
        [self.stamps, self.wire, self.captured, self.counters, self.kinds, self.damage]
            .iter()
            .fold(0, |sum: u64, part| sum.wrapping_add(*part))
    }
}

/// Adds up what the records of `bytes` say.
///
/// A function of its own, into which nothing else is woven: `cargo xtask bench --assembly` looks at its machine code.
#[inline(never)]
pub(crate) fn records(bytes: &[u8], seen: &mut Seen) {
    let mut all = *seen;
    for item in Records::new(bytes) {
        let Ok(record) = item else {
            all.damage += 1;
            continue;
        };
        all.packets += 1;
        all.stamps = all.stamps.wrapping_add(record.timestamp().raw());
        all.wire += u64::from(record.wire_len());
        all.captured += record.captured_len() as u64;
        all.counters += u64::from(record.lctr_raw());
        all.kinds += u64::from(record.record_type().number()) + u64::from(record.flags().bits());
    }
    *seen = all;
}

/// Adds up what the packets of a batch say; filler is none.
#[inline(never)]
pub(crate) fn packets(batch: Records<'_>, seen: &mut Seen) {
    let mut all = *seen;
    for item in batch {
        let Ok(record) = item else {
            all.damage += 1;
            continue;
        };
        all.packets += u64::from(record.is_packet());
        all.stamps = all.stamps.wrapping_add(record.timestamp().raw());
        all.wire += u64::from(record.wire_len());
        all.captured += record.captured_len() as u64;
        all.counters += u64::from(record.lctr_raw());
        all.kinds += u64::from(record.record_type().number()) + u64::from(record.flags().bits());
    }
    *seen = all;
}

/// The same over a file, by batches of the reader.
pub(crate) fn file(path: &Path, access: Access) -> Result<Seen, Error> {
    let mut reader = Reader::builder().access(access).open(path)?;
    let mut all = Seen::default();
    while let Some(batch) = reader.next_batch()? {
        let mut some = all;
        for item in &batch {
            let Ok(record) = item else {
                some.damage += 1;
                continue;
            };
            some.packets += 1;
            some.stamps = some.stamps.wrapping_add(record.timestamp().raw());
            some.wire += u64::from(record.wire_len());
            some.captured += record.captured_len() as u64;
            some.counters += u64::from(record.lctr_raw());
            some.kinds += u64::from(record.record_type().number()) + u64::from(record.flags().bits());
        }
        all = some;
    }
    Ok(all)
}

/// Over the first `bytes` of a file, which are read into memory before, so many times; the record that is cut off there is left out.
pub(crate) fn memory(path: &Path, bytes: u64, times: u64) -> std::io::Result<(Seen, Duration)> {
    let mut file = File::open(path)?;
    let bytes = bytes.min(file.metadata()?.len()) as usize;
    let mut memory = MmapOptions::new().len(bytes).map_anon()?;
    // Large pages where they are to be had, as the program in C asks for them: where small ones happen to lie makes a third of the figure.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(Advice::HugePage);
    file.read_exact(&mut memory)?;
    let whole: usize = Records::new(&memory).flatten().map(|record| record.bytes().len()).sum();
    let memory = &memory[..whole];
    let mut seen = Seen::default();
    let begun = Instant::now();
    for _ in 0..times {
        records(memory, &mut seen);
    }
    Ok((seen, begun.elapsed()))
}
