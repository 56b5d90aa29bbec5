//! Whole files from one format to another, with an account of what did not come along.

use std::collections::BTreeMap;
use std::io::Write;

use erf_core::{Defect, Record, RecordType, Rounding};

use super::fcs_found::Evidence;
use super::{
    FcsChoice, FcsGround, FcsPolicy, FcsRule, Hdlc, Outcome, PacketOptions, RecordOptions, Refusal, Restorations, Skip,
};
use crate::convert::Encapsulation;
use crate::pcap::Resolution;
use crate::pcapng::Known;
use crate::reader::{Batch, Reader};
use crate::writer::{AnyWriter, ErfWriter};
use crate::{Error, ErrorKind, FileFormat, pcap, pcapng};

/// Defects kept; all are counted.
const MAX_DEFECTS: usize = 100;

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
            ..RecordOptions::default()
        }
    }

    pub(super) fn packets(&self, fcs: FcsPolicy) -> PacketOptions {
        PacketOptions { encapsulation: self.encapsulation, fcs, hdlc: self.hdlc, hdlc_fcs_len: self.hdlc_fcs_len }
    }
}

/// What a first pass over a file has found: names that come late, frame check sequences.
#[derive(Debug, Default)]
pub struct Survey {
    known: Known,
    evidence: Evidence,
    is_done: bool,
}

impl Survey {
    /// Of everything `reader` gives; `done` hears how many bytes more are read.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::next_batch`] but for damage: what comes before that is surveyed.
    pub fn of(reader: &mut Reader, mut done: impl FnMut(u64)) -> Result<Survey, Error> {
        let mut survey = Survey { is_done: true, ..Survey::default() };
        loop {
            let batch = match reader.next_batch() {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                // The conversion tells of it.
                Err(error) if error.is_damage() => break,
                Err(error) => return Err(error),
            };
            for record in batch.iter().flatten() {
                survey.known.observe(&record);
                survey.evidence.observe(&record);
            }
            done(batch.bytes().len() as u64);
        }
        Ok(survey)
    }
}

/// Records that are not in the file, of one type and for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Left {
    /// The type.
    pub record_type: RecordType,
    /// The first one's reason; the others have the same [code](Skip::code).
    pub reason: Skip,
    /// How many.
    pub count: u64,
}

/// What packets of a pcap or pcapng file do not say of their records, as counts of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uncarried {
    /// With a colour other than 0.
    pub colors: u64,
    /// With extension headers.
    pub ext_headers: u64,
    /// With a multi-channel or AAL2 header other than 0.
    pub sub_headers: u64,
    /// With the RX error flag.
    pub rx_errors: u64,
    /// With the DS error flag.
    pub ds_errors: u64,
    /// With a loss counter, where the format has none (classic pcap).
    pub loss_counters: u64,
}

/// The account of a conversion.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Records read, META and PAD included.
    pub records: u64,
    /// Packets, or for ERF records, written.
    pub written: u64,
    /// Records written beside the packets: pcapng without loss.
    pub beside: u64,
    /// What has no place in the format, by type and reason.
    pub skipped: Vec<Left>,
    /// Sum of the loss counters of all records read.
    pub lost: u64,
    /// What was done about the Ethernet FCS and why; `None` where no frame was written as such.
    pub fcs: Option<(FcsPolicy, FcsGround)>,
    /// What the packets do not say of their records.
    pub uncarried: Uncarried,
    /// Defects of the input, and the first of them.
    pub defects: u64,
    /// A file that breaks off or whose compression does: what is wrong with it. Everything before that is converted.
    pub broken: Option<String>,
    /// The first 100 defects.
    pub first_defects: Vec<Defect>,
    /// Packets of pcap and pcapng without a place in ERF, and why the first has none.
    pub refused: Option<(u64, Refusal)>,
    /// Records that came back from pcapng without loss.
    pub restored: Restorations,
}

impl Summary {
    /// Packets and records that are not in the file; META and PAD do not count.
    pub fn packets_left_out(&self) -> u64 {
        let skipped = self.skipped.iter().filter(|left| left.record_type.is_packet()).map(|left| left.count);
        skipped.sum::<u64>() + self.refused.map_or(0, |(count, _)| count) + self.restored.damaged
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
    skipped: BTreeMap<(u8, &'static str), Left>,
    fcs: Option<(FcsPolicy, FcsGround)>,
    summary: Summary,
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
            skipped: BTreeMap::new(),
            fcs: None,
            summary: Summary::default(),
        }
    }

