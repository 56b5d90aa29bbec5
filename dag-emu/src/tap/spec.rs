//! How a tap is to be opened.

use std::time::Duration;

use super::error::TapError;
use super::netns::Iface;
use super::tpacket::RingSpec;

/// Which interfaces to tap, and how. [`TapSpec::new`] fills in what is seldom changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapSpec {
    /// One interface, both directions of it, or two, what arrives at each.
    pub ifaces: Vec<Iface>,
    /// Bytes kept of each frame, 1 or more, counted as on the wire without FCS.
    pub snaplen: u32,
    /// Longest frame that a record can hold, bytes on the wire without FCS. A longer one, which
    /// only segmentation offload or an MTU of 64 KiB makes, is cut to this and counted.
    pub longest: u32,
    /// Let the kernel cut frames to `snaplen`: less to copy, but an offloaded checksum of a cut
    /// frame cannot be completed. Otherwise the kernel hands over whole frames, and the tap cuts
    /// them when their checksum is right.
    pub cut_in_kernel: bool,
    /// The ring of each interface.
    pub ring: RingSpec,
    /// Receive frames for other stations too, as a tap on a wire does.
    pub promiscuous: bool,
    /// With two interfaces, how long a frame may wait for an earlier one of the other interface.
    /// See [`Tap`](super::Tap) on order.
    pub hold: Duration,
}

impl TapSpec {
    /// Longest frame of an ERF record whose wire length, a 16-bit field, counts a 4-byte FCS.
    pub const LONGEST: u32 = 65535 - 4;

    /// Whole frames, promiscuous, the default ring, a hold of 10 ms.
    #[must_use]
    pub fn new(ifaces: Vec<Iface>) -> TapSpec {
        TapSpec {
            ifaces,
            snaplen: Self::LONGEST,
            longest: Self::LONGEST,
            cut_in_kernel: false,
            ring: RingSpec::default(),
            promiscuous: true,
            hold: Duration::from_millis(10),
        }
    }

    /// Bytes of a frame that the kernel puts into the ring.
    pub(super) fn kernel_snap(&self) -> u32 {
        if self.cut_in_kernel { self.snaplen.min(self.longest) } else { self.longest }
    }

    /// # Errors
    ///
    /// What can be refused without asking the kernel.
    pub(super) fn check(&self) -> Result<(), TapError> {
        match self.ifaces.as_slice() {
            [_] => {}
            [a, b] if a == b => return Err(TapError::NamedTwice { iface: a.clone() }),
            [_, _] => {}
            other => return Err(TapError::InterfaceCount { given: other.len() }),
        }
        self.ifaces.iter().try_for_each(Iface::check)?;
        if self.snaplen == 0 || self.longest == 0 {
            let what = format!("for {} of {} bytes of a frame", self.snaplen, self.longest);
            return Err(TapError::BadRing { what, why: "a snap length is one byte or more" });
        }
        self.ring.check(self.kernel_snap())
    }
}
