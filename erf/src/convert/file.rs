//! Whole files from one format to another, with an account of what did not come along.

use std::io::Write;

use erf_core::{Record, Records, Rounding, WalkState};

use super::account::Account;
use super::survey::Extent;
use super::{FcsChoice, FcsPolicy, FcsRule, Hdlc, PacketOptions, PlainRun, RecordOptions, Summary, Survey};
use crate::check::Broken;
use crate::convert::Encapsulation;
use crate::pcap::Resolution;
use crate::pcapng::Known;
use crate::reader::{Batch, Reader};
use crate::writer::{AnyWriter, ErfWriter};
use crate::{Error, ErrorKind, FileFormat, pcap, pcapng};

/// Bytes of records that wait at most until it is decided how they are written: about what a batch of a reader has.
const HELD: usize = 256 * 1024;

/// What a file is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileOptions {
    /// The format.
    pub format: FileFormat,
    /// Unit of the stamps of pcap (microseconds or nanoseconds) and pcapng.
    pub resolution: Resolution,
    /// How stamps become such units.
    pub rounding: Rounding,
    /// pcapng from which the records come back byte for byte.
    pub lossless: bool,
    /// Native link types or whole records.
    pub encapsulation: Encapsulation,
    /// The Ethernet FCS. For records made from packets, [`FcsChoice::None`] adds none and the others add one.
    pub fcs: FcsChoice,
    /// The flavour of HDLC.
    pub hdlc: Hdlc,
    /// Bytes of FCS to take off HDLC frames.
    pub hdlc_fcs_len: u8,
}

impl FileOptions {
    /// The defaults for a format: nanoseconds, native link types, an FCS where one is found.
    pub fn new(format: FileFormat) -> FileOptions {
        FileOptions {
            format,
            resolution: Resolution::NANOS,
            rounding: Rounding::HalfUp,
            lossless: false,
            encapsulation: Encapsulation::Native,
            fcs: FcsChoice::Auto,
            hdlc: Hdlc::Guess,
            hdlc_fcs_len: 0,
        }
    }

    /// How the input is to be read for this: for [`ReaderBuilder::record_options`](crate::ReaderBuilder::record_options).
    pub fn record_options(&self) -> RecordOptions {
        RecordOptions {
            fcs: if self.fcs == FcsChoice::None { FcsRule::None } else { FcsRule::Append },
            describe: self.format != FileFormat::Pcap,
            cut: self.format == FileFormat::Erf,
            ..RecordOptions::default()
        }
    }

    pub(super) fn packets(&self, fcs: FcsPolicy) -> PacketOptions {
        PacketOptions { encapsulation: self.encapsulation, fcs, hdlc: self.hdlc, hdlc_fcs_len: self.hdlc_fcs_len }
    }
}

/// Converts one file.
///
/// ```
/// use erf::convert::{Converter, FileOptions};
/// use erf::{FileFormat, Reader, RecordBuilder, RecordType, Timestamp};
///
/// let stamp = Timestamp::from_parts(1_700_000_000, 5);
/// let record = RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 60]).append_fcs().to_vec()?;
/// let mut options = FileOptions::new(FileFormat::PcapNg);
/// options.lossless = true;
/// let mut converter = Converter::new(Vec::new(), "made", options);
/// converter.run(&mut Reader::from_read(std::io::Cursor::new(record.clone()))?, |_| {})?;
/// let (file, summary) = converter.finish()?;
/// assert_eq!((summary.records, summary.written), (1, 1));
///
/// let mut back = Reader::from_read(std::io::Cursor::new(file))?;
/// assert_eq!(back.next_record()?.unwrap()?.bytes(), record);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Converter<W: Write> {
    options: FileOptions,
    name: String,
    survey: Survey,
    /// Until the first records have been seen.
    out: Option<W>,
    writer: Option<AnyWriter<W>>,
    /// Records that wait until it is known what to do about their frame check sequence.
    held: Vec<u8>,
    account: Account,
    /// Where only the ends of the file were surveyed: what all of it has said so far.
    seen: Option<Known>,
}

