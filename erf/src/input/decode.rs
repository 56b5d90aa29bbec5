//! What a decoder is: bytes out, and beside them, not instead of them, what went wrong.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::compression::Compression;
use super::raw::RawBytes;
use super::{bzip2::Bzip2, gzip::Gzip, lz4::Lz4, xz::Xz, zstd::Zstd};

/// Outcome of one step of a decoder. No bytes and no fault is the end of the stream.
///
/// `std::io::Read` cannot say "here are 700 bytes, and behind them the stream is broken"; that is
/// exactly what must not get lost here.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Bytes put at the front of the caller's buffer, good even when there is a fault.
    pub(super) bytes: usize,
    /// Why nothing more will come.
    pub(super) fault: Option<Fault>,
}

impl Decoded {
    pub(super) const END: Decoded = Decoded { bytes: 0, fault: None };

    pub(super) fn bytes(bytes: usize) -> Decoded {
        Decoded { bytes, fault: None }
    }

    pub(super) fn fault(fault: impl Into<Fault>) -> Decoded {
        Decoded { bytes: 0, fault: Some(fault.into()) }
    }
}

/// Why a decoder stopped early.
#[derive(Debug)]
pub(super) enum Fault {
    /// The source, or a decoder that speaks `io::Error`, failed.
    Io(io::Error),
    /// The stored bytes break the rules of the compression.
    Corrupt(String),
    /// The stored bytes end inside a compressed unit.
    Truncated,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Io(error)
    }
}

/// A streaming decoder. After a fault or the end it is not called again.
pub(super) trait Decode: Send {
    /// Decodes at least one byte into `out`, which is never empty, unless the stream is over.
    fn decode(&mut self, out: &mut [u8]) -> Decoded;
}

/// Uncompressed bytes, as they are.
struct Plain(RawBytes);

impl Decode for Plain {
    fn decode(&mut self, out: &mut [u8]) -> Decoded {
        match io::Read::read(&mut self.0, out) {
            Ok(n) => Decoded::bytes(n),
            Err(error) => Decoded::fault(error),
        }
    }
}

/// `again`: the file that `raw` reads, if any part of it can be read again.
pub(super) fn decoder(compression: Compression, raw: RawBytes, again: Option<Arc<File>>) -> Box<dyn Decode> {
    match compression {
        Compression::None => Box::new(Plain(raw)),
        Compression::Gzip => Box::new(Gzip::new(raw)),
        Compression::Bzip2 => Box::new(Bzip2::new(raw)),
        Compression::Xz => Box::new(Xz::new(raw, again)),
        Compression::Zstd => Box::new(Zstd::new(raw)),
        Compression::Lz4 => Box::new(Lz4::new(raw)),
    }
}
