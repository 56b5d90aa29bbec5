//! One cell: namespaces made, captures begun, probes sent at rest, under stress and at rest again, and everything written down.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::capture::{Capture, all_begun};
use super::plan::{Cell, CellTask, Plan, SETTLE, Switching, Variant};
use super::spells::spells;
use super::stress::{Stress as Load, TCP};
use super::topology::{TARGET, Topology};
use super::vm;
use crate::error::{Error, Repr};
use crate::experiment::{Environment, Stress};

/// The identifier of the probes, and that of those which only show that captures have begun.
pub(super) const IDENT: u16 = 4242;
pub(super) const NUDGE: u16 = 2;

/// Bytes of a probe, as the paper has it: the ICMP message with its header.
pub(super) const SIZE: u16 = 100;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Runs a cell in the namespaces that this process was started in, as their first process, and leaves its folder whole: or not at all, in an error.
///
/// # Errors
///
/// When a program or the kernel refuses something, with what it said.
pub fn run_cell(task: &CellTask) -> Result<(), Error> {
    let (cell, plan) = (task.cell, &task.plan);
    // Programs of this process namespace are found there.
    let none: Option<&str> = None;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none)
        .map_err(|cause| io_error("/proc", cause.into()))?;
    let folder = plan.out.join(cell.folder());
    let partial = plan.out.join(format!("{}.partial", cell.folder()));
    let failed = |path: &Path, cause: io::Error| io_error(&path.display().to_string(), cause);
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(|cause| failed(&partial, cause))?;
    }
    fs::create_dir_all(&partial).map_err(|cause| failed(&partial, cause))?;
    let lab = Topology::new(cell, plan, &task.cgroups)?;
    let told = measure(&lab, cell, plan, &partial)?;
    drop(lab);
    for entry in fs::read_dir(&partial).map_err(|cause| failed(&partial, cause))?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let text = serde_json::to_string_pretty(&told).map_err(|error| io_error("cell.json", error.into()))?;
    fs::write(partial.join("cell.json"), text + "\n").map_err(|cause| failed(&partial, cause))?;
    fs::write(partial.join("sums.txt"), sums(&partial)?).map_err(|cause| failed(&partial, cause))?;
    // One that was not valid gives way.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|cause| failed(&folder, cause))?;
    }
    fs::rename(&partial, &folder).map_err(|cause| failed(&folder, cause))
}

fn io_error(path: &str, cause: io::Error) -> Error {
    Repr::Io { path: path.to_owned(), cause }.into()
}

/// What was said of probes as they came back, where they were judged.
pub(super) const LIVE: &str = "live.jsonl";

/// The log of the signals of who probes: of the host, or of the guest.
pub(super) const SIGNALS: &str = "signals.csv";

/// Captures, probes, stress; what becomes of it as cell.json has it.
fn measure(lab: &Topology, cell: Cell, plan: &Plan, folder: &Path) -> Result<Value, Error> {
    if cell.environment == Environment::Vm {
        return vm::measure(lab, cell, plan, folder);
    }
    let Some(guest) = lab.guests.first() else { return Err(Repr::Lab { what: "there is no guest".to_owned() }.into()) };
    let is_bridged = cell.environment == Environment::Bridge;
    let own = if is_bridged { "eth0" } else { "s0" };
    let mut captures = vec![
        Capture::start(plan, folder, "wire", &lab.tap, lab.stamped)?,
        Capture::start(plan, folder, "kernel", lab.room(guest), own)?,
    ];
    if is_bridged {
        captures.push(Capture::start(plan, folder, "vif", &lab.system, "v1")?);
        captures.push(Capture::start(plan, folder, "dom0", &lab.system, "s0")?);
    }
    let idle: Vec<Child> = lab
        .guests
        .iter()
        .skip(1)
        .filter_map(|guest| {
            let mut sleeper = Command::new("sleep");
            sleeper.arg("infinity");
            lab.command(guest, sleeper).stdin(Stdio::null()).spawn().ok()
        })
        .collect();
    let tping = |words: &[&str]| {
        let mut command = Command::new(&plan.programs.tping);
        command.args([TARGET, "--quiet"]).args(words);
        command
    };
    all_begun(&mut captures, || {
        let nudge = tping(&[
            "--count",
            "20",
            "--interval",
            "2ms",
            "--size",
            "1000",
            "--timeout",
            "100ms",
            "--ident",
            &NUDGE.to_string(),
        ]);
        let _ = lab.command(guest, nudge).stdout(Stdio::null()).stderr(Stdio::null()).status();
    })?;
    let log = folder.join("user.csv");
    let command = probing(cell, plan, &log, &tping);
    let mut probes = lab.command(guest, command);
    let judged = match &plan.switching {
        Some(Switching { thresholds: Some(_), .. }) => {
            let live = folder.join(LIVE);
            Stdio::from(File::create(&live).map_err(|cause| io_error(&live.display().to_string(), cause))?)
        }
        _ => Stdio::null(),
    };
    probes.stdin(Stdio::null()).stdout(judged).stderr(Stdio::piped());
    let mut probes = probes.spawn().map_err(|cause| Repr::Program { line: "tping".to_owned(), cause })?;
    let mut following = Following::default();
    following.until(&log, plan.rest, &mut probes, &mut captures)?;
    let mut spells = Vec::new();
    let mut proof = match &plan.switching {
        None => {
            spells.push(Load::start(lab, &[], cell, plan, folder, Duration::ZERO)?);
            Vec::new()
        }
        Some(switching) => switched(lab, cell, plan, folder, switching)?,
    };
    following.until(&log, plan.rest + plan.probes, &mut probes, &mut captures)?;
    for stress in spells {
        proof.extend(stress.end(lab, &[], plan)?);
    }
    let done = probes.wait_with_output().map_err(|cause| io_error("tping", cause))?;
    // 1: some were lost, which is a result.
    if !matches!(done.status.code(), Some(0 | 1)) {
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        return Err(Repr::Tool { line: "tping".to_owned(), said }.into());
    }
    // What comes last is to be behind all of it.
    sleep(Duration::from_millis(100));
    for mut sleeper in idle {
        let _ = sleeper.kill();
        let _ = sleeper.wait();
    }
    let mut told = describe(lab, cell, plan, captures, proof)?;
    if folder.join(TCP).exists() {
        told["tcp"] = TCP.into();
    }
    Ok(told)
}

