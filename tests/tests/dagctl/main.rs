//! `dagctl`: on a card that `dagemu` serves, on the same one through libdag, and on a library that is as good as a vendor's.

mod vendor;

use std::path::Path;

use house_tests::library::libdag;
use house_tests::run::{Ran, dagcap, dagctl, run, serve, start};
use serde_json::Value;

/// What `dagctl` prints with `--json`.
fn json(ran: &Ran) -> Value {
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn asked(folder: &Path, args: &str) -> Value {
    json(&run(&mut dagctl(folder, args)).exits(0))
}

#[test]
fn a_machine_without_a_card_is_told_what_to_do() {
    if ["/dev/dag0", "/sys/class/dag"].iter().any(|path| Path::new(path).exists()) {
        house_skip::skip("this machine has a DAG card");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(run(&mut dagctl(dir.path(), "list")).exits(0).stdout, b"");
    assert_eq!(asked(dir.path(), "list --json")["cards"], Value::Array(Vec::new()));
    run(&mut dagctl(dir.path(), "show")).exits(2).says("there is no card here; `dagctl doctor` says why");
    let ran = run(&mut dagctl(dir.path(), "doctor --json")).exits(1);
    assert_eq!(json(&ran)["to_fix"]["check"], "driver", "{ran:?}");
    run(&mut dagctl(dir.path(), "show emu:gone")).exits(2).says("no emulated card named \"gone\" is served");
    run(&mut dagctl(dir.path(), "set emu:synthetic snaplen=64")).exits(2).says("a card of this process alone");
    run(&mut dagctl(dir.path(), "set emu:gone snap=64")).exits(2).says("none of snaplen, varlen");
}

#[test]
fn a_served_card_is_listed_shown_set_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let feed = "synthetic,rate=20kpps,drift=100000,tx=loop,tx_streams=1";
    let card = serve(dir.path(), "dag0", feed, &["--streams", "2", "--memory", "8MiB"]);
    let listed = asked(dir.path(), "list --json");
    assert_eq!(listed["cards"].as_array().unwrap().len(), 1);
    assert_eq!((&listed["cards"][0]["name"], &listed["cards"][0]["emulated"]), (&"emu:dag0".into(), &true.into()));

    let out = dir.path().join("wire.erf");
    let mut reader = dagcap();
    reader.env("DAG_EMU_DIR", dir.path()).args(["--device", "emu:dag0", "--out"]).arg(&out);
    let mut reader = start(&mut reader);
    reader.until_written(&out, 1 << 16);
    let shown = asked(dir.path(), "show --json");
    let streams = shown["streams"].as_array().unwrap();
    assert_eq!(streams.iter().map(|stream| stream["number"].as_u64()).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    assert!(streams[0]["owner"].is_u64() && streams[2]["owner"].is_null(), "{shown}");
    assert_eq!((&streams[1]["transmits"], &streams[0]["memory"]), (&true.into(), &(8 << 20).into()));
    assert_eq!((&shown["tick_bits"], &shown["stamp_source"]), (&26.into(), &"synthetic".into()));

    run(&mut dagctl(dir.path(), "set emu:dag0 snaplen=96 varlen=off port1=off")).exits(0);
    let shown = asked(dir.path(), "show emu:dag0 --json");
    assert_eq!((&shown["snaplen"], &shown["varlen"]), (&96.into(), &false.into()));
    assert_eq!((&shown["ports"][0]["enabled"], &shown["ports"][1]["enabled"]), (&true.into(), &false.into()));

    // Packets go on arriving at port 0, and none at port 1.
    let before = asked(dir.path(), "counters --json");
    reader.until("the counter of port 0 rises", || {
        let now = asked(dir.path(), "counters --json");
        assert_eq!(now["ports"][1], before["ports"][1]);
        now["ports"][0]["packets"].as_u64() > before["ports"][0]["packets"].as_u64()
    });
    assert!(before["ports"][1]["packets"].as_u64() > Some(0), "{before}");
    assert_eq!((&before["streams"][0]["dropped"], &before["streams"][1]["sent"]), (&0.into(), &0.into()));

    let ran = run(&mut dagctl(dir.path(), "doctor")).exits(0);
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(text.contains("disabled: ports 1") && text.ends_with("nothing keeps it from capturing\n"), "{text}");
    run(&mut dagctl(dir.path(), "set emu:dag0 port0=off")).exits(0);
    let ran = run(&mut dagctl(dir.path(), "doctor emu:dag0 --json")).exits(1);
    assert_eq!(json(&ran)["to_fix"]["check"], "links");
    run(&mut dagctl(dir.path(), "set emu:dag0 port2=on")).exits(2).says("no port 2; it has ports 0 to 1");
    drop(card);
    drop(reader);
    run(&mut dagctl(dir.path(), "set emu:dag0 snaplen=96")).exits(2).says("no emulated card named \"dag0\" is served");
}

#[test]
fn through_libdag_it_is_the_same_card() {
    let dir = tempfile::tempdir().unwrap();
    let _card = serve(dir.path(), "dag0", "synthetic", &["--memory", "4MiB"]);
    let through = |args: &str| {
        let mut command = dagctl(dir.path(), args);
        run(command.env("LD_LIBRARY_PATH", libdag().lib()))
    };
    through("set dag0 snaplen=128 varlen=off port1=off").exits(0);
    let shown = asked(dir.path(), "show emu:dag0 --json");
    assert_eq!((&shown["snaplen"], &shown["varlen"]), (&128.into(), &false.into()));
    let again = json(&through("show dag0 --json").exits(0));
    for key in ["model", "emulated", "snaplen", "varlen", "tick_bits", "stamp_source", "streams"] {
        assert_eq!(again[key], shown[key], "{key}");
    }
    assert_eq!(again["ports"][1]["enabled"], false);
    through("set dag0 link0=down").exits(2).says("the link cannot be set from here");
    through("clock dag0").exits(0);
    let ran = through("doctor dag0 --json").exits(0);
    let found = json(&ran)["findings"].clone();
    assert_eq!((&found[0]["verdict"], &found[1]["verdict"]), (&"skipped".into(), &"good".into()), "{found}");
    // Served cards are told by their own name.
    let ran = through("list --json").exits(0);
    assert_eq!(json(&ran)["cards"].as_array().unwrap().len(), 1);
}
