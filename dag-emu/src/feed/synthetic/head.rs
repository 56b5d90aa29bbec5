//! [`Head`]: a frame up to its packet number, made once for each direction of a conversation and touched up for each packet.

use etherparse::{
    EtherType, Ethernet2Header, IcmpEchoHeader, Icmpv4Header, Icmpv4Type, IpNumber, Ipv4Header, Ipv6Header, TcpHeader,
    UdpHeader,
};

use super::filler::{Filler, fold, sum};
use super::number;

const ETHERNET: usize = Ethernet2Header::LEN;
const IPV4: usize = Ipv4Header::MIN_LEN;
const IPV6: usize = Ipv6Header::LEN;
const FCS: u16 = 4;
/// The longest: Ethernet, IPv6, TCP, packet number.
const ROOM: usize = ETHERNET + IPV6 + TcpHeader::MIN_LEN + number::LEN;
const TTL: u8 = 64;
/// The window of all TCP segments, the largest without scaling.
const WINDOW: u16 = u16::MAX;

/// The addresses of one direction.
#[derive(Debug, Clone, Copy)]
pub(super) enum Addresses {
    V4 { source: [u8; 4], destination: [u8; 4] },
    V6 { source: [u8; 16], destination: [u8; 16] },
}

/// What a frame carries over IP.
#[derive(Debug, Clone, Copy)]
pub(super) enum Transport {
    Udp { source: u16, destination: u16 },
    Tcp { source: u16, destination: u16 },
    EchoRequest { identifier: u16 },
    EchoReply { identifier: u16 },
}

/// What changes from packet to packet besides length and number.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// Sequence number of TCP, or of an echo (16 bits).
    pub(super) sequence: u32,
    /// Acknowledgement number of TCP.
    pub(super) acknowledgment: u32,
}

/// A frame up to and with its packet number. Filler and FCS follow.
#[derive(Debug, Clone)]
pub(super) struct Head {
    bytes: [u8; ROOM],
    len: u16,
    /// Where the transport header begins.
    l4: u16,
    layout: Layout,
    /// Sum of the IPv4 header without length and checksum.
    ip_sum: u64,
    /// Sum of pseudo header and transport header without what changes.
    l4_sum: u64,
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    Udp,
    Tcp,
    Echo,
}

