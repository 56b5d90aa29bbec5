//! Real packets for the emulated card: a software tap on one or two live Ethernet interfaces.
//!
//! [`Tap`] yields [`Frame`]s as they were on the wire, in order, with the kernel's stamps, and an
//! account of what the kernel could not keep. It knows nothing of records and cards.
//!
//! # What a stamp means
//!
//! A stamp is software's: the kernel reads the host's clock (`CLOCK_REALTIME`, in nanoseconds) when
//! the frame passes the point at which packets are tapped.
//!
//! * An arriving frame is stamped when the driver hands it to the network stack, before any queue
//!   between processors. On a veth pair, a bridge port and other interfaces without hardware this
//!   is in the sender's own context (with `net.core.netdev_tstamp_prequeue` at 1, as is the
//!   default). With hardware, interrupt coalescing and NAPI polling lie between wire and stamp.
//! * A leaving frame is stamped behind the queueing discipline and before the driver.
//!
//! The error is **microseconds**: at rest about 1.4 us (99th percentile 1.9) from the driver's
//! transmit to the stamp on the far end of a veth pair and 0.7 us (1.0) on the way in; under
//! network stress up to 18 us at the 99th percentile (`wire-truth-lab.md` section 3.2). The
//! resolution of a nanosecond, or of a card's tick, says nothing about it. On a host that steps or
//! slews its clock the stamps follow.
//!
//! # Latency
//!
//! The kernel hands frames over in blocks: when a block is full, or after
//! [`RingSpec::block_timeout`]. A frame thus reaches the reader after up to that time, at a low
//! rate, plus, with two interfaces, up to [`TapSpec::hold`]. Neither touches its stamp.

mod checksum;
mod error;
mod frame;
mod iface;
mod lane;
mod netns;
mod sender;
mod socket;
mod spec;
mod stats;
#[cfg(test)]
mod tests;
mod tpacket;
mod vlan;
mod wake;

pub use checksum::ChecksumState;
pub use error::TapError;
pub use frame::Frame;
pub use iface::InterfaceInfo;
pub use netns::Iface;
pub(crate) use sender::Sender;
pub use spec::TapSpec;
pub use stats::{IfaceStats, PortStats, TapStats, offload_advice};
pub use tpacket::RingSpec;
pub use wake::Waker;

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::time::{Duration, Instant};

use lane::{Direction, Lane, Source};
use socket::{PacketSocket, SocketSpec};

/// A software tap on one or two interfaces.
///
/// With one interface, **port 0 is what arrives at it, port 1 what leaves it**. With two, A and B,
/// **port 0 is what arrives at A, port 1 what arrives at B**, and what leaves either is not looked
/// at: on a machine that forwards between A and B it is the same packet once more.
///
/// Frames count from the moment when [`open`](Tap::open) returns.
///
/// # Order
///
/// The frames of one port come in the order in which they stand in the kernel's ring, always.
/// Between ports they are merged by stamp. With two interfaces the earlier frame may be in a block
/// that the kernel has not handed over yet, so a frame waits until the other interface has one to
/// compare with, or until its own block has been in hand for [`TapSpec::hold`]. Blocks are handed
/// over at the latest one block timeout after their first frame, give or take a tick of the kernel:
/// with a hold above that the order is exact, however idle one side is. A hold of zero never waits.
/// Frames that came out of order all the same (a reader far behind, a clock set back) are counted
/// in [`TapStats::reordered`].
#[derive(Debug)]
pub struct Tap {
    sources: Vec<Source>,
    lanes: [Lane; 2],
    waker: Waker,
    snaplen: usize,
    longest: u32,
    /// Time for the kernel to hand over what it has.
    settle: Duration,
    /// The intake is stopped, and at this time the kernel has handed over the rest.
    drained_at: Option<Instant>,
    last_ns: u64,
    reordered: u64,
}

/// What ended a [`Tap::poll`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ready {
    /// [`Tap::next_frame`] has a frame.
    pub frames: bool,
    /// A [`Waker`] was used.
    pub woken: bool,
    /// An interface went down or was removed; [`Tap::interface`] tells. It has been logged.
    pub link_lost: bool,
}

