//! [`Closing`]: the META record at the end of a recording.

use std::io::Write;

use erf_core::meta::{Meta, SectionId, SectionRef, SectionType, TagType};
use erf_core::{Record, Timestamp};

use super::meta_record::{records, section};
use super::{Account, ClockInfo};
use crate::Error;
use crate::writer::ErfWriter;

/// The end of a recording: its [`Account`] as a Statistics section of the Capture, and the state of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closing {
    /// Start of the recording, on the clock of the packets: the stamp of the opening.
    pub started: Timestamp,
    /// Its end and the stamp of the record, on the same clock, not before the last packet.
    pub ended: Timestamp,
    /// When this was stated, by the host's clock (`gen_time`).
    pub generated: Timestamp,
    /// What became of the packets.
    pub account: Account,
    /// What the card said of its clock at the end: a Module section, unless nothing is known.
    pub clock: ClockInfo,
}

impl Closing {
    /// Of a recording from `started` to `ended`, stated now by the host's clock.
    pub fn new(started: Timestamp, ended: Timestamp, account: Account) -> Self {
        Self { started, ended, generated: Timestamp::now(), account, clock: ClockInfo::default() }
    }

    /// The META record, with the account as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Limit`](crate::ErrorKind::Limit) for what no META record can hold; an account always
    /// fits.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let statistics = section(SectionType::STATISTICS, SectionId::UNSPECIFIED, |writer| {
            writer
                .parent(SectionRef { section_type: SectionType::CAPTURE, id: SectionId::from_bits(1) })?
                .put(TagType::START_TIME, self.started)?
                .put(TagType::END_TIME, self.ended)?;
            self.account.put(writer)
        })?;
        let mut sections = vec![statistics];
        if !self.clock.is_unknown() {
            sections.push(section(SectionType::MODULE, SectionId::UNSPECIFIED, |writer| self.clock.put(writer))?);
        }
        records(self.ended, self.generated, &sections, None)
    }

    /// Writes it as the last record, flushes, and returns the account it holds: `bytes_written` is all
    /// that `writer` has written, this record included.
    ///
    /// # Errors
    ///
    /// Those of [`to_bytes`](Self::to_bytes) and of [`ErfWriter::flush`].
    pub fn write_to<W: Write>(self, writer: &mut ErfWriter<W>) -> Result<Account, Error> {
        let (bytes, account) = self.behind(writer.bytes_written())?;
        writer.write_records(&bytes)?;
        writer.flush()?;
        Ok(account)
    }

    /// The META record as it ends a file that has `before` bytes without it, and the account it holds: `bytes_written` is the
    /// length of the file with it.
    ///
    /// # Errors
    ///
    /// Those of [`to_bytes`](Self::to_bytes).
    pub fn behind(mut self, before: u64) -> Result<(Vec<u8>, Account), Error> {
        // The record states its own length in decimal: longer digits may make it longer. It only
        // grows with the number, and a 64-bit number has 20 digits.
        loop {
            let bytes = self.to_bytes()?;
            let total = before + bytes.len() as u64;
            if total == self.account.bytes_written {
                return Ok((bytes, self.account));
            }
            self.account.bytes_written = total;
        }
    }

    /// Reads it back; `None` for any other record, and where a field is missing.
    pub fn from_record(record: &Record<'_>) -> Option<Self> {
        if !record.is_meta() {
            return None;
        }
        let meta = Meta::new(record.payload());
        let (section, account) = meta
            .sections()
            .filter(|section| section.is(SectionType::STATISTICS))
            .find_map(|section| Account::read(&section).map(|account| (section, account)))?;
        let time = |tag_type| section.value(tag_type)?.as_timestamp();
        Some(Self {
            started: time(TagType::START_TIME)?,
            ended: time(TagType::END_TIME)?,
            generated: meta.gen_time()?,
            account,
            clock: meta
                .sections()
                .find(|section| section.is(SectionType::MODULE))
                .map(|module| ClockInfo::read(&module))
                .unwrap_or_default(),
        })
    }
}

impl Account {
    /// The account in a closing META record; `None` for any other record.
    pub fn from_meta(record: &Record<'_>) -> Option<Self> {
        Closing::from_record(record).map(|closing| closing.account)
    }
}
