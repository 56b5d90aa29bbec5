//! [`MetaWriter`]: tags and sections into a caller's buffer.

use core::fmt;

use super::tag::HEADER_LEN;
use super::{SectionHeader, SectionId, SectionRef, SectionType, Tag, TagType, Value, ValueKind};

/// Bytes of a section tag with its header.
const SECTION_LEN: usize = HEADER_LEN + 4;

/// Writes a tag area into a buffer: byte order by the kind of each tag, zero padding to multiples of
/// 4, section lengths filled in when a section ends.
///
/// The result is the payload of a META record, whose wire length is the length of the area. A call
/// that fails writes nothing, so the area stays good as it is. Source: `erf-format.md` section 7.
///
/// ```
/// use erf_core::meta::{Meta, MetaWriter, SectionId, SectionType, TagType};
///
/// let mut buf = [0; 256];
/// let mut writer = MetaWriter::new(&mut buf);
/// writer
///     .section(SectionType::INTERFACE, SectionId::interface(0))?
///     .put(TagType::NAME, "dag0.a")?
///     .put(TagType::SNAPLEN, 96u32)?;
/// let meta = Meta::new(writer.finish());
/// let snaplen = meta.value(SectionType::INTERFACE, TagType::SNAPLEN);
/// assert_eq!(snaplen.and_then(|value| value.as_u32()), Some(96));
/// # Ok::<(), erf_core::meta::MetaWriteError>(())
/// ```
#[derive(Debug)]
pub struct MetaWriter<'b> {
    buf: &'b mut [u8],
    len: usize,
    /// Where the section begins whose length is not filled in yet.
    open: Option<usize>,
}

/// Why a tag was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetaWriteError {
    /// The buffer is too small. A META record holds at most 65 519 bytes of tags.
    Full {
        /// The tag that did not fit.
        tag_type: TagType,
        /// Bytes for the tag with header and padding.
        needed: usize,
        /// Bytes left in the buffer.
        left: usize,
    },
    /// A value above 65 535 bytes, more than a tag can state.
    ValueTooLong {
        /// The tag.
        tag_type: TagType,
        /// Bytes of the value.
        len: usize,
    },
    /// The value is of another kind than the tag.
    WrongKind {
        /// The tag.
        tag_type: TagType,
        /// What the tag holds.
        kind: ValueKind,
    },
    /// A parent that does not directly follow its section tag.
    ParentNotFirst {
        /// Where the tag would have been, in bytes from the start of the tag area.
        offset: usize,
    },
}

impl fmt::Display for MetaWriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { tag_type, needed, left } => write!(
                f,
                "{tag_type} needs {needed} bytes but the buffer has {left} left; use a larger buffer or a second META record"
            ),
            Self::ValueTooLong { tag_type, len } => {
                write!(f, "{tag_type} has a value of {len} bytes, a tag holds at most 65535; shorten it")
            }
            Self::WrongKind { tag_type, kind } => {
                write!(f, "{tag_type} holds {kind}, which the value is not; convert it, or write bytes with `tag`")
            }
            Self::ParentNotFirst { offset } => write!(
                f,
                "parent_section at byte {offset} is not the first tag of a section; call `parent` right after `section`"
            ),
        }
    }
}

impl core::error::Error for MetaWriteError {}

