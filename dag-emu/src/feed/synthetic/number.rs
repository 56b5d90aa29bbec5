//! The number that every synthetic packet carries, and how to find it.

use super::echo;
use super::flows::MAC_PREFIX;

/// Bytes of the number: 64 bits, big-endian.
pub(super) const LEN: usize = 8;

const SOURCE_MAC: usize = 6;
const ETHER_TYPE: usize = 12;
const NETWORK: usize = 14;
const IPV4_NO_OPTIONS: u8 = 0x45;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ECHO_REPLY: u8 = 0;

/// The number of the packet that `frame` is, counted from 0 from the start of its synthetic feed.
///
/// `frame` begins with the Ethernet header; it may be cut anywhere behind the number, and its FCS may be there or not. The
/// number stands in the first eight bytes of what UDP, TCP or the ICMP echo carries, big-endian: 42 (UDP, ICMP) or 54 (TCP) bytes
/// into the frame with IPv4, 62 or 74 with IPv6. An echo reply carries the data of its request, as it must (RFC 792), so what stands
/// there is the number of the request, which is smaller by 50.
///
/// `None` if it is not a frame of a synthetic feed (by its source address) or is cut before the end of the number.
#[must_use]
pub fn packet_number(frame: &[u8]) -> Option<u64> {
    if frame.get(SOURCE_MAC..)?.first_chunk() != Some(&MAC_PREFIX) {
        return None;
    }
    let (protocol, l4) = match (frame.get(ETHER_TYPE..)?.first_chunk()?, *frame.get(NETWORK)?) {
        ([0x08, 0x00], IPV4_NO_OPTIONS) => (*frame.get(NETWORK + 9)?, NETWORK + 20),
        ([0x86, 0xDD], _) => (*frame.get(NETWORK + 6)?, NETWORK + 40),
        _ => return None,
    };
    let (header, later) = match protocol {
        UDP => (8, 0),
        TCP => (20, 0),
        ICMP if *frame.get(l4)? == ECHO_REPLY => (8, echo::REPLY_AFTER),
        ICMP => (8, 0),
        _ => return None,
    };
    let number = frame.get(l4 + header..)?.first_chunk::<LEN>()?;
    u64::from_be_bytes(*number).checked_add(later)
}
