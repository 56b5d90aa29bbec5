//! [`AnyWriter`]: records out, in whichever format.

use std::io::Write;

use erf_core::{Record, Records};

use super::ErfWriter;
use crate::convert::{Outcome, PlainRun, SkipCounts};
use crate::{Error, FileFormat, pcap, pcapng};

/// A writer of ERF, pcap or pcapng, for programs that let their user choose.
///
/// ```
/// use erf::writer::AnyWriter;
/// use erf::{FileFormat, Record, RecordBuilder, RecordType};
///
/// let record = RecordBuilder::new(RecordType::ETH).payload(&[7; 60]).append_fcs().to_vec()?;
/// for (format, bytes) in [(FileFormat::Erf, 88), (FileFormat::Pcap, 24 + 16 + 60)] {
///     let mut writer = AnyWriter::new(Vec::new(), format, "made");
///     writer.write_record(&Record::parse(&record)?)?;
///     assert_eq!(writer.finish()?.len(), bytes);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AnyWriter<W: Write> {
    /// ERF: records as they are.
    Erf(Box<ErfWriter<W>>),
    /// Classic pcap: one link type, no loss counters.
    Pcap(Box<pcap::Writer<W>>),
    /// pcapng.
    PcapNg(Box<pcapng::Writer<W>>),
}

impl<W: Write> AnyWriter<W> {
    /// A writer of `format` with the default options: nanoseconds, native link types, Ethernet without its FCS. Errors call
    /// the output `name`.
    pub fn new(out: W, format: FileFormat, name: &str) -> Self {
        match format {
            FileFormat::Erf => Self::Erf(Box::new(ErfWriter::new(out).named(name))),
            FileFormat::Pcap => Self::Pcap(Box::new(pcap::Writer::new(out, Default::default()).named(name))),
            FileFormat::PcapNg => Self::PcapNg(Box::new(pcapng::Writer::new(out, Default::default()).named(name))),
        }
    }

    /// Writes a record, or says why it has no place in the format.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`](crate::ErrorKind::Write) when the output fails.
    pub fn write_record(&mut self, record: &Record<'_>) -> Result<Outcome, Error> {
        match self {
            Self::Erf(writer) => writer.write_record(record).map(|()| Outcome::Written),
            Self::Pcap(writer) => writer.write_record(record),
            Self::PcapNg(writer) => writer.write_record(record),
        }
    }

    /// Writes `count` whole records that lie one after another in `run`; the caller vouches for both. What has no place in the
    /// format is counted in [`skipped`](Self::skipped).
    ///
    /// # Errors
    ///
    /// As [`write_record`](Self::write_record).
    pub fn write_run(&mut self, run: &[u8], count: u64) -> Result<(), Error> {
        if let Self::Erf(writer) = self {
            return writer.write_run(run, count);
        }
        for record in Records::new(run).flatten() {
            self.write_record(&record)?;
        }
        Ok(())
    }

    /// Converts what is plain at the start of `run`, as [`write_record`](Self::write_record) would; nothing for ERF.
    #[inline]
    pub(crate) fn write_plain(&mut self, run: &[u8]) -> Result<PlainRun, Error> {
        match self {
            Self::Erf(_) => Ok(PlainRun::default()),
            Self::Pcap(writer) => writer.write_plain(run),
            Self::PcapNg(writer) => writer.write_plain(run),
        }
    }

    /// Hands what is gathered to the sink.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`](crate::ErrorKind::Write) when the output fails.
    pub fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Erf(writer) => writer.flush(),
            Self::Pcap(writer) => writer.flush(),
            Self::PcapNg(writer) => writer.flush(),
        }
    }

    /// Ends the file and hands the sink back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`](crate::ErrorKind::Write) when the output fails.
    pub fn finish(self) -> Result<W, Error> {
        match self {
            Self::Erf(writer) => writer.finish(),
            Self::Pcap(writer) => writer.finish(),
            Self::PcapNg(writer) => writer.finish(),
        }
    }

    /// Records, or packets, written.
    pub fn written(&self) -> u64 {
        match self {
            Self::Erf(writer) => writer.records_written(),
            Self::Pcap(writer) => writer.written(),
            Self::PcapNg(writer) => writer.written(),
        }
    }

    /// Records that the format has no place for; `None` for ERF, which has one for all.
    pub fn skipped(&self) -> Option<&SkipCounts> {
        match self {
            Self::Erf(_) => None,
            Self::Pcap(writer) => Some(writer.skipped()),
            Self::PcapNg(writer) => Some(writer.skipped()),
        }
    }
}
