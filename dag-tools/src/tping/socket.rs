//! The socket of a run: what is sent gets stamps, and all that comes back is told apart.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll, ppoll};
use nix::sys::signal::SigSet;
use nix::sys::socket::sockopt::{Ipv4RecvErr, Ipv6RecvErr, Timestamping};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, TimestampingFlag, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use wire_truth::message::{Ends, Kind};

use super::clock;

/// `SOF_TIMESTAMPING_TX_SCHED`, which nix has no name for: stamp what enters the queueing discipline.
const TX_SCHED: u32 = 1 << 8;

/// `SO_EE_ORIGIN_ICMP`, `SO_EE_ORIGIN_ICMP6` and `SO_EE_ORIGIN_TIMESTAMPING`: where an entry of the error queue comes from.
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;
const ORIGIN_STAMP: u8 = 4;

/// `SCM_TSTAMP_SND` and `SCM_TSTAMP_SCHED`: what a stamp is of.
const STAMP_SND: u32 = 0;
const STAMP_SCHED: u32 = 1;

/// Type and code of "nobody is at that port" in ICMP (RFC 792) and ICMPv6 (RFC 4443).
const NO_PORT: (u8, u8) = (3, 3);
const NO_PORT_6: (u8, u8) = (1, 4);

/// A stamp of something sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It entered the queueing discipline.
    Sched(i64),
    /// It was given to the driver.
    Snd(i64),
    /// It left the network card.
    Hw(i64),
}

/// What came from the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A stamp of what was sent; of the how manieth, from 0.
    Sent { number: u32, stamp: Sent },
    /// A message of so many bytes, in the buffer given.
    Message { len: usize, kernel: Option<i64>, user: i64 },
    /// A message of ours came back, so many bytes of it: there is nobody at that port.
    Unreachable { len: usize, kernel: Option<i64>, user: i64 },
    /// A host on the way says that it could not be delivered, or the target's that it may not.
    Undelivered,
    /// Something that needs nothing done.
    Nothing,
}

/// What a run sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probes {
    /// ICMP echoes.
    Icmp,
    /// Datagrams to a port.
    Udp(u16),
    /// SYNs to a port.
    Tcp(u16),
}

/// A socket to one host.
#[derive(Debug)]
pub(super) struct Prober {
    socket: Socket,
    kind: Kind,
    /// Its messages of IPv4 have the IP header in front.
    has_ip_header: bool,
    ident: u16,
    /// What keeps the identifier from others. Of TCP it is a port that never listens, so that the kernel answers by RST what it is answered; of ICMP
    /// a name in the network namespace, in which raw sockets all hear the same replies.
    _reserved: Option<Reserved>,
}

/// What keeps an identifier.
#[derive(Debug)]
enum Reserved {
    Port { _held: Socket },
    Name { _held: UnixDatagram },
}

/// Keeps an identifier of ICMP from the other tpings of this network namespace. `Ok(None)` where that cannot be done.
fn reserve(ident: u16) -> Result<Option<Reserved>, NoSocket> {
    let name = UnixAddress::from_abstract_name(format!("dag-tping-icmp-{ident}"));
    match name.and_then(|name| UnixDatagram::bind_addr(&name)) {
        Ok(held) => Ok(Some(Reserved::Name { _held: held })),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(NoSocket::Taken(ident)),
        Err(_) => Ok(None),
    }
}

/// So many identifiers are tried, where none is asked for.
const TRIES: u16 = 100;

/// Why there is no socket.
#[derive(Debug)]
pub(super) enum NoSocket {
    /// Neither kind of ICMP socket may be had.
    NoIcmp,
    /// Raw sockets may not be had.
    NoRaw,
    /// The port that is to be the identifier is another program's.
    Taken(u16),
    Failed(io::Error),
}

impl Prober {
    /// Opens a socket to `to`: for ICMP a datagram one, where those may be had, else a raw one. `ident` is the identifier wanted.
    pub(super) fn open(to: SocketAddr, probes: Probes, ident: Option<u16>) -> Result<Self, NoSocket> {
        let prober = match probes {
            Probes::Icmp => Self::icmp(to, ident),
            Probes::Udp(_) => Self::udp(to, ident),
            Probes::Tcp(port) => Self::tcp(to, port, ident),
        }?;
        prober.socket.set_nonblocking(true).map_err(NoSocket::Failed)?;
        prober.ask_for_stamps();
        Ok(prober)
    }

