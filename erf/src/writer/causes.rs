//! What a program does about a failed output depends on why it failed: these are the questions it asks.

use std::io;

use crate::Error;

impl Error {
    /// The reader of a pipe has gone. Programs end as success then: the reader has all it wanted.
    pub fn is_closed_pipe(&self) -> bool {
        self.cause_is(|kind| kind == io::ErrorKind::BrokenPipe)
    }

    /// The reader of a pipe reads no more, and the patience of [`Output::while_ending`](crate::writer::Output::while_ending) is over.
    pub fn is_stalled_pipe(&self) -> bool {
        self.cause_is(|kind| kind == io::ErrorKind::TimedOut)
    }

    /// No room: the disk or the user's quota is full, or the file is as large as it may become.
    pub fn is_disk_full(&self) -> bool {
        self.cause_is(no_room)
    }

    /// The output exists, nobody asked to overwrite it, and it was not touched.
    pub fn is_already_exists(&self) -> bool {
        self.cause_is(|kind| kind == io::ErrorKind::AlreadyExists)
    }

    fn cause_is(&self, is: impl Fn(io::ErrorKind) -> bool) -> bool {
        self.io_error().is_some_and(|cause| is(cause.kind()))
    }
}

/// What a failed write is about, in words.
pub(super) fn words(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::BrokenPipe => "the reader of the pipe has gone",
        io::ErrorKind::TimedOut => "the reader of the pipe reads no more, and was given up",
        kind if no_room(kind) => "no room to write",
        _ => "writing failed",
    }
}

pub(super) fn no_room(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
