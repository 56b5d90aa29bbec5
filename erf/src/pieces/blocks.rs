//! A stretch of a file in a buffer, and walking through it.

use std::fs::File;
use std::io;

use crate::error::{Error, ErrorKind};
use crate::input::read_at;
use crate::{RESUME_MIN, Records, WalkState};

use super::{Piece, see};

/// Bytes read at a time, unless a search needs more.
const BLOCK: usize = 256 * 1024;

/// Bytes in front of a chunk in which a chain of records is looked for: room for the longest record and some more.
const WARM: u64 = 128 * 1024;

/// So many records of a chain leave no doubt about it.
const SOUND: u32 = 8;

/// A regular file, as long as it was when it was opened.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) file: &'a File,
    pub(super) name: &'a str,
    pub(super) len: u64,
}

impl<'a> Stored<'a> {
    /// The whole of it, up to the length it has now; errors call it `name`.
    pub(super) fn new(file: &'a File, name: &'a str) -> Result<Self, Error> {
        let failed = |cause| Error::new(ErrorKind::Read, "its length cannot be read").in_file(name).because(cause);
        Ok(Self { file, name, len: file.metadata().map_err(failed)?.len() })
    }

    /// Fills `out` from byte `at` on; says how much of it, and what is in the way of more.
    fn read(&self, out: &mut [u8], at: u64) -> (usize, Option<Error>) {
        let mut have = 0;
        while have < out.len() {
            let here = at + have as u64;
            let cause = match read_at(self.file, &mut out[have..], here) {
                Ok(0) => io::Error::from(io::ErrorKind::UnexpectedEof),
                Ok(count) => {
                    have += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let what = match cause.kind() {
                io::ErrorKind::UnexpectedEof => "became shorter while it was read",
                _ => "read failed",
            };
            return (have, Some(Error::new(ErrorKind::Read, what).at(here).in_file(self.name).because(cause)));
        }
        (have, None)
    }
}

/// What of a file is in memory.
pub(super) struct Blocks<'a> {
    stored: Stored<'a>,
    recover: bool,
    /// Room, of which the first `have` bytes are of the file.
    buffer: Vec<u8>,
    have: usize,
    /// Offset of the first byte of the buffer.
    at: u64,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(stored: Stored<'a>, recover: bool) -> Self {
        Self { stored, recover, buffer: Vec::new(), have: 0, at: 0 }
    }

    /// Brings `bytes` from `from` on into memory, or what there is of them. On an error that is what lies before it.
    fn fill(&mut self, from: u64, bytes: usize) -> Result<(), Error> {
        let skip = usize::try_from(from.wrapping_sub(self.at)).unwrap_or(usize::MAX).min(self.have);
        self.buffer.copy_within(skip..self.have, 0);
        self.have -= skip;
        self.at = from;
        let there = self.stored.len.saturating_sub(from);
        let want = bytes.min(usize::try_from(there).unwrap_or(usize::MAX));
        if want > self.have {
            self.buffer.resize(want.max(self.buffer.len()), 0);
            let (more, error) = self.stored.read(&mut self.buffer[self.have..want], from + self.have as u64);
            self.have += more;
            return error.map_or(Ok(()), Err);
        }
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.have]
    }

    /// Nothing follows what is in memory.
    fn is_last(&self) -> bool {
        self.at + self.have as u64 >= self.stored.len
    }

    /// Shows `piece` what lies from `state` on, until a record would begin at `until` or behind it, or the data is over, or cannot be read,
    /// and says where that is.
    pub(super) fn walk(
        &mut self,
        mut state: WalkState,
        until: u64,
        piece: &mut impl Piece,
    ) -> (WalkState, Option<Error>) {
        let mut block = if self.recover { RESUME_MIN } else { BLOCK };
        while !state.is_ended() && state.offset() < until {
            let error = self.fill(state.offset(), block).err();
            let last = self.is_last();
            let mut walk = Records::resume(self.bytes(), state, last);
            loop {
                let at = walk.offset();
                if at >= until {
                    return (walk.into_state(), None);
                }
                if let Some(run) = walk.plain_rest() {
                    let ahead = usize::try_from(until - at).unwrap_or(usize::MAX).min(run.len());
                    walk.pass(piece.run(at, &run[..ahead]));
                    // Also what has taken everything goes on with a look at what follows.
                    if walk.offset() >= until {
                        return (walk.into_state(), None);
                    }
                }
                let at = walk.offset();
                match walk.next() {
                    Some(item) => see(piece, at, item),
                    None => break,
                }
            }
            let before = state.offset();
            state = walk.into_state();
            if error.is_some() {
                return (state, error);
            }
            if last {
                break;
            }
            // Cannot be asked for more than once while a block holds what a walk may ask for; more beats a loop.
            if state.offset() == before {
                block *= 2;
            }
        }
        (state, None)
    }

    /// Where, as it seems, a walk that comes from before `boundary` steps over it, and in which state.
    pub(super) fn guess(&mut self, boundary: u64) -> Result<Option<WalkState>, Error> {
        let from = boundary.saturating_sub(WARM);
        self.fill(from, WARM as usize + BLOCK)?;
        let mut walk = Records::resume(self.bytes(), WalkState::new(from).with_recover(true), self.is_last());
        let mut sound = 0;
        while walk.offset() < boundary {
            // To look at each record with those behind it takes much longer than to go from one to the next.
            if sound == SOUND
                && !self.recover
                && let Some(offset) = self.plainly(walk.offset(), boundary)
            {
                return Ok(Some(WalkState::new(offset)));
            }
            match walk.next() {
                Some(Ok(_)) => sound += 1,
                Some(Err(_)) => sound = 0,
                None => return Ok(None),
            }
        }
        let state = walk.into_state();
        // A walk that does not recover has no state but its offset.
        Ok(Some(if self.recover { state } else { WalkState::new(state.offset()) }))
    }

    /// Where records that follow one another from `offset` on step over `boundary`; `None` where they do not.
    fn plainly(&self, offset: u64, boundary: u64) -> Option<u64> {
        let bytes = self.bytes().get(usize::try_from(offset - self.at).ok()?..)?;
        let mut walk = Records::new(bytes).at_offset(offset);
        while walk.offset() < boundary {
            walk.next()?.ok()?;
        }
        Some(walk.offset())
    }
}
