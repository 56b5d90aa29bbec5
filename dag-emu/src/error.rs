//! [`Error`]: everything that can go wrong with an emulated card.

use crate::ring::{AdvanceError, MemoryError, RequestError};
use crate::tap::TapError;

/// An error of the emulated card: what, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Repr>);

/// What kind of trouble an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The description of the card is not understood, or asks for something that cannot be.
    Spec,
    /// The card has no such stream.
    NoSuchStream,
    /// The card cannot do it.
    Unsupported,
    /// The stream has an owner already.
    Busy,
    /// No memory for a stream.
    Memory,
    /// A privilege is missing.
    Permission,
    /// A file or interface is not there.
    NotFound,
    /// The source of the packets failed.
    Feed,
    /// The call does not fit the state of the stream.
    State,
    /// The card is gone.
    Gone,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("{0}")]
    Spec(String),
    #[error("the emulated card has no receive stream {stream}; it has {}", list_streams(*.streams))]
    NoSuchStream { stream: u16, streams: u16 },
    #[error(
        "the emulated card has no transmit stream {stream}; it has {streams} (odd numbers); the option `tx=loop` gives it one"
    )]
    NoTxStream { stream: u16, streams: u16 },
    #[error("stream {0}: this card's part cannot be played; the option `reverse=on` makes it one whose part can")]
    NoReverse(u16),
    #[error("stream {stream}: not started, or no room to send in time")]
    NoRoom { stream: u16 },
    #[error("what is sent: {0}")]
    TxFile(erf::Error),
    #[error(
        "receive stream {0} has no memory; take another stream, or give it some (of an emulated card: `streams=N`)"
    )]
    NoMemory(u16),
    #[error("stream {stream}: {source}")]
    Request { stream: u16, source: RequestError },
    #[error("stream {stream}: {source}")]
    Advance { stream: u16, source: AdvanceError },
    #[error("stream {stream}: {source}")]
    Memory { stream: u16, source: MemoryError },
    #[error(transparent)]
    Tap(#[from] TapError),
    #[error("replay: {source}{}", way_out(*.forced, source))]
    Replay { forced: bool, source: erf::Error },
    #[error("replay {path}: {what}")]
    ReplayContent { path: String, what: String },
    #[error("no thread for the emulated card: {0}")]
    Thread(std::io::Error),
    #[error("{0}")]
    FailedThere(String),
    #[error("no emulated card named {0:?} is served on this machine; `dagemu run {0} --feed synthetic` serves one")]
    NotServed(String),
    #[error(
        "no permission to use the emulated card {name:?}: {path} belongs to others; see `dagemu run --mode --group`"
    )]
    ServedPermission { name: String, path: String },
    #[error("the emulated card {name:?} does not answer: {source}")]
    ServedSilent { name: String, source: std::io::Error },
    #[error("the emulated card {name:?}: {text}")]
    ServedRefused { name: String, text: String },
    #[error("an emulated card named {0:?} is served already; `dagemu stop {0}` ends it")]
    ServedAlready(String),
    #[error("{0:?} is no name for a served card: letters, digits, `-`, `_` and `.`, 64 at most")]
    ServedName(String),
    #[error("{path}: no socket to serve a card at: {source}")]
    Serve { path: String, source: std::io::Error },
    #[error("{0}")]
    Failed(std::sync::Arc<Error>),
}

/// For a file that is not taken for ERF.
fn way_out(forced: bool, error: &erf::Error) -> &'static str {
    let unknown = error.kind() == erf::ErrorKind::UnknownFormat;
    if unknown && !forced { " (for a replay that is the option format=erf)" } else { "" }
}

fn list_streams(streams: u16) -> String {
    match streams {
        1 => "stream 0 only".to_owned(),
        n => format!("streams 0 to {} (even numbers)", 2 * (n - 1)),
    }
}

impl Error {
    /// What kind of trouble this is.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::Spec(_) => ErrorKind::Spec,
            Repr::NoSuchStream { .. } | Repr::NoTxStream { .. } => ErrorKind::NoSuchStream,
            Repr::NoReverse(_) => ErrorKind::Unsupported,
            Repr::NoRoom { .. } => ErrorKind::State,
            Repr::Request { source: RequestError::Busy, .. } => ErrorKind::Busy,
            Repr::Request { .. } => ErrorKind::Gone,
            Repr::Advance { source: AdvanceError::ProducerGone, .. } => ErrorKind::Gone,
            Repr::Advance { .. } => ErrorKind::State,
            Repr::Memory { .. } | Repr::NoMemory(_) => ErrorKind::Memory,
            Repr::Tap(tap) => tap_kind(tap),
            Repr::Replay { source, .. } => match source.io_error().map(std::io::Error::kind) {
                Some(std::io::ErrorKind::NotFound) => ErrorKind::NotFound,
                Some(std::io::ErrorKind::PermissionDenied) => ErrorKind::Permission,
                _ => ErrorKind::Feed,
            },
            Repr::TxFile(_) | Repr::ReplayContent { .. } | Repr::Thread(_) | Repr::FailedThere(_) => ErrorKind::Feed,
            Repr::NotServed(_) => ErrorKind::NotFound,
            Repr::ServedPermission { .. } => ErrorKind::Permission,
            Repr::ServedSilent { .. } | Repr::ServedRefused { .. } => ErrorKind::Gone,
            Repr::ServedAlready(_) => ErrorKind::Busy,
            Repr::ServedName(_) => ErrorKind::Spec,
            Repr::Serve { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                ErrorKind::Permission
            }
            Repr::Serve { .. } => ErrorKind::Feed,
            Repr::Failed(error) => error.kind(),
        }
    }

    /// A description of a card that is not understood.
    pub(crate) fn spec(what: impl Into<String>) -> Self {
        Repr::Spec(what.into()).into()
    }

    /// The failure that ended the feed, for each stream that hears of it.
    pub(crate) fn failed(error: &std::sync::Arc<Error>) -> Self {
        Repr::Failed(std::sync::Arc::clone(error)).into()
    }
}

impl From<Repr> for Error {
    fn from(repr: Repr) -> Self {
        Self(Box::new(repr))
    }
}

impl From<TapError> for Error {
    fn from(error: TapError) -> Self {
        Repr::Tap(error).into()
    }
}

fn tap_kind(error: &TapError) -> ErrorKind {
    match error {
        TapError::InterfaceCount { .. } | TapError::NamedTwice { .. } | TapError::BadName { .. } => ErrorKind::Spec,
        TapError::NoSuchNetns { .. } | TapError::NotANetns { .. } | TapError::NoSuchInterface { .. } => {
            ErrorKind::NotFound
        }
        TapError::NetnsPermission { .. } | TapError::NoPermission { .. } => ErrorKind::Permission,
        _ => ErrorKind::Feed,
    }
}
