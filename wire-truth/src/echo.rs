//! Which probe a packet belongs to: ICMP echoes, by identifier and sequence (RFC 792, RFC 4443), and the datagrams of `tping --udp`.

use std::hash::{DefaultHasher, Hasher};

use erf::{Record, RecordType};
use etherparse::{
    Icmpv4Type, Icmpv6Type, LaxNetSlice, LaxSlicedPacket, TransportSlice, ether_type::IPV4, ether_type::IPV6,
};

use crate::message::udp_probe;

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
}

/// Bytes of data that tell one probe from another: those of ping begin with a time, those of tping with a cookie.
const CONTENT: usize = 40;

/// The probe of an ICMP or ICMPv6 echo, or of a datagram of tping, on Ethernet (with VLAN tags or without) or on nothing; `None` for anything else. A record that was
/// snapped behind the ICMP header, or 18 bytes behind that of UDP, suffices. Of a fragmented echo the first fragment counts.
pub fn echo_of(record: &Record<'_>) -> Option<Echo> {
    let payload = record.payload();
    let packet = match record.record_type() {
        kind if kind.is_ethernet() => LaxSlicedPacket::from_ethernet(payload).ok()?,
        RecordType::IPV4 => LaxSlicedPacket::from_ether_type(IPV4, payload),
        RecordType::IPV6 => LaxSlicedPacket::from_ether_type(IPV6, payload),
        _ => return None,
    };
    let mut hasher = DefaultHasher::new();
    let identification = match packet.net? {
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
    let (leg, ident, seq, data) = match packet.transport? {
        TransportSlice::Icmpv4(icmp) => match icmp.icmp_type() {
            Icmpv4Type::EchoRequest(echo) => (Leg::Request, echo.id, echo.seq, icmp.payload()),
            Icmpv4Type::EchoReply(echo) => (Leg::Reply, echo.id, echo.seq, icmp.payload()),
            _ => return None,
        },
        TransportSlice::Icmpv6(icmp) => match icmp.icmp_type() {
            Icmpv6Type::EchoRequest(echo) => (Leg::Request, echo.id, echo.seq, icmp.payload()),
            Icmpv6Type::EchoReply(echo) => (Leg::Reply, echo.id, echo.seq, icmp.payload()),
            _ => return None,
        },
        TransportSlice::Udp(udp) => {
            let (key, leg) = udp_probe(udp.payload())?;
            // Behind what says which leg it is.
            (leg, key.ident, key.seq, udp.payload().get(6..).unwrap_or_default())
        }
        TransportSlice::Tcp(_) => return None,
    };
    hasher.write(&data[..data.len().min(CONTENT)]);
    let cut = record.is_snapped() && data.len() < CONTENT;
    Some(Echo { ident, seq, leg, content: hasher.finish(), identification, cut })
}

/// The same for both ways.
fn hash_ends<const N: usize>(hasher: &mut DefaultHasher, one: [u8; N], other: [u8; N]) {
    hasher.write(&one.min(other));
    hasher.write(&one.max(other));
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
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
