//! [`Ports`]: what can be set at a card's ports while it runs, and what they have counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The most ports a card can have: the interface of a record has three bits (`erf-format.md` 2.1).
pub const MAX_PORTS: u8 = 8;

/// The ports of an emulated card, and the settings they share. Clones are the same ports.
#[derive(Debug, Clone)]
pub struct Ports(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ports: Vec<Port>,
    /// Bytes of a packet that are stored.
    snaplen: AtomicU64,
    /// Records as long as their packet, not slots of one length.
    varlen: AtomicBool,
    /// Where the card really is, if that is another process.
    #[cfg(all(not(miri), target_os = "linux"))]
    remote: Option<crate::serve::Remote>,
}

#[derive(Debug, Default)]
struct Port {
    disabled: AtomicBool,
    link_down: AtomicBool,
    /// A fault has taken the link down.
    link_fault: AtomicBool,
    packets: AtomicU64,
    bytes: AtomicU64,
}

/// What a port has seen since the card was opened, whether a stream was there to take it or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortCount {
    /// Packets that arrived while the port was enabled and its link up.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
}

impl Ports {
    pub(crate) fn new(count: u8, snaplen: u16, varlen: bool) -> Self {
        Self(Arc::new(Inner {
            ports: (0..count).map(|_| Port::default()).collect(),
            snaplen: AtomicU64::new(snaplen.into()),
            varlen: AtomicBool::new(varlen),
            #[cfg(all(not(miri), target_os = "linux"))]
            remote: None,
        }))
    }

    /// The ports of a card of another process, which is told what is set here.
    #[cfg(all(not(miri), target_os = "linux"))]
    pub(crate) fn of(self, remote: crate::serve::Remote) -> Self {
        Self(Arc::new(Inner {
            ports: (0..self.count()).map(|_| Port::default()).collect(),
            snaplen: AtomicU64::new(self.snaplen().into()),
            varlen: AtomicBool::new(self.varlen()),
            remote: Some(remote),
        }))
    }

    /// Shows what the card of another process says.
    #[cfg(all(not(miri), target_os = "linux"))]
    pub(crate) fn show(&self, status: &crate::serve::Status) {
        self.0.snaplen.store(status.snaplen.into(), Ordering::Release);
        self.0.varlen.store(status.varlen, Ordering::Release);
        for (here, there) in self.0.ports.iter().zip(&status.ports) {
            here.disabled.store(!there.enabled, Ordering::Release);
            here.link_down.store(!there.link_up, Ordering::Release);
            here.packets.store(there.packets, Ordering::Release);
            here.bytes.store(there.bytes, Ordering::Release);
        }
    }

    /// Tells the card of another process.
    #[cfg(all(not(miri), target_os = "linux"))]
    fn tell(&self, setting: crate::serve::Setting) {
        if let Some(remote) = &self.0.remote {
            remote.set(setting);
        }
    }

    /// How many ports the card has.
    pub fn count(&self) -> u8 {
        // Made from a u8.
        self.0.ports.len() as u8
    }

    fn get(&self, port: u8) -> Option<&Port> {
        self.0.ports.get(usize::from(port))
    }

    /// Enables or disables a port: nothing arrives at a disabled one. `false` if there is no such port.
    pub fn set_enabled(&self, port: u8, enabled: bool) -> bool {
        let there = self.get(port).map(|p| p.disabled.store(!enabled, Ordering::Release)).is_some();
        #[cfg(all(not(miri), target_os = "linux"))]
        self.tell(crate::serve::Setting::PortEnabled { port, on: enabled });
        there
    }

    /// Whether a port is enabled.
    pub fn is_enabled(&self, port: u8) -> bool {
        self.get(port).is_some_and(|p| !p.disabled.load(Ordering::Acquire))
    }

    /// Takes a port's link up or down: nothing arrives while it is down. `false` if there is no such port.
    pub fn set_link(&self, port: u8, up: bool) -> bool {
        let there = self.get(port).map(|p| p.link_down.store(!up, Ordering::Release)).is_some();
        #[cfg(all(not(miri), target_os = "linux"))]
        self.tell(crate::serve::Setting::PortLink { port, up });
        there
    }

    /// Whether a port's link is up.
    pub fn link_up(&self, port: u8) -> bool {
        self.get(port).is_some_and(|p| !p.link_down.load(Ordering::Acquire) && !p.link_fault.load(Ordering::Acquire))
    }

    /// Sets how many bytes of each packet are stored, from the next packet on. Records are cut down to a multiple of 8, but never
    /// below the word in which their headers end: the first 6 bytes of an Ethernet frame are always there.
    pub fn set_snaplen(&self, bytes: u16) {
        self.0.snaplen.store(bytes.into(), Ordering::Release);
        #[cfg(all(not(miri), target_os = "linux"))]
        self.tell(crate::serve::Setting::Snaplen(bytes));
    }

    /// How many bytes of each packet are stored, before records are cut down to a multiple of 8.
    pub fn snaplen(&self) -> u16 {
        // Only ever set from a u16.
        self.0.snaplen.load(Ordering::Acquire) as u16
    }

    /// Records as long as their packet (the default), or slots of one length, for the snap length.
    pub fn set_varlen(&self, varlen: bool) {
        self.0.varlen.store(varlen, Ordering::Release);
        #[cfg(all(not(miri), target_os = "linux"))]
        self.tell(crate::serve::Setting::Varlen(varlen));
    }

    /// Whether records are as long as their packet.
    pub fn varlen(&self) -> bool {
        self.0.varlen.load(Ordering::Acquire)
    }

    /// What a port has seen.
    pub fn counted(&self, port: u8) -> PortCount {
        self.get(port).map_or(PortCount::default(), |p| PortCount {
            packets: p.packets.load(Ordering::Acquire),
            bytes: p.bytes.load(Ordering::Acquire),
        })
    }

    /// Whether a packet that comes to `port` arrives.
    #[inline]
    pub(crate) fn receives(&self, port: u8) -> bool {
        self.get(port).is_some_and(|p| !p.disabled.load(Ordering::Relaxed) && !p.link_down.load(Ordering::Relaxed))
    }

    /// Shows the link of a port as a fault has left it.
    pub(crate) fn show_fault(&self, port: u8, link_up: bool) {
        if let Some(p) = self.get(port) {
            p.link_fault.store(!link_up, Ordering::Release);
        }
    }

    /// Adds to what `port` has seen. Only the producer writes, so no read-modify-write is needed.
    pub(crate) fn count_up(&self, port: u8, seen: PortCount) {
        if let Some(p) = self.get(port) {
            p.packets.store(p.packets.load(Ordering::Relaxed) + seen.packets, Ordering::Release);
            p.bytes.store(p.bytes.load(Ordering::Relaxed) + seen.bytes, Ordering::Release);
        }
    }
}
