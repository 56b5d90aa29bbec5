//! A packet socket on one interface, from its making to its counters.
//!
//! The order matters. A packet socket made with protocol 0 receives nothing. Ring, snap length and
//! options are set on it in that state, and only then is it bound to its interface with all
//! protocols: so the first frame in the ring is one that came after the tap was opened, from this
//! interface, and under these options.

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::{c_int, socklen_t};

use super::error::TapError;
use super::iface::{self, InterfaceInfo};
use super::netns::{self, Iface};
use super::tpacket::{Ring, RingSpec};

/// What the kernel counted on a packet socket since it was asked last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    /// Frames that passed the interface, delivered and dropped ones.
    pub(super) seen: u32,
    /// Frames for which the ring had no room.
    pub(super) lost: u32,
    /// Times that the ring filled up.
    pub(super) freezes: u32,
}

/// Options of a socket.
#[derive(Debug)]
pub(super) struct SocketSpec<'a> {
    pub(super) ring: &'a RingSpec,
    /// Bytes of a frame that the kernel puts into the ring.
    pub(super) kernel_snap: u32,
    pub(super) promiscuous: bool,
    /// Frames that leave are not wanted.
    pub(super) arriving_only: bool,
}

/// A packet socket with its ring. It receives from [`bind`](PacketSocket::bind) on.
#[derive(Debug)]
pub(super) struct PacketSocket {
    // Declared first: unmapped before the descriptor closes.
    pub(super) ring: Ring,
    fd: OwnedFd,
    /// The interface as it was when the tap was opened.
    pub(super) opened_on: InterfaceInfo,
}

impl PacketSocket {
    /// Makes a socket for `iface`, ready to be bound.
    ///
    /// # Errors
    ///
    /// No such namespace or interface, a missing capability, an interface that is not Ethernet, no
    /// memory for the ring.
    pub(super) fn open(iface: &Iface, spec: &SocketSpec<'_>) -> Result<PacketSocket, TapError> {
        let system = |call| move |source| TapError::System { iface: iface.clone(), call, source };
        let (fd, index) = netns::inside(iface, || {
            let index = index_of(iface)?;
            Ok((socket(iface)?, index))
        })?;
        let opened_on = iface::query(fd.as_fd(), iface, index).map_err(system("asking about the interface"))?;
        if !matches!(opened_on.hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK) {
            let kind = iface::link_layer(opened_on.hardware);
            return Err(TapError::NotEthernet { iface: iface.clone(), kind });
        }
        let ring = Ring::new(fd.as_fd(), spec.ring).map_err(|source| match source.raw_os_error() {
            Some(libc::ENOMEM | libc::EAGAIN) => {
                TapError::RingMemory { iface: iface.clone(), bytes: spec.ring.bytes(), source }
            }
            _ => system("setting up the ring (PACKET_RX_RING)")(source),
        })?;
        let socket = PacketSocket { ring, fd, opened_on };
        socket.stamp_early().map_err(system("setsockopt(SO_TIMESTAMPNS)"))?;
        socket.snap(spec.kernel_snap).map_err(system("setsockopt(SO_ATTACH_FILTER)"))?;
        if spec.arriving_only {
            // Since Linux 4.20; before, the tap drops outgoing copies itself, as it does anyway.
            let _ = set_option(socket.fd(), libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1);
        }
        if spec.promiscuous {
            socket.join_promiscuous().map_err(system("setsockopt(PACKET_ADD_MEMBERSHIP)"))?;
        }
        Ok(socket)
    }

