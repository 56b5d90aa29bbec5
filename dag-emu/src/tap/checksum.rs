//! Checksums that a sender left to its network interface, completed.
//!
//! A host with checksum offload writes only the sum over the pseudo header into the checksum field
//! and leaves the rest to the interface. A tap in front of that interface, or behind a virtual one
//! that never does the work (veth, loopback), sees the unfinished field: a frame that no wire would
//! carry. The kernel marks such frames (`TP_STATUS_CSUMNOTREADY`), without saying where the field
//! is.
//!
//! This module looks for it: TCP or UDP directly in IPv4 or IPv6, behind any VLAN tags and behind
//! those IPv6 extension headers that do not change the pseudo header. It completes a checksum only
//! if the field holds exactly the sum that the kernel would have left there. So in a tunnel, where
//! the unfinished checksum is that of an inner packet, a finished outer one is never overwritten;
//! the frame is then left as it is and counted.

use super::vlan;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86DD;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What became of a frame's transport checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChecksumState {
    /// The kernel did not call it unfinished: it is as it was sent.
    Complete,
    /// The sender left it to its interface; the tap completed it.
    CompletedByUs,
    /// The sender left it to its interface, and the tap could not complete it: the frame is cut, a
    /// fragment, or neither TCP nor UDP directly in IP. The field holds the sum over the pseudo
    /// header, not a checksum.
    Partial,
}

/// Two bytes of a frame to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patch {
    /// Offset from the start of the frame that was looked at.
    pub(super) offset: usize,
    /// The checksum, network byte order.
    pub(super) value: [u8; 2],
}

/// The patch that completes the unfinished checksum of `frame`, a whole Ethernet frame without FCS.
pub(super) fn complete(frame: &[u8]) -> Option<Patch> {
    let (kind, at) = vlan::ethertype(frame)?;
    let packet = frame.get(at..)?;
    let segment = match kind {
        ETHERTYPE_IPV4 => ipv4(packet)?,
        ETHERTYPE_IPV6 => ipv6(packet)?,
        _ => return None,
    };
    let (field, least) = match segment.protocol {
        TCP => (16, 20),
        UDP => (6, 8),
        _ => return None,
    };
    let bytes = packet.get(segment.at..segment.end)?;
    if bytes.len() < least {
        return None;
    }
    let length = u32::try_from(bytes.len()).ok()?;
    let seed = add(segment.addresses, add(sum(&length.to_be_bytes()), u16::from(segment.protocol)));
    let left_there = u16::from_be_bytes(*bytes.get(field..)?.first_chunk()?);
    // 0 and 0xFFFF are one number in ones' complement.
    if left_there % 0xFFFF != seed % 0xFFFF {
        return None;
    }
    // The field holds the seed, so the sum over the segment is the sum over pseudo header and
    // segment with an empty field.
    let checksum = match (!sum(bytes), segment.protocol) {
        (0, UDP) => 0xFFFF, // RFC 768: zero would say "no checksum".
        (checksum, _) => checksum,
    };
    Some(Patch { offset: at + segment.at + field, value: checksum.to_be_bytes() })
}

/// Where the transport segment lies in an IP packet, and its share of the pseudo header.
struct Segment {
    protocol: u8,
    at: usize,
    end: usize,
    /// Ones' complement sum over both addresses.
    addresses: u16,
}

fn ipv4(packet: &[u8]) -> Option<Segment> {
    let header = packet.first_chunk::<20>()?;
    let header_len = usize::from(header[0] & 0x0F) * 4;
    let end = usize::from(u16::from_be_bytes([header[2], header[3]]));
    // More fragments, or an offset: the segment is not all here.
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3FFF != 0;
    if header[0] >> 4 != 4 || header_len < 20 || end < header_len || fragment {
        return None;
    }
    Some(Segment { protocol: header[9], at: header_len, end, addresses: sum(&header[12..20]) })
}

