//! [`Tags`] and [`Sections`]: walking a tag area.

use core::iter::FusedIterator;

use super::tag::HEADER_LEN;
use super::{MetaDefect, MetaDefectKind, Section, SectionRef, Tag, TagType};

/// The tags of a tag area, in order, section tags among them.
///
/// Linear, never out of bounds, and each step moves on by at least 4 bytes (`erf-format.md` sections
/// 7.1 and 11). A tag that runs over the end, or 1 to 3 bytes left over, is one last `Err`; what
/// came before it is good. The padding of the very last tag may be missing.
#[derive(Debug, Clone)]
pub struct Tags<'a> {
    area: &'a [u8],
    offset: usize,
}

impl<'a> Tags<'a> {
    /// Over the payload of a META record: its captured bytes, without padding of the record.
    pub const fn new(area: &'a [u8]) -> Self {
        Self::at_offset(area, 0)
    }

    /// Over a part of an area that begins `offset` bytes into it.
    pub(super) const fn at_offset(area: &'a [u8], offset: usize) -> Self {
        Self { area, offset }
    }

    /// What has not been walked yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.area
    }

    /// Where the next tag begins, in bytes from the start of the tag area.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Ends the walk here with `kind`.
    fn end(&mut self, kind: MetaDefectKind) -> MetaDefect {
        self.area = &[];
        MetaDefect { offset: self.offset, kind }
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Result<Tag<'a>, MetaDefect>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let Some((&[t0, t1, l0, l1], body)) = self.area.split_first_chunk::<HEADER_LEN>() else {
            let left = self.area.len();
            return (left > 0).then(|| Err(self.end(MetaDefectKind::TrailingBytes { left })));
        };
        let tag_type = TagType::new(u16::from_be_bytes([t0, t1]));
        let length = u16::from_be_bytes([l0, l1]);
        let Some(value) = body.get(..usize::from(length)) else {
            let left = body.len();
            return Some(Err(self.end(MetaDefectKind::TagOverrun { tag_type, length, left })));
        };
        let tag = Tag::new(tag_type, value, self.offset);
        // Less than a multiple of 4 only where the area ends within the padding.
        let step = usize::from(length).next_multiple_of(4).min(body.len());
        self.area = body.get(step..).unwrap_or_default();
        self.offset += HEADER_LEN + step;
        Some(Ok(tag))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(!self.area.is_empty()), Some(self.area.len().div_ceil(HEADER_LEN)))
    }
}

impl FusedIterator for Tags<'_> {}

/// The sections of a tag area: first the preamble, which may be empty, then each section.
///
/// Tags before the first section tag are the preamble: they speak about the whole record
/// (`erf-format.md` section 7.2). A defect stays at the end of the section in which it stands, as
/// the last item of [`Section::tags`].
#[derive(Debug, Clone)]
pub struct Sections<'a> {
    /// From the first tag of the coming section's body on.
    tags: Tags<'a>,
    state: State<'a>,
    parents: Parents,
}

#[derive(Debug, Clone)]
enum State<'a> {
    Preamble,
    /// The tag that opens the coming section.
    Opened(Tag<'a>),
    Done,
}

impl<'a> Sections<'a> {
    /// Over the payload of a META record: its captured bytes, without padding of the record.
    pub const fn new(area: &'a [u8]) -> Self {
        Self { tags: Tags::new(area), state: State::Preamble, parents: Parents::new() }
    }

