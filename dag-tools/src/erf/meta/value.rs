//! META tags as JSON: values by their types, text as it is.

use erf::Record;
use erf::meta::{Meta, Tag, Value};
use serde_json::{Value as Json, json};

use super::super::hex;
use crate::account::StampJson;

/// The sections of a META record with their tags.
pub(in crate::erf) fn sections(record: &Record<'_>) -> Json {
    let sections = Meta::new(record.payload()).sections();
    let said = sections.filter(|section| section.reference().is_some() || section.tags().next().is_some());
    let values = said.map(|section| {
        let tags: Vec<Json> = section
            .tags()
            .map(|tag| tag.map_or_else(|defect| json!({ "defect": defect.to_string() }), |tag| tag_json(&tag)))
            .collect();
        let id = section.reference().map(|reference| reference.id.bits());
        json!({ "section": section.section_type().map(|kind| kind.to_string()), "id": id, "interface": section.interface(), "tags": tags })
    });
    values.collect()
}

fn tag_json(tag: &Tag<'_>) -> Json {
    let tag_type = tag.tag_type();
    let mut json = json!({
        "tag": tag_type.number(),
        "name": tag_type.name(),
        "kind": tag_type.kind().to_string(),
        "value": value(tag.value()),
    });
    if let Some(name) = tag.value_name() {
        json["meaning"] = name.into();
    }
    let is_exact = match tag.value() {
        Value::TooShort { .. } | Value::NotASection(_) => false,
        Value::Text(text) => text.to_str().is_ok(),
        Value::Name(record) => record.name.to_str().is_ok(),
        _ => true,
    };
    if !is_exact {
        json["hex"] = hex(tag.bytes()).into();
    }
    json
}

fn value(value: Value<'_>) -> Json {
    match value {
        Value::Cleared | Value::TooShort { .. } | Value::Marker | Value::NotASection(_) => Json::Null,
        Value::U16(number) => number.into(),
        Value::U32(number) => number.into(),
        Value::U64(number) => number.into(),
        Value::I32(number) => number.into(),
        Value::I64(number) => number.into(),
        Value::Time(stamp) => json!(StampJson::from(stamp)),
        Value::Delta(delta) => json!({ "raw": delta.raw(), "ns": delta.to_nanos() }),
        Value::ExtHeaders(set) => set.iter().collect::<Vec<u8>>().into(),
        Value::Name(record) => json!({ "address": hex(record.address), "name": record.name.to_string() }),
        // Text and addresses, of which this form loses nothing.
        value => value.to_string().into(),
    }
}