impl Head {
    /// A head of everything that does not change.
    pub(super) fn new(macs: [[u8; 6]; 2], addresses: Addresses, transport: Transport) -> Self {
        let (protocol, layout) = match transport {
            Transport::Udp { .. } => (IpNumber::UDP, Layout::Udp),
            Transport::Tcp { .. } => (IpNumber::TCP, Layout::Tcp),
            Transport::EchoRequest { .. } | Transport::EchoReply { .. } => (IpNumber::ICMP, Layout::Echo),
        };
        let (ether_type, ip, pseudo) = network(addresses, protocol);
        let [source, destination] = macs;
        let ethernet = Ethernet2Header { source, destination, ether_type }.to_bytes();
        let l4 = self::transport(transport);
        // An ICMP checksum (RFC 792) covers no pseudo header.
        let pseudo = if matches!(layout, Layout::Echo) { 0 } else { pseudo + u64::from(protocol.0) };

        let mut bytes = [0; ROOM];
        let mut len = 0;
        for part in [&ethernet, ip.as_slice(), &l4, &[0; number::LEN]] {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        Self {
            bytes,
            // At most ROOM.
            len: len as u16,
            l4: (ETHERNET + ip.len()) as u16,
            layout,
            ip_sum: sum(&ip),
            l4_sum: pseudo + sum(&l4),
        }
    }

    /// Bytes of filler in a frame of `size` bytes with this head; `None` if it has no room for the head.
    #[inline]
    pub(super) const fn filler(&self, size: u16) -> Option<u16> {
        size.checked_sub(self.len + FCS)
    }

    /// Bytes that the transport carries in a frame with `filler`.
    #[inline]
    pub(super) const fn payload(filler: u16) -> u16 {
        filler + number::LEN as u16
    }

    /// The bytes.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Makes it the head of packet `number`, with the first `rest` bytes of `filler` behind it.
    #[inline]
    pub(super) fn touch_up(&mut self, number: u64, progress: Progress, filler: &Filler, rest: u16) {
        let l4 = usize::from(self.l4);
        let segment = self.len - self.l4 + rest;
        if l4 == ETHERNET + IPV4 {
            let total = segment + IPV4 as u16;
            self.put(ETHERNET + 2, total);
            self.put(ETHERNET + 10, !fold(self.ip_sum + u64::from(total)));
        } else {
            self.put(ETHERNET + 4, segment);
        }
        let words = |value: u32| u64::from(value >> 16) + u64::from(value & 0xFFFF);
        let (segment_sum, number_sum) = (u64::from(segment), words((number >> 32) as u32) + words(number as u32));
        let mut sum = self.l4_sum + number_sum + u64::from(filler.sum(rest));
        let Progress { sequence, acknowledgment } = progress;
        match self.layout {
            Layout::Udp => {
                // The length stands in the header and in the pseudo header.
                sum += 2 * segment_sum;
                self.put(l4 + 4, segment);
                // A checksum of 0 says that there is none (RFC 768).
                let checksum = !fold(sum);
                self.put(l4 + 6, if checksum == 0 { 0xFFFF } else { checksum });
            }
            Layout::Tcp => {
                sum += segment_sum + words(sequence) + words(acknowledgment);
                self.put(l4 + 4, (sequence >> 16) as u16);
                self.put(l4 + 6, sequence as u16);
                self.put(l4 + 8, (acknowledgment >> 16) as u16);
                self.put(l4 + 10, acknowledgment as u16);
                self.put(l4 + 16, !fold(sum));
            }
            Layout::Echo => {
                sum += u64::from(sequence as u16);
                self.put(l4 + 6, sequence as u16);
                self.put(l4 + 2, !fold(sum));
            }
        }
        let at = usize::from(self.len) - number::LEN;
        self.bytes[at..at + number::LEN].copy_from_slice(&number.to_be_bytes());
    }

    #[inline]
    fn put(&mut self, at: usize, word: u16) {
        self.bytes[at..at + 2].copy_from_slice(&word.to_be_bytes());
    }
}

/// EtherType, IP header with length and checksum 0, and the sum of the addresses.
fn network(addresses: Addresses, protocol: IpNumber) -> (EtherType, Vec<u8>, u64) {
    match addresses {
        Addresses::V4 { source, destination } => {
            // Don't fragment is set by default, so the identification means nothing (RFC 6864).
            let header = Ipv4Header { time_to_live: TTL, protocol, source, destination, ..Ipv4Header::default() };
            (EtherType::IPV4, header.to_bytes().to_vec(), sum(&source) + sum(&destination))
        }
        Addresses::V6 { source, destination } => {
            let header =
                Ipv6Header { hop_limit: TTL, next_header: protocol, source, destination, ..Ipv6Header::default() };
            (EtherType::IPV6, header.to_bytes().to_vec(), sum(&source) + sum(&destination))
        }
    }
}

/// A transport header with zeros for what changes.
fn transport(transport: Transport) -> Vec<u8> {
    match transport {
        Transport::Udp { source, destination } => {
            UdpHeader { source_port: source, destination_port: destination, ..UdpHeader::default() }.to_bytes().to_vec()
        }
        Transport::Tcp { source, destination } => TcpHeader {
            source_port: source,
            destination_port: destination,
            ack: true,
            psh: true,
            window_size: WINDOW,
            ..TcpHeader::default()
        }
        .to_bytes()
        .to_vec(),
        Transport::EchoRequest { identifier } => {
            Icmpv4Header::new(Icmpv4Type::EchoRequest(IcmpEchoHeader { id: identifier, seq: 0 })).to_bytes().to_vec()
        }
        Transport::EchoReply { identifier } => {
            Icmpv4Header::new(Icmpv4Type::EchoReply(IcmpEchoHeader { id: identifier, seq: 0 })).to_bytes().to_vec()
        }
    }
}
