//! Several files into one, in the order of their stamps, in memory that grows neither with the files nor with their number.
//!
//! ```
//! use erf::input::Source;
//! use erf::merge::{Input, Merge};
//! use erf::{Reader, RecordBuilder, RecordType, Timestamp};
//!
//! let file = |seconds: [u32; 2]| {
//!     let mut file = Vec::new();
//!     for second in seconds {
//!         let stamp = Timestamp::from_parts(1_700_000_000 + second, 0);
//!         file.extend(RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&[7; 64]).to_vec().unwrap());
//!     }
//!     Source::from_read(std::io::Cursor::new(file))
//! };
//! let (one, other) = (file([1, 4]), file([2, 3]));
//! let mut merged = Vec::new();
//! let reports = Merge::new()
//!     .input(Input::new(move || Reader::open(one)))
//!     .input(Input::new(move || Reader::open(other)))
//!     .run(&mut |_, _| {}, &mut |run, _count| {
//!         merged.extend_from_slice(run);
//!         Ok(())
//!     })?;
//! let seconds: Vec<u32> = erf::Records::new(&merged).map(|record| record.unwrap().timestamp().secs() % 100).collect();
//! assert_eq!(seconds, [1, 2, 3, 4]);
//! assert_eq!(reports[0].records, 2);
//! # Ok::<(), erf::Error>(())
//! ```
//!
//! **Order.** By the raw stamp; equal stamps stay in the order of the inputs, and within an input in that of the file. Records of
//! one input keep their order, also where their stamps go back, unless a [`window`](Merge::window) is given: what describes
//! packets stays before them, and an input that is out of order makes the output so, which its [`InputReport`] says. Filler (PAD) has no
//! time and stays behind the record that it follows.
//!
//! **Nothing is changed** but stamps where a [`Correction`] says so: loss counters count records lost before a record on its own
//! stream, which merging does not alter.

mod ahead;
mod load;
#[cfg(all(test, unix))]
mod load_tests;
mod spill;
mod tree;

#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use erf_core::{Defect, TimeDelta};

pub(crate) use ahead::Ahead;
pub use ahead::Disorder;
use load::Helper;
pub(crate) use spill::{Filler, Spill};
use tree::LoserTree;

use crate::convert::{Refusal, Unread};
use crate::shift::Correction;
use crate::{Error, Reader};

/// Inputs open at once; more are merged in rounds.
pub const FAN_IN: usize = 200;

/// So many inputs have a block more each, which a thread loads ahead.
const HELPED: usize = 16;

/// Block of a temporary file.
const SPILL_BLOCK: usize = 256 * 1024;

/// Bytes of records gathered from lanes that take turns before they are given on.
const GATHERED: usize = 64 * 1024;

/// Records in a row from which on a lane is asked for as many as it has.
const MANY: u32 = 4;

/// What takes records in their order: whole records that lie one after another, and how many they are.
pub type RunSink<'a> = dyn FnMut(&[u8], u64) -> Result<(), Error> + 'a;

/// One input of a merge.
pub struct Input {
    open: Box<dyn FnOnce() -> Result<Reader, Error>>,
    correction: Correction,
}

impl Input {
    /// Opened when its turn comes: not all may be open at once.
    pub fn new(open: impl FnOnce() -> Result<Reader, Error> + 'static) -> Self {
        Self { open: Box::new(open), correction: Correction::default() }
    }

    /// Its stamps are corrected so before they are compared.
    pub fn correct(self, correction: Correction) -> Self {
        Self { correction, ..self }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("correction", &self.correction).finish_non_exhaustive()
    }
}

/// What an input was like.
#[derive(Debug)]
#[non_exhaustive]
pub struct InputReport {
    /// Its name.
    pub name: String,
    /// Records taken from it.
    pub records: u64,
    /// How far it was out of order, behind what a window put right.
    pub disorder: Disorder,
    /// It ended early, damaged; all before that was taken.
    pub broken: Option<Error>,
    /// For pcap and pcapng: how many packets have no place in ERF, and why the first one has none.
    pub refused: Option<(u64, Refusal)>,
    /// For pcap and pcapng: what no record says.
    pub unread: Unread,
}

/// A merge to be done.
#[derive(Debug, Default)]
pub struct Merge {
    inputs: Vec<Input>,
    window: Option<TimeDelta>,
    fan_in: Option<usize>,
    temporary: Option<PathBuf>,
}

impl Merge {
    /// Of no inputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// One input more.
    pub fn input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// Puts records in order that stand at most this much behind a later one in their file; up to 64 MiB of an input wait for that.
    pub fn window(self, window: TimeDelta) -> Self {
        Self { window: Some(window), ..self }
    }

    /// So many inputs are open at once, at least 2; the default is [`FAN_IN`].
    pub fn fan_in(self, inputs: usize) -> Self {
        Self { fan_in: Some(inputs.max(2)), ..self }
    }

    /// Where temporary files of further rounds go; the system's folder for them otherwise.
    pub fn temporary(self, folder: impl Into<PathBuf>) -> Self {
        Self { temporary: Some(folder.into()), ..self }
    }

