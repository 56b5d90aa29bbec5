//! System, tap and target, and the guests in the system.

use std::path::PathBuf;
use std::process::Command;

use super::cgroup;
use super::plan::{Cell, Plan, Variant};
use super::room::Room;
use super::tool::output;
use crate::error::Error;
use crate::experiment::Environment;

/// Address of what measures: of the system, or of the first guest behind its bridge.
const SYSTEM: &str = "10.77.0.1";
/// Address of the target.
pub(super) const TARGET: &str = "10.77.0.2";
/// Guests, of which the first measures.
pub(super) const GUESTS: u32 = 4;

/// Bytes of the queue: 1000 full frames.
const QUEUE: u32 = 1_514_000;

/// Namespaces, joined.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) system: Room,
    pub(super) tap: Room,
    pub(super) target: Room,
    pub(super) guests: Vec<Guest>,
    /// Which of the tap's interfaces the wire is stamped at.
    pub(super) stamped: &'static str,
    /// System and tap do not share a processor.
    pub(super) has_own_processors: bool,
}

/// Where a program of a guest runs.
#[derive(Debug)]
pub(super) struct Guest {
    name: String,
    /// A stack of its own, where it has one.
    room: Option<Room>,
    cgroups: Vec<PathBuf>,
    has_processes_of_its_own: bool,
    pub(super) address: String,
}

impl Topology {
    /// With programs of the system on one processor, and those of tap and target on another, where there are two.
    pub(super) fn new(cell: Cell, plan: &Plan, cgroups: &[PathBuf]) -> Result<Self, Error> {
        let two = std::thread::available_parallelism().is_ok_and(|count| count.get() > 1);
        let cpu = |number: usize| two.then_some(number);
        let (system, tap, target) = (Room::new(cpu(0))?, Room::new(cpu(1))?, Room::new(cpu(1))?);
        let mut guests = Vec::new();
        join(&system, "s0", &tap, "a")?;
        join(&target, "g0", &tap, "b")?;
        for (from, to) in [("a", "b"), ("b", "a")] {
            tap.exec(&format!("tc qdisc add dev {from} clsact"))?;
            tap.exec(&format!(
                "tc filter add dev {from} ingress protocol all u32 match u32 0 0 action mirred egress redirect dev {to}"
            ))?;
        }
        let mut steered = two;
        if two {
            // What arrives is worked on where its room is: of those that may say so, in a namespace of users nobody.
            for (room, device) in [(&tap, "a"), (&tap, "b"), (&target, "g0")] {
                steered &= room.write(&format!("/sys/class/net/{device}/queues/rx-0/rps_cpus"), "2").is_ok();
            }
        }
        up(&target, "g0", Some(TARGET))?;
        for device in ["a", "b"] {
            up(&tap, device, None)?;
        }
        let is_machine = cell.environment == Environment::Vm;
        let is_bridged = cell.environment == Environment::Bridge || is_machine;
        if is_bridged {
            system.exec("ip link add br0 type bridge")?;
            system.exec("ip link set s0 master br0")?;
            up(&system, "s0", None)?;
            up(&system, "br0", None)?;
        } else {
            up(&system, "s0", Some(SYSTEM))?;
        }
        let count = if cell.environment == Environment::Host { 1 } else { GUESTS };
        for number in 1..=count {
            // The first has the address that elsewhere the system has.
            let address = match is_bridged && number > 1 {
                true => format!("10.77.0.{}", 10 + number),
                false => SYSTEM.to_owned(),
            };
            let room = match cell.environment {
                Environment::Vm => {
                    system.exec(&format!("ip tuntap add dev v{number} mode tap"))?;
                    system.exec(&format!("ip link set v{number} master br0"))?;
                    up(&system, &format!("v{number}"), None)?;
                    None
                }
                Environment::Bridge => {
                    let room = Room::new(cpu(0))?;
                    join(&system, &format!("v{number}"), &room, "eth0")?;
                    system.exec(&format!("ip link set v{number} master br0"))?;
                    up(&system, &format!("v{number}"), None)?;
                    up(&room, "eth0", Some(&address))?;
                    Some(room)
                }
                _ => None,
            };
            let is_guest = matches!(cell.environment, Environment::Container | Environment::Bridge);
            let cgroups = if is_guest { cgroups.to_vec() } else { Vec::new() };
            guests.push(Guest {
                name: format!("g{number}"),
                room,
                cgroups,
                has_processes_of_its_own: is_guest,
                address,
            });
        }
        let stamped = match cell.variant {
            // Behind the ring.
            Variant::Ring => "b",
            // What arrives, before it waits.
            Variant::Reversed => "a+b",
            _ => "a",
        };
        let lab = Self { system, tap, target, guests, stamped, has_own_processors: steered };
        lab.shape(cell.variant, plan)?;
        Ok(lab)
    }

