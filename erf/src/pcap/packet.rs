//! One packet of a pcap or pcapng file.

use erf_core::Timestamp;
use erf_core::identity::Identity;

use super::LinkType;
use super::ng::{self, Restored};
use super::order::Order;

/// One packet, borrowed from the reader that found it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Packet<'a> {
    /// Interface it was captured on: its number within the pcapng section, 0 in classic pcap.
    pub interface: u32,
    /// What it begins with.
    pub link_type: LinkType,
    /// Time of capture, exact down to 2^-32 s. `None` where the file gives none (simple packet blocks)
    /// and where it lies outside 1970..2106, which ERF cannot hold.
    pub timestamp: Option<Timestamp>,
    /// The bytes that were captured.
    pub captured: &'a [u8],
    /// Length in bytes before any snapping.
    pub original_len: u32,
    /// Bytes of frame check sequence at the end of the unsnapped packet, where the file says so.
    pub fcs_len: Option<u8>,
    /// Packets lost on this interface between the previous packet and this one, where the file says so.
    pub drop_count: Option<u64>,
    /// The pcapng packet flags word (direction, reception, FCS length, link-layer errors).
    pub flags: Option<u32>,
    /// The packet's first comment, where it has one in UTF-8.
    pub comment: Option<&'a str>,
    /// The port of ERF that its interface stands for, where this crate has written the file without loss.
    pub identity: Option<Identity>,
    /// Its options in pcapng as they are stored.
    pub(super) options: &'a [u8],
    pub(super) order: Order,
    /// Byte offset of the packet's own header in the decompressed file.
    pub offset: u64,
}

impl<'a> Packet<'a> {
    /// A whole packet without a stamp, on interface 0; set the other fields as needed.
    pub fn new(link_type: LinkType, captured: &'a [u8]) -> Packet<'a> {
        Packet {
            interface: 0,
            link_type,
            timestamp: None,
            captured,
            original_len: u32::try_from(captured.len()).unwrap_or(u32::MAX),
            fcs_len: None,
            drop_count: None,
            flags: None,
            comment: None,
            identity: None,
            options: &[],
            order: Order::Little,
            offset: 0,
        }
    }

    /// All comments of the packet that are UTF-8, in their order.
    pub fn comments(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        ng::comments(self.options, self.order)
    }

    /// Puts the record that the packet was made of into `buffer`, if the packet carries what it takes.
    pub(crate) fn restore(&self, buffer: &mut [u8]) -> Option<Restored> {
        if self.options.is_empty() {
            return None;
        }
        ng::restore(self.options, self.order, self.link_type, self.captured, self.timestamp, buffer)
    }

    /// Whether the end of the packet was not captured.
    pub fn is_snapped(&self) -> bool {
        (self.captured.len() as u64) < u64::from(self.original_len)
    }
}
