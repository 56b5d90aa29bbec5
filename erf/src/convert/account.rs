//! The account of a conversion: what became of records, and what is not said of them any more.

use std::collections::BTreeMap;
use std::io::Write;

use erf_core::ext::Ext;
use erf_core::{Audit, Defect, ExtHeader, Record, RecordType, Severity};

use super::{Encapsulation, FcsGround, FcsPolicy, FileOptions, Outcome, Refusal, Restorations, Skip, Unread};
use crate::check::Broken;
use crate::pcapng::Known;
use crate::writer::AnyWriter;
use crate::{Error, FileFormat, Totals};

/// Defects kept; all are counted.
const MAX_DEFECTS: usize = 100;

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

/// What packets of a pcap or pcapng file do not say of their records, as counts of records, and of comments.
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
    /// Comments of META, each once: those on packets too in classic pcap, which has none; in pcapng those on the capture that came too
    /// late for the file's header, or are more than it holds.
    pub comments: u64,
}

impl Uncarried {
    /// Each count with the name of what it counts, which does not change.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = [
            ("colors", self.colors),
            ("ext_headers", self.ext_headers),
            ("sub_headers", self.sub_headers),
            ("rx_errors", self.rx_errors),
            ("ds_errors", self.ds_errors),
            ("loss_counters", self.loss_counters),
            ("comments", self.comments),
        ];
        counts.into_iter()
    }
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
    /// Warnings and errors about the input: what a walk stumbles over, and what cannot be right about the records it delivers. A
    /// file that breaks off is not among them.
    pub defects: u64,
    /// A file that breaks off or whose compression does. Everything before that is converted.
    pub broken: Option<Broken>,
    /// The first 100 defects.
    pub first_defects: Vec<Defect>,
    /// What the input says that no record does: blocks of pcapng that are passed over, and descriptions that were not asked for.
    pub unread: Unread,
    /// Sums over what was written, if they were [wanted](super::Converter::with_totals). Lengths are those of the records; the loss is what
    /// the output says of it, nothing in classic pcap.
    pub totals: Totals,
    /// Packets of pcap and pcapng without a place in ERF, and why the first has none.
    pub refused: Option<(u64, Refusal)>,
    /// Records that came back from pcapng without loss.
    pub restored: Restorations,
    /// META has said something of ports, capture or packets that the file does not say everywhere, as it came too late for what was on its
    /// way already. For whoever cannot begin once more where a converter [was not told of it](super::Converter::is_as_surveyed).
    pub described_late: bool,
}

impl Summary {
    /// The input has defects, or breaks off.
    pub fn is_defective(&self) -> bool {
        self.defects > 0 || self.broken.is_some()
    }

    /// Packets and records that are not in the file; META and PAD do not count.
    pub fn packets_left_out(&self) -> u64 {
        let skipped = self.skipped.iter().filter(|left| left.record_type.is_packet()).map(|left| left.count);
        skipped.sum::<u64>() + self.refused.map_or(0, |(count, _)| count) + self.restored.damaged
    }
}

/// Writes records and keeps the account of it.
#[derive(Debug)]
pub(super) struct Account {
    options: FileOptions,
    pub(super) counting: bool,
    /// What is done about the FCS of any frame.
    pub(super) fcs: Option<(FcsPolicy, FcsGround)>,
    skipped: BTreeMap<(u8, &'static str), Left>,
    /// What META has said that is not in a file of classic pcap.
    unsaid: Known,
    pub(super) summary: Summary,
}

impl Account {
    pub(super) fn new(options: FileOptions) -> Self {
        let (skipped, unsaid) = (BTreeMap::new(), Known::default());
        Self { options, counting: false, fcs: None, skipped, unsaid, summary: Summary::default() }
    }

    #[inline]
    pub(super) fn write<W: Write>(&mut self, writer: &mut AnyWriter<W>, record: &Record<'_>) -> Result<(), Error> {
        self.summary.records += 1;
        let loss = record.loss().unwrap_or(0);
        self.summary.lost += u64::from(loss);
        match writer.write_record(record)? {
            Outcome::Written => {
                self.summary.written += 1;
                if record.record_type().is_ethernet() {
                    self.summary.fcs = self.fcs;
                }
                if self.counting {
                    self.summary.totals.add(record);
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

    /// So many Ethernet records that were written, of which there is nothing to say.
    pub(super) fn plain(&mut self, records: u64) {
        self.summary.records += records;
        self.summary.written += records;
        if records > 0 {
            self.summary.fcs = self.fcs;
        }
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
        uncarried.ext_headers += u64::from(record.has_ext_headers() && says_more(record, self.options.format));
        let flags = record.flags();
        uncarried.rx_errors += u64::from(flags.rx_error());
        uncarried.ds_errors += u64::from(flags.ds_error());
        let sub_header = record.sub_header_bytes();
        uncarried.sub_headers += u64::from(sub_header.len() == 4 && sub_header != [0; 4]);
    }

    #[cold]
    fn skip(&mut self, record: &Record<'_>, reason: Skip) {
        if self.options.format == FileFormat::Pcap {
            self.unsaid.observe(record);
        }
        let record_type = record.record_type();
        let left = self.skipped.entry((record_type.number(), reason.code()));
        left.or_insert(Left { record_type, reason, count: 0 }).count += 1;
    }

    #[cold]
    pub(super) fn defect(&mut self, defect: Defect) {
        self.summary.defects += 1;
        if self.summary.first_defects.len() < MAX_DEFECTS {
            self.summary.first_defects.push(defect);
        }
    }

    /// Looks for what cannot be right about a record that was read.
    #[inline]
    pub(super) fn audit(&mut self, offset: u64, record: &Record<'_>) {
        Audit::oddities(offset, record, |defect| {
            if defect.kind.severity() >= Severity::Warning {
                self.defect(defect);
            }
        });
    }

    /// Ends the account of what `writer` has written.
    pub(super) fn finish<W: Write>(self, writer: &AnyWriter<W>) -> Summary {
        let mut summary = self.summary;
        summary.uncarried.comments = match writer {
            AnyWriter::Erf(_) => 0,
            AnyWriter::Pcap(_) => self.unsaid.comments(),
            // Otherwise META is in the file itself.
            AnyWriter::PcapNg(_) if self.options.lossless || self.options.encapsulation == Encapsulation::Erf => 0,
            AnyWriter::PcapNg(writer) => writer.comments_left_out(),
        };
        summary.skipped = self.skipped.into_values().collect();
        let native = self.options.encapsulation == Encapsulation::Native;
        match self.options.format {
            FileFormat::Pcap if native => summary.totals.lost = 0,
            // What records without a place have lost is said of the packets behind them.
            FileFormat::PcapNg if self.counting => summary.totals.lost = summary.lost,
            _ => {}
        }
        summary
    }
}

/// Whether the extension headers of a record say something that its packet does not. An anchor leads to a comment, which pcapng has as such,
/// and stands behind a Host ID of nobody.
fn says_more(record: &Record<'_>, format: FileFormat) -> bool {
    let says_nothing = |header: &ExtHeader| match header.view() {
        Ext::AnchorId(_) => true,
        Ext::HostId(host) => (host.host_id, host.source_id) == (0, 0),
        _ => false,
    };
    format != FileFormat::PcapNg || !record.ext_headers().all(|header| says_nothing(&header))
}
