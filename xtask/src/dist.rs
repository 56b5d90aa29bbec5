//! What is installed, as one tree that may be copied anywhere: the programs, the drop-in libdag, its headers, and a file for pkg-config.
//!
//! ```text
//! bin/dagcap ...
//! lib/libdag.so.5        libdag.so        lib/pkgconfig/libdag.pc
//! lib/libdagconf.so.5    libdagconf.so
//! lib/dag-trace/         the flight recorder: a libdag to stand in front of another
//! include/dagapi.h ...
//! share/man/man1/dagcap.1 ...             pages for man, completions for bash, zsh and fish
//! ```

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::shell::{self, About, Result, cargo, finding, output, run};

/// The crates of the drop-in library: what cargo calls its output, and what it is called as a library.
const LIBRARIES: &[(&str, &str, &str)] =
    &[("dag-emu-abi", "libdag_emu_abi.so", "libdag"), ("dag-emu-conf-abi", "libdag_emu_conf_abi.so", "libdagconf")];

/// The crate of the flight recorder, and its output.
const RECORDER: (&str, &str) = ("dag-trace-abi", "libdag_trace_abi.so");

/// Builds everything with optimisation and lays it out in `folder`, or in `target/dist`.
pub(crate) fn chore(folder: Option<&Path>) -> Result {
    let folder = folder.map_or_else(|| shell::target().join("dist"), Path::to_owned);
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--package", "dag-tools"]);
    build.args(["--package", RECORDER.0]);
    run(build.args(LIBRARIES.iter().flat_map(|(package, ..)| ["--package", package])))?;
    let (built, bin) = (shell::target().join("release"), folder.join("bin"));
    fs::create_dir_all(&bin).about(&bin)?;
    for program in programs()? {
        put(&built.join(&program), &bin.join(&program))?;
    }
    lay_out(&built, &folder)?;
    recorder(&built, &folder.join("lib/dag-trace"))?;
    let mut pages = cargo();
    pages.args(["run", "--quiet", "--release", "--locked", "--package", "dag-tools", "--example", "pages", "--"]);
    run(pages.arg(folder.join("share")))?;
    println!("{} is ready to be used where it is, or to be copied", folder.display());
    Ok(())
}

/// Builds the programs and libraries that tests run, in the way they do themselves (`house_tests::run`), so that it is done once.
pub(crate) fn build_for_tests() -> Result {
    run(cargo().args(["build", "--quiet", "--lib", "--bins", "--examples", "--test", "walk"]))
}

/// The drop-in library as it is for tests, in `folder`.
pub(crate) fn libdag_for_tests(folder: &Path) -> Result {
    build_for_tests()?;
    lay_out(&shell::target().join("debug"), folder)
}

/// Library, headers and the file for pkg-config.
fn lay_out(built: &Path, folder: &Path) -> Result {
    let (lib, include) = (folder.join("lib"), folder.join("include"));
    let pkgconfig = lib.join("pkgconfig");
    for folder in [&pkgconfig, &include] {
        fs::create_dir_all(folder).about(folder)?;
    }
    for (_, output, library) in LIBRARIES {
        let (versioned, link) = (format!("{library}.so.5"), lib.join(format!("{library}.so")));
        put(&built.join(output), &lib.join(&versioned))?;
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).about(&link)?;
        }
        symlink(&versioned, &link).about(&link)?;
    }
    let ours = shell::root().join("dag-sys");
    let headers = ours.join("include");
    for header in fs::read_dir(&headers).about(&headers)? {
        let header = header.about(&headers)?;
        put(&header.path(), &include.join(header.file_name()))?;
    }
    let template = ours.join("libdag.pc.in");
    let text = fs::read_to_string(&template).about(&template)?.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    let file = pkgconfig.join("libdag.pc");
    fs::write(&file, text).about(&file)
}

/// The flight recorder, under the names by which it is found; libdagconf only refers to whichever libdag there is.
fn recorder(built: &Path, folder: &Path) -> Result {
    fs::create_dir_all(folder).about(folder)?;
    for (output, library) in [(RECORDER.1, "libdag"), (LIBRARIES[1].1, LIBRARIES[1].2)] {
        let (versioned, link) = (format!("{library}.so.5"), folder.join(format!("{library}.so")));
        put(&built.join(output), &folder.join(&versioned))?;
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).about(&link)?;
        }
        symlink(&versioned, &link).about(&link)?;
    }
    Ok(())
}

/// Names of the programs of dag-tools.
fn programs() -> Result<Vec<PathBuf>> {
    let text = output(cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text).or_else(|error| finding(format!("cargo metadata: {error}")))?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tools = packages.iter().filter(|package| package["name"] == "dag-tools");
    let targets = tools.filter_map(|package| package["targets"].as_array()).flatten();
    let programs = targets.filter(|target| target["kind"][0] == "bin").filter_map(|target| target["name"].as_str());
    Ok(programs.map(PathBuf::from).collect())
}

/// Copies under another name first, so that whoever uses the old file goes on with it.
fn put(from: &Path, to: &Path) -> Result {
    let new = to.with_extension("new");
    fs::copy(from, &new).about(from)?;
    fs::rename(&new, to).about(to)
}
