//! A recording that somebody watches: Prometheus, systemd.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;

use house_tests::run::{PATIENCE, dagcap, dagcap_with, number, run, start};
use nix::sys::signal::Signal;

/// The value of `name` in Prometheus' text format, every line of which must be of it.
#[track_caller]
fn value(text: &str, name: &str) -> f64 {
    let mut found = None;
    for lines in text.lines().collect::<Vec<_>>().chunks(3) {
        let [help, kind, line] = lines else { panic!("{text}") };
        let (key, number) = line.split_once(' ').unwrap();
        assert!(help.starts_with(&format!("# HELP {key} ")), "{text}");
        assert!([" counter", " gauge"].iter().any(|end| *kind == format!("# TYPE {key}{end}")), "{text}");
        if key == name {
            found = Some(number.parse().unwrap());
        }
    }
    found.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn metrics_in_a_file_are_those_of_the_account_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = dir.path().join("dagcap.prom");
    let mut running = start(
        dagcap()
            .args(["--device", "emu:synthetic,rate=2kpps", "--port", "0", "--json", "--metrics"])
            .arg(&metrics)
            .arg("--out")
            .arg(dir.path().join("wire.erf")),
    );
    let there = || fs::read_to_string(&metrics).ok();
    running.until("it has told of packets in the file", || {
        there().is_some_and(|text| value(&text, "dagcap_packets_written_total") > 0.0)
    });
    running.signal(Signal::SIGINT);
    let json = running.wait().exits(0).json();
    let text = there().unwrap();
    for (name, key) in [
        ("packets_delivered_total", "delivered"),
        ("packets_written_total", "delivered"),
        ("packets_filtered_total", "filtered"),
        ("packets_lost", "lost_card"),
    ] {
        assert_eq!(value(&text, &format!("dagcap_{name}")), number(&json, key) as f64, "{name} in {text}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing beside the two files");
}

#[test]
fn metrics_are_given_to_who_asks() {
    let dir = tempfile::tempdir().unwrap();
    // A port that is free now.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = format!("--device emu:synthetic,rate=2kpps --metrics {address} --out {}/w", dir.path().display());
    let mut running = start(dagcap().args(line.split(' ')));
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    running.until("packets are told of", || {
        let answer = ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        answer.is_some_and(|answer| {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("text/plain; version=0.0.4"), "{head}");
            assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
            value(body, "dagcap_packets_delivered_total") > 100.0
        })
    });
    assert!(ask("POST / HTTP/1.1\r\n\r\n").unwrap().starts_with("HTTP/1.1 405"));
    // Another one cannot have the port.
    let other = line.replace("/w", "/v");
    dagcap_with(&other).exits(2).says("--metrics");
    running.signal(Signal::SIGINT);
    running.wait().exits(0);
    dagcap_with("--device emu:synthetic --metrics 0.0.0.0:1 --out /dev/null").exits(2).says("this machine only");
}

#[test]
fn systemd_is_told_that_it_runs_that_it_lives_and_that_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = dagcap();
    command.args(["--device", "emu:synthetic,rate=2kpps", "--out"]).arg(dir.path().join("wire.erf"));
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let running = start(&mut command);
    let next = || {
        let mut bytes = [0; 4096];
        let len = manager.recv(&mut bytes).expect("a word");
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    };
    assert!(next().starts_with("READY=1\n"));
    // A word on how it is going may come between.
    let alive = (0..20).filter(|_| next() == "WATCHDOG=1").take(3).count();
    assert_eq!(alive, 3);
    running.signal(Signal::SIGINT);
    while next() != "STOPPING=1" {}
    running.wait().exits(0);

    // Nobody listens: it is recorded all the same.
    drop(manager);
    let mut command = dagcap();
    command.args(["--device", "emu:synthetic,count=10", "--out"]).arg(dir.path().join("other.erf"));
    run(command.env("NOTIFY_SOCKET", &path)).exits(0).says("received 10");
}