/// Stress that comes and goes, from the first probe that is not at rest on. What each time has proved.
fn switched(
    lab: &Topology,
    cell: Cell,
    plan: &Plan,
    folder: &Path,
    switching: &Switching,
) -> Result<Vec<Value>, Error> {
    let begun = Instant::now() + SETTLE;
    let until = |at: Duration| sleep((begun + at).saturating_duration_since(Instant::now()));
    let mut proofs = Vec::new();
    for (from, to) in spells(switching.seed, switching.spells, plan.interval * plan.probes) {
        until(from);
        let stress = Load::start(lab, &[], cell, plan, folder, Duration::ZERO)?;
        until(to);
        proofs.push(((to - from).as_secs_f64(), stress.end(lab, &[], plan)?));
    }
    Ok(together(&proofs))
}

/// The proofs of stress that came several times, for so many seconds each, as those of all of it: one time may be short of what is wanted, as
/// processes take their time to begin.
fn together(spells: &[(f64, Vec<Value>)]) -> Vec<Value> {
    let all = || spells.iter().flat_map(|(seconds, proof)| proof.iter().map(move |one| (*seconds, one)));
    let mut proof: Vec<Value> = Vec::new();
    for (_, first) in all() {
        if proof.iter().any(|one| one["what"] == first["what"]) {
            continue;
        }
        let own = || all().filter(|(_, one)| one["what"] == first["what"]);
        let sum: f64 = own().map(|(seconds, one)| seconds * one["value"].as_f64().unwrap_or_default()).sum();
        let value = sum / own().map(|(seconds, _)| seconds).sum::<f64>();
        let mut one = first.clone();
        (one["ok"], one["value"]) = ((value >= first["at_least"].as_f64().unwrap_or_default()).into(), value.into());
        proof.push(one);
    }
    proof
}

/// Ends captures, and says of a cell what cell.json is to have.
pub(super) fn describe(
    lab: &Topology,
    cell: Cell,
    plan: &Plan,
    captures: Vec<Capture>,
    proof: Vec<Value>,
) -> Result<Value, Error> {
    let places: Vec<Value> =
        captures.iter().map(|one| json!({"name": one.name, "file": format!("{}.erf", one.name)})).collect();
    let (mut why, mut notes) = (Vec::new(), Vec::new());
    for capture in captures {
        match capture.end()? {
            Some((told, true)) => why.push(told),
            Some((told, false)) => notes.push(told),
            None => {}
        }
    }
    why.extend(proof.iter().filter(|one| one["ok"] == false).map(|one| {
        format!(
            "stress was not there: {} {} {}, at least {}",
            one["what"].as_str().unwrap_or_default(),
            one["value"],
            one["unit"].as_str().unwrap_or_default(),
            one["at_least"]
        )
    }));
    let mut told = json!({
        "schema": 1, "environment": cell.environment.name(), "stress": cell.stress.name(), "variant": cell.variant.name(),
        "probes": plan.all_probes(), "rest_lead": plan.rest, "rest_trail": plan.rest, "interval_ns": plan.interval.as_nanos() as u64,
        "ident": IDENT, "valid": why.is_empty(), "why": why, "notes": notes, "places": places, "user": "user.csv", "proof": proof, "emulated": false,
        "own_processors": lab.has_own_processors, "signals": SIGNALS,
    });
    if let Some(switching) = &plan.switching {
        told["switching"] = json!({"seed": switching.seed, "spells": switching.spells});
    }
    if cell.stress == Stress::Network {
        told["congestion_control"] = plan.congestion_control.as_str().into();
        told["streams"] = plan.streams.into();
    }
    Ok(told)
}

