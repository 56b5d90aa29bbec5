//! Runs of records in temporary files.

use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;

use erf_core::{RecordBuilder, RecordType};

use super::ahead::Ahead;
use crate::input::Source;
use crate::shift::Correction;
use crate::writer::ErfWriter;
use crate::{Access, Error, ErrorKind, FileFormat, Reader};

/// A temporary file being written. It has no name, so that nothing is left of it however this process ends.
pub(crate) struct Spill {
    writer: ErfWriter<File>,
}

impl Spill {
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self, Error> {
        let default = std::env::temp_dir();
        let folder = folder.unwrap_or(&default);
        let failed = |cause| {
            Error::new(ErrorKind::Open, "cannot make a temporary file in this folder").in_path(folder).because(cause)
        };
        let file = tempfile::tempfile_in(folder).map_err(failed)?;
        let name = format!("temporary file in {}", folder.display());
        let mut spill = Self { writer: ErfWriter::new(file).named(name) };
        // A reader looks at the first bytes for compression, and a stamp can look like any: filler stands before it.
        spill.write(&filler(), 1)?;
        Ok(spill)
    }

    pub(crate) fn write(&mut self, run: &[u8], count: u64) -> Result<(), Error> {
        self.writer.write_run(run, count)
    }

    /// Ends the writing.
    pub(crate) fn finish(self) -> Result<File, Error> {
        self.writer.finish()
    }
}

/// What places filler in temporary files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filler {
    /// It follows the record before it.
    Follows,
    /// It has been given a stamp.
    Stamped,
}

/// Begins to read what a [`Spill`] wrote.
pub(super) fn lane(mut file: File, block: usize, filler: Filler) -> Result<Ahead, Error> {
    let failed = |cause: io::Error| Error::new(ErrorKind::Read, "a temporary file cannot be read").because(cause);
    file.rewind().map_err(failed)?;
    let source = Source::Stream { name: "temporary file".to_owned(), reader: Box::new(file) };
    let reader = Reader::builder()
        .access(Access::Blocks)
        .block_size(block)
        .force_format(FileFormat::Erf)
        .open(source)?
        .of_file(true);
    let lane = Ahead::new(reader, Correction::default(), None);
    let mut lane = if filler == Filler::Stamped { lane.with_stamped_filler() } else { lane };
    lane.fill(&mut |_| {})?;
    lane.pass();
    Ok(lane)
}

fn filler() -> Vec<u8> {
    RecordBuilder::new(RecordType::PAD).to_vec().unwrap_or_default()
}
