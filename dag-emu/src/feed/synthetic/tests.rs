use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::process::Command;

use erf_core::fcs;
use etherparse::{Icmpv4Type, NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;

/// A packet as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    port: u8,
    time: Timestamp,
    frame: Vec<u8>,
}

#[derive(Debug, Default)]
struct Sink(Vec<Seen>);

impl Intake for Sink {
    fn arrive(&mut self, arrival: &Arrival<'_>) {
        let frame = arrival.packet.concat();
        assert_eq!(frame.len(), usize::from(arrival.wire_len));
        assert_eq!(arrival.record_type, erf_core::RecordType::ETH);
        self.0.push(Seen { port: arrival.port, time: arrival.time, frame });
    }

    fn lost(&mut self, _: u8, _: u64) {
        panic!("a synthetic feed loses nothing");
    }
}

const START: Timestamp = Timestamp::from_parts(1_700_000_000, 0);

fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::from_nanos((seconds * 1e9) as i64)
}

fn spec(sizes: &str, rate: &str, count: u64) -> SyntheticSpec {
    SyntheticSpec {
        sizes: sizes.parse().unwrap(),
        rate: rate.parse().unwrap(),
        count: Some(count),
        ..SyntheticSpec::default()
    }
}

/// All packets of a feed that ends, with a clock that goes on by `step` with each turn.
fn run(spec: &SyntheticSpec, seed: u64, ports: u8, step: TimeDelta) -> Vec<Seen> {
    let mut feed = Synthetic::new(spec, seed, ports);
    let mut sink = Sink::default();
    feed.begin(START).unwrap();
    let mut now = START;
    while feed.turn(now, &mut sink).unwrap() != Turn::End {
        now = now + step;
    }
    assert_eq!(feed.turn(now, &mut sink).unwrap(), Turn::End);
    sink.0
}

fn packets(sizes: &str, seed: u64, ports: u8, count: u64) -> Vec<Seen> {
    run(&spec(sizes, "max", count), seed, ports, seconds(1e-6))
}

