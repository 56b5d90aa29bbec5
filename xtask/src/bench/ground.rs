//! Where contests are held: programs built, files made, folders that go away.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::measure::Run;
use crate::shell::{self, About, Result, cargo, finding, output, run};

/// Files of the same seed are the same.
const SEED: &str = "53";

/// Our packages that are measured.
const PACKAGES: [&str; 2] = ["dag-tools", "house-hot"];

/// Of the folders that are made here, with the number of the process behind it.
const FOLDER: &str = "house-bench-";

/// A file system in memory.
const MEMORY: &str = "/dev/shm";

/// Where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On a disk, and so in the page cache.
    Disk,
    /// In memory, as a file of tmpfs.
    Memory,
}

/// A file that was made, or several.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) paths: Vec<PathBuf>,
    pub(super) packets: u64,
}

impl Made {
    /// The only file, or the first.
    pub(super) fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }
}

#[derive(Debug)]
pub(super) struct Ground {
    pub(super) size: u64,
    pub(super) rounds: usize,
    /// On a disk.
    pub(super) folder: PathBuf,
    /// In memory, if there is room.
    memory: Option<PathBuf>,
    pub(super) measured: PathBuf,
    built: PathBuf,
    made: RefCell<Vec<(String, Made)>>,
}

impl Ground {
    /// Builds what is measured, and makes folders.
    pub(super) fn prepare(size: u64, rounds: usize, dir: Option<&Path>) -> Result<Self> {
        let built = build(&PACKAGES)?;
        let name = format!("{FOLDER}{}", std::process::id());
        let dir = dir.map_or_else(shell::target, Path::to_owned);
        for dir in [&dir, Path::new(MEMORY)] {
            remove_left(dir, Path::new("/proc"))?;
        }
        let folder = dir.join(&name);
        fs::create_dir_all(&folder).about(&folder)?;
        // What is read, twice what is written, and as much again for everybody else.
        let memory = room(Path::new(MEMORY)).filter(|room| *room / 4 > size).map(|_| Path::new(MEMORY).join(&name));
        if let Some(memory) = &memory {
            fs::create_dir_all(memory).about(memory)?;
        } else {
            println!("{MEMORY} has no room for files of this size: contests in memory are left out");
        }
        let measured = folder.join("measured");
        let ground = Self { size, rounds, folder, memory, measured, built, made: RefCell::default() };
        for program in ["measured", "walk", "convert", "filter", "copy", "ring"] {
            ground.compile(program)?;
        }
        Ok(ground)
    }

    /// Compiles `benches/c/NAME.c`.
    fn compile(&self, name: &str) -> Result {
        let source = shell::root().join("benches/c").join(name).with_extension("c");
        let mut cc = shell::program("cc");
        cc.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-pthread", "-o"]).arg(self.plain(name)).arg(source);
        let status = cc.status().map_err(|cause| shell::start_error(&cc, cause))?;
        if status.success() { Ok(()) } else { finding(format!("benches/c/{name}.c does not compile")) }
    }

    /// A plain program in C.
    pub(super) fn plain(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// One of our programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.built.join(name)
    }

