//! Probes as they are sent, and what comes back told apart from what others send: a cookie of the run is in each.

pub(crate) mod tcp;

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type};

use crate::echo::{Leg, ProbeKey};
pub use tcp::Ends;
#[cfg(test)]
pub(crate) use tcp::tests as tests_tcp;

/// What a UDP probe begins with.
const MAGIC: [u8; 4] = *b"tpng";

/// Bytes of a UDP probe that mean something: magic word, leg, a zero, identifier, sequence, cookie.
pub const UDP_PROBE: usize = 18;

/// Bytes of the header that ICMP echoes and UDP have.
pub const HEADER: usize = 8;

/// Less than a packet of IP holds.
const MOST: usize = 65_000;

/// What a probe is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An ICMP echo (RFC 792).
    Icmp4,
    /// An ICMPv6 echo (RFC 4443).
    Icmp6,
    /// A datagram.
    Udp,
    /// A SYN (RFC 9293), answered by SYN-ACK or RST.
    Tcp {
        /// Between these.
        ends: Ends,
        /// To this port.
        port: u16,
    },
}

impl Kind {
    /// Bytes of the smallest probe, with its header.
    pub const fn least(self) -> usize {
        match self {
            Self::Icmp4 | Self::Icmp6 => HEADER,
            Self::Udp => HEADER + UDP_PROBE,
            Self::Tcp { .. } => tcp::SIZES.0,
        }
    }

    /// Bytes of the largest probe, with its header.
    pub const fn most(self) -> usize {
        match self {
            Self::Icmp4 | Self::Icmp6 | Self::Udp => MOST,
            Self::Tcp { .. } => tcp::SIZES.1,
        }
    }

    /// The size, with its header, of the probe that a request of so many bytes is.
    pub fn fitting(self, size: usize) -> usize {
        let size = size.clamp(self.least(), self.most());
        if matches!(self, Self::Tcp { .. }) { size.next_multiple_of(4) } else { size }
    }

    /// Bytes of a probe of which nobody has said how large it is to be.
    pub const fn usual(self) -> usize {
        match self {
            Self::Icmp4 | Self::Icmp6 | Self::Udp => 64,
            // As those of most systems.
            Self::Tcp { .. } => 40,
        }
    }
}

/// Eight bytes that nobody else knows. Of a probe too short for all of it as much as fits is sent.
pub type Cookie = [u8; 8];

/// What somebody sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The reply to a probe of this run.
    Reply(ProbeKey),
    /// A reply with the run's identifier, and a cookie that is not its own.
    Forged,
    /// Something else.
    Other,
}

/// A request of `size` bytes, its header counted, as it is given to a socket: of UDP without the header, and of ICMPv6 without a checksum, which
/// the kernel puts in. The size is made one that [fits](Kind::fitting).
pub fn request(kind: Kind, key: ProbeKey, cookie: Cookie, size: usize) -> Vec<u8> {
    let size = kind.fitting(size);
    // Not all alike, so that a link that compresses, or a device that pads, is seen.
    let filling = |from: usize| (from..size - HEADER).map(|at| at as u8);
    let echo = IcmpEchoHeader { id: key.ident, seq: key.seq };
    let body: Vec<u8> = cookie.into_iter().chain(filling(cookie.len())).take(size - HEADER).collect();
    match kind {
        Kind::Icmp4 => {
            let header = Icmpv4Header::with_checksum(Icmpv4Type::EchoRequest(echo), &body);
            [header.to_bytes().as_slice(), &body].concat()
        }
        Kind::Icmp6 => [&[128, 0, 0, 0][..], &echo.to_bytes(), &body].concat(),
        Kind::Udp => {
            let mut message = MAGIC.to_vec();
            message.extend([leg_byte(Leg::Request), 0]);
            message.extend(echo.to_bytes());
            message.extend(cookie);
            message.extend(filling(UDP_PROBE));
            message
        }
        Kind::Tcp { ends, port } => tcp::segment(ends, port, key, cookie, size),
    }
}

