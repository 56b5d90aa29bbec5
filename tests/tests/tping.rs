//! `tping` against hosts that answer as they should, against one that does not, and against a capture of the wire.

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use house_tests::lab::{Inline, Netns, TARGET};
use house_tests::run::{dagcap, run, start, tping, tping_path, wiretruth};
use nix::sys::signal::Signal;
use serde_json::Value;

/// What a row of a log has behind its identifier, sequence number and size, in the order of the column names.
#[derive(Debug, Clone, Copy)]
struct Row {
    user_send: i64,
    sched: Option<i64>,
    snd: Option<i64>,
    kernel_recv: Option<i64>,
    user_recv: Option<i64>,
}

fn rows(log: &Path) -> Vec<Row> {
    let text = fs::read_to_string(log).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], wire_truth::HEADER);
    let row = |line: &&str| {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(fields.len(), 9, "{line}");
        let at = |column: usize| fields[column].parse::<i64>().ok();
        let user_send = at(3).unwrap_or_else(|| panic!("{line}"));
        Row { user_send, sched: at(4), snd: at(5), kernel_recv: at(7), user_recv: at(8) }
    };
    lines[1..].iter().map(row).collect()
}

/// All stamps are there, in the order in which a packet meets them.
fn ordered(row: &Row) -> bool {
    let all = [Some(row.user_send), row.sched, row.snd, row.kernel_recv, row.user_recv];
    all.iter().all(Option::is_some) && all.is_sorted()
}

/// A program in a namespace, whose output is the test's.
fn inside(namespace: &Netns, program: &Path) -> Command {
    let mut command = namespace.command(program.to_str().unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn every_stamp_is_there_and_in_order() {
    let Some(ns) = Netns::alone() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (name, words) in [
        ("four", "127.0.0.1"),
        ("unreachable", "127.0.0.1 --udp 9"),
        ("refused", "127.0.0.1 --tcp 9 --ident 4545"),
        ("paper", "127.0.0.1 --preset paper -c 20 -i 0.02"),
    ] {
        let log = dir.path().join(name);
        let mut command = inside(&ns, tping_path());
        command
            .args(["-c", "20", "-i", "10ms"].iter().filter(|_| name != "paper"))
            .args(words.split(' '))
            .arg("--log")
            .arg(&log);
        let ran = run(&mut command).exits(0);
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(said.contains("20 probes sent, 20 answered, 0 lost (0.0 %)"), "{said}");
        assert!(said.contains("ping would say ") && said.contains("of the host, medians: system call "), "{said}");
        assert_eq!(said.contains("20 of the answers: port unreachable"), name == "unreachable", "{said}");
        let rows = rows(&log);
        assert_eq!(rows.len(), 20);
        assert!(rows.iter().all(ordered), "{name}: {rows:?}");
        let text = fs::read_to_string(&log).unwrap();
        assert!(text.contains("# kernel: ") && text.ends_with("# end: all were sent\n"), "{text}");
        assert_eq!(text.contains("# IP length: 120\n"), name == "paper", "{text}");
        // What is there is not replaced unasked.
        run(&mut command).exits(2).says("is there already; add --force");
        assert_eq!(fs::read_to_string(&log).unwrap(), text);
        run(command.arg("--force")).exits(0);
    }
}

#[test]
fn a_host_that_answers_oddly_is_told_apart() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let done = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut later: Vec<(Instant, Vec<u8>, std::net::SocketAddr)> = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let mut buffer = [0; 2048];
                if let Ok((len, from)) = socket.recv_from(&mut buffer) {
                    let mut data = buffer[..len].to_vec();
                    assert!(wire_truth::message::reflect(&mut data));
                    match u16::from_be_bytes([data[8], data[9]]) % 5 {
                        0 => drop(socket.send_to(&data, from)),
                        1 => (0..3).for_each(|_| drop(socket.send_to(&data, from))),
                        // Another cookie, and a sequence number that was never sent.
                        2 => {
                            data[10] ^= 1;
                            drop(socket.send_to(&data, from));
                            (data[8], data[10]) = (0xEE, data[10] ^ 1);
                            drop(socket.send_to(&data, from));
                        }
                        // In time before the end.
                        4 if data[9] < 10 => later.push((Instant::now() + Duration::from_millis(900), data, from)),
                        _ => {}
                    }
                }
                later.retain(|(due, data, from)| {
                    let waits = Instant::now() < *due;
                    if !waits {
                        drop(socket.send_to(data, from));
                    }
                    waits
                });
            }
        });
        let ran = run(tping().args(["127.0.0.1", "--udp", &port, "-c", "15", "-i", "0.2", "-W", "400ms", "--json"]));
        done.store(true, Ordering::Relaxed);
        ran
    });
    let ran = ran.exits(1);
    let lines: Vec<Value> = ran
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 15, "a line for each probe");
    let answered = |line: &&Value| !line["user_recv_ns"].is_null();
    assert_eq!(lines.iter().filter(answered).count(), 6);
    for words in ["15 probes sent, 6 answered, 9 lost (60.0 %)", "6 duplicates", "2 late", "6 forged"] {
        ran.says(words);
    }
}

