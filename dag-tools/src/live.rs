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

fn run(numbers: &Numbers, over: &AtomicBool) {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let mut last = (Instant::now(), numbers.snapshot());
    while !over.load(Ordering::Acquire) {
        std::thread::park_timeout(REFRESH);
        let now = (Instant::now(), numbers.snapshot());
        let seconds = (now.0 - last.0).as_secs_f64().max(1e-3);
        let rate = (now.1.delivered - last.1.delivered) as f64 / seconds;
        bar.set_message(format!(
            "{} packets, {}, {}/s, memory {} %, lost {}{}",
            HumanCount(now.1.delivered),
            HumanBytes(now.1.bytes),
            HumanCount(rate as u64),
            now.1.fill_percent,
            HumanCount(now.1.lost),
            if now.1.waiting { ", disk full" } else { "" },
        ));
        bar.tick();
        last = now;
    }
    bar.finish_and_clear();
}
