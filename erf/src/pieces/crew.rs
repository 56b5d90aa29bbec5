//! The threads: each takes the next chunk and walks it from a guess; the calling thread says which guesses hold.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Piece;
use super::blocks::{Blocks, Stored};
use crate::WalkState;
use crate::error::Error;

/// A chunk walked from a guess.
struct Outcome<P> {
    guess: WalkState,
    piece: P,
    end: WalkState,
}

/// What the threads tell one another.
struct Board<P> {
    /// The next chunk that nobody has taken.
    next: u64,
    /// Chunks that are done with.
    joined: u64,
    /// `None`: no guess could be made.
    walked: BTreeMap<u64, Option<Outcome<P>>>,
    /// Threads at work.
    crew: usize,
    stop: bool,
}

struct Shared<P> {
    board: Mutex<Board<P>>,
    changed: Condvar,
}

impl<P> Shared<P> {
    fn board(&self) -> MutexGuard<'_, Board<P>> {
        // Nothing that may panic runs under the lock.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next chunk to walk, not too far ahead of what is joined, so that memory stays bounded.
    fn take(&self, chunks: u64, ahead: u64) -> Option<u64> {
        let mut board = self.board();
        loop {
            if board.stop || board.next >= chunks {
                return None;
            }
            if board.next < board.joined + ahead {
                board.next += 1;
                return Some(board.next - 1);
            }
            board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put(&self, chunk: u64, outcome: Option<Outcome<P>>) {
        self.board().walked.insert(chunk, outcome);
        self.changed.notify_all();
    }

    /// What came of `chunk`; `None` when it must be walked by the caller.
    fn wait_for(&self, chunk: u64) -> Option<Outcome<P>> {
        let mut board = self.board();
        loop {
            if let Some(outcome) = board.walked.remove(&chunk) {
                return outcome;
            }
            if board.crew == 0 {
                return None;
            }
            board = self.changed.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn joined(&self, chunks: u64) {
        self.board().joined = chunks;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.board().stop = true;
        self.changed.notify_all();
    }
}

/// A thread that leaves, also by a panic, says so.
struct Member<'a, P>(&'a Shared<P>);

impl<P> Drop for Member<'_, P> {
    fn drop(&mut self) {
        self.0.board().crew -= 1;
        self.0.changed.notify_all();
    }
}

/// Walks all of `stored`; returns what was seen, where the walk ended and what ended it early.
pub(super) fn walk<P: Piece>(
    stored: &Stored<'_>,
    chunk: u64,
    threads: usize,
    recover: bool,
    make: impl Fn() -> P + Sync,
    mut progress: impl FnMut(u64),
) -> (P, u64, Option<Error>) {
    let chunks = stored.len.div_ceil(chunk).max(1);
    // The last chunk has what is left: also a walk that stands at the end of the data has something to say.
    let until = |n: u64| if n + 1 == chunks { u64::MAX } else { (n + 1) * chunk };
    let crew = if chunks == 1 { 0 } else { threads };
    let board = Board { next: 0, joined: 0, walked: BTreeMap::new(), crew, stop: false };
    let shared = Shared { board: Mutex::new(board), changed: Condvar::new() };
    let begin = WalkState::new(0).with_recover(recover);
    let make = &make;
    let shared = &shared;
    thread::scope(|scope| {
        for _ in 0..crew {
            scope.spawn(move || {
                let _member = Member(shared);
                let mut blocks = Blocks::new(*stored, recover);
                while let Some(n) = shared.take(chunks, 2 * crew as u64 + 2) {
                    // What fails here is tried again by the caller, who can say so.
                    let guess = if n == 0 { Some(begin) } else { blocks.guess(n * chunk).ok().flatten() };
                    let outcome = guess.and_then(|guess| {
                        let mut piece = make();
                        let end = blocks.walk(guess, until(n), &mut piece).ok()?;
                        piece.settle();
                        Some(Outcome { guess, piece, end })
                    });
                    shared.put(n, outcome);
                }
            });
        }
        let mut blocks = Blocks::new(*stored, recover);
        let mut total = make();
        let mut state = begin;
        let mut error = None;
        for n in 0..chunks {
            if state.is_ended() {
                break;
            }
            let outcome = shared.wait_for(n);
            let before = state.offset();
            match outcome {
                Some(outcome) if outcome.guess == state => {
                    total.settle();
                    total.merge(outcome.piece);
                    state = outcome.end;
                }
                _ => match blocks.walk(state, until(n), &mut total) {
                    Ok(end) => state = end,
                    Err(cause) => {
                        error = Some(cause);
                        break;
                    }
                },
            }
            shared.joined(n + 1);
            progress(state.offset() - before);
        }
        shared.stop();
        total.settle();
        (total, state.offset(), error)
    })
}
