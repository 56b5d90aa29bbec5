//! The two streams of frames that a tap merges, and the sockets that they come from.
//!
//! A tap on one interface has one [`Source`] with both directions in one ring, and a [`Lane`] for
//! each direction over the same block. A tap on two interfaces has two sources with one lane each.

use std::io;
use std::time::{Duration, Instant};

use super::checksum::ChecksumState;
use super::error::TapError;
use super::frame::Frame;
use super::netns::Iface;
use super::socket::PacketSocket;
use super::stats::{IfaceStats, PortStats};
use super::tpacket::{Block, Header};

/// Bytes of an Ethernet header.
const ETHERNET_HEADER: u32 = 14;
/// Bytes of the two VLAN tags that fit beside a full MTU.
const TWO_TAGS: u32 = 8;

/// A socket and the account of it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) socket: PacketSocket,
    pub(super) stats: IfaceStats,
    /// Lost frames that no delivered frame has told of.
    pub(super) unreported: u64,
    /// The interface has been removed.
    pub(super) gone: bool,
    /// Frames too long for a wire have been spoken of.
    pub(super) advised: bool,
    /// How long a block's frames wait for those of the other source; `None` without another source.
    hold: Option<Duration>,
    /// When the frames of the open block need not wait any longer; `None` once it has passed.
    pub(super) hold_until: Option<Instant>,
}

impl Source {
    pub(super) fn new(socket: PacketSocket, hold: Option<Duration>) -> Source {
        let iface = socket.opened_on.iface.clone();
        let stats = IfaceStats { iface, seen: 0, lost: 0, freezes: 0, bad_blocks: 0 };
        Source { socket, stats, unreported: 0, gone: false, advised: false, hold, hold_until: None }
    }

    pub(super) fn iface(&self) -> &Iface {
        &self.socket.opened_on.iface
    }

    pub(super) fn error(&self, call: &'static str, source: io::Error) -> TapError {
        TapError::System { iface: self.iface().clone(), call, source }
    }

    /// Longest frame without stripped tag that this interface puts on a wire, bytes without FCS.
    pub(super) fn longest_segment(&self) -> u32 {
        self.socket.opened_on.mtu.saturating_add(ETHERNET_HEADER + TWO_TAGS)
    }

    /// Gives the open block back and opens the next, if the kernel has handed one over.
    pub(super) fn next_block(&mut self) -> Option<Block> {
        self.socket.ring.close();
        self.hold_until = None;
        let block = self.socket.ring.open()?;
        // Every frame of this block was stamped before now. What the other interface stamped before
        // now is handed over within a block timeout, however idle it is: that is what the hold
        // waits for. Measured on the monotonic clock, so that a step of the host's clock neither
        // blocks nor hurries it.
        self.hold_until = self.hold.map(|hold| Instant::now() + hold);
        if block.losing {
            // The ring was full before this block was opened. Asking clears the flag for later
            // blocks; should the kernel refuse, which it does not, the loss is found when it is
            // asked next.
            let _ = self.count();
        }
        Some(block)
    }

    /// How long its frames wait for those of the other source.
    pub(super) fn hold(&self) -> Duration {
        self.hold.unwrap_or_default()
    }

    pub(super) fn hold_is_over(&mut self) -> bool {
        if self.hold_until.is_some_and(|until| Instant::now() >= until) {
            self.hold_until = None;
        }
        self.hold_until.is_none()
    }

    /// Takes over what the kernel has counted.
    pub(super) fn count(&mut self) -> io::Result<()> {
        let counted = self.socket.counted()?;
        self.stats.seen += u64::from(counted.seen);
        self.stats.lost += u64::from(counted.lost);
        self.stats.freezes += u64::from(counted.freezes);
        self.unreported += u64::from(counted.lost);
        Ok(())
    }

    /// Looks at the error that a poll announced; whether the link was lost.
    pub(super) fn link_error(&mut self) -> bool {
        let Err(error) = self.socket.take_error() else {
            return false;
        };
        self.gone = self.socket.interface().is_err();
        if self.gone {
            log::warn!("{} has been removed ({error}); its tap has ended", self.iface());
        } else {
            log::warn!("{} went down ({error}): no packets until it is up again", self.iface());
        }
        true
    }
}

/// Which frames of a ring belong to a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Frames that came in.
    Arriving,
    /// Frames that this host sent through the interface.
    Leaving,
}

/// A walk over the frames of one port.
#[derive(Debug)]
pub(super) struct Lane {
    /// Index of the source.
    pub(super) source: usize,
    pub(super) port: u8,
    pub(super) stats: PortStats,
    direction: Direction,
    /// The first undelivered frame.
    head: Option<Header>,
    /// Offset of the next frame header in the source's open block, and the frames from there on.
    at: usize,
    left: u32,
}

impl Lane {
    pub(super) fn new(source: usize, port: u8, direction: Direction) -> Lane {
        Lane { source, port, direction, stats: PortStats::default(), head: None, at: 0, left: 0 }
    }

    /// Starts on a block that has just been opened.
    pub(super) fn enter(&mut self, block: &Block) {
        self.at = block.first;
        self.left = block.frames;
    }

    /// Walks to the lane's next frame in the open block, if it does not stand at one.
    pub(super) fn advance(&mut self, source: &mut Source) {
        while self.head.is_none() && self.left > 0 {
            let Some(header) = source.socket.ring.header(self.at) else {
                source.stats.bad_blocks += 1;
                self.left = 0;
                return;
            };
            self.at = header.next;
            self.left -= 1;
            let leaving = header.packet_type == libc::PACKET_OUTGOING;
            if leaving == (self.direction == Direction::Leaving) {
                self.head = Some(header);
            }
        }
    }

    /// Whether the open block has no more frames of this lane, as far as [`advance`](Lane::advance)
    /// has looked.
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Stamp of the first undelivered frame.
    pub(super) fn stamp(&self) -> Option<u64> {
        self.head.as_ref().map(|header| header.ns)
    }

    /// Takes the first undelivered frame.
    pub(super) fn take(&mut self) -> Option<Header> {
        self.head.take()
    }

    /// Counts a frame that is delivered.
    pub(super) fn count(&mut self, frame: &Frame<'_>, superframe: bool) {
        let stats = &mut self.stats;
        stats.frames += 1;
        stats.bytes += u64::from(frame.wire_len);
        stats.truncated += u64::from(frame.truncated());
        stats.over_limit += u64::from(frame.over_limit);
        stats.superframes += u64::from(superframe);
        stats.vlan_restored += u64::from(frame.vlan_restored);
        match frame.checksum {
            ChecksumState::Complete => {}
            ChecksumState::CompletedByUs => stats.checksums_completed += 1,
            ChecksumState::Partial => stats.checksums_partial += 1,
        }
    }
}
