//! Extension headers and sub-headers in words.

use std::fmt;

use crate::ext::{BfsFilter, Channelised, Classification, Entropy, FlowId, HostId, Signature};
use crate::{ChannelFlag, Ext, ExtHeader, MultiChannel, SubHeader};

/// An extension header as [`extension`] shows it.
#[derive(Debug, Clone, Copy)]
pub struct Extension(ExtHeader);

/// What is in `header`, without its name: hosts and anchors in hexadecimal, as their owners write them. The bare number where the
/// layout is not public.
pub const fn extension(header: ExtHeader) -> Extension {
    Extension(header)
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.view() {
            Ext::Classification(header) => classification(f, header),
            Ext::InterceptId(header) => write!(f, "{}", header.id),
            Ext::RawLink(header) => write!(f, "{}, {}, sequence {}", header.rate, header.link_type, header.sequence),
            Ext::BfsFilter(BfsFilter { hash, filter_color, raw_hash }) => {
                write!(f, "hash {hash:#04x}, colour {filter_color}, raw hash {raw_hash:#010x}")
            }
            Ext::Channelised(header) => channelised(f, header),
            Ext::Signature(Signature { payload_hash, filter_color, flow_hash }) => {
                write!(f, "payload hash {payload_hash:#08x}, colour {filter_color}, flow hash {flow_hash:#08x}")
            }
            Ext::FlowId(FlowId { source_id, inner, hash_type, stack, flow_hash }) => {
                let inner = if inner { ", of the inner packet" } else { "" };
                write!(f, "flow hash {flow_hash:#010x} ({hash_type}{inner}), protocols {stack}, source {source_id}")
            }
            Ext::HostId(HostId { source_id, host_id }) => write!(f, "host {host_id:012x}, source {source_id}"),
            Ext::AnchorId(header) => {
                let here = if header.definition { ", defined here" } else { "" };
                write!(f, "anchor {:012x}{here}", header.anchor_id)
            }
            Ext::Entropy(header) => entropy(f, header),
            _ => write!(f, "{:#016x}", self.0.body()),
        }
    }
}

fn classification(f: &mut fmt::Formatter<'_>, header: Classification) -> fmt::Result {
    write!(f, "user {:#06x}, sequence {}, stream {}", header.user, header.sequence, header.stream_steering)?;
    let said =
        [(header.search_hit, "hit"), (header.multiple_hits, "several hits"), (header.drop_steering, "to be dropped")];
    said.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| write!(f, ", {word}"))
}

fn channelised(f: &mut fmt::Formatter<'_>, header: Channelised) -> fmt::Result {
    let Channelised { more_fragments, sequence, container_id, container_size, line_rate, frame_part } = header;
    let more = if more_fragments { ", more follows" } else { "" };
    write!(f, "container {container_id} ({container_size}) of {line_rate}, {frame_part}, sequence {sequence}{more}")
}

fn entropy(f: &mut fmt::Formatter<'_>, header: Entropy) -> fmt::Result {
    match header.bits_per_byte() {
        Some(bits) => write!(f, "{bits} bits per byte"),
        None => f.write_str("not calculated"),
    }
}

/// A sub-header as [`sub_header`] shows it.
#[derive(Debug, Clone, Copy)]
pub struct SubHeaderWords(SubHeader);

/// What is in `header`; nothing for [`SubHeader::None`].
pub const fn sub_header(header: SubHeader) -> SubHeaderWords {
    SubHeaderWords(header)
}

const FLAGS: [(ChannelFlag, &str); 17] = [
    (ChannelFlag::FcsError, "FCS error"),
    (ChannelFlag::Short, "too short"),
    (ChannelFlag::Long, "too long"),
    (ChannelFlag::Aborted, "aborted"),
    (ChannelFlag::OctetError, "octet error"),
    (ChannelFlag::LostByte, "lost a byte"),
    (ChannelFlag::First, "first of its channel"),
    (ChannelFlag::Multiplexed, "multiplexed"),
    (ChannelFlag::HecCorrected, "HEC corrected"),
    (ChannelFlag::OamCrcError, "OAM CRC-10 error"),
    (ChannelFlag::OamCell, "OAM cell"),
    (ChannelFlag::CrcChecked, "CRC checked"),
    (ChannelFlag::CrcError, "CRC error"),
    (ChannelFlag::LengthChecked, "length checked"),
    (ChannelFlag::LengthError, "length error"),
    (ChannelFlag::FirstCell, "first cell"),
    (ChannelFlag::MaalError, "MAAL error"),
];

impl fmt::Display for SubHeaderWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SubHeader::Ethernet([offset, pad]) => write!(f, "offset {offset}, pad {pad}"),
            SubHeader::MultiChannel(header) => multi_channel(f, header),
            SubHeader::Aal2(header) => {
                write!(f, "channel {}", header.channel_id())?;
                if header.maal_error() {
                    write!(f, ", MAAL error {}", header.maal_error_number())?;
                }
                if header.first_cell() { f.write_str(", first cell") } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}

fn multi_channel(f: &mut fmt::Formatter<'_>, header: MultiChannel) -> fmt::Result {
    write!(f, "{:#010x}", header.raw())?;
    let numbers = [
        ("connection", header.connection().map(u32::from)),
        ("port", header.port().map(u32::from)),
        ("channel", header.channel_id().map(u32::from)),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            write!(f, ", {name} {number}")?;
        }
    }
    FLAGS.iter().filter(|(flag, _)| header.has(*flag)).try_for_each(|(_, words)| write!(f, ", {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ext::AnchorId;
    use crate::{Record, RecordBuilder, RecordType};

    #[test]
    fn extension_headers_are_in_words() {
        let shown = |header: ExtHeader| extension(header).to_string();
        assert_eq!(shown(HostId { source_id: 5, host_id: 0x0025_90C0_3E08 }.into()), "host 002590c03e08, source 5");
        assert_eq!(shown(AnchorId { definition: true, anchor_id: 7 }.into()), "anchor 000000000007, defined here");
        let raw = |raw: u64| shown(ExtHeader::from_bytes(raw.to_be_bytes()));
        assert_eq!(
            raw(0x1005_8504_DEAD_BEEF),
            "flow hash 0xdeadbeef (5-tuple, of the inner packet), protocols One VLAN tag, IPv4, source 5"
        );
        assert_eq!(raw(0x13FF_0000_0000_0000), "8 bits per byte");
        assert_eq!(raw(0x0F01_0203_0405_0607), "0x01020304050607");
        assert_eq!(
            raw(0x03CA_5A5E_0102_0304),
            "user 0xa5a5, sequence 16909060, stream 2, hit, several hits, to be dropped"
        );
    }

    #[test]
    fn sub_headers_are_in_words() {
        let shown = |kind, bytes: [u8; 4]| {
            let record = RecordBuilder::new(kind).sub_header(bytes).payload(&[7; 60]).to_vec().unwrap();
            sub_header(Record::parse(&record).unwrap().sub_header()).to_string()
        };
        assert_eq!(shown(RecordType::ETH, [23, 81, 0, 0]), "offset 23, pad 81");
        assert_eq!(
            shown(RecordType::MC_HDLC, [0x41, 0, 3, 0xFF]),
            "0x410003ff, connection 1023, FCS error, first of its channel"
        );
        assert_eq!(shown(RecordType::AAL2, [0, 3, 12, 42]), "channel 42, MAAL error 12, first cell");
    }
}
