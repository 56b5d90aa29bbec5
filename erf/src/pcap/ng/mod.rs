//! pcapng: reader, and writer that takes ERF records.
//!
//! The reader gives the packets of enhanced, simple and obsolete packet blocks, of any number of
//! sections in either byte order; it takes interfaces, their stamp resolution, offset, FCS length and
//! names into account, keeps their statistics, and passes over every other block. The writer makes
//! one section with an interface for every (Host ID, Source ID, port, link type) it meets; with
//! [`WriterOptions::lossless`] the records come back from it byte for byte (`docs/lossless.md`).

mod comments;
mod described;
mod interface;
mod known;
mod lossless;
mod options;
mod reader;
mod remarks;
mod section;
mod writer;

use erf_core::Timestamp;

use super::LinkType;
use super::order::Order;
use options::Options;

pub(crate) use described::HOST_COMMENT;
pub(crate) use lossless::Restored;
pub(crate) use options::cut;
pub(crate) use reader::Item;

pub use interface::{Interface, Statistics};
pub use known::Known;
pub use reader::Reader;
pub use section::Section;
pub use writer::{Writer, WriterOptions};

/// Block types (draft-ietf-opsawg-pcapng, section 11.1).
mod block {
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const OBSOLETE_PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const NAME_RESOLUTION: u32 = 4;
    pub(super) const STATISTICS: u32 = 5;
    pub(super) const ENHANCED_PACKET: u32 = 6;
    pub(super) const DECRYPTION_SECRETS: u32 = 10;
    pub(super) const CUSTOM: u32 = 0x0000_0BAD;
    /// Not to be copied by a program that changes the file.
    pub(super) const CUSTOM_NO_COPY: u32 = 0x4000_0BAD;
    pub(super) const SECTION: u32 = 0x0A0D_0D0A;
}

/// The comments among the options of a packet.
pub(super) fn comments(options: &[u8], order: Order) -> impl Iterator<Item = &str> {
    let comments = Options::new(options, order).filter(|&(code, _)| code == code::COMMENT);
    comments.filter_map(|(_, value)| std::str::from_utf8(value).ok())
}

/// See [`lossless::restore`].
pub(super) fn restore(
    options: &[u8],
    order: Order,
    link_type: LinkType,
    captured: &[u8],
    timestamp: Option<Timestamp>,
    buffer: &mut [u8],
) -> Option<Restored> {
    lossless::restore(Options::new(options, order), order, link_type, captured, timestamp, buffer)
}

/// The byte-order magic of a section header.
const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;

/// Option codes, by the block they belong to; those of 0 and 1 belong to all.
mod code {
    pub(super) const END: u16 = 0;
    pub(super) const COMMENT: u16 = 1;
    pub(super) const CUSTOM_BINARY: u16 = 2989;
    pub(super) const SECTION_HARDWARE: u16 = 2;
    pub(super) const SECTION_OS: u16 = 3;
    pub(super) const SECTION_APPLICATION: u16 = 4;
    pub(super) const IF_NAME: u16 = 2;
    pub(super) const IF_DESCRIPTION: u16 = 3;
    pub(super) const IF_MAC: u16 = 6;
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
