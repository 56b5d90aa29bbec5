//! `wiretruth lab report`: the files of a run made again from its folder, its page in a browser, and two runs compared.

use std::fs;
use std::path::Path;
use std::process::Command;

use house_tests::browser::{Browser, Seen};
use house_tests::page::{COLOURS, DESKTOP, PHONE, SHEET, boxes, figures_are_drawn, too_wide};
use house_tests::run::{run, wiretruth};
use serde_json::{Value, json};

/// Of each environment what is added under network stress: kernel, guest if there is one, program. Far enough apart to be told apart.
const NETWORK: [(&str, &str); 4] = [
    ("host", "--kern 0.4,2 --user 9,40"),
    ("container", "--kern 0.1,0.8 --user 25,80"),
    ("bridge", "--kern 0.02,0.1 --guest 80,120 --user 60,90"),
    ("vm", "--kern 1,3 --guest 3,9 --user 0.2,0.6"),
];

/// A cell made up.
fn cell(run_folder: &Path, environment: &str, stress: &str, margins: &str) {
    let folder = run_folder.join(format!("{environment}-{stress}"));
    let words = format!("simulate --probes 160 --rest-lead 20 --rest-trail 20 {margins} --out");
    run(wiretruth().args(words.split_whitespace()).arg(&folder)).exits(0);
    let mut places =
        vec![json!({"name": "wire", "file": "wire.erf"}), json!({"name": "kernel", "file": "kernel.pcap"})];
    if margins.contains("--guest") {
        places.push(json!({"name": "dom0", "file": "dom0.pcap"}));
    }
    let description = json!({
        "schema": 1, "environment": environment, "stress": stress, "probes": 160, "rest_lead": 20, "rest_trail": 20, "ident": 4711,
        "interval_ns": 250_000_000, "valid": true, "places": places, "user": "user.csv", "emulated": environment == "vm",
        "proof": [{"what": "thread run time", "value": 0.97, "unit": "of a core", "at_least": 0.5, "ok": true}],
    });
    fs::write(folder.join("cell.json"), description.to_string()).unwrap();
}

fn describe(folder: &Path, environments: &[&str], stresses: &[&str]) {
    let command = "wiretruth_lab_run_with_a_very_long_name_of_a_folder_".repeat(4);
    let description =
        json!({"schema": 1, "environments": environments, "stresses": stresses, "kernel": "6.18", "command": command});
    fs::write(folder.join("run.json"), description.to_string()).unwrap();
}

