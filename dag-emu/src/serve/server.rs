//! [`Server`]: gives a card of this process to others.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, thread};

use super::message::{Reason, Reply, Request, Setting, Status, VERSION};
use super::socket::{Connection, accept_within, listen_at};
use super::{check_name, client, folders, is_socket};
use crate::ErrorKind;
use crate::card::{Card, Side};
use crate::error::{Error, Repr};

/// Who asks has to say what it wants within this.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks at whether the server is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Connections at a time: every stream may have an owner, and some more may ask.
const MOST: usize = 256;

/// A card served at a socket, until this is dropped or a client asks for its end.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    path: PathBuf,
    /// The socket's file, so that not somebody else's is removed at the end.
    inode: (u64, u64),
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    card: Card,
    ending: AtomicBool,
    connections: AtomicUsize,
    /// The process that owns a side of a stream.
    owners: Mutex<BTreeMap<Side, i32>>,
}

impl Server {
    /// Serves `card` under `name`; whoever may read and write the socket by its `mode` and group (a number) may use it.
    ///
    /// The card has to be one whose memory is reserved: [`Card::open_reserved`].
    ///
    /// # Errors
    ///
    /// When there is a card of that name already, or no socket can be made.
    pub fn start(card: Card, name: &str, mode: u32, group: Option<u32>) -> Result<Self, Error> {
        check_name(name)?;
        let folder = folders().into_iter().next().unwrap_or_else(|| "/run/dagemu".into());
        let path = folder.join(name);
        let failed = |source: io::Error| Repr::Serve { path: path.display().to_string(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        match client::status(&path, name) {
            // Nobody answers: left over from one that was killed.
            Err(error) if error.kind() == ErrorKind::NotFound && (is_socket(&path) || !path.exists()) => {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error).into()),
                    _ => {}
                }
            }
            _ => return Err(Repr::ServedAlready(name.to_owned()).into()),
        }
        // Made where nobody can connect before its mode is right.
        let socket = {
            let hidden = folder.join(format!(".{name}.{}", std::process::id()));
            let _ = fs::remove_file(&hidden);
            let socket = listen_at(&hidden).map_err(failed)?;
            let prepared = fs::set_permissions(&hidden, fs::Permissions::from_mode(mode))
                .and_then(|()| std::os::unix::fs::chown(&hidden, None, group))
                .and_then(|()| fs::hard_link(&hidden, &path));
            let _ = fs::remove_file(&hidden);
            prepared.map_err(failed)?;
            socket
        };
        let inode = inode(&path).map_err(failed)?;
        let shared = Arc::new(Shared {
            card,
            ending: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            owners: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("dag-serve".to_owned())
            .spawn(move || serve(&serving, &socket))
            .map_err(Repr::Thread)?;
        Ok(Self { shared, path, inode, thread: Some(thread) })
    }

    /// Where the socket is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a client has asked for the end.
    pub fn is_ending(&self) -> bool {
        self.shared.ending.load(Ordering::Acquire)
    }

    /// What clients are told of the card.
    pub fn status(&self) -> Status {
        self.shared.status()
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Drop for Server {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|there| there == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
        self.shared.ending.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread that serves the card has panicked");
        }
    }
}

/// Takes connections until the end, each on a thread of its own.
fn serve(shared: &Arc<Shared>, socket: &OwnedFd) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    while !shared.ending.load(Ordering::Acquire) {
        threads.retain(|thread| !thread.is_finished());
        let connection = match accept_within(socket, LOOK) {
            Ok(Some(connection)) => connection,
            Ok(None) => continue,
            Err(error) => {
                log::warn!("a connection was not taken: {error}");
                thread::sleep(LOOK);
                continue;
            }
        };
        if shared.connections.fetch_add(1, Ordering::AcqRel) >= MOST {
            // Closed: there are more who ask than there can be reason for.
            shared.connections.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        let serving = Arc::clone(shared);
        let spawned = thread::Builder::new().name("dag-client".to_owned()).spawn(move || {
            serving.answer(&connection);
            serving.connections.fetch_sub(1, Ordering::AcqRel);
        });
        match spawned {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                shared.connections.fetch_sub(1, Ordering::AcqRel);
                log::warn!("no thread for a client: {error}");
            }
        }
    }
    for thread in threads {
        if thread.join().is_err() {
            log::error!("the thread of a client has panicked");
        }
    }
}

impl Shared {
    /// Answers one request; one that attaches a stream stays until its connection is closed.
    fn answer(&self, connection: &Connection) {
        let request: Request = match connection.receive(PATIENCE) {
            Ok((request, _)) => request,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return self.refuse(connection, Reason::Malformed, "that is no request");
            }
            Err(_) => return,
        };
        if request.version() != VERSION {
            let text = format!("this card speaks version {VERSION}, and you {}", request.version());
            return self.refuse(connection, Reason::Version, &text);
        }
        match request {
            Request::Status { .. } => self.reply(connection, &Reply::Status(Box::new(self.status()))),
            Request::Set { setting, .. } => {
                self.set(setting);
                self.reply(connection, &Reply::Done);
            }
            Request::Stop { .. } => {
                self.ending.store(true, Ordering::Release);
                self.reply(connection, &Reply::Done);
            }
            Request::Attach { stream, transmit, reverse, .. } => {
                self.attach(connection, Side { number: stream, transmit, reverse });
            }
        }
    }

    fn reply(&self, connection: &Connection, reply: &Reply) {
        // Who does not read has gone.
        let _ = connection.send(reply, &[]);
    }

    fn refuse(&self, connection: &Connection, reason: Reason, text: &str) {
        self.reply(connection, &Reply::Refused { reason, text: text.to_owned() });
    }

    /// Lends a stream for as long as the connection lasts.
    fn attach(&self, connection: &Connection, side: Side) {
        let share = match self.card.share(side) {
            Ok(share) => share,
            Err(error) => {
                let reason = match error.kind() {
                    ErrorKind::Memory => Reason::NoMemory,
                    ErrorKind::Unsupported => Reason::NoReverse,
                    _ => Reason::NoSuchStream,
                };
                return self.refuse(connection, reason, &error.to_string());
            }
        };
        let taken = {
            let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = owners.contains_key(&side);
            if !taken {
                owners.insert(side, connection.peer().unwrap_or(0));
            }
            taken
        };
        if taken {
            return self.refuse(connection, Reason::Busy, "the stream has an owner");
        }
        // Whatever the last owner has left in the registers.
        share.take_from_owner();
        let lent = connection.send(&Reply::Attached, &[share.memory_fd(), share.registers_fd()]);
        while lent.is_ok() && !self.ending.load(Ordering::Acquire) {
            match connection.wait(LOOK) {
                Ok(Some(true)) => self.card.wake(),
                Ok(None) => {}
                // The owner has closed it, or has ended.
                Ok(Some(false)) | Err(_) => break,
            }
        }
        share.take_from_owner();
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).remove(&side);
    }

    fn set(&self, setting: Setting) {
        let ports = self.card.ports();
        match setting {
            Setting::Snaplen(bytes) => ports.set_snaplen(bytes.max(1)),
            Setting::Varlen(varlen) => ports.set_varlen(varlen),
            Setting::PortEnabled { port, on } => drop(ports.set_enabled(port, on)),
            Setting::PortLink { port, up } => drop(ports.set_link(port, up)),
        }
    }

    fn status(&self) -> Status {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Status::of(&self.card, &|side| owners.get(&side).copied())
    }
}
