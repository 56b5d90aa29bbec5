//! [`FanoutReader`]: one stream lent to several readers of this process, each at its own pace.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dag_emu::ring::PollRules;

use crate::backend::{Drops, Memory};
use crate::batch::Batch;
use crate::error::{Error, Repr};
use crate::stream::{RxStream, whole_records};

/// How long the card is waited for at a time, so that what slow readers give back meanwhile is released.
const LOOK: Duration = Duration::from_millis(50);

/// Between two looks while stream memory is so full that the card is not waited for, but a slow reader.
const PAUSE: Duration = Duration::from_millis(1);

/// The part of stream memory that may be given back before somebody tells the card, although nobody waits for packets.
const SHARE: u64 = 8;

/// One of several readers of a stream, made by [`RxStream::fan_out`].
///
/// Each reader sees every record, where the card has put it: nothing is copied, and a record cannot be kept past the reader's next
/// [`advance`](Self::advance), as with the stream itself. There is no thread behind it: the reader that has read everything asks the card
/// for more, on behalf of all.
///
/// # A slow reader
///
/// What the slowest reader has not given back stays in stream memory. The others go on meanwhile, as far ahead as there is memory. When it is
/// full, the card drops packets and counts them, for all readers alike: in the loss counters of records and in [`drops`](Self::drops).
/// [`unread`](Self::unread) tells how far a reader is behind. A reader that wants no more is to be dropped; one that is leaked
/// ([`std::mem::forget`]) holds the others up for ever.
///
/// ```
/// let card = dag::Card::open("emu:synthetic=imix,rate=max,count=10000,memory=1MiB")?;
/// let [mut bytes, mut ports] = card.attach(0)?.fan_out()?;
/// let (bytes, ports) = std::thread::scope(|scope| {
///     let bytes = scope.spawn(move || -> Result<u64, dag::Error> {
///         let mut sum = 0;
///         loop {
///             let batch = bytes.advance()?;
///             sum += batch.iter().flatten().map(|record| u64::from(record.wire_len())).sum::<u64>();
///             if batch.is_end() {
///                 return Ok(sum);
///             }
///         }
///     });
///     let ports = scope.spawn(move || -> Result<[u64; 8], dag::Error> {
///         let mut counts = [0; 8];
///         loop {
///             let batch = ports.advance()?;
///             batch.iter().flatten().for_each(|record| counts[usize::from(record.interface())] += 1);
///             if batch.is_end() {
///                 return Ok(counts);
///             }
///         }
///     });
///     (bytes.join().unwrap(), ports.join().unwrap())
/// });
/// println!("{} bytes, packets of each port: {:?}", bytes?, ports?);
/// # Ok::<(), dag::Error>(())
/// ```
#[derive(Debug)]
pub struct FanoutReader {
    shared: Arc<Shared>,
    number: usize,
    /// Keeps what is lent mapped.
    memory: Option<Memory>,
    /// What the last batch leaves to be given back by the next advance; see [`RxStream`].
    release: AtomicU64,
    max_batch: u64,
}

/// What the readers of a stream share.
#[derive(Debug)]
struct Shared {
    /// Locked by the one reader that asks the card; see [`View::asking`].
    stream: Mutex<RxStream>,
    view: Mutex<View>,
    /// Whenever the view has changed.
    news: Condvar,
    /// The position up to which each reader has given back; [`GONE`] for one that is no more.
    done: Box<[AtomicU64]>,
    rules: PollRules,
    memory_len: u64,
}

/// As far as a reader that is no more has given back: everything.
const GONE: u64 = u64::MAX;

/// What the card has shown, as of the last time it was asked.
#[derive(Debug)]
struct View {
    memory: Option<Memory>,
    bottom: u64,
    top: u64,
    is_last: bool,
    failure: Option<Arc<Error>>,
    drops: Option<Drops>,
    /// A reader is asking the card, and will tell.
    asking: bool,
}

