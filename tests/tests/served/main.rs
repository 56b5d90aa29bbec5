//! Cards that `dagemu` serves: who owns what, what happens when somebody is killed, and what a hostile client can do.

mod hostile;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use house_tests::library::{client, libdag};
use house_tests::run::{Ran, Running, dagcap, dagcap_path, dagemu, number, prepared, run, serve, start};
use house_tests::seen::Seen;
use nix::sys::signal::Signal;

const FEED: &str = "synthetic,rate=20kpps";

/// `dagcap` on the card `emu:c0` of `folder`.
fn capture(folder: &Path, stream: u16, out: &Path, more: &[&str]) -> Running {
    let mut command = dagcap();
    command.env("DAG_EMU_DIR", folder).args(["--device", "emu:c0", "--force", "--json", "--stream"]);
    start(command.arg(stream.to_string()).arg("--out").arg(out).args(more))
}

/// A capture that runs until it is stopped, and has begun.
fn capturing(folder: &Path, out: &Path) -> Running {
    assert!(!out.exists());
    let mut running = capture(folder, 0, out, &[]);
    running.until_written(out, 0);
    running
}

fn takes_ten(folder: &Path, stream: u16) -> Ran {
    let out = tempfile::NamedTempFile::new().unwrap();
    capture(folder, stream, out.path(), &["--count", "10"]).wait()
}

#[test]
fn a_finite_feed_is_recorded_whole() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "c0", "synthetic=imix,rate=max,count=20000", &["--memory", "64MiB"]);
    let out = dir.path().join("wire.erf");
    let json = capture(dir.path(), 0, &out, &[]).wait().exits(0).json();
    assert_eq!((number(&json, "delivered"), json["stopped_by"].as_str()), (20_000, Some("end")));
    assert_eq!(json["emulated"], true);
    assert_eq!(Seen::in_file(&out).numbers(), (0..20_000).collect::<Vec<_>>());
}

#[test]
fn a_stream_has_one_owner_and_is_free_when_that_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "c0", FEED, &["--streams", "2"]);
    let out = dir.path().join("wire.erf");
    let owner = capturing(dir.path(), &out);
    takes_ten(dir.path(), 0).exits(2).says("stream in use");
    takes_ten(dir.path(), 2).exits(0);
    // An owner on libdag is one as well.
    let mut other = prepared(client("like_yaf.c"));
    other.env("DAG_EMU_DIR", dir.path()).env("LD_LIBRARY_PATH", libdag().lib());
    owner.signal(Signal::SIGKILL);
    owner.wait().dies_of(Signal::SIGKILL);
    let json = takes_ten(dir.path(), 0).exits(0).json();
    assert_eq!(number(&json, "lost_card"), 0, "the new owner begins anew");
    drop(other);
}

#[test]
fn programs_in_c_own_streams_of_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "dag0", FEED, &["--streams", "2", "--quiet"]);
    let yaf = |packets: &str| {
        let mut command = prepared(client("like_yaf.c"));
        command.env("DAG_EMU_DIR", dir.path()).env("LD_LIBRARY_PATH", libdag().lib()).args(["dag0", packets]);
        command
    };
    assert_eq!(run(&mut yaf("500")).exits(0).stdout.split(|byte| *byte == b'\n').count(), 501);
    let mut owner = start(&mut yaf("1000000000"));
    let folder = dir.path().to_owned();
    owner.until("it owns the stream", || {
        let ran = run(dagemu(&folder).args(["stat", "dag0", "--json"])).exits(0);
        let status: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        status["status"]["streams"][0]["owner"].as_u64().is_some()
    });
    run(&mut yaf("1")).exits(1).says("Device or resource busy");
    owner.signal(Signal::SIGKILL);
    drop(owner);
    run(&mut yaf("500")).exits(0);
}

#[test]
fn readers_are_told_when_the_card_is_killed_and_a_new_one_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let card = serve(dir.path(), "c0", FEED, &[]);
    let reader = capturing(dir.path(), &out);
    let mut in_c = prepared(client("like_yaf.c"));
    let _dag = serve(dir.path(), "dag0", FEED, &[]);
    in_c.env("DAG_EMU_DIR", dir.path()).env("LD_LIBRARY_PATH", libdag().lib()).args(["dag0", "1000000000"]);
    let mut in_c = start(&mut in_c);
    let folder = dir.path().to_owned();
    in_c.until("it owns the stream", || {
        let ran = run(dagemu(&folder).args(["list"])).exits(0);
        String::from_utf8_lossy(&ran.stdout).lines().any(|line| line.starts_with("dag0 ") && line.contains("1 of 1"))
    });
    card.signal(Signal::SIGKILL);
    card.wait().dies_of(Signal::SIGKILL);
    _dag.signal(Signal::SIGKILL);
    _dag.wait().dies_of(Signal::SIGKILL);
    let ran = reader.wait().exits(2);
    ran.says("the emulated card has gone");
    // What had come before is there, and the file says that it did not end by itself.
    let seen = Seen::in_file(&out);
    assert_eq!(number(&ran.json(), "delivered"), seen.packets.len() as u64);
    seen.check_sequence();
    in_c.wait().exits(1).says("dag_advance_stream: Input/output error");
    assert!(dir.path().join("c0").exists(), "it could not clean up");
    takes_ten(dir.path(), 0).exits(2).says("no emulated card named \"c0\" is served");
    let _again = serve(dir.path(), "c0", FEED, &[]);
    takes_ten(dir.path(), 0).exits(0);
}