impl<W: Write> Converter<W> {
    /// Into `out`, which errors call `name`.
    pub fn new(out: W, name: &str, options: FileOptions) -> Converter<W> {
        Converter {
            options,
            name: name.to_owned(),
            survey: Survey::default(),
            out: Some(out),
            writer: None,
            held: Vec::new(),
            account: Account::new(options),
            seen: None,
        }
    }

    /// Makes [`Summary::totals`].
    pub fn with_totals(mut self, wanted: bool) -> Converter<W> {
        self.account.counting = wanted;
        self
    }

    /// The format of the output.
    pub fn format(&self) -> FileFormat {
        self.options.format
    }

    /// With what a first pass has found. Without one, what the first records say decides.
    pub fn with_survey(mut self, survey: Survey) -> Converter<W> {
        self.seen = (survey.extent == Extent::Ends).then(Known::default);
        self.survey = survey;
        self
    }

    /// Whether the records converted so far say no more of ports, capture and packets than the [survey](Self::with_survey) had found. Only
    /// one [of the ends](Survey::of_ends) can have missed something; what was written does not say it then, and is better made again, after
    /// a survey of everything.
    pub fn is_as_surveyed(&self) -> bool {
        match (&self.seen, &self.writer) {
            (Some(seen), Some(AnyWriter::PcapNg(writer))) => writer.known().says_the_same(seen),
            _ => true,
        }
    }

