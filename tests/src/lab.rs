//! Network namespaces of a test's own, with real packets between them.
//!
//! ```text
//! system under test            tap                      target
//!   s0 10.77.0.1  <--veth-->  a   b  <--veth-->  g0 10.77.0.2
//!                             tc mirred, both ways
//! ```

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::ifaddrs::getifaddrs;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, sendto, socket};

/// Address of the system under test.
pub const SYSTEM: &str = "10.77.0.1";
/// Address of the target.
pub const TARGET: &str = "10.77.0.2";

/// A network namespace, deleted on drop.
#[derive(Debug)]
pub struct Netns(String);

impl Netns {
    /// A new one; `role` is part of its name. `None`, aloud, where it cannot be had.
    fn new(role: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("house{}x{n}{role}", std::process::id());
        if let Err(reason) = try_ip(&format!("netns add {name}")) {
            house_skip::skip(format_args!("cannot make a network namespace: {reason}"));
            return None;
        }
        let made = Self(name);
        // Nothing of the kernel's own in the traffic.
        for interfaces in ["all", "default"] {
            made.exec(&format!("sysctl -qw net.ipv6.conf.{interfaces}.disable_ipv6=1"));
        }
        made.ip("link set dev lo up");
        Some(made)
    }

    /// One that is connected to nothing. `None`, aloud, where it cannot be had.
    pub fn alone() -> Option<Self> {
        possible(&["ip", "sysctl"]).then(|| Self::new("alone")).flatten()
    }

    /// Its name in `/run/netns`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The device name of a tap on `iface` in it: `NETNS/IFACE`.
    pub fn iface(&self, iface: &str) -> String {
        format!("{}/{iface}", self.0)
    }

    /// `command` run in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Runs a command line in it, which must succeed.
    pub fn exec(&self, line: &str) -> String {
        self.try_exec(line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// One echo to the target, so that something is on the wire. Its identifier is 2: without one it would be the process's number, which may be that
    /// of what a test looks for.
    pub fn nudge(&self) {
        self.exec(&format!("ping -n -q -c 1 -W 5 -s 16 -e 2 {TARGET}"));
    }

    fn try_exec(&self, line: &str) -> Result<String, String> {
        let mut words = line.split_whitespace();
        output(self.command(words.next().unwrap_or_default()).args(words))
    }

    fn ip(&self, words: &str) {
        ip(&format!("-n {} {words}", self.0));
    }

    /// Gives `iface` an address and takes it up.
    fn up(&self, iface: &str, address: Option<&str>) {
        if let Some(address) = address {
            self.ip(&format!("addr add {address}/24 dev {iface}"));
        }
        self.ip(&format!("link set dev {iface} up"));
    }

    /// Turns segmentation and checksum offload off, as a wire would have it.
    fn no_offload(&self, iface: &str) {
        self.exec(&format!("ethtool -K {iface} tx off tso off gso off gro off"));
    }

    /// Sends an Ethernet frame as it is through `iface`.
    pub fn send_raw(&self, iface: &str, frame: &[u8]) {
        self.inside(|| {
            let own = getifaddrs().expect("interfaces");
            let addresses = own.filter(|entry| entry.interface_name == iface).filter_map(|entry| entry.address);
            let to = addresses.filter_map(|address| address.as_link_addr().copied()).next().expect("a link address");
            let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None).expect("root may");
            let sent = sendto(socket.as_raw_fd(), frame, &to, MsgFlags::empty());
            assert_eq!(sent, Ok(frame.len()), "{iface}");
        });
    }

    /// Runs `work` on a thread of its own in the namespace.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.0)).expect("the namespace is there");
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&namespace, CloneFlags::CLONE_NEWNET).expect("root may enter a namespace");
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // If it is gone already, that is what was wanted.
        let _ = try_ip(&format!("netns delete {}", self.0));
    }
}

/// Whether the machine can have namespaces with traffic in them; if not, the test is skipped.
fn possible(programs: &[&str]) -> bool {
    house_skip::need_root() && programs.iter().all(|program| house_skip::need_program(program))
}

/// Two namespaces, `a` with interface `va` ([`SYSTEM`]) and `b` with `vb` ([`TARGET`]).
#[derive(Debug)]
pub struct Pair {
    /// The namespace of `va`.
    pub a: Netns,
    /// The namespace of `vb`.
    pub b: Netns,
}

impl Pair {
    /// `None`, aloud, where it cannot be had. Offloads are as the kernel has them.
    pub fn new() -> Option<Self> {
        if !possible(&["ip", "sysctl"]) {
            return None;
        }
        let pair = Self { a: Netns::new("a")?, b: Netns::new("b")? };
        ip(&format!("link add va netns {} type veth peer name vb netns {}", pair.a.name(), pair.b.name()));
        pair.a.up("va", Some(SYSTEM));
        pair.b.up("vb", Some(TARGET));
        Some(pair)
    }
}

/// System under test, tap, target: packets are forwarded inside the kernel of the tap's namespace, which only watches.
#[derive(Debug)]
pub struct Inline {
    /// Interface `s0`, address [`SYSTEM`].
    pub system: Netns,
    /// Interfaces `a` towards the system and `b` towards the target.
    pub tap: Netns,
    /// Interface `g0`, address [`TARGET`].
    pub target: Netns,
}

impl Inline {
    /// `None`, aloud, where it cannot be had.
    pub fn new() -> Option<Self> {
        if !possible(&["ip", "sysctl", "tc", "ethtool", "ping"]) {
            return None;
        }
        let lab = Self { system: Netns::new("s")?, tap: Netns::new("t")?, target: Netns::new("g")? };
        let Self { system, tap, target } = &lab;
        ip(&format!("link add s0 netns {} type veth peer name a netns {}", system.name(), tap.name()));
        ip(&format!("link add g0 netns {} type veth peer name b netns {}", target.name(), tap.name()));
        for (netns, iface, address) in
            [(system, "s0", Some(SYSTEM)), (tap, "a", None), (tap, "b", None), (target, "g0", Some(TARGET))]
        {
            netns.up(iface, address);
            netns.no_offload(iface);
        }
        for (from, to) in [("a", "b"), ("b", "a")] {
            let forward = tap.try_exec(&format!("tc qdisc add dev {from} clsact")).and_then(|_| {
                let all = "protocol all u32 match u32 0 0";
                tap.try_exec(&format!("tc filter add dev {from} ingress {all} action mirred egress redirect dev {to}"))
            });
            if let Err(reason) = forward {
                house_skip::skip(format_args!("the kernel does not forward with tc (clsact, u32, mirred): {reason}"));
                return None;
            }
        }
        Some(lab)
    }

    /// The device name of the tap between the two: port 0 is what the system sends, port 1 what the target sends.
    pub fn device(&self) -> String {
        format!("emu:tap={}+{}", self.tap.iface("a"), self.tap.iface("b"))
    }
}

fn ip(words: &str) {
    try_ip(words).unwrap_or_else(|error| panic!("ip {words}: {error}"));
}

fn try_ip(words: &str) -> Result<String, String> {
    output(Command::new("ip").args(words.split_whitespace()))
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
