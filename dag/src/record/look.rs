//! [`Look`]: which records are recorded, and what has been seen of them.

use erf::filter::Filter;
use erf::session::StoppedBy;
use erf::{Record, Records, Timestamp};

use super::damage::Damage;
use super::limits::{Limits, Selection};
use super::loss::Loss;
use super::merge::Shares;
use super::rotation::Boundary;
use super::sink::Format;
use super::tally::Tally;

/// What is asked of records, and what has been seen.
pub(super) struct Look {
    pub(super) format: Format,
    pub(super) limits: Limits,
    pub(super) selection: Selection,
    pub(super) filter: Option<Filter>,
    /// Why the filter gave no answer.
    pub(super) failure: Option<erf::Error>,
    pub(super) tally: Tally,
    pub(super) loss: Loss,
    pub(super) damage: Damage,
    /// Bytes that the file takes beside those of the tally, for a size limit.
    pub(super) overhead: u64,
    /// The limit that has been reached.
    pub(super) full: Option<StoppedBy>,
    /// Where a rotated recording goes on in the next file.
    pub(super) boundary: Option<Boundary>,
    /// What is whose, of several streams.
    pub(super) shares: Option<Shares>,
}

/// What to do with a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Packet,
    /// META or PAD, to be recorded.
    Other,
    Leave,
    /// A limit is reached, the next file begins, or the filter has failed: this one and all behind it stay.
    Stop,
}

impl Look {
    pub(super) fn new(format: Format, limits: Limits, selection: Selection, filter: Option<Filter>) -> Self {
        Self {
            format,
            limits,
            selection,
            filter,
            failure: None,
            tally: Tally::default(),
            loss: Loss::default(),
            damage: Damage::of("stream memory"),
            overhead: 0,
            full: None,
            boundary: None,
            shares: None,
        }
    }

    #[inline]
    fn at(&mut self, record: &Record<'_>) -> Verdict {
        if !record.is_packet() {
            return match self.selection.meta && self.format == Format::Erf {
                true if self.is_full(record) => Verdict::Stop,
                true => {
                    self.tally.bytes += self.format.size_of(record);
                    Verdict::Other
                }
                false => Verdict::Leave,
            };
        }
        let taken = match self.takes(record) {
            Ok(taken) => taken,
            Err(error) => {
                self.failure = Some(error);
                return Verdict::Stop;
            }
        };
        if !taken {
            self.loss.told.add(record);
            self.tally.filtered += 1;
            if let Some(shares) = &mut self.shares {
                shares.leave(record);
            }
            return Verdict::Leave;
        }
        if self.is_full(record) || self.turns(record) {
            return Verdict::Stop;
        }
        self.loss.told.add(record);
        let bytes = self.format.size_of(record);
        self.tally.choose(record, bytes);
        if let Some(shares) = &mut self.shares {
            shares.choose(record, bytes);
        }
        Verdict::Packet
    }

    /// Whether `record`, a packet, is asked for.
    #[inline]
    fn takes(&self, record: &Record<'_>) -> Result<bool, erf::Error> {
        if let Some(taken) = self.shares.as_ref().and_then(Shares::is_taken) {
            return Ok(taken);
        }
        match &self.filter {
            Some(filter) if self.selection.takes(record) => filter.matches(record),
            _ => Ok(self.selection.takes(record)),
        }
    }

    fn is_full(&mut self, record: &Record<'_>) -> bool {
        if self.limits.count.is_some_and(|count| self.tally.chosen >= count) {
            self.full = Some(StoppedBy::Count);
        } else if let Some(size) = self.limits.size
            && self.exceeds(size, self.format.size_of(record))
        {
            self.full = Some(StoppedBy::Size);
        }
        self.full.is_some()
    }

    /// Whether the next file begins with `record`, a packet.
    #[inline]
    fn turns(&mut self, record: &Record<'_>) -> bool {
        let more = |format: Format| format.size_of(record);
        let Self { boundary, tally, overhead, format, .. } = self;
        boundary.as_mut().is_some_and(|boundary| boundary.is_reached(record, more(*format), tally, *overhead))
    }

    /// Whether a file limited to `size` bytes has no room for `more`.
    pub(super) fn exceeds(&self, size: u64, more: u64) -> bool {
        self.tally.bytes + self.overhead + more > size
    }

    /// After a record: whether the count is reached, so that nobody waits for one more.
    pub(super) fn check_count(&mut self) {
        if self.limits.count.is_some_and(|count| self.tally.chosen >= count) {
            self.full = Some(StoppedBy::Count);
        }
    }
}

/// The chosen records of a piece of stream memory.
pub(super) struct Piece {
    /// Runs of chosen records that lie together, by offset.
    pub(super) runs: Vec<(usize, usize)>,
    pub(super) records: u64,
    pub(super) packets: u64,
    /// Bytes looked at.
    pub(super) len: usize,
    /// Stamp of the first record chosen.
    pub(super) first: Option<Timestamp>,
}

impl Piece {
    /// Of the first `len` bytes of `bytes`, about: up to the end of the record with which there are as many.
    pub(super) fn choose(bytes: &[u8], position: u64, len: usize, look: &mut Look) -> Self {
        let mut piece = Self { runs: Vec::new(), records: 0, packets: 0, len: 0, first: None };
        let mut records = Records::new(bytes).at_offset(position);
        let mut recovering = false;
        while piece.len < len {
            let Some(item) = records.next() else {
                piece.len = bytes.len();
                break;
            };
            // Offsets count from `position`.
            let end = (records.offset() - position) as usize;
            match item {
                Ok(record) => {
                    match look.at(&record) {
                        Verdict::Stop => break,
                        Verdict::Leave => piece.len = end,
                        verdict => piece.take(end - record.bytes().len(), end, &record, verdict),
                    }
                    if let Some(shares) = &mut look.shares {
                        shares.step();
                    }
                }
                Err(defect) => {
                    look.loss.damaged = true;
                    look.damage.note(defect);
                    piece.len = end;
                    if !recovering {
                        // No length can be trusted here: look for the next record in what is left.
                        recovering = true;
                        let at = (defect.offset - position) as usize;
                        records =
                            Records::new(bytes.get(at..).unwrap_or_default()).at_offset(defect.offset).recover(true);
                    }
                }
            }
        }
        piece
    }

    #[inline]
    fn take(&mut self, start: usize, end: usize, record: &Record<'_>, verdict: Verdict) {
        self.records += 1;
        self.packets += u64::from(verdict == Verdict::Packet);
        self.first.get_or_insert(record.timestamp());
        self.len = end;
        match self.runs.last_mut() {
            Some((_, last)) if *last == start => *last = end,
            _ => self.runs.push((start, end)),
        }
    }
}
