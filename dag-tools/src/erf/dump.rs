//! `erf dump`: records in words.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use erf::Record;
use erf::describe::{Full, Hex, Line, plain, utc};
use serde_json::{Value, json};

use super::defects::Defects;
use super::input::{Reading, files};
use super::meta::sections;
use super::{Failure, PROGRAM, csv_field, hex};
use crate::exit::Exit;
use crate::messages::say;

const AFTER_HELP: &str = "\
With several files, each line has its file in front. A line has offset, time (UTC), type, interface, bytes on the wire / stored, flags (v varying length, t truncated, r RX error, d DS error, \
x reserved), loss counter or colour, and [extension headers]. A defect is a line on standard error, and with --json an object among the others, too.

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
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Comma-separated values, a row for each record.
    #[arg(long, conflicts_with_all = ["full", "hex"])]
    csv: bool,

    /// So many records at most.
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,

    #[command(flatten)]
    reading: Reading,
}

const COLUMNS: &str = "file,offset,raw,ns,time,type,type_number,interface,rlen,wire_length,captured_length,flags,rx_error,ds_error,lost,color,ext_headers";

/// What stands in front of what is said of a record.
struct Front<'a> {
    file: &'a Path,
    text: String,
}

impl<'a> Front<'a> {
    fn of(args: &Args, file: &'a Path, is_alone: bool) -> Self {
        let name = file.display();
        let text = match () {
            () if args.csv => csv_field(&name.to_string()),
            () if is_alone => String::new(),
            () => format!("{}: ", plain(file.as_os_str().as_encoded_bytes())),
        };
        Self { file, text }
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut defects = Defects::default();
    let mut failed = false;
    let mut left = args.count.unwrap_or(u64::MAX);
    let files = files(&args.inputs)?;
    if args.csv {
        writeln!(out, "{COLUMNS}").map_err(Failure::Output)?;
    }
    for file in &files {
        let front = Front::of(args, file, files.len() == 1);
        let dumped =
            dump(args, &front, &mut left, &mut defects, &mut out).and_then(|()| out.flush().map_err(Failure::Output));
        match dumped {
            Ok(()) => {}
            // Whoever read has seen enough.
            Err(Failure::Output(cause)) if cause.kind() == io::ErrorKind::BrokenPipe => break,
            Err(failure) => {
                say(PROGRAM, failure);
                failed = true;
            }
        }
    }
    let exit = defects.end();
    Ok(if failed { Exit::Failed } else { exit })
}

fn dump(
    args: &Args,
    front: &Front<'_>,
    left: &mut u64,
    defects: &mut Defects,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut reader = args.reading.open(front.file)?;
    let name = reader.name().to_owned();
    loop {
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(()),
            // A defect like the others: what could be read has been dumped.
            Err(error) if error.is_damage() => {
                return tell(args, defects, out, |defects| {
                    defects.broken(&error);
                });
            }
            Err(error) => return Err(error.into()),
        };
        let mut items = batch.iter();
        loop {
            if *left == 0 {
                return Ok(());
            }
            let offset = items.offset();
            match items.next() {
                Some(Ok(record)) => {
                    *left -= 1;
                    write_record(args, front, offset, &record, out).map_err(Failure::Output)?;
                    if Defects::is_odd(offset, &record) {
                        tell(args, defects, out, |defects| defects.audit(&name, offset, &record))?;
                    }
                }
                Some(Err(defect)) => tell(args, defects, out, |defects| defects.tell(&name, &defect))?,
                None => break,
            }
        }
    }
}

/// Tells of defects behind what was dumped before them.
fn tell(
    args: &Args,
    defects: &mut Defects,
    out: &mut impl Write,
    found: impl FnOnce(&mut Defects),
) -> Result<(), Failure> {
    out.flush().map_err(Failure::Output)?;
    found(defects);
    let mut lines = defects.fresh().filter(|_| args.json);
    lines.try_for_each(|line| writeln!(out, "{line}")).map_err(Failure::Output)
}

fn write_record(
    args: &Args,
    front: &Front<'_>,
    offset: u64,
    record: &Record<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let text = &front.text;
    if args.json {
        return writeln!(out, "{}", value(args, front.file, offset, record));
    }
    if args.csv {
        return write_row(text, offset, record, out);
    }
    if args.full {
        write!(out, "{text}{}", Full { offset, record })?;
    } else {
        writeln!(out, "{text}{}", Line { offset, record })?;
    }
    if args.hex { write!(out, "{}", Hex(record.payload())) } else { Ok(()) }
}

/// A row; nothing but the name of the file has letters that would have to be quoted.
fn write_row(file: &str, offset: u64, record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    let (stamp, record_type, flags) = (record.timestamp(), record.record_type(), record.flags());
    write!(out, "{file},{offset},{:#018x},{},{}", stamp.raw(), stamp.nanos(), utc(stamp))?;
    write!(out, ",{record_type},{},{},{}", record_type.number(), record.interface(), record.rlen())?;
    write!(out, ",{},{},{}", record.wire_len(), record.captured_len(), flags.bits())?;
    write!(out, ",{},{}", flags.rx_error(), flags.ds_error())?;
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    write!(out, ",{},{},", number(record.loss().map(u64::from)), number(record.color().map(u64::from)))?;
    for (at, header) in record.ext_headers().enumerate() {
        write!(out, "{}{:016x}", if at == 0 { "" } else { " " }, header.to_u64())?;
    }
    writeln!(out)
}

fn value(args: &Args, file: &Path, offset: u64, record: &Record<'_>) -> Value {
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
        "schema": 1,
        "file": file.display().to_string(),
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
            value["meta"] = sections(record);
        }
    }
    if args.hex {
        value["payload"] = hex(record.payload()).into();
    }
    value
}
