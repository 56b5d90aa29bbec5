//! The threads: each takes the next chunk and walks it from a guess; the calling thread says which guesses hold.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::blocks::{Blocks, Stored};
use super::{Mergeable, Piece, Pieces};
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

/// Where a walk stands, and what is in the way of more.
type Walked = (WalkState, Option<Error>);

/// What becomes of the pieces.
pub(super) trait Taking<P> {
    /// Why nothing more is taken.
    type Refusal;

    /// Takes the next one in the order of the file.
    fn take(&mut self, piece: P) -> Result<(), Self::Refusal>;

    /// Lets `walk` show the next stretch of the file to a piece.
    fn show(&mut self, walk: impl FnOnce(&mut P) -> Walked) -> Result<Walked, Self::Refusal>;
}

/// All joined into one.
pub(super) struct Joined<P>(pub(super) P);

impl<P: Mergeable> Taking<P> for Joined<P> {
    type Refusal = Infallible;

    fn take(&mut self, piece: P) -> Result<(), Infallible> {
        self.0.settle();
        self.0.merge(piece);
        Ok(())
    }

    fn show(&mut self, walk: impl FnOnce(&mut P) -> Walked) -> Result<Walked, Infallible> {
        Ok(walk(&mut self.0))
    }
}

/// Each given away.
pub(super) struct Given<M, G> {
    pub(super) make: M,
    pub(super) give: G,
}

impl<P: Piece, E, M: Fn() -> P, G: FnMut(P) -> Result<(), E>> Taking<P> for Given<M, G> {
    type Refusal = E;

    fn take(&mut self, piece: P) -> Result<(), E> {
        (self.give)(piece)
    }

    fn show(&mut self, walk: impl FnOnce(&mut P) -> Walked) -> Result<Walked, E> {
        let mut piece = (self.make)();
        let end = walk(&mut piece);
        piece.settle();
        (self.give)(piece)?;
        Ok(end)
    }
}

/// A thread that leaves, also by a panic, says so.
struct Member<'a, P>(&'a Shared<P>);

impl<P> Drop for Member<'_, P> {
    fn drop(&mut self) {
        let mut board = self.0.board();
        board.crew -= 1;
        // What it had taken comes from nobody: the others shall not wait for it to be joined.
        board.stop |= thread::panicking();
        drop(board);
        self.0.changed.notify_all();
    }
}

/// Tells the threads to stop, also where the calling one panics: they are waited for.
struct Stop<'a, P>(&'a Shared<P>);

impl<P> Drop for Stop<'_, P> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Walks all of `stored`, what is seen in pieces for `taking`; returns where the walk ended and what ended it early.
pub(super) fn walk<P: Piece, T: Taking<P>>(
    stored: &Stored<'_>,
    pieces: &Pieces,
    recover: bool,
    make: impl Fn() -> P + Sync,
    taking: &mut T,
    mut progress: impl FnMut(u64),
) -> Result<(u64, Option<Error>), T::Refusal> {
    let &Pieces { chunk, threads, .. } = pieces;
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
        let _stop = Stop(shared);
        for _ in 0..crew {
            let work = move || {
                let _member = Member(shared);
                let mut blocks = Blocks::new(*stored, recover);
                while let Some(n) = shared.take(chunks, ahead(crew)) {
                    // What fails here is tried again by the caller, who can say so.
                    let guess = if n == 0 { Some(begin) } else { blocks.guess(n * chunk).ok().flatten() };
                    let outcome = guess.and_then(|guess| {
                        let mut piece = make();
                        let (end, error) = blocks.walk(guess, until(n), &mut piece);
                        piece.settle();
                        error.is_none().then_some(Outcome { guess, piece, end })
                    });
                    shared.put(n, outcome);
                }
            };
            // Where there are no more threads to be had, those that there are do it, or the calling one.
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                shared.board().crew -= 1;
            }
        }
        let mut blocks = Blocks::new(*stored, recover);
        let mut state = begin;
        for n in 0..chunks {
            if state.is_ended() {
                break;
            }
            let outcome = shared.wait_for(n);
            let before = state.offset();
            match outcome {
                Some(outcome) if outcome.guess == state => {
                    taking.take(outcome.piece)?;
                    state = outcome.end;
                }
                _ => {
                    let (end, error) = taking.show(|piece| blocks.walk(state, until(n), piece))?;
                    if error.is_some() {
                        return Ok((end.offset(), error));
                    }
                    state = end;
                }
            }
            shared.joined(n + 1);
            progress(state.offset() - before);
        }
        Ok((state.offset(), None))
    })
}

/// How many chunks may be walked or under way before the first of them is joined.
fn ahead(crew: usize) -> u64 {
    2 * crew as u64 + 2
}
