//! gzip: members one after another, each with its own check sum.

use std::io::BufRead;

use flate2::{Decompress, FlushDecompress, Status};

use super::decode::{Decode, Decoded, Fault};
use super::raw::RawBytes;

/// The window of a deflate stream in a gzip member: 32 KiB.
const WINDOW_BITS: u8 = 15;

pub(super) struct Gzip {
    raw: RawBytes,
    member: Decompress,
    between_members: bool,
}

impl Gzip {
    pub(super) fn new(raw: RawBytes) -> Gzip {
        Gzip { raw, member: Decompress::new_gzip(WINDOW_BITS), between_members: false }
    }

    /// Goes on to the next member. `false`: there is none.
    ///
    /// Zero bytes between and after members are the padding of tapes and block devices; `gzip -d`
    /// passes over them too.
    fn next_member(&mut self) -> Result<bool, Fault> {
        loop {
            match self.raw.peek(2)? {
                [] => return Ok(false),
                [0, ..] => {
                    self.raw.consume(1);
                }
                [0x1F, 0x8B] => {
                    self.member = Decompress::new_gzip(WINDOW_BITS);
                    self.between_members = false;
                    return Ok(true);
                }
                [0x1F] => return Err(Fault::Truncated),
                _ => {
                    return Err(Fault::Corrupt("bytes after the last gzip member are not gzip".to_owned()));
                }
            }
        }
    }
}

impl Decode for Gzip {
    fn decode(&mut self, out: &mut [u8]) -> Decoded {
        loop {
            if self.between_members {
                match self.next_member() {
                    Ok(true) => {}
                    Ok(false) => return Decoded::END,
                    Err(fault) => return Decoded::fault(fault),
                }
            }
            let input = match self.raw.fill_buf() {
                Ok(input) => input,
                Err(error) => return Decoded::fault(error),
            };
            let at_end = input.is_empty();
            let (in_before, out_before) = (self.member.total_in(), self.member.total_out());
            let status = self.member.decompress(input, out, FlushDecompress::None);
            // Both counters are right after an error too: what was decoded before it is kept.
            let taken = usize::try_from(self.member.total_in() - in_before).unwrap_or(0);
            let bytes = usize::try_from(self.member.total_out() - out_before).unwrap_or(0);
            self.raw.consume(taken);
            let fault = match status {
                Ok(Status::StreamEnd) => {
                    self.between_members = true;
                    None
                }
                Ok(_) if bytes == 0 && at_end => Some(Fault::Truncated),
                Ok(_) if bytes == 0 && taken == 0 => Some(Fault::Corrupt("deflate stream stands still".to_owned())),
                Ok(_) => None,
                Err(error) => Some(Fault::Corrupt(
                    error.message().unwrap_or("damaged deflate stream, header or check sum").to_owned(),
                )),
            };
            if bytes > 0 || fault.is_some() {
                return Decoded { bytes, fault };
            }
        }
    }
}