fn probing(cell: Cell, plan: &Plan, log: &Path, tping: &dyn Fn(&[&str]) -> Command) -> Command {
    let settle = format!("{}ms", SETTLE.as_millis());
    let mut words =
        tping(&["--count", &plan.all_probes().to_string(), "--size", &SIZE.to_string(), "--ident", &IDENT.to_string()]);
    words.args(["--interval", &format!("{}ns", plan.interval.as_nanos()), "--timeout", "1s"]).arg("--log").arg(log);
    words.arg("--signals").arg(log.with_file_name(SIGNALS));
    // Here a virtual interface is the last before the wire; what lies behind a bridge is not to be seen.
    if matches!(cell.environment, Environment::Host | Environment::Container) {
        words.args(["--uplink", "s0"]);
    }
    if let Some(folder) = plan.switching.as_ref().and_then(|switching| switching.thresholds.as_ref()) {
        words.args(["--json", "--feedback", "--thresholds"]).arg(Switching::thresholds_of(folder, cell));
    }
    // The stress begins and ends in these.
    for before in [plan.rest, plan.rest + plan.probes] {
        words.args(["--gap", &format!("{before}:{settle}")]);
    }
    if cell.variant != Variant::Realtime {
        return words;
    }
    let mut first = Command::new("chrt");
    first.args(["--fifo", "50"]).arg(words.get_program()).args(words.get_args());
    first
}

/// The log of the probes, followed as it grows.
#[derive(Default)]
struct Following {
    read: u64,
    rows: u32,
    /// The next byte begins a line.
    at_start: bool,
}

impl Following {
    /// Counts the rows that have come: lines that begin with a number.
    fn look(&mut self, log: &Path) -> io::Result<()> {
        let mut file = match File::open(log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut more = Vec::new();
        file.read_to_end(&mut more)?;
        self.at_start |= self.read == 0;
        for byte in &more {
            self.rows += u32::from(self.at_start && byte.is_ascii_digit());
            self.at_start = *byte == b'\n';
        }
        self.read += more.len() as u64;
        Ok(())
    }

    /// Waits until so many probes are done, while all captures go on.
    fn until(&mut self, log: &Path, probes: u32, tping: &mut Child, captures: &mut [Capture]) -> Result<(), Error> {
        loop {
            self.look(log).map_err(|cause| io_error(&log.display().to_string(), cause))?;
            if self.rows >= probes {
                return Ok(());
            }
            captures.iter_mut().try_for_each(Capture::check)?;
            if let Ok(Some(status)) = tping.try_wait() {
                let mut said = String::new();
                if let Some(mut err) = tping.stderr.take() {
                    let _ = err.read_to_string(&mut said);
                }
                let said = format!("{status} after {} probes: {}", self.rows, said.trim());
                return Err(Repr::Tool { line: "tping".to_owned(), said }.into());
            }
            sleep(LOOK);
        }
    }
}

/// As `sha256sum` prints them.
fn sums(folder: &Path) -> Result<String, Error> {
    let failed = |cause| io_error(&folder.display().to_string(), cause);
    let mut names: Vec<_> = fs::read_dir(folder).map_err(failed)?.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    let mut text = String::new();
    for name in names {
        let mut hash = Sha256::new();
        io::copy(&mut File::open(folder.join(&name)).map_err(failed)?, &mut hash).map_err(failed)?;
        text += &format!("{:x}  {}\n", hash.finalize(), name.to_string_lossy());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_counted_as_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("user.csv");
        let mut following = Following::default();
        following.look(&log).unwrap();
        let mut text = String::new();
        let mut counted = Vec::new();
        for more in ["# 1 of it\nident,seq\n4", "242,0\n4242,1\n", "", "\n#\n", "4", "2\n7"] {
            text += more;
            fs::write(&log, &text).unwrap();
            following.look(&log).unwrap();
            counted.push(following.rows);
        }
        assert_eq!(counted, [1, 2, 2, 2, 3, 4]);
    }

    #[test]
    fn stress_that_comes_and_goes_is_proved_as_one() {
        let sent =
            |value: f64, ok: bool| json!({"what": "sent", "value": value, "unit": "bit/s", "at_least": 50.0, "ok": ok});
        let broken = json!({"what": "stress hd ran to its end", "value": 0, "unit": "", "at_least": 1, "ok": false});
        // 3 s at 90 and 1 s at nothing.
        let proof = together(&[(3.0, vec![sent(90.0, true)]), (1.0, vec![sent(0.0, false)])]);
        assert_eq!(proof, [sent(67.5, true)]);
        let proof = together(&[(1.0, vec![sent(60.0, true)]), (1.0, vec![sent(30.0, false), broken.clone()])]);
        assert_eq!((&proof[0], proof[1]["ok"].as_bool()), (&sent(45.0, false), Some(false)));
        assert!(together(&[]).is_empty());
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("b"), "abc").unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n\
                        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n";
        assert_eq!(sums(dir.path()).unwrap(), expected);
    }
}
