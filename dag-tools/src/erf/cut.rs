//! `erf cut`: the records that are wanted.

use std::path::PathBuf;

use erf::select::{Selection, Selector};

use super::input::Reading;
use super::output::Writing;
use super::progress::Progress;
use super::{Failure, PROGRAM};
use crate::exit::Exit;
use crate::messages::say;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File to read; - is standard input.
    input: PathBuf,

    /// File to write; - is standard output.
    output: PathBuf,

    /// Capture interfaces (ports), 0 to 7.
    #[arg(short, long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..8))]
    interface: Vec<u8>,

    /// Pass over the first packets, so many of those that are wanted otherwise.
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,

    /// So many packets at most.
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    writing: Writing,
}

impl Args {
    fn selection(&self) -> Selection {
        let mut selection = Selection::new().skip(self.skip);
        if !self.interface.is_empty() {
            selection = selection.interfaces(self.interface.iter().copied());
        }
        match self.count {
            Some(count) => selection.count(count),
            None => selection,
        }
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let read = std::slice::from_ref(&args.input);
    let mut reader = args.reading.open(&args.input)?;
    let mut writer = args.writing.begin(&args.output, read)?;
    let mut progress = Progress::over(read);
    let mut selector = Selector::new(args.selection());
    let mut exit = Exit::Done;
    while let Some(batch) = reader.next_batch()? {
        for item in &batch {
            match item {
                Ok(record) if selector.wants(&record) => {
                    writer.write_record(&record)?;
                }
                Ok(_) => {}
                Err(defect) => {
                    say(PROGRAM, format_args!("{}: {defect}", args.input.display()));
                    exit = Exit::No;
                }
            }
            if selector.is_over() {
                break;
            }
        }
        progress.add(batch.bytes().len() as u64);
        if selector.is_over() {
            break;
        }
    }
    writer.finish()?.finish()?;
    Ok(exit)
}
