//! `dagcap` on a card of a libdag that is not ours: a good one, and ones that misbehave.

use std::path::Path;

use house_tests::run::{Ran, dagcap, number, run};
use house_tests::seen::Seen;

use super::{fake, include};

struct Fake {
    dir: tempfile::TempDir,
}

impl Fake {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fake(dir.path(), &include(), &[]);
        Self { dir }
    }

    fn out(&self) -> std::path::PathBuf {
        self.dir.path().join("wire.erf")
    }

    /// `dagcap` on dag0 (or what `args` say) of the library that does `what`.
    fn capture(&self, what: &str, args: &[&str]) -> Ran {
        let mut command = dagcap();
        command.env("DAG_LIBRARY", self.dir.path().join("libdag.so.5")).env("FAKE_LIBDAG", what);
        // No values of this machine's own.
        command.env("HOME", self.dir.path()).env_remove("XDG_CONFIG_HOME");
        if !args.contains(&"--device") {
            command.args(["--device", "dag0"]);
        }
        run(command.args(["--json", "--force", "--out"]).arg(self.out()).args(args))
    }
}

#[test]
fn a_good_card_is_recorded_for_many_laps_of_its_ring() {
    let fake = Fake::new();
    // A megabyte is 11 915 records; the last one of every other look is not whole yet.
    let json = fake.capture("", &["--count", "100000"]).exits(1).json();
    assert_eq!((json["emulated"].as_bool(), json["stamp_source"].as_str()), (Some(false), Some("card")));
    assert_eq!((number(&json, "delivered"), number(&json, "lost_card")), (100_000, 3), "by the records' own count");
    assert_eq!(json["tick_bits"], 26, "by the stamps");
    assert!(json["clock_synchronised"].is_null(), "not known");
    let seen = Seen::in_file(&fake.out());
    assert!(seen.defects.is_empty());
    for (n, packet) in seen.packets.iter().enumerate() {
        assert_eq!(packet.stamp.secs() as usize, 1_700_000_000 + n, "each once, in order");
    }
}

#[test]
fn with_learned_values_its_drop_counter_and_clock_are_known() {
    let fake = Fake::new();
    let values = fake.dir.path().join("values");
    let learned = dag::sys::values::learn(&include(), "cc".as_ref()).unwrap();
    std::fs::write(&values, learned.to_text("ours")).unwrap();
    let mut command = dagcap();
    command.env("DAG_LIBRARY", fake.dir.path().join("libdag.so.5")).env("DAG_VALUES", &values);
    command.args(["--device", "dag0", "--json", "--count", "100", "--out"]).arg(fake.out());
    let ran = run(&mut command);
    let json = ran.json();
    // The counter stands where it stood before: nothing of that is this recording's.
    assert_eq!(number(&json, "lost_card"), 0);
    assert_eq!(json["clock_synchronised"], false);
    ran.says("the card's clock was not synchronised");
    // A file of values that is none is an error, not a guess.
    std::fs::write(&values, "kSomething = 1\n").unwrap();
    command.arg("--force");
    run(&mut command).exits(2).says("line 1: \"kSomething\" is nothing that is learned");
}

#[test]
fn cards_that_misbehave_are_named_and_crash_nothing() {
    let fake = Fake::new();
    for (what, words) in [
        ("backwards", "dag0, stream 0: the DAG library misbehaves: the data that it shows ends before it begins"),
        ("taken-back", "the DAG library misbehaves: it takes back"),
        ("huge", "the DAG library misbehaves: it shows 1048584 bytes of a memory of 1048576"),
        ("null", "dag0, stream 0: dag_advance_stream: Input/output error"),
    ] {
        let ran = fake.capture(what, &["--count", "1000000"]).exits(2);
        ran.says(words);
        assert_eq!(ran.json()["stopped_by"], "error", "{what}");
    }
    // What was recorded before is there.
    fake.capture("backwards", &["--count", "1000000"]).exits(2);
    assert!(!Seen::in_file(&fake.out()).packets.is_empty());
}

#[test]
fn nothing_for_ever_is_no_error_and_ends_when_asked() {
    let fake = Fake::new();
    for what in ["eagain", "hanging"] {
        let json = fake.capture(what, &["--duration", "300ms"]).json();
        assert_eq!(json["stopped_by"], "duration", "{what}");
    }
    let json = fake.capture("eintr", &["--count", "1000"]).json();
    assert_eq!(number(&json, "delivered"), 1000);
}

#[test]
fn lengths_that_cannot_be_are_counted_and_passed_over() {
    let fake = Fake::new();
    let json = fake.capture("short", &["--count", "20000"]).exits(1).json();
    assert_eq!(number(&json, "delivered"), 20_000);
    assert!(number(&json, "defects") > 100, "{json}");
    assert_eq!(json["loss_exact"], false);
}

#[test]
fn refusals_name_device_stream_and_remedy() {
    let fake = Fake::new();
    for (what, args, words) in [
        ("eacces", &[][..], "dag0: no permission to open /dev/dag0 for reading and writing; run as root"),
        ("ebusy", &[], "dag0: receive stream 0 is in use"),
        ("", &["--stream", "2"], "dag0: receive stream 2 has no memory; these have: 0"),
        ("", &["--stream", "4"], "dag0 has no receive stream 4 with memory; these have: 0"),
        ("", &["--stream", "1"], "dag0: stream 1 transmits (odd numbers do)"),
        ("", &["--device", "dag7"], "dag7: no such card: /dev/dag7 does not exist"),
        ("", &["--port", "2"], "dag0 has no port 2; it has ports 0 to 1"),
        ("", &["--snaplen", "96"], "dag0: the snap length cannot be set from here"),
    ] {
        fake.capture(what, args).exits(2).says(words);
        assert!(!Path::new(&fake.out()).exists(), "{words}: nothing is left behind");
    }
}
