//! [`CardInfo`]: what can be told of a card.

use erf::Tick;

/// Who made a card's stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StampSource {
    /// The hardware of a DAG card, on the wire.
    Card,
    /// The kernel, in software: microseconds of error, whatever the tick.
    Kernel,
    /// Nobody: the packets are invented.
    Synthetic,
    /// A recording played back.
    Replay,
    /// A unit test.
    Script,
}

impl StampSource {
    /// The word used in files and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Kernel => "kernel",
            Self::Synthetic => "synthetic",
            Self::Replay => "replay",
            Self::Script => "script",
        }
    }
}

/// A card, described.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CardInfo {
    /// Model; an emulated card says here that it is one.
    pub model: String,
    /// Whether the card is emulated, so that its data is no measurement of a wire.
    pub emulated: bool,
    /// What it is fed from, in words; for a real card its bus and revision.
    pub description: String,
    /// Who makes the stamps.
    pub stamp_source: StampSource,
    /// How wrong a stamp may be, in nanoseconds, where that is known.
    pub stamp_error_ns: Option<u64>,
    /// Step of the clock, where the card tells. A resolution, not an accuracy.
    pub tick: Option<Tick>,
    /// Ports in order.
    pub ports: Vec<PortInfo>,
    /// Receive streams: numbers 0, 2, ... `2 * (rx_streams - 1)`.
    pub rx_streams: u16,
    /// Memory of each stream in bytes; of the largest where they differ.
    pub stream_memory: u64,
    /// Bytes stored of each packet, where the card tells.
    pub snaplen: Option<u16>,
}

/// A port of a card.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PortInfo {
    /// Its number, the interface of its records.
    pub number: u8,
    /// The network interface behind it, for an emulated card that taps one.
    pub name: Option<String>,
    /// What arrives there.
    pub description: Option<String>,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Link speed in bits per second.
    pub speed: Option<u64>,
    /// Whether the link was up when the card was opened.
    pub link_up: bool,
}
