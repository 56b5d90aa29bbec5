//! Ports and protocols, and the words before a value that say what it is.

use super::number::number;
use super::primitive::{ARP, Direction, Family, IP, IP6, Primitive, RARP, SCTP, TCP, UDP};

/// What `port`, `src net` and the like say of the value behind them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Qualifiers<'a> {
    pub(super) protocol: Option<&'a str>,
    pub(super) direction: Direction,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing was said: a host.
    Unsaid,
    Host,
    Net,
    Port,
    Portrange,
    Proto,
}

/// The kind of value that a word announces.
pub(super) fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "host" => Kind::Host,
        "net" => Kind::Net,
        "port" => Kind::Port,
        "portrange" => Kind::Portrange,
        "proto" => Kind::Proto,
        _ => return None,
    })
}

pub(super) fn ports(qualifiers: Qualifiers<'_>, text: &str) -> Result<Primitive, String> {
    let transport = match qualifiers.protocol {
        None => None,
        Some("tcp") => Some(TCP),
        Some("udp") => Some(UDP),
        Some("sctp") => Some(SCTP),
        Some(other) => return Err(format!("\"{other}\" has no ports")),
    };
    let port = |text: &str| match number(text).map(u16::try_from) {
        Some(Ok(port)) => Ok(port),
        Some(Err(_)) => Err(format!("port {text} is greater than 65535")),
        None => Err(format!("\"{text}\" is no port number (names need libpcap, which cannot be opened here)")),
    };
    let direction = qualifiers.direction;
    match text.split_once('-') {
        Some((low, high)) if qualifiers.kind == Kind::Portrange => {
            let (low, high) = (port(low)?, port(high)?);
            Ok(Primitive::Ports(transport, direction, low.min(high), low.max(high)))
        }
        None if qualifiers.kind == Kind::Portrange => {
            let port = port(text)?;
            Ok(Primitive::Ports(transport, direction, port, port))
        }
        _ => Ok(Primitive::Port(transport, direction, port(text)?)),
    }
}

pub(super) fn proto(qualifiers: Qualifiers<'_>, text: &str) -> Result<Primitive, String> {
    let family = match qualifiers.protocol {
        None => None,
        Some("ip") => Some(Family::V4),
        Some("ip6") => Some(Family::V6),
        Some("ether" | "link") => return ethertype(text).map(Primitive::Carries),
        Some(other) => return Err(format!("\"{other}\" before \"proto\"")),
    };
    let number = match text {
        "icmp" => Some(1),
        "igmp" => Some(2),
        "tcp" => Some(TCP.into()),
        "udp" => Some(UDP.into()),
        "sctp" => Some(SCTP.into()),
        other => number(other),
    };
    match number.map(u8::try_from) {
        Some(Ok(number)) => Ok(Primitive::Protocol(family, number)),
        _ => Err(format!("\"{text}\" is no protocol number up to 255, and no name of one known without libpcap")),
    }
}

fn ethertype(text: &str) -> Result<u16, String> {
    let number = match text {
        "ip" => Some(IP.into()),
        "ip6" => Some(IP6.into()),
        "arp" => Some(ARP.into()),
        "rarp" => Some(RARP.into()),
        other => number(other),
    };
    // Up to 1500 it is a length and the protocol a matter of LLC; AppleTalk and its ARP are looked for behind SNAP.
    match number.map(u16::try_from) {
        Some(Ok(number)) if number > 1500 && number != 0x809b && number != 0x80f3 => Ok(number),
        _ => Err(format!(
            "\"{text}\": without libpcap only numbers above 1500 other than AppleTalk's, ip, ip6, arp and rarp"
        )),
    }
}
