//! Everything that can be read of a damaged file, byte for byte, and an account of what cannot.
//!
//! A file is looked at before anything is written: [`Plan::of`] finds out what to keep, [`Plan::write`] does it. What is
//! written is a sequence of whole records, so that a repaired file is in order and repairing it changes nothing.
//!
//! * A file whose records follow one another to its end is in order, however odd they are, and is kept as it is.
//! * A torn record at the end and a tail of zeros are cut off; a record whose headers do not fit it is left out.
//! * Behind damage the next records are [searched for](crate::Records::recover), by whether they look like records. Where that
//!   keeps less than half of what following the lengths alone keeps (a clock that was never set makes every stamp look wrong),
//!   the lengths are followed.
//!
//! ```
//! use erf::repair::Plan;
//! use erf::{RecordBuilder, RecordType, Timestamp};
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("torn.erf");
//! let stamp = Timestamp::from_parts(1_700_000_000, 0);
//! let good = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 60]).to_vec()?.repeat(2);
//! std::fs::write(&path, [&good[..], &[7; 9]].concat())?;
//!
//! let plan = Plan::of(|reader| reader.open(&path))?;
//! let mut repaired = Vec::new();
//! let report = plan.write(&mut repaired)?;
//! assert_eq!(repaired, good);
//! assert_eq!((report.bytes_in, report.bytes_kept, report.bytes_dropped), (169, 160, 9));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod pass;
#[cfg(test)]
mod tests;

use std::io::Write;

use crate::error::{Error, ErrorKind};
use crate::reader::{FileFormat, Reader, ReaderBuilder};
use crate::writer::ErfWriter;
use crate::{DefectKind, Record};
use pass::{Tally, pass};

/// A stretch of a file that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Where it begins, in the decoded data.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// What is wrong there; of several things the first.
    pub why: DefectKind,
}

/// What became of every byte: those that came in were kept or dropped.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// Bytes of the input, decoded.
    pub bytes_in: u64,
    /// Bytes of it that were written.
    pub bytes_kept: u64,
    /// Bytes of it that were not.
    pub bytes_dropped: u64,
    /// Records written.
    pub records: u64,
    /// What was dropped, in order; there may be [more](Self::stretches).
    pub dropped: Vec<Dropped>,
    /// How many stretches were dropped, those not listed among them.
    pub stretches: u64,
    /// Of the last record, which was torn, this much was kept as a snapped one.
    pub partial: Option<u16>,
    /// The compressed stream broke here, or reading failed; what came before counts as the input.
    pub broken: Option<Error>,
}

impl Report {
    /// Nothing was dropped, and the input could be read to its end.
    pub fn is_clean(&self) -> bool {
        self.bytes_dropped == 0 && self.partial.is_none() && self.broken.is_none()
    }
}

/// What to keep of a file.
#[derive(Debug)]
pub struct Plan<O> {
    open: O,
    force: bool,
    recover: bool,
    partial: bool,
    /// Bytes that there are, whatever the walk that is followed makes of them.
    bytes_in: u64,
}

impl<O: Fn(ReaderBuilder) -> Result<Reader, Error>> Plan<O> {
    /// Looks at the file that `open` opens, which it does several times.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`], also when no record can be found in it. [`ErrorKind::Unsupported`] when it is pcap or pcapng.
    pub fn of(open: O) -> Result<Self, Error> {
        let (first, refusal) = match open(Reader::builder()) {
            Ok(reader) => (reader, None),
            // Damage at its start makes a file look like anything.
            Err(error) if error.kind() == ErrorKind::UnknownFormat => {
                (open(Reader::builder().force_format(FileFormat::Erf))?, Some(error))
            }
            Err(error) => return Err(error),
        };
        if first.format() != FileFormat::Erf {
            let what = format!("is {}; only ERF is repaired", first.format());
            return Err(Error::new(ErrorKind::Unsupported, what).in_file(first.name()));
        }
        let mut plan = Self { open, force: refusal.is_some(), recover: false, partial: false, bytes_in: 0 };
        let by_length = pass(first, |_| Ok(()))?;
        plan.bytes_in = by_length.end;
        // However odd they look, for which the file may be refused.
        if by_length.is_whole() && (refusal.is_none() || by_length.records > 0) {
            return Ok(plan);
        }
        let by_search = pass(plan.reader(true)?, |_| Ok(()))?;
        plan.recover = by_search.kept >= by_length.kept / 2;
        plan.bytes_in = by_search.end.max(by_length.end);
        match refusal {
            Some(refusal) if by_search.records == 0 => Err(refusal),
            _ => Ok(plan),
        }
    }

    /// Whether the torn record at the end is to be kept as far as it goes, as a snapped one. Its length field is the one
    /// thing that is changed then.
    pub fn partial(self, partial: bool) -> Self {
        Self { partial, ..self }
    }

    fn reader(&self, recover: bool) -> Result<Reader, Error> {
        let reader = Reader::builder().recover(recover);
        (self.open)(if self.force { reader.force_format(FileFormat::Erf) } else { reader })
    }

    /// Writes what is kept.
    ///
    /// # Errors
    ///
    /// As [`Reader::open`] and [`ErfWriter::write_record`].
    pub fn write(&self, out: impl Write) -> Result<Report, Error> {
        let mut writer = ErfWriter::new(out);
        let mut tally = pass(self.reader(self.recover)?, |record| writer.write_record(record).map(|_| ()))?;
        tally.reach(self.bytes_in);
        let partial = match tally.torn.take().filter(|_| self.partial) {
            Some(torn) => self.keep_torn(&mut writer, &mut tally, torn)?,
            None => None,
        };
        writer.flush()?;
        Ok(Report {
            bytes_in: tally.end,
            bytes_kept: tally.kept,
            bytes_dropped: tally.end - tally.kept,
            records: tally.records,
            dropped: tally.dropped,
            stretches: tally.stretches,
            partial,
            broken: tally.error,
        })
    }

    /// Writes the torn record as a snapped one, rounded down so that no padding can be taken for its packet
    /// (`erf-format.md` section 4).
    fn keep_torn<W: Write>(
        &self,
        writer: &mut ErfWriter<W>,
        tally: &mut Tally,
        mut torn: Vec<u8>,
    ) -> Result<Option<u16>, Error> {
        torn.truncate(torn.len() / 8 * 8);
        // A torn record is shorter than the longest.
        let Ok(length) = u16::try_from(torn.len()) else { return Ok(None) };
        match torn.get_mut(10..12) {
            Some(field) => field.copy_from_slice(&length.to_be_bytes()),
            None => return Ok(None),
        }
        match Record::parse(&torn) {
            Ok(record) if record.captured_len() > 0 => writer.write_record(&record)?,
            _ => return Ok(None),
        };
        tally.keep_of_last(u64::from(length));
        Ok(Some(length))
    }
}
