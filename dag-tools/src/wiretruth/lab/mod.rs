//! `wiretruth lab`: the paper's experiment on this machine.

mod explain;
mod feedback;
mod fetch_guest;
mod inside;
mod report;
mod run;

use std::path::PathBuf;

use clap::Subcommand;
use wire_truth::lab;

use super::{Failure, print};
use crate::exit::Exit;

/// The commands of `wiretruth lab`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the experiment: every environment under every stress, in namespaces that are gone afterwards. As root, or where users may have namespaces.
    Run(run::Args),
    /// Why there is delay: measures a cell, and again with one named cause after another taken away.
    Explain(explain::Args),
    /// Put feedback to the test: stress comes and goes at random, thresholds are learned from the first runs, and what `tping --feedback` says in the
    /// last one while it runs is held against the wire.
    Feedback(feedback::Args),
    /// Make the page, the tables and the claims of a run again from its folder, anywhere and without privileges; or compare two runs.
    Report(report::Args),
    /// What this machine can do, and what is missing; with --guest, for guests, too.
    Check {
        /// Guests are wanted: what they need has to be there as well. Their files are looked for in DIR, else in ~/.cache/dag-guest.
        #[arg(long, value_name = "DIR", num_args = 0..=1)]
        guest: Option<Option<PathBuf>>,
    },
    /// Fetch what guests boot from: the distribution's kernel for virtual machines, and busybox. Nothing is installed.
    FetchGuest(fetch_guest::Args),
    /// Remove what runs that were killed have left: half-measured cells of a folder, and cgroups.
    Clean {
        /// The run's folder.
        #[arg(value_name = "DIR", default_value = "wiretruth-lab")]
        folder: PathBuf,
    },
    /// The first process of a guest.
    #[command(hide = true)]
    GuestAgent,
    #[command(hide = true)]
    Cell(inside::CellArgs),
    #[command(hide = true)]
    Guardian(inside::GuardianArgs),
    #[command(hide = true)]
    Stress(inside::StressArgs),
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Feedback(args) => feedback::run(args),
        Command::Report(args) => report::run(args),
        Command::Check { guest } => check(guest.as_ref()),
        Command::FetchGuest(args) => fetch_guest::run(args),
        Command::GuestAgent => {
            lab::guest::agent()?;
            Ok(Exit::Done)
        }
        Command::Clean { folder } => {
            let removed = lab::clean(folder)?;
            print(&removed.iter().map(|path| format!("removed {}\n", path.display())).collect::<String>())?;
            Ok(Exit::Done)
        }
        Command::Cell(args) => inside::cell(args),
        Command::Guardian(args) => Ok(inside::guardian(args)),
        Command::Stress(args) => inside::stress(args),
    }
}

/// Looks for what a run needs, and guests; without those nothing is missing unless they are wanted.
fn check(guest: Option<&Option<PathBuf>>) -> Result<Exit, Failure> {
    let mut is_whole = true;
    let mut line = |ok: bool, needed: bool, told: String| {
        is_whole &= ok || !needed;
        let word = match (ok, needed) {
            (true, _) => "ok     ",
            (false, true) => "MISSING",
            (false, false) => "without",
        };
        format!("{word}  {told}\n")
    };
    let mut text: String =
        lab::check().iter().map(|one| line(one.ok, one.needed, format!("{}: {}", one.what, one.detail))).collect();
    let folder = guest.cloned().flatten().map_or_else(lab::guest::default_folder, Ok)?;
    for one in lab::guest::check(&folder) {
        let remedy = one.remedy.map_or_else(String::new, |remedy| format!(": {remedy}"));
        text += &line(one.ok, one.needed && guest.is_some(), format!("guests, {}: {}{remedy}", one.what, one.detail));
    }
    print(&text)?;
    Ok(if is_whole { Exit::Done } else { Exit::No })
}
