//! [`Arrival`]: a packet as it reaches a port, before the card has made a record of it.

use erf_core::{Flags, RecordType, Timestamp};

/// A packet at a port of the card.
///
/// The card adds what is its own: the stamp of its clock, the loss counter, the snap length, the alignment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// Port 0..=7, the record's interface.
    pub(crate) port: u8,
    /// True time of arrival; the card's clock makes a stamp of it.
    pub(crate) time: Timestamp,
    /// The record's type.
    pub(crate) record_type: RecordType,
    /// Error bits; the interface is put in by the card.
    pub(crate) flags: Flags,
    /// Colour, for the types that carry one in place of the loss counter.
    pub(crate) color: u16,
    /// Length on the wire, FCS included, at most 65 535.
    pub(crate) wire_len: u16,
    /// Extension headers as they are to be stored ("more" bits set right); a multiple of 8 bytes.
    pub(crate) ext: &'a [u8],
    /// Sub-header: as many bytes as the type has.
    pub(crate) sub_header: &'a [u8],
    /// The stored bytes of the packet in pieces (some may be empty), FCS included, at most `wire_len` together.
    pub(crate) packet: Pieces<'a>,
}

/// A packet in pieces, in order.
pub(crate) type Pieces<'a> = [&'a [u8]; 6];

/// One piece as [`Pieces`].
pub(crate) fn whole(packet: &[u8]) -> Pieces<'_> {
    [packet, &[], &[], &[], &[], &[]]
}

impl<'a> Arrival<'a> {
    /// A good Ethernet frame, FCS included, all of it there.
    pub(crate) fn ethernet(port: u8, time: Timestamp, frame: &'a [u8]) -> Self {
        Self {
            port,
            time,
            record_type: RecordType::ETH,
            flags: Flags::default(),
            color: 0,
            // Callers make frames of at most 65 535 bytes; a longer one is a snapped one.
            wire_len: u16::try_from(frame.len()).unwrap_or(u16::MAX),
            ext: &[],
            sub_header: &[0, 0],
            packet: whole(frame),
        }
    }
}
