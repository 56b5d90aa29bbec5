//! `wiretruth`: how much of a measured delay is the network's, and how much the host's.

mod analyse;
mod diff;
mod lab;
mod output;
mod probes;
mod simulate;
mod stamps;
mod verdict;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use clap::{Parser, Subcommand};

use crate::exit::Exit;
use crate::messages::{self, say};

const PROGRAM: &str = "wiretruth";

/// Tells how much of a measured delay is the network's and how much the measuring host's own, from captures of the same packets on the wire
/// and in the host.
#[derive(Debug, Parser)]
#[command(name = "wiretruth", version, after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take the delays of a run of probes apart, layer by layer.
    Analyse(analyse::Args),
    /// The one-way delays of all packets that two captures have in common.
    Diff(diff::Args),
    /// The paper's experiment on this machine.
    #[command(subcommand)]
    Lab(lab::Command),
    /// Make an experiment up: captures, a log, and the truth about every delay.
    Simulate(simulate::Args),
    /// Which samples to believe, by what the host itself can tell.
    #[command(subcommand)]
    Verdict(verdict::Command),
}

const AFTER_HELP: &str =
    "Exit status: 0 done; 1 of the lab: not all could be measured, or something is missing; 2 it could not run.";

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Truth(#[from] wire_truth::Error),
    #[error("{0}")]
    Usage(String),
    #[error("{path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("{path} is there already; add --force to replace it, or name another file")]
    There { path: String },
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

/// Does what `args` say.
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::Analyse(args) => analyse::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Lab(command) => lab::run(command),
        Command::Simulate(args) => simulate::run(args),
        Command::Verdict(command) => verdict::run(command),
    };
    done.unwrap_or_else(|failure| {
        say(PROGRAM, failure);
        Exit::Failed
    })
}

/// Prints on standard output.
fn print(text: &str) -> Result<(), Failure> {
    messages::print(text).map_err(Failure::Output)
}

/// That nothing is written over what is read, nor over something else that is written.
fn apart(read: &[&Path], written: &[&Path]) -> Result<(), Failure> {
    let same = |one: &Path, other: &Path| match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other && one.is_file(),
        _ => one == other && !one.exists(),
    };
    for (at, path) in written.iter().enumerate() {
        if read.iter().chain(&written[..at]).any(|other| same(path, other)) {
            let path = path.display();
            return Err(Failure::Usage(format!(
                "{path} would be written over what it is needed for: name another file"
            )));
        }
    }
    Ok(())
}

/// Writes a file whole, or not at all: half a table looks like one. What is there and no file, as /dev/stdout, is written into.
fn whole_file<T>(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<T, Failure>) -> Result<T, Failure> {
    let failed = |cause| Failure::File { path: path.display().to_string(), cause };
    let fill = |file: File| {
        let mut file = BufWriter::new(file);
        let value = write(&mut file)?;
        file.flush().map_err(failed)?;
        Ok(value)
    };
    // Followed, so that a link to a file is taken for one, and a link to a pipe for that.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return File::options().write(true).open(path).map_err(failed).and_then(fill);
    }
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new{}", std::process::id()));
    let new = target.with_file_name(name);
    let written = File::create(&new)
        .map_err(failed)
        .and_then(fill)
        .and_then(|value| fs::rename(&new, &target).map(|()| value).map_err(failed));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over_what_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("in"), "x").unwrap();
        std::os::unix::fs::symlink(path("in"), path("link")).unwrap();
        let check = |read: &[&str], written: &[&str]| {
            let paths = |names: &[&str]| names.iter().map(|name| path(name)).collect::<Vec<_>>();
            let (read, written) = (paths(read), paths(written));
            let read: Vec<&Path> = read.iter().map(AsRef::as_ref).collect();
            let written: Vec<&Path> = written.iter().map(AsRef::as_ref).collect();
            apart(&read, &written).is_ok()
        };
        assert!(check(&["in"], &["a", "b"]));
        assert!(!check(&["in"], &["in"]) && !check(&["in"], &["link"]) && !check(&["in"], &["a", "b", "a"]));
    }
}