fn ipv6(packet: &[u8]) -> Option<Segment> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    const DESTINATION: u8 = 60;

    let header = packet.first_chunk::<40>()?;
    if header[0] >> 4 != 6 {
        return None;
    }
    let end = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
    let (mut protocol, mut at) = (header[6], 40);
    // Ends: every turn moves on by eight bytes or more, and the packet is at most 64 KiB.
    loop {
        if !matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION) {
            return Some(Segment { protocol, at, end, addresses: sum(&header[8..40]) });
        }
        let extension = packet.get(at..end)?.first_chunk::<8>()?;
        at += match protocol {
            FRAGMENT => {
                // Only an atomic fragment (RFC 6946) holds the whole segment.
                if u16::from_be_bytes([extension[2], extension[3]]) & 0xFFF9 != 0 {
                    return None;
                }
                8
            }
            // With segments left the pseudo header holds the last destination, which is in the
            // routing header.
            ROUTING if extension[3] != 0 => return None,
            AUTHENTICATION => (usize::from(extension[1]) + 2) * 4,
            _ => (usize::from(extension[1]) + 1) * 8,
        };
        protocol = extension[0];
    }
}

/// Ones' complement sum (RFC 1071) of `data` as 16-bit words in network byte order, an odd last
/// byte padded with zero.
fn sum(data: &[u8]) -> u16 {
    // Words are added in host order, four bytes at a time, and swapped once at the end (RFC 1071
    // section 2 B). 2^32 words would be needed to overflow 64 bits.
    let (words, rest) = data.as_chunks::<4>();
    let mut total: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    total += u64::from(u32::from_ne_bytes(last));
    let total = (total >> 32) + (total & 0xFFFF_FFFF);
    let total = (total >> 32) + (total & 0xFFFF_FFFF);
    let total = (total >> 16) + (total & 0xFFFF);
    let total = (total >> 16) + (total & 0xFFFF);
    let total = (total >> 16) + (total & 0xFFFF);
    u16::from_be(u16::try_from(total).unwrap_or(u16::MAX))
}

