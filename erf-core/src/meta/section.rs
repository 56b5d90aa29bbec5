//! [`Section`]: the tags that speak about one object.

use super::{SectionHeader, SectionRef, SectionType, Tag, TagType, Tags, Value};

/// One section of a META record, or the preamble before the first (`erf-format.md` section 7.2).
#[derive(Debug, Clone)]
pub struct Section<'a> {
    opening: Option<Tag<'a>>,
    tags: Tags<'a>,
    parent_by_rule: Option<SectionRef>,
}

impl<'a> Section<'a> {
    pub(super) const fn new(opening: Option<Tag<'a>>, tags: Tags<'a>) -> Self {
        Self { opening, tags, parent_by_rule: None }
    }

    pub(super) fn with_parent_by_rule(self, parent: Option<SectionRef>) -> Self {
        Self { parent_by_rule: parent, ..self }
    }

    /// The tags before the first section tag: they speak about the whole record.
    pub const fn is_preamble(&self) -> bool {
        self.opening.is_none()
    }

    /// The tag that opens the section; `None` for the preamble.
    pub const fn opening_tag(&self) -> Option<Tag<'a>> {
        self.opening
    }

    /// The type; `None` for the preamble.
    pub fn section_type(&self) -> Option<SectionType> {
        self.opening.and_then(|tag| tag.tag_type().section_type())
    }

    /// The section is of this type.
    pub fn is(&self, section_type: SectionType) -> bool {
        self.section_type() == Some(section_type)
    }

    /// Id and declared length. A section tag with fewer than 4 bytes of value opens its section all
    /// the same, with an unspecified id and no length; so does the preamble report.
    pub fn header(&self) -> SectionHeader {
        match self.opening.map(|tag| tag.value()) {
            Some(Value::Section(header)) => header,
            _ => SectionHeader::default(),
        }
    }

    /// Type and id; `None` for the preamble.
    pub fn reference(&self) -> Option<SectionRef> {
        let section_type = self.section_type()?;
        Some(SectionRef { section_type, id: self.header().id })
    }

    /// The section speaks about this one record or its anchors only, not about the capture.
    pub fn is_local(&self) -> bool {
        self.header().id.is_local()
    }

    /// The length that the section tag states, from that tag to the next section; `None` where it
    /// gives none (0). A wrong one is harmless: see [`Section::actual_len`].
    pub fn declared_len(&self) -> Option<u16> {
        match self.header().length {
            0 => None,
            length => Some(length),
        }
    }

    /// Bytes from the section tag itself to the next section tag or the end of the area.
    pub fn actual_len(&self) -> usize {
        let end = self.tags.offset() + self.tags.rest().len();
        end - self.offset()
    }

    /// Where the section begins, in bytes from the start of the tag area.
    pub fn offset(&self) -> usize {
        self.opening.map_or(self.tags.offset(), |tag| tag.offset())
    }

    /// The section that this one belongs to: named by a `parent_section` tag where that is the
    /// first tag and can be read, else the last section of another type before this one, where
    /// Interface and Stream are siblings. `None` for the preamble and where nothing precedes.
    pub fn parent(&self) -> Option<SectionRef> {
        self.opening?;
        match self.tags().next() {
            Some(Ok(tag)) if tag.tag_type() == TagType::PARENT_SECTION => match tag.value() {
                Value::Parent(parent) => Some(parent),
                _ => self.parent_by_rule,
            },
            _ => self.parent_by_rule,
        }
    }

    /// The tags, without the one that opens the section. A defect of the area is the last item of
    /// its last section.
    pub fn tags(&self) -> Tags<'a> {
        self.tags.clone()
    }

    /// The first tag of this type, whatever its value.
    pub fn find(&self, tag_type: TagType) -> Option<Tag<'a>> {
        self.tags().flatten().find(|tag| tag.tag_type() == tag_type)
    }

    /// The first value of this type that can be used: cleared and broken ones are skipped.
    pub fn value(&self, tag_type: TagType) -> Option<Value<'a>> {
        self.tags().flatten().filter(|tag| tag.tag_type() == tag_type).map(|tag| tag.value()).find(Value::is_usable)
    }

    /// Of an Interface section: the interface number, which is the id minus one. `None` for other
    /// sections and where the id is 0.
    pub fn interface(&self) -> Option<u16> {
        match self.is(SectionType::INTERFACE) {
            true => self.header().id.as_interface(),
            false => None,
        }
    }

    /// Of a Stream section: the stream number, from the id, or from the tag `stream_num` where the
    /// id is 0 or 0x7FFF. `None` for other sections and where neither says.
    pub fn stream(&self) -> Option<u32> {
        if !self.is(SectionType::STREAM) {
            return None;
        }
        match self.header().id.as_stream() {
            Some(number) => Some(u32::from(number)),
            None => self.value(TagType::STREAM_NUM)?.as_u32(),
        }
    }

    /// An Interface section of a timing port, which captures nothing (`erf-format.md` section 7.3).
    pub fn is_timing_port(&self) -> bool {
        let port_type = self.value(TagType::IF_PORT_TYPE).and_then(|value| value.as_u32());
        self.is(SectionType::INTERFACE) && port_type == Some(super::PortType::TIMING.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{SectionId, Sections};
    use std::vec::Vec;

    fn parents(area: &[u8]) -> Vec<Option<(u16, u16)>> {
        Sections::new(area).map(|s| s.parent().map(|p| (p.section_type.number(), p.id.bits()))).collect()
    }

    #[test]
    fn interface_and_stream_share_the_module_as_parent() {
        let area = [
            [0xFF, 1, 0, 4, 0, 1, 0, 0], // Host 1
            [0xFF, 2, 0, 4, 0, 5, 0, 0], // Module 5
            [0xFF, 3, 0, 4, 0, 1, 0, 0], // Interface 1
            [0xFF, 8, 0, 4, 0, 1, 0, 0], // Stream 1
            [0xFF, 3, 0, 4, 0, 2, 0, 0], // Interface 2
        ]
        .concat();
        let (host, module) = (Some((0xFF01, 1)), Some((0xFF02, 5)));
        assert_eq!(parents(&area), [None, None, host, module, module, module]);
    }

    #[test]
    fn a_parent_tag_counts_as_first_tag_only_and_only_if_it_names_a_section() {
        let module = [0xFF, 2, 0, 4, 0, 5, 0, 0];
        let interface = [0xFF, 3, 0, 4, 0, 1, 0, 0];
        let parent = [0, 3, 0, 4, 0xFF, 1, 0x80, 9];
        let named = Some((0xFF01, 0x8009));
        let by_rule = Some((0xFF02, 5));
        let first = [&module[..], &interface, &parent].concat();
        assert_eq!(parents(&first)[2], named);
        let second = [&module[..], &interface, &[0, 12, 0, 0], &parent].concat();
        assert_eq!(parents(&second)[2], by_rule);
        let no_section = [&module[..], &interface, &[0, 3, 0, 4, 0, 1, 0, 9]].concat();
        assert_eq!(parents(&no_section)[2], by_rule);
        let short = [&module[..], &interface, &[0, 3, 0, 2, 0xFF, 1, 0, 0]].concat();
        assert_eq!(parents(&short)[2], by_rule);
    }

    #[test]
    fn a_section_tag_without_its_header_still_opens_a_section() {
        for len in 0..4u8 {
            let mut area = std::vec![0xFF, 3, 0, len];
            area.resize(4 + usize::from(len).next_multiple_of(4), 1);
            area.extend([0, 64, 0, 4, 0, 0, 0, 6]);
            let section = Sections::new(&area).nth(1).unwrap();
            assert!(section.is(SectionType::INTERFACE));
            assert_eq!(section.header(), SectionHeader::default());
            assert_eq!(section.interface(), None);
            assert_eq!(section.value(TagType::IF_NUM), Some(Value::U32(6)));
        }
    }

    #[test]
    fn reserved_bytes_in_a_section_header_are_skipped() {
        let area = [0xFF, 3, 0, 6, 0, 2, 0, 20, 9, 9, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0];
        let section = Sections::new(&area).nth(1).unwrap();
        assert_eq!(section.interface(), Some(1));
        assert_eq!((section.declared_len(), section.actual_len()), (Some(20), 20));
        assert_eq!(section.tags().count(), 2);
    }

    #[test]
    fn a_declared_length_is_a_hint_and_wrong_ones_do_no_harm() {
        for length in [0u16, 1, 8, 12, 13, 0xFFFF] {
            let mut area = std::vec![0xFF, 1, 0, 4, 0, 1];
            area.extend(length.to_be_bytes());
            area.extend([0, 12, 0, 0, 0xFF, 2, 0, 4, 0, 5, 0, 0]);
            let sections: Vec<_> = Sections::new(&area).collect();
            assert_eq!(sections.len(), 3, "length {length}");
            assert_eq!(sections[1].actual_len(), 12);
            assert_eq!(sections[1].declared_len(), (length != 0).then_some(length));
            assert_eq!(sections[2].header().id, SectionId::from_bits(5));
        }
    }

    #[test]
    fn the_stream_number_comes_from_the_id_or_else_from_its_tag() {
        for (id, expected) in [(0u16, Some(9)), (0x7FFF, Some(9)), (1, Some(0)), (0x8003, Some(2))] {
            let mut area = std::vec![0xFF, 8, 0, 4];
            area.extend(id.to_be_bytes());
            area.extend([0, 0, 0, 33, 0, 4, 0, 0, 0, 9]);
            let section = Sections::new(&area).nth(1).unwrap();
            assert_eq!(section.stream(), expected, "id {id:#x}");
            assert_eq!(section.interface(), None);
            // The same id and tag in a section of another type number nothing.
            area[1] = 2;
            assert_eq!(Sections::new(&area).nth(1).unwrap().stream(), None);
        }
    }

    #[test]
    fn value_passes_over_cleared_and_short_ones_and_find_does_not() {
        let area =
            [[0, 29, 0, 0].as_slice(), &[0, 29, 0, 2, 0, 1, 0, 0], &[0, 29, 0, 5, 0, 0, 0, 96, 0xEE, 0, 0, 0]].concat();
        let preamble = Sections::new(&area).next().unwrap();
        assert_eq!(preamble.find(TagType::SNAPLEN).unwrap().value(), Value::Cleared);
        let values: Vec<_> = preamble.tags().map(|t| t.unwrap().value()).collect();
        assert_eq!(values[1], Value::TooShort { needed: 4 });
        assert_eq!(preamble.value(TagType::SNAPLEN), Some(Value::U32(96)), "first 4 of 5 bytes");
        assert_eq!(preamble.value(TagType::FILTER), None);
    }

    #[test]
    fn a_timing_port_is_told_from_a_capture_port() {
        for (section, port, expected) in [(3, 2, true), (3, 1, false), (2, 2, false)] {
            let area = [0xFF, section, 0, 4, 0, 3, 0, 0, 0, 83, 0, 4, 0, 0, 0, port];
            let section = Sections::new(&area).nth(1).unwrap();
            assert_eq!(section.is_timing_port(), expected);
        }
    }
}
