//! META against the one real file there is, and against the vulnerabilities of other readers.

use super::*;
use crate::identity::{Identity, ImplicitHost};
use crate::{Record, Timestamp};
use proptest::prelude::*;
use std::path::PathBuf;
use std::vec::Vec;
use std::{eprintln, format, vec};

/// The bytes of the sample, or `None` after saying why the test is skipped.
fn sample() -> Option<Vec<u8>> {
    let dir = match std::env::var_os("DAG_SAMPLES") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/samples")),
    };
    let path = dir.join("libtrace-provenance.erf");
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let reason = format!("{}: {error}; set DAG_SAMPLES to the samples", path.display());
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{reason}");
            eprintln!("skipped: {reason}");
            None
        }
    }
}

/// The records of the sample, walked by `rlen` alone.
fn records(mut bytes: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let record = Record::parse(bytes).unwrap();
        bytes = &bytes[record.bytes().len()..];
        records.push(record);
    }
    records
}

#[cfg_attr(miri, ignore = "a hundred records of tags are too many for Miri")]
#[test]
fn sample_every_record_walks_to_its_end() {
    let Some(bytes) = sample() else { return };
    let records = records(&bytes);
    assert_eq!(records.len(), 100);
    let metas = records.iter().map(|record| Meta::new(record.payload()));
    assert!(metas.clone().all(|meta| meta.defect().is_none()));
    assert_eq!(metas.clone().map(|meta| meta.tags().count()).sum::<usize>(), 2410);
    assert_eq!(metas.clone().map(|meta| meta.area().len()).sum::<usize>(), 30352);
    for meta in metas {
        assert!(!meta.is_reset());
        for tag in meta.tags().map(Result::unwrap) {
            assert!(tag.value().is_usable(), "{} at {}", tag.tag_type(), tag.offset());
            assert_ne!(tag.tag_type().kind(), ValueKind::Unknown);
        }
        for section in meta.sections().filter(|s| !s.is_preamble()) {
            assert_eq!(section.declared_len().map(usize::from), Some(section.actual_len()));
        }
    }
}

#[cfg_attr(miri, ignore = "a hundred records of tags are too many for Miri")]
#[test]
fn sample_gen_time_is_little_endian_and_older_than_the_record() {
    let Some(bytes) = sample() else { return };
    let records = records(&bytes);
    let capture = Meta::new(records[0].payload()).gen_time().unwrap();
    let host = Meta::new(records[1].payload()).gen_time().unwrap();
    assert_eq!(capture, Timestamp::from_raw(0x5A6F_9A43_F58F_360A));
    assert_eq!(host, Timestamp::from_raw(0x5A96_7DCA_4E8A_BD95));
    let age = |ts: Timestamp| records[0].timestamp().secs() - ts.secs();
    assert_eq!((age(capture) / 86_400, age(host)), (29, 1), "days, seconds");
}

#[cfg_attr(miri, ignore = "a hundred records of tags are too many for Miri")]
#[test]
fn sample_sections_ids_and_parents() {
    let Some(bytes) = sample() else { return };
    let records = records(&bytes);
    let outline = |n: usize| -> Vec<_> {
        let sections = Meta::new(records[n].payload()).sections();
        sections
            .map(|s| (s.reference().map(|r| format!("{r}")), s.parent().map(|p| format!("{p}")), s.tags().count()))
            .collect()
    };
    let named = |name: &str| Some(name.into());
    assert_eq!(outline(0), [(None, None, 1), (named("Capture 1"), None, 6)]);
    assert_eq!(
        outline(1),
        [
            (None, None, 1),
            (named("Host 1"), None, 7),
            (named("Module 5"), named("Host 1"), 18),
            (named("Interface 1"), named("Module 5"), 5),
            (named("Interface 2"), named("Module 5"), 5),
        ]
    );
}

