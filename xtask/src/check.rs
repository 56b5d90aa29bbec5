//! The steps in which the compiler and its companions judge the source.

use std::path::Path;

use crate::shell::{self, About, NIGHTLY, Result, cargo, finding, nightly, output, run};

/// The fuzz targets' package, which is outside the workspace.
const FUZZ: &str = "fuzz/Cargo.toml";

/// A machine without an operating system.
const NO_STD: &str = "thumbv7em-none-eabi";

/// Formatting of the workspace, of the fuzz targets and of the examples.
pub(crate) fn fmt() -> Result {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    for package in [FUZZ, "examples/unit-test/Cargo.toml", "examples/capture/Cargo.toml"] {
        run(cargo().args(["fmt", "--check", "--manifest-path", package]))?;
    }
    Ok(())
}

/// Where `erf` and `erf-core` build besides Linux (architecture, section 1).
const OTHERS: &[&str] = &["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

/// The workspace for the oldest compiler it promises to build with, and `erf` for other systems.
pub(crate) fn platforms() -> Result {
    for target in OTHERS {
        run(cargo().args(["check", "-p", "erf", "--locked", "--target", target]))?;
    }
    let oldest = oldest()?;
    let has = output(shell::program("rustup").args(["toolchain", "list"]))?;
    if !has.lines().any(|line| line.starts_with(&oldest)) {
        // Clippy, which knows the promise too, looks at what of the standard library is used.
        println!(
            "Rust {oldest} is not installed and was not to be had; `rustup toolchain install {oldest}` makes this check whole"
        );
        return Ok(());
    }
    let mut check = shell::program("cargo");
    check.arg(format!("+{oldest}")).args(["check", "--workspace", "--locked"]).current_dir(shell::root());
    run(check.env("CARGO_TARGET_DIR", shell::target().join("oldest")))
}

/// `rust-version` of the workspace.
fn oldest() -> Result<String> {
    let path = shell::root().join("Cargo.toml");
    let text = std::fs::read_to_string(&path).about(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("rust-version = \""));
    match line.and_then(|rest| rest.split('"').next()) {
        Some(version) => Ok(version.to_owned()),
        None => finding("Cargo.toml has no rust-version"),
    }
}

/// Clippy on every target of every package. Needs a C++ compiler for libFuzzer.
pub(crate) fn clippy() -> Result {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // Needs a C compiler.
    run(cargo().args(["clippy", "-p", "erf", "--features", "zstd", "--all-targets", "--", "-D", "warnings"]))?;
    let mut fuzz = cargo();
    fuzz.args(["clippy", "--manifest-path", FUZZ, "--all-targets"])
        .env("CARGO_TARGET_DIR", shell::target().join("fuzz"));
    run(fuzz.args(["--", "-D", "warnings"]))
}

/// The documentation, in which every public item says what it is and every link leads somewhere.
pub(crate) fn doc() -> Result {
    run(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// `erf-core` without `std`, for a target that has none. Where the target is not installed, nightly builds `core` from
/// its source.
pub(crate) fn no_std() -> Result {
    let check = ["check", "-p", "erf-core", "--no-default-features", "--target", NO_STD];
    let folder = output(shell::program("rustc").args(["--print", "target-libdir", "--target", NO_STD]))?;
    if Path::new(folder.trim()).is_dir() {
        return run(cargo().args(check));
    }
    let sysroot = output(shell::program("rustc").arg(format!("+{NIGHTLY}")).args(["--print", "sysroot"]))?;
    if !Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir() {
        return finding(format!(
            "neither {NO_STD} nor the source of `core` is installed; use `rustup target add {NO_STD}` or \
             `rustup component add --toolchain {NIGHTLY} rust-src`"
        ));
    }
    run(nightly().args(check).arg("-Zbuild-std=core"))
}
