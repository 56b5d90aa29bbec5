//! A skip is seen: on standard error past the capture of the harness, in the list, and as a failure in CI.

use std::path::Path;
use std::process::{Command, Output};

/// Runs [`child`] in a process of its own.
fn run_child(ci: &str, list: &Path) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child"])
        .env("CI", ci)
        .env(house_skip::LIST, list)
        .output()
        .unwrap()
}

#[test]
#[ignore = "run by the others"]
fn child() {
    house_skip::skip("the moon is not full");
    assert!(!house_skip::need_program("no-such-program-anywhere"));
}

#[test]
fn a_skip_is_said_aloud_and_listed() {
    let list = std::env::temp_dir().join(format!("house-skip-{}", std::process::id()));
    for _ in 0..2 {
        let output = run_child("", &list);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            said,
            "skipped: skip::child: the moon is not full\nskipped: skip::child: needs the program `no-such-program-anywhere`\n"
        );
    }
    let listed = std::fs::read_to_string(&list).unwrap();
    std::fs::remove_file(&list).unwrap();
    assert_eq!(listed.lines().count(), 4, "{listed}");
    assert!(listed.starts_with("skip::child: the moon is not full\n"), "{listed}");
}

#[test]
fn in_ci_a_skip_is_a_failure() {
    let list = std::env::temp_dir().join(format!("house-skip-ci-{}", std::process::id()));
    let output = run_child("true", &list);
    assert_eq!(output.status.code(), Some(101));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("must not be skipped in CI: skip::child: the moon is not full"), "{said}");
    assert!(!list.exists(), "the first skip is the failure");
}

#[test]
fn programs_are_found() {
    assert!(house_skip::find_program("sh").is_some_and(|path| path.is_absolute()));
    assert_eq!(house_skip::find_program("no-such-program-anywhere"), None);
}
