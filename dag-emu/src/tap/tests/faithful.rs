//! Whether a frame is what was on the wire.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::lab::{Kept, Lab, drain, open};
use crate::tap::{ChecksumState, Iface, Tap, TapSpec, offload_advice};

/// Whether TCP or UDP carries the checksum that belongs there; `None` for other packets.
fn checksum_is_right(frame: &Kept) -> Option<bool> {
    let packet = SlicedPacket::from_ethernet(&frame.bytes).unwrap();
    let (carried, right) = match (packet.net?, packet.transport?) {
        (NetSlice::Ipv4(ip), TransportSlice::Udp(udp)) => {
            let header = ip.header().to_header();
            (udp.checksum(), udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap())
        }
        (NetSlice::Ipv6(ip), TransportSlice::Udp(udp)) => {
            let header = ip.header().to_header();
            (udp.checksum(), udp.to_header().calc_checksum_ipv6(&header, udp.payload()).unwrap())
        }
        (NetSlice::Ipv4(ip), TransportSlice::Tcp(tcp)) => {
            let header = ip.header().to_header();
            (tcp.checksum(), tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()).unwrap())
        }
        (NetSlice::Ipv6(ip), TransportSlice::Tcp(tcp)) => {
            let header = ip.header().to_header();
            (tcp.checksum(), tcp.to_header().calc_checksum_ipv6(&header, tcp.payload()).unwrap())
        }
        _ => return None,
    };
    Some(carried % 0xFFFF == right % 0xFFFF)
}

/// Sends `bytes` over TCP from namespace a to b, and waits until the other side has them all.
fn transfer(lab: &Lab, local: &str, bytes: usize) {
    let listener = lab.inside(&lab.b, || TcpListener::bind(local).unwrap());
    let address = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut data = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut data).unwrap();
            data.len()
        });
        let mut stream = lab.inside(&lab.a, || TcpStream::connect(address).unwrap());
        stream.write_all(&vec![0x5A; bytes]).unwrap();
        drop(stream);
        assert_eq!(reader.join().unwrap(), bytes);
    });
}

#[test]
fn offloaded_checksums_are_completed() {
    let Some(lab) = Lab::new() else { return };
    let mut tap = open(vec![lab.va()]);
    for (local, peer) in [("10.77.0.1:0", "10.77.0.2:9"), ("[fd77::1]:0", "[fd77::2]:9")] {
        let socket = lab.udp(&lab.a, local, peer);
        for len in 0..40 {
            // The other side refuses, which is not what is looked at.
            let _ = socket.send(&vec![len; len.into()]);
        }
    }
    for local in ["10.77.0.2:0", "[fd77::2]:0"] {
        transfer(&lab, local, 3000);
    }
    let kept = drain(&mut tap);
    let mut completed = [0; 4];
    for frame in &kept {
        if let Some(right) = checksum_is_right(frame) {
            assert!(right, "{frame:02x?}");
        }
        if frame.checksum == ChecksumState::CompletedByUs {
            let packet = SlicedPacket::from_ethernet(&frame.bytes).unwrap();
            let v6 = matches!(packet.net, Some(NetSlice::Ipv6(_)));
            let tcp = matches!(packet.transport, Some(TransportSlice::Tcp(_)));
            completed[usize::from(v6) * 2 + usize::from(tcp)] += 1;
        }
    }
    assert!(completed.iter().all(|count| *count > 0), "{completed:?}");
    let stats = tap.stats().unwrap();
    assert_eq!(stats.ports.iter().map(|p| p.checksums_completed).sum::<u64>(), completed.iter().sum::<u64>());
    assert_eq!(stats.ports.iter().map(|p| p.checksums_partial).sum::<u64>(), 0);
}

/// The kernel strips the outer tag of what arrives; what was sent has to come out.
#[test]
fn stripped_vlan_tags_are_put_back() {
    let Some(lab) = Lab::new() else { return };
    let tags: [&[u8]; 5] = [
        &[0x81, 0, 0x20, 0x64],
        &[0x81, 0, 0xE0, 0x00],
        &[0x81, 0, 0, 0],
        &[0x88, 0xA8, 0x1F, 0xFF, 0x81, 0, 0, 7],
        &[],
    ];
    let frames: Vec<Vec<u8>> = tags
        .iter()
        .zip(0u8..)
        .map(|(tag, n)| [&[0xFF; 6][..], &[2, 0, 0, 0, 0, n], tag, &[0x88, 0xB5], &[n; 60]].concat())
        .collect();
    let spec = TapSpec { snaplen: 40, ..TapSpec::new(vec![lab.vb()]) };
    let (mut arriving, mut leaving, mut cut) = (open(vec![lab.vb()]), open(vec![lab.va()]), Tap::open(&spec).unwrap());
    lab.send_raw(&lab.a, "va", &frames);
    let sent =
        |kept: Vec<Kept>| kept.into_iter().filter(|f| f.bytes[6] == 2 && f.bytes[7..11] == [0; 4]).collect::<Vec<_>>();
    for (tap, port) in [(&mut arriving, 0), (&mut leaving, 1)] {
        let kept = sent(drain(tap));
        assert_eq!(kept.iter().map(|f| f.bytes.clone()).collect::<Vec<_>>(), frames);
        assert!(kept.iter().all(|f| f.port == port && f.wire_len as usize == f.bytes.len() && !f.truncated));
        if port == 0 {
            let restored: Vec<bool> = kept.iter().map(|f| f.vlan_restored).collect();
            assert_eq!(restored, [true, true, true, true, false]);
            assert_eq!(tap.stats().unwrap().ports[0].vlan_restored, 4);
        }
    }
    for (kept, frame) in sent(drain(&mut cut)).iter().zip(&frames) {
        assert_eq!(kept.bytes, frame[..40]);
        assert_eq!((kept.wire_len as usize, kept.truncated), (frame.len(), true));
    }
}

