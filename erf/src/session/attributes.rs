//! `attribute` tags: facts as `key=value` for which the format has no tag (`erf-format.md` section 7.7).

use std::fmt::Display;
use std::str::FromStr;

use erf_core::meta::{MetaWriteError, MetaWriter, Section, TagType};

/// Marks the Capture section of an [`Opening`](super::Opening), with the version of its attributes.
pub(super) const RECORDING: &str = "recording";
/// Marks the Statistics section of a [`Closing`](super::Closing), with the version of its attributes.
pub(super) const ACCOUNT: &str = "account";
/// The version of both.
pub(super) const VERSION: u32 = 1;

pub(super) const TICK_BITS: &str = "tick_bits";
pub(super) const STAMP_SOURCE: &str = "stamp_source";
pub(super) const STAMP_ERROR_NS: &str = "stamp_error_ns";
pub(super) const EMULATED: &str = "emulated";

/// Writes `key=value`.
pub(super) fn put(writer: &mut MetaWriter<'_>, key: &str, value: impl Display) -> Result<(), MetaWriteError> {
    writer.put(TagType::ATTRIBUTE, format!("{key}={value}").as_str()).map(|_| ())
}

/// The value of the first attribute `key` of `section`.
pub(super) fn find<'a>(section: &Section<'a>, key: &str) -> Option<&'a str> {
    section
        .tags()
        .flatten()
        .filter(|tag| tag.tag_type() == TagType::ATTRIBUTE)
        .filter_map(|tag| tag.value().as_str())
        .find_map(|text| text.strip_prefix(key)?.strip_prefix('='))
}

/// [`find`], parsed; `None` where it is missing or reads wrong.
pub(super) fn read<T: FromStr>(section: &Section<'_>, key: &str) -> Option<T> {
    find(section, key)?.parse().ok()
}
