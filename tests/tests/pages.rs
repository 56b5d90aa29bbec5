//! What shells and `man` know about the programs, judged by bash and mandoc.

use std::fs;
use std::path::Path;
use std::process::Command;

use house_skip::need_program;
use house_tests::run::{pages, run};

const PROGRAMS: [&str; 6] = ["dagcap", "dagctl", "dagemu", "erf", "tping", "wiretruth"];

fn made() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    run(pages().arg(dir.path())).exits(0);
    dir
}

/// What bash offers for the last of `words`.
fn offered(share: &Path, words: &[&str]) -> Vec<String> {
    const SCRIPT: &str = r#"source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
"_$1" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}""#;
    let file = share.join("bash-completion/completions").join(words[0]);
    let said = Command::new("bash").args(["-c", SCRIPT, "bash"]).arg(file).args(words).output().expect("bash runs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    if !need_program("bash") {
        return;
    }
    let share = made();
    let share = share.path();
    assert_eq!(offered(share, &["erf", "cu"]), ["cut"]);
    assert_eq!(offered(share, &["erf", "cut", "--to", "pcapn"]), ["pcapng"]);
    assert_eq!(offered(share, &["wiretruth", "lab", "ru"]), ["run"]);
    assert_eq!(offered(share, &["dagcap", "--require-c"]), ["--require-card"]);
    // What a program uses for itself is nobody else's.
    assert!(!offered(share, &["wiretruth", "lab", ""]).iter().any(|word| word.contains("inside")));
    for program in PROGRAMS {
        assert!(!offered(share, &[program, "--"]).is_empty(), "{program}");
        assert!(share.join("zsh/site-functions").join(format!("_{program}")).is_file());
        assert!(share.join("fish/vendor_completions.d").join(format!("{program}.fish")).is_file());
    }
}

#[test]
fn every_program_and_command_has_a_page_that_man_can_show() {
    if !need_program("mandoc") {
        return;
    }
    let share = made();
    let man = share.path().join("man/man1");
    let mut pages = 0;
    for page in fs::read_dir(&man).expect("pages") {
        let page = page.expect("an entry").path();
        let said = Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(&page).output().expect("mandoc runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
        pages += 1;
    }
    assert!(pages > PROGRAMS.len());
    for name in PROGRAMS.iter().copied().chain(["erf-cut", "wiretruth-lab-run"]) {
        let page = man.join(format!("{name}.1"));
        let said = Command::new("mandoc").args(["-T", "ascii"]).arg(&page).output().expect("mandoc runs");
        let text = String::from_utf8(said.stdout).expect("ASCII").replace('\u{8}', "");
        assert!(text.starts_with(&format!("{name}(1)")), "{page:?}: {text}");
    }
    assert!(!man.join("wiretruth-lab-inside.1").exists());
}
