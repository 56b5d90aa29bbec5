//! Which probe a packet belongs to: ICMP echoes, by identifier and sequence (RFC 792, RFC 4443), the datagrams of `tping --udp`, and the SYNs of
//! `tping --tcp`. That a port is unreachable is a reply, too.

use std::hash::{DefaultHasher, Hasher};

use erf::{Record, RecordType};
use etherparse::icmpv4::DestUnreachableHeader;
use etherparse::icmpv6::DestUnreachableCode;
use etherparse::{
    Icmpv4Type, Icmpv6Type, LaxNetSlice, LaxSlicedPacket, TcpHeaderSlice, TransportSlice, ether_type::IPV4,
    ether_type::IPV6, ip_number,
};

use crate::message::{tcp, udp_probe};

/// A probe: one identifier a run, one sequence number a probe.
///
/// Both have 16 bits, and come again: a `ping` counts on from 0 after 65 535, and one that is started later may have the identifier of an
/// earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeKey {
    /// The identifier of the echo.
    pub ident: u16,
    /// How often both were used before.
    pub turn: u32,
    /// Its sequence number.
    pub seq: u16,
}

impl ProbeKey {
    /// The first probe with this identifier and this sequence number.
    pub const fn new(ident: u16, seq: u16) -> Self {
        Self { ident, turn: 0, seq }
    }
}

/// Which way a packet of a probe goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// To the target.
    Request,
    /// Back.
    Reply,
}

/// A packet of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Echo {
    /// The identifier.
    pub ident: u16,
    /// The sequence number.
    pub seq: u16,
    /// Which way it goes.
    pub leg: Leg,
    /// A digest of the two addresses and of the data, which a request has in common with its reply: of up to 40 bytes, as many as the record has.
    pub content: u64,
    /// The identification of IPv4, which tells a packet that is seen twice from two that are alike.
    pub identification: Option<u16>,
    /// The record holds fewer bytes of the data than count.
    pub cut: bool,
    /// Bytes of the packet on the wire, FCS and padding of Ethernet included.
    pub bytes: u16,
}

/// Bytes of data that tell one probe from another: those of ping begin with a time, those of tping with a cookie.
const CONTENT: usize = 40;

/// Bytes of the shortest frame of Ethernet, with its FCS.
const LEAST_FRAME: u16 = 64;

/// The probe of an ICMP or ICMPv6 echo, of a datagram of tping or a segment of it, on Ethernet (with VLAN tags or without) or on nothing; `None`
/// for anything else. A record that was snapped behind the ICMP header, behind 18 bytes of UDP data, or behind the TCP header, suffices. Of a
/// fragmented echo the first fragment counts.
pub fn echo_of(record: &Record<'_>) -> Option<Echo> {
    let payload = record.payload();
    let packet = match record.record_type() {
        kind if kind.is_ethernet() => LaxSlicedPacket::from_ethernet(payload).ok()?,
        RecordType::IPV4 => LaxSlicedPacket::from_ether_type(IPV4, payload),
        RecordType::IPV6 => LaxSlicedPacket::from_ether_type(IPV6, payload),
        _ => return None,
    };
    // A short frame is padded behind a capture of its sender.
    let least = if record.record_type().is_ethernet() { LEAST_FRAME } else { 0 };
    let bytes = record.wire_len().max(least);
    if let Some(refused) = refused(packet.transport.as_ref()) {
        let quoted = LaxSlicedPacket::from_ip(refused).ok()?;
        let probe = probe_in(&quoted).filter(|probe| probe.is_refusable)?;
        let Network { identification, .. } = network(&packet)?;
        // The request as it arrived: of it as many bytes as the host quotes.
        let cut = probe.is_short();
        return (probe.leg == Leg::Request).then(|| Echo { leg: Leg::Reply, ..probe.echo(identification, cut, bytes) });
    }
    let probe = probe_in(&packet)?;
    let cut = record.is_snapped() && probe.is_short();
    Some(probe.echo(probe.network.identification, cut, bytes))
}

