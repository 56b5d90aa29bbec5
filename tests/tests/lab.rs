//! `wiretruth lab run`: cells are measured, what they find is what is there, and nothing stays, however it ends.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use house_tests::run::{dagcap_path, run, start, tping_path, wiretruth};
use house_tests::traces::{Machine, Mark, nothing_stays};
use nix::sys::signal::Signal;
use serde_json::Value;

const PROBES: u64 = 50;
const REST: u64 = 20;

/// More than are sent while a test waits: what ends then has not ended by itself.
const UNTIL_KILLED: u64 = 20_000;

/// One at a time: each wants both processors.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `wiretruth lab run` into `out`; `None`, aloud, where this machine cannot.
fn lab(out: &Path, probes: u64, words: &str) -> Option<Command> {
    // They are to lie beside it.
    let _ = (dagcap_path(), tping_path());
    let mut command = wiretruth();
    let checked = run(wiretruth().args(["lab", "check"]));
    if checked.status.code() != Some(0) {
        house_skip::skip(format_args!("no lab here: {}", String::from_utf8_lossy(&checked.stdout)));
        return None;
    }
    command.args(["lab", "run", "--probes", &probes.to_string(), "--rest", &REST.to_string(), "--out"]);
    command.arg(out).args(words.split_whitespace());
    Some(command)
}

fn json(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap()
}

/// What `wiretruth analyse` says of a cell.
fn analysed(cell: &Path, dom0: bool) -> Value {
    let mut command = wiretruth();
    command.current_dir(cell).args(["analyse", "--json", "--wire", "wire.erf", "--kernel", "kernel.erf"]);
    if dom0 {
        command.args(["--dom0", "dom0.erf", "--at", "vif=vif.erf"]);
    }
    command.args(["--user", "user.csv", "--rest-lead", &REST.to_string(), "--rest-trail", &REST.to_string()]);
    serde_json::from_slice(&run(&mut command).exits(0).stdout).unwrap()
}

#[test]
fn cells_are_measured_and_nothing_stays() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let Some(mut command) = lab(&out, PROBES, "--env host,bridge --stress rest,network") else { return };
    let (before, mark) = (Machine::now(), Mark::on(&mut command));
    // A machine that is busy with other things may not fill the link: that cell is said to be invalid, and run again.
    for _ in 0..4 {
        let running = start(&mut command);
        let process = running.id();
        // 1: a cell is not valid.
        assert!(matches!(running.wait().status.code(), Some(0 | 1)));
        nothing_stays(&before, &mark, process);
        let cells = fs::read_dir(&out).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        cells
            .filter(|cell| json(&cell.join("cell.json"))["valid"] == false)
            .for_each(|cell| fs::remove_dir_all(cell).unwrap());
    }
    let told = json(&out.join("run.json"));
    assert_eq!((&told["schema"], &told["probes"], &told["rest_lead"]), (&1.into(), &PROBES.into(), &REST.into()));

    let mut medians = Vec::new();
    for (environment, stress) in [("host", "rest"), ("host", "network"), ("bridge", "rest"), ("bridge", "network")] {
        let cell = out.join(format!("{environment}-{stress}"));
        let told = json(&cell.join("cell.json"));
        assert_eq!((&told["environment"], &told["stress"]), (&environment.into(), &stress.into()));
        assert_eq!((&told["valid"], &told["probes"]), (&true.into(), &(PROBES + 2 * REST).into()), "{told:#}");
        let proofs = told["proof"].as_array().unwrap();
        assert_eq!(
            proofs.iter().filter(|proof| proof["unit"] == "bit/s").count(),
            if stress == "rest" { 0 } else { 2 }
        );
        run(Command::new("sha256sum")
            .args(["--check", "--quiet", "sums.txt"])
            .current_dir(&cell)
            .stdout(std::process::Stdio::piped()))
        .exits(0);

        let found = analysed(&cell, environment == "bridge");
        assert_eq!(
            (&found["probes"], &found["lost"], &found["ident"]),
            (&(PROBES + 2 * REST).into(), &0.into(), &4242.into()),
            "{found:#}"
        );
        assert_eq!(found["delay"]["total"]["n"], PROBES);
        // All have one clock.
        let (low, high) =
            (found["clock"]["offset_low_ns"].as_i64().unwrap(), found["clock"]["offset_high_ns"].as_i64().unwrap());
        assert!(low <= 0 && 0 <= high, "{found:#}");
        let ns = |group: &str, name: &str| {
            found[group][name]["median_ns"].as_f64().unwrap_or_else(|| panic!("{group} {name}: {found:#}"))
        };
        medians.push((ns("delay", "total"), ns("delay", "send"), ns("delay", "receive")));
        if environment == "bridge" {
            // The capture in the guest is farther away than that behind its interface, and that than the uplink.
            let vif = &found["at"]["vif"];
            assert!(ns("rtt", "kernel") >= vif["rtt"]["median_ns"].as_f64().unwrap(), "{found:#}");
            assert!(
                vif["over_wire"]["median_ns"].as_f64() >= found["delay"]["dom0"]["median_ns"].as_f64(),
                "{found:#}"
            );
        }
        // Requests are sent into the queue, and wait there: of the host in the log, of the container behind its interface.
        if stress == "network" {
            let waits = if environment == "host" { ns("parts", "qdisc") } else { ns("delay", "domu") };
            assert!(waits > 0.5 * ns("delay", "send"), "{found:#}");
        }
    }
    for pair in medians.chunks(2) {
        let [(rest, ..), (network, send, receive)] = [pair[0], pair[1]];
        // A queue of a thousand frames, of which the stress holds a good part: 120 us each.
        assert!(network > rest + 1e6 && send > 1e6 && send > receive, "{medians:?}");
    }

    // What TCP estimated and what the host could tell is in the report.
    let results = json(&out.join("results.json"));
    let network = &results["cells"]["host-network"];
    assert!(network["tcp"]["srtt"]["n"].as_u64().unwrap() > 0, "{network:#}");
    assert!(network["tcp"]["srtt"]["median_ns"].as_i64().unwrap() > 1_000_000, "{network:#}");
    for (cell, queue) in [("host-network", "own"), ("bridge-network", "not own: eth0")] {
        let feedback = &results["cells"][cell]["feedback"];
        assert!(feedback["queue"].as_str().unwrap().starts_with(queue), "{feedback:#}");
        assert_eq!(
            feedback["score"]["samples"],
            PROBES + REST,
            "those before the stress are learned from: {feedback:#}"
        );
        assert!(queue == "own" || feedback["score"]["valid"] == 0, "{feedback:#}");
    }

    // What is there is kept, and not run again.
    let kept = fs::read(out.join("host-rest/user.csv")).unwrap();
    let again = run(&mut command).exits(0);
    again.says("host-rest: is there already");
    assert_eq!(fs::read(out.join("host-rest/user.csv")).unwrap(), kept);
}

