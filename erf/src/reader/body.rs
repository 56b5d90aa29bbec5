//! The window that a reader walks, whatever lies behind it.

use super::map::Mapped;
use super::packets::PacketFeed;
use crate::error::Error;
use crate::input::Window;

/// Where the bytes of the records are.
pub(super) enum Body {
    /// Read in blocks into one buffer.
    Blocks {
        window: Window,
        /// Fill a block before lending it. Off for pipes, whose records shall not wait for others.
        eager: bool,
    },
    /// Mapped; boxed, since it is rare.
    Map(Mapped),
    /// Made from pcap or pcapng packets.
    Packets(Box<PacketFeed>),
}

impl Body {
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Body::Blocks { window, .. } => window.bytes(),
            Body::Map(map) => map.bytes(),
            Body::Packets(packets) => packets.bytes(),
        }
    }

    /// Whether nothing follows [`bytes`](Body::bytes).
    pub(super) fn is_last(&self) -> bool {
        match self {
            Body::Blocks { window, .. } => window.is_last(),
            Body::Map(map) => map.is_last(),
            Body::Packets(packets) => packets.is_last(),
        }
    }

    pub(super) fn consume(&mut self, n: usize) {
        match self {
            Body::Blocks { window, .. } => window.consume(n),
            Body::Map(map) => map.consume(n),
            Body::Packets(packets) => packets.consume(n),
        }
    }

    /// Brings in what follows, or finds that nothing does. Whether there is more than before.
    pub(super) fn refill(&mut self) -> bool {
        match self {
            Body::Blocks { window, eager } => window.refill(*eager),
            Body::Map(map) => map.refill(),
            Body::Packets(packets) => packets.refill(),
        }
    }

    pub(super) fn take_error(&mut self) -> Option<Error> {
        match self {
            Body::Blocks { window, .. } => window.take_error(),
            Body::Map(_) => None,
            Body::Packets(packets) => packets.take_error(),
        }
    }
}
