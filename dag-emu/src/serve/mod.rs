//! A card served to other processes: [`Server`] on one side, [`Card::connect`](crate::Card::connect) on the other.
//!
//! ```text
//! dagemu: Card -- engine --> stream memory, registers (sealed memfds) ... passed over the socket to a stream's owner
//!          ^                                                                          |
//!          +---- socket NAME: info, settings; one connection for each stream owned ---+
//! ```
//!
//! The socket is a file whose mode and owner are the permission, as on a device node. A connection that has attached a stream
//! owns it until it is closed, which a process cannot help doing when it ends; and an owner whose connection is closed knows
//! that the card is gone.
//!
//! Who may open the socket is trusted as far as who may open a device: with a stream's descriptors a program can disturb that
//! stream, also for its next owner. It can disturb neither the card nor another stream.

mod client;
mod message;
mod server;
mod socket;
mod status;

pub(crate) use client::{Held, Parts, Remote, connect};
pub(crate) use message::Setting;
pub use message::{PortStatus, Status, StreamStatus, TxStatus};
pub use server::Server;

use std::env;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use crate::error::{Error, Repr};

/// Where sockets are looked for, in this order: the folder that `DAG_EMU_DIR` names, and nowhere else if it is set; else
/// `$XDG_RUNTIME_DIR/dagemu` and `/run/dagemu`. New ones are made in the first; by root in the last.
pub fn folders() -> Vec<PathBuf> {
    if let Some(folder) = env::var_os("DAG_EMU_DIR").filter(|folder| !folder.is_empty()) {
        return vec![folder.into()];
    }
    let system = PathBuf::from("/run/dagemu");
    let user = env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    let user = user.map(|folder| PathBuf::from(folder).join("dagemu"));
    if nix::unistd::geteuid().is_root() { [Some(system), user] } else { [user, Some(system)] }
        .into_iter()
        .flatten()
        .collect()
}

/// A name that a socket can have: letters, digits, `-`, `_` and `.`, not a dot at the start.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_name = !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.bytes().all(fits);
    match is_name {
        true => Ok(()),
        false => Err(Repr::ServedName(name.to_owned()).into()),
    }
}

/// The cards that are served on this machine and can be asked: each with what it says. Sockets that nobody listens on any more are
/// removed, where that is allowed.
pub fn list() -> Vec<(String, Result<Status, Error>)> {
    let mut found = Vec::new();
    for folder in folders() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        for name in names.into_iter().filter(|name| check_name(name).is_ok()) {
            let path = folder.join(&name);
            if !is_socket(&path) {
                continue;
            }
            match client::status(&path, &name) {
                Err(error) if error.kind() == crate::ErrorKind::NotFound => {
                    // Nobody listens: it is left over.
                    let _ = std::fs::remove_file(&path);
                }
                status => found.push((name, status)),
            }
        }
    }
    found
}

/// Nothing else in such a folder is ours to ask, or to remove.
fn is_socket(path: &std::path::Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// What the card `name` says of itself.
///
/// # Errors
///
/// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), [`ErrorKind::Permission`](crate::ErrorKind::Permission).
pub fn status(name: &str) -> Result<Status, Error> {
    client::status(&client::find(name)?, name)
}

/// Asks the server of the card `name` to end, and waits until it has.
///
/// # Errors
///
/// As for [`status`], and when it does not end.
pub fn stop(name: &str) -> Result<(), Error> {
    client::stop(&client::find(name)?, name)
}
