//! Fuzzing with libFuzzer, built by nightly directly: CI needs no cargo-fuzz for it. Needs a C++ compiler.
//!
//! `fuzz/seeds/TARGET` is in the repository: a few inputs made by code, and those that once made a target fail. What a run finds goes to
//! `target/fuzz/corpus/TARGET`, and what makes a target fail to `target/fuzz/artifacts/TARGET`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::shell::{self, About, Result, finding, nightly, output, run};

/// Coverage that libFuzzer follows, comparisons it learns from, and an end of the process at the first bad access.
const INSTRUMENTED: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    -Zsanitizer=address";

/// Longest input in bytes: some records, or a small file.
const LONGEST: usize = 16 * 1024;

/// One input that takes longer, or more memory, is a failure.
///
/// That is memory in use: a request for more than there can be is refused, as it is outside of fuzzing, and a decoder that asks for
/// what a file claims has to bear it (the index of an xz file does: `lzma-rust2` reserves what it says).
const LIMITS: [&str; 3] = ["-timeout=20", "-rss_limit_mb=2048", "-malloc_limit_mb=1048576"];
const REFUSED: (&str, &str) = ("ASAN_OPTIONS", "allocator_may_return_null=1");

/// Fuzzes `targets`, or all, each for `time`, as many at a time as there are processors.
pub(crate) fn chore(targets: &[String], time: Duration) -> Result {
    let targets = chosen(targets)?;
    let programs = build()?;
    let begun = Instant::now();
    let queue = Mutex::new(targets.iter());
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(target) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                    let done = one(&programs, target, time);
                    match done {
                        Ok(line) => println!("{target:<14} {line}"),
                        Err(error) => {
                            println!("{target:<14} FAILED: {error}");
                            if let Ok(mut failed) = failed.lock() {
                                failed.push(target.as_str());
                            }
                        }
                    }
                }
            });
        }
    });
    println!("{} targets in {} s", targets.len(), begun.elapsed().as_secs());
    let failed = failed.into_inner().unwrap_or_default();
    if failed.is_empty() { Ok(()) } else { finding(format!("fuzz targets failed: {}", failed.join(", "))) }
}

/// Runs one target on one file, with everything it prints.
pub(crate) fn replay(targets: &[String], file: &Path) -> Result {
    let [target] = targets else { return finding("name the one target to replay the file with") };
    let file = std::path::absolute(file).about(file)?;
    chosen(targets)?;
    run(shell::program(build()?.join(target)).env(REFUSED.0, REFUSED.1).arg(file))
}

/// Makes the seeds by code, those that failures left aside.
pub(crate) fn write_seeds() -> Result {
    run(shell::program(build()?.join("seeds")).arg(shell::root().join("fuzz/seeds")))
}

/// The targets named, or all there are.
fn chosen(names: &[String]) -> Result<Vec<String>> {
    let folder = shell::root().join("fuzz/fuzz_targets");
    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).about(&folder)? {
        let path = entry.about(&folder)?.path();
        all.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    all.sort();
    match names.iter().find(|name| !all.contains(name)) {
        Some(unknown) => finding(format!("no fuzz target `{unknown}`; there are {}", all.join(", "))),
        None if names.is_empty() => Ok(all),
        None => Ok(names.to_vec()),
    }
}

/// Builds the targets and returns the folder they are in.
fn build() -> Result<PathBuf> {
    let version = output(shell::program("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("x86_64-unknown-linux-gnu");
    let target = shell::target().join("fuzz");
    let mut build = nightly();
    // With a target named, build scripts and macros stay as they are.
    build.args(["build", "--release", "--bins", "--manifest-path", "fuzz/Cargo.toml", "--target", host]);
    run(build.env("RUSTFLAGS", INSTRUMENTED).env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join(host).join("release"))
}

/// Fuzzes one target; returns what to say about it.
fn one(programs: &Path, target: &str, time: Duration) -> Result<String> {
    let base = shell::target().join("fuzz");
    let (corpus, artifacts) = (base.join("corpus").join(target), base.join("artifacts").join(target));
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).about(folder)?;
    }
    let log = base.join(format!("{target}.log"));
    let file = fs::File::create(&log).about(&log)?;
    let mut command = Command::new(programs.join(target));
    // Before the corpus there is nothing to learn from.
    let seeds = shell::root().join("fuzz/seeds").join(target);
    command.env(REFUSED.0, REFUSED.1);
    command.arg(&corpus).args(seeds.is_dir().then_some(&seeds)).args(LIMITS);
    command.arg(format!("-max_len={LONGEST}")).arg(format!("-max_total_time={}", time.as_secs()));
    command.arg(format!("-artifact_prefix={}/", artifacts.display())).arg("-print_final_stats=1");
    command.current_dir(&base).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    let status = command.status().map_err(|cause| shell::start_error(&command, cause))?;
    let text = fs::read(&log).about(&log)?;
    let text = String::from_utf8_lossy(&text);
    if !status.success() {
        let input = text.lines().rev().find_map(|line| line.split_once("Test unit written to "));
        let panic = text.split_once("panicked at ").map_or("", |(_, panic)| panic);
        let panic: Vec<&str> = panic.lines().take(4).collect();
        return match input {
            Some((_, input)) => finding(format!(
                "{}\n    again: cargo xtask fuzz {target} --replay {input}\n    log: {}",
                panic.join("\n    "),
                log.display()
            )),
            None => finding(format!("{status}; see {}", log.display())),
        };
    }
    let number = |key: &str| {
        let (_, value) = text.rsplit_once(key)?;
        value.split_whitespace().next()?.parse::<u64>().ok()
    };
    match (number("stat::number_of_executed_units:"), number("cov:")) {
        (Some(runs @ 1..), Some(edges)) => Ok(format!("{runs:>12} runs, {edges:>6} edges reached, no failure")),
        _ => finding(format!("it ran, but says nothing of it; see {}", log.display())),
    }
}
