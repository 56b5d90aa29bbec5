//! What a program that was started might leave on the machine: processes, namespaces, mounts, cgroups, queues, settings.
//!
//! Others work on the same machine. So what is looked for is what bears the mark of that program, or can be nobody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::run::PATIENCE;

/// The variable by which processes know whose they are: all that a program starts has it, in whatever namespace.
const VARIABLE: &str = "HOUSE_TEST_MARK";

/// Namespaces that a process may have for itself.
const KINDS: [&str; 6] = ["net", "mnt", "pid", "user", "cgroup", "ipc"];

/// Settings of the kernel that belong to the machine or to its first network namespace: all files of these folders.
const SETTINGS: [&str; 6] = ["net/core", "net/ipv4", "net/ipv4/conf/all", "net/ipv6/conf/all", "kernel", "vm"];

/// Those that change by themselves.
const RESTLESS: [&str; 3] = ["ns_last_pid", "stat_refresh", "perf_event_max_sample_rate"];

/// The mark of a program and of all that it starts.
#[derive(Debug)]
pub struct Mark(String);

/// What processes with a mark hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Their command lines.
    pub processes: Vec<String>,
    /// Namespaces that the test is not in, as `net:[4026532000]`.
    pub namespaces: BTreeSet<String>,
}

impl Mark {
    /// Marks what `command` will start.
    pub fn on(command: &mut Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        command.env(VARIABLE, &mark);
        Self(format!("{VARIABLE}={mark}"))
    }

    /// What its processes hold now.
    pub fn held(&self) -> Held {
        let mut held = Held::default();
        for process in entries(Path::new("/proc")) {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            if !environment.split(|byte| *byte == 0).any(|one| one == self.0.as_bytes()) {
                continue;
            }
            let words = fs::read(process.join("cmdline")).unwrap_or_default();
            held.processes.push(String::from_utf8_lossy(&words).replace('\0', " "));
            for kind in KINDS {
                let of = |process: &Path| fs::read_link(process.join("ns").join(kind)).ok();
                let (own, its) = (of(Path::new("/proc/self")), of(&process));
                held.namespaces
                    .extend(its.filter(|its| Some(its) != own.as_ref()).map(|its| its.display().to_string()));
            }
        }
        held
    }
}

/// What of the machine a run must leave as it was.
#[derive(Debug)]
pub struct Machine {
    /// Queueing disciplines, by the line that `tc` shows.
    queues: BTreeSet<String>,
    /// Devices with the lab's names.
    devices: BTreeSet<String>,
    mounts: BTreeSet<String>,
    settings: BTreeMap<String, String>,
}

impl Machine {
    /// As it is now.
    pub fn now() -> Self {
        let tc = Command::new("tc").args(["qdisc", "show"]).output().expect("tc runs");
        let queues = String::from_utf8_lossy(&tc.stdout).lines().map(str::to_owned).collect();
        let devices = ["s0", "a", "b", "g0", "br0", "v1"]
            .into_iter()
            .filter(|name| Path::new("/sys/class/net").join(name).exists())
            .map(str::to_owned)
            .collect();
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        // Namespaces with names are those of other tests; so are images in folders of theirs.
        let is_of_lab = |line: &&str| {
            let kind = line.split(" - ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            let kept = ["proc", "sysfs", "cgroup", "cgroup2", "devpts"].contains(&kind);
            kept || (kind == "nsfs" && !line.contains("/netns/house"))
        };
        // Numbers of mounts are of no meaning.
        let mounts = mounts.lines().filter(is_of_lab).map(|line| line.split(' ').skip(2).collect::<Vec<_>>().join(" "));
        let settings = SETTINGS.iter().flat_map(|folder| entries(&Path::new("/proc/sys").join(folder)));
        let settings = settings.filter(|path| path.is_file()).filter_map(|path| {
            let name = path.display().to_string();
            let restless = RESTLESS.iter().any(|one| name.contains(one));
            Some((name, fs::read_to_string(&path).ok()?)).filter(|_| !restless)
        });
        Self { queues, devices, mounts: mounts.collect(), settings: settings.collect() }
    }

    /// Whether there is nothing that was not there `before`, and all is set as it was. What was there before was another's, who
    /// may have ended since.
    fn adds_nothing_to(&self, before: &Self) -> bool {
        self.queues.is_subset(&before.queues)
            && self.devices.is_subset(&before.devices)
            && self.mounts.is_subset(&before.mounts)
            && self.settings == before.settings
    }
}

/// Groups of the run whose process had this number.
fn cgroups(process: u32) -> Vec<PathBuf> {
    let trees = ["", "cpu", "cpuacct", "cpuset", "memory", "pids"].map(|tree| Path::new("/sys/fs/cgroup").join(tree));
    trees.iter().map(|tree| tree.join(format!("wiretruth-{process}"))).filter(|group| group.exists()).collect()
}

/// Waits until nothing of the program with this mark and this number is left, and the machine is as it was; how long that took.
///
/// # Panics
///
/// When something stays.
pub fn nothing_stays(before: &Machine, mark: &Mark, process: u32) -> Duration {
    let begun = Instant::now();
    loop {
        let (held, groups, now) = (mark.held(), cgroups(process), Machine::now());
        if held == Held::default() && groups.is_empty() && now.adds_nothing_to(before) {
            return begun.elapsed();
        }
        let patience = begun.elapsed() < PATIENCE;
        assert!(patience, "{held:#?}\n{groups:?}\n{now:#?}\nand before: {before:#?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