fn reported(folder: &Path) -> Value {
    let ran = run(wiretruth().args(["lab", "report", "--json"]).arg(folder)).exits(0);
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn the_page_of_a_run_reads_well() {
    let dir = tempfile::tempdir().unwrap();
    let environments = NETWORK.map(|(environment, _)| environment);
    describe(dir.path(), &environments, &["rest", "cpu", "io", "hd", "memory", "network"]);
    for (environment, margins) in NETWORK {
        cell(dir.path(), environment, "network", margins);
    }
    for (stress, guest) in
        [("rest", "0.3,0.6"), ("cpu", "0.6,30"), ("io", "4,50"), ("hd", "1,20"), ("memory", "0.1,0.2")]
    {
        cell(dir.path(), "vm", stress, &format!("--kern 0.15,0.3 --user 0.15,0.3 --guest {guest}"));
    }
    let results = reported(dir.path());
    assert_eq!(results["cells"]["vm-io"]["state"], "measured");
    assert_eq!(results["cells"]["host-io"]["state"], "missing");
    let page = dir.path().join("report.html");
    let Some(mut browser) = Browser::new() else { return };
    browser.width(DESKTOP, false);
    assert_eq!(browser.open(&page), Seen::default(), "no messages, and nothing asked for");
    let none = json!([]);
    assert_eq!(too_wide(&mut browser, DESKTOP, ".wide,figure"), none);
    // Figures 3, 4, 5, and 5 of the others.
    let figures = [&COLOURS[..], &COLOURS[..6], &COLOURS[..4], &COLOURS[..4]];
    figures_are_drawn(&mut browser, &figures);
    // No name of a curve reaches into another.
    let names = boxes(&mut browser, "svg text");
    for (at, one) in names.iter().enumerate() {
        for other in &names[at + 1..] {
            let apart = one[0] + one[2] <= other[0]
                || other[0] + other[2] <= one[0]
                || one[1] + one[3] <= other[1] + 1.0
                || other[1] + other[3] <= one[1] + 1.0;
            assert!(apart, "{one:?} {other:?}");
        }
    }
    browser.reader("", "dark");
    figures_are_drawn(&mut browser, &figures);
    browser.width(PHONE, true);
    assert_eq!(too_wide(&mut browser, PHONE, "none"), none);
    // No cell is so narrow that its words are torn.
    let narrow = boxes(&mut browser, ".last td:last-child").iter().filter(|area| area[2] < 150.0).count();
    assert_eq!(narrow, 0);
    browser.reader("print", "light");
    browser.width(SHEET, false);
    assert_eq!(too_wide(&mut browser, SHEET, ".wide,figure"), none);
    figures_are_drawn(&mut browser, &figures);
    assert_eq!(browser.close(), [""; 0], "nothing was sent later");
}

#[test]
fn files_are_made_again_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    describe(dir.path(), &["host"], &["network"]);
    cell(dir.path(), "host", "network", NETWORK[0].1);
    let ran = run(wiretruth().args(["lab", "report"]).arg(dir.path())).exits(0);
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(said.contains("host-network       160 probes, 0 lost") && said.contains("claims: "), "{said}");
    let names = ["report.html", "results.json", "table1.csv", "claims.csv"];
    let first = names.map(|name| fs::read(dir.path().join(name)).unwrap());
    // Elsewhere, and the same.
    let elsewhere = tempfile::tempdir().unwrap();
    run(wiretruth().args(["lab", "report", "--out"]).args([elsewhere.path(), dir.path()])).exits(0);
    assert!(first == names.map(|name| fs::read(elsewhere.path().join(name)).unwrap()));
    let table = String::from_utf8(first[2].clone()).unwrap();
    assert!(
        table.lines().any(|line| line.starts_with("host,total,network,120,") && line.ends_with(",14.124,92.331")),
        "{table}"
    );
    // What is there stays where nothing can be made.
    fs::write(dir.path().join("run.json"), "{").unwrap();
    let ran = run(wiretruth().args(["lab", "report"]).arg(dir.path())).exits(2);
    assert!(ran.stderr.contains("run.json: EOF while parsing"), "{ran:?}");
    assert!(first == names.map(|name| fs::read(dir.path().join(name)).unwrap()));
}

#[test]
fn two_runs_are_compared() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (dir, user) in dirs.iter().zip(["9,40", "30,60"]) {
        describe(dir.path(), &["host"], &["network"]);
        cell(dir.path(), "host", "network", &format!("--kern 0.4,2 --user {user}"));
    }
    let compare = |more: &[&str]| {
        let paths = dirs.each_ref().map(|dir| dir.path());
        run(wiretruth().args(["lab", "report", "--compare"]).args(paths).args(more)).exits(0).stdout
    };
    let text = String::from_utf8(compare(&[])).unwrap();
    let of = |what: &str| text.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{text}")).to_owned();
    assert!(of("kern   median").ends_with("overlap") && of("user   median").ends_with("differs"), "{text}");
    let json: Value = serde_json::from_slice(&compare(&["--json"])).unwrap();
    assert_eq!((&json["schema"], &json["layers"][1]["medians"]), (&json!(1), &json!("differs")));
    run(wiretruth().args(["lab", "report"])).exits(2);
}

/// A run of two cells with sums of their files.
fn summed(folder: &Path) {
    describe(folder, &["host"], &["rest", "network"]);
    for stress in ["rest", "network"] {
        cell(folder, "host", stress, NETWORK[0].1);
        let sums = "sha256sum cell.json user.csv wire.erf kernel.pcap >sums.txt";
        let done = Command::new("sh").args(["-c", sums]).current_dir(folder.join(format!("host-{stress}"))).status();
        assert!(done.unwrap().success());
    }
}

