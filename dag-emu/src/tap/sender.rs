//! [`Sender`]: frames that leave by live interfaces.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, socklen_t};

use super::error::TapError;
use super::iface;
use super::netns::{self, Iface};
use super::socket::{index_of, socket};

/// Sends Ethernet frames by one or two interfaces: the way out of a card that taps them.
///
/// With two, A and B, port 0 is A and port 1 is B. With one it is the way out for either port.
#[derive(Debug)]
pub(crate) struct Sender {
    lines: Vec<Line>,
}

/// An interface, and a socket that only sends.
#[derive(Debug)]
struct Line {
    iface: Iface,
    fd: OwnedFd,
    index: c_int,
    /// What is wrong with it has been said.
    said: AtomicBool,
}

impl Sender {
    /// Opens the way out by `ifaces`.
    ///
    /// # Errors
    ///
    /// As for a [`Tap`](super::Tap).
    pub(crate) fn open(ifaces: &[Iface]) -> Result<Self, TapError> {
        let lines = ifaces.iter().map(|iface| {
            // Of protocol 0, so that it receives nothing.
            let (fd, index) = netns::inside(iface, || Ok((socket(iface)?, index_of(iface)?)))?;
            let asked = iface::query(fd.as_fd(), iface, index);
            let info = asked.map_err(|source| TapError::System {
                iface: iface.clone(),
                call: "asking about the interface",
                source,
            })?;
            if !matches!(info.hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK) {
                let kind = iface::link_layer(info.hardware);
                return Err(TapError::NotEthernet { iface: iface.clone(), kind });
            }
            // The kernel's numbers are small.
            let index = c_int::try_from(index).unwrap_or(0);
            Ok(Line { iface: iface.clone(), fd, index, said: AtomicBool::new(false) })
        });
        Ok(Self { lines: lines.collect::<Result<_, _>>()? })
    }

    /// Sends a frame without its FCS at a port, and never waits: `false` if the interface does not take it. The first time the reason is
    /// logged.
    pub(crate) fn send(&self, port: u8, frame: &[u8]) -> bool {
        let line = match self.lines.as_slice() {
            [one] => one,
            lines => match lines.get(usize::from(port)) {
                Some(line) => line,
                None => return false,
            },
        };
        match line.send(frame) {
            Ok(()) => true,
            Err(error) => {
                if !line.said.swap(true, Ordering::Relaxed) {
                    let iface = &line.iface;
                    let advice = match error.raw_os_error() {
                        Some(libc::EMSGSIZE) => format!("{} bytes are more than its MTU allows", frame.len()),
                        Some(libc::ENETDOWN) => format!("`ip link set {} up` takes it up", iface.name),
                        _ => "it is counted, and so are those that follow".to_owned(),
                    };
                    log::warn!("{iface} does not take a frame that is sent: {error}; {advice}");
                }
                false
            }
        }
    }
}

impl Line {
    fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: all-zero bytes are a valid sockaddr_ll: it is made of integers.
        let mut to: libc::sockaddr_ll = unsafe { mem::zeroed() };
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_ifindex = self.index;
        to.sll_halen = 6;
        for (to, from) in to.sll_addr.iter_mut().zip(frame.iter().take(6)) {
            *to = *from;
        }
        if let Some(kind) = frame.get(12..14) {
            // Already in the order of the network.
            to.sll_protocol = u16::from_ne_bytes([kind[0], kind[1]]);
        }
        // SAFETY: `frame` and `to`, of the lengths given, are alive during the call; the descriptor is open.
        let sent = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                libc::MSG_DONTWAIT,
                (&raw const to).cast(),
                mem::size_of_val(&to) as socklen_t,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
