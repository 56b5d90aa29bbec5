//! [`Merge`]: several streams as one, in the order of stamps.
//!
//! Each stream has a thread that takes packets from it ([`taker`]), finds records and filters them. What it has found stays in stream
//! memory until it is merged: copied, record behind record, into blocks, which the capture thread looks at as if they were stream memory.
//! So whatever follows (limits, files, the disk) is as with one stream.

mod found;
mod order;
mod share;
mod taker;

pub use share::StreamRecording;
pub(super) use share::{Origin, Shares};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, TryRecvError, bounded};
use erf::filter::Filter;
use erf::{Records, Timestamp};

use self::found::Finder;
use self::order::{Head, Heads};
use self::taker::{Left, Line, Taker, Word};
use crate::backend::Memory;
use crate::error::{Error, Repr};
use crate::record::capture::unread;
use crate::record::damage::Damage;
use crate::record::limits::Selection;
use crate::record::loss::{Count, Told};
use crate::record::progress::{Level, Progress};
use crate::stream::RxStream;

/// Bytes of a block, about.
const BLOCK: usize = 1 << 20;

/// Handfuls that a thread may be ahead of the merging: more would lie in stream memory just as well.
const AHEAD: usize = 3;

/// Between two looks for streams that are waited for.
const PAUSE: Duration = Duration::from_millis(5);

/// The most streams: their numbers are kept in a byte.
const MOST: usize = 256;

/// What a merge is made of.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) streams: Vec<RxStream>,
    /// The CPU for each stream's thread; empty for none.
    pub(super) cpus: Vec<usize>,
    /// How long a stream that is silent is waited for.
    pub(super) wait: Duration,
    pub(super) selection: Selection,
    pub(super) filter: Option<Filter>,
    /// The numbers of each stream.
    pub(super) progress: Vec<Arc<Progress>>,
}

/// Several streams as one.
#[derive(Debug)]
pub(super) struct Merge {
    inputs: Vec<Input>,
    stop: Arc<AtomicBool>,
    wait: Duration,
    heads: Heads,
    /// The block being looked at, the last one, and those before it that the writer may still read.
    blocks: Vec<Arc<Vec<u8>>>,
    /// Positions among all that has been merged.
    bottom: u64,
    top: u64,
}

/// A stream.
#[derive(Debug)]
struct Input {
    device: String,
    number: u16,
    /// `None` once nobody listens any more.
    words: Option<Receiver<Word>>,
    line: Arc<Line>,
    thread: Option<JoinHandle<Left>>,
    error: Option<Error>,
    /// Position in the stream up to which it has been merged.
    merged: u64,
}

/// How a merged recording was, stream by stream, at its end.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) streams: Vec<End>,
}

/// How a stream was at the end.
#[derive(Debug)]
pub(super) struct End {
    pub(super) device: String,
    pub(super) number: u16,
    pub(super) unread: u64,
    pub(super) lost: Count,
    pub(super) pending: u64,
    pub(super) defects: u64,
    /// Packets behind later ones of other streams, and by how much at most, in units of a stamp.
    pub(super) late: (u64, u64),
    pub(super) error: Option<Error>,
}

