//! Network namespaces of a test's own, with a veth pair between them.

use std::net::UdpSocket;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::tap::netns::{self, Iface};
use crate::tap::{ChecksumState, Frame, Tap, TapSpec};

/// Two namespaces joined by a veth pair, `va` (10.77.0.1, fd77::1) and `vb` (10.77.0.2, fd77::2),
/// removed on drop.
pub(super) struct Lab {
    pub(super) a: String,
    pub(super) b: String,
}

impl Lab {
    /// `None`, aloud, where the test cannot run.
    pub(super) fn new() -> Option<Lab> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !house_skip::need_root() || !house_skip::need_program("ip") {
            return None;
        }
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |side| format!("tap{}x{n}{side}", std::process::id());
        let lab = Lab { a: name("a"), b: name("b") };
        for ns in [&lab.a, &lab.b] {
            if let Err(reason) = ip(&format!("netns add {ns}")) {
                house_skip::skip(format_args!("cannot make a network namespace: {reason}"));
                return None;
            }
            // No neighbour discovery of the kernel's own in the traffic of the tests.
            for what in ["dad_transmits", "router_solicitations"] {
                let set = format!("net.ipv6.conf.default.{what}=0");
                let _ = Command::new("ip").args(["netns", "exec", ns, "sysctl", "-qw", &set]).output();
            }
        }
        let Lab { a, b } = &lab;
        lab.ip(&format!("link add va netns {a} type veth peer name vb netns {b}"));
        for (ns, dev, host) in [(a, "va", 1), (b, "vb", 2)] {
            lab.ip(&format!("-n {ns} addr add 10.77.0.{host}/24 dev {dev}"));
            lab.ip(&format!("-n {ns} addr add fd77::{host}/64 dev {dev} nodad"));
            lab.ip(&format!("-n {ns} link set lo up"));
            lab.ip(&format!("-n {ns} link set {dev} up"));
        }
        Some(lab)
    }

    /// Runs `ip` with these words.
    pub(super) fn ip(&self, words: &str) -> String {
        ip(words).unwrap_or_else(|error| panic!("ip {words}: {error}"))
    }

    pub(super) fn va(&self) -> Iface {
        Iface { netns: Some(self.a.clone()), name: "va".into() }
    }

    pub(super) fn vb(&self) -> Iface {
        Iface { netns: Some(self.b.clone()), name: "vb".into() }
    }

    /// A name that a test may leave in `/run/netns` with nothing behind it.
    pub(super) fn dead_name(&self) -> String {
        format!("{}dead", self.a)
    }

    /// Runs `work` with its thread in namespace `ns`.
    pub(super) fn inside<T: Send>(&self, ns: &str, work: impl FnOnce() -> T + Send) -> T {
        netns::inside(&Iface { netns: Some(ns.into()), name: "lo".into() }, || Ok(work())).unwrap()
    }

    /// A UDP socket of namespace `ns`, connected to `peer`.
    pub(super) fn udp(&self, ns: &str, local: &str, peer: &str) -> UdpSocket {
        self.inside(ns, || {
            let socket = UdpSocket::bind(local).unwrap();
            socket.connect(peer).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            socket
        })
    }

    /// Sockets on both sides that talk to each other: `va` port 7001, `vb` port 7002.
    pub(super) fn udp_pair(&self) -> (UdpSocket, UdpSocket) {
        let a = self.udp(&self.a, "10.77.0.1:7001", "10.77.0.2:7002");
        let b = self.udp(&self.b, "10.77.0.2:7002", "10.77.0.1:7001");
        (a, b)
    }

    /// Sends frames as they are through `dev` of namespace `ns`.
    pub(super) fn send_raw(&self, ns: &str, dev: &str, frames: &[Vec<u8>]) {
        use std::os::fd::FromRawFd;
        self.inside(ns, || {
            // SAFETY: plain numbers.
            let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
            assert!(fd >= 0);
            // SAFETY: fresh and owned by nobody else.
            let socket = unsafe { OwnedFd::from_raw_fd(fd) };
            let dev = std::ffi::CString::new(dev).unwrap();
            // SAFETY: all-zero bytes are a valid sockaddr_ll.
            let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            to.sll_family = libc::AF_PACKET as u16;
            // SAFETY: NUL-terminated.
            to.sll_ifindex = unsafe { libc::if_nametoindex(dev.as_ptr()) } as i32;
            for frame in frames {
                // SAFETY: buffer and address are alive, with their own lengths.
                let sent = unsafe {
                    libc::sendto(
                        socket.as_raw_fd(),
                        frame.as_ptr().cast(),
                        frame.len(),
                        0,
                        (&raw const to).cast(),
                        size_of_val(&to) as u32,
                    )
                };
                assert_eq!(sent, frame.len() as isize, "{}", std::io::Error::last_os_error());
            }
        });
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for ns in [&self.a, &self.b] {
            let _ = ip(&format!("netns delete {ns}"));
        }
        let _ = std::fs::remove_file(format!("/run/netns/{}", self.dead_name()));
    }
}

