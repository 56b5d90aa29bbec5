//! What cannot be: one clear line, exit code 2, and nothing left behind.

use std::fs;

use house_tests::run::{dagcap, run};

/// Runs `dagcap` with `args` and an output that must not be there afterwards.
#[track_caller]
fn refused(args: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let ran = run(dagcap().args(args).arg("--out").arg(&out)).exits(2);
    assert!(ran.stdout.is_empty(), "{args:?}");
    assert!(!out.exists(), "{args:?} leaves a file behind");
    ran.stderr
}

/// One line by us, with `words` in it.
#[track_caller]
fn check(args: &[&str], words: &[&str]) {
    let said = refused(args);
    assert_eq!(said.lines().count(), 1, "{args:?}: one line, not\n{said}");
    assert!(said.starts_with("dagcap: "), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?}: no {word:?} in\n{said}");
    }
}

#[test]
fn devices_that_are_none() {
    for (device, words) in [
        ("nonsense", &["\"nonsense\"", "names no card", "emu:synthetic"][..]),
        ("", &["names no card"]),
        ("/dev/null", &["names no card"]),
        ("eth0", &["names no card"]),
        ("dag9", &["dag9"]),
        ("/dev/dag9:2", &["dag9"]),
        ("emu:lab-7", &["no emulated card named \"lab-7\" is served"]),
        ("emu:a b", &["names no card"]),
        ("emu:tap=", &["tap needs an interface"]),
        ("emu:replay", &["replay needs a file"]),
        ("emu:replay=/no/such/file.erf", &["/no/such/file.erf", "No such file"]),
        ("emu:replay=/", &["replay: /"]),
    ] {
        check(&["--device", device], words);
    }
}

#[test]
fn replays_of_what_is_no_capture() {
    let dir = tempfile::tempdir().unwrap();
    let garbage = dir.path().join("garbage");
    fs::write(&garbage, vec![0x5A; 5000]).unwrap();
    check(&["--device", &format!("emu:replay={}", garbage.display())], &["garbage", "force the format"]);
}

#[test]
fn interfaces_that_are_not_there() {
    if !house_skip::need_root() {
        return;
    }
    check(&["--device", "emu:tap=nosuch0"], &["there is no interface nosuch0", "lo"]);
    check(&["--device", "emu:tap=lo+nosuch0"], &["there is no interface nosuch0"]);
    check(&["--device", "emu:tap=nosuchns/eth0"], &["no network namespace \"nosuchns\""]);
    check(&["--device", "emu:tap=lo+lo"], &["named twice"]);
    check(&["--device", "emu:tap=a+b+c"], &["one interface (A) or two (A+B), not 3"]);
    check(&["--device", "emu:tap=../../etc/x"], &["does not name an interface"]);
    check(&["--device", "emu:tap=averyveryverylongname"], &["at most 15 bytes"]);
    check(&["--device", "emu:tap=lo,ports=1"], &["a tap has two ports"]);
}

#[test]
fn options_of_the_emulated_card_that_cannot_be() {
    for (option, words) in [
        ("sise=64", &["no option `sise`", "size"][..]),
        ("=", &["no option"]),
        ("size", &["needs a value"]),
        ("size=13", &["size=13"]),
        ("size=99999", &["size=99999"]),
        ("size=1518-64", &["size=1518-64"]),
        ("size=-1", &["size=-1"]),
        ("rate=1000", &["rate=1000", "pps"]),
        ("rate=0pps", &["rate=0pps"]),
        ("rate=-3pps", &["rate=-3pps"]),
        ("rate=99Tbps", &["rate=99Tbps"]),
        ("rate=1e999pps", &["rate=1e999pps"]),
        ("rate=nanpps", &["rate=nanpps"]),
        ("count=0", &["count=0"]),
        ("count=99999999999999999999999", &["count=99999999999999999999999"]),
        ("memory=1KiB", &["1MiB to 1TiB"]),
        ("memory=0", &["1MiB to 1TiB"]),
        ("memory=9EiB", &["memory="]),
        ("memory=99999999999999999999GiB", &["memory=99999999999999999999GiB"]),
        ("memory=-1MiB", &["memory=-1MiB"]),
        ("streams=0", &["1 to 32 streams"]),
        ("streams=33", &["1 to 32 streams"]),
        ("ports=0", &["1 to 8 ports"]),
        ("ports=9", &["1 to 8 ports"]),
        ("snaplen=0", &["snaplen=0"]),
        ("snaplen=65536", &["snaplen=65536"]),
        ("tick=8", &["24 to 32 bits"]),
        ("tick=33", &["24 to 32 bits"]),
        ("drift=999999999999", &["10000000 ppb"]),
        ("offset=never", &["offset=never"]),
        ("varlen=maybe", &["on or off"]),
        ("faults=gremlins", &["\"gremlins\"", "rx-error"]),
        ("faults=pad:2", &["pad"]),
        ("seed=x", &["seed=x"]),
        ("seed=1,seed=2", &["`seed` is given twice"]),
        ("pace=max", &["belongs to the feed `replay`"]),
        ("a\\b", &["backslash"]),
    ] {
        check(&["--device", &format!("emu:synthetic,{option}")], words);
    }
    check(&["--device", "emu:replay=-,loop=2"], &["standard input can be played only once"]);
    check(&["--device", "emu:replay=x,pace=x0"], &["pace=x0", "recorded, max, or xN"]);
}