#[test]
fn a_congestion_control_that_is_none_is_refused_before_anything_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let Some(mut command) = lab(&out, PROBES, "--env host --stress rest,network --congestion no-such") else { return };
    let ran = run(&mut command).exits(2);
    let said = ran.says("there is no congestion control \"no-such\" here: the kernel has ");
    assert!(said.contains("reno"), "{said}");
    assert!(!out.exists());
}

#[test]
fn stress_that_is_not_there_makes_no_delay() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let Some(mut command) = lab(&out, PROBES, "--env host --stress network --link 10000") else { return };
    run(&mut command).exits(1);
    let told = json(&out.join("host-network/cell.json"));
    assert_eq!(told["valid"], false, "{told:#}");
    assert!(told["why"].to_string().contains("stress was not there"), "{told:#}");
}

#[test]
fn feedback_is_scored_while_stress_comes_and_goes() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    if lab(&out, PROBES, "").is_none() {
        return;
    }
    let mut command = wiretruth();
    let (before, mark) = (Machine::now(), Mark::on(&mut command));
    command.args(["lab", "feedback", "--env", "host,bridge", "--probes", "150", "--rest", "30", "--interval", "20ms"]);
    command.args(["--switches", "1", "--learn", "1", "--seed", "5", "--json", "--out"]).arg(&out);
    let running = start(&mut command);
    let process = running.id();
    let ran = running.wait();
    // 1: a goal is missed, as a machine that is busy may make it.
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{ran:?}");
    nothing_stays(&before, &mark, process);
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&told["seed"], &told["switches"], &told["learned_from"]), (&5.into(), &1.into(), &1.into()));
    assert_eq!(told, json(&out.join("feedback.json")));
    let all_met = told["cells"].as_object().unwrap().values().all(|cell| cell["met"] == true);
    assert_eq!(ran.status.code() == Some(0), all_met, "{told:#}");
    for cell in ["host-network", "bridge-network"] {
        let found = &told["cells"][cell];
        if let Some(error) = found["error"].as_str() {
            // Where the machine had no time for the stress, nothing is claimed.
            assert!(error.contains("stress was not there") || error.contains("has lost"), "{told:#}");
            continue;
        }
        let count = |name: &str| found["live"][name].as_u64().unwrap();
        let number =
            |path: &str| found.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {found:#}"));
        assert!(count("samples") > 200 && count("at_rest") >= 50, "{found:#}");
        assert_eq!(count("samples"), count("valid") + count("suspect") + count("unknown"));
        // While it ran the same was said as afterwards, but where the signals of a sample's time came late.
        assert!(found["differ"].as_u64().unwrap() * 20 < count("samples"), "{found:#}");
        // Its queue was there, and not all the time.
        let delays = analysed(&out.join("judge").join(cell), cell.starts_with("bridge"));
        assert!(delays["delay"]["total"]["max_ns"].as_i64().unwrap() > 1_000_000, "{delays:#}");
        let folder = out.join("judge").join(cell);
        assert_eq!(json(&folder.join("cell.json"))["switching"]["spells"], 1);
        assert_eq!(fs::read_to_string(folder.join("live.jsonl")).unwrap().lines().count(), 210);
        if cell.starts_with("bridge") {
            assert_eq!((count("valid"), found["met"].as_bool()), (0, Some(true)), "{found:#}");
            assert!(count("unknown") > 0 && found["queue"].as_str().unwrap().contains("kind veth"), "{found:#}");
        } else {
            assert!(count("valid") > 0 && found["queue"] == "own", "{found:#}");
            assert!(number("/live/error/corrected/p99_ns") < number("/live/error/unfiltered/p99_ns"), "{found:#}");
        }
    }
    // The times are drawn by the seed: another one is another run.
    let mut other = wiretruth();
    other.args(["lab", "feedback", "--env", "host,bridge", "--probes", "150", "--rest", "30", "--interval", "20ms"]);
    other.args(["--switches", "1", "--learn", "1", "--seed", "6", "--out"]).arg(&out);
    run(&mut other).exits(2).says("its cells were measured with switching");
}

