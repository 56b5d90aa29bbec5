//! What client and server say to each other: one JSON object a message.

use serde::{Deserialize, Serialize};

/// Both sides speak this version, or not with each other.
pub(super) const VERSION: u32 = 1;

/// The longest message in bytes.
pub(super) const LONGEST: usize = 64 << 10;

/// From the client. After [`Attach`](Self::Attach) was granted, each further message says only that there is a request in the
/// registers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// What are you?
    Status { version: u32 },
    /// I want to own this receive stream.
    Attach { version: u32, stream: u16, transmit: bool, reverse: bool },
    /// A setting of the card.
    Set { version: u32, setting: Setting },
    /// End.
    Stop { version: u32 },
}

impl Request {
    pub(super) fn version(&self) -> u32 {
        match self {
            Self::Status { version }
            | Self::Attach { version, .. }
            | Self::Set { version, .. }
            | Self::Stop { version } => *version,
        }
    }
}

/// What can be set from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Setting {
    Snaplen(u16),
    Varlen(bool),
    PortEnabled { port: u8, on: bool },
    PortLink { port: u8, up: bool },
}

/// From the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    Status(Box<Status>),
    /// With two descriptors: memory and registers.
    Attached,
    Done,
    Refused {
        reason: Reason,
        text: String,
    },
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    NoSuchStream,
    NoMemory,
    NoReverse,
    Busy,
    Version,
    Malformed,
    Gone,
}

/// A served card, as it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// Version of the protocol.
    pub version: u32,
    /// Process number of the server.
    pub pid: u32,
    /// What it is fed from, in words.
    pub feed: String,
    /// Who makes the stamps: `kernel`, `synthetic`, `replay`, `script`.
    pub stamp_source: String,
    /// How wrong a stamp may be, in nanoseconds.
    pub stamp_error_ns: Option<u64>,
    /// Active bits of the clock's fraction.
    pub tick_bits: u8,
    /// Whether the clock says that it is synchronised.
    pub synchronised: bool,
    /// Bytes stored of each packet.
    pub snaplen: u16,
    /// Records as long as their packet.
    pub varlen: bool,
    /// Memory of each stream in bytes.
    pub memory: u64,
    /// Streams without memory, behind the others.
    pub bare_streams: u16,
    /// Transmit streams: numbers 1, 3, ...
    pub tx_streams: Vec<TxStatus>,
    /// Whether a program may play the card.
    pub reversible: bool,
    /// The ports in order.
    pub ports: Vec<PortStatus>,
    /// Receive streams with memory, in order: numbers 0, 2, ...
    pub streams: Vec<StreamStatus>,
    /// What there is to say about what the feed has seen.
    pub notes: Vec<String>,
    /// Defects in what is replayed.
    pub defects: u64,
    /// What ended the feed, if it was an error.
    pub failure: Option<String>,
}

/// A port of a served card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PortStatus {
    /// Whether packets are let in.
    pub enabled: bool,
    /// Whether its link is up.
    pub link_up: bool,
    /// Packets that have arrived.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// The interface behind it.
    pub name: Option<String>,
    /// What arrives there.
    pub description: Option<String>,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Bits per second.
    pub speed: Option<u64>,
}

/// A transmit stream of a served card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TxStatus {
    /// Process number of its owner.
    pub owner: Option<i32>,
    /// Records sent.
    pub records: u64,
    /// What was no record.
    pub bad: u64,
    /// Records that the interface behind the card did not take.
    #[serde(default)]
    pub failed: u64,
}

/// A receive stream of a served card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamStatus {
    /// Process number of its owner.
    pub owner: Option<i32>,
    /// Records dropped since it was attached.
    pub dropped: u32,
    /// Those of them that no record has told yet.
    pub untold: u64,
}
