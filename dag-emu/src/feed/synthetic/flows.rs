//! [`Flows`]: the conversations of the traffic, with documentation addresses.

use rand_core::RngCore;

use super::head::{Addresses, Head, Progress, Transport};
use super::size::below;

/// What the MAC addresses begin with: the block for documentation (RFC 7042).
pub(super) const MAC_PREFIX: [u8; 5] = [0x00, 0x00, 0x5E, 0x00, 0x53];

/// How many conversations of each kind there are, and the shortest frame that holds one of their packets. Kinds with longer
/// heads come later, so that the conversations that a length has room for are the first so many.
const KINDS: [(Kind, u32, u16); 4] =
    [(Kind::Udp4, 128, 64), (Kind::Tcp4, 64, 66), (Kind::Udp6, 32, 74), (Kind::Tcp6, 32, 86)];

/// Client ports, of which each conversation has its own, so that no two are the same flow. Dynamic ports (RFC 6335) that no
/// dissector of Wireshark claims, as are the server ports.
const CLIENT_PORTS: u16 = 50_000;
const CLIENT_STEP: u16 = 16;
const SERVER_PORTS: u16 = 61_000;
const SERVER_PORT_COUNT: u32 = 4_000;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Udp4,
    Tcp4,
    Udp6,
    Tcp6,
}

/// 256 conversations between hosts on the two sides of a tapped link.
///
/// Direction 0 goes from the client to the server. The bytes of a TCP conversation follow each other without gaps in either
/// direction, and each segment acknowledges all that came before it.
#[derive(Debug)]
pub(super) struct Flows(Vec<Conversation>);

#[derive(Debug)]
struct Conversation {
    heads: [Head; 2],
    /// The next byte of each direction.
    next: [u32; 2],
}

/// A conversation and a direction of it, chosen for a packet.
pub(super) struct Chosen<'a> {
    /// Which conversation.
    pub(super) index: u32,
    pub(super) direction: u8,
    /// Bytes of filler that the packet needs.
    pub(super) filler: u16,
    pub(super) progress: Progress,
    pub(super) head: &'a mut Head,
}

impl Flows {
    /// Conversations of which number `n` runs over link `n % links`.
    pub(super) fn new(rng: &mut impl RngCore, links: u8) -> Self {
        let kinds = KINDS.iter().flat_map(|(kind, count, _)| std::iter::repeat_n(*kind, *count as usize));
        Self((0..).zip(kinds).map(|(index, kind)| Conversation::new(rng, links, index, kind)).collect())
    }

    /// Chooses by `draw` among the conversations that a frame of `size` bytes has room for; `None` if there is none, which is
    /// below 64 bytes.
    #[inline]
    pub(super) fn choose(&mut self, draw: u32, size: u16) -> Option<Chosen<'_>> {
        let fitting = KINDS.iter().filter(|(_, _, least)| *least <= size).map(|(_, count, _)| count).sum::<u32>();
        let drawn = below(draw, 2 * fitting);
        let (index, direction) = (drawn / 2, drawn % 2);
        let conversation = self.0.get_mut(index as usize)?;
        let (from, to) = (direction as usize, 1 - direction as usize);
        let progress = Progress { sequence: conversation.next[from], acknowledgment: conversation.next[to] };
        let head = &mut conversation.heads[from];
        let filler = head.filler(size)?;
        conversation.next[from] = progress.sequence.wrapping_add(u32::from(Head::payload(filler)));
        Some(Chosen { index, direction: direction as u8, filler, progress, head })
    }
}

impl Conversation {
    fn new(rng: &mut impl RngCore, links: u8, index: u16, kind: Kind) -> Self {
        let mut draw = |n: u32| below(rng.next_u32(), n);
        // Host 1 of either network has the echo conversation; 255 is the broadcast address.
        let (near, far) = (2 + draw(253) as u8, 2 + draw(253) as u8);
        let client = CLIENT_PORTS + index * CLIENT_STEP + draw(u32::from(CLIENT_STEP)) as u16;
        let server = SERVER_PORTS + draw(SERVER_PORT_COUNT) as u16;
        let next = [draw(u32::MAX), draw(u32::MAX)];
        let link = (index % u16::from(links)) as u8;
        let head = |direction: u8| {
            let turned = |pair: [u8; 2]| if direction == 0 { pair } else { [pair[1], pair[0]] };
            let [source, destination] = if direction == 0 { [client, server] } else { [server, client] };
            let hosts = turned([near, far]);
            let sides = turned([0, 1]);
            let (addresses, transport) = match kind {
                Kind::Udp4 => (v4(sides, hosts), Transport::Udp { source, destination }),
                Kind::Tcp4 => (v4(sides, hosts), Transport::Tcp { source, destination }),
                Kind::Udp6 => (v6(sides, hosts), Transport::Udp { source, destination }),
                Kind::Tcp6 => (v6(sides, hosts), Transport::Tcp { source, destination }),
            };
            Head::new(macs(link, direction), addresses, transport)
        };
        Self { heads: [head(0), head(1)], next }
    }
}

/// Source and destination on a link whose stations have the numbers of the ports behind which they are.
pub(super) fn macs(link: u8, direction: u8) -> [[u8; 6]; 2] {
    [direction, 1 - direction].map(|side| {
        let [a, b, c, d, e] = MAC_PREFIX;
        [a, b, c, d, e, 2 * link + side]
    })
}

/// TEST-NET-1 on the near side, TEST-NET-2 on the far side (RFC 5737).
fn v4(sides: [u8; 2], hosts: [u8; 2]) -> Addresses {
    let address = |at: usize| if sides[at] == 0 { [192, 0, 2, hosts[at]] } else { [198, 51, 100, hosts[at]] };
    Addresses::V4 { source: address(0), destination: address(1) }
}

/// 2001:db8:0:1::/64 on the near side, 2001:db8:0:2::/64 on the far side (RFC 3849).
fn v6(sides: [u8; 2], hosts: [u8; 2]) -> Addresses {
    let address = |at: usize| {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[0x20, 0x01, 0x0D, 0xB8]);
        address[7] = 1 + sides[at];
        address[15] = hosts[at];
        address
    };
    Addresses::V6 { source: address(0), destination: address(1) }
}
