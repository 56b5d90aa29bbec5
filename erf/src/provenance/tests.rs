use erf_core::ext::HostId;
use erf_core::meta::Tags;

use super::*;

fn meta(fill: impl FnOnce(&mut MetaWriter<'_>)) -> Vec<u8> {
    let mut area = [0; 512];
    let mut writer = MetaWriter::new(&mut area);
    fill(&mut writer);
    let stamp = Timestamp::from_parts(9, 0);
    RecordBuilder::new(RecordType::META).timestamp(stamp).payload(writer.finish()).to_vec().unwrap()
}

fn names(host: Option<&str>, interfaces: &[(u8, &str)]) -> Names {
    let interfaces = interfaces.iter().map(|(number, name)| (*number, (*name).to_owned())).collect();
    Names { host: host.map(str::to_owned), interfaces }
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
    let changed = set_names(&record, &names(Some("a new and longer name"), &[(0, "x"), (5, "none")])).unwrap();
    assert_eq!(changed, Some(make("a new and longer name", &["x"])));
    assert_eq!(set_names(&record, &names(None, &[(5, "none")])).unwrap(), None);

    let mut left = names(Some("h"), &[(1, "b"), (5, "e")]);
    left.forget_met(&record);
    assert_eq!(left, names(None, &[(5, "e")]));
}

#[test]
fn a_name_is_added_where_there_is_none_behind_the_parent() {
    let bytes = meta(|writer| {
        writer.section(SectionType::MODULE, SectionId::from_bits(3)).unwrap();
        writer.section(SectionType::INTERFACE, SectionId::interface(0)).unwrap();
        writer.tag(TagType::PARENT_SECTION, &[0xFF, 2, 0, 3]).unwrap();
    });
    let changed = set_names(&Record::parse(&bytes).unwrap(), &names(None, &[(0, "x")])).unwrap().unwrap();
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
