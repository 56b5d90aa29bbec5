//! A run: cell after cell, each in namespaces of its own.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::utsname::uname;
use nix::unistd::geteuid;
use serde_json::{Value, json};

use super::cgroup;
use super::pace::Pace;
use super::plan::{Cell, CellTask, Plan};
use super::space;
use super::tool::line;
use crate::error::{Error, Repr};
use crate::experiment::Environment;
use crate::regular;

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
    let of_description = |cause| Repr::Io { path: description.display().to_string(), cause };
    match regular::read(&description) {
        Ok(before) => same_settings(&String::from_utf8_lossy(&before), &told)
            .map_err(|what| Repr::Lab { what: format!("{}: {what}", description.display()) })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_whole(&description, &(told + "\n")).map_err(of_description)?;
        }
        Err(cause) => return Err(of_description(cause).into()),
    }
    let (there, is_left): (Vec<Cell>, Vec<Cell>) =
        plan.cells.iter().partition(|cell| is_measured(&plan.out.join(cell.folder())));
    there.into_iter().for_each(|cell| tell(&Progress::There(cell)));
    let groups = Groups::new(plan)?;
    let (mut not_run, mut pace) = (0, Pace::default());
    for (number, cell) in is_left.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (left, begun) = (&is_left[number..], Instant::now());
        tell(&Progress::Begun(*cell, left.len(), pace.left(plan, left)));
        match one(plan, *cell, &groups.folders, stop)? {
            None => {
                pace.done(plan, *cell, begun.elapsed());
                tell(&Progress::Done(*cell));
            }
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
    if path.exists() {
        regular::check(&path).map_err(failed)?;
    }
    let file = File::create(&path).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EAGAIN => {
            Repr::Lab { what: format!("another run works in {}: let it end, or name another folder", folder.display()) }
                .into()
        }
        other => failed(other.into()).into(),
    })
}

/// Writes a file whole, or not at all: half of it would be in the way of the next run.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

/// A cell is there, and valid: another is measured again.
fn is_measured(folder: &Path) -> bool {
    let text = regular::read(&folder.join("cell.json")).unwrap_or_default();
    serde_json::from_slice::<Value>(&text).is_ok_and(|told| told["valid"] == true)
}

/// Leaves of a cell that could not be run why, where there is none: the next run does it again. Where not even that can be written, it is not there.
fn leave_reason(plan: &Plan, cell: Cell, why: &str) -> io::Result<()> {
    let folder = plan.out.join(cell.folder());
    if folder.exists() {
        return Ok(());
    }
    let partial = plan.out.join(format!("{}.partial", cell.folder()));
    let told = json!({
        "schema": 1, "environment": cell.environment.name(), "stress": cell.stress.name(), "variant": cell.variant.name(),
        "rest_lead": plan.rest, "rest_trail": plan.rest, "valid": false, "why": [format!("it could not be run: {why}")], "places": [],
    });
    fs::create_dir_all(&partial)?;
    let left = fs::write(partial.join("cell.json"), format!("{told:#}\n")).and_then(|()| fs::rename(&partial, &folder));
    if left.is_err() {
        let _ = fs::remove_dir_all(&partial);
    }
    left
}

