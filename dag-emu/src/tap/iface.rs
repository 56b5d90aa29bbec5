//! What the kernel knows of an interface.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_char, c_ulong, ifreq};

use super::netns::Iface;

/// What the kernel says of an interface, when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// Its name and namespace, as the tap was opened.
    pub iface: Iface,
    /// The kernel's number for it in its namespace.
    pub index: u32,
    /// Hardware address; all zero for loopback.
    pub mac: [u8; 6],
    /// Longest network layer packet in bytes.
    pub mtu: u32,
    /// Link speed in Mb/s, if the driver tells. A virtual interface says what it likes (veth:
    /// 10000).
    pub speed_mbps: Option<u32>,
    /// Set up by its administrator (`ip link set IFACE up`).
    pub up: bool,
    /// Up, and the link has a carrier. The kernel may take a second to say so.
    pub running: bool,
    /// The loopback interface.
    pub loopback: bool,
    /// Link layer, `ARPHRD_*`.
    pub(super) hardware: u16,
}

/// Asks about interface `index` of the namespace that `socket` belongs to. The interface may have
/// been renamed since.
///
/// # Errors
///
/// `ENODEV` if the interface is no more.
pub(super) fn query(socket: BorrowedFd<'_>, iface: &Iface, index: u32) -> io::Result<InterfaceInfo> {
    // SAFETY: all-zero bytes are a valid ifreq: integers, arrays of them, and a null pointer.
    let mut request: ifreq = unsafe { mem::zeroed() };
    request.ifr_ifru.ifru_ifindex = i32::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // Fills in the name by which the kernel knows it now; the calls below go by that.
    ask(socket, libc::SIOCGIFNAME, &mut request)?;

    ask(socket, libc::SIOCGIFFLAGS, &mut request)?;
    // SAFETY: SIOCGIFFLAGS has written this member, and any bits are a valid value of it.
    let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags });
    ask(socket, libc::SIOCGIFHWADDR, &mut request)?;
    // SAFETY: SIOCGIFHWADDR has written this member, and any bits are a valid value of it.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    ask(socket, libc::SIOCGIFMTU, &mut request)?;
    // SAFETY: SIOCGIFMTU has written this member, and any bits are a valid value of it.
    let mtu = unsafe { request.ifr_ifru.ifru_mtu };

    let mut mac = [0; 6];
    for (to, from) in mac.iter_mut().zip(address.sa_data) {
        *to = from.to_ne_bytes()[0];
    }
    Ok(InterfaceInfo {
        iface: iface.clone(),
        index,
        mac,
        mtu: u32::try_from(mtu).unwrap_or(0),
        speed_mbps: speed(socket, &mut request),
        up: flags & libc::IFF_UP != 0,
        running: flags & libc::IFF_UP != 0 && flags & libc::IFF_RUNNING != 0,
        loopback: flags & libc::IFF_LOOPBACK != 0,
        hardware: address.sa_family,
    })
}

/// `struct ethtool_cmd` of `linux/ethtool.h`: the query that every kernel answers without
/// privileges.
#[repr(C)]
struct EthtoolCmd {
    cmd: u32,
    supported: u32,
    advertising: u32,
    speed_low: u16,
    duplex: u8,
    port: u8,
    phy_address: u8,
    transceiver: u8,
    autoneg: u8,
    mdio_support: u8,
    maxtxpkt: u32,
    maxrxpkt: u32,
    speed_high: u16,
    eth_tp_mdix: u8,
    eth_tp_mdix_ctrl: u8,
    lp_advertising: u32,
    reserved: [u32; 2],
}

fn speed(socket: BorrowedFd<'_>, request: &mut ifreq) -> Option<u32> {
    const ETHTOOL_GSET: u32 = 1;
    const SPEED_UNKNOWN: u32 = u32::MAX;
    // SAFETY: all-zero bytes are a valid EthtoolCmd: it is made of integers.
    let mut command: EthtoolCmd = unsafe { mem::zeroed() };
    command.cmd = ETHTOOL_GSET;
    request.ifr_ifru.ifru_data = (&raw mut command).cast::<c_char>();
    // The pointer is used by the call only; `command` outlives it.
    ask(socket, libc::SIOCETHTOOL, request).ok()?;
    let speed = u32::from(command.speed_high) << 16 | u32::from(command.speed_low);
    // The 16-bit value is what a driver from before speed_high says for "unknown".
    (speed != 0 && speed != SPEED_UNKNOWN && speed != u32::from(u16::MAX)).then_some(speed)
}

/// One of the interface requests `SIOC*`, which all take a `struct ifreq`.
fn ask(socket: BorrowedFd<'_>, what: c_ulong, request: &mut ifreq) -> io::Result<()> {
    // SAFETY: every `what` of this file reads and writes one ifreq, or, for SIOCETHTOOL, what its
    // `ifru_data` points to, which is a live EthtoolCmd of the layout and command that `speed`
    // sets.
    match unsafe { libc::ioctl(socket.as_raw_fd(), what as _, &raw mut *request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What a person calls a link layer that is not Ethernet.
pub(super) fn link_layer(hardware: u16) -> String {
    const ARPHRD_RAWIP: u16 = 519;
    const ARPHRD_IP6GRE: u16 = 823;
    let name = match hardware {
        libc::ARPHRD_NONE => "a tunnel without link layer (ARPHRD_NONE: tun, WireGuard)",
        libc::ARPHRD_PPP => "PPP (ARPHRD_PPP)",
        ARPHRD_RAWIP => "raw IP (ARPHRD_RAWIP)",
        libc::ARPHRD_TUNNEL => "an IP-in-IP tunnel (ARPHRD_TUNNEL)",
        libc::ARPHRD_TUNNEL6 => "an IPv6 tunnel (ARPHRD_TUNNEL6)",
        libc::ARPHRD_SIT => "an IPv6-in-IPv4 tunnel (ARPHRD_SIT)",
        libc::ARPHRD_IPGRE => "a GRE tunnel (ARPHRD_IPGRE)",
        ARPHRD_IP6GRE => "a GRE tunnel over IPv6 (ARPHRD_IP6GRE)",
        libc::ARPHRD_INFINIBAND => "InfiniBand (ARPHRD_INFINIBAND)",
        libc::ARPHRD_IEEE80211 | libc::ARPHRD_IEEE80211_PRISM | libc::ARPHRD_IEEE80211_RADIOTAP => {
            "a wireless interface in monitor mode (ARPHRD_IEEE80211)"
        }
        other => return format!("of link layer type {other} (ARPHRD_* of linux/if_arp.h)"),
    };
    name.into()
}
