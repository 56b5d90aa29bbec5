//! [`Meta`]: looking things up in a tag area.

use super::{MetaDefect, Section, SectionType, Sections, Tag, TagType, Tags, Value};
use crate::Timestamp;

/// A view of a whole tag area: the payload of one META record. Each look-up is one linear walk.
#[derive(Debug, Clone, Copy)]
pub struct Meta<'a> {
    area: &'a [u8],
}

impl<'a> Meta<'a> {
    /// Over the payload of a META record: its captured bytes, without padding of the record.
    pub const fn new(area: &'a [u8]) -> Self {
        Self { area }
    }

    /// The bytes of the area.
    pub const fn area(&self) -> &'a [u8] {
        self.area
    }

    /// All tags in order, section tags among them.
    pub const fn tags(&self) -> Tags<'a> {
        Tags::new(self.area)
    }

    /// The preamble, then each section.
    pub const fn sections(&self) -> Sections<'a> {
        Sections::new(self.area)
    }

    /// The tags before the first section: they speak about the whole record.
    pub fn preamble(&self) -> Section<'a> {
        self.sections().preamble()
    }

    /// Where the tags end before the area does, if they do.
    pub fn defect(&self) -> Option<MetaDefect> {
        self.tags().find_map(Result::err)
    }

    /// When the content was generated (`gen_time` in the preamble). It may be much older than the
    /// record and repeats while nothing changes; of two records about one object the newer holds
    /// (`erf-format.md` section 7.3). A value of fewer than 8 bytes is ignored.
    pub fn gen_time(&self) -> Option<Timestamp> {
        self.preamble().value(TagType::GEN_TIME)?.as_timestamp()
    }

    /// Earlier metadata of this source no longer holds (a `reset` tag in the preamble).
    pub fn is_reset(&self) -> bool {
        self.preamble().find(TagType::RESET).is_some()
    }

    /// The first tag of this type, whatever its value, in any section of `section_type`.
    pub fn find(&self, section_type: SectionType, tag_type: TagType) -> Option<Tag<'a>> {
        self.sections().filter(|s| s.is(section_type)).find_map(|s| s.find(tag_type))
    }

    /// The first value of this type that can be used, in any section of `section_type`: cleared
    /// and broken ones are skipped.
    pub fn value(&self, section_type: SectionType, tag_type: TagType) -> Option<Value<'a>> {
        self.sections().filter(|s| s.is(section_type)).find_map(|s| s.value(tag_type))
    }
}
