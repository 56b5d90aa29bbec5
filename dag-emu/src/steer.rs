//! Steering: which stream a packet goes to.

use crate::arrival::Arrival;

/// A hash of a packet's flow that is the same in both directions: IP addresses and, for TCP, UDP and SCTP, ports; for
/// anything else the MAC addresses and EtherType.
///
/// Fragments have no ports, so all fragments of a flow keep together by addresses alone: the first one is hashed
/// without its ports, too.
pub(crate) fn flow_hash(arrival: &Arrival<'_>) -> u32 {
    // Enough for two VLAN tags, IPv6 and ports.
    let mut head = [0u8; 78];
    let mut len = 0;
    for piece in arrival.packet {
        let take = piece.len().min(head.len() - len);
        head[len..len + take].copy_from_slice(&piece[..take]);
        len += take;
    }
    let head = head.get(..len).unwrap_or_default();
    let key = if arrival.record_type.is_ethernet() { ethernet(head) } else { network(head) };
    mix(key.unwrap_or_else(|| fold(head.get(..14).unwrap_or(head))))
}

fn ethernet(frame: &[u8]) -> Option<u64> {
    let mut at = 12;
    let mut ethertype = u16_at(frame, at)?;
    while matches!(ethertype, 0x8100 | 0x88A8) && at < 20 {
        at += 4;
        ethertype = u16_at(frame, at)?;
    }
    match ethertype {
        0x0800 | 0x86DD => network(frame.get(at + 2..)?),
        _ => {
            let (to, from) = (frame.get(..6)?, frame.get(6..12)?);
            Some(fold(to) ^ fold(from) ^ u64::from(ethertype))
        }
    }
}

fn network(packet: &[u8]) -> Option<u64> {
    let (addresses, protocol, transport) = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet.first()? & 0x0F) * 4;
            let fragment = u16_at(packet, 6)? & 0x3FFF != 0;
            (packet.get(12..20)?, *packet.get(9)?, (!fragment).then_some(header))
        }
        6 => (packet.get(8..40)?, *packet.get(6)?, Some(40)),
        _ => return None,
    };
    let (from, to) = addresses.split_at(addresses.len() / 2);
    let ports = transport
        .filter(|_| matches!(protocol, 6 | 17 | 132))
        .and_then(|at| Some(u64::from(u16_at(packet, at)?) + u64::from(u16_at(packet, at + 2)?)));
    // Addition is the same in both directions, and does not make equal addresses vanish as XOR does.
    let pair = fold(from).wrapping_add(fold(to));
    Some(pair ^ (u64::from(protocol) << 56) ^ (ports.unwrap_or(0) << 32))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn fold(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

fn mix(key: u64) -> u32 {
    let key = (key ^ (key >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    let key = (key ^ (key >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    (key >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use erf_core::Timestamp;
    use etherparse::PacketBuilder;

    fn hash(frame: &[u8]) -> u32 {
        flow_hash(&Arrival::ethernet(0, Timestamp::ZERO, frame))
    }

    fn udp(from: [u8; 4], to: [u8; 4], ports: (u16, u16), vlan: bool) -> Vec<u8> {
        let eth = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let mut out = Vec::new();
        if vlan {
            let builder = eth.single_vlan(etherparse::VlanId::try_new(7).unwrap());
            builder.ipv4(from, to, 64).udp(ports.0, ports.1).write(&mut out, &[0; 20]).unwrap();
        } else {
            eth.ipv4(from, to, 64).udp(ports.0, ports.1).write(&mut out, &[0; 20]).unwrap();
        }
        out
    }

    #[test]
    fn both_directions_go_together() {
        for vlan in [false, true] {
            let there = udp([192, 0, 2, 1], [192, 0, 2, 9], (1000, 53), vlan);
            let back = udp([192, 0, 2, 9], [192, 0, 2, 1], (53, 1000), vlan);
            assert_eq!(hash(&there), hash(&back));
        }
        let mut out = Vec::new();
        let mut back = Vec::new();
        let (a, b) = ([1; 16], [9; 16]);
        PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6(a, b, 64).tcp(5, 6, 0, 0).write(&mut out, &[]).unwrap();
        PacketBuilder::ethernet2([4; 6], [2; 6]).ipv6(b, a, 64).tcp(6, 5, 0, 0).write(&mut back, &[]).unwrap();
        assert_eq!(hash(&out), hash(&back));
    }

    #[test]
    fn flows_spread_over_the_streams() {
        let mut counts = [0u32; 4];
        for n in 0..4000u16 {
            let frame = udp([192, 0, 2, (n % 200) as u8], [198, 51, 100, 7], (n, 53), false);
            counts[(hash(&frame) % 4) as usize] += 1;
        }
        assert!(counts.iter().all(|&c| (800..1200).contains(&c)), "{counts:?}");
    }

    #[test]
    fn a_cut_frame_has_a_hash_too() {
        let frame = udp([192, 0, 2, 1], [192, 0, 2, 9], (1000, 53), false);
        for len in 0..frame.len() {
            hash(&frame[..len]);
        }
        let mut fragment = frame.clone();
        fragment[20] = 0x20; // more fragments
        let mut second = fragment.clone();
        second[21] = 0x10;
        second[34..38].fill(0xEE); // no ports here
        assert_eq!(hash(&fragment), hash(&second));
    }
}
