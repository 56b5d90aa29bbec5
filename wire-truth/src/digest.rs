//! The same packet known again at another place: a digest of what no device on the way changes.
//!
//! Left out: the link layer with its VLAN tags, the time to live (hop limit), DSCP and ECN (traffic class), and every checksum, which follow from
//! these or are filled in later. What stays: addresses, protocol, length, identification, fragment, the transport header and the first bytes of
//! data. Two packets that agree in all of these are told apart by nothing, and counted as ambiguous.

use std::hash::{DefaultHasher, Hash, Hasher};

use erf::{Record, RecordType};
use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice, ether_type};

/// Bytes behind the network header that are looked at: enough for a TCP header without options and some data. A capture with a snap length
/// of 96 has them behind Ethernet, a VLAN tag and IPv6.
pub const LOOKED_AT: usize = 36;

/// What a record gives to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// The packet, as 64 bits. That two different ones of a million held at once have the same has a probability of 1 : 10^13 each.
    Packet(u64),
    /// Not enough of it was captured.
    Snapped,
    /// No packet of IP, or on a link whose packets are not looked into.
    Other,
}

/// The digest of a packet. Its layout belongs to this version of the crate: digests are not to be kept.
pub fn digest_of(record: &Record<'_>) -> Digest {
    let payload = record.payload();
    let packet = match record.record_type() {
        kind if kind.is_ethernet() => match LaxSlicedPacket::from_ethernet(payload) {
            Ok(packet) => packet,
            Err(_) => return Digest::Other,
        },
        RecordType::IPV4 => LaxSlicedPacket::from_ether_type(EtherType(ether_type::IPV4.0), payload),
        RecordType::IPV6 => LaxSlicedPacket::from_ether_type(EtherType(ether_type::IPV6.0), payload),
        _ => return Digest::Other,
    };
    // The same for every run, unlike that of a hash map.
    let mut hash = DefaultHasher::new();
    let (body, length) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let fragment = (header.is_fragmenting_payload(), header.fragments_offset().value());
            (4u8, header.source(), header.destination(), header.protocol().0).hash(&mut hash);
            (header.total_len(), header.identification(), fragment).hash(&mut hash);
            let length = usize::from(header.total_len()).saturating_sub(usize::from(header.ihl()) * 4);
            (ip.payload().payload, length)
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            (6u8, header.source(), header.destination(), header.next_header().0).hash(&mut hash);
            (header.payload_length(), header.flow_label().value()).hash(&mut hash);
            let extensions = ip.extensions().slice();
            // Routers change none of them that most packets have.
            extensions.hash(&mut hash);
            (ip.payload().payload, usize::from(header.payload_length()).saturating_sub(extensions.len()))
        }
        _ => return Digest::Other,
    };
    let wanted = length.min(LOOKED_AT);
    let Some(body) = body.get(..wanted) else { return Digest::Snapped };
    // Where the checksum of the transport is, by its first byte.
    let checksum = match &packet.transport {
        Some(TransportSlice::Tcp(_)) => Some(16),
        Some(TransportSlice::Udp(_)) => Some(6),
        Some(TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_)) => Some(2),
        _ => None,
    };
    match checksum {
        Some(at) if body.len() >= at + 2 => (&body[..at], &body[at + 2..]).hash(&mut hash),
        _ => body.hash(&mut hash),
    }
    Digest::Packet(hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use erf::RecordBuilder;
    use etherparse::{PacketBuilder, VlanId};

    fn digest(frame: &[u8]) -> Digest {
        digest_of(&Record::parse(&RecordBuilder::new(RecordType::ETH).payload(frame).to_vec().unwrap()).unwrap())
    }

    /// A datagram of ours, IPv4 or IPv6, tagged or not.
    fn frame(v6: bool, vlan: bool, ttl: u8, data: &[u8]) -> Vec<u8> {
        let link = PacketBuilder::ethernet2([ttl; 6], [4; 6]);
        let mut frame = Vec::new();
        macro_rules! on {
            ($link:expr) => {
                if v6 {
                    $link.ipv6([1; 16], [2; 16], ttl).udp(5, 6).write(&mut frame, data).unwrap()
                } else {
                    $link.ipv4([10, 0, 0, 1], [10, 0, 0, 2], ttl).udp(5, 6).write(&mut frame, data).unwrap()
                }
            };
        }
        if vlan {
            on!(link.single_vlan(VlanId::try_new(9).unwrap()))
        } else {
            on!(link)
        }
        frame
    }

    #[test]
    fn what_the_way_changes_does_not_count_and_what_tells_packets_apart_does() {
        for v6 in [false, true] {
            let one = digest(&frame(v6, false, 64, b"some data of ours"));
            assert!(matches!(one, Digest::Packet(_)), "{one:?}");
            assert_eq!(one, digest(&frame(v6, true, 64, b"some data of ours")), "a tag");
            assert_eq!(
                one,
                digest(&frame(v6, false, 60, b"some data of ours")),
                "time to live and addresses of the link"
            );
            let mut other = frame(v6, false, 64, b"some data of ours");
            let udp = if v6 { 14 + 40 } else { 14 + 20 };
            other[udp + 6] ^= 0xFF;
            assert_eq!(one, digest(&other), "a checksum");
            // DSCP or traffic class.
            other[15] ^= if v6 { 0x30 } else { 0xFC };
            assert_eq!(one, digest(&other), "a class of traffic");
            other[udp + 1] ^= 1;
            assert_ne!(one, digest(&other), "a port");
            assert_ne!(one, digest(&frame(v6, false, 64, b"some data of OURS")), "data");
            assert_ne!(one, digest(&frame(v6, false, 64, b"some data of ours.")), "length");
        }
        let mut other = frame(false, false, 64, b"x");
        let before = digest(&other);
        other[18] ^= 1;
        assert_ne!(digest(&other), before, "identification");
    }

    #[test]
    fn snapped_and_padded_ones_are_the_same_as_long_as_enough_is_there() {
        let whole = frame(false, false, 64, &[7; 400]);
        assert_eq!(digest(&whole), digest(&whole[..14 + 20 + LOOKED_AT]));
        assert_eq!(digest(&whole[..14 + 20 + LOOKED_AT - 1]), Digest::Snapped);
        let mut short = frame(false, false, 64, b"ab");
        let before = digest(&short);
        short.resize(64, 0xEE);
        assert_eq!(digest(&short), before, "padding and a frame check sequence");
        assert_eq!(digest(&[0xFF; 60]), Digest::Other);
        let record = RecordBuilder::new(RecordType::HDLC_POS).payload(&whole).to_vec().unwrap();
        assert_eq!(digest_of(&Record::parse(&record).unwrap()), Digest::Other);
    }
}