    fn icmp(to: SocketAddr, ident: Option<u16>) -> Result<Self, NoSocket> {
        let failed = NoSocket::Failed;
        let (protocol, kind) =
            if to.is_ipv4() { (Protocol::ICMPV4, Kind::Icmp4) } else { (Protocol::ICMPV6, Kind::Icmp6) };
        let (socket, is_raw) = match Socket::new(Domain::for_address(to), Type::DGRAM, Some(protocol)) {
            Ok(socket) => (socket, false),
            Err(error) if !is_refusal(&error) => return Err(failed(error)),
            Err(_) => (raw(to, protocol, NoSocket::NoIcmp)?, true),
        };
        // The identifier of a datagram socket is its port, which the kernel chooses if nobody does.
        if let (false, Some(ident)) = (is_raw, ident) {
            let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            socket.bind(&SocketAddr::new(any, ident).into()).map_err(|error| taken(error, ident))?;
        }
        // From here on the kernel drops what other hosts send.
        socket.connect(&to.into()).map_err(failed)?;
        let bound = socket.local_addr().map_err(failed)?.as_socket().map(|address| address.port());
        let own = std::process::id() as u16;
        // Of a datagram socket the kernel has seen to it that no other one has it; raw ones it lets have what they like.
        let wanted: Vec<u16> = match (is_raw, ident, bound) {
            (false, _, Some(bound)) => vec![bound],
            (_, Some(ident), _) => vec![ident],
            _ => (0..TRIES).map(|more| own.wrapping_add(more)).collect(),
        };
        let mut refused = NoSocket::Taken(own);
        for ident in wanted {
            match reserve(ident) {
                Ok(reserved) => {
                    let has_ip_header = is_raw && to.is_ipv4();
                    return Ok(Self { socket, kind, has_ip_header, ident, _reserved: reserved });
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn udp(to: SocketAddr, ident: Option<u16>) -> Result<Self, NoSocket> {
        let socket =
            Socket::new(Domain::for_address(to), Type::DGRAM, Some(Protocol::UDP)).map_err(NoSocket::Failed)?;
        socket.connect(&to.into()).map_err(NoSocket::Failed)?;
        let ident = ident.unwrap_or(std::process::id() as u16);
        Ok(Self { socket, kind: Kind::Udp, has_ip_header: false, ident, _reserved: None })
    }

    fn tcp(to: SocketAddr, port: u16, ident: Option<u16>) -> Result<Self, NoSocket> {
        let failed = NoSocket::Failed;
        let socket = raw(to, Protocol::TCP, NoSocket::NoRaw)?;
        // A raw socket has no ports.
        let mut host = to;
        host.set_port(0);
        socket.connect(&host.into()).map_err(failed)?;
        let unknown = || failed(io::Error::other("the kernel tells no address to send from"));
        let mut from = socket.local_addr().map_err(failed)?.as_socket().ok_or_else(unknown)?;
        let ends = Ends::new(from.ip(), to.ip()).ok_or_else(unknown)?;
        let reserved = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).map_err(failed)?;
        from.set_port(ident.unwrap_or(0));
        reserved.bind(&from.into()).map_err(|error| taken(error, from.port()))?;
        let ident = reserved.local_addr().map_err(failed)?.as_socket().ok_or_else(unknown)?.port();
        socket.attach_filter(&to_port(ident, to.is_ipv4())).map_err(failed)?;
        let kind = Kind::Tcp { ends, port };
        Ok(Self {
            socket,
            kind,
            has_ip_header: to.is_ipv4(),
            ident,
            _reserved: Some(Reserved::Port { _held: reserved }),
        })
    }

    /// Asks for every stamp there is. Where one is not to be had, it does not come: nothing is assumed. Counts what is sent anew from 0.
    pub(super) fn ask_for_stamps(&self) {
        let flags = TimestampingFlag::from_bits_retain(TX_SCHED)
            | TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_TX_HARDWARE
            | TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_RAW_HARDWARE
            | TimestampingFlag::SOF_TIMESTAMPING_OPT_TSONLY;
        // The counter begins when it is asked for by one who had not.
        for flags in [flags, flags | TimestampingFlag::SOF_TIMESTAMPING_OPT_ID] {
            let _ = setsockopt(&self.socket, Timestamping, &flags);
        }
        let _ = setsockopt(&self.socket, Ipv4RecvErr, &true);
        let _ = setsockopt(&self.socket, Ipv6RecvErr, &true);
    }

    /// What its messages are.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The identifier of its probes.
    pub(super) fn ident(&self) -> u16 {
        self.ident
    }

    /// The word for it in a log.
    pub(super) fn name(&self) -> &'static str {
        match (self.kind, self.has_ip_header) {
            (Kind::Udp, _) => "UDP",
            (Kind::Tcp { .. }, _) => "raw TCP",
            (_, true) => "raw ICMP",
            (Kind::Icmp4, false) => "ICMP",
            (Kind::Icmp6, _) => "ICMPv6",
        }
    }

    /// The address from which it sends.
    pub(super) fn local(&self) -> String {
        let address = self.socket.local_addr().ok().and_then(|address| address.as_socket());
        address.map_or_else(|| "unknown".to_owned(), |address| address.ip().to_string())
    }

    /// Sends a message, and returns when: just before.
    pub(super) fn send(&self, message: &[u8]) -> io::Result<i64> {
        let before = clock::now();
        self.socket.send(message).map(|_| before)
    }

    /// Waits until something has come, or for so long.
    pub(super) fn wait(&self, at_most: Duration) -> io::Result<()> {
        let mut one = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut one, Some(TimeSpec::from(at_most)), None::<SigSet>) {
            // A signal: the caller looks what it wants.
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The next thing that has come: stamps first, since a request was sent before it was answered. `None` if there is nothing.
    pub(super) fn next(&self, buffer: &mut [u8]) -> io::Result<Option<Event>> {
        // Asked before stamps are looked for: those of a request are there when its reply is, and a reply that comes in between waits.
        let there = self.has_message()?;
        let order = [Some(MsgFlags::MSG_ERRQUEUE), there.then(MsgFlags::empty)];
        for flags in order.into_iter().flatten() {
            match self.receive(buffer, flags) {
                Ok(event) => return Ok(Some(event)),
                Err(Errno::EAGAIN) => {}
                // Told by the error queue too.
                Err(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::EINTR) => {
                    return Ok(Some(Event::Nothing));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(None)
    }

    /// A message, or an error that reading tells, waits.
    fn has_message(&self) -> io::Result<bool> {
        let mut one = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut one, PollTimeout::ZERO) {
            Ok(_) => Ok(one[0].any().unwrap_or(true)),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn receive(&self, buffer: &mut [u8], flags: MsgFlags) -> Result<Event, Errno> {
        let mut control = nix::cmsg_space!([TimeSpec; 3], [u8; 128], [u8; 128]);
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = flags | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
        let user = clock::now();
        let (mut soft, mut hard, mut error) = (None, None, None);
        let stamp = |time: TimeSpec| Some(clock::nanos(time)).filter(|nanos| *nanos != 0);
        for part in message.cmsgs()? {
            match part {
                ControlMessageOwned::ScmTimestampsns(stamps) => {
                    (soft, hard) = (stamp(stamps.system), stamp(stamps.hw_raw));
                }
                ControlMessageOwned::Ipv4RecvErr(told, _) | ControlMessageOwned::Ipv6RecvErr(told, _) => {
                    error = Some((told.ee_origin, (told.ee_type, told.ee_code), told.ee_info, told.ee_data));
                }
                _ => {}
            }
        }
        let len = message.bytes;
        Ok(match error {
            None => Event::Message { len, kernel: soft, user },
            Some((ORIGIN_ICMP, NO_PORT, ..) | (ORIGIN_ICMP6, NO_PORT_6, ..)) => {
                Event::Unreachable { len, kernel: soft, user }
            }
            Some((ORIGIN_ICMP | ORIGIN_ICMP6, ..)) => Event::Undelivered,
            Some((ORIGIN_STAMP, _, what, number)) => match (what, soft, hard) {
                (STAMP_SCHED, Some(at), _) => Event::Sent { number, stamp: Sent::Sched(at) },
                (STAMP_SND, Some(at), _) => Event::Sent { number, stamp: Sent::Snd(at) },
                (STAMP_SND, None, Some(at)) => Event::Sent { number, stamp: Sent::Hw(at) },
                _ => Event::Nothing,
            },
            Some(_) => Event::Nothing,
        })
    }

    /// The message in what a read gave: raw sockets of IPv4 have the IP header in front.
    pub(super) fn message<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let header = match bytes.first() {
            Some(first) if self.has_ip_header => usize::from(first & 0x0F) * 4,
            _ => 0,
        };
        bytes.get(header..).unwrap_or_default()
    }
}

/// A raw socket, or `refused` where this program may not have one.
fn raw(to: SocketAddr, protocol: Protocol, refused: NoSocket) -> Result<Socket, NoSocket> {
    Socket::new(Domain::for_address(to), Type::RAW, Some(protocol)).map_err(|error| match is_refusal(&error) {
        true => refused,
        false => NoSocket::Failed(error),
    })
}

fn taken(error: io::Error, port: u16) -> NoSocket {
    if error.kind() == io::ErrorKind::AddrInUse { NoSocket::Taken(port) } else { NoSocket::Failed(error) }
}

/// What the kernel gives to the socket of all segments of the host: those to this port. Others may be many, and each would wake the program.
fn to_port(port: u16, has_ip_header: bool) -> Vec<SockFilter> {
    // Instructions of the classic filter machine; the port is the third and fourth byte of a segment.
    let load = match has_ip_header {
        true => vec![SockFilter::new(0xB1, 0, 0, 0), SockFilter::new(0x48, 0, 0, 2)],
        false => vec![SockFilter::new(0x28, 0, 0, 2)],
    };
    let rest = [(0x15, 1, u32::from(port)), (0x06, 0, u32::MAX), (0x06, 0, 0)];
    load.into_iter().chain(rest.map(|(code, no, value)| SockFilter::new(code, 0, no, value))).collect()
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(Errno::from_raw(error.raw_os_error().unwrap_or(0)), Errno::EPERM | Errno::EACCES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_kept_from_others_while_it_is_used() {
        let held = reserve(54_321).unwrap();
        assert!(held.is_some());
        assert!(matches!(reserve(54_321), Err(NoSocket::Taken(54_321))));
        drop(held);
        assert!(reserve(54_321).is_ok());
    }
}