    /// The preamble alone.
    pub(super) fn preamble(mut self) -> Section<'a> {
        Section::new(None, self.body().0)
    }

    /// The tags up to the next section tag or the end, and that section tag.
    fn body(&mut self) -> (Tags<'a>, Option<Tag<'a>>) {
        let start = self.tags.clone();
        loop {
            let end = self.tags.offset() - start.offset();
            match self.tags.next() {
                Some(Ok(tag)) if tag.tag_type().is_section() => {
                    let bytes = start.rest().get(..end).unwrap_or_default();
                    return (Tags::at_offset(bytes, start.offset()), Some(tag));
                }
                Some(Ok(_)) => {}
                // A defect is part of the last body, so that its reader meets it too.
                Some(Err(_)) | None => return (start, None),
            }
        }
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Section<'a>;

    fn next(&mut self) -> Option<Section<'a>> {
        let opened = match core::mem::replace(&mut self.state, State::Done) {
            State::Preamble => None,
            State::Opened(tag) => Some(tag),
            State::Done => return None,
        };
        let (tags, following) = self.body();
        if let Some(tag) = following {
            self.state = State::Opened(tag);
        }
        let section = Section::new(opened, tags);
        let parent = section.reference().and_then(|this| self.parents.enter(this));
        Some(section.with_parent_by_rule(parent))
    }
}

impl FusedIterator for Sections<'_> {}

/// The rule for the parent of a section without a `parent_section` tag: the last section of another
/// type before it, where Interface and Stream count as one type (`erf-format.md` section 7.2).
///
/// Two references are enough for any number of sections: if the last section is no candidate, then
/// neither is any of its own kind right before it, and `other` is the last one past those.
#[derive(Debug, Clone)]
struct Parents {
    last: Option<SectionRef>,
    other: Option<SectionRef>,
}

impl Parents {
    const fn new() -> Self {
        Self { last: None, other: None }
    }