    /// Converts everything `reader` gives; `done` hears how many bytes more are converted. What was converted when a batch of the
    /// reader ends is handed to the output.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::next_batch`] but for damage ([`Error::is_damage`]), which is told in the summary, and those of the output.
    pub fn run(&mut self, reader: &mut Reader, mut done: impl FnMut(u64)) -> Result<(), Error> {
        loop {
            let batch = match reader.next_batch() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                // What could be read has been converted, and is worth having.
                Err(error) if error.is_damage() => {
                    self.account.summary.broken = Broken::of(&error);
                    break;
                }
                Err(error) => return Err(error),
            };
            self.settle(Some(&batch))?;
            let mut items = batch.iter();
            loop {
                if let Some(run) = items.plain_rest() {
                    items.pass(self.put_plain(run)?.bytes);
                }
                let offset = items.offset();
                match items.next() {
                    Some(Ok(record)) => {
                        self.account.audit(offset, &record);
                        self.put(&record)?;
                    }
                    Some(Err(defect)) => self.account.defect(defect),
                    None => break,
                }
            }
            self.flush()?;
            done(batch.bytes().len() as u64);
        }
        let restored = reader.restorations();
        let summary = &mut self.account.summary;
        let total = &mut summary.restored;
        total.packets += restored.packets;
        total.beside += restored.beside;
        total.restamped += restored.restamped;
        total.edited += restored.edited;
        total.damaged += restored.damaged;
        if let Some((count, first)) = reader.refused() {
            let (before, first) = summary.refused.unwrap_or((0, first));
            summary.refused = Some((before + count, first));
        }
        summary.unread += reader.unread();
        Ok(())
    }

    /// Converts one record, the next one. Where nobody has [surveyed](Self::with_survey) the records, the first 256 KiB of them wait
    /// until the frame check sequence is decided by them.
    ///
    /// # Errors
    ///
    /// Those of the output.
    #[inline]
    pub fn write_record(&mut self, record: &Record<'_>) -> Result<(), Error> {
        if self.writer.is_none() && self.holds(record)? {
            return Ok(());
        }
        self.put(record)
    }

    /// Converts `count` whole records that lie one after another in `run`; the caller vouches for both. What goes to ERF as it is is
    /// looked at one by one only for [totals](Self::with_totals): the summary's loss is that of the records looked at.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn write_run(&mut self, run: &[u8], count: u64) -> Result<(), Error> {
        if self.options.format == FileFormat::Erf && !self.account.counting {
            let writer = self.settle(None)?;
            let written = writer.write_run(run, count);
            self.account.summary.records += count;
            self.account.summary.written += count;
            return self.checked(written);
        }
        let mut walk = Records::resume(run, WalkState::new(0), true);
        loop {
            if let Some(rest) = walk.plain_rest() {
                walk.pass(self.put_plain(rest)?.bytes);
            }
            match walk.next() {
                Some(Ok(record)) => self.write_record(&record)?,
                Some(Err(_)) => {}
                None => return Ok(()),
            }
        }
    }

    /// Keeps `record` for later if it is not known yet how records are to be written.
    #[cold]
    fn holds(&mut self, record: &Record<'_>) -> Result<bool, Error> {
        let decided = self.survey.is_done() || self.options.format == FileFormat::Erf;
        if !decided && self.out.is_some() && self.held.len() < HELD {
            self.survey.observe(record);
            self.held.extend_from_slice(record.bytes());
            return Ok(true);
        }
        self.settle(None)?;
        Ok(false)
    }

    #[inline]
    fn put(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let Some(writer) = &mut self.writer else { return Err(self.failed()) };
        if let Some(seen) = &mut self.seen {
            seen.observe(record);
        }
        let written = self.account.write(writer, record);
        self.checked(written)
    }

    /// Converts what is plain at the start of `run`: by far the most of most captures, at a fraction of what a record costs otherwise.
    fn put_plain(&mut self, run: &[u8]) -> Result<PlainRun, Error> {
        let Some(writer) = self.writer.as_mut().filter(|_| !self.account.counting) else {
            return Ok(PlainRun::default());
        };
        let written = writer.write_plain(run);
        if let Ok(done) = &written {
            self.account.plain(done.records);
        }
        self.checked(written)
    }

    fn flush(&mut self) -> Result<(), Error> {
        let Some(writer) = &mut self.writer else { return Err(self.failed()) };
        let flushed = writer.flush();
        self.checked(flushed)
    }

    /// After a failure there is no output.
    #[inline]
    fn checked<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.writer = None;
        }
        result
    }

    fn failed(&self) -> Error {
        Error::new(ErrorKind::InvalidInput, "the conversion failed before, there is no output").in_file(&self.name)
    }

    /// The writer, made by what is known of the file when its first records are there.
    fn settle(&mut self, first: Option<&Batch<'_>>) -> Result<&mut AnyWriter<W>, Error> {
        if self.writer.is_none() {
            let Some(out) = self.out.take() else { return Err(self.failed()) };
            let first = first.filter(|_| !self.survey.is_done());
            for record in first.into_iter().flat_map(|batch| batch.iter().flatten()) {
                self.survey.evidence.observe(&record);
            }
            self.writer = Some(self.open(out));
            let held = std::mem::take(&mut self.held);
            Records::new(&held).flatten().try_for_each(|record| self.put(&record))?;
        }
        match &mut self.writer {
            Some(writer) => Ok(writer),
            None => Err(Error::new(ErrorKind::InvalidInput, "there is no output")),
        }
    }

    fn open(&mut self, out: W) -> AnyWriter<W> {
        let (fcs, ground) = self.survey.evidence.decide(self.options.fcs);
        let FileOptions { format, resolution, rounding, lossless, encapsulation, .. } = self.options;
        let packets = self.options.packets(fcs);
        if format != FileFormat::Erf && encapsulation == Encapsulation::Native {
            self.account.fcs = Some((fcs, ground));
        }
        match format {
            FileFormat::Erf => AnyWriter::Erf(Box::new(ErfWriter::new(out).named(&self.name))),
            FileFormat::Pcap => {
                let micros = resolution == Resolution::MICROS;
                let options = pcap::WriterOptions { packets, micros, rounding, ..Default::default() };
                AnyWriter::Pcap(Box::new(pcap::Writer::new(out, options).named(&self.name)))
            }
            FileFormat::PcapNg => {
                let options = pcapng::WriterOptions { packets, resolution, rounding, lossless, ..Default::default() };
                let known = std::mem::take(&mut self.survey.known);
                let writer = pcapng::Writer::new(out, options).named(&self.name);
                let is_all = self.survey.is_done();
                AnyWriter::PcapNg(Box::new(if is_all {
                    writer.with_all_known(known)
                } else {
                    writer.with_known(known)
                }))
            }
        }
    }

    /// What has become of the records so far; those that wait are not among them.
    pub fn summary(&self) -> &Summary {
        &self.account.summary
    }

    /// Ends the file; gives the sink and the account.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn finish(mut self) -> Result<(W, Summary), Error> {
        self.settle(None)?;
        let Some(writer) = self.writer.take() else { return Err(self.failed()) };
        let summary = self.account.finish(&writer);
        Ok((writer.finish()?, summary))
    }
}