/// Checks everything about a frame that etherparse can compute anew.
fn verify(frame: &[u8]) {
    assert_eq!(fcs::verify_ethernet(frame), Some(true), "FCS of {frame:02x?}");
    let body = &frame[..frame.len() - 4];
    let packet = SlicedPacket::from_ethernet(body).unwrap();
    let transport = packet.transport.unwrap();
    match packet.net.unwrap() {
        NetSlice::Ipv4(ip) => {
            let header = ip.header().to_header();
            assert_eq!(usize::from(header.total_len), body.len() - 14);
            assert_eq!(header.calc_header_checksum(), header.header_checksum);
            match transport {
                TransportSlice::Udp(udp) => {
                    assert_eq!(usize::from(udp.length()), udp.slice().len());
                    let computed = udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap();
                    assert_eq!(computed, udp.checksum());
                    assert_ne!(udp.checksum(), 0, "0 would mean that there is none");
                }
                TransportSlice::Tcp(tcp) => {
                    let computed = tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()).unwrap();
                    assert_eq!(computed, tcp.checksum());
                }
                TransportSlice::Icmpv4(icmp) => {
                    let header = icmp.header();
                    assert_eq!(header.icmp_type.calc_checksum(icmp.payload()), header.checksum);
                }
                other => panic!("{other:?}"),
            }
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header().to_header();
            assert_eq!(usize::from(header.payload_length), body.len() - 54);
            match transport {
                TransportSlice::Udp(udp) => {
                    assert_eq!(usize::from(udp.length()), udp.slice().len());
                    let computed = udp.to_header().calc_checksum_ipv6(&header, udp.payload()).unwrap();
                    assert_eq!(computed, udp.checksum());
                }
                TransportSlice::Tcp(tcp) => {
                    let computed = tcp.to_header().calc_checksum_ipv6(&header, tcp.payload()).unwrap();
                    assert_eq!(computed, tcp.checksum());
                }
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_frame_is_valid_in_every_layer() {
    for sizes in ["64", "65", "66", "imix", "64-100", "64-9600", "1518", "9600"] {
        for (number, seen) in packets(sizes, 7, 2, 3_000).iter().enumerate() {
            verify(&seen.frame);
            assert_eq!(packet_number(&seen.frame), Some(number as u64), "{sizes}");
        }
    }
}

#[test]
fn checksums_hold_for_numbers_of_any_size() {
    let mut feed = Synthetic::new(&spec("64-200", "max", u64::MAX), 3, 2);
    let mut sink = Sink::default();
    // From requests on, so that each reply has its request.
    let numbers = [0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF, u64::MAX - 300].map(|number| number / 100 * 100);
    for number in numbers {
        feed.next = number;
        feed.turn(START, &mut sink).unwrap();
    }
    for (at, seen) in sink.0.iter().enumerate() {
        verify(&seen.frame);
        let number = numbers[at / TURN as usize] + at as u64 % u64::from(TURN);
        assert_eq!(packet_number(&seen.frame), Some(number));
    }
}

#[test]
fn a_number_is_found_in_a_cut_frame_as_long_as_it_is_there() {
    for seen in packets("1518", 1, 2, 300) {
        let number = packet_number(&seen.frame);
        let first = (0..200).find(|len| packet_number(&seen.frame[..*len]).is_some()).unwrap();
        assert!([50, 62, 70, 82].contains(&first), "{first}");
        assert!((first..1518).all(|len| packet_number(&seen.frame[..len]) == number));
    }
    assert_eq!(packet_number(&[0; 64]), None);
    assert_eq!(packet_number(&[]), None);
}

#[test]
fn a_seed_is_a_capture() {
    for (sizes, ports) in [("64", 2), ("imix", 4), ("64-1518", 1)] {
        let first = packets(sizes, 42, ports, 5_000);
        let bytes = |run: &[Seen]| run.iter().map(|seen| (seen.port, seen.frame.clone())).collect::<Vec<_>>();
        // Neither rate nor turns change what comes.
        let count = first.len() as u64;
        let paced = run(&spec(sizes, "123457pps", count), 42, ports, seconds(0.003));
        assert_eq!(bytes(&first), bytes(&paced));
        assert_ne!(bytes(&first), bytes(&packets(sizes, 43, ports, count)));
    }
}

/// What seed 1 gives is a promise: users compare captures across versions.
#[test]
fn the_packets_of_seed_1_stay_what_they_are() {
    let digest = |sizes, ports| {
        let all: Vec<u8> = packets(sizes, 1, ports, 1_000)
            .into_iter()
            .flat_map(|seen| std::iter::once(seen.port).chain(seen.frame).collect::<Vec<_>>())
            .collect();
        fcs::ethernet(&all)
    };
    assert_eq!(
        [digest("64", 2), digest("imix", 2), digest("64-1518", 8)],
        [2_158_247_381, 1_093_758_248, 2_215_330_427]
    );
}

#[test]
fn one_host_pings_another_between_ports_0_and_1() {
    let mut identifiers = HashSet::new();
    let mut requests = HashMap::new();
    let mut replies = 0;
    for (number, seen) in packets("imix", 5, 2, 100_000).into_iter().enumerate() {
        let packet = SlicedPacket::from_ethernet(&seen.frame[..seen.frame.len() - 4]).unwrap();
        let Some(TransportSlice::Icmpv4(icmp)) = packet.transport else {
            assert_ne!(number % 50, 0);
            continue;
        };
        match icmp.header().icmp_type {
            Icmpv4Type::EchoRequest(echo) => {
                assert_eq!((number % 100, seen.port, usize::from(echo.seq)), (0, 0, number / 100));
                identifiers.insert(echo.id);
                requests.insert(echo.seq, (number, icmp.payload().to_vec()));
            }
            Icmpv4Type::EchoReply(echo) => {
                assert_eq!((number % 100, seen.port), (50, 1));
                identifiers.insert(echo.id);
                let (request, data) = requests.remove(&echo.seq).unwrap();
                assert_eq!((request + 50, data.as_slice()), (number, icmp.payload()));
                replies += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((identifiers.len(), replies, requests.len()), (1, 1_000, 0));
    assert!(packets("64", 5, 1, 200).iter().all(|seen| seen.port == 0));
}

#[test]
fn packets_are_spread_over_the_ports() {
    for ports in 1..=8u8 {
        let mut count = [0u32; 8];
        for seen in packets("64", 9, ports, 40_000) {
            count[usize::from(seen.port)] += 1;
            // The source's address is that of the station behind the port, or behind the port that it stands for.
            assert!(seen.frame[11] == seen.port || (ports % 2 == 1 && seen.port == ports - 1));
        }
        assert!(count[usize::from(ports)..].iter().all(|count| *count == 0));
        let fair = 40_000 / (2 * u32::from(ports.div_ceil(2)));
        for (port, count) in (0..ports).zip(count) {
            let alone = ports % 2 == 1 && port == ports - 1;
            let expected = if alone { 2 * fair } else { fair };
            assert!(count.abs_diff(expected) < expected / 8, "port {port} of {ports}: {count}, not {expected}");
        }
    }
}

#[test]
fn sizes_are_those_of_the_mix() {
    let mut count = HashMap::new();
    for seen in packets("imix", 11, 2, 120_000) {
        *count.entry(seen.frame.len()).or_insert(0u32) += 1;
    }
    assert_eq!(count.len(), 3);
    for (size, parts) in [(64, 7), (594, 4), (1518, 1)] {
        assert!(count[&size].abs_diff(parts * 10_000) < 700, "{size}: {}", count[&size]);
    }
    assert!(packets("777", 1, 2, 500).iter().all(|seen| seen.frame.len() == 777));
}

#[test]
fn there_are_256_conversations_of_four_kinds_whose_tcp_bytes_follow_each_other() {
    let mut flows = HashMap::new();
    let mut next = HashMap::new();
    for seen in packets("594", 2, 2, 30_000) {
        let packet = SlicedPacket::from_ethernet(&seen.frame[..seen.frame.len() - 4]).unwrap();
        let addresses = match packet.net.unwrap() {
            NetSlice::Ipv4(ip) => (ip.header().source().to_vec(), ip.header().destination().to_vec()),
            NetSlice::Ipv6(ip) => (ip.header().source().to_vec(), ip.header().destination().to_vec()),
            other => panic!("{other:?}"),
        };
        let (kind, ports) = match packet.transport.unwrap() {
            TransportSlice::Udp(udp) => ("udp", (udp.source_port(), udp.destination_port())),
            TransportSlice::Tcp(tcp) => {
                let ports = (tcp.source_port(), tcp.destination_port());
                let end = tcp.sequence_number().wrapping_add(tcp.payload().len() as u32);
                let before = next.insert((addresses.clone(), ports), end);
                assert!(before.is_none_or(|before| before == tcp.sequence_number()));
                let back = ((addresses.1.clone(), addresses.0.clone()), (ports.1, ports.0));
                assert!(next.get(&back).is_none_or(|sent| *sent == tcp.acknowledgment_number()));
                ("tcp", ports)
            }
            _ => continue,
        };
        *flows.entry((kind, addresses, ports)).or_insert(0u32) += 1;
    }
    assert_eq!(flows.len(), 512, "both directions of each");
    for (kind, (source, destination), (from, to)) in flows.keys() {
        let back = (*kind, (destination.clone(), source.clone()), (*to, *from));
        assert!(flows.contains_key(&back), "{back:?} has no packet");
    }
    // Each client has a port of its own, whatever addresses are drawn.
    let clients: HashSet<u16> = flows.keys().map(|(.., (from, to))| *from.min(to)).collect();
    assert_eq!(clients.len(), 256);
    let kinds = |kind: &str, len: usize| flows.keys().filter(|key| key.0 == kind && key.1.0.len() == len).count();
    assert_eq!([kinds("udp", 4), kinds("tcp", 4), kinds("udp", 16), kinds("tcp", 16)], [256, 128, 64, 64]);
}

#[test]
fn at_a_rate_every_packet_has_its_own_due_time() {
    let mut feed = Synthetic::new(&SyntheticSpec { rate: "3pps".parse().unwrap(), ..SyntheticSpec::default() }, 1, 2);
    let mut sink = Sink::default();
    feed.begin(START).unwrap();
    let due = |k: u64| START + TimeDelta::from_raw(((u128::from(k) << 32) / 3) as i64);
    assert_eq!(feed.turn(START, &mut sink).unwrap(), Turn::Until(due(1)));
    assert_eq!(sink.0.len(), 1);
    // A host that slept for ten minutes: everything still comes, in its time.
    let late = START + seconds(600.0);
    let mut turns = 0;
    while feed.turn(late, &mut sink).unwrap() == Turn::More {
        turns += 1;
    }
    assert_eq!((turns, sink.0.len()), (1_800 / 256, 1_801));
    for (k, seen) in sink.0.iter().enumerate() {
        assert_eq!(seen.time, due(k as u64));
    }
    assert_eq!(feed.turn(late, &mut sink).unwrap(), Turn::Until(due(1_801)));
}

#[test]
fn a_bit_rate_keeps_frames_as_far_apart_as_a_wire_does() {
    let seen = run(&spec("imix", "1Gbps", 20_000), 1, 2, seconds(1e-3));
    let mut bits = 0u128;
    for packet in &seen {
        let due = START + TimeDelta::from_raw(((bits << 32) / 1_000_000_000) as i64);
        assert_eq!(packet.time, due);
        bits += (packet.frame.len() as u128 + 20) * 8;
    }
}

#[test]
fn flat_out_stamps_are_now_and_always_later_than_the_one_before() {
    let seen = packets("64", 1, 2, 10_000);
    assert_eq!(seen[0].time, START);
    assert!(seen.windows(2).all(|pair| pair[0].time < pair[1].time));
    assert!(seen.last().unwrap().time - START < seconds(1e-4));
    // A clock set back does not take the stamps with it.
    let back = run(&spec("64", "max", 1_000), 1, 2, seconds(-1e-3));
    assert!(back.windows(2).all(|pair| pair[0].time < pair[1].time));
}

#[test]
fn a_count_ends_the_feed_with_its_last_packet() {
    for count in [1, 255, 256, 257, 1_000] {
        assert_eq!(packets("64", 1, 2, count).len() as u64, count);
    }
    let mut feed = Synthetic::new(&spec("64", "max", 256), 1, 2);
    assert_eq!(feed.turn(START, &mut Sink::default()).unwrap(), Turn::End);
}

#[test]
fn a_feed_is_described_in_words() {
    assert_eq!(SyntheticSpec::default().to_string(), "64 byte frames, 1000pps");
    assert_eq!(spec("imix", "max", 5).to_string(), "IMIX frames, as fast as possible, 5 packets");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_mix_at_any_seed_is_valid(seed: u64, a in 64u16..=2000, b in 64u16..=2000, ports in 0u8..=9) {
        let sizes = SizeMix::uniform(a.min(b), a.max(b)).unwrap();
        let spec = SyntheticSpec { sizes, rate: Rate::MAX, count: Some(300), ..SyntheticSpec::default() };
        for (number, seen) in run(&spec, seed, ports, seconds(1e-6)).iter().enumerate() {
            verify(&seen.frame);
            prop_assert_eq!(packet_number(&seen.frame), Some(number as u64));
            prop_assert!((usize::from(sizes.least())..=usize::from(sizes.most())).contains(&seen.frame.len()));
            prop_assert!(seen.port < ports.clamp(1, 8));
        }
    }
}

/// A pcap file of nanoseconds whose frames have their FCS, which the link type field says (draft-ietf-opsawg-pcap).
fn pcap(packets: &[Seen]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xA1B2_3C4D, 0x0004_0002, 0, 0, 65_535, 0x2400_0001u32] {
        file.extend(word.to_le_bytes());
    }
    for packet in packets {
        let nanos = packet.time.nanos();
        let len = packet.frame.len() as u32;
        for word in [(nanos / 1_000_000_000) as u32, (nanos % 1_000_000_000) as u32, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(&packet.frame);
    }
    file
}

#[test]
fn tshark_finds_no_fault() {
    if !house_skip::need_program("tshark") {
        return;
    }
    let seen = run(&spec("64-1518", "100kpps", 20_000), 1, 2, seconds(1e-3));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&pcap(&seen)).unwrap();
    let fields = |filter: &str, fields: &[&str]| {
        let mut tshark = Command::new("tshark");
        tshark.args(["-n", "-r"]).arg(file.path()).args(["-Y", filter, "-T", "fields"]);
        for field in fields {
            tshark.args(["-e", field]);
        }
        for check in ["ip.check_checksum", "udp.check_checksum", "tcp.check_checksum", "eth.check_fcs"] {
            tshark.args(["-o", &format!("{check}:TRUE")]);
        }
        let output = tshark.args(["-o", "eth.fcs:Always"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let good = "eth.fcs.status == 1 && (ipv6 || ip.checksum.status == 1) \
                && (udp.checksum.status == 1 || tcp.checksum.status == 1 || icmp.checksum.status == 1)";
    assert_eq!(fields(good, &["frame.number"]).lines().count(), 20_000);
    // Nor anything else: no retransmission, no gap, no answer missing, nothing malformed.
    let odd =
        fields("_ws.malformed || tcp.analysis.flags || icmp.no_resp || _ws.expert", &["frame.number", "_ws.expert"]);
    assert_eq!(odd, "");
    let echoes = fields("icmp.resp_to", &["icmp.resptime"]);
    assert_eq!(echoes.lines().count(), 200);
    assert!(echoes.lines().all(|time| time.parse() == Ok(0.5)), "50 packets at 100 kpps are 0.5 ms");
}
