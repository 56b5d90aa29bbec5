//! The steps in which the compiler and its companions judge the source.

use std::path::Path;

use crate::shell::{self, NIGHTLY, Result, cargo, finding, nightly, output, run};

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

/// Clippy on every target of every package. Needs a C++ compiler for libFuzzer.
pub(crate) fn clippy() -> Result {
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
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
