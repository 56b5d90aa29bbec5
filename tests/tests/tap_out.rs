//! What is sent leaves by the interfaces that a card taps, byte for byte, at the right one, and what cannot is counted.

use std::time::{Duration, Instant};

use dag::emu::{Card, CardSpec};
use dag::file::{RecordBuilder, RecordType};
use house_tests::lab::{Inline, Pair};

/// A card with this description, whose frames are looked at.
fn receiver(device: &str) -> dag::RxStream {
    let mut stream = dag::Card::open(device).unwrap().attach(0).unwrap();
    stream.set_poll_rules(dag::PollRules { mindata: 16, maxwait: Duration::from_millis(50), ..Default::default() });
    stream.start().unwrap();
    stream
}

/// The first frame of the test's own kind that arrives there, without its FCS.
fn arrived(stream: &mut dag::RxStream, port: u8) -> Vec<u8> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        for record in stream.advance().unwrap().iter().flatten() {
            let frame = record.payload();
            if record.interface() == port && frame.get(12..14) == Some(&[0x88, 0xB5]) {
                assert_eq!(record.verify_fcs(), Some(true));
                return frame[..frame.len() - 4].to_vec();
            }
        }
    }
    panic!("nothing arrived");
}

/// A frame of a local experiment (EtherType 0x88B5), to nobody in particular.
fn frame(len: usize, seed: u8) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..len).map(|at| (at as u8).wrapping_mul(31) ^ seed).collect();
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame[12..14].copy_from_slice(&[0x88, 0xB5]);
    frame
}

/// `frame` as a record to be sent: with its FCS, or with four bytes in that place, as libpcap makes it. The wire has its own either way.
fn record(frame: &[u8], port: u8, with_fcs: bool) -> Vec<u8> {
    let builder = RecordBuilder::new(RecordType::ETH).interface(port);
    match with_fcs {
        true => builder.payload(frame).append_fcs().to_vec().unwrap(),
        false => builder.payload(&[frame, &[0; 4]].concat()).to_vec().unwrap(),
    }
}

fn sender(device: &str) -> (Card, dag::emu::TxStream) {
    let spec: CardSpec = device.strip_prefix("emu:").unwrap().parse().unwrap();
    let card = Card::open(&spec).unwrap();
    let mut stream = card.attach_tx(1).unwrap();
    stream.start().unwrap();
    (card, stream)
}

#[test]
fn each_port_has_its_own_way_out() {
    let Some(lab) = Inline::new() else { return };
    let (card, mut stream) = sender(&format!("{},tx=tap", lab.device()));
    let mut at_system = receiver(&format!("emu:tap={}", lab.system.iface("s0")));
    let mut at_target = receiver(&format!("emu:tap={}", lab.target.iface("g0")));
    for (port, len) in [(0, 60), (1, 60), (0, 1514), (1, 333)] {
        let sent = frame(len, port);
        for with_fcs in [true, false] {
            stream.send(&record(&sent, port, with_fcs), Duration::from_secs(10)).unwrap();
            let at = if port == 0 { &mut at_system } else { &mut at_target };
            assert_eq!(arrived(at, 0), sent, "port {port}, {len} bytes");
        }
    }
    let count = card.tx_count(1).unwrap();
    assert_eq!((count.records, count.failed, count.bad), (8, 0, 0));
}

#[test]
fn one_interface_is_the_way_out_for_both_ports_and_what_leaves_is_seen() {
    let Some(pair) = Pair::new() else { return };
    let device = format!("emu:tap={},tx=tap", pair.a.iface("va"));
    let (card, mut stream) = sender(&device);
    let mut there = receiver(&format!("emu:tap={}", pair.b.iface("vb")));
    let mut here = receiver(&format!("emu:tap={}", pair.a.iface("va")));
    for port in [0, 1] {
        let sent = frame(100, port);
        stream.send(&record(&sent, port, true), Duration::from_secs(10)).unwrap();
        assert_eq!(arrived(&mut there, 0), sent);
        assert_eq!(arrived(&mut here, 1), sent, "at port 1 is what leaves");
    }
    // Longer than the interface takes, cut, no Ethernet, and an interface that is down.
    let cut = RecordBuilder::new(RecordType::ETH).payload(&frame(60, 0)).wire_len(1000).to_vec().unwrap();
    let raw = RecordBuilder::new(RecordType::IPV4).payload(&[0x45; 40]).wire_len(40).to_vec().unwrap();
    for (failed, bad) in [(1, record(&frame(1600, 0), 0, true)), (2, cut), (3, raw)] {
        stream.send(&bad, Duration::from_secs(10)).unwrap();
        wait_for(&card, |count| count.failed == failed && count.records == 2 + failed);
    }
    pair.a.exec("ip link set dev va down");
    stream.send(&record(&frame(100, 0), 0, true), Duration::from_secs(10)).unwrap();
    wait_for(&card, |count| count.failed == 4);
    pair.a.exec("ip link set dev va up");
    let again = frame(200, 9);
    stream.send(&record(&again, 0, true), Duration::from_secs(10)).unwrap();
    assert_eq!(arrived(&mut there, 0), again, "it goes on");
}

fn wait_for(card: &Card, holds: impl Fn(&dag::emu::TxCount) -> bool) {
    let begun = Instant::now();
    while !holds(&card.tx_count(1).unwrap()) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", card.tx_count(1));
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn another_feed_has_no_way_out() {
    let error = dag::Card::open("emu:synthetic,tx=tap").unwrap_err().to_string();
    assert!(error.contains("tx=tap: what is sent leaves by the interfaces of tap=A"), "{error}");
}