/// What a message from a socket is: an ICMP message or a TCP segment without an IP header, or the data of a datagram.
pub fn heard(kind: Kind, message: &[u8], ident: u16, cookie: Cookie) -> Heard {
    if let Kind::Tcp { port, .. } = kind {
        return tcp::heard(message, port, ident, cookie);
    }
    let parts = match (kind, message) {
        (Kind::Icmp4, [0, 0, _, _, rest @ ..]) | (Kind::Icmp6, [129, 0, _, _, rest @ ..]) => rest.split_at_checked(4),
        (Kind::Udp, _) => match udp_probe(message) {
            Some((_, Leg::Reply)) => message[6..].split_at_checked(4),
            _ => None,
        },
        _ => None,
    };
    let Some((&[a, b, c, d], body)) = parts.and_then(|(key, body)| Some((key.first_chunk::<4>()?, body))) else {
        return Heard::Other;
    };
    let key = ProbeKey::new(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let known = cookie.len().min(body.len());
    match (key.ident == ident, body[..known] == cookie[..known]) {
        (true, true) => Heard::Reply(key),
        (true, false) => Heard::Forged,
        (false, _) => Heard::Other,
    }
}

const fn leg_byte(leg: Leg) -> u8 {
    match leg {
        Leg::Request => 0,
        Leg::Reply => 1,
    }
}

/// The probe that a datagram is, by its data.
pub fn udp_probe(data: &[u8]) -> Option<(ProbeKey, Leg)> {
    let [a, b, c, d, leg, 0, rest @ ..] = data.get(..UDP_PROBE)? else { return None };
    let leg = [Leg::Request, Leg::Reply].into_iter().find(|one| leg_byte(*one) == *leg)?;
    let key = ProbeKey::new(u16::from_be_bytes([rest[0], rest[1]]), u16::from_be_bytes([rest[2], rest[3]]));
    ([*a, *b, *c, *d] == MAGIC).then_some((key, leg))
}

/// The request, of UDP or TCP, of which an ICMP error quotes the begin: of UDP the data, of TCP the segment.
pub fn quoted(kind: Kind, begin: &[u8]) -> Option<ProbeKey> {
    match kind {
        Kind::Icmp4 | Kind::Icmp6 => None,
        Kind::Udp => udp_probe(begin).filter(|(_, leg)| *leg == Leg::Request).map(|(key, _)| key),
        Kind::Tcp { port, .. } => tcp::quoted(begin).filter(|segment| segment.port == port).map(|segment| segment.key),
    }
}

/// Makes the reply to a UDP probe out of it; `false` if it is no request.
pub fn reflect(data: &mut [u8]) -> bool {
    let is_request = matches!(udp_probe(data), Some((_, Leg::Request)));
    if is_request {
        data[4] = leg_byte(Leg::Reply);
    }
    is_request
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use proptest::prelude::*;

    const KEY: ProbeKey = ProbeKey::new(0x1234, 0x0506);
    const COOKIE: Cookie = *b"8 bytes!";
    const TCP: Kind = Kind::Tcp { ends: Ends::V4([Ipv4Addr::LOCALHOST; 2]), port: 80 };

    /// As a host answers.
    fn answered(kind: Kind, mut message: Vec<u8>) -> Vec<u8> {
        match kind {
            Kind::Icmp4 => message[0] = 0,
            Kind::Icmp6 => message[0] = 129,
            Kind::Udp => assert!(reflect(&mut message)),
            Kind::Tcp { .. } => message = tcp::tests::answered(&message, true),
        }
        message
    }

    #[test]
    fn a_reply_is_known_and_what_is_not_ours_is_not() {
        for (kind, length) in [(Kind::Icmp4, 100), (Kind::Icmp6, 100), (Kind::Udp, 92), (TCP, 60)] {
            let request = request(kind, KEY, COOKIE, 100);
            assert_eq!(request.len(), length);
            assert_eq!(heard(kind, &request, KEY.ident, COOKIE), Heard::Other, "a request is no reply");
            let reply = answered(kind, request);
            assert_eq!(heard(kind, &reply, KEY.ident, COOKIE), Heard::Reply(KEY));
            assert_eq!(heard(kind, &reply, KEY.ident, *b"another!"), Heard::Forged);
            assert_eq!(heard(kind, &reply, 1, COOKIE), Heard::Other);
        }
    }

    #[test]
    fn a_port_that_nobody_listens_at_answers_too_and_an_acknowledgement_of_nothing_is_forged() {
        let mut reply = tcp::tests::answered(&request(TCP, KEY, COOKIE, 40), false);
        assert_eq!(heard(TCP, &reply, KEY.ident, *b"another!"), Heard::Reply(KEY), "it has no cookie");
        reply[11] ^= 1;
        assert_eq!(heard(TCP, &reply, KEY.ident, COOKIE), Heard::Forged);
        // Of another port of that host.
        reply[1] ^= 1;
        assert_eq!(heard(TCP, &reply, KEY.ident, COOKIE), Heard::Other);
    }

    #[test]
    fn what_an_error_quotes_is_known() {
        for kind in [Kind::Icmp4, Kind::Icmp6, Kind::Udp, TCP] {
            let request = request(kind, KEY, COOKIE, 100);
            let is_known = matches!(kind, Kind::Udp | Kind::Tcp { .. });
            assert_eq!(quoted(kind, &request), is_known.then_some(KEY));
            assert_eq!(quoted(kind, &request[..7]), None);
        }
        assert_eq!(quoted(TCP, &request(TCP, KEY, COOKIE, 40)[..8]), Some(KEY), "eight bytes suffice");
    }

    #[test]
    fn an_icmp_message_has_its_checksum_and_the_smallest_one_no_cookie() {
        let message = request(Kind::Icmp4, KEY, COOKIE, 0);
        // 0x0800 + 0x1234 + 0x0506 = 0x1F3A, and its complement.
        assert_eq!(message, [8, 0, 0xE0, 0xC5, 0x12, 0x34, 5, 6]);
        assert_eq!(heard(Kind::Icmp4, &answered(Kind::Icmp4, message), KEY.ident, COOKIE), Heard::Reply(KEY));
        assert_eq!(request(Kind::Icmp4, KEY, COOKIE, 12)[8..], COOKIE[..4]);
        assert_eq!(request(Kind::Udp, KEY, COOKIE, 0).len(), UDP_PROBE);
    }

    proptest! {
        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for kind in [Kind::Icmp4, Kind::Icmp6, Kind::Udp, TCP] {
                heard(kind, &bytes, KEY.ident, COOKIE);
                quoted(kind, &bytes);
            }
            let mut copy = bytes.clone();
            prop_assert_eq!(reflect(&mut copy), copy != bytes);
        }
    }
}
