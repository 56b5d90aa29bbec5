//! What systemd is told of a recording (`sd_notify(3)`): that it runs, how it is going, that it is alive.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::numbers::Numbers;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Between two words on how it is going.
const STATUS: Duration = Duration::from_secs(5);

/// Tells systemd of a recording until it is dropped.
#[derive(Debug)]
pub struct Notify {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where systemd listens.
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Notify {
    /// Tells of `numbers` where `NOTIFY_SOCKET` says that somebody listens; `None` without it. Where `WATCHDOG_USEC` asks for signs of life,
    /// they come for as long as the capture goes round.
    ///
    /// # Errors
    ///
    /// When there is no socket to be had.
    pub fn of(numbers: Numbers) -> io::Result<Option<Self>> {
        let Some(manager) = Manager::from_environment()? else { return Ok(None) };
        manager.tell("READY=1\nSTATUS=recording");
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let alive = watchdog();
        let thread =
            thread::Builder::new().name("notify".to_owned()).spawn(move || run(&manager, &numbers, alive, &ends))?;
        Ok(Some(Self { over, thread: Some(thread) }))
    }
}

impl Drop for Notify {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A word less is no reason to fail.
            let _ = thread.join();
        }
    }
}

impl Manager {
    fn from_environment() -> io::Result<Option<Self>> {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(None) };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(hidden) => SocketAddr::from_abstract_name(hidden)?,
            None => SocketAddr::from_pathname(&name)?,
        };
        Ok(Some(Self { socket: UnixDatagram::unbound()?, address }))
    }

    fn tell(&self, words: &str) {
        // Nobody listens any more: there is nobody to tell.
        let _ = self.socket.send_to_addr(words.as_bytes(), &self.address);
    }
}

/// How often a sign of life is to come: twice in the time after which systemd takes the program for dead.
fn watchdog() -> Option<Duration> {
    let ours = env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
    let micros: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (ours && micros > 0).then(|| Duration::from_micros(micros / 2))
}

fn run(manager: &Manager, numbers: &Numbers, alive: Option<Duration>, over: &AtomicBool) {
    let (mut status, mut sign) = (Instant::now(), Instant::now());
    let mut rounds = Vec::new();
    numbers.is_alive(&mut rounds);
    while !over.load(Ordering::Acquire) {
        thread::sleep(LOOK.min(alive.unwrap_or(LOOK)));
        if let Some(every) = alive
            && sign.elapsed() >= every
            && numbers.is_alive(&mut rounds)
        {
            sign = Instant::now();
            manager.tell("WATCHDOG=1");
        }
        if status.elapsed() >= STATUS {
            status = Instant::now();
            let now = numbers.snapshot();
            let (delivered, lost, fill) = (now.delivered, now.lost, now.fill_percent);
            manager.tell(&format!("STATUS={delivered} packets, {lost} lost, stream memory {fill} % full"));
        }
    }
    manager.tell("STOPPING=1");
}
