//! META records (type 27, "Provenance"): tags and sections about host, card, interface and clock.
//!
//! The payload of a META record is a *tag area*: a list of [`Tag`]s, some of which open a
//! [`Section`] that the following ones belong to. [`Meta`] looks things up in one; [`Tags`] and
//! [`Sections`] walk it; [`MetaWriter`] makes one.
//!
//! Nothing here trusts a length, allocates or recurses. A value that is too short is skipped, an
//! unknown tag is carried, and an area that ends within a tag keeps what came before it:
//! [`MetaDefect`] says where. Source: `erf-format.md` section 7.
//!
//! ```
//! use erf_core::meta::{Meta, SectionType, TagType};
//!
//! // gen_time; section Interface, id 1; its name "a".
//! let area = [
//!     0, 2, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0, 0xFF, 3, 0, 4, 0, 1, 0, 16, 0, 12, 0, 1, b'a', 0, 0, 0,
//! ];
//! let meta = Meta::new(&area);
//! assert_eq!(meta.gen_time().map(|ts| ts.secs()), Some(1));
//! for section in meta.sections().filter(|s| s.is(SectionType::INTERFACE)) {
//!     assert_eq!(section.interface(), Some(0));
//!     assert_eq!(section.value(TagType::NAME).and_then(|v| v.as_str()), Some("a"));
//! }
//! ```

mod enums;
mod inherit;
mod parts;
mod section;
mod section_id;
mod table;
mod tag;
mod value;
mod view;
mod walk;
mod write;

#[cfg(test)]
mod tests;

pub use enums::{
    ClockLinkMode, ClockPortProtocol, ClockQuality, ClockSource, ClockState, DpiState, FlowHashMode, FlowState,
    LinkStatus, PortType, PtpTimeProperties, StreamFlags, TapFailMode, TapMode, TunnelingMode,
};
pub use inherit::InterfaceSettings;
pub use parts::{ExtHeaderSet, NameRecord, SectionHeader, Text};
pub use section::Section;
pub use section_id::{SectionId, SectionRef, SectionType};
pub use table::TagType;
pub use tag::{MetaDefect, MetaDefectKind, Tag};
pub use value::{Value, ValueKind};
pub use view::Meta;
pub use walk::{Sections, Tags};
pub use write::{MetaWriteError, MetaWriter};
