//! The ways to a card, and the same checks on the other one.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use house_tests::library::libdag;

/// Set where cards are reached through libdag.
const ROUTE: &str = "DAG_TEST_ROUTE";

/// The parts that know of a card only what any driver tells.
const PARTS: [&str; 7] = [
    "lending::",
    "loss::",
    "ownership::",
    "polling::",
    "records::",
    "replay::",
    "steering::streams_are_read_from_threads_of_their_own",
];

/// What a card of this description is called: `emu:SPEC`, or, through libdag, the next card of the file that describes them.
pub(super) fn name_of(spec: &str) -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    if env::var_os(ROUTE).is_none() {
        return format!("emu:{spec}");
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let config = env::var_os("DAG_EMU_CONFIG").expect("set with the route");
    let line = format!("dag{number}={spec}\n");
    // One write: tests run side by side.
    let mut file = OpenOptions::new().append(true).open(config).unwrap();
    file.write_all(line.as_bytes()).unwrap();
    format!("dag{number}")
}

#[test]
fn the_same_holds_through_libdag() {
    if env::var_os(ROUTE).is_some() {
        return;
    }
    let library = libdag();
    let config = tempfile::NamedTempFile::new().unwrap();
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(PARTS).env(ROUTE, "libdag").env("DAG_EMU_CONFIG", config.path());
    again.env("DAG_LIBRARY", library.lib().join("libdag.so.5"));
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // Most of this program's tests have run again.
    let passed = said.lines().find_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse().ok());
    assert!(passed.unwrap_or(0) >= 30, "{said}");
}
