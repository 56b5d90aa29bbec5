//! The thread that takes packets from one of several streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, Sender};
use dag_emu::ring::PollRules;

use super::found::{Finder, Taken};
use crate::error::Error;
use crate::record::chunk::{Bytes, Lent};
use crate::record::loss::Loss;
use crate::record::pin::Pinned;
use crate::record::progress::{Level, Progress};
use crate::stream::RxStream;

/// How long a wait for data lasts at most.
const LOOK: Duration = Duration::from_millis(50);

/// Between two looks at a stream while what was taken from it waits to be merged.
const PAUSE: Duration = Duration::from_millis(1);

/// Bytes of records that are handed over at once, about, where stream memory is not small.
const HANDFUL: u64 = 256 << 10;

/// What is told by the thread.
#[derive(Debug)]
pub(super) enum Word {
    /// Records.
    Taken(Taken),
    /// At this time there was nothing that has not been told.
    Idle(Instant),
    /// Nothing will follow.
    Over(Option<Error>),
}

/// What the thread and the merging share.
#[derive(Debug)]
pub(super) struct Line {
    /// Position up to which records have been merged: nobody looks at what lies before.
    pub(super) merged_to: AtomicU64,
    /// More than half of stream memory is full of what has not been merged.
    pub(super) pressed: AtomicBool,
    /// Places that were no records.
    pub(super) defects: AtomicU64,
    /// Raised when nothing more is to be let in.
    pub(super) stop: Arc<AtomicBool>,
    pub(super) progress: Arc<Progress>,
}

/// The stream as its thread leaves it.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) stream: RxStream,
    pub(super) loss: Loss,
}

/// Takes packets from a stream that has been started.
#[derive(Debug)]
pub(super) struct Taker {
    pub(super) stream: RxStream,
    pub(super) finder: Finder,
    pub(super) words: Sender<Word>,
    pub(super) line: Arc<Line>,
    pub(super) pinned: Option<usize>,
}

impl Taker {
    /// Runs until the stream has ended or nobody listens any more. Where the thread cannot be pinned, `ready` is told why.
    pub(super) fn run(mut self, ready: &Sender<Result<(), Error>>) -> Left {
        let mut loss = Loss::default();
        match self.pinned.map(Pinned::to).transpose() {
            // Whoever waits for this has gone only if another thread could not be pinned.
            Err(error) => drop(ready.send(Err(error))),
            Ok(_pinned) => {
                let _ = ready.send(Ok(()));
                let error = self.take(&mut loss).err();
                // Nobody listens any more: there is nobody to tell.
                let _ = self.words.send(Word::Over(error));
            }
        }
        self.line.progress.over();
        Left { stream: self.stream, loss }
    }

    fn take(&mut self, loss: &mut Loss) -> Result<(), Error> {
        let Self { stream, finder, words, line, .. } = self;
        let backend = stream.backend();
        let memory_len = backend.memory_len();
        let handful = usize::try_from(HANDFUL.min(memory_len / 8)).unwrap_or(usize::MAX).max(1);
        let mut looked_at = backend.position();
        let mut stopped = false;
        let mut pending: Option<Taken> = None;
        loop {
            if !stopped && line.stop.load(Ordering::Relaxed) {
                backend.stop()?;
                stopped = true;
            }
            // Acquire: the merging thread's reads of what is released are over.
            let release = line.merged_to.load(Ordering::Acquire).max(backend.position());
            let held = looked_at - release;
            backend.set_poll_rules(match pending.is_some() || stopped {
                true => PollRules::non_blocking(),
                false => PollRules { mindata: held + 1, maxwait: LOOK, ..PollRules::default() },
            });
            let asked = Instant::now();
            let window = backend.advance(release, &line.stop)?;
            loss.observe(backend.drops());
            line.pressed.store(window.top - window.bottom > memory_len / 2, Ordering::Relaxed);
            line.progress.card(loss.so_far(), Level::new(window.bottom, window.top, memory_len));
            if pending.is_none() {
                // The window begins at what was released, at or before what has been looked at.
                let skip = usize::try_from(looked_at - window.bottom).unwrap_or(usize::MAX);
                let bytes = backend.bytes().get(skip..).unwrap_or_default();
                if bytes.is_empty() {
                    if backend.is_last() {
                        return backend.failure().map_or(Ok(()), Err);
                    }
                    if stopped {
                        return Ok(());
                    }
                    // Whoever has not taken the last word yet will not miss this one.
                    let _ = words.try_send(Word::Idle(asked));
                    if held > memory_len / 2 {
                        // The card has not been waited for, as so much is held.
                        std::thread::sleep(PAUSE);
                    }
                    continue;
                }
                let (records, len) = finder.find(bytes, looked_at, handful);
                loss.damaged |= finder.damage.defects > 0;
                line.defects.store(finder.damage.defects, Ordering::Relaxed);
                let bytes = match backend.memory() {
                    // SAFETY: these bytes lie in the window just taken. `merged_to` goes past them only when the merging thread has
                    // copied them, and nothing else here releases; when it ends it drops what it holds before the stream is detached.
                    Some(memory) => Bytes::Lent(unsafe { Lent::new(memory, looked_at, len, 0) }),
                    None => Bytes::Owned(bytes.get(..len).unwrap_or_default().to_vec()),
                };
                let start = looked_at;
                looked_at += len as u64;
                pending = Some(Taken { bytes, records, at: Instant::now(), start, end: looked_at });
            }
            if let Some(taken) = pending.take() {
                match words.send_timeout(Word::Taken(taken), PAUSE) {
                    Ok(()) => {}
                    Err(SendTimeoutError::Timeout(Word::Taken(back))) => pending = Some(back),
                    Err(_) => return Ok(()),
                }
            }
        }
    }
}
