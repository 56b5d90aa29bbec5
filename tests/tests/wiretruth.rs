//! `wiretruth analyse` on real packets: a system that pings, tcpdump in its kernel, `dagcap` on the wire between it and its target.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use house_tests::lab::{Inline, TARGET};
use house_tests::run::{dagcap, prepared, run, start, wiretruth};
use nix::sys::signal::Signal;
use serde_json::Value;

const PINGS: u64 = 60;

/// The analysis of what lies in `folder`.
fn analysed(folder: &Path, more: &[&str]) -> Value {
    let mut command = wiretruth();
    command.current_dir(folder).args(["analyse", "--json", "--wire", "wire.erf"]).args(more);
    let ran = run(&mut command).exits(0);
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn a_ping_is_taken_apart_by_what_the_wire_says() {
    if !house_skip::need_program("tcpdump") {
        return;
    }
    let Some(lab) = Inline::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (wire, kernel) = (dir.path().join("wire.erf"), dir.path().join("kernel.pcap"));
    let mut card = start(dagcap().args(["--device", &lab.device(), "--out"]).arg(&wire));
    let mut tcpdump = lab.system.command("tcpdump");
    // As root all along, and at once: the folder is the test's own.
    tcpdump
        .args(["-Z", "root", "-i", "s0", "-U", "--immediate-mode", "--time-stamp-precision=nano", "-w"])
        .arg(&kernel);
    let mut tcpdump = start(tcpdump.arg("icmp").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    // Echoes of other runs until both have begun; a file of tcpdump begins with 24 bytes that are no packet.
    let mut begun = |file: &Path| {
        tcpdump.until("both have begun", || {
            lab.system.nudge();
            file.metadata().is_ok_and(|data| data.len() > 24)
        });
    };
    begun(&wire);
    begun(&kernel);
    let said = lab.system.exec(&format!("ping -n -D -c {PINGS} -i 0.02 {TARGET}"));
    fs::write(dir.path().join("ping.txt"), said).unwrap();
    // The last reply is in both when this one is.
    lab.system.nudge();
    for running in [&mut card, &mut tcpdump] {
        running.signal(Signal::SIGINT);
    }
    card.wait().exits(0);
    tcpdump.wait();

    let whole = analysed(
        dir.path(),
        &["--kernel", "kernel.pcap", "--user", "ping.txt", "--per-probe", "probes.csv", "--hdr", "all.hdr"],
    );
    let log = fs::read_to_string(dir.path().join("all.hdr")).unwrap();
    for tag in ["rtt_wire", "rtt_user", "kern", "user", "total", "send", "receive"] {
        assert!(log.contains(&format!("\nTag={tag},0.000,")), "{tag}: {log}");
    }
    for (key, expected) in [("probes", PINGS), ("matched", PINGS), ("lost", 0), ("duplicates", 0)] {
        assert_eq!(whole[key], expected, "{key} in {whole}");
    }
    for (group, name) in
        [("rtt", "wire"), ("rtt", "kernel"), ("rtt", "user"), ("delay", "kern"), ("delay", "user"), ("delay", "total")]
    {
        assert_eq!(whole[group][name]["n"], PINGS, "{group} {name} in {whole}");
    }
    assert!(whole["delay"]["dom0"].is_null() && whole["delay"]["domu"].is_null(), "there was no guest");
    let ns = |value: &Value| value.as_i64().unwrap_or_else(|| panic!("{value} in {whole}"));
    // The kernel's stamps enclose those of the wire. A card's clock has a tick of 15 ns.
    assert!(ns(&whole["delay"]["kern"]["min_ns"]) > -40, "{whole}");
    assert!(ns(&whole["rtt"]["wire"]["min_ns"]) > 0);
    // One clock stamped all of it: no offset, no drift.
    let clock = &whole["clock"];
    assert!(ns(&clock["offset_low_ns"]) <= 40 && ns(&clock["offset_high_ns"]) >= -40, "{clock}");
    assert_eq!(clock["method"], "theil-sen");
    assert!(clock["drift_ppb"].as_f64().unwrap().abs() < 1e6, "{clock}");

    let table = fs::read_to_string(dir.path().join("probes.csv")).unwrap();
    assert_eq!(table.lines().count() as u64, PINGS + 1);
    let columns: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    let column = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let (request, reply, rtt) = (column("wire_request_ns"), column("wire_reply_ns"), column("wire_rtt_ns"));
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| fields[at].parse::<i64>().unwrap();
        assert_eq!(number(reply) - number(request), number(rtt), "{line}");
    }

    // At rest before and after; then the counts stay, and the delays are of those between.
    let rested = analysed(dir.path(), &["--kernel", "kernel.pcap", "--rest-lead", "15", "--rest-trail", "15"]);
    assert_eq!((&rested["probes"], &rested["clock"]["method"]), (&PINGS.into(), &"least-squares".into()));
    assert_eq!(rested["delay"]["kern"]["n"], PINGS - 30);
    assert_eq!((&rested["reference"], &rested["delay"]["send"]["n"]), (&"rest".into(), &(PINGS - 30).into()));

    // Any capture may be the wire; of the same file the delay is nothing.
    let same = analysed(dir.path(), &["--kernel", "wire.erf"]);
    assert_eq!((ns(&same["delay"]["kern"]["max_ns"]), ns(&same["delay"]["kern"]["min_ns"])), (0, 0));

    let mut command = wiretruth();
    command.current_dir(dir.path()).args(["analyse", "--wire", "wire.erf", "--kernel", "kernel.pcap", "--ident", "1"]);
    run(&mut command).exits(2).says("no probe of identifier 1 has request and reply");
}

#[test]
fn what_cannot_be_compared_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let tell = |words: &str| run(wiretruth().current_dir(dir.path()).args(words.split_whitespace())).exits(2);
    tell("analyse --wire none.erf --kernel none.pcap").says("none.erf: ");
    run(dagcap()
        .args(["--device", "emu:synthetic,rate=max,count=10", "--quiet", "--out"])
        .arg(dir.path().join("w.erf")))
    .exits(0);
    fs::write(dir.path().join("log"), "what is this\n").unwrap();
    tell("analyse --wire w.erf --user log").says("log has no probes");
    tell("analyse --wire w.erf --kernel w.erf").says("no probe of identifier 9347 has request and reply");
    tell("analyse --wire log --kernel w.erf").says("; it is neither ERF, pcap nor pcapng, plain or compressed");
    tell("analyse --wire w.erf --kernel w.erf --ident 5 --rest-lead 3").says("no probe of identifier 5 has request");
    tell("analyse --wire w.erf --user /dev/zero").says("/dev/zero: it is neither a file nor a pipe");
    tell("analyse --wire w.erf --kernel w.erf --environment bridge --stress cpu --report r")
        .says("no column of OpenVZ");
    tell("analyse --wire w.erf --kernel w.erf --environment host --stress cpu").says("--report");
}

