//! What CI runs: steps in a row, each also to be run alone.

use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::shell::{Result, finding};
use crate::testing::Counts;
use crate::{bare, bindings, check, clients, fuzz, house, loom, miri, testing};

/// A step of CI. The quick ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Formatting
    Fmt,
    /// Who may use whom, which crates are used, no unsafe where there is to be none
    House,
    /// The bindings of dag-sys are what bindgen makes of our headers
    Bindings,
    /// Lints, all targets, the fuzz targets too
    Clippy,
    /// Documentation without warnings
    Doc,
    /// erf-core for a target without std
    NoStd,
    /// The workspace for the oldest compiler, `erf` for other systems
    Platforms,
    /// libpcap, built against our headers and libdag
    Clients,
    /// All tests, none skipped
    Test,
    /// The examples outside the workspace, tested and run
    Examples,
    /// Undefined behaviour, on a big-endian machine too
    Miri,
    /// Every interleaving of the ring's protocol
    Loom,
    /// Each fuzz target for some seconds
    Fuzz,
    /// The main job of the README in a root with a Rust toolchain and a C linker and nothing else
    Bare,
}

/// How long each fuzz target runs.
const FUZZ: Duration = Duration::from_secs(10);

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn run(self, counts: &mut Counts) -> Result {
        match self {
            Step::Fmt => check::fmt(),
            Step::House => house::step(),
            Step::Bindings => bindings::chore(true),
            Step::Clippy => check::clippy(),
            Step::Doc => check::doc(),
            Step::NoStd => check::no_std(),
            Step::Platforms => check::platforms(),
            Step::Clients => clients::chore(),
            Step::Test => testing::step(counts),
            Step::Examples => testing::examples(counts),
            Step::Miri => miri::step(counts),
            Step::Loom => loom::step(counts),
            Step::Fuzz => fuzz::chore(&[], FUZZ),
            Step::Bare => bare::step(),
        }
    }
}

/// Runs `steps`, or all. One that fails does not keep the others from running; all are summed up at the end.
pub(crate) fn chore(steps: &[Step]) -> Result {
    let steps = if steps.is_empty() { Step::value_variants() } else { steps };
    let mut counts = Counts::default();
    let mut summary = Vec::new();
    let begun = Instant::now();
    for step in steps {
        let name = step.name();
        println!("\n=== {name} {}", "=".repeat(100 - name.len()));
        let started = Instant::now();
        let done = step.run(&mut counts);
        let took = started.elapsed().as_secs();
        match &done {
            Ok(()) => println!("=== {name}: ok, {took} s"),
            Err(error) => println!("=== {name}: FAILED, {took} s: {error}"),
        }
        summary.push((name, took, done));
    }
    println!("\n=== summary {}", "=".repeat(93));
    for (name, took, done) in &summary {
        match done {
            Ok(()) => println!("{name:<8} ok     {took:>5} s"),
            Err(error) => println!("{name:<8} FAILED {took:>5} s  {error}"),
        }
    }
    println!("{:<8} {:>12} s", "all", begun.elapsed().as_secs());
    println!("tests: {} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    let failed: Vec<&str> =
        summary.iter().filter(|(_, _, done)| done.is_err()).map(|(name, ..)| name.as_str()).collect();
    if failed.is_empty() { Ok(()) } else { finding(format!("failed: {}", failed.join(", "))) }
}
