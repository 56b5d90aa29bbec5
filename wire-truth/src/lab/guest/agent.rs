//! The guest's side: the first process of a guest, which does what the host says through a port of virtio-console.
//!
//! Not through the network, which is what is measured.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::utsname::uname;

use super::error::{About, Trouble};
use super::frame::Frame;
use super::init;
use super::jobs::Jobs;
use super::protocol::{Answer, Numbered, Request};
use crate::Error;

/// The port, as the kernel names the first that is no console.
const PORT: &str = "/dev/vport0p1";

/// How long the port and the host may take to be there. Emulated devices appear late.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the host has asked for and has not been told.
struct Agent {
    jobs: Jobs,
    out: Mutex<File>,
}

/// Runs a guest until the host says stop or goes away, and powers it off. Only the first process of a guest is to call this.
///
/// # Errors
///
/// When this is no first process, or the guest cannot be set up. The first process of a guest does not come back.
pub fn agent() -> Result<(), Error> {
    if std::process::id() != 1 {
        return Err(Trouble::Refused {
            what: "guest-agent".to_owned(),
            why: "it is the first process of a guest, and nothing for a host".to_owned(),
        }
        .into());
    }
    let done = init::init().and_then(|()| serve());
    if let Err(trouble) = &done {
        // The console, whose end the host shows.
        let _ = writeln!(io::stderr(), "guest-agent: {trouble}");
    }
    // Returns only if it fails, and then the kernel ends as the first process has.
    let _ = reboot(RebootMode::RB_POWER_OFF);
    done.map_err(Error::from)
}

fn serve() -> Result<(), Trouble> {
    let until = Instant::now() + PATIENCE;
    while !Path::new(PORT).exists() && Instant::now() < until {
        sleep(Duration::from_millis(10));
    }
    let port = OpenOptions::new().read(true).write(true).open(PORT).about(PORT)?;
    let agent = Arc::new(Agent { jobs: Jobs::default(), out: Mutex::new(port.try_clone().about(PORT)?) });
    let mut input = BufReader::with_capacity(65_536, Port { port, heard: false, until });
    let stop = Arc::new(AtomicBool::new(false));
    while !stop.load(Ordering::Relaxed) {
        let Some(frame) = Frame::read(&mut input)? else { return Ok(()) };
        let asked: Result<Numbered<Request>, _> = serde_json::from_value(frame.head);
        let Numbered { id, what } = asked.map_err(|error| Trouble::Frame(error.to_string()))?;
        let part = frame.parts.into_iter().next().unwrap_or_default();
        if what == Request::Stop {
            stop.store(true, Ordering::Relaxed);
        }
        let agent = Arc::clone(&agent);
        // Some wait for long, and the next is not to wait for them; all but those are answered in order.
        match what {
            Request::Collect { .. } => drop(std::thread::spawn(move || agent.answer(id, what, &part))),
            _ => agent.answer(id, what, &part)?,
        }
    }
    Ok(())
}

/// The port's input. Until the host has been heard, an end is none: it connects some time after the port appears.
struct Port {
    port: File,
    heard: bool,
    until: Instant,
}

impl Read for Port {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.port.read(buffer)?;
            self.heard |= read > 0;
            if read > 0 || self.heard || Instant::now() >= self.until {
                return Ok(read);
            }
            sleep(Duration::from_millis(10));
        }
    }
}

impl Agent {
    fn answer(&self, id: u64, what: Request, part: &[u8]) -> Result<(), Trouble> {
        let (answer, parts) =
            self.does(id, what, part).unwrap_or_else(|error| (Answer::Failed { why: error.to_string() }, Vec::new()));
        let head = serde_json::to_value(Numbered { id, what: answer });
        let head = head.map_err(|error| Trouble::Frame(error.to_string()))?;
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let too_big = match (Frame { head, parts }).write(&mut *out) {
            Err(Trouble::FrameSize { bytes, most }) => Trouble::FrameSize { bytes, most }.to_string(),
            done => return done,
        };
        // Nothing of it was written.
        let head = serde_json::to_value(Numbered { id, what: Answer::Failed { why: too_big } });
        Frame { head: head.map_err(|error| Trouble::Frame(error.to_string()))?, parts: Vec::new() }.write(&mut *out)
    }

    fn does(&self, id: u64, what: Request, part: &[u8]) -> io::Result<(Answer, Vec<Vec<u8>>)> {
        Ok(match what {
            Request::Hello => {
                let release = uname()?.release().to_string_lossy().into_owned();
                let clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
                let clock_source = fs::read_to_string(clock).unwrap_or_default().trim().to_owned();
                (Answer::Hello { release, clock_source }, Vec::new())
            }
            Request::Spawn { argv } => {
                self.jobs.spawn(id, &argv)?;
                (Answer::Spawned { job: id }, Vec::new())
            }
            Request::Collect { job, wait_ms } => match self.jobs.collect(job, wait_ms.map(Duration::from_millis))? {
                Some(end) => {
                    let (code, signal) = (end.status.code(), end.status.signal());
                    (Answer::Ended { code, signal }, vec![end.output, end.messages])
                }
                None => (Answer::Running, Vec::new()),
            },
            Request::Signal { job, signal } => {
                self.jobs.signal(job, signal)?;
                (Answer::Done, Vec::new())
            }
            Request::Get { path } => (Answer::Done, vec![fs::read(path)?]),
            Request::Put { path, mode } => {
                fs::write(&path, part)?;
                fs::set_permissions(&path, PermissionsExt::from_mode(mode & 0o7777))?;
                (Answer::Done, Vec::new())
            }
            Request::Stop => (Answer::Done, Vec::new()),
        })
    }
}
