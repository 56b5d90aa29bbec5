//! What is to be run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::vm;

use crate::experiment::{Environment, Stress};

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

impl Variant {
    /// All of them, that which is plain first.
    pub const ALL: [Self; 7] =
        [Self::Plain, Self::PastQueue, Self::Priority, Self::SmallQueue, Self::Ring, Self::Reversed, Self::Realtime];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::PastQueue => "past-queue",
            Self::Priority => "priority",
            Self::SmallQueue => "small-queue",
            Self::Ring => "ring",
            Self::Reversed => "reversed",
            Self::Realtime => "realtime",
        }
    }
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
    pub stress: Stress,
    /// And what otherwise.
    pub variant: Variant,
}

impl Cell {
    /// The name of its folder. What is done otherwise is a run of its own, in a folder of that.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.environment, self.stress)
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
    /// What guests boot from, where there are any.
    pub image: Option<Image>,
    /// Stress comes and goes, where it is not there all along.
    pub switching: Option<Switching>,
}

/// Stress that comes and goes at random times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switching {
    /// What the times are drawn by.
    pub seed: u64,
    /// How often it comes.
    pub spells: u32,
    /// The folder of the thresholds of each cell, by which probes are judged as they come back.
    pub thresholds: Option<PathBuf>,
}

impl Switching {
    /// The thresholds of a cell.
    pub fn thresholds_of(folder: &Path, cell: Cell) -> PathBuf {
        folder.join(format!("thresholds-{}.json", cell.folder()))
    }
}

/// What guests boot from, and on what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The kernel.
    pub kernel: PathBuf,
    /// The file system in memory.
    pub initramfs: PathBuf,
    /// KVM was tried, and is fast enough; else guests are emulated.
    pub is_hardware: bool,
}

impl Plan {
    /// Probes of a cell, those at rest among them. An identifier has 65 536 sequence numbers.
    pub fn all_probes(&self) -> u32 {
        self.probes.saturating_add(2 * self.rest)
    }

    /// How long the probes of a cell take.
    pub fn time_of_cell(&self, cell: Cell) -> Duration {
        self.interval.saturating_mul(self.all_probes()).saturating_add(2 * self.settle(cell))
    }

    /// How long a cell is under its stress, at most.
    pub(super) fn time_under_stress(&self, cell: Cell) -> Duration {
        self.interval.saturating_mul(self.probes).saturating_add(self.settle(cell))
    }

    fn settle(&self, cell: Cell) -> Duration {
        if cell.environment == Environment::Vm { vm::SETTLE } else { SETTLE }
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

/// A plan of no cells, for tests.
#[cfg(test)]
pub(super) fn made_up() -> Plan {
    Plan {
        cells: Vec::new(),
        probes: 10,
        rest: 5,
        interval: Duration::from_millis(20),
        link_bits_per_second: 100_000_000,
        stressed: 1,
        threads: 2,
        streams: 3,
        congestion_control: "cubic".to_owned(),
        out: PathBuf::from("/a folder"),
        programs: Programs { dagcap: "a".into(), tping: "b".into(), wiretruth: "c".into() },
        image: Some(Image { kernel: "k".into(), initramfs: "i".into(), is_hardware: false }),
        switching: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_as_it_is_told() {
        let cell = Cell { environment: Environment::Bridge, stress: Stress::Hd, variant: Variant::PastQueue };
        assert_eq!(cell.folder(), "bridge-hd");
        let plan = Plan {
            cells: vec![cell],
            switching: Some(Switching { seed: 7, spells: 4, thresholds: Some("/t".into()) }),
            ..made_up()
        };
        assert_eq!(Switching::thresholds_of(Path::new("/t"), cell), Path::new("/t/thresholds-bridge-hd.json"));
        assert_eq!(plan.time_of_cell(cell), Duration::from_millis(20 * 20 + 4_000));
        let guest = Cell { environment: Environment::Vm, ..cell };
        assert_eq!(plan.time_of_cell(guest), Duration::from_millis(20 * 20 + 12_000));
        let task = CellTask { plan, cell, cgroups: vec!["/x".into()] };
        assert_eq!(task.to_string().parse(), Ok(task));
        assert!("{}".parse::<CellTask>().is_err());
        for variant in Variant::ALL {
            assert_eq!(serde_json::to_value(variant).unwrap(), variant.name());
        }
    }
}
