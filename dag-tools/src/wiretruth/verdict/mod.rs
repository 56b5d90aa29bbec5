//! `wiretruth verdict`: which samples to believe, by what the host itself can tell.

mod judge;
mod learn;
mod sample;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use wire_truth::delay::Places;
use wire_truth::verdict::signals::SignalLog;
use wire_truth::verdict::{Case, cases};
use wire_truth::{UserLog, Vantage, analyse};

use super::Failure;
use super::probes::Probes;
use crate::exit::Exit;

/// The commands of `wiretruth verdict`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write down the signals of this host (pressure, run delay, steal, soft interrupts, the queue before the wire) until stopped.
    Sample(sample::Args),
    /// Learn from a run with wire truth when a signal is too much, and what to take off.
    Learn(learn::Args),
    /// Say of each probe of a log whether to believe it, and hold that against the wire where there is a capture of it.
    Judge(judge::Args),
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Sample(args) => sample::run(args),
        Command::Learn(args) => learn::run(args),
        Command::Judge(args) => judge::run(args),
    }
}

/// What the wire says of a run.
fn truth(probes: &Probes, wire: &Path, user: &UserLog) -> Result<Vec<Case>, Failure> {
    let wire = Vantage::read("the wire", wire)?;
    let places = Places { wire: &wire, kernel: None, dom0: None, user: Some(user), others: &[] };
    Ok(cases(&analyse(&places, probes.options())?, user, probes.rest_lead, probes.rest_trail))
}

fn signals(path: &Option<PathBuf>) -> Result<Option<SignalLog>, Failure> {
    Ok(path.as_ref().map(|path| SignalLog::read(path)).transpose()?)
}
