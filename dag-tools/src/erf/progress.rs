//! How far long work has come, on a terminal only.

use std::fs;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is over sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// The bar hears of so many bytes at once: some work tells of every record.
const STEP: u64 = 64 << 10;

/// A bar over the bytes of all inputs, or a count of bytes where their sizes are not known.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// Bytes that the bar has not heard of.
    untold: u64,
    begun: std::time::Instant,
    shown: bool,
}

impl Progress {
    /// For work on `inputs`. Sizes are those of the files as stored; what is compressed counts more and is shown without an end.
    pub(super) fn over(inputs: &[PathBuf]) -> Self {
        let sizes =
            inputs.iter().map(|path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|file| file.len()));
        let total: Option<u64> = sizes.sum();
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let template = match total {
            Some(_) => "{bar:30} {percent:>3} %  {binary_bytes_per_sec}  {eta} left",
            None => "{spinner} {binary_bytes}  {binary_bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, untold: 0, begun: std::time::Instant::now(), shown: !std::io::stderr().is_terminal() }
    }

    /// So many bytes more are done.
    #[inline]
    pub(super) fn add(&mut self, bytes: u64) {
        self.untold += bytes;
        if self.untold >= STEP {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let bytes = std::mem::take(&mut self.untold);
        if !self.shown && self.begun.elapsed() > PATIENCE {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let done = self.bar.position() + bytes;
        if self.bar.length().is_some_and(|length| done > length) {
            self.bar.set_length(done);
        }
        self.bar.inc(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
