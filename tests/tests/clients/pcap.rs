//! Stock programs on a libpcap that was built, unmodified, against our headers and library.

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dag::Card;
use dag::emu::synthetic::packet_number;
use house_tests::judge::tshark;
use house_tests::library::{compile, libdag, libpcap};
use house_tests::run::{PATIENCE, run, start};
use nix::sys::signal::Signal;

use super::on_cards;

const CARDS: &str = "dag0=synthetic=imix,rate=20kpps,seed=5,streams=1,bare_streams=1";
const SPEC: &str = "synthetic=imix,rate=20kpps,seed=5";

/// `program` on our libpcap, or `None` where a part of it is missing; that is said.
fn stock(program: &str, cards: &str) -> Option<Command> {
    if !house_skip::need_program(program) {
        return None;
    }
    let libpcap = libpcap()?;
    let mut command = on_cards(program, cards);
    command.env("LD_LIBRARY_PATH", format!("{}:{}", libpcap.display(), libdag().lib().display())).env("TZ", "UTC");
    Some(command)
}

/// The first frames that the card sends, without their FCS.
fn sent(packets: usize) -> Vec<Vec<u8>> {
    sent_to(SPEC, 0, packets)
}

/// The first frames that a card sends to one of its streams, without their FCS.
fn sent_to(spec: &str, stream: u16, packets: usize) -> Vec<Vec<u8>> {
    let card = Card::open(&format!("emu:{spec}")).unwrap();
    let mut stream = card.attach(stream).unwrap();
    stream.start().unwrap();
    let mut frames = Vec::new();
    while frames.len() < packets {
        let batch = stream.advance().unwrap();
        for record in &batch {
            let record = record.unwrap();
            frames.push(record.payload()[..usize::from(record.wire_len()) - 4].to_vec());
        }
    }
    frames.truncate(packets);
    frames
}

/// The frames of a file that a program has written, in records that are padded.
fn captured(file: &Path) -> Vec<Vec<u8>> {
    let mut reader = erf::Reader::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut frames = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        frames.extend(batch.iter().map(|record| record.unwrap().payload().to_vec()));
    }
    frames
}

#[track_caller]
fn same(captured: &[Vec<u8>], sent: &[Vec<u8>]) {
    assert_eq!(captured.len(), sent.len());
    for (n, (captured, sent)) in captured.iter().zip(sent).enumerate() {
        assert!(captured.starts_with(sent) && captured.len() < sent.len() + 8, "packet {n} is another one");
    }
}

#[test]
fn tcpdump_lists_the_card() {
    let Some(mut tcpdump) = stock("tcpdump", CARDS) else { return };
    let ran = run(tcpdump.arg("-D")).exits(0);
    let list = String::from_utf8(ran.stdout).unwrap();
    let has = |name: &str| {
        list.lines().any(|line| line.contains(&format!(".{name} ")) || line.ends_with(&format!(".{name}")))
    };
    assert!(has("dag0") && has("dag0:0"), "{list}");
    assert!(list.contains("emulated"), "{list}");
}

#[test]
fn tcpdump_captures_packet_for_packet() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("native.pcap");
    let Some(mut tcpdump) = stock("tcpdump", CARDS) else { return };
    let ran = run(tcpdump.args(["-ni", "dag0", "-c", "500", "-w"]).arg(&file)).exits(0);
    ran.says("500 packets captured");
    ran.says("0 packets dropped by kernel");
    same(&captured(&file), &sent(500));
}

#[test]
fn tcpdump_captures_from_the_stream_that_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("second.pcap");
    let spec = "synthetic=imix,rate=20kpps,seed=6,streams=2";
    let Some(mut tcpdump) = stock("tcpdump", &format!("dag0={spec}")) else { return };
    run(tcpdump.args(["-ni", "dag0:2", "-c", "200", "-w"]).arg(&file)).exits(0).says("0 packets dropped by kernel");
    same(&captured(&file), &sent_to(spec, 2, 200));
}

#[test]
fn tcpdump_writes_erf_inside_of_pcap() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("erf.pcap");
    let Some(mut tcpdump) = stock("tcpdump", CARDS) else { return };
    run(tcpdump.args(["-ni", "dag0", "-y", "ERF", "-c", "200", "-w"]).arg(&file)).exits(0).says("link-type ERF");
    let numbers: Vec<Option<u64>> = captured(&file).iter().map(|frame| packet_number(frame)).collect();
    assert_eq!(numbers, (0..200).map(Some).collect::<Vec<_>>());
    if house_skip::need_program("tshark") {
        let types = tshark(&file, "", &["erf.types.type", "erf.flags.vlen"]);
        assert_eq!((types.len(), types[0][0].as_str()), (200, "2"), "{:?}", types[0]);
    }
}

#[test]
fn tcpdump_says_clearly_what_cannot_be() {
    for (device, words) in [
        ("dag1", "No such device exists"),
        ("dag0:4", "dag_attach_stream: Invalid argument"),
        ("dag0:2", "dag_attach_stream: Cannot allocate memory"),
        ("dag0:1", "streams not supported for capture"),
    ] {
        let Some(mut tcpdump) = stock("tcpdump", CARDS) else { return };
        run(tcpdump.args(["-ni", device, "-c", "1"])).exits(1).says(words);
    }
}

