//! `erf meta`: META records shown, added, left out, changed.

mod naming;
mod value;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use erf::describe::{Tags, extension, plain, utc};
use erf::meta::Meta;
use erf::provenance::{Change, Note, change, without_host_ids};
use erf::{Record, Timestamp};
use serde_json::{Value, json};

use super::defects::Defects;
use super::input::{Reading, files};
use super::instant;
use super::pass::{self, Files, Next, Pass, failed_at};
use super::progress::Progress;
use super::summary::line;
use super::{Failure, PROGRAM, print};
use crate::account::StampJson;
use crate::exit::Exit;
use crate::messages::say;
use naming::Naming;

pub(super) use value::sections;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print META records, all their tags by name.
    Show(Show),
    /// Put a META record with remarks, names and other text before the first record.
    #[command(after_help = naming::help())]
    Add(Add),
    /// Leave META records out.
    Strip(Strip),
    /// Set or remove names and other text in all META records; where none has the section, a record with it is put first.
    #[command(after_help = naming::help())]
    Edit(Edit),
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Files and folders; - is standard input.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,

    /// Print each content once, where it is first said; META records repeat.
    #[arg(long)]
    distinct: bool,

    /// Print one JSON object a record, and behind those of a file one for each of its defects.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    files: Files,

    /// A comment about the capture.
    #[arg(long, value_name = "TEXT")]
    comment: Vec<String>,

    /// An attribute of the capture: site=lab3.
    #[arg(long, value_name = "KEY=VALUE", value_parser = naming::attribute)]
    attribute: Vec<(String, String)>,

    #[command(flatten)]
    naming: Naming,
}

#[derive(Debug, clap::Args)]
struct Strip {
    #[command(flatten)]
    files: Files,

    /// Leave Host ID extension headers out, too.
    #[arg(long)]
    host_ids: bool,
}

#[derive(Debug, clap::Args)]
struct Edit {
    #[command(flatten)]
    files: Files,

    #[command(flatten)]
    naming: Naming,

    /// Remove a tag of text, from all sections of this name or from that of a number: host.os, interface0.descr.
    #[arg(long, value_name = "SECTION.TAG", value_parser = naming::unset)]
    unset: Vec<Change>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.command {
        Command::Show(args) => show(args),
        Command::Add(args) => add(args),
        Command::Strip(args) => strip(args),
        Command::Edit(args) => edit(args),
    }
}

fn show(args: &Show) -> Result<Exit, Failure> {
    let files = files(&args.inputs)?;
    let mut progress = Progress::over(&files);
    let mut defects = Defects::default();
    let mut seen = HashSet::new();
    let mut failed = false;
    for file in &files {
        let front =
            if files.len() > 1 { format!("{}: ", plain(file.as_os_str().as_encoded_bytes())) } else { String::new() };
        let shown = args.reading.open(file).and_then(|mut reader| {
            let mut records = 0u64;
            pass::read(&mut reader, &mut progress, &mut defects, |offset, record| {
                records += u64::from(record.is_meta());
                let said = || (record.ext_headers().bytes().to_vec(), record.payload().to_vec());
                if !record.is_meta() || (args.distinct && !seen.insert(said())) {
                    return Ok(Next::Go);
                }
                match args.json {
                    true => line(&record_json(file, offset, record))?,
                    false => print(&(front.clone() + &record_text(offset, record)))?,
                }
                Ok(Next::Go)
            })?;
            if args.json {
                defects.fresh().try_for_each(|defect| line(&defect))?;
            }
            if records == 0 {
                say(PROGRAM, format_args!("{}: there are no META records", reader.name()));
            }
            Ok(())
        });
        match shown {
            Err(failure @ Failure::Output(_)) => return Err(failure),
            Err(failure) => {
                say(PROGRAM, failure);
                failed = true;
            }
            Ok(()) => {}
        }
    }
    let exit = defects.end();
    Ok(if failed { Exit::Failed } else { exit })
}

fn record_text(offset: u64, record: &Record<'_>) -> String {
    let mut text = format!("byte {offset}: META {}\n", utc(record.timestamp()));
    for header in record.ext_headers() {
        text += &format!("  {}: {}\n", header.kind(), extension(header));
    }
    text + &Tags(Meta::new(record.payload())).to_string()
}

fn record_json(file: &Path, offset: u64, record: &Record<'_>) -> Value {
    json!({
        "schema": 1,
        "file": file.display().to_string(),
        "offset": offset,
        "stamp": StampJson::from(record.timestamp()),
        "ext_headers": record.ext_headers().map(|header| format!("{:#018x}", header.to_u64())).collect::<Vec<_>>(),
        "sections": sections(record),
    })
}

