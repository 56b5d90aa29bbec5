//! `erf align` and `erf snap`: records of another length.

use erf::{BuildError, FileFormat, MAX_RECORD_LEN, Record, resize};
use serde_json::json;

use super::pass::{Files, Next, Pass, failed_at};
use super::{Failure, PROGRAM, counted};
use crate::exit::Exit;
use crate::messages::say;

#[derive(Debug, clap::Args)]
pub(super) struct AlignArgs {
    #[command(flatten)]
    files: Files,

    /// Length of each record is a multiple of this: 8, or 16 for some transmit streams.
    #[arg(long, value_name = "BYTES", default_value_t = 8, value_parser = multiple)]
    multiple: u16,
}

#[derive(Debug, clap::Args)]
pub(super) struct SnapArgs {
    #[command(flatten)]
    files: Files,

    /// Bytes of each packet that are kept.
    #[arg(short, long, value_name = "BYTES")]
    len: u16,

    /// Keep exactly so many; otherwise up to 7 less, so that lengths of records stay multiples of 8 without padding that would be
    /// read as payload.
    #[arg(long)]
    exact: bool,
}

fn multiple(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(multiple @ (4 | 8 | 16 | 32 | 64)) => Ok(multiple),
        _ => Err("4, 8, 16, 32 or 64".to_owned()),
    }
}

pub(super) fn align(args: &AlignArgs) -> Result<Exit, Failure> {
    if args.files.writing.format(&args.files.output) != FileFormat::Erf {
        return Err(Failure::Usage("only records of ERF files have lengths to be aligned".to_owned()));
    }
    each(&args.files, |record, buffer| resize::align(record, args.multiple, buffer))
}

pub(super) fn snap(args: &SnapArgs) -> Result<Exit, Failure> {
    each(&args.files, |record, buffer| resize::snap(record, usize::from(args.len), args.exact, buffer))
}

fn each(
    files: &Files,
    change: impl for<'b> Fn(&Record<'_>, &'b mut [u8]) -> Result<Record<'b>, BuildError>,
) -> Result<Exit, Failure> {
    let mut pass = Pass::begin_whole(files)?;
    let name = pass.name().to_owned();
    let mut buffer = vec![0; MAX_RECORD_LEN];
    let (mut changed, mut cut, mut cut_packets) = (0u64, 0u64, 0u64);
    pass.each(|offset, record, sink| {
        let resized = change(record, &mut buffer).map_err(|error| failed_at(&name, offset, error))?;
        changed += u64::from(resized.rlen() != record.rlen());
        let gone = record.captured_len().saturating_sub(resized.captured_len());
        cut += gone as u64;
        cut_packets += u64::from(gone > 0);
        sink.write(&resized)?;
        Ok(Next::Go)
    })?;
    if cut_packets > 0 {
        let (bytes, packets) = (counted(cut, "byte"), counted(cut_packets, "packet"));
        say(PROGRAM, format_args!("{bytes} of {packets} cut off"));
    }
    pass.end(json!({ "changed": changed, "cut_bytes": cut, "cut_packets": cut_packets }))
}
