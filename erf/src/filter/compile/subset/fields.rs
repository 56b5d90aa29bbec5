//! An expression as tests of fields: where they are in packets of one link type.
//!
//! The order of tests is libpcap's. It matters for packets that were cut short: the first look beyond what was captured ends the
//! program, and the packet is left out, whatever stands behind an `or` or a `not`.

use std::net::Ipv6Addr;

use super::number::prefix;
use super::primitive::{ARP, Direction, Expression, Family, IP, IP6, Primitive, RARP, SCTP, TCP, UDP};
use super::token::Relation;
use crate::pcap::LinkType;

/// Where a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Byte(u32),
    Half(u32),
    Word(u32),
    /// So far behind an IPv4 header of any length; that begins at `header`.
    Transport {
        header: u32,
        offset: u32,
    },
    /// The length on the wire.
    Length,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    /// Any of the bits is set.
    AnyBit,
}

/// One test of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) place: Place,
    pub(super) mask: u32,
    pub(super) comparison: Comparison,
    pub(super) value: u32,
}

/// What is to hold, to be tested from the left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Always,
    Never,
    Is(Test),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

use Condition::{All, Always, Any, Is, Never, Not};

/// How packets of a link type say what they carry.
#[derive(Clone, Copy, Debug)]
enum Carried {
    /// By an Ethertype.
    Ethertype,
    /// By a protocol number of PPP.
    Ppp,
    /// By the control byte and NLPID of Frame Relay.
    FrameRelay,
    /// By the version of the IP header, which begins at once.
    Version,
    /// It is always this.
    Always(u16),
    /// Not known.
    Unknown,
}

/// Where things are in packets of one link type, at one point of the expression: `vlan` moves them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    link_type: LinkType,
    carried: Carried,
    /// Offset of what says what is carried.
    protocol: u32,
    /// Offset of what is carried.
    payload: u32,
}

impl Fields {
    pub(super) fn new(link_type: LinkType) -> Fields {
        let (carried, protocol, payload) = match link_type {
            LinkType::ETHERNET => (Carried::Ethertype, 12, 14),
            LinkType::C_HDLC => (Carried::Ethertype, 2, 4),
            LinkType::PPP_HDLC => (Carried::Ppp, 2, 4),
            LinkType::ATM_RFC1483 => (Carried::Ethertype, 6, 8),
            // libpcap looks for addresses from the first byte on, as if there were no header; so does this.
            LinkType::FRELAY => (Carried::FrameRelay, 2, 0),
            LinkType::RAW => (Carried::Version, 0, 0),
            LinkType::IPV4 => (Carried::Always(IP), 0, 0),
            LinkType::IPV6 => (Carried::Always(IP6), 0, 0),
            _ => (Carried::Unknown, 0, 0),
        };
        Fields { link_type, carried, protocol, payload }
    }

    /// The error says what of the expression has no meaning for the link type.
    pub(super) fn condition(&mut self, expression: &Expression) -> Result<Condition, String> {
        // In the order in which they stand: a tag moves what stands behind it.
        let mut each = |parts: &[Expression]| parts.iter().map(|part| self.condition(part)).collect::<Result<_, _>>();
        Ok(match expression {
            Expression::All(parts) => All(each(parts)?),
            Expression::Any(parts) => Any(each(parts)?),
            Expression::Not(a) => Not(Box::new(self.condition(a)?)),
            Expression::Is(primitive) => self.primitive(*primitive)?,
        })
    }

