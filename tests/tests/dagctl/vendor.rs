//! A library that is no emulated card's.

use std::path::{Path, PathBuf};
use std::process::Command;

use house_tests::library::headers;
use house_tests::run::{Ran, dagctl, run};

use super::json;

/// `tests/c/fake_libdag.c` as a library in `folder`.
fn fake(folder: &Path) -> PathBuf {
    let library = folder.join("libdag.so.5");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-I"]).arg(headers());
    cc.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("c/fake_libdag.c")).arg("-o").arg(&library);
    let output = cc.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

#[test]
fn learning_makes_model_clock_and_drops_known() {
    let dir = tempfile::tempdir().unwrap();
    let (library, values) = (fake(dir.path()), dir.path().join("values"));
    let ask = |args: &str, learned: bool| -> Ran {
        let mut command = dagctl(dir.path(), args);
        command.env("DAG_LIBRARY", &library).env("HOME", dir.path()).env_remove("XDG_CONFIG_HOME");
        if learned {
            command.env("DAG_VALUES", &values);
        }
        run(&mut command)
    };
    let before = json(&ask("show dag0 --json", false).exits(0));
    assert_eq!((&before["model"], &before["emulated"]), (&"unknown".into(), &false.into()));
    assert!(before["notes"][0].as_str().unwrap().contains("`dagctl learn`"), "{before}");
    ask("clock dag0 --wait", false).exits(2).says("does not tell whether its clock is synchronised");
    let found = json(&ask("doctor dag0 --json", false))["findings"].clone();
    let values_of = |found: &serde_json::Value| {
        found.as_array().unwrap().iter().find(|one| one["check"] == "values").unwrap()["verdict"].clone()
    };
    assert_eq!(values_of(&found), "notice");

    let learn = format!("learn --include {} --out {}", headers().display(), values.display());
    let ran = ask(&learn, false).exits(0);
    assert!(String::from_utf8_lossy(&ran.stdout).contains(" values\n"), "{ran:?}");
    let after = json(&ask("show dag0 --json", true).exits(0));
    assert_eq!((&after["model"], &after["description"]), (&"DAG 9.2X2".into(), &"dag0 rev C at 0000:17:00.0".into()));
    let counted = json(&ask("counters dag0 --json", true).exits(0));
    assert_eq!(counted["streams"][0]["dropped"], 4_000_000_000_u64);
    assert_eq!(counted["ports"][0]["packets"], serde_json::Value::Null, "which libdag does not tell");
    ask("clock dag0 --wait=200ms", true).exits(1);
    let found = json(&ask("doctor dag0 --json", true))["findings"].clone();
    assert_eq!(values_of(&found), "good");

    // A damaged file is told of, with its line.
    std::fs::write(&values, "kTerfNoStrip = 0\nnonsense\n").unwrap();
    ask("show dag0", true).exits(2).says("values, line 2");
    ask("learn --include /no/such/folder", false).exits(2).says("does not take the headers there");
}

#[test]
fn values_are_kept_where_programs_look_for_them() {
    let dir = tempfile::tempdir().unwrap();
    if nix::unistd::geteuid().is_root() {
        // Those of root are the machine's, which a test leaves alone.
        let mut command = dagctl(dir.path(), &format!("learn --include {} --out", headers().display()));
        run(command.arg("/proc/none/values")).exits(2).says("/proc/none/values");
        return;
    }
    let mut command = dagctl(dir.path(), &format!("learn --include {}", headers().display()));
    run(command.env("HOME", dir.path()).env_remove("XDG_CONFIG_HOME")).exits(0);
    assert!(dir.path().join(".config/endace-dag/values").is_file());
}
