//! `wiretruth lab`: the paper's experiment on this machine.

mod explain;
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
    /// Make the page, the tables and the claims of a run again from its folder, anywhere and without privileges; or compare two runs.
    Report(report::Args),
    /// What this machine can do, and what is missing.
    Check,
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
        Command::Report(args) => report::run(args),
        Command::Check => check(),
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

fn check() -> Result<Exit, Failure> {
    let found = lab::check();
    let mut text = String::new();
    for finding in lab::guest::check(&lab::guest::default_folder()?) {
        let word = if finding.ok { "ok     " } else { "without" };
        let remedy = finding.remedy.map_or_else(String::new, |remedy| format!(": {remedy}"));
        text += &format!("{word}  guests, {}: {}{remedy}\n", finding.what, finding.detail);
    }
    for finding in &found {
        let word = match (finding.ok, finding.needed) {
            (true, _) => "ok     ",
            (false, true) => "MISSING",
            (false, false) => "without",
        };
        text += &format!("{word}  {}: {}\n", finding.what, finding.detail);
    }
    print(&text)?;
    Ok(if found.iter().all(|one| one.ok || !one.needed) { Exit::Done } else { Exit::No })
}
