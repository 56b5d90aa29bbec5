//! Whether a converted file holds what it was made of.

use std::fmt;
use std::path::Path;

use erf_core::Record;

use super::{FcsPolicy, FileOptions, PacketOptions, ToRecord, to_packet};
use crate::input::Source;
use crate::pcap::{LinkType, Packet, Packets, Resolution};
use crate::reader::Reader;
use crate::{Error, FileFormat, MAX_RECORD_LEN};

/// The first thing in which two files differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Record or packet of the input, counted from 0.
    pub number: u64,
    /// Byte offset in the decompressed input of what differs.
    pub offset: u64,
    /// What differs.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} (number {})", self.what, self.offset, self.number)
    }
}

/// Reads `input` again, opened with [`FileOptions::record_options`], and `output`, which was made of it with `options`, and compares
/// them: record for record where the output holds records (ERF, pcapng without loss), else packet for packet, in link type, bytes,
/// length, stamp (as exact as the output can say) and loss. `fcs` is what the conversion decided. An input that is pcap or
/// pcapng and goes to ERF is compared with the packets that its records are. What the conversion left out is left out here, and where the
/// input breaks off the output has to end.
///
/// # Errors
///
/// Those of reading either file.
pub fn verify(
    input: &mut Reader,
    source: &Path,
    output: &Path,
    options: &FileOptions,
    fcs: Option<FcsPolicy>,
) -> Result<Option<Difference>, Error> {
    let packets = options.packets(fcs.unwrap_or_default());
    if options.format == FileFormat::Erf && input.format() != FileFormat::Erf {
        let same = records(input, output)?;
        return match same {
            None if input.restorations().packets + input.restorations().beside == 0 => {
                from_packets(source, output, options)
            }
            found => Ok(found),
        };
    }
    if options.format == FileFormat::Erf {
        return records(input, output);
    }
    let difference = match options.lossless {
        true => records(input, output)?,
        false => to_packets(input, output, options, &packets)?,
    };
    let cut = input.unread().cut_bytes;
    Ok(difference.or_else(|| lost(input, cut)))
}

/// Only records of ERF files are cut to multiples: packets that are read so for another format have lost bytes before any comparison.
fn lost(input: &Reader, cut: u64) -> Option<Difference> {
    let what = format!("{cut} bytes of snapped packets are cut off");
    (cut > 0).then(|| Difference { number: 0, offset: input.offset(), what })
}

/// What can be read of an input: one that breaks off ends there for a conversion, and so for the comparison.
fn readable<T>(next: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match next {
        Err(error) if error.is_damage() => Ok(None),
        other => other,
    }
}

/// Byte for byte.
fn records(input: &mut Reader, output: &Path) -> Result<Option<Difference>, Error> {
    let mut output = Reader::builder().force_format(written_format(output)?).open(output)?;
    let mut number = 0;
    loop {
        let offset = input.offset();
        let expected = match readable(input.next_record())? {
            Some(Ok(record)) => record,
            Some(Err(_)) => continue,
            None => break,
        };
        let found = output.next_record()?;
        let difference = |offset, what: String| Ok(Some(Difference { number, offset, what }));
        match found {
            Some(Ok(found)) if found.bytes() == expected.bytes() => {}
            Some(Ok(found)) => {
                let pairs = expected.bytes().iter().zip(found.bytes());
                let at = pairs.take_while(|(one, other)| one == other).count();
                return difference(offset + at as u64, format!("byte {at} of the record differs"));
            }
            Some(Err(defect)) => return difference(offset, format!("the output has a defect: {defect}")),
            None => return difference(offset, "the output ends".to_owned()),
        }
        number += 1;
    }
    let offset = input.offset();
    let more = output.next_record()?.is_some();
    Ok(more.then(|| Difference { number, offset, what: "the output goes on where the input ends".to_owned() }))
}

/// A file just written need not be plausible; its magic says what it is.
fn written_format(output: &Path) -> Result<FileFormat, Error> {
    let window = Reader::builder().open(output);
    Ok(window.map_or(FileFormat::Erf, |reader| reader.format()))
}

