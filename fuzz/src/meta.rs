//! The tags and sections of a META record.

use erf::meta::{Meta, MetaWriter, SectionType, TagType};

use crate::record::show;

/// Tags do not overlap, sections hold them all, and the writer writes what was read.
pub fn check(area: &[u8]) {
    let meta = Meta::new(area);
    let mut end = 0;
    let mut tags = 0;
    for tag in meta.tags() {
        match tag {
            Ok(tag) => {
                assert!(tag.offset() >= end, "tags overlap");
                end = tag.offset() + 4 + tag.bytes().len();
                assert!(end <= area.len(), "a tag lies in the area");
                let _ = (tag.to_string_all(), tag.tag_type() == TagType::new(tag.tag_type().number()));
                tags += 1;
            }
            Err(defect) => {
                assert!(defect.offset >= end && defect.offset <= area.len());
                assert_eq!(meta.defect(), Some(defect));
                assert!(!defect.to_string().is_empty());
            }
        }
    }
    assert!(meta.sections().next().is_some_and(|first| first.is_preamble()));
    let (mut found, mut at) = (0, 0);
    for section in meta.sections() {
        assert!(section.offset() >= at && section.offset() + section.actual_len() <= area.len());
        at = section.offset();
        found += usize::from(section.opening_tag().is_some()) + section.tags().flatten().count();
        let _ = (section.header(), section.reference(), section.parent(), section.is_local(), section.declared_len());
        let _ = (section.interface(), section.stream(), section.is_timing_port());
    }
    assert_eq!(found, tags, "every tag belongs to one section or to the preamble");
    let _ = (meta.gen_time(), meta.is_reset());
    for interface in [0, 1, 7, u16::MAX] {
        let _ = show(&meta.interface_settings(interface));
    }
    for section in SectionType::ALL {
        let _ = meta.value(*section, TagType::NAME);
    }
    rewritten(&meta);
}

trait Shown {
    fn to_string_all(&self) -> String;
}

impl Shown for erf::meta::Tag<'_> {
    fn to_string_all(&self) -> String {
        let value = self.value();
        let numbers = (value.as_u32(), value.as_u64(), value.as_i64(), value.as_str(), value.as_timestamp());
        format!("{} {value} {} {:?} {}", self.tag_type(), show(&value), self.value_name(), show(&numbers))
    }
}

/// Copies every tag, and writes every value that has a kind.
fn rewritten(meta: &Meta<'_>) {
    let mut copy = vec![0; meta.area().len() + 4];
    let mut writer = MetaWriter::new(&mut copy);
    for tag in meta.tags().flatten() {
        writer.copy(&tag).expect("what was read fits in as much room and a last padding");
    }
    let copy = Meta::new(writer.finish());
    assert!(meta.tags().flatten().map(Ok).eq(copy.tags()), "a copy holds the same tags");

    for tag in meta.tags().flatten() {
        let mut room = vec![0; 8 + tag.bytes().len().max(16)];
        let mut writer = MetaWriter::new(&mut room);
        if writer.put(tag.tag_type(), tag.value()).is_ok() {
            let written = Meta::new(writer.finish());
            let value = written.tags().flatten().next().map(|tag| tag.value());
            assert_eq!(value, Some(tag.value()), "{} is written as it was read", tag.tag_type());
        }
    }
}
