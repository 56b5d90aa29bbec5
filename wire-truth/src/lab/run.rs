//! A run: cell after cell, each in namespaces of its own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::utsname::uname;
use nix::unistd::geteuid;
use serde_json::{Value, json};

use super::cgroup;
use super::plan::{Cell, CellTask, Plan};
use super::tool::line;
use crate::error::{Error, Repr};
use crate::experiment::Environment;

/// What a run says as it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// This cell is there already.
    There(Cell),
    /// This cell is begun; so many are left with it, which take about so long.
    Begun(Cell, usize, Duration),
    /// This cell is done.
    Done(Cell),
    /// This cell could not be run, for this reason.
    Failed(Cell, String),
}

/// Between two looks whether a cell is done.
const LOOK: Duration = Duration::from_millis(50);

/// Runs all cells of a plan that are not there yet, until `stop`. How many there are that could not be run.
///
/// # Errors
///
/// When nothing can be run at all. A cell that fails is told, and the next one run.
pub fn run(plan: &Plan, stop: &AtomicBool, mut tell: impl FnMut(&Progress)) -> Result<usize, Error> {
    let failed = |cause: io::Error| Repr::Io { path: plan.out.display().to_string(), cause };
    fs::create_dir_all(&plan.out).map_err(failed)?;
    let _lock = alone(&plan.out)?;
    let description = plan.out.join("run.json");
    let told = described(plan);
    match fs::read_to_string(&description) {
        Ok(before) => same_settings(&before, &told)
            .map_err(|what| Repr::Lab { what: format!("{}: {what}", description.display()) })?,
        Err(_) => fs::write(
            &description,
            told + "
",
        )
        .map_err(failed)?,
    }
    let (there, is_left): (Vec<Cell>, Vec<Cell>) =
        plan.cells.iter().partition(|cell| is_measured(&plan.out.join(cell.folder())));
    there.into_iter().for_each(|cell| tell(&Progress::There(cell)));
    let groups = Groups::new(plan)?;
    let mut not_run = 0;
    for (number, cell) in is_left.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let left = is_left.len() - number;
        let time = is_left[number..].iter().fold(Duration::ZERO, |time, cell| time.saturating_add(plan.about(*cell)));
        tell(&Progress::Begun(*cell, left, time));
        match one(plan, *cell, &groups.folders, stop)? {
            None => tell(&Progress::Done(*cell)),
            Some(reason) => {
                not_run += 1;
                tell(&Progress::Failed(*cell, reason));
            }
        }
    }
    Ok(not_run)
}

/// That no other run works in this folder, for as long as the answer is kept.
fn alone(folder: &Path) -> Result<Flock<File>, Error> {
    let path = folder.join(".lock");
    let failed = |cause| Repr::Io { path: path.display().to_string(), cause };
    let file = File::create(&path).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EAGAIN => {
            Repr::Lab { what: format!("another run works in {}: let it end, or name another folder", folder.display()) }
                .into()
        }
        other => failed(other.into()).into(),
    })
}

/// A cell is there, and valid: another is measured again.
fn is_measured(folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join("cell.json")).unwrap_or_default();
    serde_json::from_str::<Value>(&text).is_ok_and(|told| told["valid"] == true)
}

/// What has to be as it was for cells of one run to be beside each other.
const SETTINGS: [&str; 9] = [
    "probes",
    "interval_ns",
    "rest_lead",
    "rest_trail",
    "link_bits_per_second",
    "stressed_guests",
    "threads",
    "streams",
    "congestion_control",
];

fn same_settings(before: &str, now: &str) -> Result<(), String> {
    let read = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
    let (before, now) = (read(before)?, read(now)?);
    match SETTINGS.iter().find(|name| before[**name] != now[**name]) {
        None => Ok(()),
        Some(name) => Err(format!(
            "its cells were measured with {name} {}, and not {}: give the same, or another folder by --out",
            before[*name], now[*name]
        )),
    }
}

/// Cgroups of a run, and the process that removes them, whatever becomes of this one.
struct Groups {
    folders: Vec<PathBuf>,
    guardian: Option<(Child, ChildStdin)>,
}

