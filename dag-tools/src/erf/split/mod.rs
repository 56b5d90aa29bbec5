//! `erf split`: one file into parts.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use erf::split::{Part, Place, Rule, Splitter};
use erf::{Record, Totals};
use serde_json::{Value, json};

use super::defects::Defects;
use super::input::Reading;
use super::output::Writing;
use super::pass::{self, Next, Sink};
use super::progress::Progress;
use super::summary::{Summing, TotalsJson};
use super::{Failure, PROGRAM, instant};
use crate::exit::Exit;
use crate::messages::say;
use crate::values;

/// Parts open at once, by source.
const MAX_OPEN: usize = 200;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("rule").required(true).args(["every", "count", "bytes", "by"]))]
pub(super) struct Args {
    /// File to read; - is standard input.
    input: PathBuf,

    /// Folder for the parts; it is made if it is not there.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out_dir: PathBuf,

    /// Names of parts: {name} of the input, {n} for the number from 0, {interface}, {host}, {source}, and times in UTC as strftime has them
    /// (%Y%m%dT%H%M%S), of the boundary or of the first packet.
    #[arg(long, value_name = "NAME")]
    template: Option<String>,

    /// A part for each stretch of this length, on boundaries of the clock (UTC): 60s, 15m.
    #[arg(long, value_name = "TIME", value_parser = instant::nanos)]
    every: Option<u64>,

    /// A part for each so many packets.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Parts of at most so many bytes: 64MiB.
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    bytes: Option<u64>,

    /// A part for each interface, or for each Host ID and Source ID; META goes to all of them.
    #[arg(long, value_enum, value_name = "WHAT")]
    by: Option<By>,

    /// Begin each part with the META records that describe the file; parts put together are not the file any more then.
    #[arg(long)]
    repeat_meta: bool,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    writing: Writing,

    /// Print the parts, and what is wrong with the input, as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Interface,
    Source,
}

impl Args {
    fn rule(&self) -> Rule {
        match (self.every, self.count, self.bytes, self.by) {
            (Some(nanos), ..) => Rule::Every(nanos),
            (_, Some(packets), ..) => Rule::Count(packets),
            (_, _, Some(bytes), _) => Rule::Bytes(bytes),
            (.., Some(By::Source)) => Rule::Source,
            _ => Rule::Interface,
        }
    }

    fn template(&self) -> &str {
        match (&self.template, self.rule()) {
            (Some(template), _) => template,
            (None, Rule::Every(nanos)) if !nanos.is_multiple_of(1_000_000_000) => "{name}-%Y%m%dT%H%M%S.%9fZ.erf",
            (None, Rule::Every(_)) => "{name}-%Y%m%dT%H%M%SZ.erf",
            (None, Rule::Interface) => "{name}-if{interface}.erf",
            (None, Rule::Source) => "{name}-{host}-{source}.erf",
            (None, _) => "{name}-{n}.erf",
        }
    }
}

/// The path of a part.
fn path_of(args: &Args, part: &Part) -> Result<PathBuf, Failure> {
    let template = args.template();
    let time = jiff::Timestamp::from_nanosecond(i128::from(part.start.nanos()))
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let name = jiff::fmt::strtime::format(template, time)
        .map_err(|error| Failure::Usage(format!("--template {template}: {error}")))?;
    let input = match args.input.as_os_str() == "-" {
        true => "part",
        false => args.input.file_stem().and_then(|stem| stem.to_str()).unwrap_or("part"),
    };
    let identity = part.identity.unwrap_or(erf::identity::Identity { host_id: 0, source_id: 0, interface: 0 });
    let name = name
        .replace("{n}", &format!("{:05}", part.number))
        .replace("{interface}", &identity.interface.to_string())
        .replace("{host}", &format!("{:012x}", identity.host_id))
        .replace("{source}", &identity.source_id.to_string())
        .replace("{name}", input);
    Ok(args.out_dir.join(name))
}

/// Parts being written.
struct Parts<'a> {
    args: &'a Args,
    open: HashMap<u64, (PathBuf, Sink)>,
    /// Those begun, by their paths.
    begun: HashMap<PathBuf, u64>,
    done: Vec<(u64, Value)>,
}

impl Parts<'_> {
    fn begin(&mut self, part: &Part, meta: &Splitter, first: &Record<'_>) -> Result<(), Failure> {
        let args = self.args;
        let in_a_row = args.by.is_none();
        if in_a_row {
            self.finish_all()?;
        }
        if self.open.len() >= MAX_OPEN {
            let why = format!("more than {MAX_OPEN} sources; cut some of them out first, or split by something else");
            return Err(Failure::Usage(why));
        }
        let path = path_of(args, part)?;
        if let Some(other) = self.begun.insert(path.clone(), part.number) {
            let why = format!("--template gives parts {other} and {} one name, {}", part.number, path.display());
            return Err(Failure::Usage(why));
        }
        let mut sink = Sink::begin_counting(&path, std::slice::from_ref(&args.input), &args.writing, args.json)?;
        if !in_a_row || (part.number > 0 && args.repeat_meta && !first.is_meta()) {
            for bytes in meta.meta() {
                sink.write_run(bytes, 1)?;
            }
        }
        self.open.insert(part.number, (path, sink));
        Ok(())
    }

    fn write(&mut self, number: u64, record: &Record<'_>) -> Result<(), Failure> {
        match self.open.get_mut(&number) {
            Some((_, sink)) => sink.write(record),
            None => Ok(()),
        }
    }

    fn finish_all(&mut self) -> Result<(), Failure> {
        for (number, (path, sink)) in self.open.drain() {
            let totals = sink.finish()?;
            if self.args.json {
                self.done.push((number, part_json(&path, &totals)?));
            }
        }
        Ok(())
    }
}

fn part_json(path: &Path, totals: &Totals) -> Result<Value, Failure> {
    let mut part = serde_json::to_value(TotalsJson::from(totals)).map_err(|error| Failure::Output(error.into()))?;
    part["file"] = json!(path.display().to_string());
    Ok(part)
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut reader = args.reading.open(&args.input)?;
    fs::create_dir_all(&args.out_dir)
        .map_err(|cause| Failure::File { path: args.out_dir.display().to_string(), cause })?;
    let mut progress = Progress::over(std::slice::from_ref(&args.input));
    let mut defects = Defects::default();
    let mut splitter = Splitter::new(args.rule());
    let mut parts = Parts { args, open: HashMap::new(), begun: HashMap::new(), done: Vec::new() };
    let mut totals = Totals::default();
    pass::read(&mut reader, &mut progress, &mut defects, |_, record| {
        if args.json {
            totals.add(record);
        }
        match splitter.place(record) {
            Place::In(number) => parts.write(number, record)?,
            Place::Begin(part) => {
                parts.begin(&part, &splitter, record)?;
                parts.write(part.number, record)?;
            }
            Place::All => {
                for (_, sink) in parts.open.values_mut() {
                    sink.write(record)?;
                }
            }
        }
        Ok(Next::Go)
    })?;
    parts.finish_all()?;
    let late = splitter.late();
    if late > 0 {
        say(PROGRAM, format_args!("{late} records are stamped before the part they are in: the input is not in order"));
    }
    parts.done.sort_by_key(|(number, _)| *number);
    let done: Vec<Value> = parts.done.into_iter().map(|(_, part)| part).collect();
    Summing::new(args.json).print(&totals, &defects, json!({ "parts": done, "late": late }))?;
    Ok(defects.end())
}
