//! [`Identity`]: which host, capture source and interface a record came from.
//!
//! The answer stands in the extension headers of the record, and for files that leave it out there,
//! in a META record that may come later: [`ImplicitHost`] finds that. [`Anchors`] pairs the anchors
//! of a record with their hosts. Source: `erf-format.md` section 5.1.
//!
//! ```
//! use erf_core::ext::HostId;
//! use erf_core::identity::{Identity, ImplicitHost};
//!
//! // A packet that does not name its host, and a META record that does.
//! let packet = Identity::new([], 1);
//! let mut host = ImplicitHost::default();
//! host.observe_meta([HostId { source_id: 5, host_id: 0x0025_90C0_3E08 }.into()]);
//! assert_eq!(host.resolve(packet).to_string(), "host 002590c03e08 source 0 interface 1");
//! ```

use core::fmt;

use crate::ext::{AnchorId, Ext, ExtHeader, HostId};

/// Where a record was captured: host, source and interface together name a port.
///
/// The interface number is counted per source, the source per host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Identity {
    /// The machine: 48 bits, often a MAC address; 0 = unknown.
    pub host_id: u64,
    /// The capture source in that machine, for example a card; 0 = not given.
    pub source_id: u8,
    /// The capture interface of that source, 0..=7 (ports A..H).
    pub interface: u8,
}

impl Identity {
    /// Of a record with these extension headers (in the order of the record) and this interface
    /// number from its flags.
    ///
    /// The headers are walked in order, up to the first Host ID header: that gives the Host ID, and
    /// the first Source ID above 0 in a Flow ID or Host ID header met on the way is the Source ID.
    /// Later Host ID headers name hosts that touched the record afterwards.
    pub fn new(ext_headers: impl IntoIterator<Item = ExtHeader>, interface: u8) -> Self {
        let mut identity = Self { host_id: 0, source_id: 0, interface };
        for header in ext_headers {
            let (source_id, host_id) = match header.view() {
                Ext::FlowId(flow) => (flow.source_id, None),
                Ext::HostId(host) => (host.source_id, Some(host.host_id)),
                _ => continue,
            };
            if identity.source_id == 0 {
                identity.source_id = source_id;
            }
            if let Some(host_id) = host_id {
                identity.host_id = host_id;
                break;
            }
        }
        identity
    }

    /// The host is known.
    pub const fn has_host(self) -> bool {
        self.host_id != 0
    }
}

/// `host HEX source N interface N`; `host unknown` for Host ID 0.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_id {
            0 => f.write_str("host unknown")?,
            host_id => write!(f, "host {host_id:012x}")?,
        }
        write!(f, " source {} interface {}", self.source_id, self.interface)
    }
}

/// Finds the host of the records that do not name theirs.
///
/// It is the Host ID of the first META record whose first Host ID header has a Source ID above 0;
/// tools mark their own META records with Source ID 0, and those never set it. From then on it holds
/// for all such records of the file, those already read too: keep their identities with Host ID 0
/// and [`resolve`](Self::resolve) them when they are shown. One per file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImplicitHost {
    /// 0 = not known yet.
    host_id: u64,
}

impl ImplicitHost {
    /// The Host ID, once known.
    pub const fn host_id(self) -> Option<u64> {
        match self.host_id {
            0 => None,
            host_id => Some(host_id),
        }
    }

    /// Looks at the extension headers of a META record, in the order of the record; returns whether
    /// that made the host known. A Host ID of 0 is no answer, and the search goes on.
    pub fn observe_meta(&mut self, ext_headers: impl IntoIterator<Item = ExtHeader>) -> bool {
        if self.host_id != 0 {
            return false;
        }
        let first = ext_headers.into_iter().find_map(|header| match header.view() {
            Ext::HostId(host) => Some(host),
            _ => None,
        });
        if let Some(HostId { source_id: 1.., host_id }) = first {
            self.host_id = host_id;
        }
        self.host_id != 0
    }

    /// `identity` with the implicit host in place of an unknown one, as far as it is known.
    pub const fn resolve(self, identity: Identity) -> Identity {
        match identity.host_id {
            0 => Identity { host_id: self.host_id, ..identity },
            _ => identity,
        }
    }
}

/// An anchor that a record carries, with the host that gave it (`erf-format.md` section 7.4).
///
/// A META record that defines it holds the comment; packets with the same host and anchor are what
/// the comment is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Anchor {
    /// Host ID of the nearest Host ID header before the anchor; `None` = the implicit host.
    pub host_id: Option<u64>,
    /// The 48-bit Anchor ID.
    pub anchor_id: u64,
    /// This record defines the anchor.
    pub definition: bool,
}

