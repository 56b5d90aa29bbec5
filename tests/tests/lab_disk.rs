//! `wiretruth lab` on a disk that is full, or too small: what happened is said, and nothing half is left.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use house_tests::run::{Ran, dagcap_path, run, start, tping_path, wiretruth};
use serde_json::Value;
use tempfile::TempDir;

/// A disk of so many MiB, in memory.
struct Disk(TempDir);

impl Disk {
    /// `None`, aloud, where this machine has no lab or cannot mount one.
    fn new(mebibytes: u32) -> Option<Self> {
        // They are to lie beside it.
        let _ = (dagcap_path(), tping_path());
        let checked = run(wiretruth().args(["lab", "check"]));
        if checked.status.code() != Some(0) {
            house_skip::skip(format_args!("no lab here: {}", String::from_utf8_lossy(&checked.stdout)));
            return None;
        }
        let disk = Self(tempfile::tempdir().unwrap());
        let mounted = disk.mount(&format!("size={mebibytes}m"));
        if !mounted {
            house_skip::skip("no file system can be mounted here");
        }
        mounted.then_some(disk)
    }

    fn mount(&self, options: &str) -> bool {
        Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(self.0.path())
            .status()
            .is_ok_and(|done| done.success())
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("run")
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file = File::create(self.0.path().join("filler")).unwrap();
        for size in [1 << 20, 4096, 1] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
    }

    fn lab(&self, probes: u32) -> Command {
        let mut command = wiretruth();
        command.args([
            "lab",
            "run",
            "--env",
            "host",
            "--stress",
            "network",
            "--rest",
            "20",
            "--probes",
            &probes.to_string(),
        ]);
        command.arg("--out").arg(self.out());
        command
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: nothing is in the way of the folder's end.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn cell(out: &Path) -> Value {
    serde_json::from_slice(&fs::read(out.join("host-network/cell.json")).unwrap()).unwrap()
}

/// Files of a report in a folder, half ones too.
fn report(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let of_report = |name: &String| ["results", "table1", "claims", "report"].iter().any(|stem| name.starts_with(stem));
    let mut names: Vec<String> = names.filter(of_report).collect();
    names.sort();
    names
}

const WHOLE: [&str; 4] = ["claims.csv", "report.html", "results.json", "table1.csv"];

fn says_how_much(ran: &Ran, words: &str) {
    let said = ran.says(words);
    assert!(
        said.contains("this cell takes up to ")
            && said.contains(" MB left: make room, or name another folder by --out"),
        "{said}"
    );
}

#[test]
fn a_cell_that_a_disk_has_no_room_for_is_not_begun_and_measured_when_it_has() {
    let Some(disk) = Disk::new(2) else { return };
    let ran = run(&mut disk.lab(50)).exits(1);
    says_how_much(&ran, "host-network: not run: there is too little room on the disk");
    let told = cell(&disk.out());
    assert!(
        told["valid"] == false
            && told["why"][0].as_str().unwrap().starts_with("it could not be run: there is too little room"),
        "{told:#}"
    );
    assert_eq!(report(&disk.out()), WHOLE, "complete, and it says why there is nothing");
    let page = fs::read_to_string(disk.out().join("report.html")).unwrap();
    assert!(
        page.contains("<td>host-network</td><td>invalid</td><td>it could not be run: there is too little room"),
        "{page}"
    );

    assert!(disk.mount("remount,size=256m"));
    // 1: on a machine that is busy with other things the stress may not be there.
    assert!(matches!(run(&mut disk.lab(50)).status.code(), Some(0 | 1)));
    let told = cell(&disk.out());
    assert!(
        told["places"].as_array().unwrap().len() == 2 && disk.out().join("host-network/wire.erf").exists(),
        "{told:#}"
    );
}

#[test]
fn a_disk_that_fills_on_the_way_is_told_for_what_it_is() {
    let Some(disk) = Disk::new(400) else { return };
    let mut running = start(&mut disk.lab(2_000));
    let partial = disk.out().join("host-network.partial");
    // Captures have begun, and the log of the probes.
    running.until_written(&partial.join("user.csv"), 2_000);
    disk.fill();
    let ran = running.wait();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let said = ran.says("No space left on device");
    assert!(
        said.contains("host-network: not run: ") && said.contains("host-network.partial/"),
        "which cell, which file: {said}"
    );
    says_how_much(&ran, "No space left on device");
    assert!(!ran.stderr.contains("nothing comes to the capture"), "{ran:?}");
    assert!(!partial.exists());
    let told = cell(&disk.out());
    assert!(told["why"][0].as_str().unwrap().contains("No space left on device"), "{told:#}");
    assert_eq!(report(&disk.out()), WHOLE);
}

#[test]
fn a_report_that_a_full_disk_has_no_room_for_is_not_begun() {
    let Some(disk) = Disk::new(2) else { return };
    run(&mut disk.lab(50)).exits(1);
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["run.json", "host-network"] {
        assert!(
            Command::new("cp").arg("-r").arg(disk.out().join(name)).arg(elsewhere.path()).status().unwrap().success()
        );
    }
    // Room for one small file, and not for all.
    for name in WHOLE {
        fs::remove_file(disk.out().join(name)).unwrap();
    }
    disk.fill();
    File::options()
        .write(true)
        .open(disk.0.path().join("filler"))
        .unwrap()
        .set_len(fs::metadata(disk.0.path().join("filler")).unwrap().len() - 8_192)
        .unwrap();
    let ran =
        run(wiretruth().args(["lab", "report", "--out"]).args([disk.out(), elsewhere.path().to_owned()])).exits(2);
    ran.says("No space left on device");
    assert_eq!(report(&disk.out()), Vec::<String>::new());
    // Nor what describes a run, of which half would be in the way of the next.
    disk.fill();
    fs::remove_file(disk.out().join("run.json")).unwrap();
    disk.fill();
    run(&mut disk.lab(50)).exits(2).says("run.json: No space left on device");
    assert!(!disk.out().join("run.json").exists() && !disk.out().join("run.new").exists());
}