/// What takes the place of a file.
fn replace(path: &Path, by: &str) {
    fs::remove_file(path).unwrap();
    match by {
        "pipe" => nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        "folder" => fs::create_dir(path).unwrap(),
        device => std::os::unix::fs::symlink(device, path).unwrap(),
    }
}

#[test]
fn a_damaged_cell_is_named_and_the_rest_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    summed(dir.path());
    let report = || run(wiretruth().args(["lab", "report"]).arg(dir.path()));
    report().exits(0);
    for (name, by, words) in [
        ("user.csv", "", "damaged: user.csv is not the file that was written"),
        ("wire.erf", "pipe", "damaged: wire.erf is a pipe (FIFO), and no file"),
        ("user.csv", "/dev/zero", "damaged: user.csv is a device, and no file"),
        ("sums.txt", "/dev/zero", "damaged: sums.txt is a device, and no file"),
        ("cell.json", "pipe", "damaged: cell.json is a pipe (FIFO), and no file"),
        ("cell.json", "folder", "damaged: cell.json: "),
        ("sums.txt", "folder", "damaged: sums.txt: it is a folder"),
        ("wire.erf", "folder", "damaged: wire.erf: "),
    ] {
        let path = dir.path().join("host-network").join(name);
        let whole = fs::read(&path).unwrap();
        if by.is_empty() {
            fs::write(&path, String::from_utf8(whole.clone()).unwrap().replacen(",100,", ",101,", 1)).unwrap();
        } else {
            replace(&path, by);
        }
        let ran = report().exits(1);
        let said = ran.says("host-network: ");
        assert!(said.contains(words), "{name} {by}: {said}");
        let table = String::from_utf8(ran.stdout).unwrap();
        assert!(table.contains("host-rest          160 probes, 0 lost"), "{table}");
        let results = fs::read_to_string(dir.path().join("results.json")).unwrap();
        let results: Value = serde_json::from_str(&results).unwrap();
        assert_eq!(results["cells"]["host-rest"]["state"], "measured");
        assert!(results["cells"]["host-network"].get("analysis").is_none(), "{name} {by}");
        let _ = fs::remove_dir(&path).or_else(|_| fs::remove_file(&path));
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn what_is_no_file_is_neither_read_as_a_run_nor_written_over() {
    let dir = tempfile::tempdir().unwrap();
    summed(dir.path());
    let report = || run(wiretruth().args(["lab", "report"]).arg(dir.path()));
    report().exits(0);
    let names = ["results.json", "table1.csv", "claims.csv"];
    fs::remove_dir_all(dir.path().join("host-rest")).unwrap();
    let before = names.map(|name| fs::read(dir.path().join(name)).unwrap());
    for by in ["pipe", "folder", "/dev/zero"] {
        let page = dir.path().join("report.html");
        replace(&page, by);
        report().exits(2).says("report.html: it is no file");
        assert!(
            before == names.map(|name| fs::read(dir.path().join(name)).unwrap()),
            "old ones and a new one are no report"
        );
        let others = fs::read_dir(dir.path())
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().contains(".new"));
        assert_eq!(others.count(), 0);
        let _ = fs::remove_dir(&page).or_else(|_| fs::remove_file(&page));
        fs::write(&page, "").unwrap();
    }
    for (by, words) in [("pipe", "it is a pipe (FIFO)"), ("/dev/zero", "it is a device"), ("folder", "it is a folder")]
    {
        let description = dir.path().join("run.json");
        replace(&description, by);
        let said = report().exits(2).says("run.json: ").to_owned();
        assert!(said.contains(words), "{said}");
        let ran = run(wiretruth().args(["lab", "report", "--compare"]).args([dir.path(), dir.path()])).exits(2);
        ran.says(words);
        let _ = fs::remove_dir(&description).or_else(|_| fs::remove_file(&description));
        fs::write(&description, "").unwrap();
    }
}

#[test]
fn without_a_folder_it_is_that_of_a_run_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("wiretruth-lab");
    fs::create_dir(&folder).unwrap();
    summed(&folder);
    run(wiretruth().args(["lab", "report"]).current_dir(dir.path())).exits(0);
    assert!(folder.join("report.html").exists());
}
