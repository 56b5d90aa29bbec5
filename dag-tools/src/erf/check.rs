//! `erf check`: every defect, with its place.

use std::path::PathBuf;

use clap::ValueEnum;
use erf::check::{Broken, Check, MOST};
use erf::describe::plain;
use erf::pieces::Visited;
use erf::{Defect, DefectKind, Severity};
use serde_json::{Value, json};

use super::defects::say_error;
use super::input::{Reading, files};
use super::several::visit_all;
use super::{Failure, PROGRAM, aligned, counted, print, print_csv, print_json};
use crate::exit::Exit;
use crate::messages::say;

const AFTER_HELP: &str = "\
Exit status: 0 no defect of this severity or worse; 1 there are some; 2 a file could not be read.
Reading ends at damage that leaves no way to the next record; --recover goes on behind it.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Files and folders; - is standard input.
    #[arg(required_unless_present = "explain")]
    inputs: Vec<PathBuf>,

    /// Name defects that are at least as bad as this.
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "warning")]
    severity: Level,

    /// Say what a code means, or with `all` what every one means, and read nothing.
    #[arg(long, value_name = "CODE", exclusive = true)]
    explain: Option<String>,

    /// Print JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print comma-separated values, a row for each defect.
    #[arg(long)]
    csv: bool,

    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    /// Everything that is odd.
    Note,
    /// What cannot be right.
    Warning,
    /// Records that are lost.
    Error,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Note => Self::Note,
            Level::Warning => Self::Warning,
            Level::Error => Self::Error,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if let Some(code) = &args.explain {
        return explain(code);
    }
    let files = files(&args.inputs)?;
    let severity = args.severity.into();
    let answers = visit_all(&files, args.reading, || Check::new(severity, MOST));
    let mut exit = Exit::Done;
    let (mut values, mut rows) =
        (Vec::new(), vec![["file", "offset", "code", "severity", "text"].map(String::from).to_vec()]);
    for (file, answer) in files.iter().zip(&answers) {
        let name = file.display().to_string();
        let visited = match answer {
            Ok(visited) => visited,
            Err(error) => {
                say(PROGRAM, error);
                values.push(json!({ "file": name, "error": error.to_string() }));
                exit = Exit::Failed;
                continue;
            }
        };
        match () {
            () if args.json => values.push(value(&name, visited, severity)),
            () if args.csv => rows.extend(found(visited).map(|found| {
                let (code, severity) = (found.code.to_owned(), found.severity.to_string());
                vec![name.clone(), found.offset.to_string(), code, severity, found.text]
            })),
            () => text(&name, visited, severity)?,
        }
        let is_at_damage = visited.piece.findings.listed().last().is_some_and(|last| {
            matches!(
                last.kind,
                DefectKind::RecordLength { .. } | DefectKind::TornRecord { .. } | DefectKind::Garbage { .. }
            )
        });
        if is_at_damage && !args.reading.recovers() {
            say(PROGRAM, format_args!("{name}: --recover looks for damage before that, and for records behind it"));
        }
        visited.error.iter().for_each(say_error);
        match () {
            () if visited.failure().is_some() => exit = Exit::Failed,
            () if exit == Exit::Done && total(visited, severity) > 0 => exit = Exit::No,
            () => {}
        }
    }
    if args.json {
        print_json(&one_or_all(values))?;
    } else if args.csv {
        print_csv(&rows)?;
    }
    Ok(exit)
}

/// One file gives an object, several an array.
pub(super) fn one_or_all(mut values: Vec<Value>) -> Value {
    if values.len() == 1 { values.remove(0) } else { Value::Array(values) }
}

/// A defect that is listed, or that the file breaks off.
struct Found {
    offset: u64,
    code: &'static str,
    severity: Severity,
    text: String,
}

fn found(visited: &Visited<Check>) -> impl Iterator<Item = Found> + '_ {
    let listed = visited.piece.findings.listed().iter().map(|&Defect { offset, kind }| Found {
        offset,
        code: kind.code(),
        severity: kind.severity(),
        text: kind.to_string(),
    });
    let broken = visited.broken().map(|broken| Found {
        offset: broken.offset,
        code: Broken::CODE,
        severity: Broken::SEVERITY,
        text: broken.text,
    });
    listed.chain(broken)
}

/// All that are so bad, listed or not. A file that breaks off is as bad as can be.
fn total(visited: &Visited<Check>, severity: Severity) -> u64 {
    visited.piece.findings.at_least(severity) + u64::from(visited.broken().is_some())
}

fn value(name: &str, visited: &Visited<Check>, severity: Severity) -> Value {
    let defects: Vec<Value> = found(visited)
        .map(|Found { offset, code, severity, text }| {
            json!({ "offset": offset, "code": code, "severity": severity.to_string(), "text": text })
        })
        .collect();
    let broken = visited.broken().map(|_| (Broken::CODE, 1));
    let by_code = visited.piece.findings.by_code().map(|(code, _, count)| (code, count)).chain(broken);
    let by_code: serde_json::Map<String, Value> =
        by_code.map(|(code, count)| (code.to_owned(), count.into())).collect();
    json!({
        "schema": 1,
        "file": name,
        "records": visited.piece.records,
        "bytes": visited.end,
        "by_code": by_code,
        "defects_total": total(visited, severity),
        "defects": defects,
        "error": visited.failure().map(ToString::to_string),
    })
}

fn text(name: &str, visited: &Visited<Check>, severity: Severity) -> Result<(), Failure> {
    let findings = &visited.piece.findings;
    let name = plain(name);
    let mut lines = String::new();
    for defect in findings.listed() {
        lines += &format!("{name}: {}: {defect}\n", defect.kind.severity());
    }
    let (listed, all) = (findings.listed().len() as u64, findings.at_least(severity));
    if all > listed {
        lines += &format!("{name}: {} not listed\n", counted(all - listed, "more defect"));
    }
    if let Some(broken) = visited.broken() {
        // It names the file itself.
        lines += &format!("{name}: {}: {} [{}]\n", Broken::SEVERITY, plain(&broken.text), Broken::CODE);
    }
    let below: Vec<String> = findings
        .by_code()
        .filter(|(_, found, _)| *found < severity)
        .map(|(code, _, count)| format!("{count} {code}"))
        .collect();
    lines += &format!("{name}: {} in {}, ", counted(visited.piece.records, "record"), counted(visited.end, "byte"));
    lines += &match total(visited, severity) {
        // What could not be read may have any.
        0 if visited.failure().is_some() => "no defects up to where it could be read".to_owned(),
        0 => "no defects".to_owned(),
        all => counted(all, "defect"),
    };
    if !below.is_empty() {
        lines += &format!(" (and {})", below.join(", "));
    }
    print(&(lines + "\n"))
}

fn explain(code: &str) -> Result<Exit, Failure> {
    let kinds = DefectKind::ALL.iter().map(|kind| (kind.code(), kind.severity(), kind.meaning()));
    let all = || kinds.clone().chain([(Broken::CODE, Broken::SEVERITY, Broken::MEANING)]);
    let rows: Vec<Vec<String>> = all()
        .filter(|(of, ..)| code == "all" || *of == code)
        .map(|(code, severity, meaning)| vec![code.to_owned(), severity.to_string(), meaning.to_owned()])
        .collect();
    if rows.is_empty() {
        let codes: Vec<&str> = all().map(|(code, ..)| code).collect();
        return Err(Failure::Usage(format!("no defect has the code {code}; there are: {}", codes.join(", "))));
    }
    print(&aligned(rows))?;
    Ok(Exit::Done)
}