    /// Notes the next section and returns its parent.
    fn enter(&mut self, this: SectionRef) -> Option<SectionRef> {
        let siblings = |last: SectionRef| last.section_type.is_sibling_of(this.section_type);
        if !self.last.is_some_and(siblings) {
            self.other = self.last;
        }
        self.last = Some(this);
        self.other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{SectionId, SectionType};
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn kinds(area: &[u8]) -> Vec<Result<(u16, usize), MetaDefect>> {
        Tags::new(area).map(|tag| tag.map(|t| (t.tag_type().number(), t.bytes().len()))).collect()
    }

    #[test]
    fn every_value_length_steps_to_the_next_multiple_of_four() {
        for len in 0..=9u8 {
            let mut area = vec![0, 1, 0, len];
            area.resize(4 + usize::from(len).next_multiple_of(4), 0xAA);
            area.extend([0, 2, 0, 0]);
            assert_eq!(kinds(&area), [Ok((1, usize::from(len))), Ok((2, 0))], "length {len}");
        }
    }

    #[test]
    fn bytes_left_over_are_one_defect_and_then_nothing() {
        for left in 1..=3 {
            let mut area = vec![0, 4, 0, 0];
            area.resize(4 + left, 0);
            let kind = MetaDefectKind::TrailingBytes { left };
            assert_eq!(kinds(&area), [Ok((4, 0)), Err(MetaDefect { offset: 4, kind })]);
        }
        assert_eq!(kinds(&[]), []);
    }

    #[test]
    fn a_tag_over_the_end_keeps_what_came_before() {
        // The shape behind the memory errors of `erf-format.md` 11.1: 0xFFFF in a short record.
        let area = [0, 4, 0, 0, 0, 2, 0xFF, 0xFF, 1, 2, 3, 4];
        let kind = MetaDefectKind::TagOverrun { tag_type: TagType::GEN_TIME, length: 0xFFFF, left: 4 };
        assert_eq!(kinds(&area), [Ok((4, 0)), Err(MetaDefect { offset: 4, kind })]);
        let text = std::format!("{}", MetaDefect { offset: 4, kind });
        assert!(text.contains("gen_time has a value of 65535 bytes but 4 are left"), "{text}");
        assert!(text.contains("at byte 4"), "{text}");
    }

    #[test]
    fn the_padding_of_the_last_tag_may_be_missing() {
        let area = [0, 1, 0, 3, b'a', b'b', b'c'];
        assert_eq!(kinds(&area), [Ok((1, 3))]);
        let mut tags = Tags::new(&area);
        tags.next();
        assert_eq!(tags.offset(), area.len(), "not past the end");
    }

    #[test]
    fn sections_group_their_tags_and_the_defect_stays_in_the_last_one() {
        let area = [
            0, 4, 0, 0, // preamble: reset
            0xFF, 1, 0, 4, 0, 1, 0, 0, // Host 1
            0, 12, 0, 0, // name, cleared
            0xFF, 2, 0, 4, 0, 5, 0, 0, // Module 5, without tags
            0xFF, 3, 0, 4, 0, 1, 0, 0, // Interface 1
            0, 12, 0, 9, // over the end
        ];
        let sections: Vec<_> = Sections::new(&area).collect();
        assert_eq!(sections.len(), 4);
        assert!(sections[0].is_preamble());
        assert_eq!(sections[0].tags().count(), 1);
        let host: Vec<_> = sections[1].tags().map(|t| t.unwrap().offset()).collect();
        assert_eq!(host, [12], "offsets count from the start of the area");
        assert_eq!(sections[2].tags().count(), 0);
        let left: Vec<_> = sections[3].tags().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].unwrap_err().offset, 32);
        assert_eq!(sections.iter().map(Section::offset).collect::<Vec<_>>(), [0, 4, 16, 24]);
    }

    #[test]
    fn an_empty_area_has_an_empty_preamble_only() {
        let sections: Vec<_> = Sections::new(&[]).collect();
        assert_eq!(sections.len(), 1);
        assert!(sections[0].is_preamble());
    }

    /// The rule as written, looking at all earlier sections.
    fn parent_by_the_book(before: &[SectionRef], this: SectionRef) -> Option<SectionRef> {
        let candidate = |s: &&SectionRef| !s.section_type.is_sibling_of(this.section_type);
        before.iter().rev().find(candidate).copied()
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_in_bounds_and_onwards(
            area in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut tags = Tags::new(&area);
            let mut last = 0;
            let mut defects = 0;
            while let Some(tag) = tags.next() {
                match tag {
                    Ok(tag) => {
                        prop_assert_eq!(tag.offset(), last);
                        prop_assert!(tags.offset() >= last + 4);
                        let start = last + 4;
                        prop_assert_eq!(tag.bytes(), &area[start..start + tag.bytes().len()]);
                        // Reading and showing a value of any kind never panics.
                        let shown = std::format!("{} {:?}", tag.value(), tag.value());
                        prop_assert!(shown.len() > 1);
                        last = tags.offset();
                    }
                    Err(defect) => {
                        prop_assert_eq!(defect.offset, last);
                        defects += 1;
                    }
                }
            }
            prop_assert!(tags.next().is_none());
            prop_assert!(defects <= 1);
        }

        #[test]
        fn sections_hold_every_tag_once_and_in_order(
            numbers in proptest::collection::vec(
                (prop_oneof![0u16..8, 0xFF00u16..0xFF12], 0u8..9), 0..40),
            cut in 0usize..4,
        ) {
            let mut area = Vec::new();
            for (number, len) in numbers {
                area.extend(number.to_be_bytes());
                area.extend([0, len]);
                area.resize(area.len() + usize::from(len).next_multiple_of(4), 7);
            }
            area.truncate(area.len().saturating_sub(cut));
            let grouped: Vec<_> = Sections::new(&area)
                .flat_map(|s| s.opening_tag().map(Ok).into_iter().chain(s.tags()))
                .collect();
            let flat: Vec<_> = Tags::new(&area).collect();
            prop_assert_eq!(grouped, flat);
        }

        #[test]
        fn two_references_follow_the_parent_rule_of_any_sequence(
            numbers in proptest::collection::vec((0xFF00u16..0xFF0A, any::<u16>()), 0..30),
        ) {
            let all: Vec<_> = numbers
                .into_iter()
                .map(|(number, id)| SectionRef {
                    section_type: SectionType::new(number).unwrap(),
                    id: SectionId::from_bits(id),
                })
                .collect();
            let mut parents = Parents::new();
            for (n, &this) in all.iter().enumerate() {
                prop_assert_eq!(parents.enter(this), parent_by_the_book(&all[..n], this));
            }
        }
    }
}