impl Merge {
    /// Starts the streams, and a thread for each of them.
    pub(super) fn start(plan: Plan) -> Result<Self, Error> {
        let Plan { mut streams, cpus, wait, selection, filter, progress } = plan;
        if streams.len() > MOST {
            return Err(Error::state(format!("{} streams; {MOST} can be merged at most", streams.len())));
        }
        for stream in &mut streams {
            stream.start()?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let heads = Heads::of(streams.len());
        let mut merge = Self { inputs: Vec::new(), stop, wait, heads, blocks: Vec::new(), bottom: 0, top: 0 };
        let mut cpus = cpus.into_iter();
        for (mut stream, progress) in streams.into_iter().zip(progress) {
            let (device, number) = (stream.card().name().to_owned(), stream.number());
            let merged = stream.backend().position();
            let line = Arc::new(Line {
                merged_to: AtomicU64::new(merged),
                pressed: AtomicBool::new(false),
                defects: AtomicU64::new(0),
                stop: Arc::clone(&merge.stop),
                progress,
            });
            let (words, told) = bounded(AHEAD);
            let damage = Damage::of(format!("memory of {device} stream {number}"));
            let finder = Finder { selection, filter: filter.clone(), damage, key: Timestamp::from_raw(0) };
            let taker = Taker { stream, finder, words, line: Arc::clone(&line), pinned: cpus.next() };
            let (ready, is_ready) = bounded(1);
            let thread = std::thread::Builder::new()
                .name(format!("dag-take-{number}"))
                .spawn(move || taker.run(&ready))
                .map_err(Repr::Thread)?;
            let input = Input { device, number, words: Some(told), line, thread: Some(thread), error: None, merged };
            merge.inputs.push(input);
            is_ready.recv().unwrap_or_else(|_| Err(Error::state("the thread of a stream has panicked")))?;
        }
        Ok(merge)
    }

    /// Lets no more packets in. What has come by now is merged still, until everything is over.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Where the block begins.
    pub(super) fn position(&self) -> u64 {
        self.bottom
    }

    /// The block.
    pub(super) fn bytes(&self) -> &[u8] {
        self.blocks.last().map_or(&[], |block| block)
    }

    /// The block, which stays as it is as long as somebody holds this.
    pub(super) fn memory(&self) -> Option<Memory> {
        let block = Arc::clone(self.blocks.last()?);
        Some(Memory::window(block.as_ptr(), self.bottom, block))
    }

    /// Whether nothing will follow what has been merged.
    pub(super) fn is_over(&self) -> bool {
        self.heads.is_over()
    }

    /// Whether a stream has ended by an error.
    pub(super) fn has_failed(&self) -> bool {
        self.inputs.iter().any(|input| input.error.is_some())
    }

    /// Whether there were places that were no records.
    pub(super) fn is_damaged(&self) -> bool {
        self.inputs.iter().any(|input| input.line.defects.load(Ordering::Relaxed) > 0)
    }

    /// How full the fullest stream's memory is; and what has been lost so far.
    pub(super) fn fill_and_loss(&self) -> (Level, u64) {
        let all = || self.inputs.iter().map(|input| &input.line.progress);
        let level = all().filter(|progress| progress.rounds() > 0).map(|progress| Level::of(&progress.snapshot()));
        let lost = all().map(|progress| progress.snapshot().lost).sum();
        (level.reduce(Level::and).unwrap_or(Level::NOTHING), lost)
    }

    /// The numbers of each stream.
    pub(super) fn progress(&self) -> impl Iterator<Item = &Progress> {
        self.inputs.iter().map(|input| &*input.line.progress)
    }

    /// Merges more, when all of the block has been looked at: what is there, waiting at most `limit` for something, or without a limit for
    /// the end where nothing more is let in. `false`: nothing new.
    pub(super) fn advance(&mut self, looked_at: u64, limit: Option<Duration>, shares: &mut Shares) -> bool {
        if looked_at < self.top {
            return false;
        }
        self.bottom = self.top;
        let origins = shares.renew();
        let mut block = self.block();
        let begun = Instant::now();
        loop {
            self.listen();
            self.merge_into(&mut block, origins);
            if !block.is_empty() || self.is_over() {
                break;
            }
            let left = limit.map_or(PAUSE, |limit| limit.saturating_sub(begun.elapsed()));
            if left.is_zero() {
                break;
            }
            self.wait_for_words(if self.heads.is_holding() { left.min(PAUSE) } else { left });
        }
        self.top += block.len() as u64;
        let fresh = !block.is_empty();
        self.blocks.push(Arc::new(block));
        fresh
    }

    /// An empty block: one that nobody reads any more, if there is one.
    fn block(&mut self) -> Vec<u8> {
        let free = self.blocks.iter_mut().position(|block| Arc::get_mut(block).is_some());
        let free = free.and_then(|at| Arc::into_inner(self.blocks.swap_remove(at)));
        // Those that are lent are kept mapped by whoever reads them; of the free ones the first is enough.
        self.blocks.retain(|block| Arc::strong_count(block) > 1);
        let mut block = free.unwrap_or_else(|| Vec::with_capacity(BLOCK + usize::from(u16::MAX)));
        block.clear();
        block
    }

    /// Takes what the threads have to say, as far as it is needed.
    fn listen(&mut self) {
        for (at, input) in self.inputs.iter_mut().enumerate() {
            self.heads.press(at, input.line.pressed.load(Ordering::Relaxed));
            while self.heads.wants(at) {
                match input.words.as_ref().map(Receiver::try_recv) {
                    Some(Ok(Word::Taken(taken))) if taken.records.is_empty() => {
                        input.merged = taken.end;
                        input.line.merged_to.store(taken.end, Ordering::Release);
                    }
                    Some(Ok(Word::Taken(taken))) => self.heads.put(at, Head::of(taken)),
                    Some(Ok(Word::Idle(since))) => self.heads.is_idle(at, since),
                    Some(Ok(Word::Over(error))) => {
                        if let Some(error) = &error {
                            log::error!("{} stream {}: {error}; the other streams go on", input.device, input.number);
                        }
                        input.error = error;
                        self.heads.end(at);
                    }
                    Some(Err(TryRecvError::Empty)) => break,
                    Some(Err(TryRecvError::Disconnected)) | None => self.heads.end(at),
                }
            }
        }
    }

    /// Copies records in order, as far as that is known, until the block is full.
    fn merge_into(&mut self, block: &mut Vec<u8>, origins: &mut Vec<Origin>) {
        while block.len() < BLOCK {
            // When a thread is waited for that has put its word down meanwhile, it is heard before anybody is waited for.
            let Some((at, run)) = self.heads.next(self.wait, BLOCK - block.len()) else { return };
            let Some(input) = self.inputs.get_mut(at) else { return };
            block.extend_from_slice(run.bytes);
            // Below 256.
            let stream = at as u8;
            origins.extend(run.records.iter().map(|record| Origin { stream, taken: record.taken }));
            input.merged = run.end;
            let count = run.records.len();
            if self.heads.finish(at, count) {
                // Release: what was copied has been read.
                input.line.merged_to.store(input.merged, Ordering::Release);
                self.listen();
            }
        }
    }

    /// Waits until one of the streams that have nothing to merge says something.
    fn wait_for_words(&self, limit: Duration) {
        let mut select = Select::new();
        for (at, input) in self.inputs.iter().enumerate() {
            if let Some(words) = input.words.as_ref().filter(|_| self.heads.wants(at)) {
                select.recv(words);
            }
        }
        // Nothing is said: it is looked again.
        let _ = select.ready_timeout(limit);
    }

    /// Ends the threads, and says how each stream was, and of which packets nobody has looked at behind `looked_at`.
    pub(super) fn end(&mut self, looked_at: u64, shares: &Shares) -> Ends {
        self.stop();
        // Threads that have something to say are not to wait for somebody who listens.
        self.inputs.iter_mut().for_each(|input| input.words = None);
        let mut left_here: Vec<(u64, Told)> = vec![Default::default(); self.inputs.len()];
        let skip = usize::try_from(looked_at - self.bottom).unwrap_or(usize::MAX);
        let rest = Records::new(self.bytes().get(skip..).unwrap_or_default());
        for (record, origin) in rest.flatten().zip(shares.rest()) {
            if let Some((packets, told)) = left_here.get_mut(usize::from(origin.stream))
                && record.is_packet()
            {
                *packets += 1;
                told.add(&record);
            }
        }
        let mut ends = Ends::default();
        for (at, (input, (mut packets, mut told))) in self.inputs.iter_mut().zip(left_here).enumerate() {
            let Some(left) = input.thread.take().and_then(|thread| thread.join().ok()) else { continue };
            let Left { mut stream, mut loss } = left;
            loss.told = shares.told(at);
            // A stream that has failed has nothing unread.
            if let Ok((more, drops, behind)) = unread(stream.backend(), input.merged) {
                loss.observe(drops);
                packets += more;
                told.join(behind);
            }
            if let Err(error) = stream.close() {
                log::warn!("closing the stream: {error}");
            }
            ends.streams.push(End {
                device: std::mem::take(&mut input.device),
                number: input.number,
                unread: packets,
                lost: loss.up_to_last(told),
                pending: if packets > 0 { 0 } else { loss.pending() },
                defects: input.line.defects.load(Ordering::Relaxed),
                late: self.heads.late(at),
                error: input.error.take(),
            });
        }
        ends
    }
}

impl Drop for Merge {
    fn drop(&mut self) {
        self.stop();
        for input in &mut self.inputs {
            input.words = None;
            if let Some(thread) = input.thread.take()
                && thread.join().is_err()
            {
                log::error!("the thread of a stream has panicked");
            }
        }
    }
}
