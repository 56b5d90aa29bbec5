//! The one error of this crate: what went wrong, in which file, at which byte.

use std::fmt;
use std::io;
use std::path::Path;

/// What class of trouble an [`Error`] is, for callers that branch.
///
/// Damage inside an ERF stream is not here: it is a value,
/// [`Defect`](crate::Defect), and reading goes on after it where that is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file could not be opened, created or mapped.
    Open,
    /// Reading failed below the format: the operating system or the caller's own `Read`.
    Read,
    /// Writing failed: full disk, closed pipe, the caller's own `Write`.
    Write,
    /// A compressed stream is corrupt or ends too early. Everything decoded before that point has
    /// been delivered.
    Decompress,
    /// The bytes are none of the formats this crate reads.
    UnknownFormat,
    /// A pcap or pcapng file breaks the rules of its container. Packets before that point have been
    /// delivered.
    Malformed,
    /// A pcap or pcapng file ends inside a packet or block. Packets before that point have been
    /// delivered.
    Truncated,
    /// A length or number is over the limit this crate accepts.
    Limit,
    /// The request is well-formed but cannot be done here, for example mapping a pipe.
    Unsupported,
    /// An argument that the caller chose makes no sense.
    InvalidInput,
}

/// The error of this crate.
///
/// [`Display`](fmt::Display) is one line: file, what happened, byte offset where there is one, cause
/// and, where there is one, the way out. The cause is part of that line and therefore not repeated
/// through [`source`](std::error::Error::source); [`io_error`](Error::io_error) gives the operating
/// system's part of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(Box<Detail>);

#[derive(Debug)]
struct Detail {
    kind: ErrorKind,
    what: String,
    file: Option<String>,
    offset: Option<u64>,
    io: Option<io::Error>,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        f.write_str(&self.what)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        match &self.io {
            // What happened says so in its own words.
            Some(io) if io.kind() != io::ErrorKind::AlreadyExists => write!(f, ": {io}"),
            _ => Ok(()),
        }
    }
}

impl Error {
    /// A new error: its kind and what happened, in words that need no context but the file's name.
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Error {
        Error(Box::new(Detail { kind, what: what.into(), file: None, offset: None, io: None }))
    }

    /// Adds the byte offset; for compressed input the message says which of the two sides it counts.
    pub(crate) fn at(mut self, offset: u64) -> Error {
        self.0.offset = Some(offset);
        self
    }

    /// Adds the file's name unless one is there already.
    pub(crate) fn in_file(mut self, name: impl Into<String>) -> Error {
        if self.0.file.is_none() {
            self.0.file = Some(name.into());
        }
        self
    }

    /// Adds a path as the file's name.
    pub(crate) fn in_path(self, path: &Path) -> Error {
        let name = path.display().to_string();
        self.in_file(name)
    }

    /// Adds what the operating system, or the caller's own stream, said.
    pub(crate) fn because(mut self, cause: io::Error) -> Error {
        self.0.io = Some(cause);
        self
    }

    /// An input is damaged, and everything before the damage has been delivered: what was made of that is worth keeping.
    pub fn is_damage(&self) -> bool {
        matches!(self.kind(), ErrorKind::Decompress | ErrorKind::Malformed | ErrorKind::Truncated)
    }

    /// What class of trouble this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file's name as the caller gave it, `standard input`, or the name of a caller's stream.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// Byte offset of the trouble: in the file as stored for [`ErrorKind::Decompress`], else in the
    /// decompressed bytes.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// What the operating system or a caller's own stream reported, if it was they who failed.
    pub fn io_error(&self) -> Option<&io::Error> {
        self.0.io.as_ref()
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error.kind() {
            ErrorKind::Truncated => io::ErrorKind::UnexpectedEof,
            ErrorKind::Decompress | ErrorKind::UnknownFormat | ErrorKind::Malformed => io::ErrorKind::InvalidData,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
            _ => error.io_error().map_or(io::ErrorKind::Other, io::Error::kind),
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_file_offset_and_cause() {
        let error = Error::new(ErrorKind::Read, "read failed")
            .at(4096)
            .in_file("a.erf")
            .in_file("later name is ignored")
            .because(io::Error::other("device gone"));
        assert_eq!(error.to_string(), "a.erf: read failed at byte 4096: device gone");
        assert_eq!(error.kind(), ErrorKind::Read);
        assert_eq!(error.file(), Some("a.erf"));
        assert_eq!(error.offset(), Some(4096));
        assert!(std::error::Error::source(&error).is_none());
    }

    #[test]
    fn that_a_file_exists_is_said_once() {
        let exists = io::Error::from(io::ErrorKind::AlreadyExists);
        let error = Error::new(ErrorKind::Open, "exists already and was not touched").in_file("a.erf").because(exists);
        assert_eq!(error.to_string(), "a.erf: exists already and was not touched");
        assert!(error.is_already_exists());
    }

    #[test]
    fn becomes_an_io_error_of_a_fitting_kind() {
        let broken = Error::new(ErrorKind::Write, "write failed").because(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(io::Error::from(broken).kind(), io::ErrorKind::BrokenPipe);
        let cut = Error::new(ErrorKind::Truncated, "ends inside a packet");
        assert_eq!(io::Error::from(cut).kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn is_small_and_can_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
