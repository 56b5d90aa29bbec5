//! Writing pieces of which the ends of the units are known, so that a file never ends inside one.

use std::io::{self, Write};

use super::Output;
use super::causes::{no_room, words};
use crate::{Error, ErrorKind};

impl Output {
    /// Writes `piece`, which is to stand at byte `at` of the file and in which units (packets) end at the offsets `ends`, ascending.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Write`] with the number of bytes of `piece` that are in the file as whole units: a file is cut back to
    /// the last of them.
    pub fn write_whole(&mut self, piece: &[u8], at: u64, ends: &[usize]) -> Result<(), (Error, usize)> {
        let mut accepted = 0;
        let cause = loop {
            match piece.get(accepted..) {
                None | Some([]) => return Ok(()),
                Some(rest) => match self.write(rest) {
                    Ok(0) => break io::ErrorKind::WriteZero.into(),
                    Ok(count) => accepted += count,
                    Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                    Err(cause) => break cause,
                },
            }
        };
        let whole = ends.iter().copied().take_while(|&end| end <= accepted).last().unwrap_or(0);
        // Where it cannot be cut (a pipe), what was accepted is gone already.
        let cut = self.cut(at + whole as u64);
        let torn = if matches!(cut, Ok(true)) { 0 } else { accepted - whole };
        let error = self.refused(cause, at + whole as u64, torn);
        Err((error, whole))
    }

    /// How the failure of a write is told that left `whole` bytes of whole units in the file, and `torn` bytes behind them.
    pub fn refused(&self, cause: io::Error, whole: u64, torn: usize) -> Error {
        let mut what = words(cause.kind()).to_owned();
        if no_room(cause.kind()) {
            what += "; free some space or write elsewhere";
        }
        if torn > 0 {
            what += &format!(" ({torn} bytes of a torn packet are out)");
        }
        Error::new(ErrorKind::Write, what).at(whole).in_file(self.name()).because(cause)
    }
}