#[test]
fn a_made_up_experiment_is_read_by_others_and_taken_apart() {
    let dir = tempfile::tempdir().unwrap();
    let tell = |words: &str| run(wiretruth().current_dir(dir.path()).args(words.split_whitespace()));
    let ran = tell("simulate --out x --probes 1040 --interval 20ms --drift -40 --offset 3600000000000 --loss 0.01 --other 2 --kern 1,2 --user 4,20")
        .exits(0);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("wiretruth analyse --wire x/wire.erf"), "{ran:?}");
    let at = "--rest-lead 20 --rest-trail 20 --at host=x/kernel.pcap";
    let found = analysed(
        &dir.path().join("x"),
        &"--kernel kernel.pcap --user user.csv --rest-lead 20 --rest-trail 20 --at again=kernel.pcap"
            .split(' ')
            .collect::<Vec<_>>(),
    );
    let ns = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} in {found}"));
    assert_eq!(found["probes"], 1040);
    let drift = ns(&found["clock"]["drift_ppb"]);
    assert!((drift + 40_000.0).abs() < 1_000.0, "{drift}");
    let fits: Vec<&str> = found["fits"].as_array().unwrap().iter().map(|fit| fit["method"].as_str().unwrap()).collect();
    assert_eq!(fits, ["least-squares", "theil-sen", "lower-envelope"]);
    for (group, name, median) in [("delay", "kern", 1e6), ("delay", "user", 4e6), ("parts", "qdisc", 3.8e6)] {
        let value = ns(&found[group][name]["median_ns"]);
        assert!((value / median - 1.0).abs() < 0.15, "{group} {name}: {value}");
        let [low, high] =
            ["0", "1"].map(|at| ns(&found[group][name]["median_block_ci_ns"][at.parse::<usize>().unwrap()]));
        assert!(low <= value && value <= high, "{low} {value} {high}");
    }
    assert_eq!(found["at"]["again"]["rtt"], found["rtt"]["kernel"], "the same file is the same place");
    tell("analyse --wire x/wire.erf --user x/user.csv --report r.html --environment vanilla --stress network --quiet")
        .exits(2);
    tell("analyse --wire x/wire.erf --user x/user.csv --report r.html --environment host --stress network").exits(0);
    let page = fs::read_to_string(dir.path().join("r.html")).unwrap();
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n") && page.contains("x/user.csv"),
        "{page}"
    );
    assert_eq!((page.matches("<svg ").count(), page.matches("class=\"own\"").count()), (3, 3));
    tell("analyse --wire x/wire.erf --user x/user.csv --report /no/such/r.html").exits(2).says("/no/such/r.html: ");
    // A pipe stays one, and a link a link.
    let fifo = dir.path().join("pipe");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let read = std::thread::spawn({
        let fifo = fifo.clone();
        move || fs::read_to_string(fifo).unwrap()
    });
    tell("analyse --wire x/wire.erf --user x/user.csv --per-probe pipe").exits(0);
    assert_eq!(read.join().unwrap().lines().count(), 1041);
    assert!(!fifo.metadata().unwrap().is_file());
    std::os::unix::fs::symlink("r.html", dir.path().join("link")).unwrap();
    tell("analyse --wire x/wire.erf --user x/user.csv --report link").exits(0);
    assert!(dir.path().join("link").is_symlink());
    assert_ne!(fs::read_to_string(dir.path().join("r.html")).unwrap(), page, "it was written again, without the cell");
    // Wireshark's tools take the files for what they are.
    if house_skip::need_program("tshark") {
        for (file, filter) in [("x/wire.erf", "icmp.type == 8"), ("x/kernel.pcap", "icmp.type == 8")] {
            let seen = run(prepared("tshark").current_dir(dir.path()).args([
                "-r",
                file,
                "-Y",
                filter,
                "-T",
                "fields",
                "-e",
                "icmp.checksum.status",
            ]))
            .exits(0);
            let lines: Vec<_> = std::str::from_utf8(&seen.stdout).unwrap().lines().collect();
            assert!((1020..=1040).contains(&lines.len()), "{file}: {}", lines.len());
            assert!(lines.iter().all(|status| *status == "1"), "checksums are right: {file}");
        }
    }
    tell("simulate --out x").exits(2).says("x/wire.erf is there already and was not touched; name another folder");
    tell("simulate --out y --probes 70000").exits(2).says("70000 probes cannot be told apart");
    tell("simulate --out y --kern 6,5").exits(2).says("the 99th percentile not below it");
    tell("simulate --out y --step 5").exits(2).says("as 100:-5000000");
    tell(&format!("analyse --wire x/wire.erf {at} --at host=x/kernel.pcap")).exits(2).says("two captures at \"host\"");
    tell(&format!("analyse --wire x/wire.erf {at} --at wire=x/kernel.pcap")).exits(2).says("use --wire");
}

