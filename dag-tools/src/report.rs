//! SIGUSR1: how a recording is going, said when asked.

use std::io;
use std::thread::JoinHandle;

use dag::record::Snapshot;
use serde::Serialize;
use signal_hook::consts::SIGUSR1;
use signal_hook::iterator::{Handle, Signals};

use crate::messages::say;
use crate::numbers::{Numbers, StreamNumbers};

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
    /// The same of each of several streams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    streams: Vec<StreamReportJson>,
}

/// What is reported of one of several streams.
#[derive(Debug, Serialize)]
struct StreamReportJson {
    device: String,
    stream: u16,
    delivered: u64,
    filtered: u64,
    lost: u64,
    /// Packets in the file that it has for itself; null where it has none.
    written: Option<u64>,
    fill_percent: u64,
    /// It has ended.
    ended: bool,
}

impl Reports {
    /// Reports `numbers` when SIGUSR1 comes, for `program`, as JSON or in words.
    ///
    /// # Errors
    ///
    /// When the system refuses a handler or a thread.
    pub fn on_signal(program: &'static str, numbers: Numbers, json: bool) -> io::Result<Self> {
        let mut signals = Signals::new([SIGUSR1])?;
        let handle = signals.handle();
        let thread = std::thread::Builder::new().name("reports".to_owned()).spawn(move || {
            for _ in signals.forever() {
                match json.then(|| serde_json::to_string(&ReportJson::of(&numbers))) {
                    // Nobody listens: there is nobody to tell.
                    Some(Ok(line)) => drop(io::Write::write_all(&mut io::stderr(), format!("{line}\n").as_bytes())),
                    _ => say(program, words(&numbers)),
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

fn words(numbers: &Numbers) -> String {
    let Snapshot { delivered, filtered, lost, written, written_bytes, fill_percent, waiting, .. } = numbers.snapshot();
    let waiting = if waiting { ", waiting for room on the disk" } else { "" };
    let streams: String = numbers.streams.iter().map(stream_words).collect();
    format!(
        "{delivered} packets, of which {written} are in the file ({written_bytes} bytes), {filtered} filtered, {lost} lost; \
         stream memory {fill_percent} % full{waiting}{streams}"
    )
}

/// A line for one of several streams.
fn stream_words(stream: &StreamNumbers) -> String {
    let Snapshot { delivered, filtered, lost, fill_percent, .. } = stream.progress.snapshot();
    let StreamNumbers { device, stream: number, .. } = stream;
    let ended = if stream.progress.has_ended() { ", ended" } else { "" };
    format!(
        "\n  {device} stream {number}: {delivered} packets, {filtered} filtered, {lost} lost; memory {fill_percent} % full{ended}"
    )
}

impl StreamReportJson {
    fn of(stream: &StreamNumbers) -> Self {
        let now = stream.progress.snapshot();
        Self {
            device: stream.device.clone(),
            stream: stream.stream,
            delivered: now.delivered,
            filtered: now.filtered,
            lost: now.lost,
            written: stream.has_file.then_some(now.written),
            fill_percent: now.fill_percent,
            ended: stream.progress.has_ended(),
        }
    }
}

impl ReportJson {
    fn of(numbers: &Numbers) -> Self {
        let now = numbers.snapshot();
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
            streams: numbers.streams.iter().map(StreamReportJson::of).collect(),
        }
    }
}