impl Groups {
    fn new(plan: &Plan) -> Result<Self, Error> {
        let contained = |cell: &Cell| matches!(cell.environment, Environment::Container | Environment::Bridge);
        if !plan.cells.iter().any(contained) {
            return Ok(Self { folders: Vec::new(), guardian: None });
        }
        let wanted = cgroup::of_run(&cgroup::name_of(std::process::id()));
        let mut command = Command::new(&plan.programs.wiretruth);
        command
            .args(["lab", "guardian"])
            .args(&wanted)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Not of this terminal's: it is to live until the end.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut guardian =
            command.spawn().map_err(|cause| Repr::Program { line: "wiretruth lab guardian".to_owned(), cause })?;
        let stdin = guardian.stdin.take();
        // Before there is anything to guard.
        Ok(Self { folders: cgroup::make(&wanted), guardian: stdin.map(|stdin| (guardian, stdin)) })
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        if let Some((mut guardian, stdin)) = self.guardian.take() {
            drop(stdin);
            let _ = guardian.wait();
        }
    }
}

/// Runs a cell; why it could not be.
fn one(plan: &Plan, cell: Cell, groups: &[PathBuf], stop: &AtomicBool) -> Result<Option<String>, Error> {
    // Who is not root is that in a namespace of users of its own, where the kernel allows one.
    let users = if geteuid().is_root() { "" } else { "--user --map-root-user" };
    let mut command =
        line(&format!("unshare {users} --pid --fork --kill-child=SIGKILL --mount --propagation private --net --"));
    let task = CellTask { plan: plan.clone(), cell, cgroups: groups.to_vec() };
    command.arg(&plan.programs.wiretruth).args(["lab", "cell", &task.to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    // A key pressed at the terminal is for this process, which ends the cell's by its pipe.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let failed = |cause| Repr::Program { line: "unshare wiretruth lab cell".to_owned(), cause };
    let mut inside = command.spawn().map_err(failed)?;
    let mut hold = inside.stdin.take();
    loop {
        if stop.load(Ordering::Relaxed) {
            drop(hold.take());
        }
        match inside.try_wait().map_err(failed)? {
            None => sleep(LOOK),
            Some(status) if status.success() => return Ok(None),
            Some(status) => {
                let mut said = String::new();
                if let Some(mut err) = inside.stderr.take() {
                    let _ = io::Read::read_to_string(&mut err, &mut said);
                }
                let _ = fs::remove_dir_all(plan.out.join(format!("{}.partial", cell.folder())));
                if stop.load(Ordering::Relaxed) {
                    return Ok(Some("stopped".to_owned()));
                }
                let said = said.trim();
                return Ok(Some(if said.is_empty() { status.to_string() } else { said.to_owned() }));
            }
        }
    }
}

/// What was run where.
fn described(plan: &Plan) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let kernel = uname().map_or_else(|_| "unknown".to_owned(), |name| name.release().to_string_lossy().into_owned());
    let host = uname().map_or_else(|_| "unknown".to_owned(), |name| name.nodename().to_string_lossy().into_owned());
    let clock = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let environments = distinct(plan.cells.iter().map(|cell| cell.environment.name()));
    let stresses = distinct(plan.cells.iter().map(|cell| cell.stress.name()));
    let told = json!({
        "schema": 1, "started_ns": now, "host": host, "kernel": kernel,
        "cpus": std::thread::available_parallelism().map_or(1, usize::from),
        "clock_source": clock.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned()),
        "command": std::env::args().collect::<Vec<_>>().join(" "),
        "probes": plan.probes, "interval_ns": plan.interval.as_nanos() as u64, "rest_lead": plan.rest, "rest_trail": plan.rest,
        "link_bits_per_second": plan.link_bits_per_second, "environments": environments, "stresses": stresses,
        "stressed_guests": plan.stressed, "threads": plan.threads, "streams": plan.streams, "congestion_control": plan.congestion_control,
        "versions": {"wire-truth": env!("CARGO_PKG_VERSION")},
    });
    serde_json::to_string_pretty(&told).unwrap_or_default()
}

fn distinct(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_run_have_the_same_settings() {
        let told = |probes: u32| json!({"probes": probes, "host": "x"}).to_string();
        assert_eq!(same_settings(&told(50), &told(50)), Ok(()));
        let error = same_settings(&told(50), &told(60)).unwrap_err();
        assert!(error.starts_with("its cells were measured with probes 50, and not 60"), "{error}");
        assert!(same_settings("what", &told(60)).is_err());
    }

    #[test]
    fn two_runs_do_not_work_in_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let one = alone(dir.path()).unwrap();
        assert!(alone(dir.path()).unwrap_err().to_string().starts_with("another run works in "));
        drop(one);
        alone(dir.path()).unwrap();
    }

    #[test]
    fn a_cell_that_is_not_valid_is_measured_again() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_measured(dir.path()));
        for (text, is) in [("", false), ("{\"valid\": false}", false), ("{\"valid\": true}", true)] {
            fs::write(dir.path().join("cell.json"), text).unwrap();
            assert_eq!(is_measured(dir.path()), is, "{text}");
        }
    }
}