impl Tap {
    /// Opens a tap, in which frames arrive from now on.
    ///
    /// An interface that is down is no error: it is logged, and its frames come once it is up.
    ///
    /// # Errors
    ///
    /// A wrong specification; no such namespace or interface; a missing capability (`CAP_NET_RAW`,
    /// and `CAP_SYS_ADMIN` for another namespace); an interface that is not Ethernet; no memory for
    /// the ring.
    pub fn open(spec: &TapSpec) -> Result<Tap, TapError> {
        spec.check()?;
        let pair = spec.ifaces.len() == 2;
        let options = SocketSpec {
            ring: &spec.ring,
            kernel_snap: spec.kernel_snap(),
            promiscuous: spec.promiscuous,
            arriving_only: pair,
        };
        let sources = spec
            .ifaces
            .iter()
            .map(|iface| Ok(Source::new(PacketSocket::open(iface, &options)?, pair.then_some(spec.hold))))
            .collect::<Result<Vec<_>, TapError>>()?;
        let lanes = if pair {
            [Lane::new(0, 0, Direction::Arriving), Lane::new(1, 1, Direction::Arriving)]
        } else {
            [Lane::new(0, 0, Direction::Arriving), Lane::new(0, 1, Direction::Leaving)]
        };
        let system = |iface: &Iface, call, source| TapError::System { iface: iface.clone(), call, source };
        let waker = Waker::new().map_err(|source| system(&spec.ifaces[0], "eventfd", source))?;
        // All is prepared: the interfaces begin within microseconds of each other.
        for source in &sources {
            let info = &source.socket.opened_on;
            source.socket.bind().map_err(|error| system(&info.iface, "bind", error))?;
            if !info.up {
                log::warn!("{0} is down: no packets until `ip link set {1} up`", info.iface, info.iface.name);
                // Bound to an interface that is down, the socket holds ENETDOWN ready; it has just
                // been said.
                let _ = source.socket.take_error();
            }
        }
        Ok(Tap {
            sources,
            lanes,
            waker,
            snaplen: spec.snaplen as usize,
            longest: spec.longest,
            // Kernels before 6.18 round the timeout up to their tick, 10 ms at most, and may take
            // one more.
            settle: spec.ring.block_timeout * 2 + Duration::from_millis(20),
            drained_at: None,
            last_ns: 0,
            reordered: 0,
        })
    }

