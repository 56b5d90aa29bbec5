//! Messages with descriptors over a Unix socket that keeps them apart (`SOCK_SEQPACKET`).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr,
    accept4, bind, connect, getsockopt, listen, recvmsg, sendmsg, shutdown, socket, sockopt,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::message::LONGEST;

fn new() -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?)
}

/// A socket that listens at `path`.
pub(super) fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let socket = new()?;
    bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&socket, Backlog::new(64)?)?;
    Ok(socket)
}

/// The next connection, if one comes within `limit`.
pub(super) fn accept_within(socket: &OwnedFd, limit: Duration) -> io::Result<Option<Connection>> {
    if !is_ready(socket.as_fd(), limit)? {
        return Ok(None);
    }
    let fd = accept4(socket.as_raw_fd(), SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: just made, and nobody else's.
    Ok(Some(Connection(unsafe { OwnedFd::from_raw_fd(fd) })))
}

/// Whether there is something to read (or an end to be seen) within `limit`.
fn is_ready(fd: BorrowedFd<'_>, limit: Duration) -> io::Result<bool> {
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], limit) {
        Ok(ready) => Ok(ready > 0),
        // A signal, such as the C library sends its own threads when a program changes its user.
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Connection(OwnedFd);

impl Connection {
    pub(super) fn to(path: &Path) -> io::Result<Self> {
        let socket = new()?;
        connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
        Ok(Self(socket))
    }

    /// The process at the other end.
    pub(super) fn peer(&self) -> Option<i32> {
        getsockopt(&self.0, sockopt::PeerCredentials).ok().map(|peer| peer.pid())
    }

    /// Sends a message, with descriptors. Never waits: a reader that is behind by so much has no claim to more.
    pub(super) fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = serde_json::to_vec(message)?;
        let raw: Vec<RawFd> = fds.iter().map(|fd| fd.as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let rights = if raw.is_empty() { &[][..] } else { &rights[..] };
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(&text)], rights, flags, None)?;
        Ok(())
    }

    /// Says that there is something to look at, without a word.
    pub(super) fn nudge(&self) {
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        // If one is under way already that one will do.
        let _ = sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(b"!")], &[], flags, None);
    }

    /// Nothing more comes from this end, and the other one is to see it.
    pub(super) fn end(&self) {
        // One that is closed already has ended.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Write);
    }

    /// The next message within `limit`, and up to two descriptors that came with it.
    pub(super) fn receive<T: DeserializeOwned>(&self, limit: Duration) -> io::Result<(T, Vec<OwnedFd>)> {
        let (bytes, fds) = self.receive_bytes(limit)?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((serde_json::from_slice(&bytes)?, fds))
    }

    /// Waits for a nudge or the end: `false` is the end.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<Option<bool>> {
        if !is_ready(self.0.as_fd(), limit)? {
            return Ok(None);
        }
        let (bytes, _) = self.receive_bytes(limit)?;
        Ok(Some(!bytes.is_empty()))
    }

    fn receive_bytes(&self, limit: Duration) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        let begun = Instant::now();
        while !is_ready(self.0.as_fd(), limit.saturating_sub(begun.elapsed()))? {
            if begun.elapsed() >= limit {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        let mut bytes = vec![0; LONGEST];
        let mut room = cmsg_space!([RawFd; 2]);
        let mut pieces = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(self.0.as_raw_fd(), &mut pieces, Some(&mut room), flags)?;
        let mut fds = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = control {
                // SAFETY: descriptors that came with this message, and are nobody else's.
                fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        if message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let len = message.bytes;
        bytes.truncate(len);
        Ok((bytes, fds))
    }
}
