//! The header of a section.

use super::code;
use super::interface::text_of;
use super::options::Options;

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
    /// The section's first comment; empty where there is none.
    pub comment: String,
}

impl Section {
    pub(super) fn of(options: Options<'_>) -> Section {
        let mut section = Section::default();
        for (code, value) in options {
            match code {
                code::COMMENT if section.comment.is_empty() => section.comment = text_of(value),
                code::SECTION_HARDWARE => section.hardware = text_of(value),
                code::SECTION_OS => section.os = text_of(value),
                code::SECTION_APPLICATION => section.application = text_of(value),
                _ => {}
            }
        }
        section
    }
}
