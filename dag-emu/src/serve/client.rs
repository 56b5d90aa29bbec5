//! The client's side: a card of another process.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use erf_core::Tick;

use super::message::{Reason, Reply, Request, Setting, Status, VERSION};
use super::socket::Connection;
use super::{check_name, folders};
use crate::card::Side;
use crate::clock::{Clock, ClockHealth, ClockSettings, TimeSource};
use crate::error::{Error, Repr};
use crate::feed::{FeedInfo, FeedInterface, StampSource};
use crate::ports::Ports;
use crate::ring::{Access, Driver, Need, RequestError, Share, Turn};

/// A server answers at once, or it hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at whether the stream is still held.
const LOOK: Duration = Duration::from_millis(100);

/// The socket of the card `name`.
pub(super) fn find(name: &str) -> Result<PathBuf, Error> {
    check_name(name)?;
    let paths = folders().into_iter().map(|folder| folder.join(name));
    // One in a folder that may not be looked into is told by the attempt to connect.
    paths.clone().find(|path| path.exists()).or_else(|| paths.clone().next()).ok_or_else(|| not_served(name))
}

fn not_served(name: &str) -> Error {
    Repr::NotServed(name.to_owned()).into()
}

fn connect_to(path: &Path, name: &str) -> Result<Connection, Error> {
    Connection::to(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => not_served(name),
        io::ErrorKind::PermissionDenied => {
            Repr::ServedPermission { name: name.to_owned(), path: path.display().to_string() }.into()
        }
        _ => silent(name, error),
    })
}

fn silent(name: &str, source: io::Error) -> Error {
    Repr::ServedSilent { name: name.to_owned(), source }.into()
}

fn ask(path: &Path, name: &str, request: &Request) -> Result<Reply, Error> {
    let connection = connect_to(path, name)?;
    connection.send(request, &[]).map_err(|error| silent(name, error))?;
    let (reply, _) = connection.receive(PATIENCE).map_err(|error| silent(name, error))?;
    Ok(reply)
}

pub(super) fn status(path: &Path, name: &str) -> Result<Status, Error> {
    match ask(path, name, &Request::Status { version: VERSION })? {
        Reply::Status(status) => Ok(*status),
        Reply::Refused { text, .. } => Err(refused(name, text)),
        _ => Err(refused(name, "it answers something else".to_owned())),
    }
}

pub(super) fn stop(path: &Path, name: &str) -> Result<(), Error> {
    if let Reply::Refused { text, .. } = ask(path, name, &Request::Stop { version: VERSION })? {
        return Err(refused(name, text));
    }
    let asked = Instant::now();
    while asked.elapsed() < 2 * PATIENCE {
        if status(path, name).is_err_and(|error| error.kind() == crate::ErrorKind::NotFound) {
            return Ok(());
        }
        thread::sleep(LOOK / 10);
    }
    Err(silent(name, io::ErrorKind::TimedOut.into()))
}

fn refused(name: &str, text: String) -> Error {
    Repr::ServedRefused { name: name.to_owned(), text }.into()
}

/// A card of another process: where it is, and what it said of itself when it was opened.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    path: PathBuf,
    name: String,
    pub(crate) streams: u16,
    pub(crate) bare_streams: u16,
    pub(crate) tx_streams: u16,
    pub(crate) reversible: bool,
    pub(crate) memory: u64,
}

/// What a card of another process is made of here.
pub(crate) struct Parts {
    pub(crate) remote: Remote,
    pub(crate) ports: Ports,
    pub(crate) clock: Clock,
    pub(crate) feed: FeedInfo,
}

/// Opens the card `name`.
pub(crate) fn connect(name: &str) -> Result<Parts, Error> {
    let path = find(name)?;
    let status = status(&path, name)?;
    let streams = u16::try_from(status.streams.len()).ok().filter(|count| *count <= crate::MAX_STREAMS);
    let (Some(streams), Some(tick)) = (streams, Tick::new(status.tick_bits)) else {
        return Err(refused(name, "it describes a card that cannot be".to_owned()));
    };
    let remote = Remote {
        path,
        name: name.to_owned(),
        streams,
        bare_streams: status.bare_streams.min(crate::MAX_STREAMS),
        tx_streams: status.tx_streams.len().min(crate::MAX_STREAMS.into()) as u16,
        reversible: status.reversible,
        memory: status.memory,
    };
    let count = status.ports.len().min(crate::MAX_PORTS.into()) as u8;
    let ports = Ports::new(count, status.snaplen, status.varlen).of(remote.clone());
    let clock = Clock::new(ClockSettings { tick, ..ClockSettings::default() }, TimeSource::Host);
    let source = match status.stamp_source.as_str() {
        "kernel" => StampSource::Kernel,
        "replay" => StampSource::Replay,
        "script" => StampSource::Script,
        _ => StampSource::Synthetic,
    };
    let mut feed = FeedInfo::new(status.feed.clone(), source);
    feed.stamp_error_ns = status.stamp_error_ns;
    for (number, port) in (0..count).zip(&status.ports) {
        if let Some(interface) = &port.name {
            feed.interfaces.push(FeedInterface {
                port: number,
                name: interface.clone(),
                description: port.description.clone().unwrap_or_default(),
                mac: port.mac,
                speed: port.speed,
                link_up: port.link_up,
            });
        }
    }
    let parts = Parts { remote, ports, clock, feed };
    parts.remote.show(&status, &parts.ports, &parts.clock);
    Ok(parts)
}

