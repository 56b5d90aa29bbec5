//! What an [`Opening`](super::Opening) speaks about: host, card, application, interfaces, streams.

use erf_core::Tick;

use super::{ClockInfo, StampSource};

/// The `model` that stands in Host and Module of a recording made with an emulated card, so that its
/// data cannot pass for a measurement by hardware.
pub const EMULATED_MODEL: &str = "dag-emu (emulated card)";

/// The machine that captures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HostInfo {
    /// Its host name.
    pub name: String,
    /// Operating system and version.
    pub os: Option<String>,
    /// Make of the machine. Replaced by [`EMULATED_MODEL`] when the card is emulated.
    pub model: Option<String>,
}

/// The card, or what stands in for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CardInfo {
    /// Device as opened, such as `dag0` or `emu:tap=eth0`.
    pub device: String,
    /// Model. Replaced by [`EMULATED_MODEL`] when emulated.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Firmware.
    pub firmware: Option<String>,
    /// Number of the card in the host.
    pub number: Option<u32>,
    /// Step of the clock that made the stamps; a resolution, not an accuracy.
    pub tick: Option<Tick>,
    /// Who made the stamps.
    pub stamp_source: Option<StampSource>,
    /// How far a stamp may be off, in nanoseconds, where that is known.
    pub stamp_error_ns: Option<u64>,
    /// The card is emulated, whatever route it was reached by.
    pub emulated: bool,
    /// Memory of the card's streams in bytes.
    pub memory: Option<u64>,
    /// What it says of its clock.
    pub clock: ClockInfo,
}

/// The program that records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Application {
    /// A program by name and version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into() }
    }
}

/// A capture port of the card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct InterfaceInfo {
    /// Number, as in the flags of its records: 0..=7.
    pub number: u8,
    /// Name, such as `port 0` or `eth0`.
    pub name: String,
    /// In words.
    pub descr: Option<String>,
    /// MAC address, first byte first.
    pub mac: Option<[u8; 6]>,
    /// Speed in bit/s.
    pub speed: Option<u64>,
    /// Whether the link was up at the start.
    pub link_up: Option<bool>,
}

impl InterfaceInfo {
    /// Interface `number` by name.
    pub fn new(number: u8, name: impl Into<String>) -> Self {
        Self { number, name: name.into(), ..Self::default() }
    }
}

/// A receive stream of the card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Number; receive streams are even.
    pub number: u16,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Snap length of this stream in bytes.
    pub snaplen: Option<u32>,
}

impl StreamInfo {
    /// Stream `number`.
    pub fn new(number: u16) -> Self {
        Self { number, ..Self::default() }
    }
}
