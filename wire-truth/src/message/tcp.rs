//! Probes of TCP: a SYN without data, that a host answers by SYN-ACK where somebody listens and by RST where nobody does.
//!
//! The port it comes from is the identifier. Its initial sequence number, which both answers acknowledge, has the probe's sequence number above and
//! a sum of both below, so that an answer is known by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{TcpHeader, TcpHeaderSlice, TcpOptionElement};

use super::{Cookie, Heard};
use crate::echo::{Leg, ProbeKey};

/// Bytes of the smallest and of the largest: a header with options. A SYN with data is dropped by many a firewall.
pub(super) const SIZES: (usize, usize) = (36, 60);

/// Bytes of a segment by which a probe is known: ports and sequence number, which is what an ICMP error quotes at least.
const QUOTED: usize = 8;

/// The window that a probe offers, by which it is told from other SYNs.
const WINDOW: u16 = 0x7470;

/// What a SYN is worth on most links; nothing is ever sent by it.
const SEGMENT: u16 = 1460;

/// Between which hosts, of one version of IP. The checksum of TCP covers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ends {
    /// From the first to the second.
    V4([Ipv4Addr; 2]),
    /// From the first to the second.
    V6([Ipv6Addr; 2]),
}

impl Ends {
    /// From one to the other; `None` where they are of two versions.
    pub const fn new(from: IpAddr, to: IpAddr) -> Option<Self> {
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => Some(Self::V4([from, to])),
            (IpAddr::V6(from), IpAddr::V6(to)) => Some(Self::V6([from, to])),
            _ => None,
        }
    }
}

/// A sum of both numbers.
const fn sum(key: ProbeKey) -> u16 {
    WINDOW ^ key.ident ^ key.seq.rotate_left(5)
}

const fn sequence_number(key: ProbeKey) -> u32 {
    (key.seq as u32) << 16 | sum(key) as u32
}

/// The probe with identifier `ident` that has this initial sequence number.
fn key_of(ident: u16, number: u32) -> Option<ProbeKey> {
    // Its upper half.
    let key = ProbeKey::new(ident, (number >> 16) as u16);
    (sequence_number(key) == number).then_some(key)
}

fn tag(cookie: Cookie) -> u32 {
    let [a, b, c, d, ..] = cookie;
    u32::from_be_bytes([a, b, c, d])
}

/// The SYN of a probe, of a size that fits. Its time stamp, which a host that knows those sends back, is half of the cookie.
pub(super) fn segment(ends: Ends, port: u16, key: ProbeKey, cookie: Cookie, size: usize) -> Vec<u8> {
    let mut header = TcpHeader::new(key.ident, port, sequence_number(key), WINDOW);
    header.syn = true;
    let mut options = vec![
        TcpOptionElement::MaximumSegmentSize(SEGMENT),
        TcpOptionElement::SelectiveAcknowledgementPermitted,
        TcpOptionElement::Timestamp(tag(cookie), 0),
    ];
    options.extend(std::iter::repeat_n(TcpOptionElement::Noop, size.saturating_sub(SIZES.0)));
    // They fit: 40 bytes at most.
    let _ = header.set_options(&options);
    let checksum = match ends {
        Ends::V4([from, to]) => header.calc_checksum_ipv4_raw(from.octets(), to.octets(), &[]).ok(),
        Ends::V6([from, to]) => header.calc_checksum_ipv6_raw(from.octets(), to.octets(), &[]).ok(),
    };
    // Which fails for more data than a packet holds, and there are none.
    header.checksum = checksum.unwrap_or_default();
    header.to_bytes().to_vec()
}

/// What a segment is of a probe, and the port that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) key: ProbeKey,
    pub(crate) leg: Leg,
    pub(crate) port: u16,
}

/// The probe that a segment belongs to.
pub(crate) fn segment_of(header: &TcpHeaderSlice<'_>) -> Option<Segment> {
    let (from, to) = (header.source_port(), header.destination_port());
    match (header.syn(), header.rst(), header.ack()) {
        (true, false, false) if header.window_size() == WINDOW => {
            let key = key_of(from, header.sequence_number())?;
            Some(Segment { key, leg: Leg::Request, port: to })
        }
        // Nobody listens, or somebody does.
        (false, true, true) | (true, false, true) => {
            let key = key_of(to, header.acknowledgment_number().wrapping_sub(1))?;
            Some(Segment { key, leg: Leg::Reply, port: from })
        }
        _ => None,
    }
}

