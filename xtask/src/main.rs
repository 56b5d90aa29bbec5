//! The chores of the project, run as `cargo xtask CHORE`: the tests, what CI runs, and the long forms.
//!
//! Plain `cargo xtask test` needs a Rust toolchain and a C linker. What a step of CI needs beyond them stands at its module.

#![forbid(unsafe_code)]

mod bare;
mod bench;
mod bindings;
mod check;
mod ci;
mod clients;
mod dist;
mod fuzz;
mod house;
mod long;
mod loom;
mod miri;
mod shell;
mod testing;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The chores of the project")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run the tests, doctests included, and list at the end what was skipped
    Test {
        /// Arguments for `cargo test`, such as `-p erf` or a part of a test's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        arguments: Vec<String>,
    },
    /// Run what CI runs, or single steps of it
    Ci {
        /// Only this step; may be given several times
        #[arg(long = "step", value_name = "STEP")]
        steps: Vec<ci::Step>,
        /// Run the one step as one of several: how it went is said in this file
        #[arg(long, hide = true, value_name = "FILE")]
        report: Option<std::path::PathBuf>,
    },
    /// Make the bindings of dag-sys anew from our headers; needs libclang
    Bindings {
        /// Only look whether they would change
        #[arg(long)]
        check: bool,
    },
    /// Build libpcap from its Debian source package, against our headers and libdag
    Clients,
    /// Build everything and lay it out as it is installed: programs, drop-in libdag, headers, pkg-config
    Dist {
        /// Where; `target/dist` if not given
        folder: Option<std::path::PathBuf>,
    },
    /// Fuzz all targets or some
    Fuzz {
        /// Targets; all where none is named
        targets: Vec<String>,
        /// How long each target runs
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u64,
        /// Run the target once on this file, for instance on one that made it fail
        #[arg(long, value_name = "FILE", conflicts_with = "seconds")]
        replay: Option<std::path::PathBuf>,
        /// Write the seeds anew
        #[arg(long, exclusive = true)]
        seeds: bool,
    },
    /// Measure the programs beside others and the machine's limit, and write docs/bench.md
    Bench(bench::Args),
    /// Run the long forms: ten minutes of fuzzing for each target, hundreds of kills, an hour of recording
    Long {
        /// Only this part; may be given several times
        #[arg(long = "part", value_name = "PART")]
        parts: Vec<long::Part>,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse().chore {
        Chore::Test { arguments } => testing::chore(&arguments),
        Chore::Ci { steps, report: Some(report) } if steps.len() == 1 => ci::reported(steps[0], &report),
        Chore::Ci { steps, .. } => ci::chore(&steps),
        Chore::Bindings { check } => bindings::chore(check),
        Chore::Clients => clients::chore(),
        Chore::Dist { folder } => dist::chore(folder.as_deref()),
        Chore::Fuzz { seeds: true, .. } => fuzz::write_seeds(),
        Chore::Fuzz { targets, replay: Some(file), .. } => fuzz::replay(&targets, &file),
        Chore::Fuzz { targets, seconds, .. } => fuzz::chore(&targets, Duration::from_secs(seconds)),
        Chore::Bench(args) => bench::chore(&args),
        Chore::Long { parts } => long::chore(&parts),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