/// What has to be as it was for cells of one run to be beside each other.
const SETTINGS: [&str; 10] = [
    "probes",
    "interval_ns",
    "rest_lead",
    "rest_trail",
    "link_bits_per_second",
    "stressed_guests",
    "threads",
    "streams",
    "congestion_control",
    "switching",
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
    let needed = space::needed(plan, cell);
    if let Some(why) = space::too_little(&plan.out, needed) {
        let _ = leave_reason(plan, cell, &why);
        return Ok(Some(why));
    }
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
                // As the disk is now, with what was written.
                let why = match said.trim().trim_start_matches("wiretruth: ") {
                    "" => status.to_string(),
                    said => space::explained(said, &plan.out, needed),
                };
                let _ = fs::remove_dir_all(plan.out.join(format!("{}.partial", cell.folder())));
                if stop.load(Ordering::Relaxed) {
                    return Ok(Some("stopped".to_owned()));
                }
                let _ = leave_reason(plan, cell, &why);
                return Ok(Some(why));
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
        "switching": plan.switching.as_ref().map(|one| json!({"seed": one.seed, "spells": one.spells})),
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
    use crate::experiment::{CellInfo, Stress};
    use crate::lab::Variant;
    use crate::lab::plan::{Switching, made_up};

    /// A run without cells, in `folder`.
    fn nothing(folder: &Path) -> Plan {
        Plan { out: folder.to_owned(), ..made_up() }
    }

    fn run_all(plan: &Plan) -> Result<usize, String> {
        run(plan, &AtomicBool::new(false), |_| {}).map_err(|error| error.to_string())
    }

    #[test]
    fn cells_of_one_run_have_the_same_settings() {
        type Change = (&'static str, fn(&mut Plan));
        let changes: [Change; 10] = [
            ("probes", |plan| plan.probes += 1),
            ("interval_ns", |plan| plan.interval *= 2),
            ("rest_lead", |plan| plan.rest += 1),
            ("rest_trail", |plan| plan.rest += 1),
            ("link_bits_per_second", |plan| plan.link_bits_per_second += 1),
            ("stressed_guests", |plan| plan.stressed += 1),
            ("threads", |plan| plan.threads += 1),
            ("streams", |plan| plan.streams += 1),
            ("congestion_control", |plan| plan.congestion_control = "reno".to_owned()),
            ("switching", |plan| plan.switching = Some(Switching { seed: 1, spells: 1, thresholds: None })),
        ];
        assert_eq!(changes.map(|(name, _)| name), SETTINGS);
        for (name, change) in changes {
            let dir = tempfile::tempdir().unwrap();
            let mut plan = nothing(dir.path());
            assert_eq!((run_all(&plan), run_all(&plan)), (Ok(0), Ok(0)));
            change(&mut plan);
            let error = run_all(&plan).unwrap_err();
            // Of both sides at rest the first is named.
            let name = if name == "rest_trail" { "rest_lead" } else { name };
            assert!(error.contains(&format!("run.json: its cells were measured with {name} ")), "{name}: {error}");
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("run.json"), "what").unwrap();
        assert!(run_all(&nothing(dir.path())).unwrap_err().contains("run.json: expected value"));
    }

    #[test]
    fn two_runs_do_not_work_in_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let one = alone(dir.path()).unwrap();
        assert!(run_all(&nothing(dir.path())).unwrap_err().starts_with("another run works in "));
        assert!(!dir.path().join("run.json").exists());
        drop(one);
        assert_eq!(run_all(&nothing(dir.path())), Ok(0));
    }

    #[test]
    fn what_could_not_be_run_leaves_why_and_is_run_again() {
        let dir = tempfile::tempdir().unwrap();
        let (plan, cell) = (
            nothing(dir.path()),
            Cell { environment: Environment::Host, stress: Stress::Rest, variant: Variant::Plain },
        );
        leave_reason(&plan, cell, "no room").unwrap();
        let folder = dir.path().join("host-rest");
        let told = CellInfo::read(&folder.join("cell.json")).unwrap();
        assert_eq!(told.invalid(), Some(vec!["it could not be run: no room".to_owned()]));
        assert!(!is_measured(&folder));
        // What was measured, though not as it was meant to be, is more than that.
        fs::write(folder.join("cell.json"), "measured").unwrap();
        leave_reason(&plan, cell, "no room").unwrap();
        assert_eq!(fs::read_to_string(folder.join("cell.json")).unwrap(), "measured");
    }

    #[test]
    fn a_pipe_in_the_folder_is_not_waited_for() {
        for name in ["run.json", ".lock"] {
            let dir = tempfile::tempdir().unwrap();
            // A device, as that needs no rights: it is told by the same look.
            std::os::unix::fs::symlink("/dev/zero", dir.path().join(name)).unwrap();
            assert!(run_all(&nothing(dir.path())).unwrap_err().contains(&format!("{name}: it is a device")));
        }
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
