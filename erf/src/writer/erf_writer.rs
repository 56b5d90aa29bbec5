//! [`ErfWriter`]: records in, whole records out.

use std::fmt;
use std::io::{self, Write};

use erf_core::{MAX_RECORD_LEN, Record, Records};

use super::causes::{no_room, words};
use super::unwritten::{Unwritten, last_boundary};
use crate::{Error, ErrorKind};

/// Writes whole records to `W`.
///
/// Records are gathered into pieces of up to [`CAPACITY`](Self::CAPACITY) bytes; each piece that goes
/// to the sink begins and ends at a record boundary, and a run as large as that goes there without
/// being copied. Short writes are continued and interrupted ones repeated.
///
/// **Flushing.** A piece is written when the next record would not fit, at [`flush`](Self::flush), at
/// [`finish`](Self::finish) and, errors logged, at drop. A process killed at any moment loses what was
/// not flushed and no more; the system may tear the one piece it was writing. A live recording
/// calls `flush` whenever it has nothing to do and at least every second.
///
/// **Failing.** The first error is final: the writer takes nothing more, and
/// [`whole_len`](Self::whole_len), [`records_written`](Self::records_written) and
/// [`unwritten`](Self::unwritten) say exactly what stands in the sink. A file behind an
/// [`Output`](super::Output) is cut back to its last whole record, so that it stays valid up to there.
pub struct ErfWriter<W: Write> {
    /// `None` once `finish` has handed it back.
    sink: Option<W>,
    name: Option<String>,
    /// Removes what lies behind this many bytes; `false` where the sink cannot.
    cut: fn(&mut W, u64) -> io::Result<bool>,
    /// Whole records, not given to the sink yet.
    buffer: Vec<u8>,
    capacity: usize,
    /// Bytes of whole records in the sink.
    whole_len: u64,
    /// Records in the sink and in the buffer.
    records: u64,
    failed: bool,
    unwritten: Unwritten,
}

impl<W: Write> ErfWriter<W> {
    /// Bytes gathered before they go to the sink, unless chosen otherwise: 256 KiB.
    pub const CAPACITY: usize = 256 * 1024;

    /// A writer that appends to `sink`. It needs no buffering of its own: hand over a bare file.
    ///
    /// Use [`ErfWriter::for_output`] for files, which then stay valid when a write fails.
    pub fn new(sink: W) -> Self {
        Self::with_capacity(Self::CAPACITY, sink)
    }

    /// As [`new`](Self::new), gathering up to `capacity` bytes; at least one record of the longest kind.
    pub fn with_capacity(capacity: usize, sink: W) -> Self {
        Self::assemble(capacity, sink, None, |_, _| Ok(false))
    }

