//! How a test says that it cannot run here: aloud, into a list that is shown at the end of a run, and never in CI.
//!
//! ```no_run
//! # fn a_test() {
//! if !house_skip::need_program("tshark") {
//!     return;
//! }
//! # }
//! ```

#![forbid(unsafe_code)]

use std::env;
use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Names the file to which every skip is appended, one line each.
pub const LIST: &str = "DAG_SKIP_FILE";

/// Names the folder of sample files, where they do not lie beside the project.
pub const SAMPLES: &str = "DAG_SAMPLES";

/// Says `skipped: TEST: REASON` on standard error, past the capture of the test harness, and puts `TEST: REASON` into the file
/// that [`DAG_SKIP_FILE`](LIST) names. The test is to return then.
///
/// # Panics
///
/// Where `CI` is `true`: everything is there, or it is to be put there.
pub fn skip(reason: impl Display) {
    let line = format!("{}: {reason}", test_name());
    assert!(env::var("CI").as_deref() != Ok("true"), "must not be skipped in CI: {line}");
    // If nobody listens on standard error there is nobody to tell.
    let _ = io::stderr().write_all(format!("skipped: {line}\n").as_bytes());
    let Some(list) = env::var_os(LIST) else { return };
    // One write: tests run side by side, and so do test programs.
    let appended = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&list)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = appended {
        panic!("{LIST} names {}, which cannot be written: {error}", Path::new(&list).display());
    }
}

/// Whether `program` is in `PATH`; if not, the test is [skipped](skip).
#[must_use = "a test that cannot run is to return"]
pub fn need_program(program: &str) -> bool {
    let there = find_program(program).is_some();
    if !there {
        skip(format_args!("needs the program `{program}`"));
    }
    there
}

/// Whether this is root, as who one makes network namespaces and mounts; if not, the test is [skipped](skip).
#[must_use = "a test that cannot run is to return"]
pub fn need_root() -> bool {
    let root = is_root();
    if !root {
        skip("needs root");
    }
    root
}

/// The folder of sample files: what [`DAG_SAMPLES`](SAMPLES) names, else `../shared/samples` beside the project. Where there is none,
/// the test is [skipped](skip).
#[must_use = "a test that cannot run is to return"]
pub fn samples_dir() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples");
    let folder = env::var_os(SAMPLES).map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    skip(format_args!("no samples in {}; {SAMPLES} names their folder", folder.display()));
    None
}

/// The sample file `name`. Where it is missing, the test is [skipped](skip).
#[must_use = "a test that cannot run is to return"]
pub fn sample(name: &str) -> Option<PathBuf> {
    let path = samples_dir()?.join(name);
    if path.is_file() {
        return Some(path);
    }
    skip(format_args!("no sample {}", path.display()));
    None
}

/// Where `program` is in `PATH`.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

/// Whether the effective user is root. `false` where that cannot be told.
pub fn is_root() -> bool {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return false };
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    ids.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file() || file.with_extension("exe").is_file()
}

/// The program's name and the test's: the harness names threads after tests.
fn test_name() -> String {
    let program = env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    // Cargo puts a hash behind the name.
    let program = program.map(|name| match name.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => name.to_owned(),
        _ => name,
    });
    let thread = std::thread::current();
    match (program, thread.name()) {
        (Some(program), Some(test)) if test != "main" => format!("{program}::{test}"),
        (Some(program), _) => program,
        (None, test) => test.unwrap_or("a test").to_owned(),
    }
}
