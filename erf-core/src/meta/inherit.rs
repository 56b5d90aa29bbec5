//! [`InterfaceSettings`]: values that an interface inherits within one record.

use super::{Meta, Section, SectionRef, SectionType, TagType, Text, Value};

/// What holds for one interface after inheritance (`erf-format.md` section 7.2, last paragraph).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct InterfaceSettings<'a> {
    /// FCS length in bits.
    pub fcs_len: Option<u32>,
    /// Snap length in bytes, as stored (the real sample has 0 where nothing is cut).
    pub snaplen: Option<u32>,
    /// The filter expression.
    pub filter: Option<Text<'a>>,
}

impl<'a> Meta<'a> {
    /// FCS length, snap length and filter of `interface`, each from the first of these that gives
    /// it: the Interface section, its streams (the largest length wins, the first filter), its
    /// module, the capture.
    ///
    /// A stream belongs to the interface unless the Interface section names another `stream_num`,
    /// or both have Module parents and these differ. The module is the parent of the Interface
    /// section, or any Module section if the record does not say. Local sections and sections of
    /// other records are not looked at. Linear in the size of the record, without allocation.
    pub fn interface_settings(&self, interface: u16) -> InterfaceSettings<'a> {
        let level = Levels::new(*self, interface);
        InterfaceSettings {
            fcs_len: level.largest(TagType::FCS_LEN),
            snaplen: level.largest(TagType::SNAPLEN),
            filter: level.first(TagType::FILTER),
        }
    }

    fn settled(self) -> impl Iterator<Item = Section<'a>> {
        self.sections().filter(|section| !section.is_local())
    }
}

/// Who may give an interface its values.
struct Levels<'a> {
    meta: Meta<'a>,
    interface: u16,
    module: Option<SectionRef>,
    stream: Option<u32>,
}

impl<'a> Levels<'a> {
    fn new(meta: Meta<'a>, interface: u16) -> Self {
        let mut levels = Self { meta, interface, module: None, stream: None };
        for section in levels.own() {
            levels.module = levels.module.or(module_of(&section));
            let stream = section.value(TagType::STREAM_NUM).and_then(|value| value.as_u32());
            levels.stream = levels.stream.or(stream);
        }
        levels
    }

    fn own(&self) -> impl Iterator<Item = Section<'a>> + use<'a> {
        let interface = Some(self.interface);
        self.meta.settled().filter(move |section| section.interface() == interface)
    }

    fn streams(&self) -> impl Iterator<Item = Section<'a>> + use<'a> {
        let (stream, module) = (self.stream, self.module);
        self.meta.settled().filter(move |section| {
            section.is(SectionType::STREAM)
                && (stream.is_none() || stream == section.stream())
                && (module.is_none() || module_of(section).is_none_or(|m| Some(m) == module))
        })
    }

    fn modules(&self) -> impl Iterator<Item = Section<'a>> + use<'a> {
        let module = self.module;
        self.meta.settled().filter(move |section| {
            section.is(SectionType::MODULE) && (module.is_none() || section.reference() == module)
        })
    }

    fn captures(&self) -> impl Iterator<Item = Section<'a>> + use<'a> {
        self.meta.settled().filter(|section| section.is(SectionType::CAPTURE))
    }

    fn largest(&self, tag: TagType) -> Option<u32> {
        let number = |section: Section<'a>| section.value(tag).and_then(|value| value.as_u32());
        (self.own().find_map(number))
            .or_else(|| self.streams().filter_map(number).max())
            .or_else(|| self.modules().find_map(number))
            .or_else(|| self.captures().find_map(number))
    }

    fn first(&self, tag: TagType) -> Option<Text<'a>> {
        let text = |section: Section<'a>| match section.value(tag) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        (self.own().find_map(text))
            .or_else(|| self.streams().find_map(text))
            .or_else(|| self.modules().find_map(text))
            .or_else(|| self.captures().find_map(text))
    }
}

