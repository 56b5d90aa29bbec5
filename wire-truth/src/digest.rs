//! Which packet it is, whatever the way has done to it: a digest of what does not change between two places.
//!
//! Left out is what a switch, a router or a network card changes: link headers with VLAN tags and MPLS labels, the TTL or hop limit, DSCP
//! and ECN, IPv4 options and the header checksum, and the checksums of TCP, UDP and ICMP, which a host leaves to its card. Kept are
//! addresses, protocol, length, identification and fragment, and the first bytes behind the IP header, as many on both sides. Behind
//! extension headers of IPv6 checksums are not looked for, and count.
//!
//! A digest has 64 bits. Of 10 million packets, each compared with a million others, two different ones are taken for the same with
//! a probability of 10^13 / 2^64, which is 5 in 10 million. Translated addresses (NAT) make it another packet.

use std::hash::{DefaultHasher, Hasher};

use erf::{Record, RecordType};

/// Bytes behind the IP header that are compared unless said otherwise: a TCP header with its options, or a UDP header with 32 bytes. With
/// Ethernet, two VLAN tags and IPv6 a capture must hold 102 bytes of each packet.
pub const DIGEST_BYTES: usize = 40;

/// What a record says about which packet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Digest {
    /// The same for the same packet at any place.
    Packet(u64),
    /// The record holds fewer bytes of the packet than are compared.
    Snapped,
    /// The link layer is none that is known here, or the packet is not what its headers say.
    Other,
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86DD;
const ARP: u16 = 0x0806;
const TAGS: [u16; 3] = [0x8100, 0x88A8, 0x9100];
const MPLS: [u16; 2] = [0x8847, 0x8848];

/// What of a packet does not change, side by side: hashed at once it takes two fifths fewer instructions than part by part.
struct Gathered {
    bytes: [u8; Self::MOST],
    len: usize,
    hasher: DefaultHasher,
}

impl Gathered {
    /// Of IPv6, 40 bytes of its header and as many behind it.
    const MOST: usize = 2 + 40 + DIGEST_BYTES;

    fn of(kind: u16) -> Self {
        let mut gathered = Self { bytes: [0; Self::MOST], len: 0, hasher: DefaultHasher::new() };
        gathered.put(&kind.to_ne_bytes());
        gathered
    }

    fn put(&mut self, more: &[u8]) {
        match self.bytes.get_mut(self.len..self.len + more.len()) {
            Some(place) => {
                place.copy_from_slice(more);
                self.len += more.len();
            }
            // More is compared than usual.
            None => {
                self.hasher.write(&self.bytes[..self.len]);
                self.len = 0;
                self.hasher.write(more);
            }
        }
    }

    fn finish(mut self) -> u64 {
        self.hasher.write(&self.bytes[..self.len]);
        self.hasher.finish()
    }
}

/// The digest of a packet, of which `bytes` bytes behind the IP header count; on Ethernet (with VLAN tags and MPLS labels or without), HDLC
/// (Cisco's or PPP) or no link layer.
///
/// The end of the record is not trusted: behind the packet there may be padding and a frame check sequence. Of a frame that is not IP up to
/// 40 bytes count, and of ARP all 28.
pub fn digest_of(record: &Record<'_>, bytes: usize) -> Digest {
    look(record, bytes).0
}

/// The addresses of a packet of IP, of 4 or 16 bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends<'a> {
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a [u8],
}

impl<'a> Ends<'a> {
    fn of(kind: u16, packet: &'a [u8]) -> Option<Self> {
        let both = match kind {
            IPV4 => packet.get(12..20)?,
            IPV6 => packet.get(8..40)?,
            _ => return None,
        };
        let (from, to) = both.split_at(both.len() / 2);
        Some(Self { from, to })
    }
}

