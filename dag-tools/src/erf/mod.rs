//! `erf`: files of records, looked at, converted, cut, joined, checked and repaired.

mod carried;
mod check;
mod convert;
mod cut;
mod dedup;
mod defects;
mod diff;
mod dump;
mod gaps;
mod info;
mod input;
mod instant;
mod merge;
mod meta;
mod open_files;
mod output;
mod pass;
mod progress;
mod repair;
mod resize;
mod several;
mod shift;
mod sort;
mod split;
mod summary;

use std::fmt::Write as _;

use ::erf::ErrorKind;
use clap::{Parser, Subcommand};

use crate::exit::Exit;
use crate::messages::{self, counted, say};

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
    /// Make lengths of records multiples of 8 or 16, as cards transmit them.
    Align(resize::AlignArgs),
    /// Name every defect of files: where, what, how bad.
    Check(check::Args),
    /// Convert between ERF, pcap and pcapng, and say what did not come along.
    Convert(convert::Args),
    /// Write the records that are wanted: by time, interface, type, length, number.
    Cut(cut::Args),
    /// Leave out packets that came twice within a window of time.
    Dedup(dedup::Args),
    /// Compare two files, headers and packets.
    Diff(diff::Args),
    /// Print records, one a line or in full.
    Dump(dump::Args),
    /// Times between packets, and bursts against the rate of the link.
    Gaps(gaps::Args),
    /// Say what is in files: counts, times, rates, sizes, loss, errors, who captured.
    Info(info::Args),
    /// Put files together in the order of their stamps.
    Merge(merge::Args),
    /// Show, add, leave out or change META records.
    Meta(meta::Args),
    /// Keep all that can be read of a damaged file, and say what cannot.
    Repair(repair::Args),
    /// Move stamps, and correct the rate of a clock.
    Shift(shift::Args),
    /// Keep the first bytes of each packet.
    Snap(resize::SnapArgs),
    /// Put records in the order of their stamps.
    Sort(sort::Args),
    /// Make parts of a file: by time on clock boundaries, number, size, interface or source.
    Split(split::Args),
}

const AFTER_HELP: &str = "\
Inputs are ERF, pcap or pcapng, known by their content, plain or compressed with gzip, bzip2, xz, zstd or lz4; - is standard input.
Outputs are compressed where their names end in .zst, .lz4 or .gz.
Outputs are complete or absent; what exists is replaced only with --force, and never while it is read.

Exit status: 0 done; 1 it ran, and the answer is no: defects found, files differ; 2 it could not run.";

/// Why it could not be done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}{hint}", hint = hint(.0))]
    Erf(#[from] ::erf::Error),
    #[error("{0}")]
    Usage(String),
    #[error("{path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

/// The option that helps.
fn hint(error: &::erf::Error) -> &'static str {
    match error.kind() {
        _ if error.is_already_exists() => "; --force replaces it",
        ErrorKind::UnknownFormat if error.to_string().contains("force the format") => " (--read-as erf)",
        _ => "",
    }
}

/// Does what `args` say.
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::Align(args) => resize::align(args),
        Command::Check(args) => check::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Cut(args) => cut::run(args),
        Command::Dedup(args) => dedup::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Dump(args) => dump::run(args),
        Command::Gaps(args) => gaps::run(args),
        Command::Info(args) => info::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Meta(args) => meta::run(args),
        Command::Repair(args) => repair::run(args),
        Command::Shift(args) => shift::run(args),
        Command::Snap(args) => resize::snap(args),
        Command::Sort(args) => sort::run(args),
        Command::Split(args) => split::run(args),
    };
    done.unwrap_or_else(|failure| {
        if matches!(&failure, Failure::Erf(error) if error.is_closed_pipe()) {
            // The reader has all it wanted.
            return Exit::Done;
        }
        say(PROGRAM, failure);
        Exit::Failed
    })
}

/// Prints a line of JSON on standard output.
fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// Prints rows of a table on standard output, the first one naming the columns, as comma-separated values (RFC 4180).
fn print_csv(rows: &[Vec<String>]) -> Result<(), Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = rows.iter().try_for_each(|row| writer.write_record(row));
    let bytes = written
        .map_err(std::io::Error::from)
        .and_then(|()| writer.into_inner().map_err(|error| std::io::Error::other(error.to_string())));
    print(&String::from_utf8_lossy(&bytes.map_err(Failure::Output)?))
}

/// `text` as a field of such a row.
fn csv_field(text: &str) -> String {
    let is_plain = !text.contains(['"', ',', '\n', '\r']);
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// Bytes in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Rows as text of aligned columns.
fn aligned(rows: Vec<Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).add_rows(rows);
    let lines = table.to_string();
    lines.lines().map(|line| format!(" {}\n", line.trim_end())).collect()
}

/// Prints on standard output.
fn print(text: &str) -> Result<(), Failure> {
    messages::print(text).map_err(Failure::Output)
}
