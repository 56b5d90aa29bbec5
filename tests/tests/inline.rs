//! Real packets, in the middle of the path between two hosts that are network namespaces of the test's own.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use erf::{Reader, Record};
use house_tests::judge;
use house_tests::lab::{Inline, Netns, Pair, TARGET};
use house_tests::run::{dagcap, number, start};
use house_tests::seen::Seen;
use nix::sys::signal::Signal;
use serde_json::Value;

const PINGS: u16 = 200;

/// Data bytes of the echoes that count; those before them, sent until the capture runs, have fewer.
const DATA: usize = 56;

/// An ICMP echo in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Echo {
    port: u8,
    request: bool,
    sequence: u16,
    /// Nanoseconds since 1970.
    nanos: u64,
}

/// The echoes of `file` with [`DATA`] bytes, in order.
fn echoes(file: &Path) -> Vec<Echo> {
    let mut echoes = Vec::new();
    let mut reader = Reader::open_path(file).unwrap();
    reader
        .for_each(|item| {
            let record = item.unwrap();
            echoes.extend(echo(&record));
        })
        .unwrap();
    echoes
}

fn echo(record: &Record<'_>) -> Option<Echo> {
    let frame = record.payload();
    // Ethernet 14, IPv4 without options 20, ICMP 8, FCS 4.
    if !record.is_packet() || frame.get(12..14)? != [0x08, 0x00] || *frame.get(23)? != 1 || frame.len() != 46 + DATA {
        return None;
    }
    assert_eq!(record.verify_fcs(), Some(true), "the FCS that it had on a wire");
    let request = match frame[34] {
        8 => true,
        0 => false,
        _ => return None,
    };
    let sequence = u16::from_be_bytes([frame[40], frame[41]]);
    Some(Echo { port: record.interface(), request, sequence, nanos: record.timestamp().nanos() })
}

/// Round-trip times as `ping` printed them, in nanoseconds, with how much its digits leave out.
fn ping_times(said: &str) -> BTreeMap<u16, (u64, u64)> {
    let mut times = BTreeMap::new();
    for line in said.lines() {
        let value = |key: &str| Some(line.split_once(key)?.1.split_whitespace().next()?.to_owned());
        let (Some(sequence), Some(time)) = (value("icmp_seq="), value("time=")) else { continue };
        let digits = time.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
        let milliseconds: f64 = time.parse().unwrap();
        let step = 1e6 * 10f64.powi(-digits);
        times.insert(sequence.parse().unwrap(), ((milliseconds * 1e6) as u64, step as u64));
    }
    times
}

/// Records `device` while `system` pings the target, and says how it went.
fn record_pings(system: &Netns, device: &str, out: &Path) -> (Value, String, BTreeMap<u16, (u64, u64)>) {
    let mut running = start(dagcap().args(["--device", device, "--json", "--out"]).arg(out));
    // Echoes of another size until the first packets are in the file: from then on nothing may be missing.
    running.until_written_with(out, || {
        system.nudge();
    });
    // `-U`: times from user space to user space, so that what was on the wire lies between.
    let said = system.exec(&format!("ping -n -U -c {PINGS} -i 0.01 -W 5 -s {DATA} {TARGET}"));
    assert!(said.contains(&format!("{PINGS} received")), "{said}");
    running.signal(Signal::SIGINT);
    let ran = running.wait().exits(0);
    (ran.json(), ran.stderr.clone(), ping_times(&said))
}

/// Every request and every reply once, in order, on its port, with plausible times.
fn check_pings(out: &Path, json: &Value, pings: &BTreeMap<u16, (u64, u64)>, ports: (u8, u8)) {
    assert_eq!((number(json, "lost_card"), number(json, "lost_writer"), number(json, "unread")), (0, 0, 0), "{json}");
    assert_eq!(json["stamp_source"], "kernel");
    assert_eq!(json["stopped_by"], "signal");
    assert_eq!(pings.len(), usize::from(PINGS), "ping prints every answer");
    let echoes = echoes(out);
    let of = |request: bool| echoes.iter().filter(move |echo| echo.request == request);
    let expected: Vec<u16> = (1..=PINGS).collect();
    for (request, port) in [(true, ports.0), (false, ports.1)] {
        let seen: Vec<u16> = of(request).map(|echo| echo.sequence).collect();
        assert_eq!(seen, expected, "request: {request}; each once, in order");
        assert!(of(request).all(|echo| echo.port == port), "request: {request}; all at port {port}");
        assert!(of(request).is_sorted_by_key(|echo| echo.nanos), "request: {request}");
    }
    for (request, reply) in of(true).zip(of(false)) {
        let (time, step) = pings[&request.sequence];
        let wire = reply.nanos.checked_sub(request.nanos).filter(|wire| *wire > 0);
        let wire = wire.unwrap_or_else(|| panic!("echo {}: answered before it was asked", request.sequence));
        // ping's clock has microseconds, at both ends.
        assert!(wire <= time + step + 2_000, "echo {}: {wire} ns on the wire, {time} ns to ping", request.sequence);
    }
    let on_wire: u64 = of(true).zip(of(false)).map(|(request, reply)| reply.nanos - request.nanos).sum();
    let to_ping: u64 = pings.values().map(|(time, _)| time).sum();
    eprintln!("mean round trip: {} ns on the wire, {} ns to ping", on_wire / 200, to_ping / 200);
}

