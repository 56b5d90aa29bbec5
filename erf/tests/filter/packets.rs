//! Packets of every link type, such that filters find something in them.

use erf::pcap::LinkType;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A packet of a capture file.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    pub bytes: Vec<u8>,
    pub original_len: u32,
    snapped: bool,
}

impl Captured {
    /// Whether something of what filters look at may be missing.
    pub(crate) fn is_snapped(&self) -> bool {
        self.snapped
    }
}

pub(crate) const ADDRESSES: [[u8; 4]; 5] = [[10, 0, 0, 1], [10, 0, 0, 2], [10, 1, 2, 3], [192, 168, 1, 1], [255; 4]];

pub(crate) const PORTS: [u16; 6] = [50, 53, 80, 443, 1024, 8080];

pub(crate) const ETHER: [[u8; 6]; 4] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], [255; 6], [1, 0, 0x5e, 0, 0, 1]];

pub(crate) const LINK_TYPES: [LinkType; 11] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::PPP_HDLC,
    LinkType::C_HDLC,
    LinkType::FRELAY,
    LinkType::ATM_RFC1483,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::MTP2,
    LinkType::INFINIBAND,
    LinkType::ERF,
];

fn addresses6() -> Vec<[u8; 16]> {
    ["2001:db8::1", "2001:db8::2", "2001:db8:1::7", "fe80::1", "::"]
        .map(|text| text.parse::<std::net::Ipv6Addr>().unwrap().octets())
        .to_vec()
}

/// Ports, then whatever.
fn transport() -> impl Strategy<Value = Vec<u8>> {
    (select(&PORTS[..]), select(&PORTS[..]), vec(any::<u8>(), 16)).prop_map(|(from, to, rest)| {
        let mut bytes = [from.to_be_bytes(), to.to_be_bytes()].concat();
        bytes.extend(rest);
        bytes
    })
}

fn ip4() -> impl Strategy<Value = Vec<u8>> {
    let protocol = select(vec![1u8, 2, 6, 6, 6, 17, 17, 17, 132, 50, 51, 103, 112, 41]);
    let fragment = select(vec![0u16, 0, 0, 0x4000, 0x2000, 0x2001, 0x00b9]);
    (5u8..=7, protocol, fragment, select(&ADDRESSES[..]), select(&ADDRESSES[..]), transport()).prop_map(
        |(words, protocol, fragment, from, to, payload)| {
            let mut bytes = vec![0x40 | words, 0, 0, 60, 0, 1];
            bytes.extend(fragment.to_be_bytes());
            bytes.extend([64, protocol, 0, 0]);
            bytes.extend(from);
            bytes.extend(to);
            bytes.extend(std::iter::repeat_n(1, usize::from(words) * 4 - 20));
            bytes.extend(payload);
            bytes
        },
    )
}

fn ip6() -> impl Strategy<Value = Vec<u8>> {
    let protocol = select(vec![6u8, 6, 17, 17, 58, 132, 50, 59]);
    let extensions = vec(select(vec![44u8, 44, 0, 43, 60]), 0..3);
    (protocol, extensions, select(addresses6()), select(addresses6()), transport()).prop_map(
        |(protocol, extensions, from, to, payload)| {
            let mut next = extensions.clone();
            next.push(protocol);
            let mut bytes = vec![0x60, 0, 0, 0, 0, 40, next[0], 64];
            bytes.extend(from);
            bytes.extend(to);
            for (at, _) in extensions.iter().enumerate() {
                bytes.extend([next[at + 1], 0, 0, 1, 0, 0, 0, 7]);
            }
            bytes.extend(payload);
            bytes
        },
    )
}

fn arp() -> impl Strategy<Value = Vec<u8>> {
    (select(&ADDRESSES[..]), select(&ADDRESSES[..])).prop_map(|(from, to)| {
        let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1];
        bytes.extend(from);
        bytes.extend([0; 6]);
        bytes.extend(to);
        bytes
    })
}

/// What is carried: its Ethertype and bytes.
fn carried() -> impl Strategy<Value = (u16, Vec<u8>)> {
    prop_oneof![
        4 => ip4().prop_map(|bytes| (0x0800, bytes)),
        3 => ip6().prop_map(|bytes| (0x86dd, bytes)),
        1 => arp().prop_map(|bytes| (0x0806, bytes)),
        1 => arp().prop_map(|bytes| (0x8035, bytes)),
        1 => (select(vec![0x88ccu16, 0x0026, 0x05dc, 0x6003]), vec(any::<u8>(), 40)),
        1 => ip4().prop_map(|bytes| (0x8847, [vec![0, 1, 0x01, 64], bytes].concat())),
        1 => ip4().prop_map(|bytes| (0x8864, [vec![0x11, 0, 0, 5, 0, 62, 0, 0x21], bytes].concat())),
    ]
}

fn ethernet() -> impl Strategy<Value = Vec<u8>> {
    let tag = (select(vec![0x8100u16, 0x8100, 0x88a8, 0x9100]), select(vec![1u16, 5, 0x2005, 100, 4095]));
    (select(&ETHER[..]), select(&ETHER[..]), vec(tag, 0..3), carried()).prop_map(
        |(to, from, tags, (ethertype, bytes))| {
            let mut frame = [to, from].concat();
            for (identifier, tag) in tags {
                frame.extend(identifier.to_be_bytes());
                frame.extend(tag.to_be_bytes());
            }
            frame.extend(ethertype.to_be_bytes());
            frame.extend(bytes);
            frame
        },
    )
}

fn framed(link_type: LinkType) -> BoxedStrategy<Vec<u8>> {
    let headed = move |header: fn(u16) -> Vec<u8>| {
        carried().prop_map(move |(ethertype, bytes)| [header(ethertype), bytes].concat()).boxed()
    };
    match link_type {
        LinkType::ETHERNET => ethernet().boxed(),
        LinkType::PPP_HDLC => headed(|ethertype| {
            let [a, b] = match ethertype {
                0x0800 => [0, 0x21],
                0x86dd => [0, 0x57],
                0x6003 => [0, 0x27],
                other => other.to_be_bytes(),
            };
            vec![0xff, 3, a, b]
        }),
        LinkType::C_HDLC => headed(|ethertype| [&[0x0f, 0], &ethertype.to_be_bytes()[..]].concat()),
        LinkType::FRELAY => headed(|ethertype| match ethertype {
            0x0800 => vec![0x18, 0x41, 3, 0xcc],
            0x86dd => vec![0x18, 0x41, 3, 0x8e],
            _ => vec![0x18, 0x41, 3, 0x80],
        }),
        LinkType::ATM_RFC1483 => headed(|ethertype| [&[0xaa, 0xaa, 3, 0, 0, 0], &ethertype.to_be_bytes()[..]].concat()),
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => prop_oneof![ip4(), ip6()].boxed(),
        _ => vec(any::<u8>(), 8..80).boxed(),
    }
}

/// A packet, whole or snapped anywhere.
pub(crate) fn captured(link_type: LinkType) -> impl Strategy<Value = Captured> {
    let kept = prop_oneof![3 => Just(usize::MAX), 1 => 0usize..90];
    (framed(link_type), kept, prop_oneof![3 => Just(0u32), 1 => 0u32..1500]).prop_map(|(mut bytes, kept, more)| {
        let original_len = bytes.len() as u32 + more;
        let snapped = kept < bytes.len();
        bytes.truncate(kept);
        Captured { bytes, original_len, snapped }
    })
}
