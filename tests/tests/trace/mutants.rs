//! A card that does one thing differently is found by the log of one that does not.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use house_tests::library::{headers, libdag};
use house_tests::run::run;

use super::{exercised, under};

/// What is changed in `tests/c/mutant_libdag.c`, and what of it is seen.
const MUTANTS: &[(&str, &str)] = &[
    ("any-name", "parse_name.result"),
    ("absent-card", "open.errno"),
    ("count", "rx_get_stream_count.result"),
    ("bare-size", "get_stream_buffer_size64.result"),
    ("shared", "attach_stream64.result"),
    ("absent-stream", "attach_stream64.errno"),
    ("bare-attach", "attach_stream64.errno"),
    ("start-unattached", "start_stream.result"),
    ("stop-twice", "stop_stream.result"),
    ("detach-running", "detach_stream.result"),
    ("impatient", "advance_stream.wait"),
    ("forgetful", "get_stream_poll64.values"),
    ("greedy", "advance_stream.kept"),
    ("blocking", "advance_stream.wait"),
    ("null", "advance_stream.result"),
    ("partial", "advance_stream.window"),
    ("skipping", "advance_stream.moved"),
    ("backwards", "advance_stream.window"),
    ("third-record", "rx_stream_next_record.result"),
    ("later", "tx_get_stream_space64.result"),
    ("level", "get_stream_buffer_level64.result"),
];

/// The mutant as a library in `folder`, linked to the emulated card's under another name, since the recorder has the name by which that is
/// usually found.
fn mutant(folder: &Path) -> PathBuf {
    let library = folder.join("libmutant.so");
    let cc = |arguments: &[&str]| {
        let mut cc = Command::new("cc");
        let output = cc.args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{cc:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    // What it is linked with here has nothing but the name.
    cc(&["-shared", "-nostdlib", "-Wl,-soname,libreal.so", "-x", "assembler", "/dev/null", "-o", "libreal.so"]);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/mutant_libdag.c");
    cc(&[
        "-shared",
        "-fPIC",
        "-std=gnu11",
        "-D_GNU_SOURCE",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-I",
        headers().to_str().unwrap(),
        source.to_str().unwrap(),
        "-o",
        "libmutant.so",
        "-Wl,--no-as-needed,-rpath,$ORIGIN",
        "-Wl,-soname,libmutant.so",
        "-L.",
        "-l:libreal.so",
        "-ldl",
    ]);
    std::fs::remove_file(folder.join("libreal.so")).unwrap();
    symlink(libdag().lib().join("libdag.so.5"), folder.join("libreal.so")).unwrap();
    library
}

#[test]
fn each_is_found_and_one_that_changes_nothing_is_not() {
    let dir = tempfile::tempdir().unwrap();
    exercised(dir.path(), "log.jsonl");
    let library = mutant(dir.path());
    let replay = |mutant: &str| {
        let mut command = under(dir.path(), &format!("replay-trace log.jsonl --json --library {}", library.display()));
        let ran = run(command.env("MUTANT", mutant));
        let json: serde_json::Value =
            serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let differences = json["differences"].as_array().unwrap().clone();
        (ran, differences)
    };
    let (ran, differences) = replay("none");
    ran.exits(0);
    assert!(differences.is_empty(), "{differences:?}");

    // They mostly wait, so several at a time.
    let left = Mutex::new(MUTANTS.iter());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((mutant, code)) = left.lock().unwrap().next() else { break };
                    let (ran, differences) = replay(mutant);
                    ran.exits(1);
                    let found = differences.iter().any(|difference| difference["code"] == *code);
                    assert!(found, "{mutant}: no {code} in {differences:?}");
                }
            });
        }
    });
}
