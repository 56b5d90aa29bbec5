//! The same clients on a card that another process serves, and what that brings: owners that are other processes, and a card that dies.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use house_tests::library::{client, libdag, libpcap};
use house_tests::run::{PATIENCE, Running, dagemu, prepared, run, serve, start};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::ways::{PACKETS, SPEC, seen, sent};

/// `dag0`, served from now until this is dropped.
struct Served {
    folder: TempDir,
    server: Running,
}

impl Served {
    fn new(feed: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(folder.path(), "dag0", feed, options);
        Self { folder, server }
    }

    /// `program`, which finds our libraries and this card.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = prepared(program);
        command.env("LD_LIBRARY_PATH", libdag().lib()).env("DAG_EMU_DIR", self.folder.path());
        command
    }

    /// A client of ours that wants so many packets.
    fn client(&self, name: &str, packets: usize) -> Command {
        let mut command = self.command(client(name));
        command.args(["dag0", &packets.to_string()]);
        command
    }

    /// A client that reads and does not end by itself.
    fn reader(&self, name: &str) -> Running {
        let output = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        let mut running = start(self.client(name, 1_000_000_000).stdout(output.reopen().unwrap()));
        running.until_written(output.path(), 0);
        running
    }
}

#[track_caller]
fn sees_all(name: &str) {
    let card = Served::new(SPEC, &[]);
    let ran = run(&mut card.client(name, PACKETS)).exits(0);
    assert!(seen(&ran.stdout) == sent(SPEC, PACKETS)[..PACKETS], "{name} sees other packets");
}

#[test]
fn in_the_way_of_libpcap() {
    sees_all("like_libpcap.c");
}

#[test]
fn in_the_way_of_suricata() {
    sees_all("like_suricata.c");
}

#[test]
fn in_the_way_of_pf_ring() {
    sees_all("like_pfring.c");
}

#[test]
fn in_the_way_of_zeek() {
    if house_skip::need_program("c++") {
        sees_all("like_zeek.cc");
    }
}

#[test]
fn in_the_way_of_snort() {
    sees_all("like_daq.c");
}

#[test]
fn in_the_way_of_dpmi() {
    sees_all("like_dpmi.c");
}

#[test]
fn in_the_way_of_cyberprobe() {
    sees_all("like_cyberprobe.c");
}

/// libtrace looks for a character device before it asks the library, and writes into what it reads.
#[test]
fn in_the_way_of_libtrace_with_a_device() {
    if !house_skip::need_root() {
        return;
    }
    let card = Served::new(SPEC, &[]);
    let mut command = dagemu(card.folder.path());
    command.args(["exec", "--"]).arg(client("like_libtrace.c")).args(["/dev/dag0", "2000", "device"]);
    let ran = run(&mut command);
    if ran.stderr.contains("no mount namespace") {
        return house_skip::skip("no mount namespace");
    }
    let seen = seen(&ran.exits(0).stdout);
    let sent = sent(SPEC, 5 * PACKETS);
    let from = sent.iter().position(|one| *one == seen[0]).expect("the first is one of those sent");
    assert!(seen == sent[from..from + 2000]);
    // Where there is none, it says so.
    run(card.command(client("like_libtrace.c")).args(["/dev/dag0", "10", "device"])).exits(1).says("no device");
}

#[test]
fn one_descriptor_for_all_threads() {
    let card = Served::new("synthetic=128,rate=50kpps,seed=3", &["--streams", "4"]);
    let seen = seen(&run(&mut card.client("like_multiplexer.c", 4000)).exits(0).stdout);
    assert_eq!(seen.len(), 4000);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 4000, "a packet is seen twice");
}