/// Records of the input against packets of the output.
fn to_packets(
    input: &mut Reader,
    output: &Path,
    options: &FileOptions,
    packets: &PacketOptions,
) -> Result<Option<Difference>, Error> {
    let mut output = Packets::open(Source::Path(output.to_owned()))?;
    let mut only = None;
    let mut carried = [0u64; 8];
    let mut number = 0;
    loop {
        let offset = input.offset();
        let record = match readable(input.next_record())? {
            Some(Ok(record)) => record,
            Some(Err(_)) => continue,
            None => break,
        };
        let port = &mut carried[usize::from(record.interface() & 7)];
        *port += u64::from(record.loss().unwrap_or(0));
        let Ok(expected) = to_packet(&record, packets) else { continue };
        if options.format == FileFormat::Pcap && *only.get_or_insert(expected.link_type) != expected.link_type {
            continue;
        }
        let lost = std::mem::take(port);
        let difference = |what: &str| Ok(Some(Difference { number, offset, what: what.to_owned() }));
        let Some(found) = output.next_packet()? else { return difference("the output ends") };
        let [head, body] = expected.parts();
        let bytes = found.captured.split_at_checked(head.len()).is_some_and(|parts| parts == (head, body));
        let resolution = if options.lossless { Resolution::ERF } else { options.resolution };
        let stamp = resolution.to_timestamp(resolution.rounded(record.timestamp(), options.rounding), 0);
        let what = if found.link_type != expected.link_type {
            "the link type differs"
        } else if !bytes {
            "the bytes differ"
        } else if found.original_len != expected.original_len {
            "the original length differs"
        } else if stamp.is_some() && found.timestamp != stamp {
            "the stamp differs"
        } else if options.format == FileFormat::PcapNg && found.drop_count.unwrap_or(0) != lost {
            "the loss differs"
        } else {
            number += 1;
            continue;
        };
        return difference(what);
    }
    let offset = input.offset();
    let more = output.next_packet()?.is_some();
    Ok(more.then(|| Difference { number, offset, what: "the output goes on where the input ends".to_owned() }))
}

/// Packets of the input against records of the output.
fn from_packets(input: &Path, output: &Path, options: &FileOptions) -> Result<Option<Difference>, Error> {
    let mut input = Packets::open(Source::Path(input.to_owned()))?;
    let mut output = Reader::builder().force_format(FileFormat::Erf).open(output)?;
    let record_options = options.record_options();
    let mut convert = ToRecord::new(record_options);
    let mut scratch = vec![0; MAX_RECORD_LEN];
    let mut number = 0;
    while let Some(packet) = readable(input.next_packet())? {
        // What is refused is left out.
        if convert.write(&packet, &mut scratch).is_err() {
            continue;
        }
        // A commented record has an anchor more than the packet's.
        let commented = packet.comments().next().is_some();
        let inner = Record::parse(&scratch).ok().filter(|_| packet.link_type == LinkType::ERF);
        let is_meta = inner.is_some_and(|inner| inner.is_meta());
        let difference = |what: &str| Ok(Some(Difference { number, offset: packet.offset, what: what.to_owned() }));
        let found = loop {
            match output.next_record()? {
                // Made of what the file says of interfaces and packets.
                Some(Ok(record)) if record.is_meta() && !is_meta => {}
                Some(Ok(record)) => break Ok(record),
                other => break Err(other.is_some()),
            }
        };
        let what = match &found {
            Err(true) => Some("the output has a defect"),
            Err(false) => Some("the output ends"),
            Ok(record) => match inner {
                Some(inner) if commented => {
                    let same = (inner.timestamp(), inner.payload()) == (record.timestamp(), record.payload());
                    (!same).then_some("the record differs")
                }
                _ => differs(&packet, record, options),
            },
        };
        if let Some(what) = what {
            return difference(what);
        }
        number += 1;
    }
    Ok(None)
}

fn differs(packet: &Packet<'_>, record: &Record<'_>, options: &FileOptions) -> Option<&'static str> {
    if packet.link_type == LinkType::ERF {
        // The record itself; its length and padding are the file's to say.
        let same = packet.captured.len().min(record.bytes().len());
        let headers = packet.captured.get(..8) == record.bytes().get(..8);
        let rest = packet.captured.get(12..same) == record.bytes().get(12..same);
        return (!headers || !rest).then_some("the record differs");
    }
    let record_options = options.record_options();
    let appended = record_options.fcs == super::FcsRule::Append && !matches!(packet.fcs_len, Some(1..));
    let fcs = if appended { FcsPolicy::Strip } else { FcsPolicy::Absent };
    let Ok(back) = to_packet(record, &PacketOptions { fcs, ..PacketOptions::default() }) else {
        return Some("the record is no packet");
    };
    let [_, bytes] = back.parts();
    // A snapped record is cut to a multiple, and by no more than that takes.
    let headers = record.bytes().len() - record.payload().len();
    let over = (headers + packet.captured.len()) % usize::from(record_options.alignment.max(1));
    let cut = if packet.is_snapped() && record_options.cut { over.min(packet.captured.len()) } else { 0 };
    let original = packet.original_len.max(packet.captured.len() as u32);
    if packet.captured.get(..bytes.len()) != Some(bytes) || bytes.len() + cut != packet.captured.len() {
        Some("the bytes differ")
    } else if back.original_len != original {
        Some("the original length differs")
    } else if packet.timestamp.is_some_and(|stamp| stamp != record.timestamp()) {
        Some("the stamp differs")
    } else if u64::from(record.lctr_raw()) != packet.drop_count.unwrap_or(0).min(u64::from(u16::MAX)) {
        Some("the loss differs")
    } else {
        None
    }
}
