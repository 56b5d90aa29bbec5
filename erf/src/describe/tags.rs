//! META tags in words.

use std::fmt::{self, Display};
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{plain, utc};
use crate::meta::{Meta, NameRecord, Section, Tag, TagType, Value, ValueKind};
use crate::{ExtType, RecordType};

/// A line for each section and each tag, indented; the text in them as [`plain`] shows it.
#[derive(Debug, Clone, Copy)]
pub struct Tags<'a>(pub Meta<'a>);

impl Display for Tags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in self.0.sections() {
            heading(f, &section)?;
            for tag in section.tags() {
                match tag {
                    Ok(tag) if tag.tag_type().kind() == ValueKind::Marker => writeln!(f, "    {}", tag.tag_type())?,
                    Ok(tag) => writeln!(f, "    {}: {}", tag.tag_type(), words(tag))?,
                    Err(defect) => writeln!(f, "    {defect}")?,
                }
            }
        }
        Ok(())
    }
}

/// The name of a section with its id, which is the number of an interface or a stream plus one.
fn heading(f: &mut fmt::Formatter<'_>, section: &Section<'_>) -> fmt::Result {
    let Some(reference) = section.reference() else { return Ok(()) };
    write!(f, "  {reference}")?;
    if let Some(number) = section.interface() {
        write!(f, " (interface {number})")?;
    }
    if let Some(number) = section.stream() {
        write!(f, " (stream {number})")?;
    }
    writeln!(f)
}

/// The value of a tag as [`words`] shows it.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a>(Tag<'a>);

/// The value of `tag`, for a person: enumerations by name, times in UTC, differences in nanoseconds, numbers with their unit where it
/// is known, hosts and addresses in their usual form, text as [`plain`] shows it.
pub const fn words(tag: Tag<'_>) -> Words<'_> {
    Words(tag)
}

impl Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.0.value_name() {
            return f.write_str(name);
        }
        let tag_type = self.0.tag_type();
        match self.0.value() {
            Value::Text(text) => plain(text.as_bytes()).fmt(f),
            Value::Time(stamp) => utc(stamp).fmt(f),
            Value::Delta(delta) => write!(f, "{} ns", delta.to_nanos()),
            Value::U64(host) if tag_type == TagType::HOST_ID => write!(f, "{host:012x}"),
            Value::U32(number) if tag_type == TagType::IF_ERF_TYPE => erf_type(f, number),
            Value::U32(up @ (0 | 1)) if tag_type == TagType::IF_LINK_STATUS => f.write_str(["down", "up"][up as usize]),
            Value::U32(number) => number_of(f, tag_type, number.into()),
            Value::U64(number) => number_of(f, tag_type, number.into()),
            Value::I32(number) => number_of(f, tag_type, number.into()),
            Value::I64(number) => number_of(f, tag_type, number.into()),
            Value::ExtHeaders(set) if !set.is_all() => extensions(f, set.iter()),
            Value::Name(record) => name(f, tag_type.kind(), record),
            value => value.fmt(f),
        }
    }
}

/// The unit of a number, and the digits behind its point.
fn unit(tag_type: TagType) -> Option<(&'static str, u32)> {
    Some(match tag_type {
        TagType::FCS_LEN => ("bits", 0),
        TagType::TS_CLOCK_FREQ => ("Hz", 0),
        TagType::SNAPLEN | TagType::MEM => ("bytes", 0),
        TagType::STAT_BYTES | TagType::STAT_CAP_BYTES | TagType::TX_BYTES | TagType::RECORD_BYTES => ("bytes", 0),
        TagType::INITIATOR_BYTES | TagType::RESPONDER_BYTES => ("bytes", 0),
        TagType::PKT_DROP_BYTES | TagType::RECORD_DROP_BYTES => ("bytes", 0),
        TagType::IF_SPEED | TagType::IF_TX_SPEED => ("b/s", 0),
        TagType::TEMPERATURE => ("\u{b0}C", 3),
        TagType::POWER => ("mW", 0),
        TagType::IF_RX_POWER | TagType::IF_TX_POWER => ("dBm", 2),
        TagType::PTP_CURRENT_UTC_OFFSET => ("s", 0),
        _ => return None,
    })
}