impl View {
    /// Whether a reader that has read up to `position` has something to be told.
    fn has_news(&self, position: u64) -> bool {
        self.top > position || self.is_last || self.failure.is_some()
    }
}

impl RxStream {
    /// Lends the stream to `N` readers at once, on as many threads as one likes; see [`FanoutReader`]. Starts it, if it is not.
    ///
    /// How long their advances wait is what the stream's [`poll_rules`](Self::poll_rules) say, except that any new record ends a wait. The
    /// stream is closed when the last reader is dropped.
    ///
    /// # Errors
    ///
    /// When the card does not answer.
    pub fn fan_out<const N: usize>(self) -> Result<[FanoutReader; N], Error> {
        let readers = self.fan_out_to(N)?;
        readers.try_into().map_err(|_| Error::state("as many readers as were asked for"))
    }

    /// As [`fan_out`](Self::fan_out), to a number of readers that is not known before.
    ///
    /// # Errors
    ///
    /// When the card does not answer.
    pub fn fan_out_to(mut self, readers: usize) -> Result<Vec<FanoutReader>, Error> {
        self.start()?;
        let rules = self.poll_rules();
        let max_batch = self.max_batch();
        let backend = self.backend();
        let (start, memory_len) = (backend.position(), backend.memory_len());
        let view = View {
            memory: None,
            bottom: start,
            top: start,
            is_last: false,
            failure: None,
            drops: backend.drops(),
            asking: false,
        };
        let shared = Arc::new(Shared {
            stream: Mutex::new(self),
            view: Mutex::new(view),
            news: Condvar::new(),
            done: (0..readers).map(|_| AtomicU64::new(start)).collect(),
            rules,
            memory_len,
        });
        let reader = |number| FanoutReader {
            shared: Arc::clone(&shared),
            number,
            memory: None,
            release: AtomicU64::new(start),
            max_batch,
        };
        Ok((0..readers).map(reader).collect())
    }
}

impl FanoutReader {
    /// Gives this reader's last batch back and lends it the next one: whole records, none when the poll rules say so. As
    /// [`RxStream::advance`].
    ///
    /// # Errors
    ///
    /// When the card is gone, or what feeds an emulated card has failed; every reader is told, when it has read all that came before.
    pub fn advance(&mut self) -> Result<Batch<'_>, Error> {
        let position = *self.release.get_mut();
        self.shared.give_back(self.number, position);
        let (memory, top, is_end) = self.shared.next(position)?;
        self.memory = memory;
        let len = usize::try_from(top - position).unwrap_or(usize::MAX);
        let bytes = match &self.memory {
            // SAFETY: `position` is what this reader has given back up to. The card is told to release no more than the least that any
            // reader has given back, so the window that `memory` and `top` are of begins at or before it; it ends at `top`. What the slice
            // shows is not released before this reader gives it back, in the next call of `advance` or when it is dropped, which both need
            // the borrow that the batch holds to be over.
            Some(memory) if len > 0 => unsafe { memory.slice(position, len) },
            _ => &[],
        };
        let len = whole_records(bytes, self.max_batch);
        let bytes = bytes.get(..len).unwrap_or(bytes);
        *self.release.get_mut() = position + bytes.len() as u64;
        Ok(Batch::new(bytes, position, is_end && bytes.is_empty(), &self.release))
    }

    /// Sets the most bytes a batch of this reader has; see [`RxStream::set_max_batch`].
    pub fn set_max_batch(&mut self, bytes: u64) {
        self.max_batch = bytes.max(1);
    }

    /// Bytes that were there when the card was asked last, and that this reader has not been lent yet.
    pub fn unread(&self) -> u64 {
        self.shared.view().top.saturating_sub(self.release.load(Ordering::Relaxed))
    }

    /// The stream's drop counter since attach, when the card was asked last; `None` where it has none.
    pub fn drops(&self) -> Option<Drops> {
        self.shared.view().drops
    }
}