fn ip(words: &str) -> Result<String, String> {
    let output = Command::new("ip").args(words.split_whitespace()).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// A frame with memory of its own.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) port: u8,
    pub(super) ns: u64,
    pub(super) wire_len: u32,
    pub(super) truncated: bool,
    pub(super) over_limit: bool,
    pub(super) vlan_restored: bool,
    pub(super) checksum: ChecksumState,
    pub(super) lost_before: u64,
    pub(super) bytes: Vec<u8>,
}

impl From<Frame<'_>> for Kept {
    fn from(frame: Frame<'_>) -> Kept {
        let bytes = frame.to_vec();
        assert_eq!(bytes.len(), frame.captured_len());
        Kept {
            port: frame.port,
            ns: frame.kernel_ns,
            wire_len: frame.wire_len,
            truncated: frame.truncated(),
            over_limit: frame.over_limit,
            vlan_restored: frame.vlan_restored,
            checksum: frame.checksum,
            lost_before: frame.lost_before,
            bytes,
        }
    }
}

impl Kept {
    /// Ports and payload, if this is a UDP datagram.
    pub(super) fn udp(&self) -> Option<(u16, u16, Vec<u8>)> {
        let packet = etherparse::SlicedPacket::from_ethernet(&self.bytes).ok()?;
        let Some(etherparse::TransportSlice::Udp(udp)) = packet.transport else {
            return None;
        };
        Some((udp.source_port(), udp.destination_port(), udp.payload().to_vec()))
    }

    /// The number in a test datagram on ports 7001 and 7002, and whether it went from `va` to `vb`.
    pub(super) fn number(&self) -> Option<(u32, bool)> {
        let (from, to, payload) = self.udp()?;
        let number = u32::from_be_bytes(*payload.first_chunk()?);
        match (from, to) {
            (7001, 7002) => Some((number, true)),
            (7002, 7001) => Some((number, false)),
            _ => None,
        }
    }
}

/// How long the tests wait for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Stops the intake and reads all that the tap has.
pub(super) fn drain(tap: &mut Tap) -> Vec<Kept> {
    let mut kept = Vec::new();
    let end = Instant::now() + PATIENCE;
    tap.stop().unwrap();
    while !tap.drained() {
        assert!(Instant::now() < end, "never drained");
        while let Some(frame) = tap.next_frame() {
            kept.push(frame.into());
        }
        tap.poll(None).unwrap();
    }
    kept
}

/// Reads until `enough` is content with what has come.
pub(super) fn read_until(tap: &mut Tap, mut enough: impl FnMut(&[Kept]) -> bool) -> Vec<Kept> {
    let mut kept = Vec::new();
    let end = Instant::now() + PATIENCE;
    while !enough(&kept) {
        assert!(Instant::now() < end, "only {} frames came", kept.len());
        tap.poll(Some(Duration::from_millis(100))).unwrap();
        while let Some(frame) = tap.next_frame() {
            kept.push(frame.into());
        }
    }
    kept
}

pub(super) fn open(ifaces: Vec<Iface>) -> Tap {
    Tap::open(&TapSpec::new(ifaces)).unwrap()
}

/// Waits for something that the kernel does in its own time.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