fn number_of(f: &mut fmt::Formatter<'_>, tag_type: TagType, number: i128) -> fmt::Result {
    if matches!(tag_type, TagType::PTP_OFFSET_FROM_MASTER | TagType::PTP_MEAN_PATH_DELAY) {
        // Stored times 2^16; below 2^48 ns, so that what is shown is exact to its last digit.
        return write!(f, "{:.3} ns", number as f64 / 65_536.0);
    }
    match unit(tag_type) {
        None => number.fmt(f),
        Some((unit @ "b/s", _)) => {
            let prefixes = [("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1000)];
            match prefixes.iter().find(|(_, size)| number != 0 && number % size == 0) {
                Some((prefix, size)) => write!(f, "{} {prefix}{unit}", number / size),
                None => write!(f, "{number} {unit}"),
            }
        }
        Some((unit, 0)) => write!(f, "{number} {unit}"),
        Some((unit, digits)) => {
            let (sign, size) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
            let one = 10u128.pow(digits);
            write!(f, "{sign}{}.{:0width$} {unit}", size / one, size % one, width = digits as usize)
        }
    }
}

fn erf_type(f: &mut fmt::Formatter<'_>, number: u32) -> fmt::Result {
    match u8::try_from(number) {
        Ok(number @ 0..128) => RecordType::new(number).fmt(f),
        _ => number.fmt(f),
    }
}

fn extensions(f: &mut fmt::Formatter<'_>, kinds: impl Iterator<Item = u8>) -> fmt::Result {
    let mut before = "";
    for kind in kinds {
        write!(f, "{before}{}", ExtType::new(kind))?;
        before = ", ";
    }
    if before.is_empty() { f.write_str("none") } else { Ok(()) }
}

fn name(f: &mut fmt::Formatter<'_>, kind: ValueKind, record: NameRecord<'_>) -> fmt::Result {
    let NameRecord { address, name } = record;
    match (kind, address.first_chunk::<4>(), address.first_chunk::<16>()) {
        (ValueKind::NameIpv4, Some(ipv4), _) => Ipv4Addr::from(*ipv4).fmt(f)?,
        (ValueKind::NameIpv6, _, Some(ipv6)) => Ipv6Addr::from(*ipv6).fmt(f)?,
        _ => {
            for (n, byte) in address.iter().enumerate() {
                write!(f, "{}{byte:02x}", if n == 0 { "" } else { ":" })?;
            }
        }
    }
    write!(f, " {}", plain(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{ExtHeaderSet, MetaWriter, SectionId, SectionType};
    use crate::{TimeDelta, Timestamp};

    fn shown(fill: impl FnOnce(&mut MetaWriter<'_>)) -> Vec<String> {
        let mut area = [0; 1024];
        let mut writer = MetaWriter::new(&mut area);
        fill(&mut writer);
        let lines = Tags(Meta::new(writer.finish())).to_string();
        lines.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn values_are_for_a_person() {
        let lines = shown(|writer| {
            writer.put(TagType::GEN_TIME, Timestamp::from_parts(1_700_000_000, 1 << 30)).unwrap();
            writer.put(TagType::RESET, Value::Marker).unwrap();
            writer.put(TagType::HOST_ID, 0x0025_90C0_3E08u64).unwrap();
            writer.put(TagType::COMMENT, "a\u{1b}[2Jb").unwrap();
            writer.put(TagType::EXT_HDRS_ADDED, ExtHeaderSet::new(&[0, 6, 0, 0]).unwrap()).unwrap();
            writer.section(SectionType::INTERFACE, SectionId::interface(1)).unwrap();
            writer.put(TagType::IF_SPEED, 10_000_000_000u64).unwrap();
            writer.put(TagType::IF_TX_SPEED, 155_520_001u64).unwrap();
            writer.put(TagType::SNAPLEN, 96u32).unwrap();
            writer.put(TagType::IF_ERF_TYPE, 2u32).unwrap();
            writer.put(TagType::IF_RX_POWER, -305i32).unwrap();
            writer.put(TagType::TEMPERATURE, 45_250i32).unwrap();
            writer.put(TagType::TS_OFFSET, TimeDelta::from_nanos(-12)).unwrap();
            writer.put(TagType::PTP_OFFSET_FROM_MASTER, 98_304i64).unwrap();
            writer.put(TagType::IF_MAC, [0, 0x25, 0x90, 0xC0, 0x3E, 8]).unwrap();
            writer.put(TagType::CLK_STATE, 2u32).unwrap();
            writer.put(TagType::IF_LINK_STATUS, 1u32).unwrap();
            writer.put(TagType::IF_LINK_STATUS, 3u32).unwrap();
            let name = NameRecord {
                address: &[0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
                name: "a\u{7}".into(),
            };
            writer.put(TagType::NS_DNS_IPV6, name).unwrap();
        });
        let expected = [
            "gen_time: 2023-11-14T22:13:20.250000000Z",
            "reset",
            "host_id: 002590c03e08",
            "comment: a\\u{1b}[2Jb",
            "ext_hdrs_added: Host ID, Anchor ID",
            "Interface 2 (interface 1)",
            "if_speed: 10 Gb/s",
            "if_tx_speed: 155520001 b/s",
            "snaplen: 96 bytes",
            "if_erf_type: ETH",
            "if_rx_power: -3.05 dBm",
            "temperature: 45.250 \u{b0}C",
            "ts_offset: -12 ns",
            "ptp_offset_from_master: 1.500 ns",
            "if_mac: 00:25:90:c0:3e:08",
            "clk_state: synchronised",
            "if_link_status: up",
            "if_link_status: 3",
            "ns_dns_ipv6: 2001:db8::1 a\\u{7}",
        ];
        assert_eq!(lines, expected);
    }

    proptest::proptest! {
        #[test]
        fn whatever_tags_hold_is_shown_in_lines_that_command_nothing(
            tags in proptest::collection::vec((0u16..430, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..24)), 0..8),
        ) {
            let mut area = Vec::new();
            for (number, bytes) in tags {
                area.extend(number.to_be_bytes());
                area.extend((bytes.len() as u16).to_be_bytes());
                area.extend(&bytes);
                area.resize(area.len().next_multiple_of(4), 0);
            }
            let text = Tags(Meta::new(&area)).to_string();
            proptest::prop_assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
        }
    }
}
