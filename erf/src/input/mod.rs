//! Where bytes come from: files, standard input, any stream; compressed or not.
//!
//! [`Input`] decides by content what a stream is compressed with and decodes it as it is read, in
//! memory that does not grow with the file. All decoders are Rust; none needs a C library.
//!
//! | compression | several in a row | limits |
//! |---|---|---|
//! | gzip | members, zero padding between them | - |
//! | bzip2 | streams | - |
//! | xz | streams, stream padding | dictionary of 256 MiB |
//! | zstd | frames, skippable frames | window of 100 MiB, no dictionaries |
//! | lz4 | frames, skippable frames | no dictionaries, no legacy frames |
//!
//! Decoders work block by block: a block that is not whole gives nothing. Blocks have up to 900 kB in bzip2,
//! 2 MiB in xz, 128 KiB in zstd, and 64 KiB to 4 MiB in lz4; gzip has none.
//!
//! A stream that is corrupt or cut short is an [`Error`] of kind
//! [`Decompress`](ErrorKind::Decompress) with the offset in the stored bytes, and it comes *after*
//! everything that could be decoded. Compression inside compression is not undone.

mod bzip2;
mod compression;
mod decode;
mod gzip;
mod lz4;
mod raw;
mod source;
#[cfg(test)]
mod tests;
mod window;
mod xz;
mod xz_torn;
mod zstd;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

pub use compression::Compression;
pub use source::Source;
pub(crate) use window::Window;

use crate::error::{Error, ErrorKind};
use decode::{Decode, Fault};
use raw::{RawBytes, Watch};

/// Decoded bytes of a [`Source`].
///
/// ```
/// use erf::input::{Compression, Input, Source};
///
/// let mut input = Input::open(Source::from_read(&b"plain bytes"[..]))?;
/// assert_eq!(input.compression(), Compression::None);
/// let mut block = [0; 64];
/// assert_eq!(input.read_some(&mut block)?, 11);
/// assert_eq!(input.read_some(&mut block)?, 0);
/// # Ok::<(), erf::Error>(())
/// ```
pub struct Input {
    name: String,
    compression: Compression,
    decoder: Box<dyn Decode>,
    watch: Watch,
    decoded: u64,
    pending: Option<Error>,
    over: bool,
    /// The file that it reads, if any part of that can be read again.
    file: Option<Arc<File>>,
}

impl Input {
    /// Opens a source and looks at its first bytes to find out how it is compressed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Open`] when a file cannot be opened, [`ErrorKind::Read`] when its first bytes
    /// cannot be read.
    pub fn open(source: impl Into<Source>) -> Result<Input, Error> {
        let source = source.into();
        let name = source.name();
        match source {
            Source::Path(path) => {
                let file = open_file(&path)?;
                Input::from_file(name, file)
            }
            Source::Stdin => Input::from_boxed(name, Box::new(io::stdin()), None),
            Source::Stream { reader, .. } => Input::from_boxed(name, reader, None),
        }
    }

    /// Reads from a file that is already open.
    pub(crate) fn from_file(name: String, file: File) -> Result<Input, Error> {
        let again = file.metadata().is_ok_and(|data| data.is_file());
        let file = Arc::new(file);
        Input::from_boxed(name, Box::new(Shared(Arc::clone(&file))), again.then_some(file))
    }

    /// `again`: the file that `reader` reads, if any part of it can be read again.
    fn from_boxed(name: String, reader: Box<dyn Read + Send>, again: Option<Arc<File>>) -> Result<Input, Error> {
        let mut raw = RawBytes::new(reader);
        let watch = raw.watch();
        let first = raw
            .peek(compression::MAGIC_LEN)
            .map_err(|cause| Error::new(ErrorKind::Read, "read failed").at(0).in_file(name.clone()).because(cause))?;
        let compression = Compression::detect(first);
        Ok(Input {
            name,
            compression,
            decoder: decode::decoder(compression, raw, again.clone()),
            watch,
            decoded: 0,
            pending: None,
            over: false,
            file: again,
        })
    }

