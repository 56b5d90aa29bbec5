//! What an expression is made of.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::token::Relation;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Is(Primitive),
}

/// The smallest thing that is true or false of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Primitive {
    /// The link layer says that it carries this Ethertype.
    Carries(u16),
    /// An IP protocol; `None`: of IPv4 and IPv6.
    Protocol(Option<Family>, u8),
    /// An address of the Ethernet header.
    Ether(Direction, [u8; 6]),
    /// An IPv4 address in a header of this Ethertype, or for `None` in IPv4, ARP and RARP.
    Host4(Option<u16>, Direction, Ipv4Addr, Ipv4Addr),
    /// An IPv6 address and its prefix length.
    Host6(Direction, Ipv6Addr, u8),
    /// A port of a transport protocol, or of all that have ports.
    Port(Option<u8>, Direction, u16),
    /// The same, from one to the other.
    Ports(Option<u8>, Direction, u16, u16),
    /// A VLAN tag, of this number; what comes later in the expression is looked for behind the tag.
    Vlan(Option<u16>),
    /// Length on the wire.
    Length(Relation, u32),
}

/// Which IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// Which of two addresses or ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Direction {
    #[default]
    Either,
    Source,
    Destination,
    Both,
}

pub(super) const IP: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;
pub(super) const RARP: u16 = 0x8035;
pub(super) const IP6: u16 = 0x86dd;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const SCTP: u8 = 132;

/// What a protocol's name alone stands for.
pub(super) fn protocol(name: &str) -> Option<Primitive> {
    use Family::{V4, V6};
    Some(match name {
        "ip" => Primitive::Carries(IP),
        "ip6" => Primitive::Carries(IP6),
        "arp" => Primitive::Carries(ARP),
        "rarp" => Primitive::Carries(RARP),
        "tcp" => Primitive::Protocol(None, TCP),
        "udp" => Primitive::Protocol(None, UDP),
        "sctp" => Primitive::Protocol(None, SCTP),
        "icmp" => Primitive::Protocol(Some(V4), 1),
        "icmp6" => Primitive::Protocol(Some(V6), 58),
        "igmp" => Primitive::Protocol(Some(V4), 2),
        "igrp" => Primitive::Protocol(Some(V4), 9),
        "pim" => Primitive::Protocol(None, 103),
        "vrrp" | "carp" => Primitive::Protocol(Some(V4), 112),
        "ah" => Primitive::Protocol(None, 51),
        "esp" => Primitive::Protocol(None, 50),
        _ => return None,
    })
}
