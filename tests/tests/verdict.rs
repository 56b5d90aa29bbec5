//! Verdicts on samples: of `tping --feedback` while it runs, and of `wiretruth verdict` afterwards, held against a capture of the wire.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use house_tests::lab::{Inline, Netns, TARGET};
use house_tests::run::{dagcap, run, start, tping, tping_path, wiretruth, wiretruth_path};
use nix::sys::signal::Signal;
use serde_json::Value;
use wire_truth::verdict::signals::{Queue, RunDelayOf, Sampler, SignalLog, Watch, interface_named, interface_to};

/// A program in a namespace and a folder, whose output is the test's.
fn inside(namespace: &Netns, folder: &Path, program: &Path, words: &str) -> Command {
    let mut command = namespace.command(program.to_str().unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.current_dir(folder).args(words.split_whitespace());
    command
}

/// Gives the system a queue before its wire. `false`, aloud, where the kernel has none.
fn queue(lab: &Inline, words: &str) -> bool {
    let made =
        lab.system.command("tc").args(["qdisc", "add", "dev", "s0", "root", "tbf"]).args(words.split(' ')).output();
    let made = made.unwrap();
    if !made.status.success() {
        house_skip::skip(format_args!("the kernel has no tbf: {}", String::from_utf8_lossy(&made.stderr).trim()));
    }
    made.status.success()
}

#[test]
fn feedback_over_loopback_is_live_and_the_same_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let Some(ns) = Netns::alone() else { return };
    // Some probes wait for the signals of their time.
    let words = "127.0.0.1 -c 30 -i 20ms --feedback --signals s.csv --signals-interval 100ms --log u.csv";
    let ran = run(&mut inside(&ns, dir.path(), tping_path(), words)).exits(0);
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("seq=")).collect();
    assert_eq!(lines.len(), 30, "{said}");
    assert!(lines.iter().enumerate().all(|(seq, line)| line.starts_with(&format!("seq={seq} time="))), "{said}");
    let count = |word: &str| lines.iter().filter(|line| line.contains(&format!("; {word}"))).count();
    let (valid, suspect, unknown) = (count("valid"), count("suspect: "), count("unknown: "));
    assert_eq!(valid + suspect, 30, "{said}");
    assert!(said.contains(&format!("feedback: {valid} valid, {suspect} suspect, {unknown} unknown\n")), "{said}");
    assert!(said.contains("corrected at most ") && said.contains("was not learned"), "{said}");
    // The log is whole, and tells the same.
    let log = SignalLog::read(&dir.path().join("s.csv")).unwrap();
    assert_eq!((log.context.interface(), log.context.queue()), (Some("lo"), Some(Queue::Own)));
    assert!(log.samples().count() >= 4 && log.context.get("end").is_some());
    let mut command = wiretruth();
    command.current_dir(dir.path()).args("verdict judge --user u.csv --signals s.csv --json".split(' '));
    let ran = run(&mut command).exits(0);
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&told["schema"], &told["valid"], &told["suspect"]), (&1.into(), &valid.into(), &suspect.into()));

    // As objects; signals without verdicts; what is there is not replaced unasked.
    let ran = run(&mut inside(&ns, dir.path(), tping_path(), "127.0.0.1 -c 3 -i 10ms --feedback --json")).exits(0);
    let objects: Vec<Value> =
        String::from_utf8_lossy(&ran.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3);
    for object in &objects {
        let path = object["kernel_recv_ns"].as_i64().unwrap() - object["snd_ns"].as_i64().unwrap();
        assert_eq!(object["corrected_ns"].as_i64(), Some(path), "{object}");
        assert!(["valid", "suspect"].contains(&object["verdict"].as_str().unwrap()), "{object}");
    }
    ran.says("feedback: ");
    run(&mut inside(&ns, dir.path(), tping_path(), words)).exits(2).says("u.csv is there already");
    let only = "127.0.0.1 -c 2 -i 10ms --signals s.csv";
    run(&mut inside(&ns, dir.path(), tping_path(), only)).exits(2).says("s.csv is there already");
    let ran = run(&mut inside(&ns, dir.path(), tping_path(), &format!("{only} --force"))).exits(0);
    assert!(!String::from_utf8_lossy(&ran.stdout).contains("feedback"));
    assert!(SignalLog::read(&dir.path().join("s.csv")).unwrap().until() > log.until());
}

