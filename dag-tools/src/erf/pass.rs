//! One input, looked at record by record, and made into one output.

use std::path::{Path, PathBuf};

use erf::convert::{Outcome, Refusal};
use erf::writer::{AnyWriter, WholeFile};
use erf::{Reader, Record, RecordType, Totals};
use serde_json::Value;

use super::defects::Defects;
use super::input::Reading;
use super::output::Writing;
use super::progress::Progress;
use super::summary::Summing;
use super::{Failure, PROGRAM};
use crate::exit::Exit;
use crate::messages::say;

/// What is read and what is written.
#[derive(Debug, clap::Args)]
pub(super) struct Files {
    /// File to read; - is standard input.
    pub(super) input: PathBuf,

    /// File to write; - is standard output.
    pub(super) output: PathBuf,

    #[command(flatten)]
    pub(super) reading: Reading,

    #[command(flatten)]
    pub(super) writing: Writing,

    #[command(flatten)]
    pub(super) summing: Summing,
}

/// Whether a pass goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Stop,
}

/// The output, and what is in it.
#[derive(Debug)]
pub(super) struct Sink {
    writer: AnyWriter<WholeFile>,
    totals: Totals,
    counting: bool,
}

impl Sink {
    /// Begins `output`, made from `read`.
    pub(super) fn begin(output: &Path, read: &[PathBuf], writing: &Writing, summing: Summing) -> Result<Self, Failure> {
        summing.check(output)?;
        Self::begin_counting(output, read, writing, summing.is_wanted())
    }

    /// The same, one of several outputs, of which sums are made or not.
    pub(super) fn begin_counting(
        output: &Path,
        read: &[PathBuf],
        writing: &Writing,
        counting: bool,
    ) -> Result<Self, Failure> {
        Ok(Self { writer: writing.begin(output, read)?, totals: Totals::default(), counting })
    }

    pub(super) fn write(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        if self.writer.write_record(record)? == Outcome::Written && self.counting {
            self.totals.add(record);
        }
        Ok(())
    }

    /// Writes whole records that lie one after another.
    pub(super) fn write_run(&mut self, run: &[u8], count: u64) -> Result<(), erf::Error> {
        if !self.counting {
            return self.writer.write_run(run, count);
        }
        for record in erf::Records::new(run).flatten() {
            if self.writer.write_record(&record)? == Outcome::Written {
                self.totals.add(&record);
            }
        }
        Ok(())
    }

    /// Ends the output, and says what had no place in its format.
    pub(super) fn finish(self) -> Result<Totals, Failure> {
        for (record_type, count) in self.writer.skipped().into_iter().flat_map(|skipped| skipped.iter()) {
            // Filler is nobody's loss.
            if record_type != RecordType::PAD {
                say(
                    PROGRAM,
                    format_args!("{count} {record_type} records have no place in the output and were left out"),
                );
            }
        }
        self.writer.finish()?.finish()?;
        Ok(self.totals)
    }
}

/// Gives every record of `reader` with its offset to `step`, and what is wrong with it to `defects`.
pub(super) fn read(
    reader: &mut Reader,
    progress: &mut Progress,
    defects: &mut Defects,
    mut step: impl FnMut(u64, &Record<'_>) -> Result<Next, Failure>,
) -> Result<(), Failure> {
    let name = reader.name().to_owned();
    'input: loop {
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            // What could be read has been, and is worth having.
            Err(error) if error.is_damage() => {
                defects.broken(&error);
                break;
            }
            Err(error) => return Err(error.into()),
        };
        let mut records = batch.iter();
        loop {
            let offset = records.offset();
            match records.next() {
                Some(Ok(record)) => {
                    if step(offset, &record)? == Next::Stop {
                        break 'input;
                    }
                }
                Some(Err(defect)) => defects.tell(&name, &defect),
                None => break,
            }
        }
        progress.add(batch.bytes().len() as u64);
    }
    say_refused(&name, reader.refused());
    Ok(())
}

/// Says how many packets of a pcap file could not be read as records.
pub(super) fn say_refused(name: &str, refused: Option<(u64, Refusal)>) {
    if let Some((count, first)) = refused {
        say(PROGRAM, format_args!("{name}: {count} packets have no place in ERF and were left out: {first}"));
    }
}

/// A pass from one file to one other.
#[derive(Debug)]
pub(super) struct Pass {
    reader: Reader,
    sink: Sink,
    progress: Progress,
    defects: Defects,
    summing: Summing,
}

impl Pass {
    pub(super) fn begin(files: &Files) -> Result<Self, Failure> {
        let read = std::slice::from_ref(&files.input);
        let reader = files.reading.open(&files.input)?;
        let sink = Sink::begin(&files.output, read, &files.writing, files.summing)?;
        let progress = Progress::over(read);
        Ok(Self { reader, sink, progress, defects: Defects::default(), summing: files.summing })
    }

    /// How the input is called.
    pub(super) fn name(&self) -> &str {
        self.reader.name()
    }

    pub(super) fn sink(&mut self) -> &mut Sink {
        &mut self.sink
    }

    /// Gives every record with its offset to `step`.
    pub(super) fn each(
        &mut self,
        mut step: impl FnMut(u64, &Record<'_>, &mut Sink) -> Result<Next, Failure>,
    ) -> Result<(), Failure> {
        let Self { reader, sink, progress, defects, .. } = self;
        read(reader, progress, defects, |offset, record| step(offset, record, sink))
    }

    /// Ends the output and prints the summary, with what else there is to say.
    pub(super) fn end(self, more: Value) -> Result<Exit, Failure> {
        if !self.summing.is_wanted() {
            say(PROGRAM, format_args!("{} records written", self.sink.writer.written()));
        }
        let totals = self.sink.finish()?;
        self.summing.print(&totals, &self.defects, more)?;
        Ok(self.defects.end())
    }
}

/// What a record is called in a message that says why it could not be dealt with.
pub(super) fn failed_at(name: &str, offset: u64, why: impl std::fmt::Display) -> Failure {
    Failure::Usage(format!("{name}: record at byte {offset}: {why}"))
}
