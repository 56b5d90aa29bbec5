//! [`Error`]: everything that can go wrong with a card, real or emulated.

use std::io;
use std::sync::Arc;

/// An error of this crate: what, where, and what to do about it. One line; causes in [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Repr>);

/// What kind of trouble an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The device name is none.
    UnknownDevice,
    /// The description of an emulated card is not understood, or asks for something that cannot be.
    Spec,
    /// There is no such card, or what an emulated card is to be fed from is not there.
    NotFound,
    /// There is no libdag that could be used.
    NoDriver,
    /// The card cannot do it, or not from here.
    Unsupported,
    /// A real card is demanded and there is none.
    NoCard,
    /// A privilege is missing.
    Permission,
    /// The card has no such stream.
    NoSuchStream,
    /// The card has no such port.
    NoSuchPort,
    /// The stream has an owner already.
    Busy,
    /// No memory for a stream.
    Memory,
    /// The source of an emulated card's packets failed.
    Feed,
    /// The call does not fit the state of the stream.
    State,
    /// The card is gone.
    Gone,
    /// A filter has no meaning for packets that came.
    Filter,
    /// What was recorded could not be written.
    Write,
    /// What was recorded is read by nobody any more: the pipe is closed.
    ClosedPipe,
    /// What was recorded could not be written in the end: the reader of the pipe reads no more.
    StalledPipe,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    #[error("{0:?} names no card; write dag0, dag0:2, /dev/dag0, or emu:synthetic, emu:replay=FILE, emu:tap=IFACE")]
    UnknownDevice(String),
    #[error("{device}: no such card: {path} does not exist; emu:synthetic is an emulated one")]
    NoSuchCard { device: String, path: String },
    #[error("{hint}, but {error}; name an emulated card with --device emu:synthetic to work without it")]
    Hinted { hint: String, error: Box<Error> },
    #[error("{device}: {error}")]
    Library { device: String, error: dag_sys::LoadError },
    #[error("{0}")]
    Values(dag_sys::values::ValuesError),
    #[error(
        "{device}: no permission to open {path} for reading and writing; run as root, or give your group the device node"
    )]
    CardPermission { device: String, path: String },
    #[error("{device} has no receive stream {stream} with memory; {has}")]
    CardStream { device: String, stream: u16, has: String },
    #[error(
        "{device}: receive stream {stream} has no memory; {has}; `dagconfig` or the driver's settings give it some"
    )]
    StreamMemory { device: String, stream: u16, has: String },
    #[error("{device}: receive stream {stream} is in use{by}; stop who uses it, or take another stream")]
    StreamBusy { device: String, stream: u16, by: String },
    #[error("{device}: stream {stream} transmits (odd numbers do); receive streams are even")]
    TransmitStream { device: String, stream: u16 },
    #[error("{device}: stream {stream} receives (even numbers do); transmit streams are odd")]
    ReceiveStream { device: String, stream: u16 },
    #[error("stream {stream}: no room to send in time; the card does not send, or is not started")]
    TxNoRoom { stream: u16 },
    #[error("stream {stream}: not all was sent within {seconds} s")]
    TxLeft { stream: u16, seconds: u64 },
    #[error("a record of {len} bytes has no room for padding to a multiple of {align}; it was not sent")]
    TxTooLong { align: usize, len: usize },
    #[error("{device}, stream {stream}: {error}")]
    StreamCall { device: String, stream: u16, error: dag_sys::CallError },
    #[error("{device}: {error}")]
    CardCall { device: String, error: dag_sys::CallError },
    #[error("{device}, stream {stream}: the DAG library misbehaves: {what}; stop the stream and start it again")]
    Misbehaves { device: String, stream: u16, what: String },
    #[error("{device}: {what}")]
    FeedFailed { device: String, what: String },
    #[error("{device}: the {what} cannot be set from here; use `dagconfig`")]
    NoSetting { device: String, what: &'static str },
    #[error("a real card is required and none is here: no libdag, no /dev/dag*, no /sys/class/dag")]
    NoCard,
    #[error("a real card is required, and {0} is an emulated one")]
    EmulatedRefused(String),
    #[error(transparent)]
    Emu(#[from] dag_emu::Error),
    /// Told to each of several readers.
    #[error("{0}")]
    Shared(Arc<Error>),
    #[error("{what}")]
    State { what: String },
    #[error("no thread for the writer: {0}")]
    Thread(io::Error),
    #[error("CPU {cpu} cannot be had for a stream: {errno}; this program may run on {allowed}")]
    Cpu { cpu: usize, allowed: String, errno: nix::Error },
    #[error("{file}: direct I/O is not possible: {reason}; leave --io direct away to write through the page cache")]
    NoDirect { file: String, reason: String },
    #[error("{0}")]
    Filter(erf::Error),
    #[error("{0}")]
    Write(erf::Error),
    #[error("{0}")]
    Files(io::Error),
    #[error("{0}")]
    ClosedPipe(erf::Error),
    #[error("{0}")]
    StalledPipe(erf::Error),
    #[error("{device} has no port {port}; it has ports 0 to {}", .ports.saturating_sub(1))]
    NoSuchPort { device: String, port: u8, ports: u8 },
}

impl Error {
    /// What kind of trouble this is.
    pub fn kind(&self) -> ErrorKind {
        use dag_emu::ErrorKind as Emu;
        match &*self.0 {
            Repr::UnknownDevice(_) => ErrorKind::UnknownDevice,
            Repr::NoSuchCard { .. } => ErrorKind::NotFound,
            Repr::Hinted { error, .. } => error.kind(),
            Repr::Shared(error) => error.kind(),
            Repr::Library { .. } | Repr::Values(_) => ErrorKind::NoDriver,
            Repr::CardPermission { .. } => ErrorKind::Permission,
            Repr::CardStream { .. } | Repr::TransmitStream { .. } | Repr::ReceiveStream { .. } => {
                ErrorKind::NoSuchStream
            }
            Repr::StreamMemory { .. } => ErrorKind::Memory,
            Repr::StreamBusy { .. } => ErrorKind::Busy,
            Repr::StreamCall { error, .. } | Repr::CardCall { error, .. } => match error.errno() {
                Some(libc::EINVAL) => ErrorKind::State,
                _ => ErrorKind::Gone,
            },
            Repr::Misbehaves { .. } => ErrorKind::Gone,
            Repr::FeedFailed { .. } => ErrorKind::Feed,
            Repr::NoSetting { .. } | Repr::NoDirect { .. } | Repr::Cpu { .. } => ErrorKind::Unsupported,
            Repr::NoCard | Repr::EmulatedRefused(_) => ErrorKind::NoCard,
            Repr::State { .. } | Repr::TxNoRoom { .. } | Repr::TxLeft { .. } | Repr::TxTooLong { .. } => {
                ErrorKind::State
            }
            Repr::Thread(_) => ErrorKind::Memory,
            Repr::Filter(_) => ErrorKind::Filter,
            Repr::Write(_) | Repr::Files(_) => ErrorKind::Write,
            Repr::ClosedPipe(_) => ErrorKind::ClosedPipe,
            Repr::StalledPipe(_) => ErrorKind::StalledPipe,
            Repr::NoSuchPort { .. } => ErrorKind::NoSuchPort,
            Repr::Emu(error) => match error.kind() {
                Emu::Spec => ErrorKind::Spec,
                Emu::NoSuchStream => ErrorKind::NoSuchStream,
                Emu::Busy => ErrorKind::Busy,
                Emu::Memory => ErrorKind::Memory,
                Emu::Permission => ErrorKind::Permission,
                Emu::NotFound => ErrorKind::NotFound,
                Emu::State => ErrorKind::State,
                Emu::Gone => ErrorKind::Gone,
                _ => ErrorKind::Feed,
            },
        }
    }

    /// The refusal of the emulated card `name` where a real one is required.
    pub fn emulated_refused(name: &str) -> Self {
        Repr::EmulatedRefused(name.to_owned()).into()
    }

    /// What went wrong in writing, told apart by who could do something about it.
    pub(crate) fn writing(error: erf::Error) -> Self {
        if error.is_closed_pipe() {
            Repr::ClosedPipe(error).into()
        } else if error.is_stalled_pipe() {
            Repr::StalledPipe(error).into()
        } else {
            Repr::Write(error).into()
        }
    }

    pub(crate) fn state(what: impl Into<String>) -> Self {
        Repr::State { what: what.into() }.into()
    }
}

impl From<Repr> for Error {
    fn from(repr: Repr) -> Self {
        Self(Box::new(repr))
    }
}

impl From<dag_emu::Error> for Error {
    fn from(error: dag_emu::Error) -> Self {
        Repr::Emu(error).into()
    }
}