#[test]
fn stamps_enclose_those_of_the_wire() {
    let Some(lab) = Inline::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let wire = dir.path().join("wire.erf");
    let mut card = start(dagcap().args(["--device", &lab.device(), "--out"]).arg(&wire));
    let ping = |words: &str| {
        let mut command = inside(&lab.system, tping_path());
        command.current_dir(dir.path()).args(words.split_whitespace());
        command
    };
    card.until_written_with(&wire, || {
        lab.system.nudge();
    });
    // Both at once, so that they see the same host and the same wire.
    let mut stock = inside(&lab.system, Path::new("ping"));
    let stock = start(stock.args(["-n", "-D", "-c", "50", "-i", "0.01", "-s", "92", "-e", "4444", TARGET]));
    run(&mut ping(&format!("{TARGET} -c 50 -i 10ms --size 100 --ident 4242 --log icmp.csv"))).exits(0);
    fs::write(dir.path().join("ping.log"), stock.wait().exits(0).stdout).unwrap();
    let reflector = start(inside(&lab.target, tping_path()).args(["--reflect", "4000", "-c", "51"]));
    // Until it answers.
    let begun = Instant::now();
    while run(&mut ping(&format!("{TARGET} -c 1 -W 1s --udp 4000 --ident 1 --quiet --json")))
        .stdout
        .split(|byte| *byte == b',')
        .any(|part| part == b"\"user_recv_ns\":null")
    {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    run(&mut ping(&format!("{TARGET} -c 50 -i 10ms --udp 4000 --ident 4343 --log udp.csv"))).exits(0);
    reflector.wait().exits(0).says("51 probes answered");
    // Nobody is at these; somebody is at the next. A host limits how often it says so, but for this.
    lab.target.exec("sysctl -qw net.ipv4.icmp_ratemask=0");
    run(&mut ping(&format!("{TARGET} -c 50 -i 10ms --udp 4001 --ident 4344 --log no-udp.csv"))).exits(0);
    run(&mut ping(&format!("{TARGET} -c 50 -i 10ms --tcp 4001 --ident 4546 --log no-tcp.csv"))).exits(0);
    let listener = lab.target.inside(|| TcpListener::bind((TARGET, 4002)).unwrap());
    run(&mut ping(&format!("{TARGET} -c 50 -i 10ms --tcp 4002 --ident 4547 --log tcp.csv"))).exits(0);
    listener.set_nonblocking(true).unwrap();
    let accepted = listener.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(accepted, Err(ErrorKind::WouldBlock), "no connection was made");
    lab.system.nudge();
    card.signal(Signal::SIGINT);
    card.wait().exits(0);

    let mut command = wiretruth();
    command.current_dir(dir.path()).args(["analyse", "--json", "--wire", "wire.erf", "--per-probe", "ping.each"]);
    let ran = run(command.args(["--user", "ping.log", "--ident", "4444"])).exits(0);
    let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&found["probes"], &found["matched"]), (&50.into(), &50.into()), "{found}");
    assert_eq!((&found["rtt"]["user"]["n"], &found["delay"]["total"]["n"]), (&50.into(), &50.into()), "{found}");
    let rounding = found["notes"].as_array().unwrap().iter().find_map(|note| {
        let text = note.as_str()?.strip_prefix("round trips of the log are rounded to ")?;
        text.strip_suffix(" ns")?.parse::<i64>().ok()
    });
    let rounding = rounding.unwrap_or_else(|| panic!("{found}"));
    assert!(rounding >= 1_000, "{found}");
    // What ping says it took is what it took on the wire and more, but for its rounding and the two clocks of the tap.
    let added = found["delay"]["total"]["min_ns"].as_i64().unwrap();
    assert!(added > -20_000 - rounding, "{found}");

    let logs = [("icmp.csv", 4242), ("udp.csv", 4343), ("no-udp.csv", 4344), ("no-tcp.csv", 4546), ("tcp.csv", 4547)];
    for (log, ident) in logs {
        let mut command = wiretruth();
        command.current_dir(dir.path()).args(["analyse", "--json", "--wire", "wire.erf", "--per-probe"]);
        command.arg(format!("{log}.each")).args(["--user", log]);
        let ran = run(&mut command).exits(0);
        let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(
            (&found["ident"], &found["probes"], &found["matched"]),
            (&ident.into(), &50.into(), &50.into()),
            "{found}"
        );
        for part in ["syscall", "qdisc", "driver", "wakeup"] {
            assert_eq!(found["parts"][part]["n"], 50, "{part} in {found}");
        }
        let rows = rows(&dir.path().join(log));
        let each = fs::read_to_string(dir.path().join(format!("{log}.each"))).unwrap();
        assert_eq!((rows.len(), each.lines().count()), (50, 51));
        for (row, line) in rows.iter().zip(each.lines().skip(1)) {
            assert!(ordered(row), "{row:?}");
            let fields: Vec<i64> = line.split(',').take(4).map(|field| field.parse().unwrap()).collect();
            let (request, reply) = (fields[2], fields[3]);
            // A card's clock has a tick, and the tap reads its two clocks one after the other.
            let about = 20_000;
            assert!(row.snd.unwrap() <= request + about && request < reply, "{row:?} {line}");
            assert!(reply <= row.kernel_recv.unwrap() + about, "{row:?} {line}");
        }
    }
}

