//! SIGUSR1: how a recording is going, said when asked.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use dag::record::{Progress, Snapshot};
use serde::Serialize;
use signal_hook::consts::SIGUSR1;
use signal_hook::iterator::{Handle, Signals};

use crate::messages::say;

/// Answers SIGUSR1 with a line on standard error, until it is dropped.
#[derive(Debug)]
pub struct Reports {
    signals: Handle,
    thread: Option<JoinHandle<()>>,
}

/// What is reported as JSON.
#[derive(Debug, Serialize)]
struct ReportJson {
    /// Version of this form.
    report: u32,
    /// Packets chosen to be recorded.
    delivered: u64,
    /// Packets not asked for.
    filtered: u64,
    /// Packets lost.
    lost: u64,
    /// Packets in the file: a kill does not take them.
    written: u64,
    /// Bytes in the file.
    written_bytes: u64,
    /// Packets that survive a loss of power, where `--sync` asks for that.
    synced: u64,
    /// How full stream memory is, in percent.
    fill_percent: u64,
    /// The disk is full, and it is waited for.
    waiting: bool,
}

impl Reports {
    /// Reports `progress` when SIGUSR1 comes, for `program`, as JSON or in words.
    ///
    /// # Errors
    ///
    /// When the system refuses a handler or a thread.
    pub fn on_signal(program: &'static str, progress: Arc<Progress>, json: bool) -> io::Result<Self> {
        let mut signals = Signals::new([SIGUSR1])?;
        let handle = signals.handle();
        let thread = std::thread::Builder::new().name("reports".to_owned()).spawn(move || {
            for _ in signals.forever() {
                let now = progress.snapshot();
                match json.then(|| serde_json::to_string(&ReportJson::from(now))) {
                    // Nobody listens: there is nobody to tell.
                    Some(Ok(line)) => drop(io::Write::write_all(&mut io::stderr(), format!("{line}\n").as_bytes())),
                    _ => say(program, words(&now)),
                }
            }
        })?;
        Ok(Self { signals: handle, thread: Some(thread) })
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            // A report less is no reason to fail.
            let _ = thread.join();
        }
    }
}

fn words(now: &Snapshot) -> String {
    let Snapshot { delivered, filtered, lost, written, written_bytes, fill_percent, .. } = now;
    let waiting = if now.waiting { ", waiting for room on the disk" } else { "" };
    format!(
        "{delivered} packets, of which {written} are in the file ({written_bytes} bytes), {filtered} filtered, {lost} lost; \
         stream memory {fill_percent} % full{waiting}"
    )
}

impl From<Snapshot> for ReportJson {
    fn from(now: Snapshot) -> Self {
        Self {
            report: 1,
            delivered: now.delivered,
            filtered: now.filtered,
            lost: now.lost,
            written: now.written,
            written_bytes: now.written_bytes,
            synced: now.synced,
            fill_percent: now.fill_percent,
            waiting: now.waiting,
        }
    }
}