/// What nobody has measured says so in every file that can, and whatever is made of it.
#[test]
fn what_is_made_up_says_so_and_another_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tell = |words: &str| run(wiretruth().current_dir(dir.path()).args(words.split_whitespace()));
    for seed in ["1", "2"] {
        tell(&format!("simulate --out s{seed} --seed {seed} --probes 440 --interval 20ms --drift 20 --other 1"))
            .exits(0);
    }
    let analyse = "analyse --wire s1/wire.erf --rest-lead 20 --rest-trail 20";
    let ran = tell(&format!("{analyse} --user s1/user.csv --report r.html")).exits(0);
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        said.starts_with("simulated, no measurement: made up were the wire (s1/wire.erf), s1/user.csv\n"),
        "{said}"
    );
    assert!(said.contains("\n40 probes at rest are in these counts, and in none of what follows\n"), "{said}");
    let page = fs::read_to_string(dir.path().join("r.html")).unwrap();
    assert!(page.contains("<strong>Simulated: no measurement. Made up were the wire (s1/wire.erf)"), "{page}");
    assert!(page.contains(" 40 at rest are in these counts, and in no delay."), "{page}");
    // A capture alone says it, too, of whatever format.
    let ran = tell("analyse --wire s1/kernel.pcap --kernel s1/kernel.pcap --json").exits(0);
    let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&found["simulated"], &found["left_out"]), (&true.into(), &0.into()));
    if house_skip::need_program("tshark") {
        let read = ["-r", "s1/wire.erf", "-c", "1", "-V"];
        let seen = run(prepared("tshark").current_dir(dir.path()).args(read)).exits(0);
        let words = String::from_utf8_lossy(&seen.stdout).matches("simulated: made up by wiretruth simulate").count();
        assert!(words >= 3, "host, card and comment: {seen:?}");
    }
    for file in ["user.csv", "truth.csv"] {
        let text = fs::read_to_string(dir.path().join("s1").join(file)).unwrap();
        assert!(text.starts_with("# simulated: made up by wiretruth simulate, no measurement"), "{text}");
    }

    let ran = tell(&format!("{analyse} --user s2/user.csv")).exits(2);
    ran.says("s2/user.csv is of another run than the wire (s1/wire.erf), with the same identifier: at ");
    tell(&format!("{analyse} --kernel s2/kernel.pcap")).exits(2).says("the kernel (s2/kernel.pcap) is of another run");
    let learn = "verdict learn --wire s1/wire.erf --user s2/user.csv --rest-lead 20 --rest-trail 20 --out t.json";
    tell(learn).exits(2).says("is of another run");
    assert!(!dir.path().join("t.json").exists());

    // Requests pass the kernel first, and replies the wire.
    let diff = |words: &str| -> Value {
        let ran = tell(&format!("diff s1/kernel.pcap s1/wire.erf --json {words}")).exits(0);
        serde_json::from_slice(&ran.stdout).unwrap()
    };
    let both = diff("");
    assert_eq!(both["both_ways"], true, "{both}");
    let notes = both["notes"].as_array().unwrap();
    assert!(notes.len() == 1 && notes[0].as_str().unwrap().contains("--from ADDRESS"), "{both}");
    for from in ["10.0.0.1", "10.0.0.0/31"] {
        let one = diff(&format!("--from {from}"));
        assert_eq!((&one["both_ways"], &one["from"]), (&false.into(), &from.into()), "{one}");
        // The replies.
        assert_eq!((&one["a"]["elsewhere"], &one["b"]["elsewhere"]), (&440.into(), &440.into()), "{one}");
        assert_eq!(one["common"], 880, "probes, and as many packets of others: {one}");
    }
    tell("diff s1/kernel.pcap s1/wire.erf --from 10.0.0.9").exits(2).says("from where was asked for");
    tell("diff s1/kernel.pcap s1/wire.erf --from 10.0.0.1/40").exits(2).says("a prefix of 10.0.0.1 has 0 to 32 bits");
}
