//! `dagctl`: looks at DAG cards, sets them, and finds out what is wrong.

mod clock;
mod counters;
mod doctor;
mod learn;
mod list;
mod replay;
mod set;
mod show;
mod trace;

use clap::{Parser, Subcommand};
use dag::Card;

use crate::exit::Exit;
use crate::messages::{self, say};

const PROGRAM: &str = "dagctl";

/// Looks at DAG cards, real and emulated, sets them, and finds out what is wrong.
///
/// DEVICE is dag0, /dev/dag0 or 0 for a real card, emu:NAME for one that dagemu serves. Without it: the first that `dagctl list`
/// shows.
#[derive(Debug, Parser)]
#[command(name = "dagctl", version, after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the cards of this machine, real and served.
    List(list::Args),
    /// Show what a card is: model, ports, streams, settings.
    Show(show::Args),
    /// Show a card's clock; exit status 1 while it is not synchronised.
    Clock(clock::Args),
    /// Show what a card has counted: packets of its ports, drops of its streams.
    Counters(counters::Args),
    /// Set snap length, record length, ports.
    Set(set::Args),
    /// Learn the numbers of the installed libdag from its own headers: drop counter, model and clock are known from then on.
    Learn(learn::Args),
    /// Look at everything that capturing needs, and name the one thing to fix; exit status 1 if there is one.
    Doctor(doctor::Args),
    /// Run a program that uses libdag with the flight recorder in front of it: every call goes into a log, nothing of a packet.
    Trace(trace::Args),
    /// Make the calls, under the flight recorder, that tell how a real card's libdag behaves: docs/hardware.md.
    Exercise(trace::ExerciseArgs),
    /// Make the calls of a log on the emulated card, and tell what differs; exit status 1 if something does.
    ReplayTrace(replay::Args),
    #[command(hide = true)]
    ExerciseCalls(trace::CallsArgs),
    #[command(hide = true)]
    ReplayCalls(replay::CallsArgs),
}

const AFTER_HELP: &str = "\
Exit status: 0 done; 1 the answer is no (a clock that is not synchronised, something to fix, a difference); 2 it could not run.";

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Card(#[from] dag::Error),
    #[error("there is no card here; `dagctl doctor` says why, and emu:synthetic is an emulated one")]
    NoCard,
    #[error("{0} is a card of this process alone, which ends at once; name one that dagemu serves, or a real one")]
    OwnCard(String),
    #[error("{device} did not take {what}")]
    NotTaken { device: String, what: String },
    #[error(
        "{0} does not tell whether its clock is synchronised, so there is nothing to wait for; `dagctl doctor` says why"
    )]
    NothingToWaitFor(String),
    #[error(transparent)]
    Learn(#[from] dag::sys::values::LearnError),
    #[error("{path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("no place to keep them: neither HOME nor XDG_CONFIG_HOME is set; name a file with --out")]
    NoPlace,
    #[error(transparent)]
    Libraries(#[from] crate::libraries::LibrariesError),
    #[error(transparent)]
    Load(#[from] dag::sys::LoadError),
    #[error(transparent)]
    Log(#[from] dag_trace::LogError),
    #[error(transparent)]
    Exercise(#[from] dag_trace::ExerciseError),
    #[error("{0} exists already and was not touched; name another file, or remove it")]
    Exists(String),
    #[error("{0}: no card was opened while this was recorded, so there is nothing to compare")]
    NoCardInLog(String),
    #[error("{0} names no card of Endace; write dag0, /dev/dag0 or 0")]
    NoRealCard(String),
    #[error("cannot run {program:?}: {cause}")]
    Program { program: String, cause: std::io::Error },
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

/// Does what `args` say.
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Clock(args) => clock::run(args),
        Command::Counters(args) => counters::run(args),
        Command::Set(args) => set::run(args),
        Command::Learn(args) => learn::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Trace(args) => trace::run(args),
        Command::Exercise(args) => trace::exercise(args),
        Command::ExerciseCalls(args) => trace::calls(args),
        Command::ReplayTrace(args) => replay::run(args),
        Command::ReplayCalls(args) => replay::calls(args),
    };
    done.unwrap_or_else(|failure| {
        say(PROGRAM, failure);
        Exit::Failed
    })
}

/// The card that is meant, and its name.
fn open(device: Option<&str>) -> Result<Card, Failure> {
    match device {
        Some(name) => Ok(Card::open(name)?),
        None => Ok(dag::cards().into_iter().next().ok_or(Failure::NoCard)?.card?),
    }
}

/// Prints on standard output.
fn print(text: &str) -> Result<(), Failure> {
    messages::print(text).map_err(Failure::Output)
}

/// `64 MiB`, or `1000 bytes`.
fn size(bytes: u64) -> String {
    match bytes {
        whole if whole > 0 && whole % (1 << 20) == 0 => format!("{} MiB", whole >> 20),
        other => format!("{other} bytes"),
    }
}

/// What is known, or a dash.
fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
