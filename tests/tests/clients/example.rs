//! The example in C, and the recipe for the CI of other projects: both by the very lines that stand there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use dag::Card;
use house_tests::library::libdag;
use house_tests::run::{dagcap_path, dagemu_path, prepared, run};
use house_tests::seen::Seen;

use super::on_cards;

const SPEC: &str = "synthetic=imix,rate=20kpps,seed=9";

/// The two commands of the example's first lines that build it.
fn lines() -> [String; 2] {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/c/capture.c");
    let text = fs::read_to_string(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    let line = text.lines().find_map(|line| line.split_once(" cc ")).expect("a line that builds it").1;
    let (first, second) = line.split_once("# or: ").expect("two ways");
    [format!("cc {first}"), second.to_owned()]
}

#[test]
fn both_lines_build_it_and_it_captures() {
    if !house_skip::need_program("pkg-config") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for folder in ["include", "lib"] {
        // Whoever copies the tree has it.
        let mut copy = Command::new("cp");
        let base = libdag().lib();
        assert!(copy.arg("-a").arg(base.with_file_name(folder)).arg(dir.path()).status().unwrap().success());
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/c/capture.c");
    fs::copy(source, dir.path().join("capture.c")).unwrap();
    for line in lines() {
        let mut build = prepared("sh");
        build.args(["-ec", &format!("{line} -Wall -Wextra -Werror -std=c11")]).current_dir(dir.path());
        build.env("PKG_CONFIG_PATH", dir.path().join("lib/pkgconfig"));
        run(&mut build).exits(0);
        let mut command = on_cards(dir.path().join("capture"), &format!("dag0={SPEC}"));
        let ran = run(command.env("LD_LIBRARY_PATH", dir.path().join("lib")).args(["dag0", "100"])).exits(0);
        ran.says("0 lost");
        assert_eq!(without_stamps(&ran.stdout), sent(), "{line}");
        fs::remove_file(dir.path().join("capture")).unwrap();
    }
}

fn without_stamps(stdout: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(stdout).unwrap();
    text.lines().map(|line| line.split_once(' ').expect("a stamp and more").1.to_owned()).collect()
}

fn sent() -> Vec<String> {
    let card = Card::open(&format!("emu:{SPEC}")).unwrap();
    let mut stream = card.attach(0).unwrap();
    stream.start().unwrap();
    let mut lines = Vec::new();
    while lines.len() < 100 {
        let batch = stream.advance().unwrap();
        let records = batch.iter().map(|record| record.unwrap());
        lines.extend(records.map(|record| format!("port {} {} bytes", record.interface(), record.wire_len())));
    }
    lines.truncate(100);
    lines
}

/// The recipe for other projects' CI: its commands, but for those that fetch and build this project.
#[test]
fn the_recipe_works() {
    if !house_skip::need_program("pkg-config") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("docs/ci-with-a-card.md")).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split_once("```").expect("an end").0);
    let blocks: Vec<&str> = blocks.filter(|block| !block.contains("git clone")).collect();
    assert!(blocks.len() >= 6, "{} blocks of commands", blocks.len());

    let dir = tempfile::tempdir().unwrap();
    fs::copy(root.join("examples/c/capture.c"), dir.path().join("capture.c")).unwrap();
    let base = dir.path().join("dag");
    fs::create_dir(&base).unwrap();
    for folder in ["include", "lib"] {
        symlink(libdag().lib().with_file_name(folder), base.join(folder)).unwrap();
    }
    fs::create_dir(base.join("bin")).unwrap();
    for program in [dagcap_path(), dagemu_path()] {
        symlink(program, base.join("bin").join(program.file_name().unwrap())).unwrap();
    }
    for block in blocks {
        let mut shell = prepared("sh");
        run(shell.args(["-euc", block]).current_dir(dir.path()).env("DAG", &base)).exits(0);
    }
    assert_eq!(Seen::in_file(&dir.path().join("wire.erf")).packets.len(), 100);
}