#[test]
fn what_cannot_be_done_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad.csv"), "at_ns,interval_ns\n1,2\n").unwrap();
    fs::write(dir.path().join("bad.json"), "{}").unwrap();
    fs::write(dir.path().join("u.csv"), format!("{}\n7,1,100,100,,,,,200\n", wire_truth::HEADER)).unwrap();
    let tell = |words: &str| {
        let mut command = wiretruth();
        run(command.current_dir(dir.path()).arg("verdict").args(words.split(' '))).exits(2)
    };
    tell("judge --user u.csv --signals bad.csv").says("bad.csv, line 1: it is not the header");
    tell("judge --user u.csv --thresholds bad.json").says("bad.json has no thresholds");
    tell("judge --user u.csv --wire no.erf").says("no.erf: ");
    tell("sample -o x.csv --iface nosuch0").says("interface nosuch0: ");
    tell("sample -o x.csv --uplink nosuch0").says("interface nosuch0: ");
    tell("sample -o bad.csv --iface lo").says("bad.csv is there already; add --force to replace it");
    // Above the largest number that Linux gives.
    tell("sample -o x.csv --iface lo --pid 4194305").says("--pid 4194305: there is no such process");
    tell("judge --user u.csv --rest-lead 3").says("give its capture with --wire");
    tell("judge --user u.csv --signals /dev/zero").says("/dev/zero: it is neither a file nor a pipe");
    let endless = ["127.0.0.1", "--udp", "9", "-c", "1", "--feedback", "--thresholds", "/dev/zero"];
    run(tping().args(endless)).exits(2).says("/dev/zero: it is neither a file nor a pipe");
    run(tping().args(["127.0.0.1", "-c", "1", "--signals-interval", "1s"])).exits(2).says("--feedback");
    let uplink = ["127.0.0.1", "--udp", "9", "-c", "1", "--feedback", "--uplink", "nosuch0"];
    run(tping().args(uplink)).exits(2).says("--uplink nosuch0: ");
    // Without signals and uplink nothing is known of a queue.
    let mut command = wiretruth();
    let ran = run(command.current_dir(dir.path()).args("verdict judge --user u.csv".split(' '))).exits(0);
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(said.contains("0 valid, 0 suspect, 1 unknown") && said.contains("or --uplink"), "{said}");
}

#[test]
fn the_backlog_is_what_tc_shows() {
    let Some(lab) = Inline::new() else { return };
    // A packet goes every 1.4 seconds.
    if !queue(&lab, "rate 8kbit burst 1600 limit 200000") {
        return;
    }
    let socket = lab.system.inside(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    for _ in 0..30 {
        socket.send_to(&[0; 1400], (TARGET, 9)).unwrap();
    }
    let mut sampler = lab.system.inside(|| {
        let to = interface_to(TARGET.parse().unwrap()).unwrap();
        assert_eq!((to.name.as_str(), to.kind.as_deref()), ("s0", Some("veth")));
        assert!(matches!(to.queue(false), Queue::Hidden(why) if why.contains("of kind veth")));
        assert_eq!(interface_named("s0").unwrap(), to);
        Sampler::new(Watch { run_delay: RunDelayOf::Process(std::process::id()), interface: Some(to), uplink: None })
    });
    let mut seen = || {
        let sample = sampler.sample();
        (sample.qdisc_backlog_bytes, sample.qdisc_backlog_packets)
    };
    let equal = (0..20).any(|_| {
        let before = seen();
        let shown = lab.system.exec("tc -s qdisc show dev s0");
        if before != seen() {
            // One has just left.
            return false;
        }
        let (bytes, packets) = (before.0.unwrap(), before.1.unwrap());
        assert!(packets >= 20 && bytes >= 1400 * packets, "{before:?}");
        assert!(shown.contains(&format!("backlog {}b {packets}p", bytes)), "{before:?}: {shown}");
        true
    });
    assert!(equal);
    // The program sees the same.
    let dir = tempfile::tempdir().unwrap();
    let words = format!("verdict sample -o s.csv --to {TARGET} --uplink s0 --interval 20ms --duration 200ms");
    run(&mut inside(&lab.system, dir.path(), wiretruth_path(), &words)).exits(0).says("ns of CPU time each");
    let log = SignalLog::read(&dir.path().join("s.csv")).unwrap();
    assert_eq!((log.context.get("uplink"), log.context.queue()), (Some("s0"), Some(Queue::Own)));
    let after = seen().0.unwrap();
    assert!(log.samples().all(|sample| sample.qdisc_backlog_bytes.unwrap() >= after && after > 0), "{after} {log:?}");
}

/// Probes of a run, at rest before and after.
const PROBES: usize = 1000;
const REST: usize = 120;

/// A run in `folder`: probes by `tping`, the wire by `dagcap`, and bursts into the queue but at its begin and end.
fn probe_under_bursts(lab: &Inline, folder: &Path, seed: u32, uplink: &str) {
    let wire = folder.join("wire.erf");
    let mut card = start(dagcap().args(["--device", &lab.device(), "--out"]).arg(&wire));
    card.until_written_with(&wire, || lab.system.nudge());
    let words = format!(
        "{TARGET} -c {PROBES} -i 4ms --size 100 --ident 4242 --log user.csv --signals signals.csv --signals-interval 10ms {uplink} --quiet"
    );
    let mut probing = start(&mut inside(&lab.system, folder, tping_path(), &words));
    let sink = lab.target.inside(|| UdpSocket::bind((TARGET, 9000)).unwrap());
    let sender = lab.system.inside(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    let done = || fs::read_to_string(folder.join("user.csv")).map_or(0, |text| text.lines().count());
    let stop = AtomicBool::new(false);
    // At rest before bursts begin, and for as long after they have ended as the queue may be.
    probing.until("the first probes are back", || done() > REST + 20);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut state = seed;
            let mut next = |from: u32, to: u32| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                from + (state >> 16) % (to - from)
            };
            while !stop.load(Ordering::Relaxed) {
                // Up to a tenth of a second in the queue; the kernel lets a socket have no more than that in it.
                for _ in 0..next(40, 90) {
                    sender.send_to(&[0; 1400], (TARGET, 9000)).unwrap();
                }
                let pause = u64::from(next(150, 400));
                std::thread::sleep(Duration::from_millis(pause));
            }
        });
        probing.until("most probes are back", || done() > PROBES - REST - 100);
        stop.store(true, Ordering::Relaxed);
    });
    probing.wait();
    lab.system.nudge();
    card.signal(Signal::SIGINT);
    card.wait().exits(0);
    drop(sink);
}

