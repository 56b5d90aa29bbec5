//! What the kernel tells over route netlink: by which interface an address is reached, what that is, and how much waits in its queue.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::{LinkAttribute, LinkInfo, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcStats2};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::queue::Interface;

/// The kernel sends no more at once.
const MOST: usize = 1 << 16;

/// A socket that asks the kernel.
pub(super) struct Netlink {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl std::fmt::Debug for Netlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Netlink").finish_non_exhaustive()
    }
}

/// Bytes and packets that wait.
pub(super) type Backlog = (i64, i64);

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // The kernel answers while it is asked; what is not there then does not come.
        socket.set_non_blocking(true)?;
        Ok(Self { socket, buffer: vec![0; MOST], sequence: 0 })
    }

    /// Asks, and gives each answer to `hear`.
    fn ask(
        &mut self,
        question: RouteNetlinkMessage,
        flags: u16,
        mut hear: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        (header.flags, header.sequence_number) = (NLM_F_REQUEST | flags, self.sequence);
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let is_dump = flags & NLM_F_DUMP == NLM_F_DUMP;
        loop {
            let size = self.socket.recv(&mut &mut self.buffer[..], 0)?;
            let mut rest = self.buffer.get(..size).unwrap_or_default();
            while !rest.is_empty() {
                let wrong =
                    |error| io::Error::new(io::ErrorKind::InvalidData, format!("an answer of netlink: {error}"));
                let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(wrong)?;
                // Aligned to four bytes, and never nothing.
                let len = (answer.header.length as usize).max(1).next_multiple_of(4).min(rest.len());
                rest = rest.get(len..).unwrap_or_default();
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                match answer.payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                    NetlinkPayload::InnerMessage(inner) => {
                        hear(inner);
                        if !is_dump {
                            return Ok(());
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// What waits in the queueing discipline of an interface; nothing where it has none.
    pub(super) fn backlog(&mut self, index: u32) -> io::Result<Backlog> {
        let mut found = (0, 0);
        self.ask(RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default()), NLM_F_DUMP, |answer| {
            if let RouteNetlinkMessage::NewQueueDiscipline(message) = answer {
                // The one at the root counts what is in those below it, too.
                if i64::from(message.header.index) == i64::from(index) && message.header.parent == TcHandle::ROOT {
                    found = backlog_of(&message).unwrap_or(found);
                }
            }
        })?;
        Ok(found)
    }

    fn link(&mut self, index: u32, name: Option<&str>) -> io::Result<Interface> {
        let mut question = LinkMessage::default();
        question.header.index = index;
        question.attributes.extend(name.map(|name| LinkAttribute::IfName(name.to_owned())));
        let mut found = None;
        self.ask(RouteNetlinkMessage::GetLink(question), 0, |answer| {
            if let RouteNetlinkMessage::NewLink(message) = answer {
                found = Some(interface_of(&message));
            }
        })?;
        found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn route(&mut self, to: IpAddr) -> io::Result<u32> {
        let mut question = RouteMessage::default();
        (question.header.address_family, question.header.destination_prefix_length) = match to {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        question.attributes.push(RouteAttribute::Destination(to.into()));
        let mut found = None;
        self.ask(RouteNetlinkMessage::GetRoute(question), 0, |answer| {
            if let RouteNetlinkMessage::NewRoute(message) = answer {
                let output = |attribute: &RouteAttribute| match attribute {
                    RouteAttribute::Oif(index) => Some(*index),
                    _ => None,
                };
                found = message.attributes.iter().find_map(output);
            }
        })?;
        found.ok_or_else(|| io::Error::other("the route has no interface"))
    }
}

fn backlog_of(message: &TcMessage) -> Option<Backlog> {
    let queue = |stats: &TcStats2| match stats {
        TcStats2::Queue(queue) => Some((i64::from(queue.backlog), i64::from(queue.qlen))),
        _ => None,
    };
    message.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Stats2(stats) => stats.iter().find_map(queue),
        _ => None,
    })
}

fn interface_of(message: &LinkMessage) -> Interface {
    let mut interface = Interface {
        index: message.header.index,
        is_loopback: message.header.link_layer_type == LinkLayerType::Loopback,
        ..Interface::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name.clone_from(name),
            LinkAttribute::ParentDevBusName(bus) => interface.bus = Some(bus.clone()),
            LinkAttribute::LinkInfo(infos) => {
                interface.kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    interface
}

/// The interface by which packets to `to` leave.
///
/// # Errors
///
/// When there is no route, or the kernel does not tell.
pub fn interface_to(to: IpAddr) -> io::Result<Interface> {
    let mut netlink = Netlink::open()?;
    let index = netlink.route(to)?;
    netlink.link(index, None)
}

/// The interface of that name in this namespace.
///
/// # Errors
///
/// When there is none, or the kernel does not tell.
pub fn interface_named(name: &str) -> io::Result<Interface> {
    Netlink::open()?.link(0, Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_by_its_address_and_its_name() {
        let by_address = interface_to([127, 0, 0, 1].into()).unwrap();
        assert_eq!((by_address.name.as_str(), by_address.is_loopback), ("lo", true));
        assert_eq!(interface_named("lo").unwrap(), by_address);
        assert!(interface_named("nosuch0").is_err());
        assert_eq!(Netlink::open().unwrap().backlog(by_address.index).unwrap(), (0, 0), "it has no queue");
    }
}
