//! bzip2: streams one after another, each of blocks of up to 900 kB.

use std::io::BufRead;

use bzip2::{Decompress, Status};

use super::decode::{Decode, Decoded, Fault};
use super::raw::RawBytes;

pub(super) struct Bzip2 {
    raw: RawBytes,
    stream: Decompress,
    between_streams: bool,
}

impl Bzip2 {
    pub(super) fn new(raw: RawBytes) -> Bzip2 {
        Bzip2 { raw, stream: Decompress::new(false), between_streams: false }
    }

    /// Goes on to the next stream. `false`: there is none.
    fn next_stream(&mut self) -> Result<bool, Fault> {
        match self.raw.peek(3)? {
            [] => Ok(false),
            b"BZh" => {
                self.stream = Decompress::new(false);
                self.between_streams = false;
                Ok(true)
            }
            part if b"BZh".starts_with(part) => Err(Fault::Truncated),
            _ => Err(Fault::Corrupt("bytes after the last bzip2 stream are not bzip2".to_owned())),
        }
    }
}

impl Decode for Bzip2 {
    fn decode(&mut self, out: &mut [u8]) -> Decoded {
        loop {
            if self.between_streams {
                match self.next_stream() {
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
            let (in_before, out_before) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(input, out);
            let taken = usize::try_from(self.stream.total_in() - in_before).unwrap_or(0);
            let bytes = usize::try_from(self.stream.total_out() - out_before).unwrap_or(0);
            self.raw.consume(taken);
            let fault = match status {
                Ok(Status::StreamEnd) => {
                    self.between_streams = true;
                    None
                }
                Ok(_) if bytes == 0 && at_end => Some(Fault::Truncated),
                Ok(_) if bytes == 0 && taken == 0 => Some(Fault::Corrupt("bzip2 stream stands still".to_owned())),
                Ok(_) => None,
                Err(error) => Some(Fault::Corrupt(error.to_string())),
            };
            if bytes > 0 || fault.is_some() {
                return Decoded { bytes, fault };
            }
        }
    }
}
