//! pcapng: reader, and writer that takes ERF records.
//!
//! The reader gives the packets of enhanced, simple and obsolete packet blocks, of any number of
//! sections in either byte order; it takes interfaces, their stamp resolution, offset, FCS length and
//! names into account, keeps their statistics, and passes over every other block. The writer makes
//! one section with an interface for every (Host ID, Source ID, port, link type) it meets.

mod described;
mod interface;
mod options;
mod reader;
mod writer;

pub use interface::{Interface, Statistics};
pub use reader::{Reader, Section};
pub use writer::{Writer, WriterOptions};

/// Block types (draft-ietf-opsawg-pcapng, section 11.1).
mod block {
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const OBSOLETE_PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const STATISTICS: u32 = 5;
    pub(super) const ENHANCED_PACKET: u32 = 6;
    pub(super) const SECTION: u32 = 0x0A0D_0D0A;
}

/// The byte-order magic of a section header.
const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;

/// Option codes, by the block they belong to; those of 0 and 1 belong to all.
mod code {
    pub(super) const END: u16 = 0;
    pub(super) const COMMENT: u16 = 1;
    pub(super) const SECTION_HARDWARE: u16 = 2;
    pub(super) const SECTION_OS: u16 = 3;
    pub(super) const SECTION_APPLICATION: u16 = 4;
    pub(super) const IF_NAME: u16 = 2;
    pub(super) const IF_DESCRIPTION: u16 = 3;
    pub(super) const IF_SPEED: u16 = 8;
    pub(super) const IF_TSRESOL: u16 = 9;
    pub(super) const IF_FILTER: u16 = 11;
    pub(super) const IF_FCSLEN: u16 = 13;
    pub(super) const IF_TSOFFSET: u16 = 14;
    pub(super) const PACKET_FLAGS: u16 = 2;
    pub(super) const PACKET_DROP_COUNT: u16 = 4;
    pub(super) const ISB_START: u16 = 2;
    pub(super) const ISB_END: u16 = 3;
    pub(super) const ISB_RECEIVED: u16 = 4;
    pub(super) const ISB_DROPPED: u16 = 5;
}
