//! `erf`: files of records, looked at, converted, cut, joined, checked and repaired.

mod cut;
mod input;
mod output;
mod progress;

use clap::{Parser, Subcommand};

use crate::exit::Exit;
use crate::messages::{self, say};

const PROGRAM: &str = "erf";

/// Looks at, converts, cuts, joins, checks and repairs ERF files, plain or compressed; pcap and pcapng are read as well.
#[derive(Debug, Parser)]
#[command(name = "erf", version, after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the records that are wanted: by time, interface, type, length, number.
    Cut(cut::Args),
}

const AFTER_HELP: &str = "\
Inputs are ERF, pcap or pcapng, known by their content, plain or compressed with gzip, bzip2, xz, zstd or lz4; - is standard input.
Outputs are complete or absent; what exists is replaced only with --force, and never while it is read.

Exit status: 0 done; 1 it ran, and the answer is no: defects found, files differ; 2 it could not run.";

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}{hint}", hint = if .0.is_already_exists() { "; --force replaces it" } else { "" })]
    Erf(#[from] ::erf::Error),
    #[error("{0}")]
    Usage(String),
    #[error("{path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

/// Does what `args` say.
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::Cut(args) => cut::run(args),
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
