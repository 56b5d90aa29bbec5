//! [`Opening`]: the META record at the start of a recording.

use std::io::Write;

use erf_core::Timestamp;
use erf_core::meta::{LinkStatus, MetaWriteError, MetaWriter, PortType, SectionId, SectionType, TagType};

use super::attributes::{self, EMULATED, RECORDING, STAMP_ERROR_NS, STAMP_SOURCE, TICK_BITS, VERSION};
use super::meta_record::{put_option, put_text, records, section};
use super::{Application, CardInfo, EMULATED_MODEL, HostInfo, InterfaceInfo, StreamInfo};
use crate::Error;
use crate::writer::ErfWriter;

/// The comment of a recording made with an emulated card.
pub(super) const EMULATED_COMMENT: &str =
    "emulated card: packets and timestamps come from software, not from DAG hardware";

/// What a recording says about itself at its start: sections Capture, Host, Module (the card), and one
/// for each interface and stream (`erf-format.md` section 7).
///
/// Texts are cut to 1024 bytes; empty ones are not written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// Stamp of the record and start of the recording, **on the clock of the packets**: not after the
    /// first of them and not more than a year before it, or Wireshark does not take the file for ERF
    /// (`erf-format.md` section 8). For a replay with recorded stamps that is the first of these, not
    /// the time of day.
    pub timestamp: Timestamp,
    /// When this was stated, by the host's clock (`gen_time`). Of two statements the newer holds.
    pub generated: Timestamp,
    /// The machine.
    pub host: HostInfo,
    /// The card.
    pub card: CardInfo,
    /// The program.
    pub application: Application,
    /// Bytes of each packet that are kept at most; `None` for all.
    pub snaplen: Option<u32>,
    /// What is recorded, in words such as `port 0`; `None` for all.
    pub filter: Option<String>,
    /// Length of the FCS that each wire length counts, in bits: 32 for Ethernet, 0 for none.
    pub fcs_bits: Option<u32>,
    /// The ports.
    pub interfaces: Vec<InterfaceInfo>,
    /// The streams.
    pub streams: Vec<StreamInfo>,
    /// A remark of whoever records.
    pub comment: Option<String>,
}

impl Opening {
    /// Of a recording that begins at `timestamp`, stated now by the host's clock. All else is empty.
    pub fn new(timestamp: Timestamp) -> Self {
        Self {
            timestamp,
            generated: Timestamp::now(),
            host: HostInfo::default(),
            card: CardInfo::default(),
            application: Application::default(),
            snaplen: None,
            filter: None,
            fcs_bits: None,
            interfaces: Vec::new(),
            streams: Vec::new(),
            comment: None,
        }
    }

