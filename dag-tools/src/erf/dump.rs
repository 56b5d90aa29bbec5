//! `erf dump`: records in words.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use erf::Record;
use erf::describe::{Full, Hex, Line, utc};
use erf::meta::Meta;
use serde_json::{Value, json};

use super::input::{Reading, files};
use super::{Failure, PROGRAM};
use crate::exit::Exit;
use crate::messages::say;

const AFTER_HELP: &str = "\
A line has offset, time (UTC), type, interface, bytes on the wire / stored, flags (v varying length, t truncated, r RX error, d DS error, \
x reserved), loss counter or colour, and [extension headers]. A defect is a line on standard error.

Exit status: 0 done; 1 there are defects; 2 a file could not be read.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Files and folders; - is standard input.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,

    /// Everything in a record, tags of META records too.
    #[arg(long)]
    full: bool,

    /// The stored bytes of the packet too.
    #[arg(long)]
    hex: bool,

    /// A JSON object on each line.
    #[arg(long)]
    json: bool,

    /// So many records at most.
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,

    #[command(flatten)]
    reading: Reading,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut exit = Exit::Done;
    let mut left = args.count.unwrap_or(u64::MAX);
    for file in files(&args.inputs)? {
        let dumped = dump(args, &file, &mut left, &mut out).and_then(|clean| {
            out.flush().map_err(Failure::Output)?;
            Ok(clean)
        });
        match dumped {
            Ok(true) => {}
            Ok(false) if exit == Exit::Done => exit = Exit::No,
            Ok(false) => {}
            // Whoever read has seen enough.
            Err(Failure::Output(cause)) if cause.kind() == io::ErrorKind::BrokenPipe => break,
            Err(failure) => {
                say(PROGRAM, failure);
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

/// Whether there was no defect.
fn dump(args: &Args, file: &Path, left: &mut u64, out: &mut impl Write) -> Result<bool, Failure> {
    let mut reader = args.reading.open(file)?;
    let mut clean = true;
    loop {
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(clean),
            // A defect like the others: what could be read has been dumped.
            Err(error) if error.is_damage() => {
                out.flush().map_err(Failure::Output)?;
                say(PROGRAM, error);
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        let mut items = batch.iter();
        loop {
            if *left == 0 {
                return Ok(clean);
            }
            let offset = items.offset();
            match items.next() {
                Some(Ok(record)) => {
                    *left -= 1;
                    write_record(args, offset, &record, out).map_err(Failure::Output)?;
                }
                Some(Err(defect)) => {
                    out.flush().map_err(Failure::Output)?;
                    say(PROGRAM, format_args!("{}: {defect}", file.display()));
                    clean = false;
                }
                None => break,
            }
        }
    }
}

fn write_record(args: &Args, offset: u64, record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    if args.json {
        return writeln!(out, "{}", value(args, offset, record));
    }
    if args.full {
        write!(out, "{}", Full { offset, record })?;
    } else {
        writeln!(out, "{}", Line { offset, record })?;
    }
    if args.hex { write!(out, "{}", Hex(record.payload())) } else { Ok(()) }
}

fn value(args: &Args, offset: u64, record: &Record<'_>) -> Value {
    let (record_type, flags) = (record.record_type(), record.flags());
    let headers: Vec<Value> = record
        .ext_headers()
        .map(|header| {
            json!({
                "type": header.kind().number(),
                "name": header.kind().name(),
                "raw": format!("{:016x}", header.to_u64()),
            })
        })
        .collect();
    let mut value = json!({
        "offset": offset,
        "raw": format!("{:#018x}", record.timestamp().raw()),
        "ns": record.timestamp().nanos(),
        "time": utc(record.timestamp()).to_string(),
        "type": record_type.to_string(),
        "type_number": record_type.number(),
        "interface": record.interface(),
        "rlen": record.rlen(),
        "wire_length": record.wire_len(),
        "captured_length": record.captured_len(),
        "flags": flags.bits(),
        "rx_error": flags.rx_error(),
        "ds_error": flags.ds_error(),
        "lost": record.loss(),
        "color": record.color(),
        "ext_headers": headers,
    });
    if args.full {
        value["fcs_right"] = record.verify_fcs().into();
        value["snapped"] = record.is_snapped().into();
        value["padding"] = record.padding().len().into();
        value["sub_header"] = hex(record.sub_header_bytes()).into();
        if record.is_meta() {
            value["meta"] = meta(record);
        }
    }
    if args.hex {
        value["payload"] = hex(record.payload()).into();
    }
    value
}

fn meta(record: &Record<'_>) -> Value {
    let sections = Meta::new(record.payload()).sections().map(|section| {
        let tags: Vec<Value> = section
            .tags()
            .flatten()
            .map(|tag| {
                json!({
                    "tag": tag.tag_type().number(),
                    "name": tag.tag_type().name(),
                    "value": tag.value_name().map_or_else(|| tag.value().to_string(), str::to_owned),
                })
            })
            .collect();
        json!({ "section": section.reference().map(|reference| reference.to_string()), "tags": tags })
    });
    Value::Array(sections.collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
