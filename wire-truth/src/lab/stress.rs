//! A stress on a topology, and the proof that it was there.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::guest::{Guest as Machine, Job};
use super::plan::{Cell, Plan};
use super::tcp_watch::TcpWatch;
use super::topology::{GUESTS, Guest, TARGET, Topology};
use crate::error::{Error, Repr};
use crate::experiment::Stress as Case;

/// Of the time, a generator has to have run or wanted to; and of the processor that it shares with whatever else this machine does, to have had.
const WANTED_SHARE: f64 = 0.9;
const CPU_SHARE: f64 = 0.1;
/// Of the time that a thread waits for a disk nothing can be said; so much has to have been written in a second.
const HD_BYTES_PER_SECOND: f64 = 1e6;
/// So many `sync()` in a second.
const IO_LOOPS_PER_SECOND: f64 = 0.5;
/// Of the rate of the link, each way.
const LINK_SHARE: f64 = 0.5;

/// What TCP has estimated of the connections that are the stress.
pub(super) const TCP: &str = "tcp.csv";

/// Where machines have their disk.
pub(super) const DISK: &str = "/disk";

/// A machine that has done its work says so within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// The port of the first connection; each guest has its own.
const PORT: u32 = 7_000;

/// Generators at work.
pub(super) struct Stress {
    running: Vec<Generator>,
    begun: Instant,
    /// Bytes that the uplink had sent and received before.
    link: Option<(u64, u64)>,
    case: Case,
    stressed: u32,
    watch: Option<TcpWatch>,
}

/// One of them.
struct Generator {
    at_work: AtWork,
    what: String,
    in_guest: bool,
}

enum AtWork {
    /// Until its standard input ends.
    Here(Child),
    /// In the machine of this number, until its time is over.
    There(usize, Job),
}

impl Stress {
    /// Starts what the cell is to be stressed with, in as many guests as the plan says: the last ones, so that it is not the one that measures.
    /// Where guests are `machines`, it goes on there for `time`.
    pub(super) fn start(
        lab: &Topology,
        machines: &[Machine],
        cell: Cell,
        plan: &Plan,
        folder: &Path,
        time: Duration,
    ) -> Result<Self, Error> {
        let count = lab.guests.len() as u32;
        let stressed = plan.stressed.clamp(1, count.max(1));
        let begun = Instant::now();
        let mut stress = Self { running: Vec::new(), begun, link: None, case: cell.stress, stressed, watch: None };
        if cell.stress == Case::Network {
            stress.link = Some((lab.system.counter("s0", "tx_bytes")?, lab.system.counter("s0", "rx_bytes")?));
        }
        for (number, guest) in lab.guests.iter().enumerate().rev().take(stressed as usize) {
            for (words, in_guest) in loads(number, guest, cell.stress, plan, folder, !machines.is_empty())? {
                let what = words.join(" ");
                let at_work = match machines.get(number).filter(|_| in_guest) {
                    Some(machine) => {
                        let time = format!("--for={}ms", time.as_millis());
                        let line = ["wiretruth", "lab", "stress"].into_iter().chain(words.iter().map(String::as_str));
                        AtWork::There(number, machine.spawn(&line.chain([time.as_str()]).collect::<Vec<_>>())?)
                    }
                    None => {
                        let mut command = Command::new(&plan.programs.wiretruth);
                        command.args(["lab", "stress"]).args(&words);
                        let mut command = if in_guest { lab.command(guest, command) } else { wrapped(lab, &command) };
                        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                        AtWork::Here(command.spawn().map_err(|cause| Repr::Program { line: what.clone(), cause })?)
                    }
                };
                stress.running.push(Generator { at_work, what, in_guest });
            }
        }
        if let (Case::Network, Some(guest), true) = (cell.stress, lab.guests.last(), machines.is_empty()) {
            let mut ss = Command::new("ss");
            ss.args(["-tinH", "state", "established", "dst", TARGET]);
            // Those that send: what receives has an estimate of the handshake's only.
            ss.args(["and", "dport", "ge", &format!(":{PORT}"), "and", "dport", "lt", &format!(":{}", PORT + GUESTS)]);
            // Without it only a figure is missing.
            stress.watch = TcpWatch::start(lab.command(guest, ss), &folder.join(TCP)).ok();
        }
        Ok(stress)
    }

