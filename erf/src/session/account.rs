//! [`Account`]: where every packet of a recording went.

use erf_core::meta::{MetaWriteError, MetaWriter, Section, TagType};
use erf_core::{Tick, Timestamp};

use super::StoppedBy;
use super::attributes::{self, ACCOUNT, TICK_BITS, VERSION};

/// Where every packet of a recording went.
///
/// Counts packets up to the last record looked at, and the loss up to it; META and PAD records never
/// count. [`adds_up`](Self::adds_up) holds for every finished recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Packets that arrived at the ports.
    pub received: u64,
    /// Packets in the output.
    pub delivered: u64,
    /// Packets that card or kernel dropped because nobody took them in time.
    pub lost_card: u64,
    /// Packets that were taken from the card and did not get into the output.
    pub lost_writer: u64,
    /// Packets that were not asked for.
    pub filtered: u64,
    /// [`lost_card`](Self::lost_card) is the number; otherwise it is a lower bound, since a loss counter stuck
    /// at 0xFFFF (`erf-format.md` section 2.2).
    pub loss_exact: bool,
    /// Delivered packets marked as cut by the card or too long for a record; snapping does not count.
    pub truncated: u64,
    /// Delivered packets with the RX error flag.
    pub rx_errors: u64,
    /// Delivered packets with the DS error flag.
    pub ds_errors: u64,
    /// Packets left in stream memory at the stop, outside the sum.
    pub unread: u64,
    /// Bytes of the output, this account's own record included.
    pub bytes_written: u64,
    /// Stamp of the first packet delivered.
    pub first: Option<Timestamp>,
    /// Stamp of the last packet delivered.
    pub last: Option<Timestamp>,
    /// Active fraction bits of the card's clock.
    pub tick_bits: u8,
    /// Whether the card's clock was synchronised whenever the card was asked; `None` where it did not say. A file whose
    /// account has no word of it was made before there was one.
    pub clock_synchronised: Option<bool>,
    /// Why the recording ended.
    pub stopped_by: StoppedBy,
}

impl Default for Account {
    /// Nothing received, nothing lost, a DAG card's clock, ended by its source.
    fn default() -> Self {
        Self {
            received: 0,
            delivered: 0,
            lost_card: 0,
            lost_writer: 0,
            filtered: 0,
            loss_exact: true,
            truncated: 0,
            rx_errors: 0,
            ds_errors: 0,
            unread: 0,
            bytes_written: 0,
            first: None,
            last: None,
            tick_bits: Tick::DAG.bits(),
            clock_synchronised: None,
            stopped_by: StoppedBy::End,
        }
    }
}

impl Account {
    /// `received = delivered + filtered + lost_card + lost_writer`.
    pub fn adds_up(&self) -> bool {
        let parts = [self.delivered, self.filtered, self.lost_card, self.lost_writer];
        // Five 64-bit numbers: their sum is compared where it cannot overflow.
        parts.into_iter().map(u128::from).sum::<u128>() == u128::from(self.received)
    }

    /// Packets that should be in the output and are not.
    pub fn lost(&self) -> u64 {
        self.lost_card.saturating_add(self.lost_writer)
    }

    /// The tags of the Statistics section: those of `erf-format.md` section 7.7 where one says the same,
    /// attributes for the rest.
    pub(super) fn put(&self, writer: &mut MetaWriter<'_>) -> Result<(), MetaWriteError> {
        writer
            .put(TagType::STAT_FRAMES, self.received)?
            .put(TagType::STAT_CAP, self.delivered)?
            .put(TagType::STAT_DROP, self.lost_card)?
            .put(TagType::STAT_FILTER_DROP, self.filtered)?
            .put(TagType::STAT_RX_ERROR, self.rx_errors)?;
        attributes::put(writer, ACCOUNT, VERSION)?;
        attributes::put(writer, LOST_WRITER, self.lost_writer)?;
        attributes::put(writer, LOSS_EXACT, self.loss_exact)?;
        attributes::put(writer, TRUNCATED, self.truncated)?;
        attributes::put(writer, DS_ERRORS, self.ds_errors)?;
        attributes::put(writer, UNREAD, self.unread)?;
        attributes::put(writer, BYTES_WRITTEN, self.bytes_written)?;
        for (key, stamp) in [(FIRST, self.first), (LAST, self.last)] {
            if let Some(stamp) = stamp {
                // All 64 bits: nanoseconds would lose the last two.
                attributes::put(writer, key, format_args!("{:#018x}", stamp.raw()))?;
            }
        }
        attributes::put(writer, TICK_BITS, self.tick_bits)?;
        if let Some(synchronised) = self.clock_synchronised {
            attributes::put(writer, CLOCK_SYNCHRONISED, synchronised)?;
        }
        attributes::put(writer, STOPPED_BY, self.stopped_by)
    }

    /// Reads a Statistics section that [`put`](Self::put) made; `None` for any other, and where a
    /// field is missing.
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        attributes::find(section, ACCOUNT)?;
        let count = |tag_type| section.value(tag_type)?.as_u64();
        Some(Self {
            received: count(TagType::STAT_FRAMES)?,
            delivered: count(TagType::STAT_CAP)?,
            lost_card: count(TagType::STAT_DROP)?,
            lost_writer: attributes::read(section, LOST_WRITER)?,
            filtered: count(TagType::STAT_FILTER_DROP)?,
            loss_exact: attributes::read(section, LOSS_EXACT)?,
            truncated: attributes::read(section, TRUNCATED)?,
            rx_errors: count(TagType::STAT_RX_ERROR)?,
            ds_errors: attributes::read(section, DS_ERRORS)?,
            unread: attributes::read(section, UNREAD)?,
            bytes_written: attributes::read(section, BYTES_WRITTEN)?,
            first: read_stamp(section, FIRST)?,
            last: read_stamp(section, LAST)?,
            tick_bits: attributes::read(section, TICK_BITS)?,
            clock_synchronised: attributes::read(section, CLOCK_SYNCHRONISED),
            stopped_by: attributes::read(section, STOPPED_BY)?,
        })
    }
}

const LOST_WRITER: &str = "lost_writer";
const LOSS_EXACT: &str = "loss_exact";
const TRUNCATED: &str = "truncated";
const DS_ERRORS: &str = "ds_errors";
const UNREAD: &str = "unread";
const BYTES_WRITTEN: &str = "bytes_written";
const FIRST: &str = "first";
const LAST: &str = "last";
const CLOCK_SYNCHRONISED: &str = "clock_synchronised";
const STOPPED_BY: &str = "stopped_by";

/// `Some(None)` where there is no stamp, `None` where there is one that cannot be read.
fn read_stamp(section: &Section<'_>, key: &str) -> Option<Option<Timestamp>> {
    let Some(text) = attributes::find(section, key) else { return Some(None) };
    let raw = u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()?;
    Some(Some(Timestamp::from_raw(raw)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_adds_up_to_the_packet() {
        let account =
            Account { received: 10, delivered: 4, filtered: 3, lost_card: 2, lost_writer: 1, ..Account::default() };
        assert!(account.adds_up());
        assert_eq!(account.lost(), 3);
        assert!(!Account { received: 11, ..account }.adds_up());
        assert!(Account { unread: 5, ..account }.adds_up(), "what was not read is outside the sum");
    }

    #[test]
    fn sums_beyond_64_bits_do_not_wrap_into_a_match() {
        let account = Account { delivered: u64::MAX, lost_card: 1, ..Account::default() };
        assert!(!account.adds_up());
    }
}
