//! Comments of META on the capture and its parts, which no anchor ties to packets: a section header of pcapng has them as its own.

use erf_core::identity::{Anchors, Identity};
use erf_core::meta::{Meta, Section, SectionRef, SectionType, TagType};
use erf_core::{Record, Timestamp};

/// Comments kept, and bytes of all of them: other programs read no block above 16 MiB, and memory is not the file's to choose.
const MAX_REMARKS: usize = 256;
const MAX_BYTES: usize = 1 << 20;

/// Objects kept of which the comment was taken back.
const MAX_CLEARED: usize = 256;

/// Who says so of what.
type Object = (Identity, Option<SectionRef>);

#[derive(Debug)]
struct Remark {
    object: Object,
    generated: Timestamp,
    text: String,
}

/// The comments said so far, each text once, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    said: Vec<Remark>,
    cleared: Vec<(Object, Timestamp)>,
    bytes: usize,
    /// Without a place here.
    refused: u64,
}

impl Remarks {
    /// Takes in a META record. An empty comment takes back what was said of the same object before.
    pub(super) fn observe(&mut self, record: &Record<'_>) {
        let meta = Meta::new(record.payload());
        let generated = meta.gen_time().unwrap_or(record.timestamp());
        let host = Identity { interface: 0, ..Identity::new(record.ext_headers(), 0) };
        // What is said with anchors is about packets.
        let is_anchored = Anchors::new(record.ext_headers()).next().is_some();
        for section in meta.sections().filter(|section| !(is_anchored && section.is_local())) {
            let object = (host, section.reference());
            for tag in section.tags().flatten().filter(|tag| tag.tag_type() == TagType::COMMENT) {
                let text = String::from_utf8_lossy(tag.bytes());
                match text.trim_end_matches('\0') {
                    "" => self.clear(object, generated),
                    text => self.keep(object, generated, text_of(&section, text)),
                }
            }
        }
    }

    fn clear(&mut self, object: Object, generated: Timestamp) {
        self.said.retain(|remark| remark.object != object || remark.generated > generated);
        self.bytes = self.said.iter().map(|remark| remark.text.len()).sum();
        if let Some((_, at)) = self.cleared.iter_mut().find(|(cleared, _)| *cleared == object) {
            *at = generated.max(*at);
        } else if self.cleared.len() < MAX_CLEARED {
            self.cleared.push((object, generated));
        }
    }

    fn keep(&mut self, object: Object, generated: Timestamp, text: String) {
        let is_cleared = self.cleared.iter().any(|(cleared, at)| *cleared == object && *at > generated);
        // Cards repeat what they say.
        if is_cleared || self.said.iter().any(|remark| remark.text == text) {
            return;
        }
        if self.said.len() == MAX_REMARKS || self.bytes + text.len() > MAX_BYTES {
            self.refused += 1;
            return;
        }
        self.bytes += text.len();
        self.said.push(Remark { object, generated, text });
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.said.iter().map(|remark| remark.text.as_str())
    }

    /// How many there are.
    pub(super) fn kept(&self) -> u64 {
        self.said.len() as u64
    }

    /// The same with those that have no place here.
    pub(super) fn count(&self) -> u64 {
        self.kept() + self.refused
    }
}

/// A comment on the capture is one on the file; one on a part of it says on which.
fn text_of(section: &Section<'_>, text: &str) -> String {
    match section.reference() {
        Some(part) if !part.id.is_local() && part.section_type != SectionType::CAPTURE => match part.id.number() {
            0 => format!("{}: {text}", part.section_type),
            _ => format!("{part}: {text}"),
        },
        _ => text.to_owned(),
    }
}
