//! `erf repair`: all that can be read of a damaged file.

use std::path::{Path, PathBuf};
use std::{fs, io};

use erf::ReaderBuilder;
use erf::check::Broken;
use erf::describe::plain;
use erf::input::Source;
use erf::repair::{Plan, Report};
use serde_json::{Value, json};

use super::input::ReadAs;
use super::output::Writing;
use super::{Failure, PROGRAM, print, print_json};
use crate::exit::Exit;
use crate::messages::{counted, say};

const AFTER_HELP: &str = "\
The file is read several times; what comes through a pipe is kept in a temporary file for that. Compressed input gives plain output.

Exit status: 0 nothing was dropped; 1 something was; 2 it could not be done.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// File to read; - is standard input.
    input: PathBuf,

    /// File to write; - is standard output.
    output: PathBuf,

    /// Keep what there is of a torn last record, as a snapped one.
    #[arg(long)]
    partial: bool,

    /// Read as this format, whatever the content looks like.
    #[arg(long, value_enum, value_name = "FORMAT")]
    read_as: Option<ReadAs>,

    /// Replace a file that exists.
    #[arg(long)]
    force: bool,

    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if args.json && args.output.as_os_str() == "-" {
        return Err(Failure::Usage(
            "--json prints on standard output, where the records would go: name a file".to_owned(),
        ));
    }
    let spooled = if args.input.is_file() { None } else { Some(spool(&args.input)?) };
    let input = spooled.as_ref().map_or(args.input.as_path(), |file| file.path());
    let open = |reader: ReaderBuilder| match args.read_as {
        Some(format) => reader.force_format(format.into()).open(Source::from(input)),
        None => reader.open(Source::from(input)),
    };
    let plan = Plan::of(open)?.partial(args.partial);
    let mut file = Writing::whole(&args.output, &[input], args.force)?;
    let report = plan.write(&mut file)?;
    file.finish()?;
    let is_stdin = args.input.as_os_str() == "-";
    let name = if is_stdin { Path::new("standard input") } else { args.input.as_path() };
    if args.json {
        print_json(&value(name, &report))?;
    } else {
        let lines = text(name, &report);
        if args.output.as_os_str() == "-" { eprint(&lines) } else { print(&lines)? }
    }
    Ok(if report.is_clean() { Exit::Done } else { Exit::No })
}

/// All that a pipe gives, in a file that goes away by itself: it is read several times.
fn spool(input: &Path) -> Result<tempfile::NamedTempFile, Failure> {
    let failed = |cause| Failure::File { path: input.display().to_string(), cause };
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    match input.as_os_str() == "-" {
        true => io::copy(&mut io::stdin().lock(), &mut file),
        false => fs::File::open(input).and_then(|mut pipe| io::copy(&mut pipe, &mut file)),
    }
    .map_err(failed)?;
    Ok(file)
}

fn eprint(lines: &str) {
    for line in lines.lines() {
        say(PROGRAM, line);
    }
}

fn text(name: &Path, report: &Report) -> String {
    let name = plain(name.as_os_str().as_encoded_bytes());
    let mut lines = String::new();
    for dropped in &report.dropped {
        let (offset, bytes, why) = (dropped.offset, dropped.bytes, dropped.why);
        lines += &format!("{name}: byte {offset}: {} dropped: {why} [{}]\n", counted(bytes, "byte"), why.code());
    }
    let more = report.stretches - report.dropped.len() as u64;
    if more > 0 {
        let were = if more == 1 { "stretch was" } else { "stretches were" };
        lines += &format!("{name}: {more} more {were} dropped\n");
    }
    if let Some(bytes) = report.partial {
        lines +=
            &format!("{name}: the torn record at the end was kept as a snapped one of {}\n", counted(bytes, "byte"));
    }
    if let Some(error) = &report.broken {
        lines += &format!("{error} [{}]\n", Broken::CODE);
    }
    let (total, kept, dropped) = (report.bytes_in, report.bytes_kept, report.bytes_dropped);
    let (total, records) = (counted(total, "byte"), counted(report.records, "record"));
    lines += &format!("{name}: {total} = {kept} kept in {records} + {dropped} dropped\n");
    lines
}

fn value(name: &Path, report: &Report) -> Value {
    let dropped: Vec<Value> = report
        .dropped
        .iter()
        .map(|dropped| {
            json!({
                "offset": dropped.offset,
                "bytes": dropped.bytes,
                "code": dropped.why.code(),
                "text": dropped.why.to_string(),
            })
        })
        .collect();
    json!({
        "schema": 1,
        "file": name.display().to_string(),
        "bytes_in": report.bytes_in,
        "bytes_kept": report.bytes_kept,
        "bytes_dropped": report.bytes_dropped,
        "records": report.records,
        "stretches": report.stretches,
        "dropped": dropped,
        "partial": report.partial,
        "broken": report.broken.as_ref().and_then(Broken::of).map(|broken| json!({
            "offset": broken.offset,
            "code": Broken::CODE,
            "text": broken.text,
        })),
        "error": report.broken.as_ref().map(ToString::to_string),
    })
}
