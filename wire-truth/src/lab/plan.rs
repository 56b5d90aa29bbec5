//! What is to be run.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where the probing program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// The system itself (vanilla).
    Host,
    /// Containers that share the system's network stack (as VServer): each a process namespace and cgroup of its own.
    Container,
    /// Containers with a stack of their own behind a virtual interface and a bridge (as OpenVZ).
    Bridge,
    /// Full guests with virtual interfaces (as Xen).
    Vm,
}

/// What the machine is kept busy with, as the paper's section on stress has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StressCase {
    /// Nothing.
    Rest,
    /// A loop on `sqrt()`.
    Cpu,
    /// A loop on `sync()`.
    Io,
    /// `write()` and `unlink()` in turn.
    Hd,
    /// `malloc()` and `free()` in turn.
    Memory,
    /// Two TCP connections, one each way, on the interface of the probes.
    Network,
}

macro_rules! words {
    ($type:ty: $($variant:ident = $word:literal),*) => {
        impl $type {
            /// All of them, in the order of the paper's table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let known: Vec<&str> = Self::ALL.iter().map(|one| one.name()).collect();
                Self::ALL.iter().find(|one| one.name() == text).copied().ok_or_else(|| format!("{text:?} is none of {}", known.join(", ")))
            }
        }
    };
}

words!(Environment: Host = "host", Container = "container", Bridge = "bridge", Vm = "vm");
words!(StressCase: Rest = "rest", Cpu = "cpu", Io = "io", Hd = "hd", Memory = "memory", Network = "network");
words!(Variant: Plain = "plain", PastQueue = "past-queue", Priority = "priority", SmallQueue = "small-queue", Ring = "ring", Reversed = "reversed", Realtime = "realtime");

/// One thing done otherwise, to see how much of a delay goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Nothing.
    Plain,
    /// Probes do not wait in the queue of the uplink, nor for its rate.
    PastQueue,
    /// Probes come first in the queue of the uplink.
    Priority,
    /// TCP may keep 30 kB of a connection in the queue at most.
    SmallQueue,
    /// A ring of 75 kB between queue and wire, as network cards have.
    Ring,
    /// The queue is on the way to the system, behind the wire.
    Reversed,
    /// The probing program is scheduled before all others.
    Realtime,
}

/// The programs that a run starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programs {
    /// `dagcap`, which records what the taps see.
    pub dagcap: PathBuf,
    /// `tping`, which probes.
    pub tping: PathBuf,
    /// `wiretruth`, whose hidden commands are the processes inside.
    pub wiretruth: PathBuf,
}

/// A cell: an environment under a stress, and what is done otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cell {
    /// Where.
    pub environment: Environment,
    /// Under what.
    pub stress: StressCase,
    /// And what otherwise.
    pub variant: Variant,
}

impl Cell {
    /// The name of its folder.
    pub fn folder(&self) -> String {
        match self.variant {
            Variant::Plain => format!("{}-{}", self.environment, self.stress),
            variant => format!("{}-{}-{variant}", self.environment, self.stress),
        }
    }
}

/// A run: all cells, and how each is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The cells, in order.
    pub cells: Vec<Cell>,
    /// Probes under stress, of each cell.
    pub probes: u32,
    /// Probes at rest before, and as many after.
    pub rest: u32,
    /// From one probe to the next.
    pub interval: Duration,
    /// Rate of the link, both ways.
    pub link_bits_per_second: u64,
    /// Guests that are stressed, 1 to 4, of four; the first measures.
    pub stressed: u32,
    /// Threads of each generator.
    pub threads: u32,
    /// TCP connections each way, under network stress.
    pub streams: u32,
    /// How those are controlled.
    pub congestion_control: String,
    /// The folder that everything is written into.
    pub out: PathBuf,
    /// What is started.
    pub programs: Programs,
}

impl Plan {
    /// Probes of a cell, those at rest among them. An identifier has 65 536 sequence numbers.
    pub fn all_probes(&self) -> u32 {
        self.probes.saturating_add(2 * self.rest)
    }

    /// How long the probes of a cell take.
    pub fn time_of_cell(&self) -> Duration {
        self.interval.saturating_mul(self.all_probes()).saturating_add(2 * SETTLE)
    }
}

/// What the process of a cell is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellTask {
    /// The run.
    pub plan: Plan,
    /// Its cell.
    pub cell: Cell,
    /// Cgroups that are there.
    pub cgroups: Vec<PathBuf>,
}

impl fmt::Display for CellTask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for CellTask {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

/// From the begin of the stress to the first probe under it, and from its end to the first probe at rest: queues fill, and empty.
pub(super) const SETTLE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for one in Environment::ALL {
            assert_eq!(one.to_string().parse(), Ok(*one));
        }
        assert_eq!(
            "hdd".parse::<StressCase>(),
            Err("\"hdd\" is none of rest, cpu, io, hd, memory, network".to_owned())
        );
        let cell = Cell { environment: Environment::Host, stress: StressCase::Network, variant: Variant::Plain };
        assert_eq!(cell.folder(), "host-network");
        assert_eq!(Cell { variant: Variant::Ring, ..cell }.folder(), "host-network-ring");
    }
}