/// The request of which an ICMP error quotes the begin.
pub(crate) fn quoted(bytes: &[u8]) -> Option<Segment> {
    let [a, b, c, d, number @ ..] = bytes.first_chunk::<QUOTED>()?;
    let key = key_of(u16::from_be_bytes([*a, *b]), u32::from_be_bytes(*number))?;
    Some(Segment { key, leg: Leg::Request, port: u16::from_be_bytes([*c, *d]) })
}

/// What a segment is to the run with this identifier, that probes this port.
pub(super) fn heard(segment: &[u8], port: u16, ident: u16, cookie: Cookie) -> Heard {
    let Ok(header) = TcpHeaderSlice::from_slice(segment) else { return Heard::Other };
    if (header.source_port(), header.destination_port()) != (port, ident) {
        return Heard::Other;
    }
    // A RST has no time stamp; a host may know none.
    let echoed = header.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::Timestamp(_, echoed)) => Some(echoed),
        _ => None,
    });
    match segment_of(&header) {
        Some(Segment { key, leg: Leg::Reply, .. }) if echoed.is_none_or(|echoed| echoed == tag(cookie)) => {
            Heard::Reply(key)
        }
        Some(Segment { leg: Leg::Request, .. }) => Heard::Other,
        _ => Heard::Forged,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::{Kind, request};
    use super::*;

    /// As a host answers that listens, or does not.
    pub(crate) fn answered(segment: &[u8], listens: bool) -> Vec<u8> {
        let request = TcpHeaderSlice::from_slice(segment).unwrap();
        let mut reply = TcpHeader::new(request.destination_port(), request.source_port(), 77, 1000);
        (reply.syn, reply.rst, reply.ack) = (listens, !listens, true);
        reply.acknowledgment_number = request.sequence_number().wrapping_add(1);
        if listens {
            let echoed = request.options_iterator().find_map(|option| match option {
                Ok(TcpOptionElement::Timestamp(value, 0)) => Some(value),
                _ => None,
            });
            reply.set_options(&[TcpOptionElement::Timestamp(5, echoed.unwrap())]).unwrap();
        }
        reply.to_bytes().to_vec()
    }

    #[test]
    fn a_segment_is_a_syn_with_its_checksum() {
        for ends in [Ends::V4([[10, 0, 0, 1].into(), [10, 0, 0, 2].into()]), Ends::V6([[1; 16].into(), [2; 16].into()])]
        {
            for (size, length) in [(0, 36), (37, 40), (60, 60), (900, 60)] {
                let kind = Kind::Tcp { ends, port: 80 };
                let segment = request(kind, ProbeKey::new(7, 0xFFFF), *b"12345678", size);
                assert_eq!((segment.len(), kind.fitting(size)), (length, length));
                let header = TcpHeaderSlice::from_slice(&segment).unwrap();
                let right = match ends {
                    Ends::V4([from, to]) => header.calc_checksum_ipv4_raw(from.octets(), to.octets(), &[]).unwrap(),
                    Ends::V6([from, to]) => header.calc_checksum_ipv6_raw(from.octets(), to.octets(), &[]).unwrap(),
                };
                assert_eq!(header.checksum(), right);
                assert!(header.options_iterator().all(|option| option.is_ok()));
                let expected = Segment { key: ProbeKey::new(7, 0xFFFF), leg: Leg::Request, port: 80 };
                assert_eq!((segment_of(&header), quoted(&segment[..8])), (Some(expected), Some(expected)));
            }
        }
    }

    #[test]
    fn other_segments_are_none() {
        let ends = Ends::V4([[10, 0, 0, 1].into(), [10, 0, 0, 2].into()]);
        let probe = segment(ends, 80, ProbeKey::new(7, 9), *b"12345678", 40);
        let changed = |at: usize, by: u8| {
            let mut segment = probe.clone();
            segment[at] ^= by;
            TcpHeaderSlice::from_slice(&segment).unwrap().to_header()
        };
        // The sum, the window, and a FIN instead of the SYN.
        for (at, by) in [(7, 1), (14, 1), (13, 3)] {
            let bytes = changed(at, by).to_bytes();
            assert_eq!(segment_of(&TcpHeaderSlice::from_slice(&bytes).unwrap()), None, "{at}");
        }
        // A RST that acknowledges nothing is what the prober's own kernel answers a SYN-ACK with.
        let mut own = TcpHeader::new(7, 80, sequence_number(ProbeKey::new(7, 9)) + 1, 0);
        own.rst = true;
        assert_eq!(segment_of(&TcpHeaderSlice::from_slice(&own.to_bytes()).unwrap()), None);
        assert_eq!(Ends::new([1, 1, 1, 1].into(), [0u16; 8].into()), None);
    }
}
