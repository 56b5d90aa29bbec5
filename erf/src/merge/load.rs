//! Loading the records of an input block by block: by whoever asks, or by a thread that is a block ahead.

use std::ops::Range;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use erf_core::{Audit, Defect, Record, Severity};

use crate::convert::PlainFrame;
use crate::shift::Correction;
use crate::{Error, ErrorKind, Reader};

/// A record of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// What it is placed by: its stamp, corrected. Filler has no time and goes with the record before it.
    pub(crate) key: u64,
    pub(super) start: usize,
    pub(super) len: u32,
    /// Where it was, in the decompressed data of its file.
    pub(crate) offset: u64,
}

impl Entry {
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.start + self.len as usize
    }
}

/// Records of one block, copied out of the reader so that several inputs can be looked at together.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) block: Vec<u8>,
    pub(super) entries: Vec<Entry>,
    /// What is wrong with them.
    pub(super) defects: Vec<Defect>,
}

/// An input, and what is done to its records.
pub(super) struct Loader {
    pub(super) reader: Reader,
    pub(super) correction: Correction,
    /// Filler has been given stamps, and is placed by them.
    pub(super) stamped_filler: bool,
    /// Key of the last record loaded.
    last: u64,
    /// What is in the way of more.
    failed: Option<Error>,
}

impl Loader {
    pub(super) fn new(reader: Reader, correction: Correction) -> Self {
        Self { reader, correction, stamped_filler: false, last: 0, failed: None }
    }

    /// The next block, in the room of `loaded`, which is empty; `None`: the input is over.
    fn load(&mut self, mut loaded: Loaded) -> Result<Option<Loaded>, Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let Some(batch) = self.reader.next_batch()? else { return Ok(None) };
        let Loaded { block, entries, defects } = &mut loaded;
        // Records without a defect between them lie as they did in the file and are copied at once.
        let mut iter = batch.iter();
        let mut clean = true;
        let before = self.last;
        loop {
            // Nothing is odd about plain ones, which are nearly all.
            if let Some(mut rest) = iter.plain_rest() {
                let mut offset = iter.offset();
                let first = offset;
                while let Some(plain) = PlainFrame::ahead(rest, 0) {
                    let len = (rest.len() - plain.rest.len()) as u32;
                    self.last = plain.stamp.raw();
                    entries.push(Entry { key: self.last, start: (offset - batch.offset()) as usize, len, offset });
                    offset += u64::from(len);
                    rest = plain.rest;
                }
                iter.pass((offset - first) as usize);
            }
            let offset = iter.offset();
            match iter.next() {
                Some(Ok(record)) => {
                    Audit::oddities(offset, &record, |odd| {
                        if odd.kind.severity() >= Severity::Warning {
                            defects.push(odd);
                        }
                    });
                    if !record.is_pad() || self.stamped_filler {
                        self.last = record.timestamp().raw();
                    }
                    let start = (offset - batch.offset()) as usize;
                    entries.push(Entry { key: self.last, start, len: u32::from(record.rlen()), offset });
                }
                Some(Err(found)) => {
                    clean = false;
                    defects.push(found);
                }
                None => break,
            }
        }
        if clean {
            block.extend_from_slice(batch.bytes());
        } else {
            let records = batch.iter().filter_map(Result::ok);
            for (entry, record) in entries.iter_mut().zip(records) {
                entry.start = block.len();
                block.extend_from_slice(record.bytes());
            }
        }
        if !self.correction.is_none() {
            self.last = before;
            // What is wrong with the block is told before.
            if let Err(error) = self.correct(block, entries) {
                self.failed = Some(error);
                entries.clear();
                block.clear();
            }
        }
        Ok(Some(loaded))
    }

    /// Corrects the stamps of records that follow those loaded before.
    fn correct(&mut self, block: &mut [u8], entries: &mut [Entry]) -> Result<(), Error> {
        for entry in entries {
            let bytes = &mut block[entry.range()];
            match Record::parse(bytes) {
                Ok(record) if !record.is_pad() => self.correction.settle(record.timestamp()),
                _ => {
                    entry.key = self.last;
                    continue;
                }
            }
            let Some(moved) = self.correction.apply_to(bytes) else {
                return Err(out_of_range().at(entry.offset).in_file(self.reader.name()));
            };
            entry.key = moved.raw();
            self.last = entry.key;
        }
        Ok(())
    }
}

fn out_of_range() -> Error {
    Error::new(ErrorKind::InvalidInput, "the corrected stamp is before 1970 or after 2106; the stamp")
}

/// A block to be loaded by a [`Helper`].
pub(super) struct Job {
    loader: Box<Loader>,
    room: Loaded,
    done: Sender<Done>,
}

struct Done {
    loader: Box<Loader>,
    loaded: Result<Option<Loaded>, Error>,
}

/// A thread that loads for all inputs, in the order in which they need it. It ends when nobody can ask it any more.
pub(super) struct Helper {
    pub(super) jobs: Sender<Job>,
}

impl Helper {
    /// `None`: there is no thread to be had.
    pub(super) fn start() -> Option<Helper> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let work = move || {
            for Job { mut loader, room, done } in queue {
                let loaded = loader.load(room);
                // Who no longer waits for it has given up.
                let _ = done.send(Done { loader, loaded });
            }
        };
        thread::Builder::new().name("erf-load".to_owned()).spawn(work).ok()?;
        Some(Helper { jobs })
    }
}

/// Where the blocks of an input come from.
pub(super) struct Feed {
    at: Place,
    /// Who loads the next block while this one is taken.
    helper: Option<Sender<Job>>,
    /// Of a block that was taken, for the next job.
    room: Loaded,
}

enum Place {
    Here(Box<Loader>),
    /// With the helper.
    Away(Receiver<Done>),
}

impl Feed {
    pub(super) fn new(loader: Loader) -> Self {
        Self { at: Place::Here(Box::new(loader)), helper: None, room: Loaded::default() }
    }

    /// Lets `helper` be a block ahead from the next block on.
    pub(super) fn help(&mut self, helper: &Helper) {
        self.helper = Some(helper.jobs.clone());
    }

    /// The input itself, where nobody is at work on it, as when it is over.
    pub(super) fn loader(&self) -> Option<&Loader> {
        match &self.at {
            Place::Here(loader) => Some(loader),
            Place::Away(_) => None,
        }
    }

    pub(super) fn loader_mut(&mut self) -> Option<&mut Loader> {
        match &mut self.at {
            Place::Here(loader) => Some(loader),
            Place::Away(_) => None,
        }
    }

    /// The next block; `None`: the input is over. `room` is that of one that was taken.
    pub(super) fn next(&mut self, room: Loaded) -> Result<Option<Loaded>, Error> {
        let loaded = match &mut self.at {
            Place::Here(loader) => loader.load(room),
            Place::Away(done) => {
                let answer = done.recv();
                self.room = room;
                match answer {
                    Ok(Done { loader, loaded }) => {
                        self.at = Place::Here(loader);
                        loaded
                    }
                    Err(_) => Err(Error::new(ErrorKind::Read, "the thread that loads records has fallen")),
                }
            }
        };
        if let (Ok(Some(_)), Some(helper)) = (&loaded, &self.helper) {
            let (done, answer) = mpsc::channel();
            if let Place::Here(loader) = std::mem::replace(&mut self.at, Place::Away(answer)) {
                let room = std::mem::take(&mut self.room);
                if let Err(mpsc::SendError(Job { loader, .. })) = helper.send(Job { loader, room, done }) {
                    self.at = Place::Here(loader);
                }
            }
        }
        loaded
    }
}