/// Each packet that the card has sent is captured or counted as dropped.
#[test]
fn tcpdump_counts_what_the_card_drops() {
    const SENT: u64 = 20_000;
    let messages = tempfile::NamedTempFile::new().unwrap();
    let Some(mut tcpdump) = stock("tcpdump", "dag0=synthetic=1518,rate=max,count=20000,memory=1MiB") else { return };
    tcpdump.args(["-ni", "dag0", "-U", "-w", "-"]).stderr(messages.reopen().unwrap());
    let mut running = start(&mut tcpdump);
    let mut stdout = running.take_stdout();
    let mut header = [0; 24];
    stdout.read_exact(&mut header).unwrap();
    // The pipe gets full, tcpdump waits, and the card drops.
    std::thread::sleep(Duration::from_millis(500));
    let seen = Arc::new(AtomicU64::new(0));
    let reader = {
        let seen = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut header = [0; 16];
            while stdout.read_exact(&mut header).is_ok() {
                let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
                let mut frame = vec![0; len as usize];
                stdout.read_exact(&mut frame).unwrap();
                assert!(packet_number(&frame) < Some(SENT));
                seen.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let said = || std::fs::read_to_string(messages.path()).unwrap();
    let (begun, mut before, mut sum) = (Instant::now(), 0, 0);
    while sum != SENT {
        assert!(begun.elapsed() < PATIENCE, "{sum} of {SENT} packets: {}", said());
        std::thread::sleep(Duration::from_millis(100));
        // What came last may have been dropped, and only the counters tell that it was sent. They are asked for while tcpdump
        // is not writing, which a signal would interrupt.
        let now = seen.load(Ordering::Relaxed);
        if std::mem::replace(&mut before, now) == now {
            running.signal(Signal::SIGUSR1);
        }
        sum = said().lines().filter_map(counts).map(|(captured, dropped)| captured + dropped).next_back().unwrap_or(0);
        assert!(sum <= SENT, "{}", said());
    }
    running.signal(Signal::SIGINT);
    running.wait().exits(0);
    reader.join().unwrap();
    let (captured, dropped) = said().lines().filter_map(counts).next_back().unwrap();
    assert_eq!((captured, captured + dropped), (seen.load(Ordering::Relaxed), SENT), "{}", said());
    assert!(dropped > 0, "{}", said());
}

/// `tcpdump: N packets captured, N packets received by filter, N packets dropped by kernel`: the first and the last.
fn counts(line: &str) -> Option<(u64, u64)> {
    let numbers = line.strip_prefix("tcpdump: ")?.split(", ").map(|part| part.split(' ').next()?.parse().ok());
    let numbers = numbers.collect::<Option<Vec<u64>>>()?;
    (numbers.len() == 3).then(|| (numbers[0], numbers[2]))
}

#[test]
fn dumpcap_and_tshark_capture_packet_for_packet() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dumpcap.pcapng");
    let Some(mut dumpcap) = stock("dumpcap", CARDS) else { return };
    run(dumpcap.args(["-q", "-i", "dag0", "-c", "300", "-w"]).arg(&file)).exits(0);
    same(&captured(&file), &sent(300));

    let Some(mut tshark) = stock("tshark", CARDS) else { return };
    let ran = run(tshark.args(["-ni", "dag0", "-c", "50", "-T", "fields", "-e", "frame.len"])).exits(0);
    let lens: Vec<usize> = String::from_utf8(ran.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(lens, sent(50).iter().map(Vec::len).collect::<Vec<_>>());
}

#[test]
fn ngrep_sees_what_it_looks_for() {
    let Some(mut ngrep) = stock("ngrep", CARDS) else { return };
    let ran = run(ngrep.args(["-q", "-n", "5", "-d", "dag0", "-W", "none", "", "icmp"])).exits(0);
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    // Every hundredth packet is an echo request, and each is answered.
    assert_eq!(said.lines().filter(|line| line.starts_with("I ")).count(), 5, "{said}");
}

#[test]
fn a_client_of_libpcap_that_does_not_wait() {
    let Some(libpcap) = libpcap() else { return };
    let (pcap, dag) = (libpcap.display(), libdag().lib());
    let options = [
        format!("-I{pcap}"),
        format!("-L{pcap}"),
        format!("-Wl,-rpath-link,{}", dag.display()),
        "-l:libpcap.so.0.8".to_owned(),
    ];
    let program = compile("pcap_client.c", &options);
    let Some(mut client) = stock(program.to_str().unwrap(), CARDS) else { return };
    let ran = run(client.args(["dag0", "100"])).exits(0);
    ran.says("received 1");
    let said = String::from_utf8(ran.stdout).unwrap();
    let lens: Vec<usize> =
        said.lines().take(100).map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(lens, sent(100).iter().map(Vec::len).collect::<Vec<_>>());
}