#[cfg_attr(miri, ignore = "a hundred records of tags are too many for Miri")]
#[test]
fn sample_values_of_the_first_pair() {
    let Some(bytes) = sample() else { return };
    let records = records(&bytes);
    let (capture, host) = (Meta::new(records[0].payload()), Meta::new(records[1].payload()));
    let shown = |meta: Meta<'_>, section, tag| meta.value(section, tag).map(|value| format!("{value}"));
    for (section, tag, text) in [
        (SectionType::CAPTURE, TagType::NAME, "UoW"),
        (SectionType::CAPTURE, TagType::FILTER, "sampling=0 ; filter=\"\""),
        (SectionType::CAPTURE, TagType::SNAPLEN, "0"),
        (SectionType::CAPTURE, TagType::APP_NAME, "EndaceProbe"),
        (SectionType::CAPTURE, TagType::APP_VERSION, "OSm6.3.1_4 8c51e10"),
    ] {
        assert_eq!(shown(capture, section, tag).as_deref(), Some(text), "{tag}");
    }
    for (section, tag, text) in [
        (SectionType::HOST, TagType::HOSTNAME, "endace-c03e08"),
        (SectionType::HOST, TagType::CPU_PHYS_CORES, "12"),
        (SectionType::HOST, TagType::DAG_VERSION, "5.5.1"),
        (SectionType::MODULE, TagType::MODULE_NUM, "5"),
        (SectionType::MODULE, TagType::MODEL, "dag92x2"),
        (SectionType::MODULE, TagType::DEV_PATH, "/dev/dag2"),
        // 0x00030D3B and 0x84 in units of 2^-32 s.
        (SectionType::MODULE, TagType::CLK_THRESHOLD, "0.000046565"),
        (SectionType::MODULE, TagType::CLK_PHASE_ERROR, "0.000000031"),
        (SectionType::MODULE, TagType::CLK_INPUT_PULSES, "5910424"),
        (SectionType::INTERFACE, TagType::NAME, "dagmod.5.a"),
        (SectionType::INTERFACE, TagType::IF_MAC, "00:0e:a7:00:af:67"),
    ] {
        assert_eq!(shown(host, section, tag).as_deref(), Some(text), "{tag}");
    }
    let name_of = |tag| host.find(SectionType::MODULE, tag).and_then(|tag| tag.value_name());
    assert_eq!(name_of(TagType::CLK_SOURCE), Some("host"));
    assert_eq!(name_of(TagType::CLK_STATE), Some("synchronised"));
    assert_eq!(name_of(TagType::CLK_PORT_PROTO), Some("1PPS"));
    let second = host.sections().find(|s| s.interface() == Some(1)).unwrap();
    assert_eq!(second.value(TagType::IF_NUM).and_then(|v| v.as_u32()), Some(1));
    assert_eq!(second.value(TagType::DESCR).and_then(|v| v.as_str()), Some("reannz-tx"));
}

#[cfg_attr(miri, ignore = "a hundred records of tags are too many for Miri")]
#[test]
fn sample_rewritten_by_tags_and_by_sections_is_byte_identical() {
    let Some(bytes) = sample() else { return };
    for (n, record) in records(&bytes).iter().enumerate() {
        let meta = Meta::new(record.payload());
        let mut buf = vec![0xEE; meta.area().len()];
        let mut writer = MetaWriter::new(&mut buf);
        for tag in meta.tags() {
            writer.copy(&tag.unwrap()).unwrap();
        }
        assert_eq!(writer.finish(), meta.area(), "record {n} tag by tag");

        // Lengths and values made anew, not copied.
        let mut buf = vec![0xEE; meta.area().len()];
        let mut writer = MetaWriter::new(&mut buf);
        for section in meta.sections() {
            if let Some(section) = section.reference() {
                writer.section(section.section_type, section.id).unwrap();
            }
            for tag in section.tags().map(Result::unwrap) {
                writer.put(tag.tag_type(), tag.value()).unwrap();
            }
        }
        assert_eq!(writer.finish(), meta.area(), "record {n} value by value");
    }
}

#[cfg_attr(miri, ignore = "a hundred records of tags are too many for Miri")]
#[test]
fn sample_identity_of_its_records() {
    let Some(bytes) = sample() else { return };
    let mut implicit = ImplicitHost::default();
    for record in records(&bytes) {
        implicit.observe_meta(record.ext_headers());
        let identity = Identity::new(record.ext_headers(), record.interface());
        assert_eq!(identity, Identity { host_id: 0x0025_90C0_3E08, source_id: 5, interface: 0 });
    }
    assert_eq!(implicit.host_id(), Some(0x0025_90C0_3E08));
}

#[test]
fn a_gen_time_of_every_length_is_read_whole_or_not_at_all() {
    // The over-read class of CVE-2026-76884 (`erf-format.md` 11.1).
    for len in 0..=12u8 {
        let mut area = vec![0, 2, 0, len];
        area.resize(4 + usize::from(len).next_multiple_of(4), 0x11);
        let expected = (len >= 8).then(|| Timestamp::from_raw(0x1111_1111_1111_1111));
        assert_eq!(Meta::new(&area).gen_time(), expected, "{len} bytes");
        assert_eq!(Meta::new(&area).defect(), None, "a short value is no defect of the walk");
        // The same value at the very end of memory, without padding, and one byte short of whole.
        let bare = area[..4 + usize::from(len)].to_vec();
        assert_eq!(Meta::new(&bare).gen_time(), expected);
        assert_eq!(Meta::new(&bare[..bare.len() - 1]).gen_time(), None);
    }
}

