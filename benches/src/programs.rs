//! Programs and libraries of the workspace, built for a benchmark.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of what cargo builds for this run, with our libdag and `dagemu` in it.
///
/// # Errors
///
/// When they cannot be built.
pub fn built() -> Result<PathBuf, Box<dyn Error>> {
    // TARGET/release/deps/BENCH-HASH
    let this = std::env::current_exe()?;
    let profile = this.parent().and_then(Path::parent).ok_or("no profile's folder")?.to_owned();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--lib", "--bin", "dagemu"]);
    for package in ["dag-tools", "dag-emu-abi", "dag-emu-conf-abi"] {
        cargo.args(["--package", package]);
    }
    cargo.env("CARGO_TARGET_DIR", profile.parent().ok_or("no target folder")?);
    succeeds(&mut cargo)?;
    Ok(profile)
}

/// Compiles `benches/c/NAME.c` against our headers, into `folder`.
///
/// # Errors
///
/// When there is no compiler, or it does not take it.
pub fn compiled(name: &str, library: &Path, folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join(name);
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-I"]).arg(here.join("../dag-sys/include"));
    cc.arg(here.join(format!("c/{name}.c"))).arg("-o").arg(&program).arg(library);
    succeeds(&mut cc)?;
    Ok(program)
}

fn succeeds(command: &mut Command) -> Result<(), Box<dyn Error>> {
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(format!("{command:?}: {status}").into()),
    }
}