#[test]
fn a_card_that_is_stopped_leaves_nothing_and_tells_its_readers() {
    let dir = tempfile::tempdir().unwrap();
    for how in ["signal", "stop"] {
        let card = serve(dir.path(), "c0", FEED, &[]);
        let reader = capturing(dir.path(), &dir.path().join(format!("{how}.erf")));
        match how {
            "signal" => card.signal(Signal::SIGTERM),
            _ => drop(run(dagemu(dir.path()).args(["stop", "c0"])).exits(0)),
        }
        card.wait().exits(0);
        assert!(!dir.path().join("c0").exists(), "{how}");
        reader.wait().exits(2).says("the emulated card has gone");
    }
    run(dagemu(dir.path()).args(["stop", "c0"])).exits(2).says("is served on this machine");
}

#[test]
fn a_name_is_taken_once() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "c0", FEED, &[]);
    run(dagemu(dir.path()).args(["run", "c0"])).exits(2).says("is served already");
    for name in ["", "a/b", "..", ".hidden", "ä"] {
        run(dagemu(dir.path()).args(["run", name])).exits(2).says("is no name for a served card");
    }
    takes_ten(dir.path(), 0).exits(0);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("c0"), "precious").unwrap();
    run(dagemu(dir.path()).arg("list")).exits(0);
    run(dagemu(dir.path()).args(["run", "c0"])).exits(2);
    takes_ten(dir.path(), 0).exits(2);
    assert_eq!(fs::read(dir.path().join("c0")).unwrap(), b"precious");
}

#[test]
fn memory_that_is_not_there_is_an_error_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dagemu(dir.path()).args(["run", "c0", "--memory", "900GiB"])).exits(2);
    ran.says("memory");
    assert!(!dir.path().join("c0").exists());
}

#[test]
fn list_and_stat_tell_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "c0", "synthetic,rate=20kpps,ports=4", &["--streams", "2"]);
    let owner = capturing(dir.path(), &dir.path().join("wire.erf"));
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&run(dagemu(dir.path()).args(args)).exits(0).stdout).unwrap()
    };
    let listed = json(&["list", "--json"]);
    let cards = listed["cards"].as_array().unwrap();
    assert_eq!((cards.len(), cards[0]["name"].as_str()), (1, Some("c0")));
    let stat = &json(&["stat", "c0", "--json"])["status"];
    assert_eq!(stat["ports"].as_array().unwrap().len(), 4);
    assert!(stat["ports"][0]["packets"].as_u64().unwrap() > 0);
    assert!(stat["streams"][0]["owner"].is_u64() && stat["streams"][1]["owner"].is_null());
    let text = String::from_utf8(run(dagemu(dir.path()).args(["stat", "c0"])).exits(0).stdout).unwrap();
    assert!(text.contains("owned by process") && text.contains("stream 2") && text.contains("free"), "{text}");
    drop(owner);
    run(dagemu(dir.path()).args(["stat", "c1"])).exits(2).says("is served on this machine");
}

#[test]
fn another_user_needs_permission() {
    if !house_skip::need_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // Where the project lies may be nobody else's to look into.
    let program = dir.path().join("dagcap");
    fs::copy(dagcap_path(), &program).unwrap();
    let as_nobody = || {
        let mut command = prepared(&program);
        command.env("DAG_EMU_DIR", dir.path()).args(["--device", "emu:c0", "--count", "10", "--out", "/dev/null"]);
        run(command.current_dir("/").uid(65_534).gid(65_534))
    };
    {
        let _card = serve(dir.path(), "c0", FEED, &[]);
        as_nobody().exits(2).says("no permission to use the emulated card");
    }
    fs::remove_file(dir.path().join("c0")).unwrap();
    let _card = serve(dir.path(), "c0", FEED, &["--mode", "0660", "--group", "65534"]);
    as_nobody().exits(0);
}

#[test]
fn a_program_run_by_exec_finds_library_and_device() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "dag3", FEED, &[]);
    let mut command = dagemu(dir.path());
    let script = "test -c /dev/dag3 && test -c /dev/null && test -d /dev/shm && exec \"$0\" /dev/dag3 100";
    let ran = run(command.args(["exec", "--", "/bin/sh", "-c", script]).arg(client("like_yaf.c")));
    if ran.stderr.contains("no mount namespace") {
        return house_skip::skip("no mount namespace");
    }
    assert_eq!(ran.exits(0).stdout.split(|byte| *byte == b'\n').count(), 101);
    assert!(!Path::new("/dev/dag3").exists(), "only there");
    run(dagemu(dir.path()).args(["exec", "--", "/no/such/program"])).exits(2).says("cannot run");
}

#[test]
fn what_is_installed_builds_a_program_in_c() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("opt");
    run(dagemu(dir.path()).arg("install").arg("--prefix").arg(&prefix)).exits(0);
    // Twice is no harm.
    run(dagemu(dir.path()).arg("install").arg("--prefix").arg(&prefix)).exits(0);
    if !house_skip::need_program("pkg-config") {
        return;
    }
    let program = dir.path().join("capture");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/like_yaf.c");
    let mut build = prepared("sh");
    build.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).env("SOURCE", source).env("PROGRAM", &program);
    run(build.args(["-ec", "cc \"$SOURCE\" -o \"$PROGRAM\" $(pkg-config --cflags --libs libdag)"])).exits(0);
    let mut capture = prepared(&program);
    capture.env("LD_LIBRARY_PATH", prefix.join("lib")).env("DAG_EMU_CARDS", "dag0=synthetic,rate=20kpps");
    run(capture.args(["dag0", "50"])).exits(0);
}
