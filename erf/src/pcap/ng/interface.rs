//! An interface of a pcapng section.

use erf_core::identity::Identity;

use super::super::order::Order;
use super::super::{LinkType, Resolution};
use super::options::Options;
use super::{code, lossless};

/// Texts are kept up to this many bytes.
const MAX_TEXT: usize = 1024;

/// An interface as its description block states it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interface {
    /// What its packets begin with.
    pub link_type: LinkType,
    /// Snap length in bytes; 0 is none.
    pub snaplen: u32,
    /// Unit of its stamps.
    pub resolution: Resolution,
    /// Seconds to add to its stamps.
    pub time_offset: i64,
    /// Bytes of frame check sequence, where stated.
    pub fcs_len: Option<u8>,
    /// `if_name`, up to 1024 bytes of it; empty where not stated.
    pub name: String,
    /// `if_description`, up to 1024 bytes of it; empty where not stated.
    pub description: String,
    /// Bits per second, where stated.
    pub speed: Option<u64>,
    /// `if_filter` where it is a text, up to 1024 bytes of it; empty where not stated.
    pub filter: String,
    /// `if_MACaddr`, where stated.
    pub mac: Option<[u8; 6]>,
    /// The port of ERF that it stands for, where this crate has written the file without loss.
    pub identity: Option<Identity>,
    /// Its latest statistics block.
    pub statistics: Option<Statistics>,
}

/// The counters of an interface statistics block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Packets received, where stated.
    pub received: Option<u64>,
    /// Packets dropped by the interface for lack of resources, where stated.
    pub dropped: Option<u64>,
}

impl Interface {
    /// From the body of an interface description block of at least 8 bytes. `None`: its stamp unit cannot
    /// be held in 64 bits.
    pub(super) fn parse(body: &[u8], order: Order) -> Option<Interface> {
        let mut interface = Interface {
            link_type: LinkType(u32::from(order.u16(body))),
            snaplen: order.u32(&body[4..]),
            resolution: Resolution::MICROS,
            time_offset: 0,
            fcs_len: None,
            name: String::new(),
            description: String::new(),
            speed: None,
            filter: String::new(),
            mac: None,
            identity: None,
            statistics: None,
        };
        for (code, value) in Options::new(&body[8..], order) {
            match (code, value) {
                (code::IF_NAME, text) => interface.name = text_of(text),
                (code::IF_DESCRIPTION, text) => interface.description = text_of(text),
                (code::IF_SPEED, &[_, _, _, _, _, _, _, _]) => {
                    interface.speed = Some(order.u64(value));
                }
                (code::IF_TSRESOL, &[byte, ..]) => {
                    interface.resolution = Resolution::from_byte(byte)?;
                }
                (code::IF_MAC, &[a, b, c, d, e, f]) => interface.mac = Some([a, b, c, d, e, f]),
                // A kind, 0 for text, and the filter.
                (code::IF_FILTER, &[0, ref text @ ..]) => interface.filter = text_of(text),
                (code::CUSTOM_BINARY, value) => {
                    interface.identity = interface.identity.or(lossless::identity(value, order));
                }
                (code::IF_FCSLEN, &[length, ..]) => interface.fcs_len = Some(fcs_bytes(length)),
                (code::IF_TSOFFSET, &[_, _, _, _, _, _, _, _]) => {
                    interface.time_offset = order.u64(value) as i64;
                }
                _ => {}
            }
        }
        Some(interface)
    }
}

impl Statistics {
    /// From the options of an interface statistics block.
    pub(super) fn parse(options: Options<'_>, order: Order) -> Statistics {
        let mut statistics = Statistics::default();
        for (code, value) in options {
            match (code, value.len()) {
                (code::ISB_RECEIVED, 8) => statistics.received = Some(order.u64(value)),
                (code::ISB_DROPPED, 8) => statistics.dropped = Some(order.u64(value)),
                _ => {}
            }
        }
        statistics
    }
}

/// The option counts bits by the specification; some writers put bytes, and no FCS is under 8 bits.
fn fcs_bytes(length: u8) -> u8 {
    if length < 8 { length } else { length / 8 }
}

pub(super) fn text_of(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(MAX_TEXT)];
    // Some writers count a terminating zero.
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