/// What says that a port is unreachable quotes this packet.
fn refused<'a>(transport: Option<&TransportSlice<'a>>) -> Option<&'a [u8]> {
    match transport? {
        TransportSlice::Icmpv4(icmp) => match icmp.icmp_type() {
            Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::Port) => Some(icmp.payload()),
            _ => None,
        },
        TransportSlice::Icmpv6(icmp) => match icmp.icmp_type() {
            Icmpv6Type::DestinationUnreachable(DestUnreachableCode::Port) => Some(icmp.payload()),
            _ => None,
        },
        _ => None,
    }
}

/// Of an IP header: what is the same on both ways, and what is this packet's own.
struct Network {
    hasher: DefaultHasher,
    identification: Option<u16>,
}

fn network(packet: &LaxSlicedPacket<'_>) -> Option<Network> {
    let mut hasher = DefaultHasher::new();
    let identification = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            hash_ends(&mut hasher, header.source(), header.destination());
            Some(header.identification())
        }
        LaxNetSlice::Ipv6(ip) => {
            hash_ends(&mut hasher, ip.header().source(), ip.header().destination());
            None
        }
        LaxNetSlice::Arp(_) => return None,
    };
    Some(Network { hasher, identification })
}

/// A probe, found in a packet.
struct Found<'a> {
    network: Network,
    leg: Leg,
    ident: u16,
    seq: u16,
    /// Of a segment none: all that it says is in its header.
    data: Option<&'a [u8]>,
    /// A host may answer that its port is unreachable.
    is_refusable: bool,
}

impl Found<'_> {
    fn is_short(&self) -> bool {
        self.data.is_some_and(|data| data.len() < CONTENT)
    }

    fn echo(&self, identification: Option<u16>, cut: bool, bytes: u16) -> Echo {
        let mut hasher = self.network.hasher.clone();
        if let Some(data) = self.data {
            hasher.write(&data[..data.len().min(CONTENT)]);
        }
        Echo { ident: self.ident, seq: self.seq, leg: self.leg, content: hasher.finish(), identification, cut, bytes }
    }
}

fn probe_in<'a>(packet: &LaxSlicedPacket<'a>) -> Option<Found<'a>> {
    let mut network = network(packet)?;
    let mut segment = |segment: tcp::Segment| {
        network.hasher.write_u16(segment.port);
        (segment.leg, segment.key.ident, segment.key.seq, None)
    };
    let (leg, ident, seq, data) = match &packet.transport {
        Some(TransportSlice::Icmpv4(icmp)) => match icmp.icmp_type() {
            Icmpv4Type::EchoRequest(echo) => (Leg::Request, echo.id, echo.seq, Some(icmp.payload())),
            Icmpv4Type::EchoReply(echo) => (Leg::Reply, echo.id, echo.seq, Some(icmp.payload())),
            _ => return None,
        },
        Some(TransportSlice::Icmpv6(icmp)) => match icmp.icmp_type() {
            Icmpv6Type::EchoRequest(echo) => (Leg::Request, echo.id, echo.seq, Some(icmp.payload())),
            Icmpv6Type::EchoReply(echo) => (Leg::Reply, echo.id, echo.seq, Some(icmp.payload())),
            _ => return None,
        },
        Some(TransportSlice::Udp(udp)) => {
            let (key, leg) = udp_probe(udp.payload())?;
            // Behind what says which leg it is.
            (leg, key.ident, key.seq, Some(udp.payload().get(6..).unwrap_or_default()))
        }
        Some(TransportSlice::Tcp(tcp)) => {
            segment(tcp::segment_of(&TcpHeaderSlice::from_slice(tcp.header_slice()).ok()?)?)
        }
        // Eight bytes of a segment are none to a parser, and enough here.
        None => segment(tcp::quoted(payload_of_tcp(packet)?)?),
    };
    let is_refusable = matches!(packet.transport, None | Some(TransportSlice::Udp(_) | TransportSlice::Tcp(_)));
    Some(Found { network, leg, ident, seq, data, is_refusable })
}

/// What is behind the IP header of a packet that is said to be TCP.
fn payload_of_tcp<'a>(packet: &LaxSlicedPacket<'a>) -> Option<&'a [u8]> {
    let payload = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => ip.payload(),
        LaxNetSlice::Ipv6(ip) => ip.payload(),
        LaxNetSlice::Arp(_) => return None,
    };
    (payload.ip_number == ip_number::TCP && !payload.fragmented).then_some(payload.payload)
}