    /// Starts to receive.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the interface has gone since [`open`](PacketSocket::open).
    pub(super) fn bind(&self) -> io::Result<()> {
        const ALL: u16 = libc::ETH_P_ALL as u16;
        // SAFETY: all-zero bytes are a valid sockaddr_ll: it is made of integers.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ALL.to_be();
        address.sll_ifindex = self.index();
        // SAFETY: `address` is a sockaddr_ll of the length given, alive during the call; the
        // descriptor is open.
        let result = unsafe {
            libc::bind(self.fd.as_raw_fd(), (&raw const address).cast(), mem::size_of_val(&address) as socklen_t)
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Bytes of each frame that the kernel puts into the ring from now on; 0 stops the intake.
    pub(super) fn snap(&self, len: u32) -> io::Result<()> {
        // A socket filter of one instruction: `ret #len`.
        let mut program = [libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: len }];
        let filter = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
        set_option(self.fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
    }

    /// What the kernel counted since this was asked last.
    pub(super) fn counted(&self) -> io::Result<Counted> {
        let mut counted = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        get_option(self.fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut counted)?;
        Ok(Counted { seen: counted.tp_packets, lost: counted.tp_drops, freezes: counted.tp_freeze_q_cnt })
    }

    /// Takes the error that poll(2) announced, if there is one.
    pub(super) fn take_error(&self) -> io::Result<()> {
        let mut error: c_int = 0;
        get_option(self.fd(), libc::SOL_SOCKET, libc::SO_ERROR, &mut error)?;
        match error {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    /// The interface as it is now; `ENODEV` if it is no more.
    pub(super) fn interface(&self) -> io::Result<InterfaceInfo> {
        iface::query(self.fd(), &self.opened_on.iface, self.opened_on.index)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn index(&self) -> c_int {
        c_int::try_from(self.opened_on.index).unwrap_or(0)
    }

    /// Has the kernel stamp arriving frames when the driver hands them over. Otherwise they are
    /// stamped when they reach the ring, behind the queue between the processors, unless some other
    /// program of the machine happens to ask for early stamps: what a stamp means would depend on
    /// who else is running.
    fn stamp_early(&self) -> io::Result<()> {
        set_option(self.fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1)
    }

    /// The kernel ends the membership when the socket closes.
    fn join_promiscuous(&self) -> io::Result<()> {
        let membership = libc::packet_mreq {
            mr_ifindex: self.index(),
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set_option(self.fd(), libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)
    }
}

/// The number of `iface` in the calling thread's namespace.
pub(super) fn index_of(iface: &Iface) -> Result<u32, TapError> {
    let missing = || TapError::NoSuchInterface { iface: iface.clone(), existing: netns::interfaces() };
    let name = CString::new(iface.name.as_str()).map_err(|_| missing())?;
    // SAFETY: `name` is NUL-terminated and alive during the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(missing()),
        index => Ok(index),
    }
}

/// A packet socket of the calling thread's namespace that receives nothing yet: its protocol is 0.
pub(super) fn socket(iface: &Iface) -> Result<OwnedFd, TapError> {
    // SAFETY: socket takes plain numbers and touches no memory of ours.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        let source = io::Error::last_os_error();
        return Err(match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => TapError::NoPermission { iface: iface.clone() },
            _ => TapError::System { iface: iface.clone(), call: "socket(AF_PACKET, SOCK_RAW)", source },
        });
    }
    // SAFETY: the descriptor is fresh, valid and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `setsockopt` with a value that is plain data, as C declares the option.
pub(super) fn set_option<T>(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads at most the given length, which is that of `value`; the descriptor
    // is open. For SO_ATTACH_FILTER it also reads the one instruction that `value` points to, which
    // `snap` keeps alive.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, ptr_to(value), mem::size_of::<T>() as socklen_t) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn ptr_to<T>(value: &T) -> *const libc::c_void {
    (&raw const *value).cast()
}

/// `getsockopt` into a value that is plain data of integers, as C declares the option.
fn get_option<T: Copy>(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &mut T) -> io::Result<()> {
    let mut len = mem::size_of::<T>() as socklen_t;
    // SAFETY: the kernel writes at most `len` bytes, the size of `value`; both callers pass types
    // for which any bits are valid; the descriptor is open.
    let result = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut *value).cast(), &raw mut len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
