//! Clients that mean harm: they hurt nobody but themselves.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use house_tests::run::{PATIENCE, serve};
use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, connect, recvmsg, sendmsg, socket,
};

use super::{FEED, capture, takes_ten};

fn connected(folder: &Path) -> OwnedFd {
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
    connect(fd.as_raw_fd(), &UnixAddr::new(&folder.join("c0")).unwrap()).unwrap();
    fd
}

fn say(socket: &OwnedFd, bytes: &[u8]) {
    // A server that has closed it has done right as well.
    let _ = sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], &[], MsgFlags::MSG_NOSIGNAL, None);
}

/// The answer, and the descriptors that came with it.
fn hear(socket: &OwnedFd) -> (Vec<u8>, Vec<File>) {
    let mut bytes = vec![0; 64 << 10];
    let mut room = cmsg_space!([RawFd; 4]);
    let mut pieces = [IoSliceMut::new(&mut bytes)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut pieces, Some(&mut room), MsgFlags::empty()).unwrap();
    let mut files = Vec::new();
    for control in message.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(fds) = control {
            // SAFETY: descriptors that came with this message are nobody else's.
            files.extend(fds.into_iter().map(|fd| unsafe { File::from_raw_fd(fd) }));
        }
    }
    let len = message.bytes;
    bytes.truncate(len);
    (bytes, files)
}

#[test]
fn nonsense_at_the_socket_is_answered_or_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let mut card = serve(dir.path(), "c0", FEED, &["--streams", "2"]);
    for nonsense in [
        &b"!"[..],
        b"{",
        b"{\"attach\":{\"version\":1,\"stream\":70000,\"transmit\":false,\"reverse\":false}}",
        b"{\"attach\":{\"version\":1,\"stream\":1,\"transmit\":true,\"reverse\":true}}",
        b"{\"attach\":{\"version\":99,\"stream\":0,\"transmit\":false,\"reverse\":false}}",
        b"{\"set\":{\"version\":1,\"setting\":{\"snaplen\":-1}}}",
        b"\xff\xfe\0\0",
        &[b'['; 60_000],
    ] {
        let socket = connected(dir.path());
        say(&socket, nonsense);
        let (answer, files) = hear(&socket);
        assert!(files.is_empty());
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(text.is_empty() || text.contains("refused"), "{text}");
    }
    // Longer than a message can be.
    let socket = connected(dir.path());
    say(&socket, &vec![b'x'; 150_000]);
    drop(socket);
    // More who ask and say nothing than are listened to.
    let silent: Vec<OwnedFd> = (0..300).map(|_| connected(dir.path())).collect();
    assert!(!card.has_ended());
    drop(silent);
    takes_ten(dir.path(), 0).exits(0);
}

#[test]
fn an_owner_can_hurt_its_own_stream_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut card = serve(dir.path(), "c0", FEED, &["--streams", "2"]);
    let out = dir.path().join("wire.erf");
    let mut reader = capture(dir.path(), 2, &out, &["--count", "20000"]);
    for round in 0..20u8 {
        let begun = Instant::now();
        let (socket, files) = loop {
            let socket = connected(dir.path());
            say(&socket, b"{\"attach\":{\"version\":1,\"stream\":0,\"transmit\":false,\"reverse\":false}}");
            let (answer, files) = hear(&socket);
            let text = String::from_utf8_lossy(&answer).into_owned();
            if text == "\"attached\"" {
                break (socket, files);
            }
            // The one before is being thrown out.
            assert!(text.contains("busy") && begun.elapsed() < PATIENCE, "{text}");
            std::thread::sleep(Duration::from_millis(1));
        };
        let [memory, registers] = &files[..] else { panic!("{} descriptors", files.len()) };
        // Neither shrinks nor grows.
        for file in [memory, registers] {
            let len = file.metadata().unwrap().len();
            assert!(file.set_len(0).is_err() && file.set_len(len * 2).is_err());
        }
        // Lies in the registers, of every kind, with a nudge so that they are looked at.
        let page: Vec<u8> =
            (0..4096).map(|at: usize| (at as u8).wrapping_mul(round | 1) ^ round.wrapping_mul(37)).collect();
        registers.write_all_at(&page, 0).unwrap();
        memory.write_all_at(&page, 0).unwrap();
        for _ in 0..50 {
            say(&socket, b"!");
        }
        if round % 2 == 0 {
            registers.write_all_at(&[0xFF; 4096], 0).unwrap();
            say(&socket, b"!");
        }
    }
    assert!(!card.has_ended());
    assert!(!reader.has_ended() || out.exists());
    let json = reader.wait().json();
    assert_eq!(json["delivered"], 20_000, "the other stream has noticed nothing");
    assert!(!card.has_ended());
    takes_ten(dir.path(), 0).exits(0);
}
