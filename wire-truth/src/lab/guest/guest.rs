//! [`Guest`]: a running guest, and what can be asked of it.

use std::io;
use std::process::ChildStdin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::control::{Control, NoAnswer};
use super::error::Trouble;
use super::machine::Machine;
use super::protocol::{Answer, Request};
use super::qemu::GuestConfig;
use crate::Error;

/// How long an agent may take for what is quick.
const SOON: Duration = Duration::from_secs(60);

/// How long a large file may take.
const FILE: Duration = Duration::from_secs(600);

/// How long it may take to power off before it is killed.
const OFF: Duration = Duration::from_secs(20);

/// For what waits in the guest: so much longer than that waits the host for the answer.
const SLACK: Duration = Duration::from_secs(30);

/// A guest: a process of QEMU, which is killed when this is dropped. If this process is killed, the guest notices that its port has closed,
/// and powers off.
///
/// Everything is asked through the port; methods may be called by several threads at once.
#[derive(Debug)]
pub struct Guest {
    control: Control<ChildStdin>,
    machine: Mutex<Machine>,
    patience: Duration,
    network: Vec<String>,
}

/// What a guest says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Up {
    /// Its kernel (`uname -r`).
    pub release: String,
    /// The clock that its stamps are of, as the kernel names it.
    pub clock_source: String,
}

/// A program that runs in a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Job(u64);

/// How a program in a guest has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// Its exit status; `None` if a signal has ended it.
    pub code: Option<i32>,
    /// The signal that has ended it.
    pub signal: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether it has ended with the exit status 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

impl Guest {
    /// Boots a guest and waits until it and its network are up.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start) and [`wait_up`](Self::wait_up).
    pub fn boot(config: &GuestConfig) -> Result<(Self, Up), Error> {
        let guest = Self::start(config)?;
        let up = guest.wait_up()?;
        Ok((guest, up))
    }

    /// Starts QEMU, in the network namespace of this thread, and does not wait: several guests come up side by side.
    ///
    /// # Errors
    ///
    /// When QEMU is not there. What it does not like is told by [`wait_up`](Self::wait_up).
    pub fn start(config: &GuestConfig) -> Result<Self, Error> {
        let (machine, stdin, stdout) = Machine::start(&mut config.command())?;
        let address = format!("{}/{}", config.address, config.prefix);
        let mut network = vec![
            "ip link set lo up".to_owned(),
            format!("ip addr add {address} dev eth0"),
            "ip link set eth0 up".to_owned(),
        ];
        network.extend(config.gateway.map(|gateway| format!("ip route add default via {gateway}")));
        let control = Control::new(stdin, stdout);
        Ok(Self { control, machine: Mutex::new(machine), patience: config.patience, network })
    }

    /// Waits until the guest answers, and sets its network up.
    ///
    /// # Errors
    ///
    /// When it is not up in time or has ended: with the end of its console.
    pub fn wait_up(&self) -> Result<Up, Error> {
        let up = match self.control.ask(&Request::Hello, Vec::new(), self.patience) {
            Ok((Answer::Hello { release, clock_source }, _)) => Up { release, clock_source },
            Ok((other, _)) => return Err(unexpected(&Request::Hello, &other)),
            Err(NoAnswer::Late) => {
                let (seconds, end) = (self.patience.as_secs(), self.machine().end_of_console());
                return Err(Trouble::NotUp { seconds, end }.into());
            }
            Err(other) => return Err(self.explain(&Request::Hello, other, self.patience)),
        };
        for line in &self.network {
            let argv: Vec<&str> = line.split(' ').collect();
            let done = self.run(&argv, SOON)?;
            if !done.success() {
                let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
                return Err(Trouble::Network { line: line.clone(), said }.into());
            }
        }
        Ok(up)
    }