/// The digest of a packet, and its ends.
pub(crate) fn look<'a>(record: &Record<'a>, bytes: usize) -> (Digest, Option<Ends<'a>>) {
    let payload = record.payload();
    let link = match record.record_type() {
        kind if kind.is_ethernet() => ethernet(payload),
        RecordType::IPV4 => Some((IPV4, payload)),
        RecordType::IPV6 => Some((IPV6, payload)),
        RecordType::HDLC_POS | RecordType::COLOR_HDLC_POS | RecordType::DSM_COLOR_HDLC_POS => hdlc(payload),
        _ => return (Digest::Other, None),
    };
    let ends = link.and_then(|(kind, packet)| Ends::of(kind, packet));
    let digest = match link {
        Some((IPV4, packet)) => ipv4(packet, bytes),
        Some((IPV6, packet)) => ipv6(packet, bytes),
        Some((kind, frame)) => {
            let before = payload.len() - frame.len();
            let on_wire = usize::from(record.wire_len()).saturating_sub(before);
            return (other(kind, frame, on_wire, bytes), None);
        }
        None => None,
    };
    let digest = match digest {
        Some(digest) => digest,
        // Headers end where the record does: by its snap length, or because the packet is none.
        None if record.is_snapped() => Digest::Snapped,
        None => Digest::Other,
    };
    (digest, ends)
}

/// Two bytes at `at`, as one number.
fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The EtherType behind all tags and labels, with what it is the type of.
fn ethernet(frame: &[u8]) -> Option<(u16, &[u8])> {
    let mut kind = short(frame, 12)?;
    let mut rest = frame.get(14..)?;
    while TAGS.contains(&kind) {
        kind = short(rest, 2)?;
        rest = rest.get(4..)?;
    }
    if !MPLS.contains(&kind) {
        return Some((kind, rest));
    }
    loop {
        let label = rest.first_chunk::<4>()?;
        rest = rest.get(4..)?;
        // The bottom of the stack; what is behind it no label says.
        if label[2] & 1 == 1 {
            break;
        }
    }
    match rest.first()? >> 4 {
        4 => Some((IPV4, rest)),
        6 => Some((IPV6, rest)),
        _ => Some((kind, rest)),
    }
}

/// As [`ethernet`], for Cisco HDLC and PPP, which the record type does not tell apart.
fn hdlc(frame: &[u8]) -> Option<(u16, &[u8])> {
    let kind = match (frame.first_chunk::<2>()?, short(frame, 2)?) {
        ([0x0F | 0x8F, 0], kind) => kind,
        ([0xFF, 3], 0x0021) => IPV4,
        ([0xFF, 3], 0x0057) => IPV6,
        ([0xFF, 3], protocol) => protocol,
        _ => return None,
    };
    Some((kind, frame.get(4..)?))
}

fn ipv4(packet: &[u8], bytes: usize) -> Option<Digest> {
    let header = packet.first_chunk::<20>()?;
    let header_len = usize::from(header[0] & 0x0F) * 4;
    let total = usize::from(short(header, 2)?);
    if header[0] >> 4 != 4 || header_len < 20 || total < header_len {
        return Some(Digest::Other);
    }
    let mut gathered = Gathered::of(IPV4);
    // Length, identification, flags and offset.
    gathered.put(&header[2..8]);
    gathered.put(&header[9..10]);
    gathered.put(&header[12..20]);
    let first_fragment = short(header, 6)? & 0x1FFF == 0;
    let protocol = first_fragment.then_some(header[9]);
    Some(body(gathered, packet.get(header_len..).unwrap_or_default(), total - header_len, protocol, bytes))
}

fn ipv6(packet: &[u8], bytes: usize) -> Option<Digest> {
    let header = packet.first_chunk::<40>()?;
    if header[0] >> 4 != 6 {
        return Some(Digest::Other);
    }
    let mut gathered = Gathered::of(IPV6);
    // The flow label, without the traffic class that shares a byte with it.
    gathered.put(&[header[1] & 0x0F, header[2], header[3]]);
    // Payload length and next header.
    gathered.put(&header[4..7]);
    gathered.put(&header[8..40]);
    let length = usize::from(short(header, 4)?);
    Some(body(gathered, &packet[40..], length, Some(header[6]), bytes))
}

