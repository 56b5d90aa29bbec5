//! The header of a section.

use super::code;
use super::interface::text_of;
use super::options::{MAX_TEXT, Options, cut, put_end, put_text};

/// Comments kept of a section that is read, and bytes of all of them.
const MAX_COMMENTS: usize = 256;
const MAX_BYTES: usize = 1 << 20;

/// What a section header says about who wrote the section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section {
    /// `shb_hardware`; empty where not stated.
    pub hardware: String,
    /// `shb_os`; empty where not stated.
    pub os: String,
    /// `shb_userappl`; empty where not stated.
    pub application: String,
    /// The section's comments, up to 256 of 1 MiB together. Of each, up to 65 532 bytes are written.
    pub comments: Vec<String>,
}

impl Section {
    pub(super) fn of(options: Options<'_>) -> Section {
        let mut section = Section::default();
        let mut bytes = 0;
        for (code, value) in options {
            match code {
                code::COMMENT if section.comments.len() < MAX_COMMENTS && bytes + value.len() <= MAX_BYTES => {
                    bytes += value.len();
                    let text = String::from_utf8_lossy(value);
                    let text = text.trim_end_matches('\0');
                    if !text.is_empty() {
                        section.comments.push(text.to_owned());
                    }
                }
                code::SECTION_HARDWARE => section.hardware = text_of(value),
                code::SECTION_OS => section.os = text_of(value),
                code::SECTION_APPLICATION => section.application = text_of(value),
                _ => {}
            }
        }
        section
    }

    /// Appends the options that say this, or where it says nothing what `found` says, with `comments` behind those of either.
    pub(super) fn put_options<'c>(
        &'c self,
        found: &'c Section,
        comments: impl Iterator<Item = &'c str>,
        out: &mut Vec<u8>,
    ) {
        let own = if self.comments.is_empty() { &found.comments } else { &self.comments };
        for comment in own.iter().map(String::as_str).chain(comments) {
            let kept = cut(comment, MAX_TEXT);
            if kept.len() < comment.len() {
                log::warn!("a comment of {} bytes is cut to {}: an option holds no more", comment.len(), kept.len());
            }
            put_text(out, code::COMMENT, kept);
        }
        fn chosen<'t>(own: &'t str, found: &'t str) -> &'t str {
            if own.is_empty() { found } else { own }
        }
        put_text(out, code::SECTION_HARDWARE, chosen(&self.hardware, &found.hardware));
        put_text(out, code::SECTION_OS, chosen(&self.os, &found.os));
        put_text(out, code::SECTION_APPLICATION, chosen(&self.application, &found.application));
        put_end(out);
    }
}
