//! The long forms of what CI does in short: hours for a person, no limit of time.

use std::fs;
use std::io::{Read, copy, sink};
use std::path::Path;
use std::process::{ChildStdout, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::Value;

use crate::fuzz;
use crate::shell::{self, About, Result, cargo, finding, program, run};
use crate::testing::{Counts, counted};

/// One of the long forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Each fuzz target for ten minutes
    Fuzz,
    /// `dagcap` killed hundreds of times at moments of chance, and `wiretruth lab run` twenty times
    Kills,
    /// `dagcap` for ten minutes under load: the account adds up and memory does not grow
    Soak,
}

const FUZZ: Duration = Duration::from_secs(600);

/// Kills, for each way of capturing.
const KILLS: &str = "250";

/// Kills of a run of the lab.
const LAB_KILLS: &str = "20";

const SOAK: Duration = Duration::from_secs(600);

/// A busy card on which things go wrong, at a rate that leaves room for the rest of the machine.
const SOAKED: &str =
    "emu:synthetic=imix,rate=200kpps,memory=16MiB,faults=rx-error+ds-error+truncate+pad+meta+disorder+burst";

/// By how much the memory of a program that runs may grow after its first ten seconds, in KiB.
const GROWTH: u64 = 8 * 1024;

pub(crate) fn chore(parts: &[Part]) -> Result {
    let parts = if parts.is_empty() { Part::value_variants() } else { parts };
    parts.iter().try_for_each(|part| match part {
        Part::Fuzz => fuzz::chore(&[], FUZZ),
        Part::Kills => {
            let mut test = cargo();
            test.args(["test", "-p", "house-tests", "--test", "kill"]).env("DAG_KILLS", KILLS);
            counted(&mut test, &mut Counts::default())?;
            let mut test = cargo();
            test.args(["test", "-p", "house-tests", "--test", "lab", "killed"]).env("DAG_LAB_KILLS", LAB_KILLS);
            counted(&mut test, &mut Counts::default())
        }
        Part::Soak => soak(),
    })
}

/// Captures into a pipe that is read as fast as it fills.
fn soak() -> Result {
    run(cargo().args(["build", "--release", "--bin", "dagcap"]))?;
    let mut dagcap = program(shell::target().join("release/dagcap"));
    let duration = format!("{}s", SOAK.as_secs());
    dagcap.args(["--device", SOAKED, "--out", "-", "--duration", &duration, "--json", "--quiet"]);
    eprintln!("$ {} > /dev/null", shell::shown(&dagcap));
    let mut child = dagcap
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|cause| shell::start_error(&dagcap, cause))?;
    let reader = child.stdout.take().map(|output| thread::spawn(move || drain(output)));
    let errors = child.stderr.take().map(|mut errors| {
        thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).map(|_| text)
        })
    });
    let begun = Instant::now();
    let mut settled = None;
    let mut grown = 0;
    while child.try_wait().map_err(|cause| shell::start_error(&dagcap, cause))?.is_none() {
        thread::sleep(Duration::from_secs(1));
        if begun.elapsed() >= Duration::from_secs(10)
            && let Some(memory) = memory(child.id())?
        {
            grown = grown.max(memory.saturating_sub(*settled.get_or_insert(memory)));
        }
    }
    let bytes = reader.and_then(|reader| reader.join().ok()).unwrap_or(0);
    let text = errors.and_then(|errors| errors.join().ok()).and_then(std::io::Result::ok).unwrap_or_default();
    let Some(account) = text.lines().find_map(|line| serde_json::from_str::<Value>(line).ok()) else {
        return finding(format!("dagcap gave no account:\n{text}"));
    };
    println!("{account}\nmemory grew by {grown} KiB");
    let count = |key: &str| account[key].as_u64().unwrap_or(u64::MAX);
    let whole = ["delivered", "filtered", "lost_card", "lost_writer"]
        .iter()
        .try_fold(0, |sum: u64, key| sum.checked_add(count(key)));
    match () {
        () if whole != Some(count("received")) => finding("the account does not add up"),
        () if count("bytes_written") != bytes => finding(format!("{bytes} bytes came out of the pipe")),
        () if settled.is_none() => finding("the capture ended before its memory could be looked at"),
        () if grown > GROWTH => finding(format!("memory grew by {grown} KiB")),
        () => Ok(()),
    }
}

fn drain(mut output: ChildStdout) -> u64 {
    copy(&mut output, &mut sink()).unwrap_or(0)
}

/// What a process holds in memory, in KiB; `None` where it is gone.
fn memory(process: u32) -> Result<Option<u64>> {
    let file = format!("/proc/{process}/status");
    let file = Path::new(&file);
    if !file.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(file).about(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    Ok(line.and_then(|line| line.split_whitespace().next()?.parse().ok()))
}