/// The same for both ways.
fn hash_ends<const N: usize>(hasher: &mut DefaultHasher, one: [u8; N], other: [u8; N]) {
    hasher.write(&one.min(other));
    hasher.write(&one.max(other));
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::message::{Ends, Kind};
    use erf::{RecordBuilder, Timestamp};
    use etherparse::{IcmpEchoHeader, PacketBuilder, VlanId};

    pub(crate) fn key(ident: u16, seq: u16) -> ProbeKey {
        ProbeKey::new(ident, seq)
    }

    /// An echo on Ethernet as a record.
    pub(crate) fn record(key: ProbeKey, leg: Leg, nanos: u64, snap: usize) -> Vec<u8> {
        let echo = IcmpEchoHeader { id: key.ident, seq: key.seq };
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        let kind = if leg == Leg::Request { Icmpv4Type::EchoRequest(echo) } else { Icmpv4Type::EchoReply(echo) };
        let mut frame = Vec::new();
        builder.icmpv4(kind).write(&mut frame, &[0x5A; 92]).unwrap();
        let wire = frame.len() as u16 + 4;
        frame.truncate(snap);
        let stamp = Timestamp::from_nanos(nanos, erf::Fraction::Ceil).unwrap();
        RecordBuilder::new(RecordType::ETH).timestamp(stamp).payload(&frame).wire_len(wire).to_vec().unwrap()
    }

    fn seen(bytes: &[u8]) -> Option<(ProbeKey, Leg)> {
        echo_of(&Record::parse(bytes).unwrap()).map(|echo| (key(echo.ident, echo.seq), echo.leg))
    }

    #[test]
    fn echoes_of_both_versions_and_ways_are_known() {
        assert_eq!(seen(&record(key(7, 9), Leg::Request, 1, 999)), Some((key(7, 9), Leg::Request)));
        assert_eq!(seen(&record(key(7, 9), Leg::Reply, 1, 999)), Some((key(7, 9), Leg::Reply)));
        let echo = IcmpEchoHeader { id: 0xFFFF, seq: 0 };
        for leg in [Leg::Request, Leg::Reply] {
            let kind = if leg == Leg::Request { Icmpv6Type::EchoRequest(echo) } else { Icmpv6Type::EchoReply(echo) };
            let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).single_vlan(VlanId::try_new(7).unwrap());
            let mut frame = Vec::new();
            builder.ipv6([1; 16], [2; 16], 64).icmpv6(kind).write(&mut frame, &[1; 56]).unwrap();
            let record = RecordBuilder::new(RecordType::ETH).payload(&frame).append_fcs().to_vec().unwrap();
            assert_eq!(seen(&record), Some((key(0xFFFF, 0), leg)));
            // Without the link layer.
            let record = RecordBuilder::new(RecordType::IPV6).payload(&frame[18..]).to_vec().unwrap();
            assert_eq!(seen(&record), Some((key(0xFFFF, 0), leg)));
        }
    }

    /// An Ethernet frame around what is behind an IPv4 header of the length it claims to have.
    fn frame(from: u8, to: u8, protocol: u8, claimed: u16, behind: &[u8]) -> Vec<u8> {
        let mut frame = [[2; 6], [4; 6]].concat();
        frame.extend([8, 0]);
        let mut ip =
            etherparse::Ipv4Header::new(claimed, 64, protocol.into(), [10, 0, 0, from], [10, 0, 0, to]).unwrap();
        ip.identification = 77;
        frame.extend(ip.to_bytes());
        frame.extend(behind);
        frame
    }

    #[test]
    fn a_refused_probe_has_its_reply_and_the_content_of_its_request() {
        let ends = Ends::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into()).unwrap();
        let tcp = Kind::Tcp { ends, port: 80 };
        for (kind, protocol) in [(Kind::Udp, 17), (tcp, 6)] {
            let mut request = crate::message::request(kind, key(5, 6), [1; 8], 100);
            if kind == Kind::Udp {
                request = [&[0, 5, 0, 9, 0, 100, 0, 0][..], &request].concat();
            }
            let claimed = request.len() as u16;
            let sent = frame(1, 2, protocol, claimed, &request);
            let sent = RecordBuilder::new(RecordType::ETH).payload(&sent).append_fcs().to_vec().unwrap();
            let sent = echo_of(&Record::parse(&sent).unwrap()).unwrap();
            assert_eq!((sent.ident, sent.seq, sent.leg, sent.identification), (5, 6, Leg::Request, Some(77)));
            // All of it quoted, and as little as a host may.
            for quoted in [request.len(), if kind == Kind::Udp { 26 } else { 8 }] {
                let packet = &frame(1, 2, protocol, claimed, &request[..quoted])[14..];
                for (code, is_port) in [(3, true), (1, false)] {
                    let error = [&[3, code, 0, 0, 0, 0, 0, 0][..], packet].concat();
                    let bytes = frame(2, 1, 1, error.len() as u16, &error);
                    let bytes = RecordBuilder::new(RecordType::ETH).payload(&bytes).append_fcs().to_vec().unwrap();
                    let back = echo_of(&Record::parse(&bytes).unwrap());
                    assert_eq!(back.is_some(), is_port, "that the host is not there is no answer of it");
                    let Some(back) = back else { continue };
                    assert_eq!((back.ident, back.seq, back.leg, back.identification), (5, 6, Leg::Reply, Some(77)));
                    assert_eq!(back.content == sent.content, quoted == request.len() || kind == tcp);
                    assert_eq!(back.cut, back.content != sent.content);
                }
            }
        }
        // A refused ping is none: hosts do not answer so.
        let error = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &frame(1, 2, 1, 8, &[8, 0, 0, 0, 0, 1, 0, 1])[14..]].concat();
        let bytes =
            RecordBuilder::new(RecordType::ETH).payload(&frame(2, 1, 1, error.len() as u16, &error)).to_vec().unwrap();
        assert_eq!(echo_of(&Record::parse(&bytes).unwrap()), None);
    }

    #[test]
    fn segments_of_a_probe_are_known_on_both_ways() {
        let ends = Ends::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into()).unwrap();
        let request = crate::message::request(Kind::Tcp { ends, port: 80 }, key(5, 6), [1; 8], 40);
        let echo = |bytes: &[u8]| {
            echo_of(
                &Record::parse(&RecordBuilder::new(RecordType::ETH).payload(bytes).append_fcs().to_vec().unwrap())
                    .unwrap(),
            )
        };
        let sent = echo(&frame(1, 2, 6, request.len() as u16, &request)).unwrap();
        for listens in [true, false] {
            let reply = crate::message::tests_tcp::answered(&request, listens);
            let back = echo(&frame(2, 1, 6, reply.len() as u16, &reply)).unwrap();
            assert_eq!((back.ident, back.seq, back.leg, back.content), (5, 6, Leg::Reply, sent.content));
        }
        assert_eq!(sent.bytes, 14 + 20 + 40 + 4);
    }

    #[test]
    fn a_snapped_echo_is_enough_and_what_is_none_is_none() {
        assert_eq!(seen(&record(key(1, 2), Leg::Request, 1, 48)), Some((key(1, 2), Leg::Request)));
        assert_eq!(seen(&record(key(1, 2), Leg::Request, 1, 40)), None, "the sequence number is not there");
        let udp = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(8, 9);
        let mut frame = Vec::new();
        udp.write(&mut frame, &[8, 0, 0, 0, 0, 1, 0, 1]).unwrap();
        assert_eq!(seen(&RecordBuilder::new(RecordType::ETH).payload(&frame).to_vec().unwrap()), None);
        let mut probe = crate::message::request(crate::message::Kind::Udp, key(5, 6), [1; 8], 100);
        for leg in [Leg::Request, Leg::Reply] {
            let mut frame = Vec::new();
            let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(8, 9);
            builder.write(&mut frame, &probe).unwrap();
            assert_eq!(
                seen(&RecordBuilder::new(RecordType::ETH).payload(&frame).to_vec().unwrap()),
                Some((key(5, 6), leg))
            );
            crate::message::reflect(&mut probe);
        }
        assert_eq!(seen(&RecordBuilder::new(RecordType::HDLC_POS).payload(&frame).to_vec().unwrap()), None);
    }
}
