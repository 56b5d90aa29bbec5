//! Captures of a cell: recorders, each at an interface of a room.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::plan::Plan;
use super::room::Room;
use crate::error::{Error, Repr};

/// Bytes of each packet that captures keep: headers, and what tells one probe from another.
pub(super) const SNAP: u32 = 128;

/// Of the card's, so that a recorder that has to wait loses nothing.
const MEMORY: &str = "128MiB";

/// Of the packets of a capture, so many may be lost: a hundredth.
const MOST_LOST: f64 = 0.01;

/// What takes longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A capture under way.
pub(super) struct Capture {
    pub(super) name: &'static str,
    file: PathBuf,
    child: Child,
}

impl Capture {
    pub(super) fn start(
        plan: &Plan,
        folder: &Path,
        name: &'static str,
        room: &Room,
        device: &str,
    ) -> Result<Self, Error> {
        let file = folder.join(format!("{name}.erf"));
        // Before the rest of the machine, where it may be: what it is late for is lost.
        let mut command = room.command("nice");
        command
            .args(["-n", "-15"])
            .arg(&plan.programs.dagcap)
            .args(["--device", &format!("emu:tap={device},snaplen={SNAP},memory={MEMORY}"), "--json", "--out"])
            .arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|cause| Repr::Program { line: "dagcap".to_owned(), cause })?;
        Ok(Self { name, file, child })
    }

    fn has_begun(&self) -> bool {
        // More than the first record, which is there before any packet.
        self.file.metadata().is_ok_and(|file| file.len() > 4096)
    }

    /// That it goes on. It does until it is told to end, unless it cannot: then it says why.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait().map_err(|cause| io_error("dagcap", cause))? {
            None => Ok(()),
            Some(status) => {
                let account = self.account();
                Err(self.failure(status, &account))
            }
        }
    }

    /// What it says of itself at its end.
    fn account(&mut self) -> Value {
        let mut said = String::new();
        if let Some(mut out) = self.child.stdout.take() {
            let _ = out.read_to_string(&mut said);
        }
        serde_json::from_str(&said).unwrap_or_default()
    }

    /// Why it has ended: what its account has, or else what it said.
    fn failure(&mut self, status: ExitStatus, account: &Value) -> Error {
        let mut said = String::new();
        if let Some(mut err) = self.child.stderr.take() {
            let _ = err.read_to_string(&mut said);
        }
        let last = said.lines().next_back().filter(|line| !line.is_empty()).map(str::to_owned);
        let said = account["error"].as_str().map(str::to_owned).or(last).unwrap_or_else(|| status.to_string());
        Repr::Tool { line: format!("the capture of {}", self.name), said }.into()
    }

    /// Ends it; what it has lost, and whether that is too much.
    pub(super) fn end(mut self) -> Result<Option<(String, bool)>, Error> {
        let signalled = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT);
        signalled.map_err(|cause| io_error("dagcap", cause.into()))?;
        let account = self.account();
        let status = self.child.wait().map_err(|cause| io_error("dagcap", cause))?;
        let count = |name: &str| account[name].as_u64().unwrap_or_default();
        let (received, lost) = (count("received"), count("lost_card") + count("lost_writer"));
        Ok(match status.code() {
            Some(0) => None,
            Some(1) => {
                let told = format!("the capture of {} has lost {lost} of {received} packets", self.name);
                Some((told, lost as f64 > MOST_LOST * received as f64))
            }
            _ => return Err(self.failure(status, &account)),
        })
    }
}

/// Lets packets by, by `nudge`, until every capture has some.
pub(super) fn all_begun(captures: &mut [Capture], mut nudge: impl FnMut()) -> Result<(), Error> {
    let begun = Instant::now();
    while !captures.iter().all(Capture::has_begun) {
        captures.iter_mut().try_for_each(Capture::check)?;
        if begun.elapsed() > PATIENCE {
            let silent: Vec<&str> = captures.iter().filter(|one| !one.has_begun()).map(|one| one.name).collect();
            return Err(Repr::Lab { what: format!("nothing comes to the capture of {}", silent.join(", ")) }.into());
        }
        nudge();
    }
    Ok(())
}

fn io_error(path: &str, cause: io::Error) -> Error {
    Repr::Io { path: path.to_owned(), cause }.into()
}