    fn primitive(&mut self, primitive: Primitive) -> Result<Condition, String> {
        Ok(match primitive {
            Primitive::Carries(ethertype) => self.carries(ethertype)?,
            Primitive::Protocol(Some(Family::V4), number) => self.protocol4(number)?,
            Primitive::Protocol(Some(Family::V6), number) => self.protocol6(number)?,
            Primitive::Protocol(None, number) => Any(vec![self.protocol4(number)?, self.protocol6(number)?]),
            Primitive::Ether(direction, address) => {
                if self.link_type != LinkType::ETHERNET {
                    return Err("there are no Ethernet addresses".to_owned());
                }
                directed(direction, 6, 0, |offset| ethernet(offset, address))
            }
            Primitive::Host4(Some(family), direction, address, mask) => {
                self.host4(family, direction, address.into(), mask.into())?
            }
            Primitive::Host4(None, direction, address, mask) => {
                let one = |family| self.host4(family, direction, address.into(), mask.into());
                Any(vec![one(IP)?, one(ARP)?, one(RARP)?])
            }
            Primitive::Host6(direction, address, len) => {
                let carries = self.carries(IP6)?;
                let at = self.payload;
                directed(direction, at + 8, at + 24, |offset| {
                    All(vec![carries.clone(), address6(offset, address, len)])
                })
            }
            Primitive::Port(transport, direction, port) => {
                self.ports(transport, direction, &|place| is(place, port.into()))?
            }
            Primitive::Ports(transport, direction, low, high) => {
                let between = |place| {
                    let test =
                        |comparison, value: u16| Is(Test { place, mask: u32::MAX, comparison, value: value.into() });
                    let above = test(Comparison::Greater, high);
                    All(vec![test(Comparison::GreaterOrEqual, low), Not(Box::new(above))])
                };
                self.ports(transport, direction, &between)?
            }
            Primitive::Vlan(number) => self.vlan(number)?,
            Primitive::Length(relation, length) => length_is(relation, length),
        })
    }

    fn carries(&self, ethertype: u16) -> Result<Condition, String> {
        let half = |value| is(Place::Half(self.protocol), value);
        Ok(match self.carried {
            Carried::Ethertype => half(ethertype.into()),
            Carried::Ppp => half(match ethertype {
                IP => 0x21,
                IP6 => 0x57,
                // DECnet and XNS.
                0x6003 => 0x27,
                0x0600 => 0x25,
                other => other.into(),
            }),
            Carried::FrameRelay => match ethertype {
                IP => half(0x03cc),
                IP6 => half(0x038e),
                _ => Never,
            },
            Carried::Version => {
                let version = |value| {
                    let (place, comparison) = (Place::Byte(self.payload), Comparison::Equal);
                    Is(Test { place, mask: 0xf0, comparison, value })
                };
                match ethertype {
                    IP => version(0x40),
                    IP6 => version(0x60),
                    _ => Never,
                }
            }
            Carried::Always(always) if always == ethertype => Always,
            Carried::Always(_) => Never,
            Carried::Unknown => return Err("what they carry is not known".to_owned()),
        })
    }

    fn protocol4(&self, number: u8) -> Result<Condition, String> {
        Ok(All(vec![self.carries(IP)?, is(Place::Byte(self.payload + 9), number.into())]))
    }

    /// In the IPv6 header, or behind a fragment header that follows it at once.
    fn protocol6(&self, number: u8) -> Result<Condition, String> {
        let next = |number| is(Place::Byte(self.payload + 6), number);
        let behind = is(Place::Byte(self.payload + 40), number.into());
        Ok(All(vec![self.carries(IP6)?, Any(vec![next(number.into()), All(vec![next(44), behind])])]))
    }

    fn host4(&self, family: u16, direction: Direction, address: u32, mask: u32) -> Result<Condition, String> {
        let (source, destination) = if family == IP { (12, 16) } else { (14, 24) };
        let carries = self.carries(family)?;
        let at = self.payload;
        Ok(directed(direction, at + source, at + destination, |offset| {
            All(vec![carries.clone(), masked(offset, address, mask)])
        }))
    }

