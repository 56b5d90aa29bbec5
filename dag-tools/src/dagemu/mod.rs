//! `dagemu`: serves emulated DAG cards to other programs.

mod exec;
mod install;
mod list;
mod serve;
mod stat;

use clap::{Parser, Subcommand};

use crate::exit::Exit;
use crate::messages::{self, say};

const PROGRAM: &str = "dagemu";

/// Serves emulated DAG cards to other programs: to those that use libdag, and to `dagcap --device emu:NAME`.
///
/// A card is a socket in /run/dagemu, or in $XDG_RUNTIME_DIR/dagemu for users; DAG_EMU_DIR names another folder. One that is called
/// dag0 is /dev/dag0 to programs that are linked with our libdag.
#[derive(Debug, Parser)]
#[command(name = "dagemu", version)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a card until Ctrl-C, SIGTERM, or `dagemu stop`.
    Run(serve::Args),
    /// List the cards that are served.
    List(list::Args),
    /// Show what a card, its ports and its streams are doing.
    Stat(stat::Args),
    /// End a card, and wait until it has.
    Stop {
        /// The card.
        name: String,
    },
    /// Run a program that finds our libdag, and /dev/dagN for the cards that are served.
    Exec(exec::Args),
    /// Install headers, libraries and a pkg-config file for building C programs.
    Install(install::Args),
}

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Card(#[from] dag::emu::Error),
    #[error("no handler for signals: {0}")]
    Signals(std::io::Error),
    #[error("the group {0:?} is not known on this machine")]
    Group(String),
    #[error("{path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("{what}: {cause}")]
    System { what: String, cause: nix::errno::Errno },
    #[error("cannot run {program:?}: {cause}")]
    Program { program: String, cause: std::io::Error },
    #[error(transparent)]
    Libraries(#[from] crate::libraries::LibrariesError),
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

/// Does what `args` say.
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::Run(args) => serve::run(args),
        Command::List(args) => list::run(args),
        Command::Stat(args) => stat::run(args),
        Command::Stop { name } => dag::emu::serve::stop(name).map_err(Failure::from),
        Command::Exec(args) => exec::run(args),
        Command::Install(args) => install::run(args),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(failure) => {
            say(PROGRAM, failure);
            Exit::Failed
        }
    }
}

/// Prints on standard output.
fn print(text: &str) -> Result<(), Failure> {
    messages::print(text).map_err(Failure::Output)
}
