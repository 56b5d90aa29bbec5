//! `cargo test`, counted, with everything that was skipped listed at the end.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use crate::dist;
use crate::shell::{self, About, Error, Result, finding};

/// What became of tests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

/// The tests that a plain `cargo test` runs, or those that `arguments` choose.
pub(crate) fn chore(arguments: &[String]) -> Result {
    let mut counts = Counts::default();
    let done = with_skips(shell::cargo().arg("test").args(arguments), &mut counts);
    println!("tests: {} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    done
}

/// Builds all tests and what they run. Those that let the compiler judge crates run now too: what they build first is long, and
/// there when they run with the others.
pub(crate) fn build() -> Result {
    shell::run(shell::cargo().args(["test", "--no-run"]))?;
    dist::build_for_tests()?;
    for tests in [&["--test", "compile_fail"][..], &["--test", "libdag", "features::"]] {
        shell::run(shell::cargo().args(["test", "--quiet"]).args(tests))?;
    }
    Ok(())
}

/// The step of CI: all tests of the workspace.
pub(crate) fn step(counts: &mut Counts) -> Result {
    // What compresses by a library in C, by itself: the others are to be tested as they are usually built.
    let packed = with_skips(
        shell::cargo().args(["test", "-p", "erf", "--lib", "--features", "zstd", "--", "compress", "input"]),
        counts,
    );
    with_skips(shell::cargo().args(["test", "--no-fail-fast"]), counts).and(packed)
}

/// The examples that stand outside the workspace: the tests of one, and the other on both ways to a card. The one in C is built and
/// run by a test of the workspace.
pub(crate) fn examples(counts: &mut Counts) -> Result {
    let example = |what: &str, name: &str| {
        let mut cargo = shell::cargo();
        cargo.args([what, "--manifest-path"]).arg(shell::root().join("examples").join(name).join("Cargo.toml"));
        cargo.env("CARGO_TARGET_DIR", shell::target().join("examples"));
        cargo
    };
    counted(&mut example("test", "unit-test"), counts)?;
    capture(example("run", "capture").args(["--", "emu:synthetic,rate=1000pps", "100"]))?;
    let folder = shell::target().join("examples/dag");
    dist::libdag_for_tests(&folder)?;
    let mut through_libdag = example("run", "capture");
    through_libdag.env("DAG_LIBRARY", folder.join("lib/libdag.so.5"));
    capture(through_libdag.env("DAG_EMU_CARDS", "dag0=synthetic,rate=1000pps").args(["--", "dag0", "100"]))
}

/// Runs the example that captures: a line for each of a hundred packets.
fn capture(command: &mut Command) -> Result {
    eprintln!("$ {}", shell::shown(command));
    let said = shell::output(command)?;
    match said.lines().filter(|line| line.contains(" port ") && line.ends_with(" bytes")).count() {
        100 => Ok(()),
        lines => finding(format!("the example shows {lines} packets instead of 100")),
    }
}

/// Runs tests, and shows at the end which of them were skipped. In CI none may be.
fn with_skips(command: &mut Command, counts: &mut Counts) -> Result {
    let folder = shell::target().join("xtask");
    fs::create_dir_all(&folder).about(&folder)?;
    let list = folder.join(format!("skipped-{}", std::process::id()));
    fs::write(&list, "").about(&list)?;
    let done = counted(command.env("DAG_SKIP_FILE", &list), counts);
    let text = fs::read_to_string(&list).about(&list)?;
    fs::remove_file(&list).about(&list)?;
    let mut skips: Vec<&str> = text.lines().collect();
    skips.sort_unstable();
    skips.dedup();
    match skips.as_slice() {
        [] => println!("\nNo test was skipped."),
        [one] => println!("\n1 test skipped:\n  {one}"),
        many => println!("\n{} tests skipped:\n  {}", many.len(), many.join("\n  ")),
    }
    // One that was skipped has returned, and `cargo test` takes it for passed.
    let skipped = skips.len() as u64;
    counts.skipped += skipped;
    counts.passed = counts.passed.saturating_sub(skipped);
    done?;
    if shell::is_ci() && skipped > 0 { finding("in CI no test may be skipped") } else { Ok(()) }
}

/// Runs tests and adds up the results that they print. That no test ran at all is an error.
pub(crate) fn counted(command: &mut Command, counts: &mut Counts) -> Result {
    eprintln!("$ {}", shell::shown(command));
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|cause| shell::start_error(command, cause))?;
    let mut found = Counts::default();
    if let Some(output) = child.stdout.take() {
        // Bytes, not lines of UTF-8: what a test prints is its own affair.
        for line in BufReader::new(output).split(b'\n').map_while(std::io::Result::ok) {
            let _ = std::io::stdout().write_all(&[&line[..], b"\n"].concat());
            found += result_line(&String::from_utf8_lossy(&line)).unwrap_or_default();
        }
    }
    let status = child.wait().map_err(|cause| shell::start_error(command, cause))?;
    *counts += found;
    if !status.success() {
        return Err(Error::Failed { command: shell::shown(command), status });
    }
    if found.passed == 0 { finding(format!("`{}` ran no test", shell::shown(command))) } else { Ok(()) }
}

/// What a line such as `test result: ok. 16 passed; 0 failed; 0 ignored; ...` says.
fn result_line(line: &str) -> Option<Counts> {
    let (_, results) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |what: &str| {
        let entry = results.split("; ").find_map(|entry| entry.strip_suffix(what))?;
        entry.trim().parse().ok()
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")?, skipped: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_the_test_harness_are_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.73s";
        let counts = result_line(line).unwrap();
        assert_eq!((counts.passed, counts.failed), (12, 3));
        assert!(result_line("test walk::result: ok").is_none());
    }
}
