//! A META record to be made.

use erf_core::meta::{MetaWriteError, MetaWriter, SectionId, SectionType, TagType};
use erf_core::{RecordBuilder, RecordType, Timestamp};

use super::{Change, MAX_AREA, too_long};
use crate::{Error, ErrorKind};

/// A META record to be made: remarks about a capture, and text about its parts.
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
    /// What else is to be said, such as names of host and interfaces; what removes text says nothing here.
    pub changes: Vec<Change>,
}

/// Tags of one section.
type Texts<'a> = ((SectionType, SectionId), Vec<(TagType, &'a str)>);

impl Note {
    /// An empty one, stated now.
    pub fn new(timestamp: Timestamp) -> Self {
        Self {
            timestamp,
            generated: Timestamp::now(),
            comments: Vec::new(),
            attributes: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Whether `change` can only be said of an interface or a stream that has a number, and has none.
    pub fn needs_number(change: &Change) -> bool {
        change.id().is_none()
    }

    /// The bytes of the record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`] when it is more than a record holds. [`ErrorKind::InvalidInput`] for text about an interface or a stream
    /// of which no number is said.
    pub fn to_record(&self) -> Result<Vec<u8>, Error> {
        let mut area = vec![0; MAX_AREA];
        let sections = self.sections()?;
        let len = self.write(&sections, &mut area).map_err(|error| too_long(&error))?;
        let record = RecordBuilder::new(RecordType::META).timestamp(self.timestamp).payload(&area[..len]);
        record.to_vec().map_err(|error| too_long(&error))
    }

    fn sections(&self) -> Result<Vec<Texts<'_>>, Error> {
        let capture = (SectionType::CAPTURE, SectionId::UNSPECIFIED);
        let comments = self.comments.iter().map(|comment| (capture, TagType::COMMENT, comment.as_str()));
        let attributes = self.attributes.iter().map(|attribute| (capture, TagType::ATTRIBUTE, attribute.as_str()));
        let mut all: Vec<_> = comments.chain(attributes).collect();
        for change in &self.changes {
            if let Some(text) = change.text() {
                let id = change.id().ok_or_else(|| {
                    let what = format!("a new section {} needs a number", change.section());
                    Error::new(ErrorKind::InvalidInput, what)
                })?;
                all.push(((change.section(), id), change.tag(), text));
            }
        }
        let mut sections: Vec<Texts<'_>> = Vec::new();
        for (of, tag, text) in all {
            match sections.iter_mut().find(|(known, _)| *known == of) {
                Some((_, texts)) => texts.push((tag, text)),
                None => sections.push((of, vec![(tag, text)])),
            }
        }
        Ok(sections)
    }

    fn write(&self, sections: &[Texts<'_>], area: &mut [u8]) -> Result<usize, MetaWriteError> {
        let mut writer = MetaWriter::new(area);
        writer.put(TagType::GEN_TIME, self.generated)?;
        for ((section, id), texts) in sections {
            writer.section(*section, *id)?;
            for (tag, text) in texts {
                writer.put(*tag, *text)?;
            }
        }
        Ok(writer.finish().len())
    }
}
