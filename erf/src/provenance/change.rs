//! Text in META records set and removed.

use erf_core::meta::{Meta, MetaWriteError, MetaWriter, Section, SectionId, SectionType, TagType, ValueKind};
use erf_core::{Record, RecordBuilder};

use super::{MAX_AREA, too_long};
use crate::{Error, ErrorKind};

/// Text that a tag is to have, or that it is to go, in sections of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    section: SectionType,
    number: Option<u16>,
    tag: TagType,
    text: Option<String>,
}

impl Change {
    /// `tag` is to be there once, with `text`, in each section of this type; with a number, in that of this interface or stream, of other
    /// types in that with this id. A change with a number is before one without.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] for a tag that does not hold text, and for a number that no section has.
    pub fn set(
        section: SectionType,
        number: Option<u16>,
        tag: TagType,
        text: impl Into<String>,
    ) -> Result<Self, Error> {
        Self { section, number, tag, text: Some(text.into()) }.checked()
    }

    /// `tag` is to be removed from the sections that [`set`](Self::set) sets it in.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn unset(section: SectionType, number: Option<u16>, tag: TagType) -> Result<Self, Error> {
        Self { section, number, tag, text: None }.checked()
    }

    /// The name of the host.
    pub fn host(name: impl Into<String>) -> Self {
        Self { section: SectionType::HOST, number: None, tag: TagType::HOSTNAME, text: Some(name.into()) }
    }

    /// The name of an interface.
    pub fn interface(number: u8, name: impl Into<String>) -> Self {
        let (section, tag) = (SectionType::INTERFACE, TagType::NAME);
        Self { section, number: Some(number.into()), tag, text: Some(name.into()) }
    }

    fn checked(self) -> Result<Self, Error> {
        let refused = |what| Err(Error::new(ErrorKind::InvalidInput, what));
        match self.tag.kind() {
            ValueKind::Text if self.number.is_some() && self.id().is_none() => {
                refused(format!("no section {} has the number {}", self.section, self.number.unwrap_or_default()))
            }
            ValueKind::Text => Ok(self),
            kind => refused(format!("{} holds {kind}, and only text can be set or removed", self.tag)),
        }
    }

    /// The type of the sections.
    pub const fn section(&self) -> SectionType {
        self.section
    }

    /// The number of the interface or the stream, or else the id of the section; `None` for all sections.
    pub const fn number(&self) -> Option<u16> {
        self.number
    }

    /// The tag.
    pub const fn tag(&self) -> TagType {
        self.tag
    }

    /// What it is set to; `None` where it is removed.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The id of a new section that it is about; `None` where it needs a number, and for a number that no id stands for.
    pub(super) fn id(&self) -> Option<SectionId> {
        const LOCAL: u16 = 0x8000;
        let is_counted = self.section == SectionType::INTERFACE || self.section == SectionType::STREAM;
        match self.number {
            None => (!is_counted).then_some(SectionId::UNSPECIFIED),
            Some(number) if self.section == SectionType::STREAM => SectionId::stream(number),
            Some(number) => {
                let id = number.checked_add(u16::from(is_counted)).filter(|id| *id < LOCAL);
                id.map(SectionId::from_bits)
            }
        }
    }

    /// Whether it is about `section`.
    fn is_about(&self, section: &Section<'_>) -> bool {
        let number = || match section.section_type() {
            Some(SectionType::INTERFACE) => section.interface(),
            Some(SectionType::STREAM) => section.stream().and_then(|number| u16::try_from(number).ok()),
            _ => Some(section.header().id.number()),
        };
        section.is(self.section) && (self.number.is_none() || self.number == number())
    }

    /// Whether `record` has a section that it is about.
    pub fn meets(&self, record: &Record<'_>) -> bool {
        record.is_meta() && Meta::new(record.payload()).sections().any(|section| self.is_about(&section))
    }
}

/// The META record with `changes` in the sections that it has; `None` where that changes nothing. All else stays as it is, but for
/// bytes behind a tag that runs over the end, which are left out.
///
/// # Errors
///
/// [`ErrorKind::Limit`] when it becomes more than a record holds.
pub fn change(record: &Record<'_>, changes: &[Change]) -> Result<Option<Vec<u8>>, Error> {
    if !changes.iter().any(|change| change.meets(record)) {
        return Ok(None);
    }
    let mut area = vec![0; MAX_AREA];
    let meta = Meta::new(record.payload());
    let Some(len) = rewrite(&meta, changes, &mut area).map_err(|error| too_long(&error))? else { return Ok(None) };
    // The length of the area on the wire is what is stored: one that was cut short is whole now.
    let builder = RecordBuilder::from_record(record).payload(&area[..len]).wire_len(len as u16).alignment(8);
    builder.to_vec().map(Some).map_err(|error| too_long(&error))
}

/// The length of the new area; `None` when it says what the old one did.
fn rewrite(meta: &Meta<'_>, changes: &[Change], area: &mut [u8]) -> Result<Option<usize>, MetaWriteError> {
    let mut writer = MetaWriter::new(area);
    let mut is_changed = false;
    for section in meta.sections() {
        if let (Some(reference), Some(opening)) = (section.reference(), section.opening_tag()) {
            match opening.bytes().len() {
                4 => writer.section(reference.section_type, reference.id)?,
                // Reserved bytes behind the header stay, and so does the length that they say.
                _ => writer.copy(&opening)?,
            };
        }
        let about = |change: &&Change| change.is_about(&section);
        // Those with a number first: they are found first.
        let mut here: Vec<&Change> = changes.iter().filter(about).collect();
        here.sort_by_key(|change| change.number.is_none());
        let mut set: Vec<TagType> = Vec::new();
        // A parent is the first tag, so text goes where the old one was, or behind all.
        for tag in section.tags().flatten() {
            let tag_type = tag.tag_type();
            match here.iter().find(|change| change.tag == tag_type).map(|change| change.text()) {
                None => {
                    writer.copy(&tag)?;
                }
                Some(Some(text)) if !set.contains(&tag_type) => {
                    is_changed |= tag.bytes() != text.as_bytes();
                    set.push(tag_type);
                    writer.put(tag_type, text)?;
                }
                Some(_) => is_changed = true,
            }
        }
        for (at, change) in here.iter().enumerate() {
            let is_first = here.iter().position(|other| other.tag == change.tag) == Some(at);
            if let (Some(text), true) = (change.text(), is_first && !set.contains(&change.tag)) {
                is_changed = true;
                writer.put(change.tag, text)?;
            }
        }
    }
    let len = writer.finish().len();
    Ok(is_changed.then_some(len))
}