fn verdict(folder: &Path, words: &str) -> String {
    let mut command = wiretruth();
    let ran = run(command.current_dir(folder).arg("verdict").args(words.split_whitespace())).exits(0);
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[test]
fn limits_learned_in_one_run_tell_the_bad_samples_of_another() {
    let Some(lab) = Inline::new() else { return };
    if !queue(&lab, "rate 10mbit burst 4k limit 300k") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    for (folder, seed) in [(&one, 1), (&other, 2)] {
        fs::create_dir(folder).unwrap();
        probe_under_bursts(&lab, folder, seed, "--uplink s0");
    }
    let rest = format!("--rest-lead {REST} --rest-trail {REST}");
    let run = format!("--wire wire.erf --user user.csv --signals signals.csv {rest}");
    println!("{}", verdict(&one, &format!("learn {run} --out thresholds.json")));
    let judge = format!("judge {run} --thresholds ../one/thresholds.json");
    println!("{}", verdict(&other, &judge));
    let told: Value = serde_json::from_str(&verdict(&other, &format!("{judge} --json --per-probe each.csv"))).unwrap();
    let score = &told["score"];
    let number = |path: &str| score.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {told}"));
    assert!(number("/samples") > 900.0 && number("/bad") > 100.0, "{told}");
    assert!(number("/p99_falls_by") >= 10.0 && number("/good_kept") >= 0.9, "{told}");
    assert!(number("/recall") > 0.85 && number("/precision") > 0.8, "{told}");
    assert!(number("/false_alarms_at_rest") < 0.1, "{told}");
    // Of the host's queue nothing is left in what is corrected.
    let p99 = |name: &str| number(&format!("/error/{name}/p99_ns"));
    assert!(p99("corrected") < p99("unfiltered") / 100.0, "{told}");
    let bounds = score["bounds"].as_array().unwrap();
    assert_eq!(bounds.len(), 2, "{told}");
    for bound in bounds {
        let (claimed, held) = (bound["claimed"].as_f64().unwrap(), bound["held"].as_f64().unwrap());
        // The host is not the same in both runs: others work on it, and of one run in six less was held than claimed. What is printed is the figure.
        assert!(held > claimed - 0.15, "{told}");
    }
    let each = fs::read_to_string(other.join("each.csv")).unwrap();
    assert!(each.lines().any(|line| line.contains("suspect") && line.contains("most by the queue")), "{each}");

    // Where nobody says that the veth is the last before the wire, it is not believed.
    let tenant = dir.path().join("tenant");
    fs::create_dir(&tenant).unwrap();
    let thresholds = one.join("thresholds.json");
    let words = format!("{TARGET} -c 20 -i 5ms --feedback --thresholds {}", thresholds.display());
    let said = start(&mut inside(&lab.system, &tenant, tping_path(), &words)).wait().exits(0).stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("unknown: s0 is an interface of kind veth") && !said.contains("; valid"), "{said}");
    assert!(said.contains("feedback: 0 valid") && said.contains("nothing could be corrected"), "{said}");
    let said = start(&mut inside(&lab.system, &tenant, tping_path(), &format!("{words} --uplink s0"))).wait().exits(0);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("; valid") && said.contains(" +- ") && said.contains("holds for 95 of 100"), "{said}");
}