    /// Somebody else's program, where there is one.
    pub(super) fn installed(&self, name: &str) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
        folders.map(|folder| folder.join(name)).find(|file| file.is_file())
    }

    /// A program of ours that has one processor, where somebody can see to that.
    pub(super) fn on_one_processor(&self, name: &str) -> Option<Run> {
        let taskset = self.installed("taskset")?;
        Some(Run::new(taskset).args(["--cpu-list", "0"]).arg(self.program(name)))
    }

    /// The places that there are, with what to call them.
    pub(super) fn places(&self) -> Vec<(Place, &'static str)> {
        let mut places = vec![(Place::Disk, "in the page cache")];
        if self.memory.is_some() {
            places.push((Place::Memory, "in tmpfs"));
        }
        places
    }

    /// Where outputs cost the least: tmpfs if there is room.
    pub(super) fn best_place(&self) -> (Place, &'static str) {
        self.places().pop().unwrap_or((Place::Disk, "in the page cache"))
    }

    /// A path in a place.
    pub(super) fn path(&self, place: Place, name: &str) -> PathBuf {
        match (place, &self.memory) {
            (Place::Memory, Some(memory)) => memory.join(name),
            _ => self.folder.join(name),
        }
    }

    /// A path for what is small.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file of the mix `small` (64-byte frames) or `imix`, made when it is asked for first.
    pub(super) fn file(&self, place: Place, mix: &str) -> Result<Made> {
        self.files(place, mix, 1)
    }

    /// The same in several files, each in the order of its stamps.
    pub(super) fn files(&self, place: Place, mix: &str, count: usize) -> Result<Made> {
        let key = format!("{mix}-{count}-{place:?}");
        if let Some((_, made)) = self.made.borrow().iter().find(|(name, _)| *name == key) {
            return Ok(made.clone());
        }
        let paths: Vec<PathBuf> = (0..count).map(|n| self.path(place, &format!("{mix}-{count}-{n}.erf"))).collect();
        let mut generate = shell::program(self.program("house-hot"));
        generate.args(["generate", mix, SEED, &self.size.to_string()]).args(&paths);
        let said = output(&mut generate)?;
        let Some(packets) = said.trim().strip_prefix("packets ").and_then(|count| count.parse().ok()) else {
            return finding(format!("house-hot generate says {said}"));
        };
        let made = Made { paths, packets };
        self.made.borrow_mut().push((key, made.clone()));
        Ok(made)
    }

    /// Removes the files that were made.
    pub(super) fn clear(&self) -> Result {
        for (_, made) in self.made.borrow_mut().drain(..) {
            for path in made.paths {
                fs::remove_file(&path).about(&path)?;
            }
        }
        Ok(())
    }

    /// What was written is on the disk, so that nothing is written while others run.
    pub(super) fn settle(&self) -> Result {
        let mut sync = Command::new("sync");
        sync.status().map_err(|cause| shell::start_error(&sync, cause))?;
        Ok(())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for folder in self.memory.iter().chain([&self.folder]) {
            if let Err(cause) = fs::remove_dir_all(folder) {
                eprintln!("{}: {cause}", folder.display());
            }
        }
    }
}

/// Builds packages as they are released, and returns where the programs are.
pub(super) fn build(packages: &[&str]) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--bins"]);
    build.args(packages.iter().flat_map(|package| ["--package", package]));
    // An incremental build leaves small functions of another crate as calls, and is not what is released.
    run(build.env("CARGO_INCREMENTAL", "0"))?;
    Ok(shell::target().join("release"))
}

/// Removes what a run left that was ended from outside: folders of processes that are not in `processes` any more.
fn remove_left(dir: &Path, processes: &Path) -> Result {
    // Where there is no such folder, nothing was left.
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(FOLDER)) else { continue };
        if process.bytes().all(|byte| byte.is_ascii_digit()) && !processes.join(process).exists() {
            fs::remove_dir_all(entry.path()).about(&entry.path())?;
        }
    }
    Ok(())
}

/// Free bytes of a file system, if there is one.
fn room(path: &Path) -> Option<u64> {
    let mut df = Command::new("df");
    let said = df.args(["--block-size=1", "--output=avail"]).arg(path).output().ok()?;
    String::from_utf8_lossy(&said.stdout).lines().nth(1)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_processes_that_are_gone_are_removed() {
        let base = env::temp_dir().join(format!("xtask-left-{}", std::process::id()));
        let (dir, processes) = (base.join("dir"), base.join("proc"));
        for folder in
            [dir.join("house-bench-1"), dir.join("house-bench-2"), dir.join("house-bench-x"), processes.join("2")]
        {
            fs::create_dir_all(folder).unwrap();
        }
        remove_left(&dir, &processes).unwrap();
        assert!(!dir.join("house-bench-1").exists());
        assert!(dir.join("house-bench-2").exists() && dir.join("house-bench-x").exists());
        remove_left(&base.join("nowhere"), &processes).unwrap();
        fs::remove_dir_all(base).unwrap();
    }
}
