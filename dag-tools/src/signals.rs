//! Ctrl-C and its kin: the first one asks for a stop, the second one stops at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// As [`stop_on_signals`], but SIGHUP raises `asked` each time, and stops nothing.
///
/// # Errors
///
/// When the system refuses a handler.
pub fn stop_on_signals_and_ask(stop: &Arc<AtomicBool>, asked: &Arc<AtomicBool>) -> io::Result<()> {
    flag::register(SIGHUP, Arc::clone(asked))?;
    stop_on(stop, &[SIGINT, SIGTERM])
}

/// Raises `stop` at the first SIGINT, SIGTERM or SIGHUP; the second one does what it does by default, which is the end.
///
/// # Errors
///
/// When the system refuses a handler.
pub fn stop_on_signals(stop: &Arc<AtomicBool>) -> io::Result<()> {
    stop_on(stop, &[SIGINT, SIGTERM, SIGHUP])
}

fn stop_on(stop: &Arc<AtomicBool>, signals: &[i32]) -> io::Result<()> {
    for &signal in signals {
        // In this order: the first signal finds the flag down.
        flag::register_conditional_default(signal, Arc::clone(stop))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    // A file at its size limit is to fail with an error, like a full disk, and not to end the program.
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}