    /// The file that it reads, if any part of that can be read again.
    pub(crate) fn file(&self) -> Option<Arc<File>> {
        self.file.clone()
    }

    /// How messages call this input.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the stored bytes are compressed with.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Decoded bytes delivered so far.
    pub fn position(&self) -> u64 {
        self.decoded
    }

    /// Stored bytes taken from the source so far, up to a buffer ahead of
    /// [`position`](Input::position) where the source is compressed.
    pub fn stored_position(&self) -> u64 {
        self.watch.consumed()
    }

    /// Reads what is there now, at least one byte; 0 is the end. A pipe that holds half a block gives
    /// half a block, without waiting for the other half.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Read`] when the source fails, [`ErrorKind::Decompress`] when the stored bytes make
    /// no sense. Either comes once, after all bytes before it; the next call says 0.
    pub fn read_some(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        if out.is_empty() {
            return Ok(0);
        }
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        if self.over {
            return Ok(0);
        }
        let step = self.decoder.decode(out);
        let bytes = step.bytes.min(out.len());
        self.decoded += bytes as u64;
        if let Some(fault) = step.fault {
            self.over = true;
            let error = self.error_of(fault);
            if bytes == 0 {
                return Err(error);
            }
            self.pending = Some(error);
        } else if bytes == 0 {
            self.over = true;
        }
        Ok(bytes)
    }

    /// Reads until `out` is full or the input is over. An error waits for the next call if any byte
    /// was read before it.
    ///
    /// # Errors
    ///
    /// As [`read_some`](Input::read_some).
    pub fn read_full(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < out.len() {
            match self.read_some(&mut out[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if filled == 0 => return Err(error),
                Err(error) => {
                    self.pending = Some(error);
                    break;
                }
            }
        }
        Ok(filled)
    }

    /// Whether no further byte will come; an error may.
    fn is_over(&self) -> bool {
        self.over
    }

    /// The error that the next read would give.
    fn take_pending(&mut self) -> Option<Error> {
        self.pending.take()
    }

    fn error_of(&self, fault: Fault) -> Error {
        let stored = self.watch.consumed();
        let damaged = |what: String| Error::new(ErrorKind::Decompress, what).at(stored);
        let compression = self.compression;
        let error = match fault {
            Fault::Io(cause) if self.watch.failed() || !compression.is_compressed() => {
                Error::new(ErrorKind::Read, "read failed").at(stored).because(cause)
            }
            Fault::Io(cause) => damaged(format!(
                "{compression} data is damaged ({cause}); {} bytes were decoded before the damage, found",
                self.decoded
            )),
            Fault::Corrupt(what) => damaged(format!(
                "{compression} data is damaged ({what}); {} bytes were decoded before the damage, found",
                self.decoded
            )),
            Fault::Truncated => damaged(format!(
                "{compression} data is cut short; {} bytes were decoded, the compressed file ends",
                self.decoded
            )),
        };
        error.in_file(self.name.clone())
    }
}

/// A file that may be read elsewhere, too.
struct Shared(Arc<File>);

impl Read for Shared {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(out)
    }
}

/// Opens a file for reading, refusing a directory in plain words.
pub(crate) fn open_file(path: &std::path::Path) -> Result<File, Error> {
    let failed = |cause| Error::new(ErrorKind::Open, "cannot open").in_path(path).because(cause);
    let file = File::open(path).map_err(failed)?;
    if file.metadata().is_ok_and(|data| data.is_dir()) {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    Ok(file)
}

/// Reads from a place of a file, whatever else reads from it.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, at)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, at)
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.read_some(out).map_err(io::Error::from)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("name", &self.name)
            .field("compression", &self.compression)
            .field("position", &self.decoded)
            .finish_non_exhaustive()
    }
}