/// Wireshark's programs and our reader agree on the file.
fn check_judges(out: &Path) {
    if !house_skip::need_program("tshark") || !house_skip::need_program("capinfos") {
        return;
    }
    let mut ours = Vec::new();
    Reader::open_path(out)
        .unwrap()
        .for_each(|item| {
            let record = item.unwrap();
            // Wireshark passes over filler.
            if record.is_pad() {
                return;
            }
            ours.push((record.timestamp().nanos(), u64::from(record.wire_len())));
        })
        .unwrap();
    let infos = judge::capinfos(out);
    assert_eq!(infos.packets, ours.len() as u64);
    assert_eq!(infos.data_size, ours.iter().map(|(_, len)| len).sum::<u64>());
    assert_eq!(infos.first, ours.iter().map(|(nanos, _)| *nanos).min());
    assert_eq!(infos.last, ours.iter().map(|(nanos, _)| *nanos).max());
    let theirs: Vec<(u64, u64)> = judge::tshark(out, "", &["frame.time_epoch", "frame.len"])
        .iter()
        .map(|fields| (judge::nanos(&fields[0]).unwrap(), fields[1].parse().unwrap()))
        .collect();
    assert_eq!(theirs, ours);
    // Its own idea of who answers whom.
    let answered =
        judge::tshark(out, &format!("icmp.type == 0 && icmp.resp_to && data.len == {}", DATA - 8), &["icmp.seq"]);
    assert_eq!(answered.len(), usize::from(PINGS));
    let sick = judge::tshark(out, "_ws.malformed || ip.checksum.status == 0 || eth.fcs.status == 0", &["frame.number"]);
    assert_eq!(sick, Vec::<Vec<String>>::new());
}

#[test]
fn in_line_between_two_hosts() {
    let Some(lab) = Inline::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let (json, said, pings) = record_pings(&lab.system, &lab.device(), &out);
    assert!(said.contains("real packets with the kernel's stamps"), "{said}");
    check_pings(&out, &json, &pings, (0, 1));
    check_judges(&out);
    assert_eq!(Seen::in_file(&out).account().delivered, number(&json, "delivered"));
}

#[test]
fn on_one_interface_in_both_directions() {
    let Some(pair) = Pair::new() else { return };
    if !house_skip::need_program("ping") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let (json, _, pings) = record_pings(&pair.a, &format!("emu:tap={}", pair.a.iface("va")), &out);
    // At the pinging side requests leave and replies arrive.
    check_pings(&out, &json, &pings, (1, 0));
    check_judges(&out);

    // And at the other side the other way round.
    let out = dir.path().join("other.erf");
    let (json, _, pings) = record_pings(&pair.a, &format!("emu:tap={}", pair.b.iface("vb")), &out);
    check_pings(&out, &json, &pings, (0, 1));
}

#[test]
fn only_the_port_asked_for() {
    let Some(lab) = Inline::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    let mut running = start(dagcap().args(["--device", &lab.device(), "--port", "0", "--json", "--out"]).arg(&out));
    running.until_written_with(&out, || {
        lab.system.nudge();
    });
    lab.system.exec(&format!("ping -n -q -c 50 -i 0.01 -W 5 -s {DATA} {TARGET}"));
    running.signal(Signal::SIGTERM);
    let json = running.wait().exits(0).json();
    let echoes = echoes(&out);
    assert_eq!(echoes.len(), 50);
    assert!(echoes.iter().all(|echo| echo.request && echo.port == 0));
    assert!(Seen::in_file(&out).packets.iter().all(|packet| packet.port == 0));
    assert!(number(&json, "filtered") >= 50, "the replies: {json}");
}

/// Sends `bytes` from `a` to `b` by TCP.
fn transfer(pair: &Pair, bytes: usize) {
    let listener = pair.b.inside(|| TcpListener::bind((TARGET, 0)).unwrap());
    let address = listener.local_addr().unwrap();
    let mut sender = pair.a.inside(|| TcpStream::connect(address).unwrap());
    let (mut receiver, _) = listener.accept().unwrap();
    let thread = std::thread::spawn(move || {
        let mut all = Vec::new();
        receiver.read_to_end(&mut all).unwrap();
        all.len()
    });
    sender.write_all(&vec![0x5A; bytes]).unwrap();
    drop(sender);
    assert_eq!(thread.join().unwrap(), bytes);
}