    /// The next frame, if one is there and its turn has come. Never waits.
    ///
    /// The frame lies in the kernel's ring. Its block is given back by the call after the block's
    /// last frame, to this function or to [`poll`](Tap::poll), so a reader that holds on to a frame
    /// delays the kernel, which drops and counts once all other blocks are full.
    #[must_use]
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        self.refill();
        let chosen = self.choose()?;
        let lane = &mut self.lanes[chosen];
        let header = lane.take()?;
        if header.ns < self.last_ns {
            self.reordered += 1;
        }
        self.last_ns = header.ns;
        let source = &mut self.sources[lane.source];
        let lost_before = std::mem::take(&mut source.unreported);
        let superframe = header.len > source.longest_segment();
        if (superframe || header.len > self.longest) && !std::mem::replace(&mut source.advised, true) {
            let iface = &source.socket.opened_on.iface;
            log::warn!(
                "{iface} has a frame of {} bytes, longer than its MTU allows: segmentation offload. \
                 `{}` ends it (on a veth pair, at the other end too)",
                header.len,
                offload_advice(iface),
            );
        }
        let mut frame = Frame::new(lane.port, &header, source.socket.ring.frame(&header));
        frame.lost_before = lost_before;
        frame.over_limit = frame.wire_len > self.longest;
        frame.cut(self.snaplen.min(self.longest as usize));
        lane.count(&frame, superframe);
        Some(frame)
    }

    /// Waits until a frame is there, a [`Waker`] is used, an interface goes, or `timeout` has
    /// passed (`None`: without limit). May return early with nothing.
    ///
    /// # Errors
    ///
    /// [`TapError::Gone`] when the last interface has been removed and all its frames have been
    /// delivered.
    pub fn poll(&mut self, timeout: Option<Duration>) -> Result<Ready, TapError> {
        self.refill();
        let now = Instant::now();
        let wait = if self.choose().is_some() {
            Some(Duration::ZERO)
        } else if let Some(gone) = self.all_gone() {
            return Err(TapError::Gone { iface: gone });
        } else {
            let deadlines = self.sources.iter().map(|source| source.hold_until).chain([self.drained_at]);
            deadlines.flatten().map(|at| at.saturating_duration_since(now)).chain(timeout).min()
        };
        let mut ready = self.wait(wait)?;
        self.refill();
        ready.frames = self.choose().is_some();
        Ok(ready)
    }

    /// So long after a frame was stamped, at the latest, it is to be had from [`next_frame`](Tap::next_frame), if those before it
    /// have been taken.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.settle + self.sources.iter().map(Source::hold).max().unwrap_or_default()
    }

    /// A handle by which another thread ends a wait of this tap.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Stops the intake: frames from now on are neither received nor counted. Those that the kernel
    /// has can still be read, until [`drained`](Tap::drained) says that they are through.
    ///
    /// # Errors
    ///
    /// None on a healthy kernel.
    pub fn stop(&mut self) -> Result<(), TapError> {
        for source in &self.sources {
            source.socket.snap(0).map_err(|error| source.error("setsockopt(SO_ATTACH_FILTER)", error))?;
        }
        self.drained_at = Some(Instant::now() + self.settle);
        Ok(())
    }

    /// Whether the intake is [stopped](Tap::stop) and every frame received before has been
    /// delivered.
    #[must_use]
    pub fn drained(&mut self) -> bool {
        if self.drained_at.is_none_or(|at| Instant::now() < at) {
            return false;
        }
        self.refill();
        self.lanes.iter().all(Lane::is_empty)
    }

    /// Frames lost, by port, that no [`Frame::lost_before`] has told yet, and forgets them: for the
    /// end of a recording, when no frame follows the loss. With one interface, whose loss has no
    /// known direction, all of it stands under port 0.
    ///
    /// # Errors
    ///
    /// None on a healthy kernel.
    pub fn take_lost(&mut self) -> Result<[u64; 2], TapError> {
        let mut lost = [0; 2];
        for (source, lost) in self.sources.iter_mut().zip(&mut lost) {
            source.count().map_err(|error| source.error("getsockopt(PACKET_STATISTICS)", error))?;
            *lost = std::mem::take(&mut source.unreported);
        }
        Ok(lost)
    }

    /// Counts since the tap was opened, up to now. A loss that it finds goes to the
    /// [`lost_before`](Frame::lost_before) of the next frame, which may be one that arrived before
    /// the loss.
    ///
    /// # Errors
    ///
    /// None on a healthy kernel.
    pub fn stats(&mut self) -> Result<TapStats, TapError> {
        for source in &mut self.sources {
            source.count().map_err(|error| source.error("getsockopt(PACKET_STATISTICS)", error))?;
        }
        Ok(TapStats {
            ports: [self.lanes[0].stats, self.lanes[1].stats],
            interfaces: self.sources.iter().map(|source| source.stats.clone()).collect(),
            reordered: self.reordered,
        })
    }

    /// The interface of a port as it is now: link, speed, addresses. `None` if there is no such
    /// port.
    ///
    /// # Errors
    ///
    /// [`TapError::Gone`] if it has been removed.
    pub fn interface(&self, port: u8) -> Option<Result<InterfaceInfo, TapError>> {
        let source = self.source(port)?;
        Some(source.socket.interface().map_err(|error| match error.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => TapError::Gone { iface: source.iface().clone() },
            _ => source.error("asking about the interface", error),
        }))
    }

    /// The interface of a port as it was when the tap was opened. `None` if there is no such port.
    #[must_use]
    pub fn opened_on(&self, port: u8) -> Option<&InterfaceInfo> {
        Some(&self.source(port)?.socket.opened_on)
    }

    fn source(&self, port: u8) -> Option<&Source> {
        let lane = self.lanes.iter().find(|lane| lane.port == port)?;
        self.sources.get(lane.source)
    }

    /// Gives read blocks back, opens the next ones, and finds the first undelivered frame of each
    /// port.
    fn refill(&mut self) {
        for (index, source) in self.sources.iter_mut().enumerate() {
            loop {
                let mut empty = true;
                for lane in self.lanes.iter_mut().filter(|lane| lane.source == index) {
                    lane.advance(source);
                    empty &= lane.is_empty();
                }
                if !empty {
                    break;
                }
                let Some(block) = source.next_block() else {
                    break;
                };
                for lane in self.lanes.iter_mut().filter(|lane| lane.source == index) {
                    lane.enter(&block);
                }
            }
        }
    }

    /// The lane whose frame is next, if its turn has come.
    fn choose(&mut self) -> Option<usize> {
        let [a, b] = &self.lanes;
        match (a.stamp(), b.stamp()) {
            (None, None) => None,
            (Some(a), Some(b)) => Some(usize::from(b < a)),
            (Some(_), None) => self.may_pass(0, 1).then_some(0),
            (None, Some(_)) => self.may_pass(1, 0).then_some(1),
        }
    }

    /// Whether the frame of `lane` need not wait for one of `other`, which has none at hand.
    fn may_pass(&mut self, lane: usize, other: usize) -> bool {
        let (lane, other) = (self.lanes[lane].source, self.lanes[other].source);
        lane == other || self.sources[other].gone || self.sources[lane].hold_is_over()
    }

    /// The last interface, if none is left.
    fn all_gone(&self) -> Option<Iface> {
        let all = self.sources.iter().all(|source| source.gone);
        self.sources.last().filter(|_| all).map(|source| source.iface().clone())
    }

    /// One ppoll(2) over the waker and those sources that have no block at hand: the kernel calls a
    /// socket readable as long as its newest full block has not been given back.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<Ready, TapError> {
        let watch = |fd, events| libc::pollfd { fd, events, revents: 0 };
        let mut fds = [watch(self.waker.as_fd().as_raw_fd(), libc::POLLIN), watch(-1, 0), watch(-1, 0)];
        for (entry, source) in fds[1..].iter_mut().zip(&self.sources) {
            if !source.gone && source.socket.ring.current().is_none() {
                *entry = watch(source.socket.fd().as_raw_fd(), libc::POLLIN);
            }
        }
        let timeout = timeout.map(|timeout| libc::timespec {
            tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos() as libc::c_long,
        });
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: `fds` is an array of the length given, `timeout` null or a timespec of this
        // frame; an entry with a negative descriptor is skipped, and the others are open as long as
        // `self`.
        let events = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout, ptr::null()) };
        let mut ready = Ready::default();
        if events < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::Interrupted => Ok(ready),
                _ => Err(self.sources[0].error("ppoll", error)),
            };
        }
        if fds[0].revents != 0 {
            self.waker.clear();
            ready.woken = true;
        }
        for (entry, source) in fds[1..].iter().zip(&mut self.sources) {
            if entry.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0 {
                ready.link_lost |= source.link_error();
            }
        }
        Ok(ready)
    }
}