    /// How error messages shall call the sink.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(super) fn assemble(
        capacity: usize,
        sink: W,
        name: Option<String>,
        cut: fn(&mut W, u64) -> io::Result<bool>,
    ) -> Self {
        let capacity = capacity.max(MAX_RECORD_LEN);
        Self {
            sink: Some(sink),
            name,
            cut,
            buffer: Vec::with_capacity(capacity),
            capacity,
            whole_len: 0,
            records: 0,
            failed: false,
            unwritten: Unwritten::default(),
        }
    }

    /// Writes one record, byte for byte as it was read or built.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] when the sink refuses this or an earlier record.
    #[inline]
    pub fn write_record(&mut self, record: &Record<'_>) -> Result<(), Error> {
        self.write_run(record.bytes(), 1)
    }

    /// Writes `bytes`, which must be whole records without a defect, and returns how many they are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when they are not, with the offset of the first defect in `bytes`:
    /// nothing is written then, and the writer stays usable. [`ErrorKind::Write`] when the sink
    /// refuses this or an earlier record.
    pub fn write_records(&mut self, bytes: &[u8]) -> Result<u64, Error> {
        let mut count = 0;
        for record in Records::new(bytes) {
            match record {
                Ok(_) => count += 1,
                Err(defect) => {
                    let what = format!("the bytes to be written are not whole records: {defect}; nothing was written");
                    return Err(self.error(ErrorKind::InvalidInput, what));
                }
            }
        }
        self.write_run(bytes, count)?;
        Ok(count)
    }

    /// Writes `count` whole records lying one after another in `run`, such as a batch that has been walked.
    ///
    /// The caller vouches for `run` and `count`; what is no record ends up in the file as it is. Their
    /// lengths are looked at again only when a write fails, to find where the last whole record ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] when the sink refuses this or an earlier record.
    #[inline]
    pub fn write_run(&mut self, run: &[u8], count: u64) -> Result<(), Error> {
        if self.failed || run.len() > self.capacity - self.buffer.len() {
            return self.write_past_buffer(run, count);
        }
        self.buffer.extend_from_slice(run);
        self.records += count;
        Ok(())
    }

    #[cold]
    fn write_past_buffer(&mut self, run: &[u8], count: u64) -> Result<(), Error> {
        if let Err(error) = self.drain() {
            self.unwritten.add(run);
            return Err(error);
        }
        self.records += count;
        if run.len() < self.capacity {
            self.buffer.extend_from_slice(run);
            return Ok(());
        }
        self.send(run)
    }

    /// Gives the sink all that was gathered, and flushes the sink.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] when the sink refuses, now or earlier.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.drain()?;
        let Some(sink) = &mut self.sink else { return Ok(()) };
        loop {
            match sink.flush() {
                Ok(()) => return Ok(()),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(self.fail(&[], 0, cause)),
            }
        }
    }

    /// Flushes and hands the sink back.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush); the sink is dropped then.
    pub fn finish(mut self) -> Result<W, Error> {
        self.flush()?;
        self.sink.take().ok_or_else(|| self.refusal())
    }

    /// Where the records go; `None` only after a panic in [`finish`](Self::finish).
    pub fn sink(&self) -> Option<&W> {
        self.sink.as_ref()
    }

    /// Bytes of all records taken, those still gathered included: where the next record will begin.
    /// After a failure the same as [`whole_len`](Self::whole_len).
    pub fn bytes_written(&self) -> u64 {
        self.whole_len + self.buffer.len() as u64
    }

    /// Records taken, META and PAD and those still gathered included. After a failure, those that are
    /// whole in the sink.
    pub fn records_written(&self) -> u64 {
        self.records
    }

    /// Bytes of whole records that the sink has accepted: the offset behind the last whole record in it,
    /// counted from where the writer began.
    pub fn whole_len(&self) -> u64 {
        self.whole_len
    }

    /// What was offered and is not whole in the sink because a write failed.
    pub fn unwritten(&self) -> Unwritten {
        self.unwritten
    }

    /// Writes what was gathered as one piece.
    fn drain(&mut self) -> Result<(), Error> {
        if self.failed {
            return Err(self.refusal());
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        // Out of `self` while the sink works: should that panic, nothing is written twice at drop.
        let mut piece = std::mem::take(&mut self.buffer);
        let result = self.send(&piece);
        piece.clear();
        self.buffer = piece;
        result
    }

    fn send(&mut self, piece: &[u8]) -> Result<(), Error> {
        let Some(sink) = &mut self.sink else { return Err(self.refusal()) };
        match write_fully(sink, piece) {
            Ok(()) => {
                self.whole_len += piece.len() as u64;
                Ok(())
            }
            Err(Stopped { accepted, cause }) => Err(self.fail(piece, accepted, cause)),
        }
    }

    /// Takes stock after the sink accepted only the first `accepted` bytes of `piece`.
    #[cold]
    fn fail(&mut self, piece: &[u8], accepted: usize, cause: io::Error) -> Error {
        self.failed = true;
        let end = last_boundary(piece, accepted);
        let before = self.unwritten.records;
        self.unwritten.add(piece.get(end..).unwrap_or_default());
        self.records = self.records.saturating_sub(self.unwritten.records - before);
        self.whole_len += end as u64;
        let torn = match &mut self.sink {
            Some(sink) => match (self.cut)(sink, self.whole_len) {
                Ok(true) => 0,
                Ok(false) | Err(_) => accepted - end,
            },
            None => 0,
        };
        let mut what = format!("{} after {}", words(cause.kind()), self.standing());
        if torn > 0 {
            what += &format!(" and {torn} bytes of a torn one");
        }
        if no_room(cause.kind()) {
            what += "; free some space or write elsewhere";
        }
        self.error(ErrorKind::Write, what).because(cause)
    }

    fn refusal(&self) -> Error {
        let what = format!("an earlier write failed after {}; nothing more is written", self.standing());
        self.error(ErrorKind::Write, what)
    }

    fn standing(&self) -> String {
        let Self { records, whole_len, .. } = self;
        format!("{records} whole records ({whole_len} bytes)")
    }

    fn error(&self, kind: ErrorKind, what: String) -> Error {
        let error = Error::new(kind, what);
        match &self.name {
            Some(name) => error.in_file(name),
            None => error,
        }
    }
}

struct Stopped {
    /// Bytes the sink took before.
    accepted: usize,
    cause: io::Error,
}

/// `write_all` that says how far it came.
fn write_fully(sink: &mut impl Write, piece: &[u8]) -> Result<(), Stopped> {
    let mut rest = piece;
    while !rest.is_empty() {
        let accepted = piece.len() - rest.len();
        match sink.write(rest) {
            Ok(0) => return Err(Stopped { accepted, cause: io::ErrorKind::WriteZero.into() }),
            Ok(n) => match rest.get(n..) {
                Some(next) => rest = next,
                None => {
                    let cause = io::Error::other(format!("the sink says it took {n} of {} bytes", rest.len()));
                    return Err(Stopped { accepted, cause });
                }
            },
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(Stopped { accepted, cause }),
        }
    }
    Ok(())
}

impl<W: Write> Drop for ErfWriter<W> {
    fn drop(&mut self) {
        if !self.failed
            && let Err(error) = self.drain()
        {
            log::error!("{error}");
        }
    }
}

impl<W: Write> fmt::Debug for ErfWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErfWriter")
            .field("name", &self.name)
            .field("whole_len", &self.whole_len)
            .field("gathered", &self.buffer.len())
            .field("records", &self.records)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