/// How many bytes of data a frame carries by TCP over IPv4.
fn tcp_data(frame: &[u8]) -> u64 {
    if frame.get(12..14) != Some(&[0x08, 0x00]) || frame[23] != 6 {
        return 0;
    }
    let ip = u16::from_be_bytes([frame[16], frame[17]]);
    u64::from(ip) - 20 - u64::from(frame[46] >> 4) * 4
}

/// Records a transfer over `va` of the pair.
fn record_transfer(pair: &Pair, out: &Path, bytes: usize) -> (Value, String) {
    let device = format!("emu:tap={},memory=256MiB", pair.a.iface("va"));
    let mut running = start(dagcap().args(["--device", &device, "--json", "--out"]).arg(out));
    running.until_written_with(out, || {
        pair.a.nudge();
    });
    transfer(pair, bytes);
    running.signal(Signal::SIGINT);
    let ran = running.wait();
    (ran.json(), ran.stderr.clone())
}

#[test]
fn segmentation_offload_is_noticed_and_the_advice_ends_it() {
    let Some(pair) = Pair::new() else { return };
    if !house_skip::need_program("ping") || !house_skip::need_program("ethtool") {
        return;
    }
    const BYTES: usize = 8 << 20;
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("super.erf");
    let (_, said) = record_transfer(&pair, &out, BYTES);
    let longest = Seen::in_file(&out).packets.iter().map(|packet| packet.wire_len).max().unwrap();
    assert!(longest > 1518, "the kernel hands over superframes by default: {longest}");
    // Counted, at the end.
    let line = said.lines().find(|line| line.contains("frames were longer than")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("segmentation offload"), "{line}");
    assert!(line.contains("checksums") || said.contains("checksums that the host leaves to its hardware"), "{said}");

    // The advice, as it is printed.
    let advice = line.split('`').nth(1).unwrap_or_else(|| panic!("{line}"));
    assert!(advice.contains("ethtool -K va tso off gso off gro off"), "{advice}");
    let mut words = advice.split(' ');
    let status = std::process::Command::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success(), "{advice}");
    let out = dir.path().join("frames.erf");
    let (json, said) = record_transfer(&pair, &out, BYTES);
    let seen = Seen::in_file(&out);
    let longest = seen.packets.iter().map(|packet| packet.wire_len).max().unwrap();
    assert_eq!(longest, 1518, "full frames with their FCS");
    assert!(!said.contains("segmentation offload"), "{said}");
    // What was sent before the stop is there: all of it, if the kernel had room.
    let carried: u64 =
        seen.packets.iter().filter(|packet| packet.port == 1).map(|packet| tcp_data(&packet.bytes)).sum();
    assert!(carried + 1448 * number(&json, "lost_card") >= BYTES as u64, "{carried} bytes of {BYTES}, {json}");
    if house_skip::need_program("tshark") {
        let bad = judge::tshark(&out, "tcp.checksum.status == 0 || eth.fcs.status == 0", &["frame.number"]);
        assert_eq!(bad, Vec::<Vec<String>>::new(), "checksums left to the hardware are completed");
    }
}

#[test]
fn a_vlan_tag_that_the_kernel_takes_off_is_in_the_file() {
    let Some(pair) = Pair::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("wire.erf");
    // A frame with a tag, by hand: to everybody, from a documentation address, VLAN 7 with priority 5, of a type for experiments.
    let mut frame = vec![0xFF; 6];
    frame.extend([0x00, 0x00, 0x5E, 0x00, 0x53, 0x01, 0x81, 0x00, 0xA0, 0x07, 0x88, 0xB5]);
    frame.resize(100, 0x42);
    let device = format!("emu:tap={}", pair.b.iface("vb"));
    let mut running = start(dagcap().args(["--device", &device, "--json", "--out"]).arg(&out));
    running.until_written_with(&out, || pair.a.send_raw("va", &frame));
    for _ in 0..10 {
        pair.a.send_raw("va", &frame);
    }
    running.signal(Signal::SIGINT);
    let ran = running.wait().exits(0);
    ran.says("VLAN tags that the kernel had taken off were put back");
    let seen = Seen::in_file(&out);
    let tagged: Vec<_> = seen.packets.iter().filter(|packet| packet.bytes.starts_with(&frame)).collect();
    assert!(tagged.len() >= 10, "{} tagged frames", tagged.len());
    assert!(tagged.iter().all(|packet| packet.wire_len == 104 && packet.port == 0));
    if house_skip::need_program("tshark") {
        let fields = judge::tshark(&out, "vlan", &["vlan.id", "vlan.priority", "frame.len", "eth.fcs.status"]);
        assert_eq!(fields.len(), tagged.len());
        assert!(fields.iter().all(|f| f[..3] == ["7", "5", "104"]), "{fields:?}");
    }
}
