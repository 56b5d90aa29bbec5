//! What can go wrong between a tap and the kernel, said with the way out.

use std::io;

use super::netns::Iface;

/// Why a tap could not be opened or cannot go on.
///
/// Every message names the interface, the cause and what a person can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// A tap has one interface (both directions of it) or two (what arrives at each).
    #[error("a tap takes one interface (A) or two (A+B), not {given}")]
    InterfaceCount {
        /// How many were named.
        given: usize,
    },
    /// The same interface was named twice.
    #[error("{iface} is named twice: a tap on both directions of one interface is written tap={iface}")]
    NamedTwice {
        /// The interface.
        iface: Iface,
    },
    /// A name that the kernel cannot have given to an interface or a namespace.
    #[error("{text:?} does not name an interface: {why}; write IFACE or NETNS/IFACE")]
    BadName {
        /// The name as written.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `/run/netns` has no such name.
    #[error("there is no network namespace {name:?} in /run/netns; {}", list("namespace", existing))]
    NoSuchNetns {
        /// The name asked for.
        name: String,
        /// The names that are there, sorted.
        existing: Vec<String>,
    },
    /// The name is there, but what it names is no (longer a) network namespace.
    #[error(
        "/run/netns/{name} is not a network namespace (a name left behind by a dead one?); \
         remove it with `ip netns delete {name}` and make it anew"
    )]
    NotANetns {
        /// The name asked for.
        name: String,
    },
    /// Entering a namespace is a privilege of its own.
    #[error(
        "entering network namespace {name} needs CAP_SYS_ADMIN; run as root, or \
         `setcap cap_net_raw,cap_sys_admin+ep {}`",
        program()
    )]
    NetnsPermission {
        /// The namespace.
        name: String,
    },
    /// The namespace has no such interface.
    #[error("there is no interface {iface}; {}", list("interface", existing))]
    NoSuchInterface {
        /// The interface asked for.
        iface: Iface,
        /// The interfaces that are there, in the kernel's order.
        existing: Vec<String>,
    },
    /// Packet sockets need a capability.
    #[error("a tap on {iface} needs CAP_NET_RAW; run as root, or `setcap cap_net_raw+ep {}`", program())]
    NoPermission {
        /// The interface.
        iface: Iface,
    },
    /// Frames of this interface are not Ethernet frames.
    #[error(
        "{iface} is not an Ethernet interface but {kind}; \
         a tap takes Ethernet and loopback interfaces"
    )]
    NotEthernet {
        /// The interface.
        iface: Iface,
        /// The kernel's name for its link layer (`ARPHRD_*`).
        kind: String,
    },
    /// The ring sizes contradict each other or the machine.
    #[error("the ring of a tap cannot be {what}: {why}")]
    BadRing {
        /// The value refused.
        what: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// The kernel has no memory for the ring.
    #[error(
        "no memory for a ring of {bytes} bytes on {iface} ({source}); \
         ask for fewer or smaller blocks"
    )]
    RingMemory {
        /// The interface.
        iface: Iface,
        /// Bytes asked for.
        bytes: u64,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Every tapped interface has been removed from its namespace.
    #[error("{iface} has been removed: there is nothing left to tap")]
    Gone {
        /// The interface that went last.
        iface: Iface,
    },
    /// A call that does not fail on a healthy kernel failed.
    #[error("{call} failed for {iface}: {source}")]
    System {
        /// The interface.
        iface: Iface,
        /// The call, as a person would look it up.
        call: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

fn list(what: &str, names: &[String]) -> String {
    match names {
        [] => format!("there is no {what} at all"),
        [one] => format!("the only {what} is {one}"),
        many => format!("the {what}s are {}", many.join(", ")),
    }
}

/// The program to give the capability to, as a person would type it.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "PROGRAM".into(), |path| path.display().to_string())
}
