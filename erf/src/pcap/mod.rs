//! pcap and pcapng files: readers, and writers that take ERF records.
//!
//! * [`Reader`] and [`Writer`] are classic pcap.
//! * [`ng`] (also `erf::pcapng`) is pcapng.
//! * [`Packets`] reads either, told by its magic.
//!
//! How a packet becomes a record and a record a packet is in [`convert`](crate::convert).

mod any;
mod link_type;
pub mod ng;
mod order;
mod packet;
mod reader;
mod resolution;
#[cfg(test)]
mod tests;
mod writer;

pub use any::Packets;
pub use link_type::LinkType;
pub use packet::Packet;
pub use reader::Reader;
pub use resolution::Resolution;
pub use writer::{Writer, WriterOptions};

/// Bytes read at a time.
const BLOCK: usize = 256 * 1024;

/// Nothing longer is taken for a packet or block, 256 MiB: a length beyond it is damage, not data.
const MAX_PACKET: u32 = 256 << 20;
