//! [`WriterOptions`]: what a pcapng file shall look like.

use erf_core::Rounding;

use super::super::super::Resolution;
use super::super::Section;
use crate::convert::PacketOptions;

/// What a pcapng file shall look like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterOptions {
    /// How records become packets.
    pub packets: PacketOptions,
    /// Unit of the stamps: nanoseconds, or [`Resolution::ERF`] to keep them exact.
    pub resolution: Resolution,
    /// How stamps become units of the file.
    pub rounding: Rounding,
    /// Write everything a record has, so that the [`Reader`](crate::Reader) gives it again byte for byte: whatever pcapng has no
    /// field for in a custom option of the packet, records that are no packets in custom blocks, and stamps in
    /// [`Resolution::ERF`]. Types without a link type, and InfiniBand, are written as LINKTYPE_ERF. The layout is in `docs/lossless.md`.
    pub lossless: bool,
    /// Snap length to state for the interfaces, in bytes; 0 is none. That of META is not taken: libpcap refuses files whose
    /// interfaces differ in it.
    pub snaplen: u32,
    /// Facts for the section header.
    pub section: Section,
    /// Set the CRC error flag on packets whose record has the RX error flag. A guess: the record does
    /// not say what was wrong.
    pub rx_error_is_crc_error: bool,
}

impl Default for WriterOptions {
    fn default() -> WriterOptions {
        WriterOptions {
            packets: PacketOptions::default(),
            resolution: Resolution::NANOS,
            rounding: Rounding::HalfUp,
            lossless: false,
            snaplen: 0,
            section: Section::default(),
            rx_error_is_crc_error: false,
        }
    }
}
