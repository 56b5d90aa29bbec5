//! META records changed: left out, made, and names in them set.
//!
//! ```
//! use erf::provenance::{Names, Note, set_names};
//! use erf::meta::{Meta, SectionType, TagType};
//! use erf::{Record, Timestamp};
//!
//! let mut note = Note::new(Timestamp::from_parts(1_700_000_000, 0));
//! note.comments.push("lab 3, before the change".to_owned());
//! note.names.interfaces.push((0, "uplink".to_owned()));
//! let bytes = note.to_record()?;
//! let record = Record::parse(&bytes)?;
//! let name = Meta::new(record.payload()).value(SectionType::INTERFACE, TagType::NAME);
//! assert_eq!(name.and_then(|name| name.as_str()), Some("uplink"));
//!
//! let names = Names { host: None, interfaces: vec![(0, "downlink".to_owned())] };
//! let changed = set_names(&record, &names)?.expect("there is such a section");
//! let name = Meta::new(Record::parse(&changed)?.payload()).value(SectionType::INTERFACE, TagType::NAME);
//! assert_eq!(name.and_then(|name| name.as_str()), Some("downlink"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use erf_core::meta::{Meta, MetaWriteError, MetaWriter, Section, SectionId, SectionType, TagType};
use erf_core::{
    BuildError, ExtHeader, ExtType, HEADER_LEN, MAX_RECORD_LEN, Record, RecordBuilder, RecordType, Timestamp,
};

use crate::{Error, ErrorKind};

/// Bytes of tags in one record.
const MAX_AREA: usize = (MAX_RECORD_LEN - HEADER_LEN) & !7;

/// Names to be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Name of the host.
    pub host: Option<String>,
    /// Names of interfaces, by number.
    pub interfaces: Vec<(u8, String)>,
}

impl Names {
    /// The tag and its new value, where one is to be set in `section`.
    fn of(&self, section: &Section<'_>) -> Option<(TagType, &str)> {
        if section.is(SectionType::HOST) {
            return self.host.as_deref().map(|name| (TagType::HOSTNAME, name));
        }
        let number = section.interface()?;
        let name = self.interfaces.iter().find(|(of, _)| u16::from(*of) == number)?;
        Some((TagType::NAME, &name.1))
    }

    /// Those for which `record` has no section, taken out of `self`.
    pub fn forget_met(&mut self, record: &Record<'_>) {
        for section in Meta::new(record.payload()).sections() {
            if section.is(SectionType::HOST) {
                self.host = None;
            }
            self.interfaces.retain(|(of, _)| section.interface() != Some(u16::from(*of)));
        }
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.host.is_none() && self.interfaces.is_empty()
    }
}

/// A META record to be made: remarks about a capture, and names.
///
/// It has no extension headers, so it speaks about the implicit host (`erf-format.md` section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// Stamp of the record: from when on it applies. At the front of a file, that of the first packet.
    pub timestamp: Timestamp,
    /// When it was stated; of two statements the newer holds.
    pub generated: Timestamp,
    /// Comments about the capture.
    pub comments: Vec<String>,
    /// Attributes of the capture, such as `key=value`.
    pub attributes: Vec<String>,
    /// Names of host and interfaces.
    pub names: Names,
}

impl Note {
    /// An empty one, stated now.
    pub fn new(timestamp: Timestamp) -> Self {
        Self {
            timestamp,
            generated: Timestamp::now(),
            comments: Vec::new(),
            attributes: Vec::new(),
            names: Names::default(),
        }
    }

    /// The bytes of the record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`] when it is more than a record holds.
    pub fn to_record(&self) -> Result<Vec<u8>, Error> {
        let mut area = vec![0; MAX_AREA];
        let len = self.write(&mut area).map_err(|error| too_long(&error))?;
        let record = RecordBuilder::new(RecordType::META).timestamp(self.timestamp).payload(&area[..len]);
        record.to_vec().map_err(|error| too_long(&error))
    }

    fn write(&self, area: &mut [u8]) -> Result<usize, MetaWriteError> {
        let mut writer = MetaWriter::new(area);
        writer.put(TagType::GEN_TIME, self.generated)?;
        if !self.comments.is_empty() || !self.attributes.is_empty() {
            writer.section(SectionType::CAPTURE, SectionId::UNSPECIFIED)?;
            for comment in &self.comments {
                writer.put(TagType::COMMENT, comment.as_str())?;
            }
            for attribute in &self.attributes {
                writer.put(TagType::ATTRIBUTE, attribute.as_str())?;
            }
        }
        if let Some(host) = &self.names.host {
            writer.section(SectionType::HOST, SectionId::UNSPECIFIED)?.put(TagType::HOSTNAME, host.as_str())?;
        }
        for (number, name) in &self.names.interfaces {
            writer.section(SectionType::INTERFACE, SectionId::interface(*number))?.put(TagType::NAME, name.as_str())?;
        }
        Ok(writer.finish().len())
    }
}

/// The META record with `names` in its Host and Interface sections; `None` where it has none of these. All else stays as it is,
/// but for bytes behind a tag that runs over the end, which are left out.
///
/// # Errors
///
/// [`ErrorKind::Limit`] when it becomes more than a record holds.
pub fn set_names(record: &Record<'_>, names: &Names) -> Result<Option<Vec<u8>>, Error> {
    let meta = Meta::new(record.payload());
    if !meta.sections().any(|section| names.of(&section).is_some()) {
        return Ok(None);
    }
    let mut area = vec![0; MAX_AREA];
    let len = rewrite(&meta, names, &mut area).map_err(|error| too_long(&error))?;
    // The length of the area on the wire is what is stored: one that was cut short is whole now.
    let builder = RecordBuilder::from_record(record).payload(&area[..len]).wire_len(len as u16).alignment(8);
    builder.to_vec().map(Some).map_err(|error| too_long(&error))
}

fn rewrite(meta: &Meta<'_>, names: &Names, area: &mut [u8]) -> Result<usize, MetaWriteError> {
    let mut writer = MetaWriter::new(area);
    for section in meta.sections() {
        if let (Some(reference), Some(opening)) = (section.reference(), section.opening_tag()) {
            match opening.bytes().len() {
                4 => writer.section(reference.section_type, reference.id)?,
                // Reserved bytes behind the header stay, and so does the length that they say.
                _ => writer.copy(&opening)?,
            };
        }
        let set = names.of(&section);
        // A parent is the first tag, so a name goes where the old one was, or behind all.
        let mut is_set = false;
        for tag in section.tags().flatten() {
            match set {
                Some((tag_type, name)) if tag.tag_type() == tag_type => {
                    if !std::mem::replace(&mut is_set, true) {
                        writer.put(tag_type, name)?;
                    }
                }
                _ => {
                    writer.copy(&tag)?;
                }
            }
        }
        if let (Some((tag_type, name)), false) = (set, is_set) {
            writer.put(tag_type, name)?;
        }
    }
    Ok(writer.finish().len())
}

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