#[test]
fn what_no_feedback_can_be_had_of_is_told() {
    for (words, said) in
        [("--env vm", "not --env vm"), ("--stress rest", "another --stress"), ("--switches 0", "0 is not in 1..=1000")]
    {
        run(wiretruth().args(["lab", "feedback"]).args(words.split(' '))).exits(2).says(said);
    }
}

/// Some time up to `most`, another one each time.
fn any_time(most: Duration) -> Duration {
    Duration::from_nanos(RandomState::new().build_hasher().finish() % most.as_nanos() as u64)
}

#[test]
fn killed_at_any_moment_it_leaves_nothing() {
    let _alone = alone();
    let kills = std::env::var("DAG_LAB_KILLS").map_or(4, |kills| kills.parse().expect("DAG_LAB_KILLS is a number"));
    let dir = tempfile::tempdir().unwrap();
    let mut namespaces = 0;
    for number in 0..kills {
        let out = dir.path().join(number.to_string());
        let environment = ["container", "bridge"][number % 2];
        let Some(mut command) = lab(&out, UNTIL_KILLED, &format!("--env {environment} --stress network")) else {
            return;
        };
        let (before, mark) = (Machine::now(), Mark::on(&mut command));
        let running = start(&mut command);
        let process = running.id();
        let after = any_time(Duration::from_secs(7));
        std::thread::sleep(after);
        let held = mark.held();
        assert!(!held.processes.is_empty(), "it is marked");
        namespaces += held.namespaces.len();
        // Stopped by a key, too: then it ends by itself, and says so.
        if number == 3 {
            running.signal(Signal::SIGINT);
            running.wait();
        } else {
            running.signal(Signal::SIGKILL);
            running.wait().dies_of(Signal::SIGKILL);
        }
        let took = nothing_stays(&before, &mark, process);
        let (processes, spaces) = (held.processes.len(), held.namespaces.len());
        eprintln!(
            "kill {number}, {environment}, after {after:?}: {processes} processes in {spaces} namespaces, gone within {took:?}"
        );
        let whole = out.join(format!("{environment}-network"));
        assert!(!whole.exists() || whole.join("cell.json").exists(), "half a cell looks whole");
    }
    // Else what was looked for is never there.
    assert!(kills < 4 || namespaces > 0, "it never had a namespace of its own");
}

/// What guests need counts where they are wanted, and is told in any case.
#[test]
fn what_guests_need_is_checked_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let check = |words: &[&str]| {
        let ran = run(wiretruth().args(["lab", "check"]).args(words));
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
    };
    let (without, said) = check(&[]);
    for words in [
        "guests, qemu-system-x86_64: ",
        "guests, kernel and busybox for guests: ",
        "guests, /dev/net/tun: ",
        "guests, mkfs.ext4: ",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let folder = dir.path().to_str().unwrap();
    let (wanted, said) = check(&["--guest", folder]);
    let missing = format!(
        "MISSING  guests, kernel and busybox for guests: no files to boot guests from: {folder}/guest.json is missing"
    );
    assert!(said.contains(&missing) && said.contains("wiretruth lab fetch-guest --dir "), "{said}");
    // Without them nothing is missing, if nothing else is.
    assert_eq!((without.is_some(), wanted), (true, Some(1)));
    assert_eq!(without == Some(0), !said.lines().any(|line| line.starts_with("MISSING") && !line.contains("guests, ")));
}