#[test]
fn libpcap_lists_it_and_captures() {
    if !house_skip::need_program("tcpdump") {
        return;
    }
    let Some(libpcap) = libpcap() else { return };
    let card = Served::new(SPEC, &[]);
    let tcpdump = || {
        let mut command = card.command("tcpdump");
        command.env("LD_LIBRARY_PATH", format!("{}:{}", libpcap.display(), libdag().lib().display()));
        command
    };
    let list = run(tcpdump().arg("-D")).exits(0).stdout;
    assert!(String::from_utf8_lossy(&list).contains(".dag0"), "{}", String::from_utf8_lossy(&list));
    run(tcpdump().args(["-ni", "dag0", "-c", "100"])).exits(0).says("0 packets dropped by kernel");
    let mut reader = card.reader("like_yaf.c");
    run(tcpdump().args(["-ni", "dag0", "-c", "100"])).exits(1).says("dag_attach_stream: Device or resource busy");
    assert!(!reader.has_ended());
}

#[test]
fn valgrind_has_nothing_against_it() {
    if !house_skip::need_program("valgrind") {
        return;
    }
    let card = Served::new("synthetic,rate=20kpps", &[]);
    let mut command = card.command("valgrind");
    command.args(["--quiet", "--error-exitcode=99"]).arg(client("like_libpcap.c")).args(["dag0", "200"]);
    run(&mut command).exits(0);
}

#[test]
fn a_stream_has_one_owner_and_a_killed_one_leaves_it() {
    let card = Served::new("synthetic,rate=20kpps", &[]);
    for killed in [Signal::SIGKILL, Signal::SIGTERM] {
        let owner = card.reader("like_suricata.c");
        run(&mut card.client("like_yaf.c", 10))
            .exits(1)
            .says("dag_attach_stream(fd, 0, 0, 0): Device or resource busy");
        owner.signal(killed);
        owner.wait().dies_of(killed);
        // The server sees the end of its connection a moment after that.
        let begun = std::time::Instant::now();
        while run(&mut card.client("like_yaf.c", 10)).status.code() != Some(0) {
            assert!(begun.elapsed() < PATIENCE, "the stream is not free");
        }
    }
}

/// Whatever way a program waits, a card that dies ends the wait with EIO.
#[test]
fn a_card_that_is_killed_is_an_error_for_every_reader() {
    for (name, call) in [
        ("like_libpcap.c", "dag_advance_stream"),
        ("like_suricata.c", "dag_advance_stream"),
        ("like_libtrace.c", "dag_advance_stream"),
        ("like_cyberprobe.c", "dag_advance_stream"),
    ] {
        let card = Served::new("synthetic,rate=20kpps", &[]);
        let reader = card.reader(name);
        card.server.signal(Signal::SIGKILL);
        reader.wait().exits(1).says(&format!("{call}: Input/output error"));
        // Nothing is left that keeps the name.
        let Served { folder, server } = card;
        server.wait().dies_of(Signal::SIGKILL);
        let again = serve(folder.path(), "dag0", SPEC, &[]);
        let card = Served { folder, server: again };
        run(&mut card.client("like_yaf.c", 10)).exits(0);
    }
}

#[test]
fn records_end_with_the_card_too() {
    if !house_skip::need_program("c++") {
        return;
    }
    let card = Served::new("synthetic,rate=20kpps", &[]);
    let reader = card.reader("like_zeek.cc");
    card.server.signal(Signal::SIGKILL);
    reader.wait().exits(1).says("dag_rx_stream_next_record: Input/output error");
}

#[test]
fn another_user_needs_permission() {
    if !house_skip::need_root() || !house_skip::need_program("setpriv") {
        return;
    }
    // Where anybody may look.
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = open.path().join("client");
    fs::copy(client("like_yaf.c"), &program).unwrap();
    for name in ["libdag.so.5", "libdagconf.so.5"] {
        fs::copy(libdag().lib().join(name), open.path().join(name)).unwrap();
    }
    for (mode, code) in [("0660", 1), ("0666", 0)] {
        let card = Served::new(SPEC, &["--mode", mode]);
        fs::set_permissions(card.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = card.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(["dag0", "10"]);
        let ran = run(command.env("LD_LIBRARY_PATH", open.path())).exits(code);
        if code != 0 {
            ran.says("fd: Permission denied");
        }
    }
}
