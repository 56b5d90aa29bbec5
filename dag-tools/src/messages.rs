//! Talk goes to standard error, one line at a time, with the program's name in front.

use std::io::{self, Write};

use erf::describe::plain;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// What libraries log, as lines of ours.
struct Lines;

static LINES: Lines = Lines;

/// Shows warnings and errors that libraries log.
pub fn show_warnings() {
    // It fails only when somebody has set a logger before us, which will do as well.
    if log::set_logger(&LINES).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

/// Says a line, or several, on standard error. What would command a terminal, such as an escape sequence in the name of a file, is shown and
/// not sent.
pub fn say(program: &str, text: impl std::fmt::Display) {
    let text = text.to_string();
    let lines: Vec<String> = text.split('\n').map(|line| plain(line).to_string()).collect();
    // Nobody listens: there is nobody to tell.
    let _ = writeln!(io::stderr(), "{program}: {}", lines.join("\n"));
}

/// `1 record`, `2 records`.
pub fn counted(count: impl Into<u64>, what: &str) -> String {
    let count = count.into();
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Prints on standard output; a reader that has gone wants none.
///
/// # Errors
///
/// Those of the system, but for a pipe that nobody reads.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = if record.level() == Level::Error { "error" } else { "warning" };
            let _ = writeln!(io::stderr(), "{level}: {}", record.args());
        }
    }

    fn flush(&self) {}
}