    /// With what a first pass has found. Without one, what the first records say decides.
    pub fn with_survey(mut self, survey: Survey) -> Converter<W> {
        self.survey = survey;
        self
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
                    self.summary.broken = Some(error.to_string());
                    break;
                }
                Err(error) => return Err(error),
            };
            let mut writer = self.take_writer(Some(&batch))?;
            for item in &batch {
                match item {
                    Ok(record) => self.convert(&mut writer, &record)?,
                    Err(defect) => {
                        self.summary.defects += 1;
                        if self.summary.first_defects.len() < MAX_DEFECTS {
                            self.summary.first_defects.push(defect);
                        }
                    }
                }
            }
            writer.flush()?;
            self.writer = Some(writer);
            done(batch.bytes().len() as u64);
        }
        let restored = reader.restorations();
        let total = &mut self.summary.restored;
        total.packets += restored.packets;
        total.beside += restored.beside;
        total.restamped += restored.restamped;
        total.edited += restored.edited;
        total.damaged += restored.damaged;
        if let Some((count, first)) = reader.refused() {
            let (before, first) = self.summary.refused.unwrap_or((0, first));
            self.summary.refused = Some((before + count, first));
        }
        Ok(())
    }

    /// The writer, made by what is known of the file when its first records are there.
    fn take_writer(&mut self, first: Option<&Batch<'_>>) -> Result<AnyWriter<W>, Error> {
        if let Some(writer) = self.writer.take() {
            return Ok(writer);
        }
        // It is taken only while records are converted, and given back unless that fails.
        let failed = || {
            Error::new(ErrorKind::InvalidInput, "the conversion failed before, there is no output").in_file(&self.name)
        };
        let out = self.out.take().ok_or_else(failed)?;
        let first = first.filter(|_| !self.survey.is_done);
        for record in first.into_iter().flat_map(|batch| batch.iter().flatten()) {
            self.survey.evidence.observe(&record);
        }
        let (fcs, ground) = self.survey.evidence.decide(self.options.fcs);
        let FileOptions { format, resolution, rounding, lossless, encapsulation, .. } = self.options;
        let packets = self.options.packets(fcs);
        if format != FileFormat::Erf && encapsulation == Encapsulation::Native {
            self.fcs = Some((fcs, ground));
        }
        Ok(match format {
            FileFormat::Erf => AnyWriter::Erf(Box::new(ErfWriter::new(out).named(&self.name))),
            FileFormat::Pcap => {
                let micros = resolution == Resolution::MICROS;
                let options = pcap::WriterOptions { packets, micros, rounding, ..Default::default() };
                AnyWriter::Pcap(Box::new(pcap::Writer::new(out, options).named(&self.name)))
            }
            FileFormat::PcapNg => {
                let options = pcapng::WriterOptions { packets, resolution, rounding, lossless, ..Default::default() };
                let known = std::mem::take(&mut self.survey.known);
                AnyWriter::PcapNg(Box::new(pcapng::Writer::new(out, options).named(&self.name).with_known(known)))
            }
        })
    }

    #[inline]
    fn convert(&mut self, writer: &mut AnyWriter<W>, record: &Record<'_>) -> Result<(), Error> {
        self.summary.records += 1;
        let loss = record.loss().unwrap_or(0);
        self.summary.lost += u64::from(loss);
        match writer.write_record(record)? {
            Outcome::Written => {
                self.summary.written += 1;
                if record.record_type().is_ethernet() {
                    self.summary.fcs = self.fcs;
                }
            }
            Outcome::Beside(_) => {
                self.summary.beside += 1;
                return Ok(());
            }
            Outcome::Skipped(reason) => {
                self.skip(record, reason);
                return Ok(());
            }
        }
        if self.options.format != FileFormat::Erf && !self.options.lossless {
            self.count(record, loss);
        }
        Ok(())
    }

    /// What the packet of `record` does not say.
    #[inline]
    fn count(&mut self, record: &Record<'_>, loss: u16) {
        let uncarried = &mut self.summary.uncarried;
        let whole = self.options.encapsulation == Encapsulation::Erf;
        uncarried.loss_counters += u64::from(loss > 0 && !whole && self.options.format == FileFormat::Pcap);
        if whole {
            return;
        }
        uncarried.colors += u64::from(record.color().is_some_and(|color| color > 0));
        uncarried.ext_headers += u64::from(record.has_ext_headers());
        let flags = record.flags();
        uncarried.rx_errors += u64::from(flags.rx_error());
        uncarried.ds_errors += u64::from(flags.ds_error());
        let sub_header = record.sub_header_bytes();
        uncarried.sub_headers += u64::from(sub_header.len() == 4 && sub_header != [0; 4]);
    }

    #[cold]
    fn skip(&mut self, record: &Record<'_>, reason: Skip) {
        let record_type = record.record_type();
        let left = self.skipped.entry((record_type.number(), reason.code()));
        left.or_insert(Left { record_type, reason, count: 0 }).count += 1;
    }

    /// Ends the file; gives the sink and the account.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn finish(mut self) -> Result<(W, Summary), Error> {
        let writer = self.take_writer(None)?;
        self.summary.skipped = self.skipped.into_values().collect();
        Ok((writer.finish()?, self.summary))
    }
}
