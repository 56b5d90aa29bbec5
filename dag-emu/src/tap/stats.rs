//! What a tap counts.

use super::netns::Iface;

/// Counts since the tap was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapStats {
    /// What was delivered, by port.
    pub ports: [PortStats; 2],
    /// What the kernel did with each interface's ring: one entry, or two.
    pub interfaces: Vec<IfaceStats>,
    /// Frames delivered with a stamp before that of the frame delivered before them.
    pub reordered: u64,
}

/// Frames delivered on one port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortStats {
    /// Frames.
    pub frames: u64,
    /// Bytes on the wire, without FCS.
    pub bytes: u64,
    /// Frames of which bytes are missing, whatever cut them.
    pub truncated: u64,
    /// Those of them that are longer than [`TapSpec::longest`](super::TapSpec::longest).
    pub over_limit: u64,
    /// Frames that no Ethernet with this interface's MTU carries: segments merged by the receiving
    /// side or not yet split by the sending side. [`offload_advice`] ends it.
    pub superframes: u64,
    /// VLAN tags put back.
    pub vlan_restored: u64,
    /// Checksums that the sender left to its interface and the tap completed.
    pub checksums_completed: u64,
    /// Checksums that the sender left to its interface and that stay unfinished.
    pub checksums_partial: u64,
}

/// One interface's ring.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IfaceStats {
    /// The interface.
    pub iface: Iface,
    /// Frames that the kernel saw, delivered or not.
    pub seen: u64,
    /// Frames for which the ring had no room: loss of the card. Of both directions, where both are
    /// tapped; the kernel does not say which.
    pub lost: u64,
    /// Times that the ring filled up.
    pub freezes: u64,
    /// Blocks that broke the rules of the ring and whose rest was skipped. Zero on a sound kernel.
    pub bad_blocks: u64,
}

/// The commands that end segmentation offload, and with it frames longer than any on the wire.
#[must_use]
pub fn offload_advice(iface: &Iface) -> String {
    let name = &iface.name;
    let command = format!("ethtool -K {name} tso off gso off gro off");
    match &iface.netns {
        Some(netns) => format!("ip netns exec {netns} {command}"),
        None => command,
    }
}