/// The anchors among the extension headers of a record, in their order.
#[derive(Debug, Clone)]
pub struct Anchors<I> {
    ext_headers: I,
    host_id: Option<u64>,
}

impl<I: Iterator<Item = ExtHeader>> Anchors<I> {
    /// Over the extension headers of a record, in the order of the record.
    pub fn new(ext_headers: impl IntoIterator<IntoIter = I>) -> Self {
        Self { ext_headers: ext_headers.into_iter(), host_id: None }
    }
}

impl<I: Iterator<Item = ExtHeader>> Iterator for Anchors<I> {
    type Item = Anchor;

    fn next(&mut self) -> Option<Anchor> {
        loop {
            match self.ext_headers.next()?.view() {
                Ext::HostId(host) => self.host_id = Some(host.host_id),
                Ext::AnchorId(AnchorId { definition, anchor_id }) => {
                    return Some(Anchor { host_id: self.host_id, anchor_id, definition });
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext::ExtType;
    use std::vec::Vec;

    const CARD: u64 = 0x0025_90C0_3E08;

    fn host(source_id: u8, host_id: u64) -> ExtHeader {
        HostId { source_id, host_id }.into()
    }

    fn flow(source_id: u8) -> ExtHeader {
        ExtHeader::new(ExtType::FLOW_ID, u64::from(source_id) << 48 | 0xFFFF_FFFF)
    }

    fn anchor(definition: bool, anchor_id: u64) -> ExtHeader {
        AnchorId { definition, anchor_id }.into()
    }

    fn identity(headers: &[ExtHeader]) -> (u64, u8) {
        let identity = Identity::new(headers.iter().copied(), 3);
        assert_eq!(identity.interface, 3);
        (identity.host_id, identity.source_id)
    }

    #[test]
    fn the_first_host_header_names_the_host_and_ends_the_walk() {
        assert_eq!(identity(&[]), (0, 0));
        assert_eq!(identity(&[anchor(false, 7), host(5, CARD), host(9, 1)]), (CARD, 5));
        // Where Wireshark's two routines differ: the later Source ID is not taken.
        assert_eq!(identity(&[host(0, CARD), host(9, 1)]), (CARD, 0));
        assert_eq!(identity(&[host(0, 0), host(9, 1)]), (0, 0));
    }

    #[test]
    fn the_first_source_above_zero_counts_whichever_header_it_stands_in() {
        assert_eq!(identity(&[flow(0), flow(4), host(5, CARD)]), (CARD, 4));
        assert_eq!(identity(&[flow(0), host(5, CARD)]), (CARD, 5));
        assert_eq!(identity(&[host(0, CARD), flow(4)]), (CARD, 0));
        assert_eq!(identity(&[flow(4)]), (0, 4));
    }

    #[test]
    fn the_implicit_host_comes_from_a_source_above_zero() {
        let mut implicit = ImplicitHost::default();
        let early = Identity::new([], 2);
        // Own META records of tools, records without the header, and a later header that would do.
        for headers in [Vec::new(), Vec::from([host(0, 77)]), Vec::from([host(0, 77), host(5, CARD)])] {
            assert!(!implicit.observe_meta(headers));
            assert_eq!(implicit.host_id(), None);
            assert_eq!(implicit.resolve(early), early);
        }
        assert!(!implicit.observe_meta([host(5, 0)]), "Host ID 0 is unknown");
        assert!(implicit.observe_meta([flow(1), host(5, CARD)]));
        assert!(!implicit.observe_meta([host(6, 1)]), "the first one holds");
        assert_eq!(implicit.resolve(early), Identity { host_id: CARD, ..early });
        let named = Identity::new([host(1, 9)], 0);
        assert_eq!(implicit.resolve(named), named);
    }

    #[test]
    fn a_flow_source_does_not_make_a_meta_record_the_hosts_own() {
        let mut implicit = ImplicitHost::default();
        assert!(!implicit.observe_meta([flow(5), host(0, CARD)]));
    }

    #[test]
    fn anchors_belong_to_the_nearest_host_before_them() {
        let headers = [
            anchor(false, 1),
            host(5, CARD),
            anchor(true, 2),
            flow(3),
            anchor(false, 0xFFFF_FFFF_FFFF),
            host(0, 0),
            anchor(false, 4),
        ];
        let anchors: Vec<_> = Anchors::new(headers).map(|a| (a.host_id, a.anchor_id, a.definition)).collect();
        assert_eq!(
            anchors,
            [(None, 1, false), (Some(CARD), 2, true), (Some(CARD), 0xFFFF_FFFF_FFFF, false), (Some(0), 4, false),]
        );
    }
}