    /// The META record, or records where one cannot hold all interfaces and streams.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`](crate::ErrorKind::Limit) for what no META record can hold, which the limit on
    /// texts leaves no room for.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let unnumbered = SectionId::UNSPECIFIED;
        let single = SectionId::from_bits(1);
        let mut sections = vec![
            section(SectionType::CAPTURE, single, |writer| self.capture(writer))?,
            section(SectionType::HOST, single, |writer| self.host(writer))?,
            section(SectionType::MODULE, unnumbered, |writer| self.module(writer))?,
        ];
        let module = sections.len() - 1;
        for interface in &self.interfaces {
            let id = SectionId::interface(interface.number);
            sections.push(section(SectionType::INTERFACE, id, |writer| self.interface(writer, interface))?);
        }
        for stream in &self.streams {
            let id = SectionId::stream(stream.number).unwrap_or(unnumbered);
            sections.push(section(SectionType::STREAM, id, |writer| put_stream(writer, stream))?);
        }
        records(self.timestamp, self.generated, &sections, Some(module))
    }

    /// Writes it, and flushes: a recording without packets yet is seen to have begun.
    ///
    /// # Errors
    ///
    /// Those of [`to_bytes`](Self::to_bytes) and of [`ErfWriter::flush`].
    pub fn write_to<W: Write>(&self, writer: &mut ErfWriter<W>) -> Result<(), Error> {
        writer.write_records(&self.to_bytes()?)?;
        writer.flush()
    }

    fn capture(&self, writer: &mut MetaWriter<'_>) -> Result<(), MetaWriteError> {
        put_text(writer, TagType::APP_NAME, &self.application.name)?;
        put_text(writer, TagType::APP_VERSION, &self.application.version)?;
        writer.put(TagType::START_TIME, self.timestamp)?;
        put_option(writer, TagType::SNAPLEN, self.snaplen)?;
        put_optional_text(writer, TagType::FILTER, self.filter.as_deref())?;
        put_option(writer, TagType::FCS_LEN, self.fcs_bits)?;
        attributes::put(writer, RECORDING, VERSION)?;
        // One tag: of several, capinfos shows the last alone.
        match &self.comment {
            Some(comment) if self.card.emulated => {
                put_text(writer, TagType::COMMENT, &format!("{EMULATED_COMMENT}; {comment}"))
            }
            Some(comment) => put_text(writer, TagType::COMMENT, comment),
            None if self.card.emulated => put_text(writer, TagType::COMMENT, EMULATED_COMMENT),
            None => Ok(()),
        }
    }

    fn host(&self, writer: &mut MetaWriter<'_>) -> Result<(), MetaWriteError> {
        put_text(writer, TagType::HOSTNAME, &self.host.name)?;
        put_optional_text(writer, TagType::OS, self.host.os.as_deref())?;
        put_optional_text(writer, TagType::MODEL, self.model(self.host.model.as_deref()))
    }

    fn module(&self, writer: &mut MetaWriter<'_>) -> Result<(), MetaWriteError> {
        let card = &self.card;
        put_text(writer, TagType::DEV_NAME, &card.device)?;
        put_optional_text(writer, TagType::MODEL, self.model(card.model.as_deref()))?;
        put_optional_text(writer, TagType::SERIAL_NO, card.serial.as_deref())?;
        put_optional_text(writer, TagType::FW_VERSION, card.firmware.as_deref())?;
        put_option(writer, TagType::CARD_NUM, card.number)?;
        put_option(writer, TagType::MEM, card.memory)?;
        if let Some(tick) = card.tick {
            match u32::try_from(tick.hz()) {
                Ok(hz) => writer.put(TagType::TS_CLOCK_FREQ, hz).map(|_| ())?,
                // 2^32 Hz is one more than the tag can say.
                Err(_) => attributes::put(writer, TICK_BITS, tick.bits())?,
            }
        }
        if let Some(source) = card.stamp_source {
            attributes::put(writer, STAMP_SOURCE, source)?;
        }
        if let Some(error) = card.stamp_error_ns {
            attributes::put(writer, STAMP_ERROR_NS, error)?;
        }
        attributes::put(writer, EMULATED, card.emulated)?;
        card.clock.put(writer)
    }

    fn interface(&self, writer: &mut MetaWriter<'_>, interface: &InterfaceInfo) -> Result<(), MetaWriteError> {
        put_text(writer, TagType::NAME, &interface.name)?;
        put_optional_text(writer, TagType::DESCR, interface.descr.as_deref())?;
        writer.put(TagType::IF_NUM, u32::from(interface.number))?;
        writer.put(TagType::IF_PORT_TYPE, PortType::CAPTURE.number())?;
        put_option(writer, TagType::IF_MAC, interface.mac)?;
        put_option(writer, TagType::IF_SPEED, interface.speed)?;
        let link = interface.link_up.map(|up| if up { LinkStatus::UP.bits() } else { 0 });
        put_option(writer, TagType::IF_LINK_STATUS, link)?;
        // Wireshark 4.0 does not inherit it from the capture. An interface's value would hide that of a
        // stream (`erf-format.md` section 7.2), so it is left out where a stream has one.
        match self.streams.iter().all(|stream| stream.snaplen.is_none()) {
            true => put_option(writer, TagType::SNAPLEN, self.snaplen),
            false => Ok(()),
        }
    }

    fn model<'a>(&self, real: Option<&'a str>) -> Option<&'a str> {
        if self.card.emulated { Some(EMULATED_MODEL) } else { real }
    }
}

fn put_stream(writer: &mut MetaWriter<'_>, stream: &StreamInfo) -> Result<(), MetaWriteError> {
    writer.put(TagType::STREAM_NUM, u32::from(stream.number))?;
    put_option(writer, TagType::MEM, stream.memory)?;
    put_option(writer, TagType::SNAPLEN, stream.snaplen)
}

fn put_optional_text(writer: &mut MetaWriter<'_>, tag_type: TagType, text: Option<&str>) -> Result<(), MetaWriteError> {
    put_text(writer, tag_type, text.unwrap_or_default())
}
