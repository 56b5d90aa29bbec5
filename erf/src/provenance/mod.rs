//! META records changed: left out, made, and text in them set or removed.
//!
//! ```
//! use erf::provenance::{Change, Note, change};
//! use erf::meta::{Meta, SectionType, TagType};
//! use erf::{Record, Timestamp};
//!
//! let mut note = Note::new(Timestamp::from_parts(1_700_000_000, 0));
//! note.comments.push("lab 3, before the change".to_owned());
//! note.changes.push(Change::interface(0, "uplink"));
//! let bytes = note.to_record()?;
//! let record = Record::parse(&bytes)?;
//! let name = Meta::new(record.payload()).value(SectionType::INTERFACE, TagType::NAME);
//! assert_eq!(name.and_then(|name| name.as_str()), Some("uplink"));
//!
//! let changes = [Change::interface(0, "downlink"), Change::unset(SectionType::CAPTURE, None, TagType::COMMENT)?];
//! let changed = change(&record, &changes)?.expect("there are such sections");
//! let meta = Record::parse(&changed)?;
//! let meta = Meta::new(meta.payload());
//! let name = meta.value(SectionType::INTERFACE, TagType::NAME);
//! assert_eq!(name.and_then(|name| name.as_str()), Some("downlink"));
//! assert_eq!(meta.find(SectionType::CAPTURE, TagType::COMMENT), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod change;
mod note;
#[cfg(test)]
mod tests;

use erf_core::{BuildError, ExtHeader, ExtType, HEADER_LEN, MAX_RECORD_LEN, Record, RecordBuilder};

use crate::{Error, ErrorKind};

pub use change::{Change, change};
pub use note::Note;

/// Bytes of tags in one record.
const MAX_AREA: usize = (MAX_RECORD_LEN - HEADER_LEN) & !7;

/// The record without its Host ID extension headers; `None` where it has none. Whole records stay multiples of 8 where they were.
///
/// # Errors
///
/// None for a record that was parsed.
pub fn without_host_ids(record: &Record<'_>) -> Result<Option<Vec<u8>>, BuildError> {
    let headers = record.ext_headers();
    let kept: Vec<ExtHeader> = headers.filter(|header| header.kind() != ExtType::HOST_ID).collect();
    if kept.len() == record.ext_headers().len() {
        return Ok(None);
    }
    RecordBuilder::from_record(record).ext_headers(&kept).to_vec().map(Some)
}

fn too_long(cause: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Limit, format!("the META record was not made: {cause}"))
}
