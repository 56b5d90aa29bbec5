//! What CI runs: steps, each also to be run alone. Most only want a processor and run beside each other, as many at a time as there
//! are processors; the rest has the machine for itself.
//!
//! Of steps that run beside each other each is a process of its own, the output of which is kept and shown when it ends.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::shell::{self, About, Result, finding};
use crate::testing::Counts;
use crate::{bare, bench, bindings, check, clients, fuzz, house, loom, miri, testing};

/// A step of CI, in the order in which they begin: the quick ones, then the long ones such that those in a row that build in the same
/// folder (clippy to clients) meet one that does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Step {
    /// Formatting
    Fmt,
    /// Who may use whom, which crates are used, no unsafe where there is to be none
    House,
    /// The bindings of dag-sys are what bindgen makes of our headers
    Bindings,
    /// erf-core for a target without std
    NoStd,
    /// Undefined behaviour
    Miri,
    /// Lints, all targets, the fuzz targets too
    Clippy,
    /// Documentation without warnings
    Doc,
    /// The workspace for the oldest compiler, `erf` for other systems
    Platforms,
    /// All tests and what they run, built
    Build,
    /// libpcap, built against our headers and libdag
    Clients,
    /// Undefined behaviour, on a big-endian machine
    MiriBigEndian,
    /// Instructions for each record of the hot loops
    Instructions,
    /// Nothing is called and nothing panics on the way from record to record
    Assembly,
    /// Every interleaving of the ring's protocol
    Loom,
    /// The examples outside the workspace, tested and run
    Examples,
    /// Each fuzz target for some seconds
    Fuzz,
    /// The main job of the README in a root with a Rust toolchain and a C linker and nothing else
    Bare,
    /// All tests, none skipped
    Test,
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
            Step::NoStd => check::no_std(),
            Step::Miri => miri::step(counts),
            Step::Clippy => check::clippy(),
            Step::Doc => check::doc(),
            Step::Platforms => check::platforms(),
            Step::Build => testing::build(),
            Step::Clients => clients::chore(),
            Step::MiriBigEndian => miri::big_endian(counts),
            Step::Instructions => bench::instructions(),
            Step::Assembly => bench::assembly(),
            Step::Loom => loom::step(counts),
            Step::Examples => testing::examples(counts),
            Step::Fuzz => fuzz::chore(&[], FUZZ),
            Step::Bare => bare::step(),
            Step::Test => testing::step(counts),
        }
    }

    /// Whether it has the machine for itself: where packets are sent, guests run and stamps are compared, another's load would be seen.
    fn is_alone(self) -> bool {
        matches!(self, Step::Bare | Step::Test)
    }
}

/// How a step went.
struct Done {
    step: Step,
    seconds: u64,
    counts: Counts,
    error: Option<String>,
}

/// Runs `steps`, or all. One that fails does not keep the others from running; all are summed up at the end.
pub(crate) fn chore(steps: &[Step]) -> Result {
    let mut steps = if steps.is_empty() { Step::value_variants().to_vec() } else { steps.to_vec() };
    steps.sort_unstable();
    steps.dedup();
    let begun = Instant::now();
    let mut all = Vec::new();
    for steps in steps.chunk_by(|one, next| !one.is_alone() && !next.is_alone()) {
        match steps {
            [step] => all.push(here(*step)),
            many => all.extend(beside_each_other(many)?),
        }
    }
    all.sort_by_key(|done| done.step);
    println!("\n=== summary {}", "=".repeat(93));
    let mut counts = Counts::default();
    for Done { step, seconds, counts: more, error } in &all {
        counts += *more;
        match error {
            None => println!("{:<15} ok     {seconds:>5} s", step.name()),
            Some(error) => println!("{:<15} FAILED {seconds:>5} s  {error}", step.name()),
        }
    }
    println!("{:<15} {:>12} s", "all", begun.elapsed().as_secs());
    println!("tests: {} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped);
    let failed: Vec<String> = all.iter().filter(|done| done.error.is_some()).map(|done| done.step.name()).collect();
    if failed.is_empty() { Ok(()) } else { finding(format!("failed: {}", failed.join(", "))) }
}

fn heading(step: Step) {
    let name = step.name();
    println!("\n=== {name} {}", "=".repeat(100 - name.len()));
}

impl Done {
    fn show(&self) {
        let (name, seconds) = (self.step.name(), self.seconds);
        match &self.error {
            None => println!("=== {name}: ok, {seconds} s"),
            Some(error) => println!("=== {name}: FAILED, {seconds} s: {error}"),
        }
    }
}

/// Runs a step in this process.
fn here(step: Step) -> Done {
    heading(step);
    let (started, mut counts) = (Instant::now(), Counts::default());
    let error = step.run(&mut counts).err().map(|error| error.to_string());
    let done = Done { step, seconds: started.elapsed().as_secs(), counts, error };
    done.show();
    done
}

/// Runs each of `steps` in a process of its own, as many at a time as there are processors.
fn beside_each_other(steps: &[Step]) -> Result<Vec<Done>> {
    let folder = shell::target().join("xtask");
    fs::create_dir_all(&folder).about(&folder)?;
    let queue = Mutex::new(steps.iter());
    let all = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(step) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                    let started = Instant::now();
                    let file = |what: &str| folder.join(format!("ci-{}-{}.{what}", step.name(), std::process::id()));
                    let (log, report) = (file("log"), file("json"));
                    let (counts, error) = match elsewhere(*step, &log, &report) {
                        Ok((counts, error)) => (counts, error),
                        Err(error) => (Counts::default(), Some(error.to_string())),
                    };
                    let done = Done { step: *step, seconds: started.elapsed().as_secs(), counts, error };
                    if let Ok(mut all) = all.lock() {
                        // Under the lock: what one says stays together.
                        heading(*step);
                        print!("{}", String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()));
                        done.show();
                        all.push(done);
                    }
                    for file in [log, report] {
                        // Where it could not even begin, they are not there.
                        let _ = fs::remove_file(file);
                    }
                }
            });
        }
    });
    let all = all.into_inner().unwrap_or_default();
    // A thread that panicked has lost its step.
    if all.len() == steps.len() { Ok(all) } else { finding("not every step was run to its end") }
}

/// Runs a step in a process of its own, all output of which goes to `log`; says what it has counted, and what went wrong in it.
fn elsewhere(step: Step, log: &Path, report: &Path) -> Result<(Counts, Option<String>)> {
    let output = fs::File::create(log).about(log)?;
    let errors = output.try_clone().about(log)?;
    let this = std::env::current_exe().about(Path::new("xtask"))?;
    let mut command = Command::new(this);
    command.args(["ci", "--step", &step.name(), "--report"]).arg(report).stdout(output).stderr(errors);
    let status = command.status().map_err(|cause| shell::start_error(&command, cause))?;
    let text = fs::read(report).unwrap_or_default();
    let Ok(said) = serde_json::from_slice::<Value>(&text) else {
        return finding(format!("it ended without a word ({status})"));
    };
    let count = |key: &str| said[key].as_u64().unwrap_or(0);
    let counts = Counts { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
    Ok((counts, said["error"].as_str().map(str::to_owned)))
}

/// The process of one step of those that run beside each other: says in the file `report` how it went.
pub(crate) fn reported(step: Step, report: &Path) -> Result {
    let mut counts = Counts::default();
    let error = step.run(&mut counts).err().map(|error| error.to_string());
    let Counts { passed, failed, skipped } = counts;
    let said = json!({ "passed": passed, "failed": failed, "skipped": skipped, "error": error });
    fs::write(report, said.to_string()).about(report)
}
