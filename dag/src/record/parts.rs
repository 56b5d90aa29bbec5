//! [`Parts`]: the file that the writer writes to, and of a rotated recording those before it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use erf::session::Closing;

use super::PATIENCE;
use super::chunk::{Chunk, Turn};
use super::packed::InFile;
use super::progress::Progress;
use super::rotation::{Files, Part};
use super::sink::{Sink, Target};
use crate::error::{Error, Repr};

/// What the writer writes to.
#[derive(Debug)]
pub(super) struct Parts {
    /// The file being written.
    sink: Option<Sink>,
    rotated: Option<Rotated>,
    /// Of files that are complete.
    complete: InFile,
    unfit: u64,
}

/// What files of a rotated recording are made with.
#[derive(Debug)]
pub(super) struct Rotated {
    pub(super) files: Box<dyn Files>,
    pub(super) target: Target,
    pub(super) ending: Arc<AtomicBool>,
    pub(super) progress: Arc<Progress>,
    pub(super) part: Option<Part>,
}

impl Parts {
    /// One file.
    pub(super) fn one(sink: Sink) -> Self {
        Self { sink: Some(sink), rotated: None, complete: InFile::default(), unfit: 0 }
    }

    /// Many files, each begun and ended by a turn.
    pub(super) fn many(rotated: Rotated) -> Self {
        Self { sink: None, rotated: Some(rotated), complete: InFile::default(), unfit: 0 }
    }

    /// Writes the records of `chunk`, or takes its turn.
    pub(super) fn write(&mut self, chunk: &mut Chunk) -> Result<(), Error> {
        match chunk.turn.take() {
            Some(Turn::Begin(part)) => self.begin(part),
            Some(Turn::End(closing)) => self.end(closing.map(|closing| *closing)),
            None => self.sink()?.write(chunk).map_err(Error::writing),
        }
    }

    fn begin(&mut self, part: Part) -> Result<(), Error> {
        let Some(rotated) = &mut self.rotated else { return Err(Error::state("one file is written, and no other")) };
        let output = rotated.files.begin(&part).map_err(Repr::Files)?;
        let output = output.while_ending(Arc::clone(&rotated.ending), PATIENCE);
        self.sink = Some(Sink::open(output, rotated.target.clone(), Arc::clone(&rotated.progress))?);
        rotated.part = Some(part);
        Ok(())
    }

    /// Completes the file, with `closing`.
    fn end(&mut self, closing: Option<Closing>) -> Result<(), Error> {
        let Some(mut sink) = self.sink.take() else { return Ok(()) };
        if let Err(error) = sink.settle() {
            self.sink = Some(sink);
            return Err(Error::writing(error));
        }
        let packets = sink.in_file().packets;
        self.complete.packets += packets;
        self.unfit += sink.unfit();
        let (InFile { bytes, content, .. }, output) = sink.finish(closing).map_err(Error::writing)?;
        self.complete.bytes += bytes;
        self.complete.content += content;
        if let Some(Rotated { files, part: Some(part), .. }) = &mut self.rotated {
            files.finished(part, output, bytes).map_err(Repr::Files)?;
        }
        Ok(())
    }

    fn sink(&mut self) -> Result<&mut Sink, Error> {
        self.sink.as_mut().ok_or_else(|| Error::state("no file is being written"))
    }

    /// The file being written, if one is.
    pub(super) fn current(&mut self) -> Option<&mut Sink> {
        self.sink.as_mut()
    }

    /// What is whole in the files.
    pub(super) fn in_files(&self) -> InFile {
        let open = self.sink.as_ref().map_or(InFile::default(), Sink::in_file);
        let InFile { packets, bytes, content } = self.complete;
        InFile { packets: packets + open.packets, bytes: bytes + open.bytes, content: content + open.content }
    }

    /// Packets that the format has no place for.
    pub(super) fn unfit(&self) -> u64 {
        self.unfit + self.sink.as_ref().map_or(0, Sink::unfit)
    }

    /// Ends the file being written. Says what is in all of them.
    pub(super) fn finish(mut self, closing: Option<Closing>) -> Result<InFile, Error> {
        self.end(closing)?;
        Ok(self.complete)
    }
}