    /// Runs a program to its end. It has nothing on standard input, and is in the folder `/tmp`.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or has not ended after `limit`; it is killed then.
    pub fn run(&self, argv: &[impl AsRef<str>], limit: Duration) -> Result<Output, Error> {
        let job = self.spawn(argv)?;
        if let Some(output) = self.collect(job, limit)? {
            return Ok(output);
        }
        self.kill(job)?;
        let what = argv.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" ");
        Err(Trouble::Silent { what, seconds: limit.as_secs(), end: self.machine().end_of_console() }.into())
    }

    /// Starts a program, which goes on until it is told to end or the guest stops.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(&self, argv: &[impl AsRef<str>]) -> Result<Job, Error> {
        let argv = argv.iter().map(|word| word.as_ref().to_owned()).collect();
        let request = Request::Spawn { argv };
        match self.ask(&request, Vec::new(), SOON)? {
            (Answer::Spawned { job }, _) => Ok(Job(job)),
            (other, _) => Err(unexpected(&request, &other)),
        }
    }

    /// Waits for a program to end; `None` if it runs still after `limit`. What it has said is told once.
    ///
    /// # Errors
    ///
    /// When it was collected already, or the guest is gone.
    pub fn collect(&self, job: Job, limit: Duration) -> Result<Option<Output>, Error> {
        let wait_ms = Some(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        let request = Request::Collect { job: job.0, wait_ms };
        let (answer, parts) = self.ask(&request, Vec::new(), limit.saturating_add(SLACK))?;
        let mut parts = parts.into_iter();
        match answer {
            Answer::Ended { code, signal } => {
                let (stdout, stderr) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                Ok(Some(Output { code, signal, stdout, stderr }))
            }
            Answer::Running => Ok(None),
            other => Err(unexpected(&request, &other)),
        }
    }

    /// Asks a program to end, as Ctrl-C does. One that has ended is not disturbed.
    ///
    /// # Errors
    ///
    /// When it was collected already, or the guest is gone.
    pub fn interrupt(&self, job: Job) -> Result<(), Error> {
        self.signal(job, Signal::SIGINT)
    }

    /// Ends a program and what it has started, at once.
    ///
    /// # Errors
    ///
    /// When it was collected already, or the guest is gone.
    pub fn kill(&self, job: Job) -> Result<(), Error> {
        self.signal(job, Signal::SIGKILL)
    }

    fn signal(&self, job: Job, signal: Signal) -> Result<(), Error> {
        self.ask(&Request::Signal { job: job.0, signal: signal as i32 }, Vec::new(), SOON).map(drop)
    }

    /// The bytes of a file in the guest, 256 MiB at most.
    ///
    /// # Errors
    ///
    /// When it cannot be read there.
    pub fn get_file(&self, path: &str) -> Result<Vec<u8>, Error> {
        let (_, parts) = self.ask(&Request::Get { path: path.to_owned() }, Vec::new(), FILE)?;
        Ok(parts.into_iter().next().unwrap_or_default())
    }

    /// Writes `bytes` into a file in the guest, with these permissions.
    ///
    /// # Errors
    ///
    /// When it cannot be written there.
    pub fn put_file(&self, path: &str, mode: u32, bytes: Vec<u8>) -> Result<(), Error> {
        self.ask(&Request::Put { path: path.to_owned(), mode }, bytes, FILE).map(drop)
    }

    /// The number of QEMU's process.
    pub fn pid(&self) -> u32 {
        self.machine().pid()
    }

    /// The last 64 KiB that the guest's console, and QEMU, has said.
    pub fn console(&self) -> String {
        self.machine().console()
    }

    /// Powers the guest off and waits for that; kills it if it takes too long. Nothing of it is left after.
    ///
    /// # Errors
    ///
    /// When it had ended before.
    pub fn stop(self) -> Result<(), Error> {
        // It may be off before its answer is here.
        let asked = self.control.ask(&Request::Stop, Vec::new(), OFF);
        let mut machine = self.machine();
        let status = machine.ended(OFF).map_err(|cause| Trouble::file("QEMU", cause))?;
        match (asked, status) {
            (Err(NoAnswer::Trouble(Trouble::File { .. })), Some(status)) => {
                Err(Trouble::Ended { status: status.to_string(), end: machine.end_of_console() }.into())
            }
            _ => Ok(()),
        }
    }

    fn machine(&self) -> std::sync::MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, what: &Request, part: Vec<u8>, limit: Duration) -> Result<(Answer, Vec<Vec<u8>>), Error> {
        self.control.ask(what, part, limit).map_err(|error| self.explain(what, error, limit))
    }

    fn explain(&self, what: &Request, error: NoAnswer, limit: Duration) -> Error {
        let mut machine = self.machine();
        // A port that is closed and a process that ends are moments apart.
        let wait = if matches!(error, NoAnswer::Late) { Duration::ZERO } else { Duration::from_secs(2) };
        let closed = |trouble: &Trouble| matches!(trouble, Trouble::File { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe);
        match error {
            NoAnswer::Trouble(trouble) if !closed(&trouble) => trouble.into(),
            NoAnswer::Gone(Some(why)) => Trouble::Frame(why).into(),
            error => match machine.ended(wait) {
                Ok(Some(status)) => Trouble::Ended { status: status.to_string(), end: machine.end_of_console() }.into(),
                _ => {
                    let seconds = if matches!(error, NoAnswer::Late) { limit.as_secs() } else { 0 };
                    Trouble::Silent { what: what.shown(), seconds, end: machine.end_of_console() }.into()
                }
            },
        }
    }
}

fn unexpected(what: &Request, answer: &Answer) -> Error {
    Trouble::Frame(format!("{answer:?} as an answer to `{}`", what.shown())).into()
}