#[test]
fn ports_and_streams_that_the_card_lacks() {
    check(&["--device", "emu:synthetic", "--port", "2"], &["has no port 2", "ports 0 to 1"]);
    check(&["--device", "emu:synthetic,ports=1", "--port", "0,1"], &["has no port 1"]);
    check(&["--device", "emu:synthetic", "--stream", "2"], &["no receive stream 2", "stream 0 only"]);
    check(&["--device", "emu:synthetic,streams=2", "--stream", "1"], &["no receive stream 1", "streams 0 to 2 (even"]);
    check(&["--device", "emu:synthetic,streams=2", "--stream", "65535"], &["no receive stream 65535"]);
}

/// Those that the parser of the command line refuses: it says so in a line of its own and shows the usage.
#[test]
fn options_that_cannot_be() {
    for (args, words) in [
        (&["--device", "emu:synthetic", "--port", "8"][..], "8 is not in 0..8"),
        (&["--port", "x"], "invalid digit"),
        (&["--port", "-1"], "-1"),
        (&["--count", "0"], "0 is not in 1.."),
        (&["--count", "ten"], "invalid digit"),
        (&["--count", "99999999999999999999"], "too large"),
        (&["--size", "0"], "at least one byte"),
        (&["--size", "-1"], "-1"),
        (&["--size", "12 parsecs"], "12 parsecs"),
        (&["--size", "99999999999999TiB"], "99999999999999TiB"),
        (&["--duration", "0s"], "longer than nothing"),
        (&["--duration", "10"], "--duration"),
        (&["--duration", "99999999999999999999h"], "99999999999999999999h"),
        (&["--snaplen", "0"], "0 is not in 1.."),
        (&["--snaplen", "65536"], "65536 is not in"),
        (&["--stream", "-2"], "-2"),
        (&["--stream", "65536"], "65536 is not in"),
        (&["--format", "snoop"], "possible values: erf, pcap, pcapng"),
        (&["--nonsense"], "--nonsense"),
        (&["surplus"], "surplus"),
    ] {
        let said = refused(args);
        assert!(said.starts_with("error: "), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: no {words:?} in\n{said}");
    }
    let ran = run(&mut dagcap()).exits(2);
    ran.says("--out <FILE>");
}

#[test]
fn two_words_about_one_stream() {
    let words = &["dag0:2 names a stream, and so does --stream 4"];
    check(&["--device", "dag0:2", "--stream", "4"], words);
}

#[test]
fn a_real_card_can_be_demanded() {
    let emulated = ["--device", "emu:synthetic", "--require-card"];
    check(&emulated, &["a real card is required", "emu:synthetic is an emulated one"]);
    // Whatever this machine hints at, it is not used: there is no driver for it, or no card.
    refused(&["--require-card"]);

    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    for (value, code) in [("1", 2), ("0", 0)] {
        let mut command = dagcap();
        command.args(["--device", "emu:synthetic,count=1,rate=max", "--out"]).arg(&out);
        let ran = run(command.env("DAG_REQUIRE_CARD", value)).exits(code);
        assert_eq!(ran.stderr.contains("a real card is required"), code == 2, "{}", ran.stderr);
    }
    let mut command = dagcap();
    let ran = run(command.args(["--out", "x"]).current_dir(dir.path()).env("DAG_REQUIRE_CARD", "1")).exits(2);
    assert!(ran.stderr.contains("real card") || ran.stderr.contains("driver"), "{}", ran.stderr);
    assert!(!dir.path().join("x").exists());
}

/// A library named by hand is a hint at a card, and a card that is there is never passed over for an emulated one.
#[test]
fn a_hint_at_a_card_forbids_the_fallback() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = dagcap();
    command.args(["--out", "x"]).current_dir(dir.path()).env("DAG_LIBRARY", "/opt/dag/lib/libdag.so");
    let ran = run(&mut command).exits(2);
    ran.says("DAG_LIBRARY is set to \"/opt/dag/lib/libdag.so\"");
    assert!(!dir.path().join("x").exists());
}
