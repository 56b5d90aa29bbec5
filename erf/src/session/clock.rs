//! [`ClockInfo`] and [`ClockNote`]: what a card says of its clock, at the start of a recording and from time to time.

use std::io::Write;

use erf_core::meta::{
    ClockSource, ClockState, Meta, MetaWriteError, MetaWriter, Section, SectionId, SectionType, TagType,
};
use erf_core::{Record, TimeDelta, Timestamp};

use super::attributes;
use super::meta_record::{put_option, put_text, records, section};
use crate::Error;
use crate::writer::ErfWriter;

/// Marks the Module section of a [`ClockNote`].
const CLOCK_NOTE: &str = "clock_note";

const FREQUENCY_ERROR: &str = "clk_frequency_error_ppb";

/// A card's clock as the card states it, in the `clk_*` tags of its Module section (`erf-format.md` section 7.7). What the
/// card does not tell is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClockInfo {
    /// What disciplines it.
    pub source: Option<ClockSource>,
    /// Whether it follows that.
    pub state: Option<ClockState>,
    /// How far it is from its source (`clk_phase_error`), in units of 2^-32 s.
    pub phase_error: Option<TimeDelta>,
    /// How much too fast it runs, in parts per 10^9: an attribute, since the format has no tag for it.
    pub frequency_error_ppb: Option<i64>,
    /// How often it had to be set anew.
    pub resyncs: Option<u32>,
    /// How often its source failed.
    pub failures: Option<u32>,
}

impl ClockInfo {
    /// Whether it is synchronised; `None` where the card does not say.
    pub fn is_synchronised(&self) -> Option<bool> {
        match self.state? {
            ClockState::SYNCHRONISED => Some(true),
            ClockState::UNSYNCHRONISED => Some(false),
            _ => None,
        }
    }

    /// Nothing is known of it.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn put(&self, writer: &mut MetaWriter<'_>) -> Result<(), MetaWriteError> {
        put_option(writer, TagType::CLK_SOURCE, self.source.map(ClockSource::number))?;
        put_option(writer, TagType::CLK_STATE, self.state.map(ClockState::number))?;
        put_option(writer, TagType::CLK_FAILURES, self.failures)?;
        put_option(writer, TagType::CLK_RESYNCS, self.resyncs)?;
        put_option(writer, TagType::CLK_PHASE_ERROR, self.phase_error)?;
        match self.frequency_error_ppb {
            Some(error) => attributes::put(writer, FREQUENCY_ERROR, error),
            None => Ok(()),
        }
    }

    pub(super) fn read(section: &Section<'_>) -> Self {
        let number = |tag_type| section.value(tag_type)?.as_u32();
        Self {
            source: number(TagType::CLK_SOURCE).map(ClockSource::new),
            state: number(TagType::CLK_STATE).map(ClockState::new),
            phase_error: section.value(TagType::CLK_PHASE_ERROR).and_then(|value| value.as_delta()),
            frequency_error_ppb: attributes::read(section, FREQUENCY_ERROR),
            resyncs: number(TagType::CLK_RESYNCS),
            failures: number(TagType::CLK_FAILURES),
        }
    }
}

/// The state of the clock in the middle of a recording: a META record with a Module section.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClockNote {
    /// When this held, on the clock of the packets.
    pub timestamp: Timestamp,
    /// When this was stated, by the host's clock (`gen_time`).
    pub generated: Timestamp,
    /// The device, as the opening names it.
    pub device: String,
    /// The clock.
    pub clock: ClockInfo,
}

impl ClockNote {
    /// Of `clock` at `timestamp`, stated now by the host's clock.
    pub fn new(timestamp: Timestamp, device: impl Into<String>, clock: ClockInfo) -> Self {
        Self { timestamp, generated: Timestamp::now(), device: device.into(), clock }
    }

    /// The META record.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`](crate::ErrorKind::Limit) for what no META record can hold; a note always fits.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let module = section(SectionType::MODULE, SectionId::UNSPECIFIED, |writer| {
            put_text(writer, TagType::DEV_NAME, &self.device)?;
            attributes::put(writer, CLOCK_NOTE, attributes::VERSION)?;
            self.clock.put(writer)
        })?;
        records(self.timestamp, self.generated, &[module], None)
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// Those of [`to_bytes`](Self::to_bytes) and of [`ErfWriter::write_records`].
    pub fn write_to<W: Write>(&self, writer: &mut ErfWriter<W>) -> Result<(), Error> {
        writer.write_records(&self.to_bytes()?).map(drop)
    }

    /// Reads it back; `None` for any other record.
    pub fn from_record(record: &Record<'_>) -> Option<Self> {
        if !record.is_meta() {
            return None;
        }
        let meta = Meta::new(record.payload());
        let module = meta
            .sections()
            .find(|section| section.is(SectionType::MODULE) && attributes::find(section, CLOCK_NOTE).is_some())?;
        let device = module.value(TagType::DEV_NAME).and_then(|value| value.as_text());
        Some(Self {
            timestamp: record.timestamp(),
            generated: meta.gen_time()?,
            device: device.map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()).unwrap_or_default(),
            clock: ClockInfo::read(&module),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use erf_core::Records;
    use proptest::prelude::*;

    prop_compose! {
        pub(in super::super) fn any_clock()(
            source: Option<u32>, state: Option<u32>, phase: Option<i64>, frequency_error_ppb: Option<i64>,
            resyncs: Option<u32>, failures: Option<u32>,
        ) -> ClockInfo {
            ClockInfo {
                source: source.map(ClockSource::new),
                state: state.map(ClockState::new),
                phase_error: phase.map(TimeDelta::from_raw),
                frequency_error_ppb,
                resyncs,
                failures,
            }
        }
    }

    pub(in super::super) fn clock() -> ClockInfo {
        ClockInfo {
            source: Some(ClockSource::EXTERNAL),
            state: Some(ClockState::UNSYNCHRONISED),
            phase_error: Some(TimeDelta::from_raw(-12_345)),
            frequency_error_ppb: Some(-350),
            resyncs: Some(3),
            failures: Some(1),
        }
    }

    #[test]
    fn a_note_is_read_back_and_nothing_else_is_one() {
        let stamp = Timestamp::from_parts(1_700_000_000, 5);
        for clock in [clock(), ClockInfo::default()] {
            let note = ClockNote::new(stamp, "dag0", clock);
            let bytes = note.to_bytes().unwrap();
            let record = Records::new(&bytes).next().unwrap().unwrap();
            assert_eq!(ClockNote::from_record(&record), Some(note));
        }
        let opening = super::super::Opening::new(stamp).to_bytes().unwrap();
        let record = Records::new(&opening).next().unwrap().unwrap();
        assert_eq!(ClockNote::from_record(&record), None);
    }

    #[test]
    fn only_a_known_state_is_a_verdict() {
        assert_eq!(clock().is_synchronised(), Some(false));
        assert_eq!(ClockInfo { state: Some(ClockState::SYNCHRONISED), ..clock() }.is_synchronised(), Some(true));
        assert_eq!(ClockInfo { state: Some(ClockState::INVALID), ..clock() }.is_synchronised(), None);
        assert_eq!(ClockInfo::default().is_synchronised(), None);
    }
}