#[test]
fn a_snap_length_cuts_behind_the_checksum_work_unless_the_kernel_is_to_cut() {
    let Some(lab) = Lab::new() else { return };
    let (a, _b) = lab.udp_pair();
    let snap = TapSpec { snaplen: 50, ..TapSpec::new(vec![lab.va()]) };
    let mut ours = Tap::open(&snap).unwrap();
    let mut kernels = Tap::open(&TapSpec { cut_in_kernel: true, ..snap }).unwrap();
    a.send(&[7; 200]).unwrap();
    let one = |tap: &mut Tap| drain(tap).into_iter().find(|f| f.wire_len == 242 && f.port == 1).unwrap();
    let (ours, kernels) = (one(&mut ours), one(&mut kernels));
    for frame in [&ours, &kernels] {
        assert!(frame.truncated && !frame.over_limit && frame.bytes.len() == 50);
    }
    assert_eq!(ours.checksum, ChecksumState::CompletedByUs);
    assert_eq!(kernels.checksum, ChecksumState::Partial);
    assert_eq!(ours.bytes[..40], kernels.bytes[..40]);
    assert_ne!(ours.bytes[40..42], kernels.bytes[40..42]);
    let addresses: [u8; 8] = ours.bytes[26..34].try_into().unwrap();
    let (source, destination) = (addresses[..4].try_into().unwrap(), addresses[4..].try_into().unwrap());
    let right = etherparse::UdpHeader::with_ipv4_checksum(
        7001,
        7002,
        &etherparse::Ipv4Header::new(208, 64, etherparse::IpNumber::UDP, source, destination).unwrap(),
        &[7; 200],
    );
    assert_eq!(ours.bytes[40..42], right.unwrap().checksum.to_be_bytes());
}

/// 65549 bytes on the loopback interface, whose MTU is 64 KiB: more than a record can hold.
#[test]
fn a_frame_over_the_record_limit_is_cut_and_counted() {
    let Some(lab) = Lab::new() else { return };
    let socket = lab.udp(&lab.a, "127.0.0.1:7001", "127.0.0.1:7002");
    let mut tap = open(vec![Iface { netns: Some(lab.a.clone()), name: "lo".into() }]);
    let payload: Vec<u8> = (0..65507u32).map(|n| (n % 251) as u8).collect();
    socket.send(&payload).unwrap();
    let kept: Vec<Kept> = drain(&mut tap).into_iter().filter(|f| f.wire_len > 60_000).collect();
    assert_eq!(kept.iter().map(|f| f.port).collect::<Vec<_>>(), [1, 0], "it leaves, then it arrives");
    for frame in kept {
        assert_eq!((frame.wire_len, frame.bytes.len()), (65549, 65531));
        assert!(frame.truncated && frame.over_limit);
        assert_eq!(frame.bytes[42..], payload[..65531 - 42]);
    }
    let stats = tap.stats().unwrap();
    assert_eq!(stats.ports.map(|p| (p.over_limit, p.truncated)), [(1, 1); 2]);
    assert!(tap.opened_on(0).unwrap().loopback);
}

#[test]
fn segmentation_offload_is_noticed_and_its_checksums_completed() {
    let Some(lab) = Lab::new() else { return };
    let mut tap = open(vec![lab.va()]);
    transfer(&lab, "10.77.0.2:0", 1 << 20);
    let kept = drain(&mut tap);
    let long = |f: &&Kept| f.port == 1 && f.wire_len > 1514;
    assert!(kept.iter().filter(long).count() > 0, "no segmentation offload on veth?");
    for frame in kept.iter().filter(long) {
        assert_eq!(checksum_is_right(frame), Some(true));
        assert!(!frame.over_limit);
    }
    let stats = tap.stats().unwrap();
    assert_eq!(stats.ports[1].superframes, kept.iter().filter(long).count() as u64);

    // The advice is a command that works, and it helps.
    let advice = offload_advice(&lab.va());
    let mut words = advice.split(' ');
    if std::process::Command::new("ethtool").arg("--version").output().is_err() {
        return house_skip::skip("needs the program `ethtool` to follow the advice");
    }
    let status = std::process::Command::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success(), "{advice}");
    let mut tap = open(vec![lab.va()]);
    transfer(&lab, "10.77.0.2:0", 1 << 20);
    let kept = drain(&mut tap);
    assert!(kept.len() > 500);
    assert_eq!(kept.iter().filter(long).count(), 0);
    assert_eq!(tap.stats().unwrap().ports[1].superframes, 0);
}
