//! The line that shows a recording while it runs, on a terminal only.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::numbers::Numbers;

const REFRESH: Duration = Duration::from_millis(250);

/// Shows a recording until it is dropped. On a thread of its own: a terminal that is held up must not hold up a capture.
#[derive(Debug)]
pub struct Live {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Shows `numbers`, if standard error is a terminal.
    pub fn show(numbers: Numbers) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let on_terminal = std::io::stderr().is_terminal();
        let thread = on_terminal.then(|| std::thread::spawn(move || run(&numbers, &ends)));
        Self { over, thread }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A line less on the terminal is no reason to fail.
            let _ = thread.join();
        }
    }
}

/// For how long stream memory takes what comes, should nothing be written meanwhile.
#[derive(Debug)]
struct Headroom {
    /// Bytes that had arrived in each stream.
    arrived: Vec<u64>,
}

impl Headroom {
    fn new(numbers: &Numbers) -> Self {
        Self { arrived: numbers.memories().into_iter().map(|(arrived, _)| arrived).collect() }
    }

    /// Of the stream that has least, at the rate of the `seconds` since this was asked last; `None`: nothing came.
    fn now(&mut self, numbers: &Numbers, seconds: f64) -> Option<Duration> {
        let memories = numbers.memories();
        let before = std::mem::replace(&mut self.arrived, memories.iter().map(|(arrived, _)| *arrived).collect());
        let room = |((arrived, free), before): (&(u64, u64), u64)| {
            let came = arrived.saturating_sub(before);
            (came > 0).then(|| Duration::from_secs_f64(*free as f64 / (came as f64 / seconds)))
        };
        memories.iter().zip(before).filter_map(room).min()
    }
}

/// A time as somebody says it who has little place.
fn spoken(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.9995 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds < 99.95 => format!("{seconds:.1} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.0} h", (seconds / 3600.0).min(999.0)),
    }
}

fn run(numbers: &Numbers, over: &AtomicBool) {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let mut last = (Instant::now(), numbers.snapshot());
    let mut headroom = Headroom::new(numbers);
    while !over.load(Ordering::Acquire) {
        std::thread::park_timeout(REFRESH);
        let now = (Instant::now(), numbers.snapshot());
        let seconds = (now.0 - last.0).as_secs_f64().max(1e-3);
        let rate = (now.1.delivered - last.1.delivered) as f64 / seconds;
        bar.set_message(format!(
            "{} packets, {}, {}/s, memory {} %{}, lost {}{}",
            HumanCount(now.1.delivered),
            HumanBytes(now.1.bytes),
            HumanCount(rate as u64),
            now.1.fill_percent,
            headroom.now(numbers, seconds).map(|room| format!(" (room for {})", spoken(room))).unwrap_or_default(),
            HumanCount(now.1.lost),
            if now.1.waiting { ", disk full" } else { "" },
        ));
        bar.tick();
        last = now;
    }
    bar.finish_and_clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_its_own_unit() {
        let said = |seconds| spoken(Duration::from_secs_f64(seconds));
        assert_eq!([said(0.0), said(0.0124), said(0.9994)], ["0 ms", "12 ms", "999 ms"]);
        assert_eq!([said(0.9996), said(12.34), said(99.94)], ["1.0 s", "12.3 s", "99.9 s"]);
        assert_eq!([said(99.96), said(5399.0), said(5400.0), said(1e12)], ["2 min", "90 min", "2 h", "999 h"]);
    }
}
