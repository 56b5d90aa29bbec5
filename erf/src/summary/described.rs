//! [`Described`]: what the META records of a file say.

use crate::identity::{Identity, ImplicitHost};
use crate::meta::{Meta, SectionRef, SectionType, TagType};
use crate::session::{EndWatch, Ending};
use crate::{Record, Timestamp};

/// Objects kept at most.
const OBJECTS: usize = 1024;

/// Tags of an object kept at most.
const TAGS: usize = 128;

/// Comments kept at most.
const COMMENTS: usize = 100;

/// Characters of a value kept at most.
const TEXT: usize = 512;

/// Something that META records speak about: a host, a card, an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Object {
    /// Which host and source says so; the interface is that of the record's flags and means nothing.
    pub said_by: Identity,
    /// What it is, and its number.
    pub section: SectionRef,
    /// When it was said; of two statements the newer holds (`erf-format.md` section 7.3).
    pub generated: Timestamp,
    /// What is said, in the order of the record: tag and value in words.
    pub tags: Vec<(TagType, String)>,
}

impl Object {
    /// The value of a tag.
    pub fn get(&self, tag_type: TagType) -> Option<&str> {
        self.tags.iter().find(|(tag, _)| *tag == tag_type).map(|(_, text)| text.as_str())
    }
}

/// A remark in a META record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comment {
    /// Where the record stands.
    pub offset: u64,
    /// Its stamp.
    pub timestamp: Timestamp,
    /// The text.
    pub text: String,
}

/// What META records say: who captured, with what, and how it ended.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Described {
    /// The host of the records that do not name theirs.
    pub host: ImplicitHost,
    /// What is spoken about, in order of appearance.
    pub objects: Vec<Object>,
    /// Comments, in order of appearance; repeated ones once.
    pub comments: Vec<Comment>,
    /// Objects and comments that are not kept.
    pub left_out: u64,
    watch: EndWatch,
    /// An opening or closing record was met.
    marked: bool,
    /// The last mark was a closing one, and nothing has come since.
    closed: bool,
    /// A packet or damage came after the last mark, or there was none.
    disturbed: bool,
}

impl Described {
    pub(super) fn add(&mut self, offset: u64, record: &Record<'_>) {
        let before = self.host.host_id();
        if before.is_none() {
            self.host.observe_meta(record.ext_headers());
        }
        self.mark(record);
        let said_by = Identity { interface: 0, ..Identity::new(record.ext_headers(), 0) };
        let meta = Meta::new(record.payload());
        let generated = meta.gen_time().unwrap_or(record.timestamp());
        for section in meta.sections() {
            let comments = section.tags().flatten().filter(|tag| tag.tag_type() == TagType::COMMENT);
            for text in comments.filter_map(|tag| tag.value().as_text()).map(|text| clip(text.to_string())) {
                self.comment(Comment { offset, timestamp: record.timestamp(), text });
            }
            let Some(reference) = section.reference().filter(|_| !section.is_local()) else { continue };
            let known = self.objects.iter().position(|object| object.said_by == said_by && object.section == reference);
            if known.is_some_and(|at| self.objects[at].generated >= generated) {
                continue;
            }
            let tags = section.tags().flatten().filter(|tag| tag.value().is_usable()).take(TAGS);
            let tags = tags.map(|tag| {
                let text = match tag.value_name() {
                    Some(name) => name.to_owned(),
                    None => tag.value().to_string(),
                };
                (tag.tag_type(), clip(text))
            });
            self.object(Object { said_by, section: reference, generated, tags: tags.collect() });
        }
    }

    fn mark(&mut self, record: &Record<'_>) {
        // Only a mark changes a watch that has seen none.
        let mut one = EndWatch::new();
        one.observe(record);
        if one.ending() != Ending::Unmarked {
            self.watch = one;
            self.marked = true;
            self.disturbed = false;
        }
        self.closed = matches!(self.watch.ending(), Ending::Closed(_));
    }

    #[inline]
    pub(super) fn packet(&mut self, record: &Record<'_>) {
        self.disturbed = true;
        if self.closed {
            self.watch.observe(record);
            self.closed = false;
        }
    }

    /// Nothing in a packet matters but that there was one.
    pub(super) fn awaits_no_packet(&self) -> bool {
        !self.closed
    }

    /// Packets were seen while [none was awaited](Self::awaits_no_packet).
    pub(super) fn packets(&mut self) {
        self.disturbed = true;
    }

    pub(super) fn damage(&mut self) {
        self.disturbed = true;
        if self.closed {
            self.watch.observe_defect();
            self.closed = false;
        }
    }

    fn object(&mut self, object: Object) {
        let known = self.objects.iter().position(|o| o.said_by == object.said_by && o.section == object.section);
        match known {
            Some(at) if self.objects[at].generated < object.generated => self.objects[at] = object,
            Some(_) => {}
            None if self.objects.len() < OBJECTS => self.objects.push(object),
            None => self.left_out += 1,
        }
    }

    fn comment(&mut self, comment: Comment) {
        match () {
            () if self.comments.iter().any(|known| known.text == comment.text) => {}
            () if self.comments.len() < COMMENTS => self.comments.push(comment),
            () => self.left_out += 1,
        }
    }

    pub(super) fn merge(&mut self, next: Self) {
        if self.host.host_id().is_none() {
            self.host = next.host;
        }
        for object in next.objects {
            self.object(object);
        }
        for comment in next.comments {
            self.comment(comment);
        }
        self.left_out += next.left_out;
        if next.marked {
            (self.watch, self.marked, self.closed) = (next.watch, true, next.closed);
            self.disturbed = next.disturbed;
        } else if next.disturbed {
            self.damage();
        }
    }

    /// How the file ends: with the account of its recording, without, or without a word.
    pub const fn ending(&self) -> Ending {
        self.watch.ending()
    }

    /// The first object of a kind.
    pub fn first(&self, section_type: SectionType) -> Option<&Object> {
        self.objects.iter().find(|object| object.section.section_type == section_type)
    }

    /// The interface that `port` is, as far as META records say: of its own host and source, or else of one that does not say
    /// whose it speaks about.
    pub fn interface(&self, port: Identity) -> Option<&Object> {
        let interfaces = self.objects.iter().filter(|object| {
            object.section.section_type == SectionType::INTERFACE
                && object.section.id.number() == u16::from(port.interface) + 1
        });
        let fit = |object: &&Object| {
            let said_by = self.host.resolve(object.said_by);
            (said_by.host_id == port.host_id, said_by.source_id == port.source_id)
        };
        let best = |object: &&Object| match fit(object) {
            (true, true) => 3,
            // Packets of a file that do not name their source have that of its host.
            (true, false) if port.source_id == 0 => 2,
            _ if object.said_by.host_id == 0 && object.said_by.source_id == 0 => 1,
            _ => 0,
        };
        interfaces.filter(|object| best(object) > 0).max_by_key(best)
    }
}

fn clip(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(TEXT) {
        text.truncate(at);
        text.push('\u{2026}');
    }
    text
}
