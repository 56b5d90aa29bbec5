//! [`preflight`]: how fast a place takes a recording, measured by the writer that records.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use erf::writer::{Output, OutputOptions};
use erf::{RecordBuilder, RecordType, Timestamp};
use rustix::fs::statvfs;

use super::chunk::{Bytes, CHUNK, Chunk};
use super::options::{Io, Sync};
use super::progress::Progress;
use super::sink::{Format, Sink, Target};
use crate::error::{Error, Repr};

/// The most that is written.
const MOST: u64 = 4 << 30;

/// What a place takes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Preflight {
    /// Bytes that were written, and reached the device.
    pub bytes: u64,
    /// How long that took.
    pub took: Duration,
    /// The longest that the writer had to wait for the disk before it could take more.
    pub longest_wait: Duration,
    /// Past the page cache.
    pub direct: bool,
}

impl Preflight {
    /// Bytes of records a second.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// Writes made-up records to the file `path`, which must not be there, for about as long as `time`, and removes it. It takes a quarter of the
/// free space at most, and 4 GiB.
///
/// # Errors
///
/// When the file cannot be made or written, as in a recording; of kind [`Unsupported`](crate::ErrorKind::Unsupported) where [`Io::Direct`] is
/// not possible.
pub fn preflight(path: &Path, io: Io, time: Duration) -> Result<Preflight, Error> {
    let output = Output::create(path, OutputOptions::new()).map_err(Error::writing)?;
    let remove = Remove(path);
    let space = statvfs(path).map(|system| system.f_bavail.saturating_mul(system.f_frsize)).unwrap_or(MOST * 4);
    let target =
        Target { format: Format::Erf, io, sync: Sync::AtEnd, room: None, size: None, filler: true, pack: None };
    let mut sink = Sink::open(output, target, Arc::new(Progress::default()))?;
    let direct = sink.is_direct();
    let chunk = chunk()?;
    let (mut bytes, mut longest_wait) = (0, Duration::ZERO);
    let begun = Instant::now();
    while begun.elapsed() < time && bytes < (space / 4).min(MOST) {
        let before = Instant::now();
        sink.write(&chunk).map_err(Error::writing)?;
        longest_wait = longest_wait.max(before.elapsed());
        bytes += chunk.bytes().len() as u64;
    }
    // What is not on the device yet is not written.
    sink.settle().map_err(Error::writing)?;
    sink.finish(None).map_err(Error::writing)?;
    let took = begun.elapsed();
    drop(remove);
    Ok(Preflight { bytes, took, longest_wait, direct })
}

/// Removes the file, however this ends.
struct Remove<'a>(&'a Path);

impl Drop for Remove<'_> {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(self.0) {
            log::warn!("{}: not removed: {error}", self.0.display());
        }
    }
}

/// Records as a card makes them of packets of 64 bytes.
fn chunk() -> Result<Chunk, Error> {
    let stamp = Timestamp::now();
    let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[0x5A; 64]).to_vec();
    let record = record.map_err(|error| Repr::State { what: error.to_string() })?;
    let packets = CHUNK / record.len();
    let bytes = Bytes::Owned(record.repeat(packets));
    let packets = packets as u64;
    Ok(Chunk { bytes, records: packets, packets, stamp, turn: None, done: 0, hold: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_measured_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for io in [Io::Auto, Io::Buffered] {
            let seen = preflight(&path, io, Duration::from_millis(50)).unwrap();
            assert!(seen.bytes > 0 && seen.rate() > 0.0 && seen.longest_wait <= seen.took, "{seen:?}");
            assert!(!(seen.direct && io == Io::Buffered));
            assert!(!path.exists());
        }
        std::fs::write(&path, "precious").unwrap();
        preflight(&path, Io::Auto, Duration::from_millis(50)).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }
}
