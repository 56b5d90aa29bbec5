//! Walking one file with several threads, to the result that one thread would have.
//!
//! A file of records has no index, and where a record begins is known only from the one before it. So each thread guesses: it
//! looks for a chain of records in front of its chunk, as a walk does that [recovers](crate::Records::recover), and begins where
//! that chain enters the chunk. The guess counts only if the walk through the chunk before arrives at the very same place in the
//! very same state; else the chunk is walked again from where that walk arrived. Damage therefore costs time, never a record.
//!
//! ```
//! use erf::pieces::{Piece, Pieces};
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
//!
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
use std::thread;

use crate::check::Broken;
use crate::convert::Refusal;
use crate::error::{Error, ErrorKind};
use crate::input::{Compression, Source, open_file};
use crate::reader::{FileFormat, Reader, ReaderBuilder};
use crate::{Defect, Record};
use blocks::Stored;

/// Bytes of a file that one thread walks at a time, unless chosen.
const CHUNK: u64 = 8 << 20;

/// What looks at the records of a stretch of a file, and can be joined with what has looked at the next stretch.
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

    /// Takes in what has been seen of the stretch that follows. Both are [settled](Self::settle).
    fn merge(&mut self, next: Self);

    /// No record follows for now: what was put off is done, so that everything seen can be asked for.
    fn settle(&mut self) {}

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
    pub fn visit<P: Piece>(
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
        let plain = format == FileFormat::Erf && !compression.is_compressed();
        if let Some(path) = path.filter(|_| plain && self.threads > 1) {
            let file = open_file(&path)?;
            if file.metadata().is_ok_and(|data| data.is_file()) {
                let (piece, end, error) = self.walk(&file, &reader, &make, &mut progress)?;
                if !piece.is_inexact() {
                    return Ok(Visited { piece, format, compression, end, refused: None, error });
                }
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

    /// The whole of an ERF file, up to the length it has now.
    fn walk<P: Piece>(
        &self,
        file: &File,
        reader: &Reader,
        make: impl Fn() -> P + Sync,
        progress: impl FnMut(u64),
    ) -> Result<(P, u64, Option<Error>), Error> {
        let name = reader.name();
        let len = file
            .metadata()
            .map_err(|cause| Error::new(ErrorKind::Read, "its length cannot be read").in_file(name).because(cause))?
            .len();
        let stored = Stored { file, name, len };
        Ok(crew::walk(&stored, self.chunk, self.threads, reader.recovers(), make, progress))
    }
}

#[inline]
fn see<P: Piece>(piece: &mut P, at: u64, item: Result<Record<'_>, Defect>) {
    match item {
        Ok(record) => piece.record(at, &record),
        Err(defect) => piece.defect(defect),
    }
}
