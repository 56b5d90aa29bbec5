//! `erf split`: one file into parts.

mod parts;
mod template;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use erf::split::{Part, Place, Rule, Splitter};
use erf::{Record, Records, Totals};
use serde_json::{Value, json};

use super::defects::Defects;
use super::input::Reading;
use super::output::Writing;
use super::pass::{self, Next};
use super::progress::Progress;
use super::summary::{Summing, TotalsJson};
use super::{Failure, PROGRAM, instant};
use crate::exit::Exit;
use crate::messages::{counted, say};
use crate::values;
use parts::{Done, Parts};
use template::Template;

const AFTER_HELP: &str = "\
Parts appear under their names when all of them are complete; if something goes wrong, none does. Up to 200 of them wait without a name, more as \
.NAME.partN beside their place, which only a kill leaves behind.

Exit status: 0 done; 1 there are defects; 2 it could not be done.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
#[command(group = clap::ArgGroup::new("rule").required(true).args(["every", "count", "bytes", "by"]))]
pub(super) struct Args {
    /// File to read; - is standard input.
    input: PathBuf,

    /// Folder for the parts; it is made if it is not there.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out_dir: PathBuf,

    /// Names of parts: {name} of the input, {number} for the number from 0, with --by interface {interface}, with --by source {host} and {source},
    /// and times in UTC as strftime has them (%Y%m%dT%H%M%S), of the boundary or of the first packet.
    #[arg(long, value_name = "NAME")]
    template: Option<String>,

    /// A part for each stretch of this length, on boundaries of the clock (UTC): 60s, 15m.
    #[arg(long, value_name = "TIME", value_parser = instant::nanos)]
    every: Option<u64>,

    /// A part for each so many packets.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Parts of at most so many bytes: 64MiB. A longer record is a part by itself.
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

    fn template(&self) -> Result<Template, Failure> {
        let by = match self.by {
            None => template::By::Row,
            Some(By::Interface) => template::By::Interface,
            Some(By::Source) => template::By::Source,
        };
        let Some(text) = &self.template else {
            let name = match self.rule() {
                Rule::Every(nanos) if !nanos.is_multiple_of(1_000_000_000) => "{name}-%Y%m%dT%H%M%S.%9fZ",
                Rule::Every(_) => "{name}-%Y%m%dT%H%M%SZ",
                Rule::Interface => "{name}-if{interface}",
                Rule::Source => "{name}-{host}-{source}",
                _ => "{name}-{number}",
            };
            return Template::read(&format!("{name}.{}", self.writing.ending()), by).map_err(Failure::Usage);
        };
        Template::read(text, by).map_err(|why| Failure::Usage(format!("--template {text:?} {why}")))
    }
}

/// Begins `part`, with the META records that are to stand at its front.
fn begin(
    args: &Args,
    parts: &mut Parts,
    part: &Part,
    name: &Path,
    meta: &Splitter,
    first: &Record<'_>,
) -> Result<(), Failure> {
    let in_a_row = args.by.is_none();
    if in_a_row {
        parts.complete()?;
    }
    parts.begin(part.number, name)?;
    if !in_a_row || (part.number > 0 && args.repeat_meta && !first.is_meta()) {
        for record in meta.meta().flat_map(Records::new).flatten() {
            parts.write(part.number, &record)?;
        }
    }
    parts.write(part.number, first)
}

fn part_json(done: &Done) -> Result<Value, Failure> {
    let mut part =
        serde_json::to_value(TotalsJson::from(&done.account.totals)).map_err(|error| Failure::Output(error.into()))?;
    part["file"] = json!(done.path.display().to_string());
    Ok(pass::with_account(part, &done.account))
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let template = args.template()?;
    let named = args.template.as_deref().unwrap_or_default();
    let mut reader = args.reading.open_for(&args.input, args.writing.format(Path::new(named)))?;
    let mut progress = Progress::over(std::slice::from_ref(&args.input));
    let mut defects = Defects::default();
    let mut splitter = Splitter::new(args.rule());
    let mut parts = Parts::new(&args.out_dir, &args.input, args.writing, args.json);
    let mut totals = Totals::default();
    let mut longer = 0u64;
    pass::read(&mut reader, &mut progress, &mut defects, |_, record| {
        if args.json {
            totals.add(record);
        }
        longer += u64::from(args.bytes.is_some_and(|bytes| u64::from(record.rlen()) > bytes));
        match splitter.place(record) {
            Place::In(number) => parts.write(number, record)?,
            Place::Begin(part) => {
                let name = template.name(&part, &args.input);
                let name = name.map_err(|why| Failure::Usage(format!("the name of part {} {why}", part.number)))?;
                begin(args, &mut parts, &part, name.as_ref(), &splitter, record)?;
            }
            Place::All => parts.write_to_all(record)?,
        }
        Ok(Next::Go)
    })?;
    let done = parts.finish()?;
    let late = splitter.late();
    if late > 0 {
        let (records, are, they) = (
            counted(late, "record"),
            if late == 1 { "is" } else { "are" },
            if late == 1 { "it is" } else { "they are" },
        );
        say(PROGRAM, format_args!("{records} {are} stamped before the part that {they} in: the input is not in order"));
    }
    if let Some(bytes) = args.bytes.filter(|_| longer > 0) {
        let (bytes, records) = (counted(bytes, "byte"), counted(longer, "record"));
        say(PROGRAM, format_args!("{records} longer than --bytes ({bytes}): the parts that they are in are larger"));
    }
    if !args.json {
        say(PROGRAM, format_args!("{} written", counted(done.len() as u64, "part")));
    }
    let done = done.iter().map(part_json).collect::<Result<Vec<_>, _>>()?;
    Summing::new(args.json).print(
        &totals,
        &defects,
        json!({ "parts": done, "late": late, "longer_than_bytes": longer }),
    )?;
    Ok(defects.end())
}
