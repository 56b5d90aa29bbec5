//! Link types of pcap and pcapng.

use std::fmt;

/// What the packets of a pcap file or pcapng interface begin with: a LINKTYPE number as registered at
/// tcpdump.org.
///
/// Any number is carried; the constants are those this crate converts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

macro_rules! link_types {
    ($($number:literal $name:ident $doc:literal;)*) => {
        impl LinkType {
            $(#[doc = $doc] pub const $name: LinkType = LinkType($number);)*

            /// The registered name without its `LINKTYPE_` prefix, for the ones this crate converts.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

link_types! {
    1 ETHERNET "Ethernet frames from the destination address on.";
    50 PPP_HDLC "PPP in HDLC-like framing.";
    100 ATM_RFC1483 "LLC-encapsulated or raw AAL5 payload.";
    101 RAW "IPv4 or IPv6, told by the first four bits.";
    104 C_HDLC "Cisco HDLC.";
    107 FRELAY "Frame Relay.";
    140 MTP2 "SS7 MTP2.";
    197 ERF "One whole ERF record.";
    228 IPV4 "IPv4 packets.";
    229 IPV6 "IPv6 packets.";
    247 INFINIBAND "InfiniBand packets from the local route header on.";
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "link type {}", self.0),
        }
    }
}

impl fmt::Debug for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkType({self})")
    }
}
