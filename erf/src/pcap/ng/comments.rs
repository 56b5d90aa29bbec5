//! Comments that META gives to packets through anchors (`erf-format.md` section 7.4).

use std::collections::HashMap;

use erf_core::identity::Anchors;
use erf_core::meta::{Meta, SectionType, TagType};
use erf_core::{Record, Timestamp};

/// Comments kept, and bytes of all of them: memory is not the file's to choose.
const MAX_COMMENTS: usize = 65_536;
const MAX_BYTES: usize = 64 << 20;

/// Host ID and Anchor ID; `None` is the implicit host.
type Key = (Option<u64>, u64);

/// The comments said so far, by anchor.
#[derive(Debug, Default)]
pub(super) struct Comments {
    said: HashMap<Key, (Timestamp, String)>,
    bytes: usize,
}

impl Comments {
    /// Takes in a META record. The newest `gen_time` wins; an empty comment takes the comment back.
    pub(super) fn observe(&mut self, record: &Record<'_>) {
        if !record.has_ext_headers() {
            return;
        }
        let defined = || Anchors::new(record.ext_headers()).filter(|anchor| anchor.definition);
        if defined().next().is_none() {
            return;
        }
        let meta = Meta::new(record.payload());
        let mut local = meta.sections().filter(|section| section.is(SectionType::INFORMATION) && section.is_local());
        let Some(tag) = local.find_map(|section| section.find(TagType::COMMENT)) else {
            return;
        };
        let Ok(text) = std::str::from_utf8(tag.bytes()) else { return };
        let generated = meta.gen_time().unwrap_or(record.timestamp());
        for anchor in defined() {
            self.keep((anchor.host_id, anchor.anchor_id), generated, text);
        }
    }

    fn keep(&mut self, key: Key, generated: Timestamp, text: &str) {
        let (known, before) = match self.said.get(&key) {
            Some((known, text)) => (Some(*known), text.len()),
            None => (None, 0),
        };
        let bytes = self.bytes - before + text.len();
        let is_room = bytes <= MAX_BYTES && (known.is_some() || self.said.len() < MAX_COMMENTS);
        if is_room && known.is_none_or(|known| known <= generated) {
            self.bytes = bytes;
            self.said.insert(key, (generated, text.to_owned()));
        }
    }

    /// Whether packets have the same comments.
    pub(super) fn says_the_same(&self, other: &Comments) -> bool {
        let text = |key| other.said.get(key).map(|(_, text)| text);
        self.said.len() == other.said.len() && self.said.iter().all(|(key, (_, said))| text(key) == Some(said))
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.said.values().filter(|(_, text)| !text.is_empty()).count() as u64
    }

    /// The comments on a packet, in the order of its anchors.
    #[inline]
    pub(super) fn of<'a>(&'a self, record: &Record<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
        let record = (!self.said.is_empty() && record.has_ext_headers()).then_some(*record);
        let anchors = record.into_iter().flat_map(|record| Anchors::new(record.ext_headers()));
        anchors.filter(|anchor| !anchor.definition).filter_map(|anchor| {
            let (_, text) = self.said.get(&(anchor.host_id, anchor.anchor_id))?;
            (!text.is_empty()).then_some(text.as_str())
        })
    }
}
