//! One input, looked at record by record, and made into one output.

use std::path::{Path, PathBuf};

use erf::convert::{Converter, Refusal, Summary};
use erf::pieces::{Piece, Pieces};
use erf::writer::WholeFile;
use erf::{Batch, Defect, FileFormat, Reader, Record};
use serde_json::Value;

use super::defects::{Defects, Found};
use super::input::Reading;
use super::output::Writing;
use super::progress::Progress;
use super::summary::Summing;
use super::{Failure, PROGRAM, carried, counted};
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
    converter: Converter<WholeFile>,
    output: PathBuf,
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
        Ok(Self { converter: writing.begin(output, read)?.with_totals(counting), output: output.to_owned() })
    }

    pub(super) fn write(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        Ok(self.converter.write_record(record)?)
    }

    /// Writes whole records that lie one after another.
    pub(super) fn write_run(&mut self, run: &[u8], count: u64) -> Result<(), erf::Error> {
        self.converter.write_run(run, count)
    }

    /// Ends the output, and says what had no place in its format.
    pub(super) fn finish_with_account(self) -> Result<Summary, Failure> {
        let is_erf = self.converter.format() == FileFormat::Erf;
        let (file, summary) = self.converter.finish()?;
        file.finish()?;
        // ERF says all of a record.
        for line in carried::lines(&summary).iter().filter(|_| !is_erf) {
            say(PROGRAM, format_args!("{}: {line}", self.output.display()));
        }
        Ok(summary)
    }
}

/// Gives every record of `reader` with its offset to `step`, and what is wrong with it to `defects`.
pub(super) fn read(
    reader: &mut Reader,
    progress: &mut Progress,
    defects: &mut Defects,
    mut step: impl FnMut(u64, &Record<'_>) -> Result<Next, Failure>,
) -> Result<(), Failure> {
    read_batches(reader, progress, defects, |batch, mut told| {
        let mut records = batch.iter();
        loop {
            let offset = records.offset();
            let Some(item) = records.next() else { return Ok(Next::Go) };
            if let Some(record) = told.hear(offset, item)
                && step(offset, &record)? == Next::Stop
            {
                return Ok(Next::Stop);
            }
        }
    })
}

/// Whom to tell of what is wrong with the records of a batch.
pub(super) struct Told<'a> {
    defects: &'a mut Defects,
    name: &'a str,
}

impl Told<'_> {
    /// Tells what is wrong with an item at `offset`, and gives the record if it is one.
    #[inline]
    pub(super) fn hear<'r>(&mut self, offset: u64, item: Result<Record<'r>, Defect>) -> Option<Record<'r>> {
        match item {
            Ok(record) => {
                self.defects.audit(self.name, offset, &record);
                Some(record)
            }
            Err(defect) => {
                self.defects.tell(self.name, &defect);
                None
            }
        }
    }

    /// Tells what was found in a stretch.
    pub(super) fn hear_all(self, found: &Found) {
        self.defects.tell_all(self.name, found);
    }
}

/// Gives every batch of `reader` to `step`.
fn read_batches(
    reader: &mut Reader,
    progress: &mut Progress,
    defects: &mut Defects,
    mut step: impl FnMut(&Batch<'_>, Told<'_>) -> Result<Next, Failure>,
) -> Result<(), Failure> {
    let name = reader.name().to_owned();
    loop {
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            // What could be read has been, and is worth having.
            Err(error) if defects.broken(&error) => break,
            Err(error) => return Err(error.into()),
        };
        if step(&batch, Told { defects, name: &name })? == Next::Stop {
            break;
        }
        progress.add(batch.bytes().len() as u64);
    }
    say_refused(&name, reader.refused());
    defects.read(reader.refused(), reader.unread());
    Ok(())
}

/// Says how many packets of a pcap file could not be read as records.
pub(super) fn say_refused(name: &str, refused: Option<(u64, Refusal)>) {
    if let Some((count, first)) = refused {
        let has = if count == 1 { "has" } else { "have" };
        let packets = counted(count, "packet");
        say(PROGRAM, format_args!("{name}: {packets} {has} no place in ERF, left out: {first}"));
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
    /// Where packets become ERF, snapped ones are cut to multiples of 8.
    pub(super) fn begin(files: &Files) -> Result<Self, Failure> {
        Self::over(files, files.reading.open_for(&files.input, files.writing.format(&files.output))?)
    }

    /// The same for a pass that looks into packets: it sees every stored byte, and what it writes has them all.
    pub(super) fn begin_whole(files: &Files) -> Result<Self, Failure> {
        Self::over(files, files.reading.open_whole_for(&files.input, files.writing.format(&files.output))?)
    }

    fn over(files: &Files, reader: Reader) -> Result<Self, Failure> {
        let read = std::slice::from_ref(&files.input);
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

    /// Gives every batch to `step`, which tells what is wrong with its records.
    pub(super) fn each_batch(
        &mut self,
        mut step: impl FnMut(&Batch<'_>, Told<'_>, &mut Sink) -> Result<Next, Failure>,
    ) -> Result<(), Failure> {
        let Self { reader, sink, progress, defects, .. } = self;
        read_batches(reader, progress, defects, |batch, told| step(batch, told, sink))
    }

    /// Whether threads can share the input.
    pub(super) fn can_be_shared(&self, pieces: &Pieces) -> bool {
        pieces.can_share(&self.reader)
    }

    /// What `look` sees in the first batch, if there is one. Only pieces see these records after that.
    pub(super) fn look<T>(&mut self, look: impl FnOnce(&Batch<'_>) -> T) -> Result<Option<T>, Failure> {
        Ok(self.reader.next_batch()?.map(|batch| look(&batch)))
    }

    /// Gives the input, which threads can share, from its beginning to pieces that `make` makes, and these to `step` in the order of the file.
    pub(super) fn each_piece<P: Piece>(
        &mut self,
        pieces: &Pieces,
        make: impl Fn() -> P + Sync,
        mut step: impl FnMut(P, Told<'_>, &mut Sink) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self { reader, sink, progress, defects, .. } = self;
        let name = reader.name();
        let step = |piece| step(piece, Told { defects, name }, sink);
        let given = pieces.each(reader, make, step, |bytes| progress.add(bytes))?;
        match given.and_then(|given| given.error) {
            Some(error) if !self.defects.broken(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Ends the output and prints the summary, with what else there is to say.
    pub(super) fn end(self, more: Value) -> Result<Exit, Failure> {
        let account = self.sink.finish_with_account()?;
        if !self.summing.is_wanted() {
            say(PROGRAM, format_args!("{} written", counted(account.written, "record")));
        }
        self.summing.print(&account.totals, &self.defects, with_account(more, &account))?;
        Ok(self.defects.end())
    }
}

/// What there is to say, and what is not in the output.
pub(super) fn with_account(mut more: Value, account: &Summary) -> Value {
    if let Some(more) = more.as_object_mut() {
        more.extend(carried::json(account));
    }
    more
}

/// What a record is called in a message that says why it could not be dealt with.
pub(super) fn failed_at(name: &str, offset: u64, why: impl std::fmt::Display) -> Failure {
    Failure::Usage(format!("{name}: record at byte {offset}: {why}"))
}