    /// Ends it. What it has done, and whether that is what it was to do.
    pub(super) fn end(mut self, lab: &Topology, machines: &[Machine], plan: &Plan) -> Result<Vec<Value>, Error> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut proof = Vec::new();
        if let Some((sent, received)) = self.link {
            let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 * 8.0 / seconds;
            let least = plan.link_bits_per_second as f64 * LINK_SHARE;
            for (what, value) in [
                ("sent on the link", rate(lab.system.counter("s0", "tx_bytes")?, sent)),
                ("received from the link", rate(lab.system.counter("s0", "rx_bytes")?, received)),
            ] {
                proof.push(one(what, value, "bit/s", least));
            }
        }
        if let Some(watch) = self.watch.take() {
            let _ = watch.end();
        }
        for generator in &mut self.running {
            if let AtWork::Here(child) = &mut generator.at_work {
                drop(child.stdin.take());
            }
        }
        let mut done = Vec::new();
        for generator in self.running {
            let said = said(generator.at_work, machines);
            match said.and_then(|said| serde_json::from_slice::<Value>(&said).map_err(|error| error.to_string())) {
                Ok(value) if generator.in_guest => done.push(value),
                Ok(_) => {}
                Err(why) => {
                    let what = format!("stress {} ran to its end ({why})", generator.what);
                    proof.push(json!({"what": what, "value": 0, "unit": "", "at_least": 1, "ok": false}));
                }
            }
        }
        let sum = |name: &str| done.iter().filter_map(|one| one[name].as_f64()).sum::<f64>();
        // By the clock of whoever did it.
        let own = |name: &str| {
            done.iter().filter_map(|one| Some(one[name].as_f64()? / one["seconds"].as_f64()?)).sum::<f64>()
        };
        match self.case {
            Case::Rest | Case::Network => {}
            Case::Cpu | Case::Memory => {
                let ran = own("run_seconds");
                let wanted = ran + own("wait_seconds");
                proof.push(one("generators have run", ran, "of a processor", CPU_SHARE));
                proof.push(one("generators have run or waited to", wanted, "of a processor", WANTED_SHARE));
            }
            Case::Io => proof.push(one("sync()", sum("loops") / seconds, "in a second", IO_LOOPS_PER_SECOND)),
            Case::Hd => proof.push(one("written", sum("bytes") / seconds, "bytes in a second", HD_BYTES_PER_SECOND)),
        }
        if self.case != Case::Rest {
            proof.push(
                json!({"what": "guests stressed", "value": self.stressed, "unit": "", "at_least": 1, "ok": true}),
            );
        }
        Ok(proof)
    }
}

/// What a generator has said at its end, or why it did not come to that.
fn said(at_work: AtWork, machines: &[Machine]) -> Result<Vec<u8>, String> {
    let failed = |said: &[u8], status: &dyn ToString| match String::from_utf8_lossy(said).trim() {
        "" => Err(status.to_string()),
        said => Err(said.to_owned()),
    };
    match at_work {
        // It says little: one line, or why it failed.
        AtWork::Here(child) => match child.wait_with_output() {
            Ok(output) if output.status.success() => Ok(output.stdout),
            Ok(output) => failed(&output.stderr, &output.status),
            Err(error) => Err(error.to_string()),
        },
        AtWork::There(number, job) => {
            let machine = machines.get(number).ok_or("there is no such guest")?;
            match machine.collect(job, PATIENCE).map_err(|error| error.to_string())? {
                Some(output) if output.success() => Ok(output.stdout),
                Some(output) => failed(&output.stderr, &format!("{:?}", output.code)),
                None => Err("it does not end".to_owned()),
            }
        }
    }
}

/// What is to be started for a guest: words of `wiretruth lab stress`, and whether that is in the guest, else at the target.
fn loads(
    number: usize,
    guest: &Guest,
    case: Case,
    plan: &Plan,
    folder: &Path,
    is_machine: bool,
) -> Result<Vec<(Vec<String>, bool)>, Error> {
    let threads = format!("--threads={}", plan.threads);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Ok(match case {
        Case::Rest => Vec::new(),
        Case::Cpu | Case::Io | Case::Memory => vec![(words(&[case.name(), &threads]), true)],
        Case::Hd => {
            let own = if is_machine { PathBuf::from(DISK) } else { folder.join(format!("load-{number}")) };
            if !is_machine {
                std::fs::create_dir_all(&own).map_err(|cause| Repr::Io { path: own.display().to_string(), cause })?;
            }
            vec![(words(&["hd", &own.display().to_string(), &threads]), true)]
        }
        Case::Network => {
            // One each way.
            let port = PORT + number as u32;
            let (to_target, to_guest) = (format!("{TARGET}:{port}"), format!("{}:{port}", guest.address));
            let streams = format!("--threads={}", plan.streams);
            let control = format!("--congestion={}", plan.congestion_control);
            vec![
                (words(&["receive", &to_target, &streams]), false),
                (words(&["receive", &to_guest, &streams]), true),
                (words(&["send", &to_target, &control, &streams]), true),
                (words(&["send", &to_guest, &control, &streams]), false),
            ]
        }
    })
}

fn one(what: &str, value: f64, unit: &str, at_least: f64) -> Value {
    json!({"what": what, "value": value, "unit": unit, "at_least": at_least, "ok": value >= at_least})
}

/// In the target's room.
fn wrapped(lab: &Topology, words: &Command) -> Command {
    let mut command = lab.target.command(words.get_program());
    command.args(words.get_args());
    command
}