    /// Merges. `sink` gets runs of whole records with their number, `defect` what is wrong with an input, by its number.
    ///
    /// # Errors
    ///
    /// When an input cannot be opened or read, when a corrected stamp leaves 1970..2106, and what `sink` returns. A
    /// damaged input is no error: it ends there, and its report says so.
    pub fn run(
        self,
        defect: &mut dyn FnMut(usize, &Defect),
        sink: &mut RunSink<'_>,
    ) -> Result<Vec<InputReport>, Error> {
        let fan_in = self.fan_in.unwrap_or(FAN_IN);
        let mut reports = Vec::new();
        let mut spilt = Vec::new();
        let one_round = self.inputs.len() <= fan_in;
        let mut inputs = self.inputs.into_iter().peekable();
        while inputs.peek().is_some() {
            let mut lanes = Vec::new();
            let first = reports.len();
            for input in inputs.by_ref().take(fan_in) {
                lanes.push(Ahead::new((input.open)()?, input.correction, self.window));
            }
            help(&mut lanes);
            let mut told = |lane: usize, found: &Defect| defect(first + lane, found);
            if one_round {
                combine(&mut lanes, &mut told, sink)?;
            } else {
                let mut spill = Spill::new(self.temporary.as_deref())?;
                combine(&mut lanes, &mut told, &mut |run, count| spill.write(run, count))?;
                spilt.push(spill.finish()?);
            }
            reports.extend(lanes.into_iter().map(|lane| InputReport {
                name: lane.name().to_owned(),
                refused: lane.refused(),
                unread: lane.unread(),
                records: lane.records,
                disorder: lane.disorder,
                broken: lane.broken,
            }));
        }
        combine_spilt(spilt, Filler::Follows, fan_in, self.temporary.as_deref(), sink)?;
        Ok(reports)
    }
}

/// Lets another processor, if there is one, load what is merged. Where an input may wait for whoever writes it, the others would wait with
/// it.
fn help(lanes: &mut [Ahead]) {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    if processors > 1
        && (1..=HELPED).contains(&lanes.len())
        && !lanes.iter().any(Ahead::waits)
        && let Some(helper) = Helper::start()
    {
        lanes.iter_mut().for_each(|lane| lane.help(&helper));
    }
}

/// Merges temporary files, in rounds where they are many.
pub(crate) fn combine_spilt(
    mut files: Vec<File>,
    filler: Filler,
    fan_in: usize,
    folder: Option<&Path>,
    sink: &mut RunSink<'_>,
) -> Result<(), Error> {
    while files.len() > fan_in {
        let mut fewer = Vec::new();
        let mut rest = files.into_iter().peekable();
        while rest.peek().is_some() {
            let mut lanes = open_spilt(rest.by_ref().take(fan_in), filler)?;
            let mut spill = Spill::new(folder)?;
            combine(&mut lanes, &mut |_, _| {}, &mut |run, count| spill.write(run, count))?;
            fewer.push(spill.finish()?);
        }
        files = fewer;
    }
    let mut lanes = open_spilt(files, filler)?;
    help(&mut lanes);
    combine(&mut lanes, &mut |_, _| {}, sink)
}

fn open_spilt(files: impl IntoIterator<Item = File>, filler: Filler) -> Result<Vec<Ahead>, Error> {
    files.into_iter().map(|file| spill::lane(file, SPILL_BLOCK, filler)).collect()
}

/// Merges lanes. Records of lanes that take turns are gathered one by one; of one that is next many times in a row all that goes before the
/// next lane is given on where it lies.
fn combine(lanes: &mut [Ahead], defect: &mut dyn FnMut(usize, &Defect), sink: &mut RunSink<'_>) -> Result<(), Error> {
    if lanes.is_empty() {
        return Ok(());
    }
    let mut keys = Vec::with_capacity(lanes.len());
    for (number, lane) in lanes.iter_mut().enumerate() {
        lane.fill(&mut |found| defect(number, found))?;
        keys.push(lane.head().map(|entry| entry.key));
    }
    let mut tree = LoserTree::new(keys);
    let (mut gathered, mut count) = (Vec::new(), 0);
    let (mut before, mut in_a_row) = (usize::MAX, 0);
    while let Some(number) = tree.winner() {
        let lane = &mut lanes[number];
        in_a_row = if number == before { in_a_row + 1 } else { 0 };
        before = number;
        if in_a_row < MANY {
            lane.take_one(&mut gathered);
            count += 1;
        }
        if count > 0 && (in_a_row == MANY || gathered.len() >= GATHERED) {
            sink(&gathered, std::mem::take(&mut count))?;
            gathered.clear();
        }
        if in_a_row >= MANY {
            match tree.second() {
                None => lane.take(|_| true, sink)?,
                Some((limit, other)) if number < other => lane.take(|key| key <= limit, sink)?,
                Some((limit, _)) => lane.take(|key| key < limit, sink)?,
            }
        }
        if lane.loaded() == 0 {
            lane.fill(&mut |found| defect(number, found))?;
        }
        tree.replace(lane.head().map(|entry| entry.key));
    }
    if count > 0 { sink(&gathered, count) } else { Ok(()) }
}
