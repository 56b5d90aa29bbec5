//! Probes as they are sent, and what comes back told apart from what others send: a cookie of the run is in each.

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type};

use crate::echo::{Leg, ProbeKey};

/// What a UDP probe begins with.
const MAGIC: [u8; 4] = *b"tpng";

/// Bytes of a UDP probe that mean something: magic word, leg, a zero, identifier, sequence, cookie.
pub const UDP_PROBE: usize = 18;

/// Bytes of the header that ICMP echoes and UDP have.
pub const HEADER: usize = 8;

/// What a probe is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An ICMP echo (RFC 792).
    Icmp4,
    /// An ICMPv6 echo (RFC 4443).
    Icmp6,
    /// A datagram.
    Udp,
}

impl Kind {
    /// Bytes of the smallest probe, with its header.
    pub const fn least(self) -> usize {
        match self {
            Self::Icmp4 | Self::Icmp6 => HEADER,
            Self::Udp => HEADER + UDP_PROBE,
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
/// the kernel puts in. A size below [`Kind::least`] counts as that.
pub fn request(kind: Kind, key: ProbeKey, cookie: Cookie, size: usize) -> Vec<u8> {
    let size = size.max(kind.least());
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
    }
}

/// What a message from a socket is: an ICMP message without an IP header, or the data of a datagram.
pub fn heard(kind: Kind, message: &[u8], ident: u16, cookie: Cookie) -> Heard {
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
    use super::*;
    use proptest::prelude::*;

    const KEY: ProbeKey = ProbeKey::new(0x1234, 0x0506);
    const COOKIE: Cookie = *b"8 bytes!";

    /// As a host answers.
    fn answered(kind: Kind, mut message: Vec<u8>) -> Vec<u8> {
        match kind {
            Kind::Icmp4 => message[0] = 0,
            Kind::Icmp6 => message[0] = 129,
            Kind::Udp => assert!(reflect(&mut message)),
        }
        message
    }

    #[test]
    fn a_reply_is_known_and_what_is_not_ours_is_not() {
        for kind in [Kind::Icmp4, Kind::Icmp6, Kind::Udp] {
            let request = request(kind, KEY, COOKIE, 100);
            assert_eq!(request.len(), if kind == Kind::Udp { 92 } else { 100 });
            assert_eq!(heard(kind, &request, KEY.ident, COOKIE), Heard::Other, "a request is no reply");
            let reply = answered(kind, request);
            assert_eq!(heard(kind, &reply, KEY.ident, COOKIE), Heard::Reply(KEY));
            assert_eq!(heard(kind, &reply, KEY.ident, *b"another!"), Heard::Forged);
            assert_eq!(heard(kind, &reply, 1, COOKIE), Heard::Other);
        }
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
            for kind in [Kind::Icmp4, Kind::Icmp6, Kind::Udp] {
                heard(kind, &bytes, KEY.ident, COOKIE);
            }
            let mut copy = bytes.clone();
            prop_assert_eq!(reflect(&mut copy), copy != bytes);
        }
    }
}