fn module_of(section: &Section<'_>) -> Option<SectionRef> {
    section.parent().filter(|parent| parent.section_type == SectionType::MODULE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{MetaWriteError, MetaWriter, SectionId};

    type Write = fn(&mut MetaWriter<'_>) -> Result<(), MetaWriteError>;

    fn settings_of<R>(write: Write, look: impl Fn(Meta<'_>) -> R) -> R {
        let mut buf = [0; 1024];
        let mut w = MetaWriter::new(&mut buf);
        write(&mut w).unwrap();
        look(Meta::new(w.finish()))
    }

    #[test]
    fn each_level_gives_way_to_the_one_before() {
        let write: Write = |w| {
            w.section(SectionType::CAPTURE, SectionId::from_bits(1))?
                .put(TagType::FILTER, "capture")?
                .put(TagType::FCS_LEN, 0u32)?
                .put(TagType::SNAPLEN, 1000u32)?
                .section(SectionType::MODULE, SectionId::from_bits(5))?
                .put(TagType::FILTER, "module")?
                .put(TagType::FCS_LEN, 16u32)?
                .section(SectionType::INTERFACE, SectionId::interface(0))?
                .put(TagType::FILTER, "interface")?
                .section(SectionType::INTERFACE, SectionId::interface(1))?
                .put(TagType::NAME, "second")?
                .section(SectionType::STREAM, SectionId::from_bits(1))?
                .put(TagType::FCS_LEN, 24u32)?
                .put(TagType::FILTER, "stream")?
                .section(SectionType::STREAM, SectionId::from_bits(3))?
                .put(TagType::FCS_LEN, 32u32)?;
            Ok(())
        };
        settings_of(write, |meta| {
            let first = meta.interface_settings(0);
            assert_eq!(first.filter, Some("interface".into()));
            assert_eq!(first.fcs_len, Some(32), "largest of the streams, before the module");
            assert_eq!(first.snaplen, Some(1000), "nothing nearer than the capture");
            assert_eq!(meta.interface_settings(1).filter, Some("stream".into()));
        });
    }

    #[test]
    fn a_stream_number_in_the_interface_section_selects_the_stream() {
        let write: Write = |w| {
            w.section(SectionType::MODULE, SectionId::from_bits(5))?
                .section(SectionType::INTERFACE, SectionId::interface(0))?
                .put(TagType::STREAM_NUM, 2u32)?
                .section(SectionType::STREAM, SectionId::from_bits(1))?
                .put(TagType::SNAPLEN, 9000u32)?
                .section(SectionType::STREAM, SectionId::from_bits(0x7FFF))?
                .put(TagType::STREAM_NUM, 2u32)?
                .put(TagType::SNAPLEN, 96u32)?;
            Ok(())
        };
        let snaplen = settings_of(write, |meta| meta.interface_settings(0).snaplen);
        assert_eq!(snaplen, Some(96));
    }

    #[test]
    fn values_of_another_module_and_of_local_sections_are_not_taken() {
        let write: Write = |w| {
            w.section(SectionType::MODULE, SectionId::from_bits(4))?
                .put(TagType::FCS_LEN, 16u32)?
                .section(SectionType::STREAM, SectionId::from_bits(1))?
                .put(TagType::SNAPLEN, 9000u32)?
                .section(SectionType::CAPTURE, SectionId::from_bits(1).into_local())?
                .put(TagType::SNAPLEN, 64u32)?
                .section(SectionType::MODULE, SectionId::from_bits(5))?
                .section(SectionType::INTERFACE, SectionId::interface(0))?;
            Ok(())
        };
        let settings = settings_of(write, |meta| meta.interface_settings(0) == Default::default());
        assert!(settings);
    }

    #[test]
    fn a_module_snaplen_before_an_interface_without_tags() {
        // The second idea to CVE-2026-76884 in `erf-format.md` 11.1.
        let write: Write = |w| {
            w.section(SectionType::MODULE, SectionId::from_bits(5))?
                .put(TagType::SNAPLEN, 128u32)?
                .section(SectionType::INTERFACE, SectionId::interface(0))?;
            Ok(())
        };
        let snaplen = settings_of(write, |meta| meta.interface_settings(0).snaplen);
        assert_eq!(snaplen, Some(128));
    }
}
