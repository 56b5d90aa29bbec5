//! Reading an [`Opening`] back from its META record.

use erf_core::meta::{LinkStatus, Meta, Section, SectionType, TagType};
use erf_core::{Record, Tick};

use super::attributes::{self, EMULATED, RECORDING, STAMP_ERROR_NS, STAMP_SOURCE, TICK_BITS};
use super::opening::EMULATED_COMMENT;
use super::{Application, CardInfo, ClockInfo, HostInfo, InterfaceInfo, Opening, StreamInfo};

impl Opening {
    /// Reads the first record of an opening; `None` for any other record.
    ///
    /// Fields that are missing or cannot be read stay empty. An unreadable `emulated` counts as
    /// emulated: doubtful data must not pass for a measurement.
    pub fn from_record(record: &Record<'_>) -> Option<Self> {
        let meta = meta(record)?;
        let capture = meta.sections().find(is_recording)?;
        let text = |tag_type| text(&capture, tag_type);
        let mut opening = Self {
            timestamp: record.timestamp(),
            generated: meta.gen_time().unwrap_or(record.timestamp()),
            host: section(&meta, SectionType::HOST).map(|host| read_host(&host)).unwrap_or_default(),
            card: section(&meta, SectionType::MODULE).map(|module| read_card(&module)).unwrap_or_default(),
            application: Application::new(
                text(TagType::APP_NAME).unwrap_or_default(),
                text(TagType::APP_VERSION).unwrap_or_default(),
            ),
            snaplen: number(&capture, TagType::SNAPLEN),
            filter: text(TagType::FILTER),
            fcs_bits: number(&capture, TagType::FCS_LEN),
            interfaces: Vec::new(),
            streams: Vec::new(),
            comment: comment(&capture),
        };
        opening.add_ports(&meta);
        Some(opening)
    }

    /// Adds the interfaces and streams of a further record of the same opening, which has them where the first
    /// was full; `false` for any other record.
    pub fn continue_with(&mut self, record: &Record<'_>) -> bool {
        let Some(meta) = meta(record) else { return false };
        let continues = meta.gen_time() == Some(self.generated)
            && record.timestamp() == self.timestamp
            && section(&meta, SectionType::CAPTURE).is_none()
            && section(&meta, SectionType::MODULE).is_some_and(|module| read_card(&module) == self.card);
        if continues {
            self.add_ports(&meta);
        }
        continues
    }

    fn add_ports(&mut self, meta: &Meta<'_>) {
        for section in meta.sections() {
            if let Some(interface) = read_interface(&section) {
                self.interfaces.push(interface);
            } else if let Some(stream) = read_stream(&section) {
                self.streams.push(stream);
            }
        }
    }
}

fn meta<'a>(record: &Record<'a>) -> Option<Meta<'a>> {
    record.is_meta().then(|| Meta::new(record.payload()))
}

/// A Capture section that one of our recordings began with.
fn is_recording(section: &Section<'_>) -> bool {
    section.is(SectionType::CAPTURE) && attributes::find(section, RECORDING).is_some()
}

fn section<'a>(meta: &Meta<'a>, section_type: SectionType) -> Option<Section<'a>> {
    meta.sections().find(|section| section.is(section_type))
}

fn text(section: &Section<'_>, tag_type: TagType) -> Option<String> {
    let text = section.value(tag_type)?.as_text()?;
    Some(String::from_utf8_lossy(text.as_bytes()).into_owned())
}

fn number(section: &Section<'_>, tag_type: TagType) -> Option<u32> {
    section.value(tag_type)?.as_u32()
}

fn read_host(section: &Section<'_>) -> HostInfo {
    HostInfo {
        name: text(section, TagType::HOSTNAME).unwrap_or_default(),
        os: text(section, TagType::OS),
        model: text(section, TagType::MODEL),
    }
}

fn read_card(section: &Section<'_>) -> CardInfo {
    CardInfo {
        device: text(section, TagType::DEV_NAME).unwrap_or_default(),
        model: text(section, TagType::MODEL),
        serial: text(section, TagType::SERIAL_NO),
        firmware: text(section, TagType::FW_VERSION),
        number: number(section, TagType::CARD_NUM),
        tick: read_tick(section),
        stamp_source: attributes::read(section, STAMP_SOURCE),
        stamp_error_ns: attributes::read(section, STAMP_ERROR_NS),
        emulated: attributes::find(section, EMULATED) != Some("false"),
        memory: section.value(TagType::MEM).and_then(|value| value.as_u64()),
        clock: ClockInfo::read(section),
    }
}

/// From `ts_clock_freq` where that is a power of two, else from the attribute.
fn read_tick(section: &Section<'_>) -> Option<Tick> {
    match number(section, TagType::TS_CLOCK_FREQ) {
        Some(hz) if hz.is_power_of_two() => Tick::new(u8::try_from(hz.trailing_zeros()).ok()?),
        _ => Tick::new(attributes::read(section, TICK_BITS)?),
    }
}

fn read_interface(section: &Section<'_>) -> Option<InterfaceInfo> {
    if section.is_timing_port() {
        return None;
    }
    let link = number(section, TagType::IF_LINK_STATUS);
    Some(InterfaceInfo {
        number: u8::try_from(section.interface()?).ok()?,
        name: text(section, TagType::NAME).unwrap_or_default(),
        descr: text(section, TagType::DESCR),
        mac: section.value(TagType::IF_MAC).and_then(|value| value.as_mac()),
        speed: section.value(TagType::IF_SPEED).and_then(|value| value.as_u64()),
        link_up: link.map(|bits| LinkStatus::from_bits(bits).contains(LinkStatus::UP)),
    })
}

fn read_stream(section: &Section<'_>) -> Option<StreamInfo> {
    Some(StreamInfo {
        number: u16::try_from(section.stream()?).ok()?,
        memory: section.value(TagType::MEM).and_then(|value| value.as_u64()),
        snaplen: number(section, TagType::SNAPLEN),
    })
}

/// The remark of whoever recorded, without ours before it.
fn comment(capture: &Section<'_>) -> Option<String> {
    let text = text(capture, TagType::COMMENT)?;
    match text.strip_prefix(EMULATED_COMMENT) {
        None => Some(text),
        Some(rest) => rest.strip_prefix("; ").map(str::to_owned),
    }
}