impl<'b> MetaWriter<'b> {
    /// An empty area at the start of `buf`.
    pub const fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0, open: None }
    }

    /// Bytes written so far, a multiple of 4.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Nothing has been written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes a tag with a value of the tag's kind.
    ///
    /// # Errors
    ///
    /// [`MetaWriteError::WrongKind`] when the value is of another kind (tags that are not in the
    /// table take any), [`MetaWriteError::ParentNotFirst`] for a `parent_section` elsewhere than
    /// right after its section tag, and the errors of [`MetaWriter::tag`].
    pub fn put<'v>(&mut self, tag_type: TagType, value: impl Into<Value<'v>>) -> Result<&mut Self, MetaWriteError> {
        let value = value.into();
        let kind = tag_type.kind();
        if kind != ValueKind::Unknown && !value.fits(kind) {
            return Err(MetaWriteError::WrongKind { tag_type, kind });
        }
        let is_first = self.open.is_some_and(|start| self.len == start + SECTION_LEN);
        if tag_type == TagType::PARENT_SECTION && !is_first {
            return Err(MetaWriteError::ParentNotFirst { offset: self.len });
        }
        let mut scratch = [0; 16];
        let (head, tail) = value.encode(&mut scratch);
        self.append(tag_type, head, tail)
    }

    /// Opens a section: the tags that follow belong to it. The one before it ends here.
    ///
    /// Its length is filled in at the next section or at [`MetaWriter::finish`]; a section above
    /// 65 535 bytes gets length 0, "not given".
    ///
    /// # Errors
    ///
    /// As [`MetaWriter::tag`].
    pub fn section(&mut self, section_type: SectionType, id: SectionId) -> Result<&mut Self, MetaWriteError> {
        let start = self.len;
        self.append(section_type.into(), &SectionHeader { id, length: 0 }.to_bytes(), &[])?;
        self.open = Some(start);
        Ok(self)
    }

    /// Names the parent of the section just opened, where the rule of `erf-format.md` section 7.2
    /// would find another.
    ///
    /// # Errors
    ///
    /// As [`MetaWriter::put`].
    pub fn parent(&mut self, parent: SectionRef) -> Result<&mut Self, MetaWriteError> {
        self.put(TagType::PARENT_SECTION, parent)
    }

    /// Writes a tag with these bytes as its value, unchecked against the kind of the tag.
    ///
    /// A section tag written so keeps the length in its bytes.
    ///
    /// # Errors
    ///
    /// [`MetaWriteError::ValueTooLong`] above 65 535 bytes, [`MetaWriteError::Full`] when the tag
    /// with its padding does not fit the buffer.
    pub fn tag(&mut self, tag_type: TagType, bytes: &[u8]) -> Result<&mut Self, MetaWriteError> {
        self.append(tag_type, bytes, &[])
    }

    /// Writes a tag as it was read. The copy is byte-identical where the padding was zero.
    ///
    /// # Errors
    ///
    /// As [`MetaWriter::tag`].
    pub fn copy(&mut self, tag: &Tag<'_>) -> Result<&mut Self, MetaWriteError> {
        self.tag(tag.tag_type(), tag.bytes())
    }

    /// Ends the last section and returns the area.
    pub fn finish(mut self) -> &'b [u8] {
        self.close();
        let Self { buf, len, .. } = self;
        buf.get(..len).unwrap_or_default()
    }

    fn append(&mut self, tag_type: TagType, head: &[u8], tail: &[u8]) -> Result<&mut Self, MetaWriteError> {
        // No slice is longer than isize::MAX, so the sum of two lengths and the padding fits usize.
        let value_len = head.len() + tail.len();
        let Ok(length) = u16::try_from(value_len) else {
            return Err(MetaWriteError::ValueTooLong { tag_type, len: value_len });
        };
        let needed = HEADER_LEN + value_len.next_multiple_of(4);
        let free = self.buf.get_mut(self.len..).unwrap_or_default();
        let left = free.len();
        let Some((slot, _)) = free.split_at_mut_checked(needed) else {
            return Err(MetaWriteError::Full { tag_type, needed, left });
        };
        let header = [tag_type.number().to_be_bytes(), length.to_be_bytes()];
        let parts = header.as_flattened().iter().chain(head).chain(tail);
        for (to, from) in slot.iter_mut().zip(parts.chain(core::iter::repeat(&0))) {
            *to = *from;
        }
        if tag_type.is_section() {
            self.close();
        }
        self.len += needed;
        Ok(self)
    }

    /// Fills in the length of the section that ends here.
    fn close(&mut self) {
        let Some(start) = self.open.take() else { return };
        let length = u16::try_from(self.len - start).unwrap_or(0);
        let field = self.buf.get_mut(start + HEADER_LEN + 2..).unwrap_or_default();
        if let Some(field) = field.first_chunk_mut() {
            *field = length.to_be_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{ExtHeaderSet, Meta, NameRecord, Sections, Tags, Text};
    use crate::{TimeDelta, Timestamp};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn byte_order_and_padding_on_the_wire() {
        let mut buf = [0xEE; 64];
        let mut w = MetaWriter::new(&mut buf);
        w.put(TagType::GEN_TIME, Timestamp::from_raw(0x0102_0304_0506_0708)).unwrap();
        w.put(TagType::TS_OFFSET, TimeDelta::from_raw(-2)).unwrap();
        w.put(TagType::PTP_MEAN_PATH_DELAY, -2i64).unwrap();
        w.put(TagType::SNAPLEN, 0x0A0B_0C0Du32).unwrap();
        w.put(TagType::IF_MAC, [1, 2, 3, 4, 5, 6]).unwrap();
        #[rustfmt::skip]
        let expected = [
            0, 2, 0, 8, 8, 7, 6, 5, 4, 3, 2, 1, // little-endian
            0, 23, 0, 8, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, // little-endian
            1, 0x92, 0, 8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, // big-endian
            0, 29, 0, 4, 10, 11, 12, 13, // big-endian
            0, 69, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, // padded with zeros
        ];
        assert_eq!(w.finish(), expected);
    }

    #[test]
    fn lengths_of_sections_are_filled_in_when_they_end() {
        let mut buf = [0; 128];
        let mut w = MetaWriter::new(&mut buf);
        w.put(TagType::RESET, Value::Marker).unwrap();
        w.section(SectionType::HOST, SectionId::from_bits(1)).unwrap();
        w.put(TagType::HOSTNAME, "host7").unwrap();
        w.section(SectionType::DNS, SectionId::UNSPECIFIED).unwrap();
        w.section(SectionType::INTERFACE, SectionId::interface(0)).unwrap();
        w.put(TagType::IF_NUM, 0u32).unwrap();
        let area = w.finish();
        let sections: Vec<_> = Sections::new(area).skip(1).collect();
        let declared: Vec<_> = sections.iter().map(|s| s.declared_len()).collect();
        assert_eq!(declared, [Some(20), Some(8), Some(16)]);
        for section in sections {
            assert_eq!(section.declared_len().map(usize::from), Some(section.actual_len()));
        }
    }

    #[cfg_attr(miri, ignore = "64 KiB of tags take a minute in Miri")]
    #[test]
    fn a_section_too_long_for_its_field_states_no_length() {
        let mut buf = std::vec![0; 70_000];
        let mut w = MetaWriter::new(&mut buf);
        w.section(SectionType::INFORMATION, SectionId::UNSPECIFIED).unwrap();
        w.tag(TagType::COMMENT, &[b'x'; 65_535]).unwrap();
        let area = w.finish();
        assert_eq!(area.len(), 8 + 4 + 65_536);
        let section = Sections::new(area).nth(1).unwrap();
        assert_eq!(section.declared_len(), None);
        assert_eq!(section.find(TagType::COMMENT).unwrap().bytes().len(), 65_535);
    }

    #[test]
    fn a_failed_call_writes_nothing() {
        let mut buf = [0xEE; 23];
        let mut w = MetaWriter::new(&mut buf);
        w.section(SectionType::HOST, SectionId::UNSPECIFIED).unwrap();
        w.put(TagType::NAME, "a").unwrap();
        let name = TagType::NAME;
        let full = MetaWriteError::Full { tag_type: name, needed: 8, left: 7 };
        assert_eq!(w.put(name, "b").unwrap_err(), full);
        let section = w.section(SectionType::DNS, SectionId::UNSPECIFIED).unwrap_err();
        assert!(matches!(section, MetaWriteError::Full { needed: 8, left: 7, .. }));
        let long = MetaWriteError::ValueTooLong { tag_type: name, len: 65_536 };
        assert_eq!(w.tag(name, &[0; 65_536]).unwrap_err(), long);
        assert_eq!(w.len(), 16);
        let meta = Meta::new(w.finish());
        assert_eq!(meta.sections().nth(1).unwrap().declared_len(), Some(16));
        assert_eq!(buf[16..], [0xEE; 7]);
    }

    #[test]
    fn values_must_be_of_the_kind_of_their_tag() {
        let mut buf = [0; 64];
        let mut w = MetaWriter::new(&mut buf);
        let error = w.put(TagType::SNAPLEN, 96u64).unwrap_err();
        let kind = ValueKind::U32;
        assert_eq!(error, MetaWriteError::WrongKind { tag_type: TagType::SNAPLEN, kind });
        assert!(std::format!("{error}").starts_with("snaplen holds u32"), "{error}");
        assert!(w.put(TagType::PADDING, Value::Cleared).is_err());
        assert!(w.put(TagType::NAME, Value::TooShort { needed: 4 }).is_err());
        let name = NameRecord { address: &[1, 2, 3], name: Text::from("x") };
        assert!(w.put(TagType::NS_HOST_IPV4, name).is_err(), "3 bytes are no IPv4 address");
        assert!(w.is_empty());
        w.put(TagType::new(999), 96u64).unwrap();
        assert_eq!(w.finish(), [3, 0xE7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 96]);
    }

    #[test]
    fn a_parent_goes_right_after_its_section_tag() {
        let parent = SectionRef { section_type: SectionType::HOST, id: SectionId::from_bits(1) };
        let mut buf = [0; 64];
        let mut w = MetaWriter::new(&mut buf);
        assert_eq!(w.parent(parent).unwrap_err(), MetaWriteError::ParentNotFirst { offset: 0 });
        w.section(SectionType::MODULE, SectionId::from_bits(5)).unwrap();
        w.parent(parent).unwrap();
        assert_eq!(w.parent(parent).unwrap_err(), MetaWriteError::ParentNotFirst { offset: 16 });
        let area = w.finish();
        assert_eq!(Sections::new(area).nth(1).unwrap().parent(), Some(parent));
    }

    /// A value of the kind of `tag`, made from arbitrary bytes.
    fn any_value(tag: TagType, bytes: &[u8]) -> Value<'_> {
        Value::read(tag.kind(), bytes)
    }

    fn any_tag() -> impl Strategy<Value = TagType> {
        prop_oneof![
            proptest::sample::select(TagType::ALL),
            any::<u16>().prop_map(TagType::new),
            (0xFF00u16..=0xFFFF).prop_map(TagType::new),
        ]
    }

    proptest! {
        #[test]
        fn any_sequence_of_tags_is_read_back(
            tags in vec((any_tag(), vec(any::<u8>(), 0..40)), 0..40),
        ) {
            let mut buf = [0xEE; 40 * 44];
            let mut w = MetaWriter::new(&mut buf);
            for (tag, bytes) in &tags {
                w.tag(*tag, bytes).unwrap();
            }
            let area = w.finish();
            prop_assert_eq!(area.len() % 4, 0);
            let read: Vec<_> = Tags::new(area)
                .map(|tag| tag.map(|t| (t.tag_type(), t.bytes().to_vec())))
                .collect::<Result<_, _>>()
                .unwrap();
            prop_assert_eq!(&read, &tags);

            let mut again = [0xDD; 40 * 44];
            let mut w = MetaWriter::new(&mut again);
            for tag in Tags::new(area) {
                w.copy(&tag.unwrap()).unwrap();
            }
            prop_assert_eq!(w.finish(), area);
        }

        #[test]
        fn every_value_that_fits_reads_back_as_itself(
            tag in any_tag(), bytes in vec(any::<u8>(), 0..40),
        ) {
            prop_assume!(tag != TagType::PARENT_SECTION);
            let value = any_value(tag, &bytes);
            let mut buf = [0; 64];
            let mut w = MetaWriter::new(&mut buf);
            let written = w.put(tag, value).is_ok();
            let broken = matches!(value, Value::TooShort { .. });
            prop_assert_eq!(written, !broken);
            if written {
                let read = Tags::new(w.finish()).next().unwrap().unwrap();
                prop_assert_eq!(read.value(), value);
            }
        }

        #[test]
        fn a_full_buffer_is_an_error_and_what_fitted_is_good(
            size in 0usize..200, lens in vec(0usize..60, 1..20),
        ) {
            let mut buf = std::vec![0; size];
            let mut w = MetaWriter::new(&mut buf);
            let mut fitted = 0;
            for len in &lens {
                let left = size - w.len();
                let fits = w.tag(TagType::COMMENT, &[7; 60][..*len]).is_ok();
                prop_assert_eq!(fits, 4 + len.next_multiple_of(4) <= left);
                fitted += usize::from(fits);
            }
            let area = w.finish();
            prop_assert_eq!(Tags::new(area).filter(|t| t.is_ok()).count(), fitted);
            prop_assert_eq!(Tags::new(area).count(), fitted);
        }
    }

    #[test]
    fn a_bitmap_is_written_word_by_word() {
        let mut buf = [0; 16];
        let mut w = MetaWriter::new(&mut buf);
        let set = ExtHeaderSet::new(&[0, 2, 0, 0]).unwrap();
        w.put(TagType::EXT_HDRS_ADDED, set).unwrap();
        assert_eq!(w.finish(), [0, 57, 0, 4, 0, 2, 0, 0]);
    }
}
