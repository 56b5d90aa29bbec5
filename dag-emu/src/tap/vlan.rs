//! VLAN tags that the kernel took off a frame, and how to step over those that it left.
//!
//! On the way in, Linux strips the outermost 802.1Q or 802.1ad tag of every frame (in the
//! interface, or else in software) and keeps it beside the packet. What a packet socket then hands
//! over is four bytes shorter than what was on the wire, with the tag in the ring's frame header. A
//! capture card records the wire, so the tag goes back.

use libc::{TP_STATUS_VLAN_TPID_VALID, TP_STATUS_VLAN_VALID};

/// Where a tag stands in an Ethernet frame: after the two addresses.
pub(super) const TAG_OFFSET: usize = 12;

/// Bytes of a tag: TPID and TCI, 16 bits each, network byte order.
pub(super) const TAG_LEN: usize = 4;

const TPID_8021Q: u16 = 0x8100;
const TPID_8021AD: u16 = 0x88A8;
/// In use before 802.1ad for outer tags.
const TPID_9100: u16 = 0x9100;

/// More tags than any network stacks; a bound for the walk over hostile frames.
const MAX_TAGS: usize = 8;

/// The tag that the kernel stripped, as it stood on the wire; `None` if it stripped none.
///
/// `status`, `tci` and `tpid` are the fields of the ring's frame header, host byte order. A kernel
/// that does not tell the TPID (before 3.14) stripped 802.1Q tags only.
pub(super) fn stripped_tag(status: u32, tci: u32, tpid: u16) -> Option<[u8; TAG_LEN]> {
    if status & TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let tpid = if status & TP_STATUS_VLAN_TPID_VALID == 0 { TPID_8021Q } else { tpid };
    let [t0, t1] = tpid.to_be_bytes();
    let [.., c0, c1] = tci.to_be_bytes();
    Some([t0, t1, c0, c1])
}

/// The EtherType behind all VLAN tags of `frame` and the offset of what it describes; `None` if the
/// frame ends before.
pub(super) fn ethertype(frame: &[u8]) -> Option<(u16, usize)> {
    let mut at = TAG_OFFSET;
    for _ in 0..=MAX_TAGS {
        let bytes = frame.get(at..)?.first_chunk::<2>()?;
        let kind = u16::from_be_bytes(*bytes);
        if !matches!(kind, TPID_8021Q | TPID_8021AD | TPID_9100) {
            return Some((kind, at + 2));
        }
        at += TAG_LEN;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_without_a_stripped_tag_has_none() {
        assert_eq!(stripped_tag(TP_STATUS_VLAN_TPID_VALID, 5, TPID_8021Q), None);
    }

    #[test]
    fn priority_tags_are_tags() {
        // VLAN 0 carries a priority only; its TCI may be all zero and the tag was on the wire all
        // the same.
        let status = TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
        assert_eq!(stripped_tag(status, 0, TPID_8021Q), Some([0x81, 0x00, 0, 0]));
    }

    #[test]
    fn an_old_kernel_without_tpid_means_8021q() {
        assert_eq!(stripped_tag(TP_STATUS_VLAN_VALID, 0x2064, 0), Some([0x81, 0x00, 0x20, 0x64]));
    }

    proptest! {
        #[test]
        fn tag_bytes_are_tpid_then_tci_in_network_order(tpid: u16, tci: u16) {
            let tag = stripped_tag(TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID, tci.into(), tpid).unwrap();
            prop_assert_eq!(u16::from_be_bytes([tag[0], tag[1]]), tpid);
            prop_assert_eq!(u16::from_be_bytes([tag[2], tag[3]]), tci);
        }

        #[test]
        fn the_walk_steps_over_every_tag(
            tags in proptest::collection::vec((prop_oneof![Just(TPID_8021Q), Just(TPID_8021AD), Just(TPID_9100)], any::<u16>()), 0..=MAX_TAGS),
            kind in any::<u16>().prop_filter("not a tag", |k| ![TPID_8021Q, TPID_8021AD, TPID_9100].contains(k)),
        ) {
            let mut frame = vec![0xEE; TAG_OFFSET];
            for (tpid, tci) in &tags {
                frame.extend(tpid.to_be_bytes());
                frame.extend(tci.to_be_bytes());
            }
            frame.extend(kind.to_be_bytes());
            prop_assert_eq!(ethertype(&frame), Some((kind, frame.len())));
            frame.pop();
            prop_assert_eq!(ethertype(&frame), None);
        }

        #[test]
        fn the_walk_ends_on_any_bytes(frame in proptest::collection::vec(prop_oneof![Just(0x81), Just(0), any::<u8>()], 0..80)) {
            if let Some((_, at)) = ethertype(&frame) {
                prop_assert!(at <= frame.len() && at >= TAG_OFFSET + 2);
            }
        }
    }
}