#[test]
fn a_bad_gen_time_does_not_hide_a_good_one() {
    let area = [&[0, 2, 0, 4, 1, 1, 1, 1][..], &[0, 2, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(Meta::new(&area).gen_time(), Some(Timestamp::from_raw(7)));
}

#[test]
fn a_reset_or_gen_time_inside_a_section_does_not_speak_for_the_record() {
    let area = [0xFF, 1, 0, 4, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0];
    assert!(!Meta::new(&area).is_reset());
    assert_eq!(Meta::new(&area).gen_time(), None);
    assert!(Meta::new(&area[8..]).is_reset());
}

#[test]
fn a_value_of_every_length_of_every_tag() {
    let mut kinds = Vec::new();
    for &tag in TagType::ALL {
        // Miri is a thousand times slower, and what is read is a matter of the kind: it gets one tag of each.
        if cfg!(miri) && kinds.contains(&tag.kind()) {
            continue;
        }
        kinds.push(tag.kind());
        let needed = tag.kind().min_len();
        for len in 0..=40 {
            let value = Value::read(tag.kind(), &[0xFF; 40][..len]);
            match (tag.kind(), len) {
                (ValueKind::Marker, _) => assert_eq!(value, Value::Marker),
                (_, 0) => assert_eq!(value, Value::Cleared, "{tag}"),
                (_, len) if len < needed => assert_eq!(value, Value::TooShort { needed }, "{tag}"),
                _ => assert!(value.is_usable(), "{tag} of {len} bytes: {value}"),
            }
        }
    }
}

#[test]
fn longer_values_are_read_by_their_first_bytes() {
    let bytes = [0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17];
    for (kind, expected) in [
        (ValueKind::U16, Value::U16(0x8001)),
        (ValueKind::U32, Value::U32(0x8001_0203)),
        (ValueKind::I32, Value::I32(-0x7FFE_FDFD)),
        (ValueKind::U64, Value::U64(0x8001_0203_0405_0607)),
        (ValueKind::I64, Value::I64(-0x7FFE_FDFC_FBFA_F9F9)),
        (ValueKind::Time, Value::Time(Timestamp::from_raw(0x0706_0504_0302_0180))),
        (ValueKind::Ipv4, Value::Ipv4([0x80, 1, 2, 3].into())),
        (ValueKind::Mac, Value::Mac([0x80, 1, 2, 3, 4, 5])),
    ] {
        assert_eq!(Value::read(kind, &bytes), expected, "{kind}");
    }
    let name = Value::read(ValueKind::NameIpv4, b"\x0A\0\0\x01gate");
    assert_eq!(format!("{name}"), "10.0.0.1 gate");
    assert_eq!(Value::read(ValueKind::Parent, &[0, 3, 0, 1]), Value::NotASection(3));
}

#[test]
fn an_area_of_zeros_is_padding_tags_and_nothing_else() {
    let tags: Vec<_> = Meta::new(&[0; 12]).tags().map(|tag| tag.unwrap().tag_type()).collect();
    assert_eq!(tags, [TagType::PADDING; 3]);
}

proptest! {
    #[cfg_attr(miri, ignore = "takes minutes in Miri, which meets the same code in the tests below")]
    #[test]
    fn any_bytes_can_be_looked_at_in_every_way(
        // Mostly bytes that make section tags and short lengths, so that walks get far.
        area in proptest::collection::vec(prop_oneof![Just(0xFF), Just(0), 0u8..8, any::<u8>()], 0..300),
    ) {
        let meta = Meta::new(&area);
        let _ = (meta.gen_time(), meta.is_reset(), meta.defect(), meta.interface_settings(0));
        for section in meta.sections() {
            let _ = (section.parent(), section.stream(), section.interface(), section.is_timing_port());
            prop_assert!(section.offset() + section.actual_len() <= area.len());
        }
    }

    #[test]
    fn sections_as_dense_as_they_can_be(
        tags in proptest::collection::vec((0xFF00u16..0xFF10, 0u16..4, 0usize..9), 0..60),
        interface in 0u16..4,
    ) {
        let mut area = Vec::new();
        for (number, id, len) in tags {
            area.extend(number.to_be_bytes());
            area.extend((len as u16).to_be_bytes());
            let value: Vec<u8> = id.to_be_bytes().into_iter().cycle().take(len).collect();
            area.extend(&value);
            area.resize(area.len().next_multiple_of(4), 0);
        }
        let meta = Meta::new(&area);
        prop_assert_eq!(meta.defect(), None);
        prop_assert_eq!(meta.interface_settings(interface), InterfaceSettings::default());
        let total: usize = meta.sections().map(|s| s.actual_len()).sum();
        prop_assert_eq!(total, area.len());
    }
}