#[test]
fn what_it_cannot_do_is_told() {
    let tell = |words: &str| run(tping().args(words.split_whitespace())).exits(2);
    tell("no.such.host.invalid -c 1").says("no.such.host.invalid: ");
    tell("127.0.0.1 -6 -c 1").says("127.0.0.1 has no address of IPv6");
    tell("127.0.0.1 -c 1 --udp 9 --log /no/such/folder/log").says("/no/such/folder/log: ");
    tell("127.0.0.1 -c 70000").says("65536 sequence numbers");
    let user = TcpListener::bind("127.0.0.1:0").unwrap();
    let ident = user.local_addr().unwrap().port();
    if nix::unistd::geteuid().is_root() {
        tell("127.0.0.1 -c 1 --tcp 9 --size 100").says("probes of raw TCP have 36 to 60 bytes");
        tell(&format!("127.0.0.1 -c 1 --tcp 9 --ident {ident}")).says("is in use by another program");
    }
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    tell(&format!("-4 --reflect {port}")).says("cannot be had for reflecting");
    // Stopped, it says what it has.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let running = start(tping().args(["127.0.0.1", "-i", "50ms", "--udp", &port, "--log"]).arg(&log));
    let mut buffer = [0; 64];
    silent.recv(&mut buffer).unwrap();
    running.signal(Signal::SIGINT);
    running.wait().exits(1);
    assert!(fs::read_to_string(&log).unwrap().ends_with("# end: stopped by a signal\n"));
    // Without the capability, where no group may have datagram sockets.
    let Some(ns) = Netns::alone() else { return };
    if !house_skip::need_program("setpriv") {
        return;
    }
    let mut command = inside(&ns, Path::new("setpriv"));
    command.args(["--bounding-set", "-net_raw"]).arg(tping_path()).args(["-c", "1", "127.0.0.1"]);
    run(&mut command).exits(2).says("give it CAP_NET_RAW");
    run(command.args(["--tcp", "9"])).exits(2).says("probes of TCP need CAP_NET_RAW");
}
