use erf_core::ext::HostId;
use erf_core::meta::{Meta, MetaWriter, SectionId, SectionType, TagType, Tags};
use erf_core::{RecordType, Timestamp};

use super::*;

fn meta(fill: impl FnOnce(&mut MetaWriter<'_>)) -> Vec<u8> {
    let mut area = [0; 512];
    let mut writer = MetaWriter::new(&mut area);
    fill(&mut writer);
    let stamp = Timestamp::from_parts(9, 0);
    RecordBuilder::new(RecordType::META).timestamp(stamp).payload(writer.finish()).to_vec().unwrap()
}

#[test]
fn only_the_names_change_and_all_else_stays() {
    let make = |host: &str, first: &[&str]| {
        meta(|writer| {
            writer.put(TagType::GEN_TIME, Timestamp::from_parts(8, 0)).unwrap();
            writer.section(SectionType::HOST, SectionId::from_bits(1)).unwrap().put(TagType::HOSTNAME, host).unwrap();
            writer.section(SectionType::INTERFACE, SectionId::interface(0)).unwrap();
            for name in first {
                writer.put(TagType::NAME, *name).unwrap();
            }
            writer.put(TagType::SNAPLEN, 96u32).unwrap();
            writer.tag(TagType::new(999), &[1, 2, 3]).unwrap();
            writer.section(SectionType::INTERFACE, SectionId::interface(1)).unwrap().put(TagType::NAME, "b").unwrap();
        })
    };
    let before = make("old", &["a", "again"]);
    let record = Record::parse(&before).unwrap();
    let changes = [Change::host("a new and longer name"), Change::interface(0, "x"), Change::interface(5, "none")];
    assert_eq!(change(&record, &changes).unwrap(), Some(make("a new and longer name", &["x"])));
    assert_eq!(change(&record, &changes[2..]).unwrap(), None);
    assert_eq!(change(&record, &[Change::host("old"), Change::interface(1, "b")]).unwrap(), None, "nothing new");
    assert_eq!(changes.map(|change| change.meets(&record)), [true, true, false]);
}

#[test]
fn text_of_any_tag_is_set_and_removed() {
    let (host, interface) = (SectionType::HOST, SectionType::INTERFACE);
    let make = |os: Option<&str>, descr: [Option<&str>; 2]| {
        meta(|writer| {
            writer.section(host, SectionId::from_bits(1)).unwrap();
            if let Some(os) = os {
                writer.put(TagType::OS, os).unwrap();
            }
            for (number, descr) in (0..).zip(descr) {
                writer.section(interface, SectionId::interface(number)).unwrap().put(TagType::IF_NUM, 7u32).unwrap();
                if let Some(descr) = descr {
                    writer.put(TagType::DESCR, descr).unwrap();
                }
            }
        })
    };
    let before = make(Some("Linux"), [Some("a"), None]);
    let record = Record::parse(&before).unwrap();
    let done = |changes: &[Change]| change(&record, changes).unwrap();
    let all = Change::set(interface, None, TagType::DESCR, "all").unwrap();
    let one = Change::set(interface, Some(1), TagType::DESCR, "one").unwrap();
    assert_eq!(done(std::slice::from_ref(&all)), Some(make(Some("Linux"), [Some("all"), Some("all")])));
    assert_eq!(done(&[all.clone(), one.clone()]), Some(make(Some("Linux"), [Some("all"), Some("one")])));
    assert_eq!(done(&[one, all]), Some(make(Some("Linux"), [Some("all"), Some("one")])));
    let no = |section, number, tag| Change::unset(section, number, tag).unwrap();
    assert_eq!(done(&[no(interface, None, TagType::DESCR)]), Some(make(Some("Linux"), [None, None])));
    assert_eq!(done(&[no(interface, Some(1), TagType::DESCR)]), None);
    assert_eq!(done(&[no(host, Some(1), TagType::OS)]), Some(make(None, [Some("a"), None])));
    assert_eq!(done(&[no(host, Some(2), TagType::OS)]), None);

    let refused = |section, number, tag| Change::set(section, number, tag, "x").unwrap_err().to_string();
    assert_eq!(refused(host, None, TagType::MEM), "mem holds u64, and only text can be set or removed");
    assert_eq!(refused(interface, Some(0x7FFF), TagType::NAME), "no section Interface has the number 32767");
}

#[test]
fn a_name_is_added_where_there_is_none_behind_the_parent() {
    let bytes = meta(|writer| {
        writer.section(SectionType::MODULE, SectionId::from_bits(3)).unwrap();
        writer.section(SectionType::INTERFACE, SectionId::interface(0)).unwrap();
        writer.tag(TagType::PARENT_SECTION, &[0xFF, 2, 0, 3]).unwrap();
    });
    let changed = change(&Record::parse(&bytes).unwrap(), &[Change::interface(0, "x")]).unwrap().unwrap();
    let record = Record::parse(&changed).unwrap();
    let tags: Vec<u16> = Tags::new(record.payload()).map(|tag| tag.unwrap().tag_type().number()).collect();
    assert_eq!(tags, [0xFF02, 0xFF03, 3, 12]);
}

#[test]
fn a_note_too_long_for_a_record_is_refused() {
    let mut note = Note::new(Timestamp::ZERO);
    note.comments = vec!["x".repeat(40_000), "y".repeat(40_000)];
    assert_eq!(note.to_record().unwrap_err().kind(), ErrorKind::Limit);
    note.comments.pop();
    assert!(note.to_record().is_ok());
    note.changes = vec![Change::set(SectionType::INTERFACE, None, TagType::NAME, "x").unwrap()];
    assert_eq!(note.to_record().unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn host_ids_go_and_other_extension_headers_stay() {
    let other = ExtHeader::new(ExtType::FLOW_ID, 0x0001_0203_0405_0607);
    let host = ExtHeader::from(HostId { source_id: 1, host_id: 2 });
    let make = |headers: &[ExtHeader]| {
        RecordBuilder::new(RecordType::ETH).ext_headers(headers).payload(&[7; 62]).to_vec().unwrap()
    };
    let strip = |bytes: &[u8]| without_host_ids(&Record::parse(bytes).unwrap()).unwrap();
    assert_eq!(strip(&make(&[host, other, host])), Some(make(&[other])));
    assert_eq!(strip(&make(&[host])), Some(make(&[])));
    assert_eq!(strip(&make(&[other])), None);
}

proptest::proptest! {
    #[test]
    fn any_bytes_of_a_meta_record_can_be_changed(mut area: Vec<u8>, which in 0usize..3, at in 0usize..3) {
        // Some of it is what changes are about.
        let heads: [&[u8]; 3] = [&[0xFF, 1, 0, 4, 0, 1, 0, 0], &[0xFF, 3, 0, 4, 0, 1, 0, 0, 0, 12, 0, 2, 1, 2], &[0, 1, 0xFF]];
        area.splice(0..0, heads[which].iter().copied());
        let bytes = RecordBuilder::new(RecordType::META).payload(&area).to_vec().unwrap();
        let record = Record::parse(&bytes).unwrap();
        let changes = [
            Change::host("h"),
            Change::interface(0, "a name"),
            Change::unset(SectionType::INTERFACE, None, TagType::NAME).unwrap(),
        ];
        if let Some(changed) = change(&record, &changes[at..]).unwrap() {
            let changed = Record::parse(&changed).unwrap();
            proptest::prop_assert_eq!(Meta::new(changed.payload()).defect(), None);
            let again = change(&changed, &changes[at..]).unwrap();
            proptest::prop_assert_eq!(again, None, "what is done is done");
        }
    }
}
