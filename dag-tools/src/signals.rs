//! Ctrl-C and its kin: the first one asks for a stop, a later one stops at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;

/// What comes this soon after the first one is the same wish: `timeout` sends its signal to the program and then to its group, which the
/// program is in.
const SAME_WISH: Duration = Duration::from_millis(500);

/// SIGHUP raises `asked` each time, beside what it does already.
///
/// # Errors
///
/// When the system refuses a handler.
pub fn ask_on_hangup(asked: &Arc<AtomicBool>) -> io::Result<()> {
    flag::register(SIGHUP, Arc::clone(asked)).map(drop)
}

/// As [`stop_on_signals`], but SIGHUP stops nothing.
///
/// # Errors
///
/// When the system refuses a handler.
pub fn stop_on_signals_but_hangup(stop: &Arc<AtomicBool>) -> io::Result<()> {
    stop_on(stop, &[SIGINT, SIGTERM])
}

/// Raises `stop` at the first SIGINT, SIGTERM or SIGHUP; one that comes half a second later or more does what it does by default, which is
/// the end.
///
/// # Errors
///
/// When the system refuses a handler.
pub fn stop_on_signals(stop: &Arc<AtomicBool>) -> io::Result<()> {
    stop_on(stop, &[SIGINT, SIGTERM, SIGHUP])
}

fn stop_on(stop: &Arc<AtomicBool>, signals: &[i32]) -> io::Result<()> {
    let ends = Arc::new(AtomicBool::new(false));
    for &signal in signals {
        flag::register_conditional_default(signal, Arc::clone(&ends))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    let mut first = Signals::new(signals)?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if first.forever().next().is_some() {
            thread::sleep(SAME_WISH);
            ends.store(true, Ordering::Relaxed);
        }
    })?;
    // A file at its size limit is to fail with an error, like a full disk, and not to end the program.
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}
