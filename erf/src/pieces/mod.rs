//! Walking one file with several threads, to the result that one thread would have.
//!
//! A file of records has no index, and where a record begins is known only from the one before it. So each thread guesses: it
//! looks for a chain of records in front of its chunk, as a walk does that [recovers](crate::Records::recover), and begins where
//! that chain enters the chunk. The guess counts only if the walk through the chunk before arrives at the very same place in the
//! very same state; else the chunk is walked again from where that walk arrived. Damage therefore costs time, never a record.
//!
//! ```
//! use erf::pieces::{Mergeable, Piece, Pieces};
//! use erf::{Defect, Record, RecordBuilder, RecordType};
//!
//! #[derive(Default)]
//! struct Wire(u64);
//!
//! impl Piece for Wire {
//!     fn record(&mut self, _offset: u64, record: &Record<'_>) {
//!         self.0 += u64::from(record.wire_len());
//!     }
//!
//!     fn defect(&mut self, _defect: Defect) {}
//! }
//!
//! impl Mergeable for Wire {
//!     fn merge(&mut self, next: Self) {
//!         self.0 += next.0;
//!     }
//! }
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("wire.erf");
//! # let stamp = erf::Timestamp::from_parts(1_700_000_000, 0);
//! # std::fs::write(&path, RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 60]).to_vec()?)?;
//! let visited = Pieces::new().visit(path, Wire::default, |_| ())?;
//! assert_eq!(visited.piece.0, 60);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blocks;
mod crew;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use crate::check::Broken;
use crate::convert::Refusal;
use crate::error::Error;
use crate::input::{Compression, Source};
use crate::reader::{FileFormat, Reader, ReaderBuilder};
use crate::{Defect, Record};
use blocks::Stored;
use crew::Joined;

/// Bytes of a file that one thread walks at a time, unless chosen.
const CHUNK: u64 = 8 << 20;

/// What looks at the records of a stretch of a file.
pub trait Piece: Send {
    /// The next record, which stands at `offset` of the decoded data.
    fn record(&mut self, offset: u64, record: &Record<'_>);

    /// Takes as many of the records at the start of `run` as it can at one look, and says how many bytes they are; `run` stands at `offset`,
    /// lies where the walk has nothing to search, and may end within a record. What it leaves is given to [`record`](Self::record), at
    /// least the next record, so the order is kept. Nothing, unless a piece knows better.
    fn run(&mut self, offset: u64, run: &[u8]) -> usize {
        let _ = (offset, run);
        0
    }

    /// The next defect of the walk.
    fn defect(&mut self, defect: Defect);

    /// No record follows for now: what was put off is done, so that everything seen can be asked for.
    fn settle(&mut self) {}
}

/// A piece that can be joined with what has looked at the next stretch.
pub trait Mergeable: Piece {
    /// Takes in what has been seen of the stretch that follows. Both are [settled](Piece::settle).
    fn merge(&mut self, next: Self);

    /// Joining has lost what one walk from beginning to end tells: the file is walked again by one thread, with a new piece.
    fn is_inexact(&self) -> bool {
        false
    }
}

/// How a file is walked.
#[derive(Clone, Debug)]
pub struct Pieces {
    threads: usize,
    chunk: u64,
    reader: ReaderBuilder,
}

/// What came of a walk.
#[derive(Debug)]
#[non_exhaustive]
pub struct Visited<P> {
    /// Everything that was seen.
    pub piece: P,
    /// What the file is.
    pub format: FileFormat,
    /// What it is compressed with.
    pub compression: Compression,
    /// Bytes of records, decoded, up to where the walk ended.
    pub end: u64,
    /// For pcap and pcapng: packets that have no place in ERF, and why the first one has none.
    pub refused: Option<(u64, Refusal)>,
    /// What ended the reading early, after everything that could be read.
    pub error: Option<Error>,
}

/// What came of [`Pieces::each`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Given {
    /// Bytes of records up to where the walk ended.
    pub end: u64,
    /// What ended the reading early, after everything that could be read.
    pub error: Option<Error>,
}

impl<P> Visited<P> {
    /// The file breaks off: a defect of it.
    pub fn broken(&self) -> Option<Broken> {
        self.error.as_ref().and_then(Broken::of)
    }

    /// What ended the reading early and is no defect of the file: it could not be read.
    pub fn failure(&self) -> Option<&Error> {
        self.error.as_ref().filter(|error| !error.is_damage())
    }

    /// The same with something else made of what was seen.
    pub fn map<Q>(self, make: impl FnOnce(P) -> Q) -> Visited<Q> {
        let Self { piece, format, compression, end, refused, error } = self;
        Visited { piece: make(piece), format, compression, end, refused, error }
    }
}

impl Default for Pieces {
    fn default() -> Self {
        Self::new()
    }
}