/// Ones' complement addition.
fn add(a: u16, b: u16) -> u16 {
    let (total, carry) = a.overflowing_add(b);
    total + u16::from(carry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::*;
    use proptest::prelude::*;

    /// RFC 1071 as it is written there, one word at a time.
    fn naive(chunks: &[&[u8]]) -> u16 {
        let mut total = 0u32;
        for chunk in chunks {
            for word in chunk.chunks(2) {
                total += u32::from(word[0]) << 8 | word.get(1).map_or(0, |b| u32::from(*b));
                total = (total & 0xFFFF) + (total >> 16);
            }
        }
        total as u16
    }

    #[derive(Debug, Clone)]
    struct Wanted {
        v6: bool,
        tcp: bool,
        tags: usize,
        options: bool,
        padding: usize,
        payload: Vec<u8>,
        addresses: [u8; 32],
    }

    fn wanted() -> impl Strategy<Value = Wanted> {
        let payload = proptest::collection::vec(any::<u8>(), 0..300);
        (any::<bool>(), any::<bool>(), 0usize..3, any::<bool>(), 0usize..7, payload, any::<[u8; 32]>()).prop_map(
            |(v6, tcp, tags, options, padding, payload, addresses)| Wanted {
                v6,
                tcp,
                tags,
                options,
                padding,
                payload,
                addresses,
            },
        )
    }

    /// A right frame, and the range of its checksum.
    fn build(w: &Wanted) -> (Vec<u8>, usize) {
        let mut net = if w.v6 {
            let mut src = [0; 16];
            src.copy_from_slice(&w.addresses[..16]);
            let mut dst = [0; 16];
            dst.copy_from_slice(&w.addresses[16..]);
            let header = Ipv6Header { source: src, destination: dst, hop_limit: 64, ..Default::default() };
            let mut extensions = Ipv6Extensions::default();
            if w.options {
                extensions.hop_by_hop_options =
                    Some(Ipv6RawExtHeader::new_raw(IpNumber::UDP, &[1, 4, 0, 0, 0, 0]).unwrap());
                extensions.destination_options = Some(
                    Ipv6RawExtHeader::new_raw(IpNumber::UDP, &[1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(),
                );
            }
            IpHeaders::Ipv6(header, extensions)
        } else {
            let mut header = Ipv4Header { time_to_live: 64, ..Default::default() };
            header.source.copy_from_slice(&w.addresses[..4]);
            header.destination.copy_from_slice(&w.addresses[4..8]);
            if w.options {
                header.options = [1, 1, 1, 0].into();
            }
            IpHeaders::Ipv4(header, Default::default())
        };
        let mut transport = if w.tcp {
            TransportHeader::Tcp(TcpHeader::new(1000, 2000, 3, 4))
        } else {
            TransportHeader::Udp(UdpHeader {
                source_port: 1,
                destination_port: 2,
                length: (8 + w.payload.len()) as u16,
                checksum: 0,
            })
        };
        let number = if w.tcp { IpNumber::TCP } else { IpNumber::UDP };
        // Its answer is IPv4 for IPv6 too (etherparse 0.18.2).
        net.set_next_headers(number);
        let kind = if w.v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 };
        net.set_payload_len(transport.header_len() + w.payload.len()).unwrap();
        if let IpHeaders::Ipv4(header, _) = &mut net {
            header.header_checksum = header.calc_header_checksum();
        }
        match &net {
            IpHeaders::Ipv4(header, _) => transport.update_checksum_ipv4(header, &w.payload).unwrap(),
            IpHeaders::Ipv6(header, _) => transport.update_checksum_ipv6(header, &w.payload).unwrap(),
        }
        let mut frame = vec![2; 12];
        for tag in 0..w.tags {
            frame.extend(if tag == 0 && w.tags == 2 { [0x88, 0xA8] } else { [0x81, 0x00] });
            frame.extend([0, 7]);
        }
        frame.extend(kind.to_be_bytes());
        net.write(&mut frame).unwrap();
        let field = frame.len() + if w.tcp { 16 } else { 6 };
        transport.write(&mut frame).unwrap();
        frame.extend(&w.payload);
        frame.resize(frame.len() + w.padding, 0);
        (frame, field)
    }

    /// What the kernel leaves in the field when its interface is to finish the checksum.
    fn seed(w: &Wanted) -> u16 {
        let addresses = if w.v6 { &w.addresses[..] } else { &w.addresses[..8] };
        let length = (w.payload.len() + if w.tcp { 20 } else { 8 }) as u16;
        naive(&[addresses, &length.to_be_bytes(), &[0, if w.tcp { TCP } else { UDP }]])
    }

    proptest! {
        #[test]
        fn an_unfinished_checksum_becomes_the_right_one(w in wanted()) {
            let (right, field) = build(&w);
            let mut unfinished = right.clone();
            unfinished[field..field + 2].copy_from_slice(&seed(&w).to_be_bytes());
            let patch = complete(&unfinished).unwrap();
            prop_assert_eq!(patch.offset, field);
            unfinished[field..field + 2].copy_from_slice(&patch.value);
            prop_assert_eq!(unfinished, right);
        }

        #[test]
        fn a_field_that_the_kernel_would_not_have_left_is_not_touched(w in wanted(), other: u16) {
            prop_assume!(other % 0xFFFF != seed(&w) % 0xFFFF);
            let (mut frame, field) = build(&w);
            frame[field..field + 2].copy_from_slice(&other.to_be_bytes());
            prop_assert_eq!(complete(&frame), None);
        }

        #[test]
        fn no_cut_frame_is_completed(w in wanted(), cut in 1usize..400) {
            let (mut frame, field) = build(&w);
            frame[field..field + 2].copy_from_slice(&seed(&w).to_be_bytes());
            frame.truncate((frame.len() - w.padding).saturating_sub(cut));
            prop_assert_eq!(complete(&frame), None);
        }

        #[test]
        fn fragments_are_not_completed(w in wanted().prop_filter("IPv4", |w| !w.v6), flags in 1u16..0x4000) {
            let (mut frame, field) = build(&w);
            frame[field..field + 2].copy_from_slice(&seed(&w).to_be_bytes());
            let ip = 14 + 4 * w.tags;
            frame[ip + 6..ip + 8].copy_from_slice(&flags.to_be_bytes());
            prop_assert_eq!(complete(&frame), None);
        }

        #[test]
        fn any_damage_is_survived(w in wanted(), hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
            let (mut frame, field) = build(&w);
            frame[field..field + 2].copy_from_slice(&seed(&w).to_be_bytes());
            for (at, byte) in hits {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            if let Some(patch) = complete(&frame) {
                prop_assert!(patch.offset >= 14 && patch.offset + 2 <= frame.len());
            }
        }

        #[test]
        fn any_bytes_are_survived(frame in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(patch) = complete(&frame) {
                prop_assert!(patch.offset >= 14 && patch.offset + 2 <= frame.len());
            }
        }

        #[test]
        fn the_fast_sum_is_the_sum_of_rfc_1071(data in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(sum(&data) % 0xFFFF, naive(&[&data]) % 0xFFFF);
        }
    }

    #[test]
    fn a_sum_of_ones_does_not_overflow() {
        assert_eq!(sum(&[0xFF; 65536]), 0xFFFF);
    }

    #[test]
    fn udp_never_says_that_it_has_no_checksum() {
        let mut w = Wanted {
            v6: false,
            tcp: false,
            tags: 0,
            options: false,
            padding: 0,
            payload: vec![0, 0],
            addresses: [9; 32],
        };
        let (mut frame, field) = build(&w);
        // Bring the sum to 0xFFFF, whose complement is zero.
        let checksum = u16::from_be_bytes([frame[field], frame[field + 1]]);
        w.payload = checksum.to_be_bytes().to_vec();
        frame.truncate(frame.len() - 2);
        frame.extend(&w.payload);
        frame[field..field + 2].copy_from_slice(&seed(&w).to_be_bytes());
        assert_eq!(complete(&frame), Some(Patch { offset: field, value: [0xFF, 0xFF] }));
    }

    /// With segments left the pseudo header holds another destination; without, it is the plain
    /// one.
    #[test]
    fn a_routing_header_counts_only_when_it_is_used_up() {
        let w = Wanted {
            v6: true,
            tcp: false,
            tags: 0,
            options: false,
            padding: 0,
            payload: vec![5; 9],
            addresses: [3; 32],
        };
        let (mut frame, field) = build(&w);
        let right = [frame[field], frame[field + 1]];
        frame[field..field + 2].copy_from_slice(&seed(&w).to_be_bytes());
        let routing = [UDP, 2, 4, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
        frame.splice(54..54, routing);
        frame[14 + 6] = 43;
        let payload_len = u16::from_be_bytes([frame[18], frame[19]]) + 24;
        frame[18..20].copy_from_slice(&payload_len.to_be_bytes());
        assert_eq!(complete(&frame), Some(Patch { offset: field + 24, value: right }));
        frame[54 + 3] = 1;
        assert_eq!(complete(&frame), None);
    }

    #[test]
    fn an_atomic_fragment_is_a_whole_packet() {
        let w = Wanted {
            v6: true,
            tcp: true,
            tags: 1,
            options: false,
            padding: 0,
            payload: vec![5; 9],
            addresses: [7; 32],
        };
        let (mut frame, field) = build(&w);
        let right = [frame[field], frame[field + 1]];
        frame[field..field + 2].copy_from_slice(&seed(&w).to_be_bytes());
        frame.splice(58..58, [TCP, 0, 0, 0, 9, 9, 9, 9]);
        frame[18 + 6] = 44;
        let payload_len = u16::from_be_bytes([frame[22], frame[23]]) + 8;
        frame[22..24].copy_from_slice(&payload_len.to_be_bytes());
        assert_eq!(complete(&frame), Some(Patch { offset: field + 8, value: right }));
        for (offset_or_flag, byte) in [(60, 1), (61, 8), (61, 1)] {
            let mut fragment = frame.clone();
            fragment[offset_or_flag] = byte;
            assert_eq!(complete(&fragment), None, "part of a packet");
        }
    }

    /// An inner packet with an unfinished checksum in a UDP tunnel whose own checksum is finished
    /// or absent.
    #[test]
    fn the_outer_checksum_of_a_tunnel_is_left_alone() {
        let inner = Wanted {
            v6: false,
            tcp: true,
            tags: 0,
            options: false,
            padding: 0,
            payload: vec![1; 40],
            addresses: [3; 32],
        };
        let (mut packet, field) = build(&inner);
        packet[field..field + 2].copy_from_slice(&seed(&inner).to_be_bytes());
        let outer = Wanted { tcp: false, payload: packet, addresses: [8; 32], ..inner };
        let (mut frame, field) = build(&outer);
        assert_eq!(complete(&frame), None);
        frame[field..field + 2].fill(0);
        assert_eq!(complete(&frame), None);
    }
}
