//! Which of the formats a file is, told by its content.

use std::fmt;

use crate::compress::Encoding;
use crate::error::{Error, ErrorKind};
use crate::input::{Compression, Window};
use crate::pcap;
use crate::{Format, Reason, Timestamp};

/// A file format that the [`Reader`](super::Reader) reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileFormat {
    /// ERF records.
    Erf,
    /// Classic pcap.
    Pcap,
    /// pcapng.
    PcapNg,
}

impl FileFormat {
    /// What the name of a file promises: `.erf`, `.pcap` or `.cap`, `.pcapng` or `.ntar`, in any case, and behind it what compression adds, `.zst`, `.lz4` or
    /// `.gz`. For files to be written; one that is read is known by its content.
    pub fn of_name(path: impl AsRef<std::path::Path>) -> Option<FileFormat> {
        let path = path.as_ref();
        if Encoding::of_name(path).is_some() {
            return Self::of_name(path.file_stem()?);
        }
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "erf" => Some(FileFormat::Erf),
            "pcap" | "cap" => Some(FileFormat::Pcap),
            "pcapng" | "ntar" => Some(FileFormat::PcapNg),
            _ => None,
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileFormat::Erf => "ERF",
            FileFormat::Pcap => "pcap",
            FileFormat::PcapNg => "pcapng",
        })
    }
}

/// Decides by the first bytes what a file is; an empty one is ERF of no records.
///
/// Reads on only while the first record is incomplete, so that a pipe is known by its first record.
pub(super) fn detect(window: &mut Window, eager: bool) -> Result<FileFormat, Error> {
    loop {
        if window.bytes().len() < 4 && window.refill(eager) {
            continue;
        }
        let head = window.bytes();
        if pcap::Reader::recognises(head) {
            return Ok(FileFormat::Pcap);
        }
        if pcap::ng::Reader::recognises(head) {
            return Ok(FileFormat::PcapNg);
        }
        let found = Format::detect(head, window.is_last(), Some(Timestamp::now()));
        match found {
            Format::Erf | Format::Empty => {
                // Nothing but an error is not an empty file.
                return match window.take_error_of_empty() {
                    Some(error) => Err(error),
                    None => Ok(FileFormat::Erf),
                };
            }
            Format::Unknown(not)
                if matches!(not.reason, Reason::Defect(kind) if kind.is_torn()) && window.refill(eager) => {}
            _ => {
                // A few slots more, to be able to say what it looks like.
                while window.bytes().len() < 256 && window.refill(eager) {}
                let name = window.input().name().to_owned();
                let refusal = refusal(found, window).in_file(name);
                return Err(window.take_error().unwrap_or(refusal));
            }
        }
    }
}

fn refusal(found: Format, window: &Window) -> Error {
    let unknown = |what: String| Error::new(ErrorKind::UnknownFormat, what);
    match found {
        Format::Gzip | Format::Bzip2 | Format::Xz | Format::Zstd | Format::Lz4
            if window.input().compression() == Compression::None =>
        {
            unknown(format!("looks like {found}, but its header is damaged"))
        }
        Format::Gzip | Format::Bzip2 | Format::Xz | Format::Zstd | Format::Lz4 => unknown(format!(
            "{found} data inside {} data; decompress it once before reading",
            window.input().compression()
        )),
        Format::Other(name) => unknown(format!("looks like {name}, which is not read here")),
        Format::Unknown(_) if looks_like_legacy_slots(window.bytes()) => unknown(
            "looks like DAG records from before ERF, 64-byte slots that do not say what they hold; \
             they are not read here"
                .to_owned(),
        ),
        Format::Unknown(not) if not.reason == Reason::Legacy => unknown(
            "holds records of type 0, from before ERF; force the format ERF to read them as opaque \
             records"
                .to_owned(),
        ),
        other => unknown(format!("{other}; if it is ERF all the same, force the format ERF")),
    }
}

/// Cards before ERF wrote slots of 64 bytes that begin with the same 8-byte stamp
/// (`erf-format.md` section 6.2).
fn looks_like_legacy_slots(head: &[u8]) -> bool {
    const SLOT: usize = 64;
    /// 1995 and 2008: before DAG cards, and well after ERF.
    const YEARS: std::ops::Range<u32> = 788_871_600..1_200_000_000;
    let mut slots = head.chunks_exact(SLOT).take(4).map(|slot| {
        let stamp = slot.first_chunk().copied().unwrap_or_default();
        Timestamp::from_le_bytes(stamp)
    });
    let Some(mut before) = slots.next() else {
        return false;
    };
    let mut seen = 1;
    for stamp in slots {
        let step = stamp.raw().checked_sub(before.raw());
        if !YEARS.contains(&stamp.secs()) || step.is_none_or(|step| step >> 32 > 3600) {
            return false;
        }
        before = stamp;
        seen += 1;
    }
    seen >= 2 && YEARS.contains(&before.secs())
}
