//! Cgroups of a run's guests, of either version. Nothing removes them by itself: a guardian does when the run has ended, in whatever way.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::tool::line;

/// Where controllers are: each a tree of its own (version 1), or all in one (version 2).
const ROOT: &str = "/sys/fs/cgroup";

/// What the name of a run's groups begins with; the number of its process follows.
const PREFIX: &str = "wiretruth-";

/// The guardian gives up after so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// The folders in which a run has its groups, named after it; those that may be made. Empty where this machine has none.
pub(super) fn of_run(name: &str) -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    // Version 2 by the file that only it has.
    let trees = match root.join("cgroup.controllers").exists() {
        true => vec![root.to_owned()],
        false => ["cpu", "cpuacct"].map(|tree| root.join(tree)).to_vec(),
    };
    let found = trees.into_iter().filter(|tree| tree.join("cgroup.procs").exists());
    found.map(|tree| tree.join(name)).collect()
}

/// The name of the groups of the run that this process is.
pub(super) fn name_of(process: u32) -> String {
    format!("{PREFIX}{process}")
}

/// Groups of runs that are over: no process has the number that is in their name, or it is another program's.
pub(super) fn left_over() -> Vec<PathBuf> {
    let is_over = |name: &str| {
        let Some(process) = name.strip_prefix(PREFIX).and_then(|number| number.parse::<u32>().ok()) else {
            return false;
        };
        let words = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        !words.contains("lab")
    };
    let trees: BTreeSet<PathBuf> = of_run("").into_iter().collect();
    let inside = trees.iter().flat_map(|tree| fs::read_dir(tree).into_iter().flatten().flatten());
    inside.filter(|entry| is_over(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect()
}

/// Makes the groups of a run; those of which it cannot are left out.
pub(super) fn make(folders: &[PathBuf]) -> Vec<PathBuf> {
    folders.iter().filter(|folder| fs::create_dir_all(folder).is_ok()).cloned().collect()
}

/// A command that enters the group `guest` of each folder, and then does what `command` does.
pub(super) fn entering(folders: &[PathBuf], guest: &str, command: &Command) -> Command {
    let groups: Vec<PathBuf> =
        folders.iter().map(|folder| folder.join(guest)).filter(|group| fs::create_dir_all(group).is_ok()).collect();
    // 0 is the one that writes.
    let mut entering = line("sh -c");
    entering.arg("n=$1; shift; while [ $n -gt 0 ]; do echo 0 >\"$1/cgroup.procs\" || exit 125; shift; n=$((n-1)); done; exec \"$@\"");
    entering.arg("sh").arg(groups.len().to_string()).args(groups);
    entering.arg(command.get_program()).args(command.get_args());
    entering
}

/// Waits until `until` ends, and removes the groups `folders` with all in them. Its processes have ended before, or are about to.
pub fn guardian(mut until: impl Read, folders: &[PathBuf]) {
    let _ = until.read_to_end(&mut Vec::new());
    let begun = Instant::now();
    while folders.iter().any(|folder| folder.exists()) && begun.elapsed() < PATIENCE {
        for folder in folders {
            remove(folder);
        }
        sleep(Duration::from_millis(20));
    }
}

pub(super) fn remove(folder: &Path) {
    for inside in fs::read_dir(folder).into_iter().flatten().flatten() {
        if inside.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&inside.path());
        }
    }
    // Of a group only the folder is removed; while there are processes in it, not even that.
    let _ = fs::remove_dir(folder);
}