impl Drop for FanoutReader {
    fn drop(&mut self) {
        self.shared.give_back(self.number, GONE);
    }
}

impl Shared {
    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reader `number` looks at nothing before `position` any more.
    fn give_back(&self, number: usize, position: u64) {
        if let Some(done) = self.done.get(number) {
            // Release: the reader's reads of what it gives back are over before the card is told.
            done.store(position, Ordering::Release);
        }
    }

    /// Up to where the card can be told to release. Not past `top`, when no reader is left.
    fn releasable(&self, top: u64) -> u64 {
        self.done.iter().map(|done| done.load(Ordering::Acquire)).min().unwrap_or(top).min(top)
    }

    /// What there is for a reader that has read up to `position`: the memory, where it ends, and whether nothing will follow.
    fn next(&self, position: u64) -> Result<(Option<Memory>, u64, bool), Error> {
        let begun = Instant::now();
        let waits = self.rules.mindata > 0;
        let mut view = self.view();
        if !view.asking && self.releasable(view.top) - view.bottom >= (self.memory_len / SHARE).max(1) {
            // Nobody waits for packets, but the card may wait for room.
            view = self.ask(view, Duration::ZERO);
        }
        let mut asked = false;
        loop {
            if view.top > position {
                return Ok((view.memory.clone(), view.top, false));
            }
            if let Some(failure) = &view.failure {
                return Err(Repr::Shared(Arc::clone(failure)).into());
            }
            if view.is_last {
                return Ok((None, position, true));
            }
            let left = match self.rules.maxwait {
                Duration::ZERO => LOOK,
                limit => limit.saturating_sub(begun.elapsed()).min(LOOK),
            };
            if asked && (!waits || left.is_zero()) {
                return Ok((None, position, false));
            }
            let wait = if waits { left } else { Duration::ZERO };
            if !view.asking {
                let held = view.top - self.releasable(view.top);
                view = self.ask(view, wait);
                if held > self.memory_len / 2 && waits && !view.has_news(position) {
                    // The card has not been waited for, as its memory is full of what a slow reader has not given back.
                    view = self.listen(view, PAUSE);
                }
            } else if waits {
                view = self.listen(view, wait);
            }
            asked = true;
        }
    }

    fn listen<'a>(&self, view: MutexGuard<'a, View>, limit: Duration) -> MutexGuard<'a, View> {
        self.news.wait_timeout(view, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Gives back to the card what every reader has given back, and waits at most `wait` for more.
    fn ask<'a>(&'a self, mut view: MutexGuard<'a, View>, wait: Duration) -> MutexGuard<'a, View> {
        view.asking = true;
        let top = view.top;
        drop(view);
        // However it ends, others may ask then.
        let asking = Asking(self);
        let (mut memory, mut drops, mut is_last, mut failure) = (None, None, false, None);
        let window = {
            // Nobody else asks, so nobody holds this up.
            let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
            let release = self.releasable(top);
            let backend = stream.backend();
            backend.set_poll_rules(match wait {
                Duration::ZERO => PollRules::non_blocking(),
                wait => PollRules { mindata: top - release + 1, maxwait: wait, ..self.rules },
            });
            let window = backend.advance(release, &AtomicBool::new(false));
            if window.is_ok() {
                (memory, drops, is_last) = (backend.memory(), backend.drops(), backend.is_last());
                failure = is_last.then(|| backend.failure()).flatten().map(Arc::new);
            }
            window
        };
        let mut view = self.view();
        match window {
            Ok(window) => {
                (view.bottom, view.top) = (window.bottom, window.top);
                (view.memory, view.drops, view.is_last, view.failure) = (memory, drops, is_last, failure);
            }
            Err(error) => view.failure = Some(Arc::new(error)),
        }
        drop(view);
        drop(asking);
        self.view()
    }
}

/// A reader asks the card, until this is dropped.
struct Asking<'a>(&'a Shared);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.view().asking = false;
        self.0.news.notify_all();
    }
}
