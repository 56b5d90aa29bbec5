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

/// A stream of a card, and what it has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// Its number: even ones receive, odd ones transmit.
    pub number: u16,
    /// Its memory in bytes; 0 where it has none, and so cannot be attached.
    pub memory: u64,
    /// Process number of its owner, where the card tells.
    pub owner: Option<u32>,
    /// Records dropped since it was attached, where the card counts; 32 bits, wraps.
    pub dropped: Option<u32>,
    /// Records sent, where the card counts.
    pub sent: Option<u64>,
}

impl StreamInfo {
    /// Whether it sends, and does not receive.
    pub fn transmits(&self) -> bool {
        self.number % 2 == 1
    }
}

/// What a port is doing, as far as the card tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortCount {
    /// Its number, the interface of its records.
    pub number: u8,
    /// Whether packets are let in.
    pub enabled: Option<bool>,
    /// Whether its link is up.
    pub link_up: Option<bool>,
    /// Packets that have arrived.
    pub packets: Option<u64>,
    /// Their bytes on the wire.
    pub bytes: Option<u64>,
}

/// What a card has counted, and how it is set, now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Streams by number.
    pub streams: Vec<StreamInfo>,
    /// Ports by number.
    pub ports: Vec<PortCount>,
    /// Bytes stored of each packet.
    pub snaplen: Option<u16>,
    /// Records as long as their packet, or slots of one length.
    pub varlen: Option<bool>,
}

/// A setting of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// Bytes stored of each packet, from the next packet on. Records are then cut down to a multiple of 8.
    Snaplen(u16),
    /// Records as long as their packet, or slots of one length.
    Varlen(bool),
    /// Whether packets are let in at a port.
    PortEnabled {
        /// The port.
        port: u8,
        /// Whether they are.
        on: bool,
    },
    /// Whether the link of a port of an emulated card is up.
    PortLink {
        /// The port.
        port: u8,
        /// Whether it is.
        up: bool,
    },
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
