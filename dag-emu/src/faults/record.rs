//! The records that faults put in band: PAD and META.

use erf_core::{Flags, HEADER_LEN, Header, RecordType, Timestamp};

/// Shortest PAD record, a header alone, and longest, in bytes.
pub(super) const PAD_LENS: [u16; 2] = [16, 256];

/// Tags of the META record (`erf-format.md` section 7.1): `gen_time`, whose value is put in; section Interface of id 1, which is
/// interface 0; `if_link_status`, up.
#[rustfmt::skip]
const TAGS: [u8; 28] = [
    0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0,
    0xFF, 3, 0, 4, 0, 1, 0, 16,
    0, 81, 0, 4, 0, 0, 0, 1,
];
const GEN_TIME: usize = 4;
const META_LEN: usize = (HEADER_LEN + TAGS.len()).next_multiple_of(8);

/// A PAD record of `len` bytes, held to 16..=256 and a multiple of 8. It has no stamp of its own and no wire length, for a
/// reader is to ignore both (`erf-format.md` section 4).
pub(crate) fn pad_record(len: u16) -> Vec<u8> {
    let len = len.clamp(PAD_LENS[0], PAD_LENS[1]) & !7;
    let header = Header {
        timestamp: Timestamp::ZERO,
        record_type: RecordType::PAD,
        has_ext: false,
        flags: Flags::default().with_varying_length(true),
        rlen: len,
        lctr: 0,
        wire_len: 0,
    };
    let mut record = header.to_bytes().to_vec();
    record.resize(usize::from(len), 0);
    record
}

/// A META record at `time`: that the link of interface 0 is up.
pub(crate) fn meta_record(time: Timestamp) -> [u8; META_LEN] {
    let header = Header {
        timestamp: time,
        record_type: RecordType::META,
        has_ext: false,
        flags: Flags::default().with_varying_length(true),
        rlen: META_LEN as u16,
        lctr: 0,
        wire_len: TAGS.len() as u16,
    };
    let mut tags = TAGS;
    tags[GEN_TIME..GEN_TIME + 8].copy_from_slice(&time.to_le_bytes());
    let mut record = [0; META_LEN];
    record[..HEADER_LEN].copy_from_slice(&header.to_bytes());
    record[HEADER_LEN..HEADER_LEN + TAGS.len()].copy_from_slice(&tags);
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use erf_core::Records;
    use erf_core::meta::{Meta, SectionType, TagType};

    #[test]
    fn a_pad_record_of_any_length_is_one_record() {
        for len in 0..400 {
            let bytes = pad_record(len);
            let records: Vec<_> = Records::new(&bytes).collect::<Result<_, _>>().unwrap();
            let [record] = records.as_slice() else { panic!("{len}: {} records", records.len()) };
            assert!(record.is_pad());
            assert_eq!(bytes.len() % 8, 0);
            assert!((16..=256).contains(&bytes.len()));
        }
        assert_eq!([pad_record(16).len(), pad_record(24).len(), pad_record(256).len()], [16, 24, 256]);
    }

    #[test]
    fn the_meta_record_says_what_it_means_to_say() {
        let time = Timestamp::from_parts(1_700_000_000, 0x8000_0000);
        let bytes = meta_record(time);
        let records: Vec<_> = Records::new(&bytes).collect::<Result<_, _>>().unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].timestamp(), records[0].rlen()), (time, 48));
        let meta = Meta::new(records[0].payload());
        assert_eq!(meta.gen_time(), Some(time));
        let section = meta.sections().find(|section| section.is(SectionType::INTERFACE)).unwrap();
        assert_eq!(section.interface(), Some(0));
        assert_eq!(section.declared_len().map(usize::from), Some(section.actual_len()));
        assert_eq!(section.value(TagType::IF_LINK_STATUS).and_then(|value| value.as_u32()), Some(1));
    }
}