/// What follows the IP header: `have` is what the record holds, `length` what the packet has.
fn body(mut gathered: Gathered, have: &[u8], length: usize, protocol: Option<u8>, bytes: usize) -> Digest {
    let Some(used) = have.get(..length.min(bytes)) else { return Digest::Snapped };
    let checksum = match protocol {
        Some(1 | 58) => 2,
        Some(6) => 16,
        Some(17) => 6,
        _ => used.len(),
    };
    let (before, behind) = used.split_at(checksum.min(used.len()));
    gathered.put(before);
    gathered.put(behind.get(2..).unwrap_or_default());
    Digest::Packet(gathered.finish())
}

/// A frame that is not IP. Its length is told by nothing, and a short one is filled up with zeros and a check sequence on its way; on no
/// Ethernet do these begin with the check sequence before byte 42.
fn other(kind: u16, frame: &[u8], on_wire: usize, bytes: usize) -> Digest {
    let most = if kind == ARP { 28 } else { bytes.min(40) };
    if frame.len() < most.min(on_wire.saturating_sub(4)) {
        return Digest::Snapped;
    }
    let mut filled = [0; 40];
    let used = frame.len().min(most);
    filled[..used].copy_from_slice(&frame[..used]);
    let mut gathered = Gathered::of(kind);
    gathered.put(&filled);
    Digest::Packet(gathered.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use erf::RecordBuilder;
    use etherparse::{PacketBuilder, VlanId};

    /// A UDP packet on Ethernet.
    fn udp(ident: u16, ttl: u8, body: &[u8]) -> Vec<u8> {
        let mut header =
            etherparse::Ipv4Header::new(0, ttl, etherparse::IpNumber::UDP, [10, 0, 0, 1], [10, 0, 0, 2]).unwrap();
        header.identification = ident;
        let builder =
            PacketBuilder::ethernet2([2; 6], [4; 6]).ip(etherparse::IpHeaders::Ipv4(header, Default::default()));
        let mut frame = Vec::new();
        builder.udp(7, 9).write(&mut frame, body).unwrap();
        frame
    }

    fn of(frame: &[u8]) -> Digest {
        digest_of(
            &Record::parse(&RecordBuilder::new(RecordType::ETH).payload(frame).append_fcs().to_vec().unwrap()).unwrap(),
            40,
        )
    }

    fn known(digest: Digest) -> u64 {
        match digest {
            Digest::Packet(digest) => digest,
            none => panic!("{none:?}"),
        }
    }

    /// How the bytes are brought to the hash is nothing of the packet's.
    #[test]
    fn parts_are_hashed_as_one() {
        for len in [0, 1, 40, 79, 80, 81, 82, 200] {
            let bytes: Vec<u8> = (0..len).map(|byte| byte as u8).collect();
            for step in [1, 7, 200] {
                let (mut gathered, mut plain) = (Gathered::of(IPV6), DefaultHasher::new());
                plain.write_u16(IPV6);
                for part in bytes.chunks(step) {
                    gathered.put(part);
                    plain.write(part);
                }
                assert_eq!(gathered.finish(), plain.finish(), "{len} by {step}");
            }
        }
    }

    #[test]
    fn what_the_way_changes_does_not_count() {
        let frame = udp(77, 64, &[5; 100]);
        let expected = known(of(&frame));
        // One hop on: TTL and header checksum.
        assert_eq!(of(&udp(77, 63, &[5; 100])), Digest::Packet(expected));
        let mut changed = frame.clone();
        changed[14 + 1] = 0xB8 | 3;
        changed[14 + 10] ^= 0xFF;
        changed[14 + 20 + 6] ^= 0xFF;
        changed[..12].fill(9);
        assert_eq!(of(&changed), Digest::Packet(expected), "DSCP and ECN, both checksums, link addresses");
        // Two tags and two labels.
        let mut tagged = frame[..12].to_vec();
        tagged.extend([0x88, 0xA8, 0, 1, 0x81, 0, 0, 7, 0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64]);
        tagged.extend(&frame[14..]);
        assert_eq!(of(&tagged), Digest::Packet(expected));
        // No link layer, or another one.
        let bare = RecordBuilder::new(RecordType::IPV4).payload(&frame[14..]).to_vec().unwrap();
        assert_eq!(digest_of(&Record::parse(&bare).unwrap(), 40), Digest::Packet(expected));
        let cisco = [&[0x0F, 0, 8, 0], &frame[14..]].concat();
        let record = RecordBuilder::new(RecordType::HDLC_POS).payload(&cisco).to_vec().unwrap();
        assert_eq!(digest_of(&Record::parse(&record).unwrap(), 40), Digest::Packet(expected));
    }

    #[test]
    fn what_is_the_packets_own_counts() {
        let base = of(&udp(77, 64, &[5; 100]));
        assert_ne!(of(&udp(78, 64, &[5; 100])), base, "identification");
        assert_ne!(of(&udp(77, 64, &[5; 101])), base, "length");
        let frame = udp(77, 64, &[5; 100]);
        for at in [14 + 9, 14 + 12, 14 + 19, 14 + 20, 14 + 20 + 3, 14 + 20 + 8, 14 + 20 + 39] {
            let mut changed = frame.clone();
            changed[at] ^= 0x40;
            assert_ne!(of(&changed), base, "byte {at}");
        }
        let mut beyond = frame.clone();
        beyond[14 + 20 + 40] ^= 1;
        assert_eq!(of(&beyond), base, "behind the bytes that are compared");
        // Behind the first fragment there is no checksum to be left out.
        let mut fragment = frame.clone();
        fragment[14 + 7] = 8;
        let whole = of(&fragment);
        fragment[14 + 20 + 6] ^= 1;
        assert_ne!(of(&fragment), whole);
    }

    #[test]
    fn ipv6_without_hop_limit_and_class() {
        let packet = |label: u8| {
            let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).single_vlan(VlanId::try_new(7).unwrap());
            let mut frame = Vec::new();
            builder.ipv6([1; 16], [2; 16], 64).udp(1, 2).write(&mut frame, &[1; 56]).unwrap();
            frame[18 + 3] = label;
            frame
        };
        let base = of(&packet(1));
        let mut changed = packet(1);
        changed[18] = 0x6F;
        changed[18 + 1] |= 0xF0;
        changed[18 + 7] = 3;
        assert!(matches!(base, Digest::Packet(_)));
        assert_eq!(of(&changed), base);
        assert_ne!(of(&packet(2)), base, "the flow label");
    }

    #[test]
    fn snapped_is_not_short() {
        let frame = udp(77, 64, &[5; 100]);
        let snapped = |keep: usize| {
            let wire = frame.len() as u16 + 4;
            let bytes = RecordBuilder::new(RecordType::ETH).payload(&frame[..keep]).wire_len(wire).to_vec().unwrap();
            // Records are padded to a multiple of eight, and the padding is not the packet's.
            digest_of(&Record::parse(&bytes).unwrap(), 40)
        };
        assert_eq!(snapped(78), of(&frame), "40 bytes behind the header are there");
        for keep in [14, 32, 40, 62] {
            assert_eq!(snapped(keep), Digest::Snapped, "{keep}");
        }
        // Short, and filled up on the wire with anything.
        let short = udp(77, 64, &[5; 2]);
        let filled = [&short[..], &[0xEE; 16]].concat();
        assert_eq!(of(&filled), of(&short));
    }

    #[test]
    fn frames_that_are_not_ip() {
        let arp = |last: u8| [&[0xFF; 12][..], &[8, 6], &[7; 27], &[last]].concat();
        let padded = [&arp(1)[..], &[0; 18]].concat();
        assert_eq!(of(&padded), of(&arp(1)));
        assert_ne!(of(&arp(1)), of(&arp(2)));
        let record = RecordBuilder::new(RecordType::INFINIBAND).payload(&arp(1)).to_vec().unwrap();
        assert_eq!(digest_of(&Record::parse(&record).unwrap(), 40), Digest::Other);
        let mut broken = udp(1, 1, &[0; 40]);
        broken[14] = 0x44;
        assert_eq!(of(&broken), Digest::Other);
    }
}
