//! `erf meta`: META records shown, added, left out, changed.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Subcommand;
use erf::meta::{Meta, Section};
use erf::provenance::{Names, Note, set_names, without_host_ids};
use erf::{Record, Timestamp};
use serde_json::{Value, json};

use super::defects::Defects;
use super::input::Reading;
use super::pass::{self, Files, Next, Pass, failed_at};
use super::progress::Progress;
use super::summary::line;
use super::{Failure, PROGRAM, print};
use crate::account::StampJson;
use crate::exit::Exit;
use crate::messages::say;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print META records, all their tags by name.
    Show(Show),
    /// Put a META record with remarks, and names, before the first record.
    Add(Add),
    /// Leave META records out.
    Strip(Strip),
    /// Set names of host and interfaces in all META records; where none has the section, a record with it is put first.
    Edit(Edit),
}

#[derive(Debug, clap::Args)]
struct Show {
    /// File to read; - is standard input.
    input: PathBuf,

    /// Print each content once, where it is first said; META records repeat.
    #[arg(long)]
    distinct: bool,

    /// Print one JSON object a record.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, clap::Args)]
struct Naming {
    /// Name of the host.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Name of an interface: 0=uplink.
    #[arg(long, value_name = "N=NAME", value_parser = interface)]
    interface: Vec<(u8, String)>,
}

impl Naming {
    fn names(&self) -> Names {
        Names { host: self.host.clone(), interfaces: self.interface.clone() }
    }
}

#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    files: Files,

    /// A comment about the capture.
    #[arg(long, value_name = "TEXT")]
    comment: Vec<String>,

    /// An attribute of the capture: site=lab3.
    #[arg(long, value_name = "KEY=VALUE")]
    attribute: Vec<String>,

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
}

fn interface(text: &str) -> Result<(u8, String), String> {
    match text.split_once('=').map(|(number, name)| (number.parse::<u8>(), name)) {
        Some((Ok(number @ 0..8), name)) => Ok((number, name.to_owned())),
        _ => Err("N=NAME, with N from 0 to 7".to_owned()),
    }
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
    let mut reader = args.reading.open(&args.input)?;
    let mut progress = Progress::over(std::slice::from_ref(&args.input));
    let mut defects = Defects::default();
    let mut seen = HashSet::new();
    pass::read(&mut reader, &mut progress, &mut defects, |offset, record| {
        if !record.is_meta() || (args.distinct && !seen.insert(record.payload().to_vec())) {
            return Ok(Next::Go);
        }
        match args.json {
            true => line(&record_json(offset, record))?,
            false => print(&record_text(offset, record))?,
        }
        Ok(Next::Go)
    })?;
    Ok(defects.end())
}

fn record_text(offset: u64, record: &Record<'_>) -> String {
    let mut text = format!("byte {offset}: META {}\n", record.timestamp());
    for header in record.ext_headers() {
        text += &format!("  {:?}\n", header.view());
    }
    for section in Meta::new(record.payload()).sections() {
        if let Some(name) = section_name(&section) {
            text += &format!("  {name}\n");
        }
        for tag in section.tags() {
            text += &match tag {
                Ok(tag) => format!("    {}: {}\n", tag.tag_type(), tag.value()),
                Err(defect) => format!("    {defect}\n"),
            };
        }
    }
    text
}

fn section_name(section: &Section<'_>) -> Option<String> {
    section.reference().map(|reference| reference.to_string())
}

fn record_json(offset: u64, record: &Record<'_>) -> Value {
    let sections: Vec<Value> = Meta::new(record.payload())
        .sections()
        .filter(|section| section.reference().is_some() || section.tags().next().is_some())
        .map(|section| {
            let tags: Vec<Value> = section
                .tags()
                .map(|tag| match tag {
                    Ok(tag) => json!({
                        "tag": tag.tag_type().number(),
                        "name": tag.tag_type().name(),
                        "value": tag.value().to_string(),
                    }),
                    Err(defect) => json!({ "defect": defect.to_string() }),
                })
                .collect();
            let kind = section.section_type().map(|kind| kind.to_string());
            json!({ "section": kind, "id": section.header().id.bits(), "tags": tags })
        })
        .collect();
    json!({
        "schema": 1,
        "offset": offset,
        "stamp": StampJson::from(record.timestamp()),
        "ext_headers": record.ext_headers().map(|header| format!("{:#018x}", header.to_u64())).collect::<Vec<_>>(),
        "sections": sections,
    })
}

fn add(args: &Add) -> Result<Exit, Failure> {
    let names = args.naming.names();
    if args.comment.is_empty() && args.attribute.is_empty() && names.is_empty() {
        let why = "nothing to be added: give --comment, --attribute, --host or --interface";
        return Err(Failure::Usage(why.to_owned()));
    }
    let mut pass = Pass::begin(&args.files)?;
    let mut note = Some(|stamp: Timestamp| {
        let mut note = Note::new(stamp);
        note.comments.clone_from(&args.comment);
        note.attributes.clone_from(&args.attribute);
        note.names = names.clone();
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
    let names = args.naming.names();
    if names.is_empty() {
        return Err(Failure::Usage("nothing to be changed: give --host or --interface".to_owned()));
    }
    // Sections that no record has are only known at the end, and go to the front.
    if args.files.input.as_os_str() == "-" {
        return Err(Failure::Usage("the input is read twice, which standard input cannot be: name a file".to_owned()));
    }
    let mut missing = names.clone();
    let format = args.files.writing.format(&args.files.output);
    let mut reader = args.files.reading.open_for(&args.files.input, format)?;
    let read = reader.for_each(|item| {
        if let Ok(record) = item
            && record.is_meta()
        {
            missing.forget_met(&record);
        }
    });
    // Of damage the pass tells.
    if let Err(error) = read
        && !error.is_damage()
    {
        return Err(error.into());
    }
    let mut pass = Pass::begin(&args.files)?;
    let mut changed = 0u64;
    let mut front = !missing.is_empty();
    pass.each(|_, record, sink| {
        if std::mem::take(&mut front) {
            let mut note = Note::new(record.timestamp());
            note.names = missing.clone();
            sink.write_run(&note.to_record()?, 1)?;
        }
        let edited = if record.is_meta() { set_names(record, &names)? } else { None };
        match edited {
            Some(bytes) => {
                changed += 1;
                sink.write_run(&bytes, 1)?;
            }
            None => sink.write(record)?,
        }
        Ok(Next::Go)
    })?;
    pass.end(json!({ "changed": changed, "added": u64::from(!missing.is_empty()) }))
}