impl Pieces {
    /// As many threads as there are processors.
    pub fn new() -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        Self { threads, chunk: CHUNK, reader: Reader::builder() }
    }

    /// So many threads; 1 is the calling one.
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: threads.max(1), ..self }
    }

    /// Bytes that a thread walks at a time. The result does not depend on it.
    pub fn chunk(self, bytes: u64) -> Self {
        Self { chunk: bytes.max(1), ..self }
    }

    /// How the file is opened, and whether damage is recovered from.
    pub fn reader(self, reader: ReaderBuilder) -> Self {
        Self { reader, ..self }
    }

    /// Gives every record and defect of `source` to pieces that `make` makes, and joins them in the order of the file.
    /// `progress` is told how many bytes were done since it was told last.
    ///
    /// Uncompressed ERF in a regular file is shared among the threads; anything else is walked by the calling one.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`]. What goes wrong later is in [`Visited::error`].
    pub fn visit<P: Mergeable>(
        &self,
        source: impl Into<Source>,
        make: impl Fn() -> P + Sync,
        mut progress: impl FnMut(u64),
    ) -> Result<Visited<P>, Error> {
        let source = source.into();
        let path = match &source {
            Source::Path(path) => Some(path.clone()),
            _ => None,
        };
        let mut reader = self.reader.clone().open(source)?;
        let (format, compression) = (reader.format(), reader.compression());
        if let Some(file) = self.shareable(&reader) {
            let mut joined = Joined(make());
            let stored = Stored::new(&file, reader.name())?;
            let Ok((end, error)) = crew::walk(&stored, self, reader.recovers(), &make, &mut joined, &mut progress);
            let Joined(mut piece) = joined;
            piece.settle();
            if !piece.is_inexact() {
                return Ok(Visited { piece, format, compression, end, refused: None, error });
            }
            // Where threads have read, the file may be anywhere.
            if let Some(path) = path {
                reader = self.reader.clone().open(path)?;
            }
        }
        let mut piece = make();
        let error = loop {
            match reader.next_batch() {
                Ok(Some(batch)) => {
                    let mut items = batch.iter();
                    loop {
                        if let Some(run) = items.plain_rest() {
                            items.pass(piece.run(items.offset(), run));
                        }
                        let offset = items.offset();
                        match items.next() {
                            Some(item) => see(&mut piece, offset, item),
                            None => break,
                        }
                    }
                    progress(batch.bytes().len() as u64);
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        piece.settle();
        let (end, refused) = (reader.offset(), reader.refused());
        Ok(Visited { piece, format, compression, end, refused, error })
    }

    /// Gives every record and defect of the file that `reader` has opened, from its beginning, to pieces that `make` makes, and each
    /// of these to `take`, in the order of the file and on the calling thread. None is merged. `progress` is told how many bytes were done since
    /// it was told last.
    ///
    /// `None`: threads [cannot share](Self::can_share) it, and nothing has been done.
    ///
    /// Of pieces there are at once at most two for each thread and a few more, each of a [chunk](Self::chunk).
    ///
    /// # Errors
    ///
    /// What `take` returns, after which it is not called again, and where the length of the file cannot be asked for. What goes wrong later is in
    /// [`Given::error`].
    pub fn each<P: Piece, E: From<Error>>(
        &self,
        reader: &Reader,
        make: impl Fn() -> P + Sync,
        take: impl FnMut(P) -> Result<(), E>,
        progress: impl FnMut(u64),
    ) -> Result<Option<Given>, E> {
        let Some(file) = self.shareable(reader) else { return Ok(None) };
        let stored = Stored::new(&file, reader.name())?;
        let mut given = crew::Given { make: &make, give: take };
        let (end, error) = crew::walk(&stored, self, reader.recovers(), &make, &mut given, progress)?;
        Ok(Some(Given { end, error }))
    }

    /// Whether threads can share what `reader` reads: uncompressed ERF in a regular file.
    pub fn can_share(&self, reader: &Reader) -> bool {
        self.shareable(reader).is_some()
    }

    /// The file, if threads can share it: the one that is open, whatever has become of its name.
    fn shareable(&self, reader: &Reader) -> Option<Arc<File>> {
        let is_plain = reader.format() == FileFormat::Erf && !reader.compression().is_compressed();
        let file = reader.file().filter(|_| is_plain && self.threads > 1)?;
        // One of no length may have content all the same, in file systems that make it as it is read.
        file.metadata().is_ok_and(|data| data.is_file() && data.len() > 0).then(|| Arc::clone(file))
    }
}

#[inline]
fn see<P: Piece>(piece: &mut P, at: u64, item: Result<Record<'_>, Defect>) {
    match item {
        Ok(record) => piece.record(at, &record),
        Err(defect) => piece.defect(defect),
    }
}
