//! The ways to a card, and the same checks on the other one.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

use house_tests::library::libdag;
use house_tests::run::{Running, dagemu, run, serve};

/// Set where cards are reached otherwise: `libdag` or `served`.
const ROUTE: &str = "DAG_TEST_ROUTE";

/// The parts that know of a card only what any driver tells.
const PARTS: [&str; 8] = [
    "lending::",
    "loss::",
    "ownership::",
    "polling::",
    "records::",
    "replay::",
    "transmit::",
    "steering::streams_are_read_from_threads_of_their_own",
];

/// What a card of this description is called: `emu:SPEC`; through libdag, the next card of the file that describes them; or the next
/// that is served.
pub(super) fn name_of(spec: &str) -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let Ok(route) = env::var(ROUTE) else { return format!("emu:{spec}") };
    let name = format!("dag{}", NEXT.fetch_add(1, Ordering::Relaxed));
    if route == "served" {
        static SERVED: Mutex<Vec<Running>> = Mutex::new(Vec::new());
        let folder = PathBuf::from(env::var_os("DAG_EMU_DIR").expect("set with the route"));
        let card = serve(&folder, &name, spec, &["--quiet"]);
        SERVED.lock().unwrap_or_else(PoisonError::into_inner).push(card);
        return format!("emu:{name}");
    }
    // One write: tests run side by side.
    let mut file = OpenOptions::new().append(true).open(env::var_os("DAG_EMU_CONFIG").expect("set with it")).unwrap();
    file.write_all(format!("{name}={spec}\n").as_bytes()).unwrap();
    name
}

/// This program once more, on another route.
fn again(route: &str) -> Option<Command> {
    if env::var_os(ROUTE).is_some() {
        return None;
    }
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(PARTS).env(ROUTE, route);
    Some(again)
}

#[track_caller]
fn passes(mut again: Command) {
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    // Most of this program's tests have run again.
    let passed = said.lines().find_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse().ok());
    assert!(passed.unwrap_or(0) >= 30, "{said}");
}

#[test]
fn the_same_holds_through_libdag() {
    let Some(mut again) = again("libdag") else { return };
    let config = tempfile::NamedTempFile::new().unwrap();
    again.env("DAG_EMU_CONFIG", config.path()).env("DAG_LIBRARY", libdag().lib().join("libdag.so.5"));
    passes(again);
}

#[test]
fn the_same_holds_of_a_card_of_another_process() {
    let Some(mut again) = again("served") else { return };
    let folder = tempfile::tempdir().unwrap();
    again.env("DAG_EMU_DIR", folder.path());
    let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| passes(again)));
    // Who was started there does not end by itself.
    let cards: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for card in cards {
        run(dagemu(folder.path()).arg("stop").arg(card)).exits(0);
    }
    if let Err(panic) = passed {
        std::panic::resume_unwind(panic);
    }
}