fn add(args: &Add) -> Result<Exit, Failure> {
    let changes = args.naming.changes(&[])?;
    instant::once("--attribute", args.attribute.iter().map(|(key, _)| key))?;
    if args.comment.is_empty() && args.attribute.is_empty() && changes.is_empty() {
        let why = "nothing to be added: give --comment, --attribute, --host, --interface or --set";
        return Err(Failure::Usage(why.to_owned()));
    }
    let mut pass = Pass::begin(&args.files)?;
    let mut note = Some(|stamp: Timestamp| {
        let mut note = Note::new(stamp);
        note.comments.clone_from(&args.comment);
        note.attributes = args.attribute.iter().map(|(key, value)| format!("{key}={value}")).collect();
        note.changes.clone_from(&changes);
        note
    });
    pass.each(|_, record, sink| {
        if let Some(note) = note.take() {
            sink.write_run(&note(record.timestamp()).to_record()?, 1)?;
        }
        sink.write(record)?;
        Ok(Next::Go)
    })?;
    if let Some(note) = note.take() {
        // Nothing was read: it stands alone.
        pass.sink().write_run(&note(Timestamp::now()).to_record()?, 1)?;
    }
    pass.end(json!({}))
}

fn strip(args: &Strip) -> Result<Exit, Failure> {
    let mut pass = Pass::begin(&args.files)?;
    let name = pass.name().to_owned();
    let (mut stripped, mut headers, mut lost) = (0u64, 0u64, 0u64);
    pass.each(|offset, record, sink| {
        if record.is_meta() {
            stripped += 1;
            lost += u64::from(record.loss().unwrap_or(0));
            return Ok(Next::Go);
        }
        let bare = if args.host_ids { without_host_ids(record) } else { Ok(None) };
        match bare.map_err(|error| failed_at(&name, offset, error))? {
            Some(bytes) => {
                headers += 1;
                sink.write_run(&bytes, 1)?;
            }
            None => sink.write(record)?,
        }
        Ok(Next::Go)
    })?;
    if lost > 0 {
        say(
            PROGRAM,
            format_args!("loss counters of META records stood for {lost} lost packets and are left out with them"),
        );
    }
    pass.end(json!({ "meta_left_out": stripped, "host_ids_left_out": headers, "lost_left_out": lost }))
}

fn edit(args: &Edit) -> Result<Exit, Failure> {
    let changes = args.naming.changes(&args.unset)?;
    if changes.is_empty() {
        let why = "nothing to be changed: give --host, --interface, --set or --unset";
        return Err(Failure::Usage(why.to_owned()));
    }
    let missing = missing(args, &changes)?;
    let mut pass = Pass::begin(&args.files)?;
    let mut changed = 0u64;
    let mut front = !missing.is_empty();
    pass.each(|_, record, sink| {
        if std::mem::take(&mut front) {
            let mut note = Note::new(record.timestamp());
            note.changes.clone_from(&missing);
            sink.write_run(&note.to_record()?, 1)?;
        }
        let edited = if record.is_meta() { change(record, &changes)? } else { None };
        match edited {
            Some(bytes) => {
                changed += 1;
                sink.write_run(&bytes, 1)?;
            }
            None => sink.write(record)?,
        }
        Ok(Next::Go)
    })?;
    if changed == 0 && missing.is_empty() {
        say(PROGRAM, "no META record had to be changed");
    }
    pass.end(json!({ "changed": changed, "added": u64::from(!missing.is_empty()) }))
}

/// What is to be set and has no section in any record: it goes to the front, and is known only at the end.
fn missing(args: &Edit, changes: &[Change]) -> Result<Vec<Change>, Failure> {
    let mut missing: Vec<Change> = changes.iter().filter(|change| change.text().is_some()).cloned().collect();
    if missing.is_empty() {
        return Ok(missing);
    }
    if args.files.input.as_os_str() == "-" {
        return Err(Failure::Usage("the input is read twice, which standard input cannot be: name a file".to_owned()));
    }
    let format = args.files.writing.format(&args.files.output);
    let mut reader = args.files.reading.open_for(&args.files.input, format)?;
    let read = reader.for_each(|item| {
        if let Ok(record) = item {
            missing.retain(|change| !change.meets(&record));
        }
    });
    // Of damage the pass tells.
    if let Err(error) = read
        && !error.is_damage()
    {
        return Err(error.into());
    }
    match missing.iter().find(|change| change.number().is_none() && Note::needs_number(change)) {
        None => Ok(missing),
        Some(change) => {
            let section = change.section().to_string().to_lowercase();
            let key = naming::key(change);
            Err(Failure::Usage(format!(
                "{key}: no record has such a section; say which is to be made, such as {section}0"
            )))
        }
    }
}