impl Remote {
    /// What the card says of itself now.
    pub(crate) fn status(&self) -> Result<Status, Error> {
        status(&self.path, &self.name)
    }

    /// Shows here what the card says there.
    pub(crate) fn show(&self, status: &Status, ports: &Ports, clock: &Clock) {
        ports.show(status);
        let health = if status.synchronised { ClockHealth::Synchronised } else { ClockHealth::Unsynchronised };
        clock.set_health(health);
    }

    /// Sets something there. One that has gone is set nothing, and says so when it is used.
    pub(crate) fn set(&self, setting: Setting) {
        if let Err(error) = ask(&self.path, &self.name, &Request::Set { version: VERSION, setting }) {
            log::warn!("{error}");
        }
    }

    /// Becomes the owner of a receive stream: its memory and registers, and what holds it.
    pub(crate) fn attach(&self, side: Side, access: Access) -> Result<(Share, Held), Error> {
        let Side { number: stream, transmit, reverse } = side;
        let name = &self.name;
        let connection = connect_to(&self.path, name)?;
        let request = Request::Attach { version: VERSION, stream, transmit, reverse };
        connection.send(&request, &[]).map_err(|error| silent(name, error))?;
        let (reply, fds) = connection.receive(PATIENCE).map_err(|error| silent(name, error))?;
        let streams = self.streams;
        match reply {
            Reply::Attached => {}
            Reply::Refused { reason: Reason::Busy, .. } => {
                return Err(Repr::Request { stream, source: RequestError::Busy }.into());
            }
            Reply::Refused { reason: Reason::NoReverse, .. } => return Err(Repr::NoReverse(stream).into()),
            Reply::Refused { reason: Reason::NoSuchStream, .. } if transmit => {
                return Err(Repr::NoTxStream { stream, streams: self.tx_streams }.into());
            }
            Reply::Refused { reason: Reason::NoSuchStream, .. } => {
                return Err(Repr::NoSuchStream { stream, streams }.into());
            }
            Reply::Refused { reason: Reason::NoMemory, .. } => return Err(Repr::NoMemory(stream).into()),
            Reply::Refused { text, .. } => return Err(refused(name, text)),
            _ => return Err(refused(name, "it answers something else".to_owned())),
        }
        let Ok([memory, registers]) = <[_; 2]>::try_from(fds) else {
            return Err(refused(name, "it grants a stream without its memory".to_owned()));
        };
        let share = Share::open(memory, registers, access).map_err(|source| Repr::Memory { stream, source })?;
        let connection = Arc::new(connection);
        let held = Held::new(Arc::clone(&connection), share.clone())?;
        let driver = Driver::new(move |need| {
            if need == Need::Answer {
                connection.nudge();
            }
            Turn::Elsewhere
        });
        Ok((share.with_driver(driver), held))
    }
}

/// A stream that is held: as long as this lives, its server is watched.
#[derive(Debug)]
pub(crate) struct Held {
    connection: Arc<Connection>,
    released: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Held {
    fn new(connection: Arc<Connection>, share: Share) -> Result<Self, Error> {
        let released = Arc::new(AtomicBool::new(false));
        let (watched, watching) = (Arc::clone(&released), Arc::clone(&connection));
        let thread = thread::Builder::new().name("dag-watch".to_owned()).spawn(move || {
            let mut giving_back = None;
            loop {
                match watching.wait(LOOK) {
                    Ok(Some(true) | None) => {}
                    // The server has taken it back.
                    _ if watched.load(Ordering::Acquire) => return,
                    // The server has closed it, so it is gone: nobody else can say so in the registers now.
                    _ => return share.declare_gone(),
                }
                if watched.load(Ordering::Acquire) && giving_back.get_or_insert_with(Instant::now).elapsed() >= PATIENCE
                {
                    return;
                }
            }
        });
        Ok(Self { connection, released, thread: Some(thread.map_err(Repr::Thread)?) })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.released.store(true, Ordering::Release);
        self.connection.end();
        // Until the server has it back: whoever attaches next does not find it taken.
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread that watches the server has panicked");
        }
    }
}
