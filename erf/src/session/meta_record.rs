//! META records around sections.

use erf_core::meta::{MetaWriteError, MetaWriter, SectionId, SectionType, TagType, Value};
use erf_core::{HEADER_LEN, MAX_RECORD_LEN, RecordBuilder, RecordType, Timestamp};

use crate::{Error, ErrorKind};

/// Bytes of tags in one record, so that it stays a multiple of 8.
const MAX_AREA: usize = (MAX_RECORD_LEN - HEADER_LEN) & !7;

/// Texts are cut to this many bytes: no text of a section can push the others out.
const MAX_TEXT: usize = 1024;

/// Room for a section: more than its texts, each at most [`MAX_TEXT`], can fill.
const MAX_SECTION: usize = 16 * 1024;

/// One section with its tags, ready to be placed.
pub(super) fn section(
    section_type: SectionType,
    id: SectionId,
    fill: impl FnOnce(&mut MetaWriter<'_>) -> Result<(), MetaWriteError>,
) -> Result<Vec<u8>, Error> {
    area(MAX_SECTION, |writer| {
        writer.section(section_type, id)?;
        fill(writer)
    })
}

fn area(room: usize, fill: impl FnOnce(&mut MetaWriter<'_>) -> Result<(), MetaWriteError>) -> Result<Vec<u8>, Error> {
    let mut buf = vec![0; room];
    let mut writer = MetaWriter::new(&mut buf);
    fill(&mut writer).map_err(|error| not_written(&error))?;
    let len = writer.finish().len();
    buf.truncate(len);
    Ok(buf)
}

/// Writes a text unless it is empty, which would mean "cleared".
pub(super) fn put_text(writer: &mut MetaWriter<'_>, tag_type: TagType, text: &str) -> Result<(), MetaWriteError> {
    match clip(text) {
        "" => Ok(()),
        text => writer.put(tag_type, text).map(|_| ()),
    }
}

/// Writes a value where there is one.
pub(super) fn put_option<'v, V: Into<Value<'v>>>(
    writer: &mut MetaWriter<'_>,
    tag_type: TagType,
    value: Option<V>,
) -> Result<(), MetaWriteError> {
    match value {
        Some(value) => writer.put(tag_type, value).map(|_| ()),
        None => Ok(()),
    }
}

/// As much of `text` as fits [`MAX_TEXT`], whole characters.
pub(super) fn clip(text: &str) -> &str {
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// Puts sections into META records stamped `timestamp`, generated at `generated`.
///
/// What does not fit one record goes on in another. Such a one begins with section `repeated`, by
/// index, which is the parent of those that follow; to state it again with the same `gen_time`
/// changes nothing (`erf-format.md` section 7.3).
pub(super) fn records(
    timestamp: Timestamp,
    generated: Timestamp,
    sections: &[Vec<u8>],
    repeated: Option<usize>,
) -> Result<Vec<u8>, Error> {
    let preamble = area(16, |writer| writer.put(TagType::GEN_TIME, generated).map(|_| ()))?;
    let repeated = repeated.and_then(|index| sections.get(index));
    let mut out = Vec::new();
    let mut tags = preamble.clone();
    for section in sections {
        if tags.len() + section.len() > MAX_AREA {
            append(&mut out, timestamp, &tags)?;
            tags.clone_from(&preamble);
            tags.extend(repeated.into_iter().flatten());
        }
        tags.extend(section);
    }
    append(&mut out, timestamp, &tags)?;
    Ok(out)
}

fn append(out: &mut Vec<u8>, timestamp: Timestamp, tags: &[u8]) -> Result<(), Error> {
    let record = RecordBuilder::new(RecordType::META).timestamp(timestamp).payload(tags);
    let start = out.len();
    let len = record.encoded_len().map_err(|error| not_written(&error))?;
    out.resize(start + len, 0);
    record.write_to(out.get_mut(start..).unwrap_or_default()).map_err(|error| not_written(&error))?;
    Ok(())
}

fn not_written(cause: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Limit, format!("the META record about the recording was not written: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        assert_eq!(clip("port 0"), "port 0");
        assert_eq!(clip(&"x".repeat(5000)).len(), 1024);
        let umlauts = format!("x{}", "ü".repeat(1000));
        assert_eq!(clip(&umlauts).len(), 1023);
    }
}
