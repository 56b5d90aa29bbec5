//! A stress on a topology, and the proof that it was there.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::plan::{Cell, Plan};
use super::tcp_watch::TcpWatch;
use super::topology::{TARGET, Topology};
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

struct Generator {
    child: Child,
    what: String,
    in_guest: bool,
}

impl Stress {
    /// Starts what the cell is to be stressed with, in as many guests as the plan says: the last ones, so that it is not the one that measures.
    pub(super) fn start(lab: &Topology, cell: Cell, plan: &Plan, folder: &Path) -> Result<Self, Error> {
        let count = lab.guests.len();
        let stressed = plan.stressed.clamp(1, count as u32);
        let mut stress =
            Self { running: Vec::new(), begun: Instant::now(), link: None, case: cell.stress, stressed, watch: None };
        if cell.stress == Case::Network {
            stress.link = Some((lab.system.counter("s0", "tx_bytes")?, lab.system.counter("s0", "rx_bytes")?));
        }
        for (number, guest) in lab.guests.iter().enumerate().rev().take(stressed as usize) {
            let mut generate = |words: &[String], in_guest: bool| {
                let mut command = Command::new(&plan.programs.wiretruth);
                command.args(["lab", "stress"]).args(words);
                let command = if in_guest { lab.command(guest, command) } else { wrapped(lab, &command) };
                stress.start_one(command, words.join(" "), in_guest)
            };
            let threads = format!("--threads={}", plan.threads);
            let word = |text: &str| text.to_owned();
            match cell.stress {
                Case::Rest => {}
                Case::Cpu | Case::Io | Case::Memory => generate(&[word(cell.stress.name()), threads], true)?,
                Case::Hd => {
                    let own = folder.join(format!("load-{number}"));
                    std::fs::create_dir_all(&own)
                        .map_err(|cause| Repr::Io { path: own.display().to_string(), cause })?;
                    generate(&[word("hd"), own.display().to_string(), threads], true)?;
                }
                Case::Network => {
                    // One each way.
                    let port = PORT + number as u32;
                    let streams = format!("--threads={}", plan.streams);
                    let control = format!("--congestion={}", plan.congestion_control);
                    generate(&[word("receive"), format!("{TARGET}:{port}"), streams.clone()], false)?;
                    generate(&[word("receive"), format!("{}:{port}", guest.address), streams.clone()], true)?;
                    generate(&[word("send"), format!("{TARGET}:{port}"), control.clone(), streams.clone()], true)?;
                    generate(&[word("send"), format!("{}:{port}", guest.address), control, streams], false)?;
                }
            }
        }
        if let (Case::Network, Some(guest)) = (cell.stress, lab.guests.last()) {
            let mut ss = Command::new("ss");
            ss.args(["-tinH", "state", "established", "dst", TARGET]);
            // Without it only a figure is missing.
            stress.watch = TcpWatch::start(lab.command(guest, ss), &folder.join("tcp.csv")).ok();
        }
        Ok(stress)
    }

    fn start_one(&mut self, mut command: Command, what: String, in_guest: bool) -> Result<(), Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let child = command.spawn().map_err(|cause| Repr::Program { line: what.clone(), cause })?;
        self.running.push(Generator { child, what, in_guest });
        Ok(())
    }

    /// Ends it. What it has done, and whether that is what it was to do.
    pub(super) fn end(mut self, lab: &Topology, plan: &Plan) -> Result<Vec<Value>, Error> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let mut proof = Vec::new();
        if let Some(watch) = self.watch.take() {
            let _ = watch.end();
        }
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
        for generator in &mut self.running {
            drop(generator.child.stdin.take());
        }
        let mut done = Vec::new();
        for mut generator in self.running {
            let mut said = String::new();
            if let Some(mut out) = generator.child.stdout.take() {
                let _ = out.read_to_string(&mut said);
            }
            let ended = generator.child.wait().is_ok_and(|status| status.success());
            match serde_json::from_str::<Value>(&said) {
                Ok(value) if ended => {
                    if generator.in_guest {
                        done.push(value);
                    }
                }
                _ => proof.push(json!({"what": format!("stress {} ran to its end", generator.what), "value": 0, "unit": "", "at_least": 1, "ok": false})),
            }
        }
        let sum = |name: &str| done.iter().filter_map(|one| one[name].as_f64()).sum::<f64>();
        match self.case {
            Case::Rest | Case::Network => {}
            Case::Cpu | Case::Memory => {
                let ran = sum("run_seconds") / seconds;
                let wanted = ran + sum("wait_seconds") / seconds;
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

fn one(what: &str, value: f64, unit: &str, at_least: f64) -> Value {
    json!({"what": what, "value": value, "unit": unit, "at_least": at_least, "ok": value >= at_least})
}

/// In the target's room.
fn wrapped(lab: &Topology, words: &Command) -> Command {
    let mut command = lab.target.command(words.get_program());
    command.args(words.get_args());
    command
}