    /// `test` is made of where a port is. IPv6 first, as libpcap has it.
    fn ports(
        &self,
        transport: Option<u8>,
        direction: Direction,
        test: &dyn Fn(Place) -> Condition,
    ) -> Result<Condition, String> {
        let transports = match transport {
            Some(one) => vec![one],
            None => vec![SCTP, TCP, UDP],
        };
        let at = self.payload;
        let port6 = |offset| test(Place::Half(at + 40 + offset));
        let port4 = |offset| test(Place::Transport { header: at, offset });
        let of6 = |&number: &u8| All(vec![is(Place::Byte(at + 6), number.into()), directed(direction, 0, 2, port6)]);
        let of4 = |&number: &u8| {
            // Only the first fragment has ports.
            let (place, comparison) = (Place::Half(at + 6), Comparison::AnyBit);
            let later = Is(Test { place, mask: u32::MAX, comparison, value: 0x1fff });
            let first = Not(Box::new(later));
            All(vec![is(Place::Byte(at + 9), number.into()), first, directed(direction, 0, 2, port4)])
        };
        Ok(Any(vec![
            All(vec![self.carries(IP6)?, Any(transports.iter().map(of6).collect())]),
            All(vec![self.carries(IP)?, Any(transports.iter().map(of4).collect())]),
        ]))
    }

    fn vlan(&mut self, number: Option<u16>) -> Result<Condition, String> {
        if self.link_type != LinkType::ETHERNET {
            return Err("there are no VLAN tags".to_owned());
        }
        let tagged = Any(vec![self.carries(0x8100)?, self.carries(0x88a8)?, self.carries(0x9100)?]);
        let (place, comparison) = (Place::Half(self.payload), Comparison::Equal);
        let condition = match number {
            None => tagged,
            Some(number) => All(vec![tagged, Is(Test { place, mask: 0x0fff, comparison, value: number.into() })]),
        };
        self.protocol += 4;
        self.payload += 4;
        Ok(condition)
    }
}

fn is(place: Place, value: u32) -> Condition {
    Is(Test { place, mask: u32::MAX, comparison: Comparison::Equal, value })
}

fn masked(offset: u32, value: u32, mask: u32) -> Condition {
    // libpcap does not even look.
    if mask == 0 {
        return Always;
    }
    Is(Test { place: Place::Word(offset), mask, comparison: Comparison::Equal, value })
}

fn directed(direction: Direction, source: u32, destination: u32, test: impl Fn(u32) -> Condition) -> Condition {
    match direction {
        Direction::Source => test(source),
        Direction::Destination => test(destination),
        Direction::Either => Any(vec![test(source), test(destination)]),
        Direction::Both => All(vec![test(source), test(destination)]),
    }
}

fn ethernet(offset: u32, address: [u8; 6]) -> Condition {
    let [a, b, c, d, e, f] = address;
    All(vec![
        is(Place::Word(offset + 2), u32::from_be_bytes([c, d, e, f])),
        is(Place::Half(offset), u16::from_be_bytes([a, b]).into()),
    ])
}

fn address6(offset: u32, address: Ipv6Addr, len: u8) -> Condition {
    let words = |bits: u128| [96, 64, 32, 0].map(|shift| (bits >> shift) as u32);
    let pairs = words(address.into()).into_iter().zip(words(prefix(len)));
    All((0..).step_by(4).zip(pairs).map(|(at, (word, mask))| masked(offset + at, word, mask)).collect())
}

fn length_is(relation: Relation, value: u32) -> Condition {
    let test = |comparison| Is(Test { place: Place::Length, mask: u32::MAX, comparison, value });
    let not = |condition| Not(Box::new(condition));
    match relation {
        Relation::Equal => test(Comparison::Equal),
        Relation::NotEqual => not(test(Comparison::Equal)),
        Relation::Greater => test(Comparison::Greater),
        Relation::GreaterOrEqual => test(Comparison::GreaterOrEqual),
        Relation::Less => not(test(Comparison::GreaterOrEqual)),
        Relation::LessOrEqual => not(test(Comparison::Greater)),
    }
}