    /// Links of the plan's rate, with a queue before each.
    fn shape(&self, variant: Variant, plan: &Plan) -> Result<(), Error> {
        let rate = plan.link_bits_per_second;
        let queue = |burst: &str, limit: u32| format!("tbf rate {rate}bit burst {burst} limit {limit}");
        self.target.exec(&format!("tc qdisc add dev g0 root {}", queue("4k", QUEUE)))?;
        let plain = queue("4k", QUEUE);
        match variant {
            Variant::Plain | Variant::Realtime => self.uplink(&format!("root {plain}"))?,
            Variant::SmallQueue => {
                self.uplink(&format!("root {plain}"))?;
                for room in self.guests.iter().map(|guest| self.room(guest)) {
                    room.write("/proc/sys/net/ipv4/tcp_limit_output_bytes", "30000")?;
                }
            }
            Variant::Ring => {
                self.uplink(&format!("root {}", queue("75k", QUEUE)))?;
                self.tap.exec(&format!("tc qdisc add dev b root {}", queue("4k", 120_000)))?;
            }
            Variant::Reversed => {
                // Both queues are the tap's, behind the wire's stamps: what is sent waits nowhere before them.
                self.target.exec("tc qdisc del dev g0 root")?;
                for device in ["a", "b"] {
                    self.tap.exec(&format!("tc qdisc add dev {device} root {plain}"))?;
                }
            }
            Variant::PastQueue | Variant::Priority => {
                let fast = rate.saturating_mul(10);
                self.uplink("root handle 1: htb default 10")?;
                let (all, probes) = match variant {
                    Variant::PastQueue => (fast, format!("rate {fast}bit ceil {fast}bit prio 0")),
                    _ => (rate, format!("rate {}bit ceil {rate}bit prio 0", rate / 20)),
                };
                let others = if variant == Variant::PastQueue { rate } else { rate - rate / 20 };
                let ceil = rate.min(all);
                self.class(&format!("parent 1: classid 1:1 htb rate {all}bit ceil {all}bit"))?;
                self.class(&format!("parent 1:1 classid 1:10 htb rate {others}bit ceil {ceil}bit prio 1"))?;
                self.class(&format!("parent 1:1 classid 1:20 htb {probes}"))?;
                self.system.exec(&format!("tc qdisc add dev s0 parent 1:10 bfifo limit {QUEUE}"))?;
                self.system.exec(&format!("tc qdisc add dev s0 parent 1:20 bfifo limit {QUEUE}"))?;
                self.system.exec(
                    "tc filter add dev s0 parent 1: protocol ip prio 1 u32 match ip protocol 1 0xff flowid 1:20",
                )?;
            }
        }
        Ok(())
    }

    fn uplink(&self, words: &str) -> Result<(), Error> {
        self.system.exec(&format!("tc qdisc add dev s0 {words}")).map(|_| ())
    }

    fn class(&self, words: &str) -> Result<(), Error> {
        self.system.exec(&format!("tc class add dev s0 {words}")).map(|_| ())
    }

    /// The namespace that a guest's packets come from.
    pub(super) fn room<'a>(&'a self, guest: &'a Guest) -> &'a Room {
        guest.room.as_ref().unwrap_or(&self.system)
    }

    /// A program of a guest.
    pub(super) fn command(&self, guest: &Guest, words: Command) -> Command {
        let mut command = match guest.has_processes_of_its_own {
            true => {
                let mut command = self.room(guest).command("unshare");
                command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"]).arg(words.get_program());
                command
            }
            false => self.room(guest).command(words.get_program()),
        };
        command.args(words.get_args());
        match guest.cgroups.is_empty() {
            true => command,
            false => cgroup::entering(&guest.cgroups, &guest.name, &command),
        }
    }
}

/// A pair of devices, one in each room, without offloads: a frame is what is on the wire.
fn join(one: &Room, device: &str, other: &Room, peer: &str) -> Result<(), Error> {
    one.exec(&format!("ip link add {device} type veth peer name {peer} netns {}", other.pid()))?;
    for (room, device) in [(one, device), (other, peer)] {
        room.exec(&format!("ethtool -K {device} tx off tso off gso off gro off"))?;
    }
    Ok(())
}

fn up(room: &Room, device: &str, address: Option<&str>) -> Result<(), Error> {
    if let Some(address) = address {
        room.exec(&format!("ip addr add {address}/24 dev {device}"))?;
    }
    output(room.command("ip").args(["link", "set", "dev", device, "up"])).map(|_| ())
}
