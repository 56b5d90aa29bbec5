//! One file into parts: by time on clock boundaries, by number, by size, by interface or by source.
//!
//! ```
//! use erf::split::{Place, Rule, Splitter};
//! use erf::{Record, RecordBuilder, RecordType, Timestamp};
//!
//! let mut splitter = Splitter::new(Rule::Every(60_000_000_000));
//! let mut begun = Vec::new();
//! for second in [1_700_000_010, 1_700_000_039, 1_700_000_040, 1_700_000_170] {
//!     let record = RecordBuilder::new(RecordType::ETH).timestamp(Timestamp::from_parts(second, 0)).payload(&[7; 64]).to_vec()?;
//!     if let Place::Begin(part) = splitter.place(&Record::parse(&record)?) {
//!         begun.push((part.number, part.start.secs()));
//!     }
//! }
//! assert_eq!(begun, [(0, 1_699_999_980), (1, 1_700_000_040), (2, 1_700_000_160)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! By time, number and size the parts follow each other: put together again they are the file that was split, whatever its
//! order. A record with a stamp from before the part that is being written stays in it and is [counted](Splitter::late).
//! By interface and by source a record goes to the part of its interface or source, and META, which describes all of them,
//! to every part.

#[cfg(test)]
mod tests;

use erf_core::identity::Identity;
use erf_core::{Fraction, Record, Timestamp};

/// META records that are kept for parts that begin later take so many bytes at most.
const MAX_META: usize = 1024 * 1024;

/// Where a part ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// At multiples of so many nanoseconds since 1970-01-01 UTC, by stamps rounded to nanoseconds as Wireshark shows them. Not 0.
    Every(u64),
    /// After so many packets; META and PAD are not counted. Not 0.
    Count(u64),
    /// Before a record with which it would have more bytes than this; it has one record at least.
    Bytes(u64),
    /// A part for each capture interface, 0 to 7.
    Interface,
    /// A part for each Host ID and Source ID (`erf-format.md` section 5.1).
    Source,
}

/// A part that begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Counted from 0 in the order in which parts begin.
    pub number: u64,
    /// By time, the boundary at which it begins; else the stamp of its first record.
    pub start: Timestamp,
    /// Whose records it has: by interface, Host ID and Source ID are 0; by source, the interface is. `None` for the other rules.
    pub identity: Option<Identity>,
}

/// Where a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To the part of this number, which was begun before.
    In(u64),
    /// To a new part. By time, number and size the one before it is complete.
    Begin(Part),
    /// To all parts there are; those that begin later are to open with [`Splitter::meta`].
    All,
}

/// Says of each record of a file which part it belongs to.
#[derive(Debug)]
pub struct Splitter {
    rule: Rule,
    parts: u64,
    /// Packets or bytes of the part being written.
    fill: u64,
    /// By time, the nanosecond at which the part being written began, and the first of the next part.
    began: u64,
    ends: u64,
    late: u64,
    identities: Vec<Identity>,
    meta: Vec<Vec<u8>>,
    meta_bytes: usize,
    packets: bool,
}

impl Splitter {
    /// Before the first record.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            parts: 0,
            fill: 0,
            began: 0,
            ends: 0,
            late: 0,
            identities: Vec::new(),
            meta: Vec::new(),
            meta_bytes: 0,
            packets: false,
        }
    }

    /// Which part `record`, the next one, goes to.
    pub fn place(&mut self, record: &Record<'_>) -> Place {
        let place = match self.rule {
            Rule::Every(nanos) => self.by_time(record, nanos.max(1)),
            Rule::Count(packets) => self.by_fill(record, u64::from(record.is_packet()), packets),
            Rule::Bytes(bytes) => self.by_fill(record, u64::from(record.rlen()), bytes),
            Rule::Interface => self.by_identity(record, Identity::new([], record.interface())),
            Rule::Source => self.by_identity(record, Identity::new(record.ext_headers(), 0)),
        };
        self.remember(record);
        place
    }

    /// META records that describe what follows: of parts in a row, those before the first packet of the file; by interface and by
    /// source, every one so far. Each content once, up to 1 MiB of them.
    pub fn meta(&self) -> impl Iterator<Item = &[u8]> {
        self.meta.iter().map(Vec::as_slice)
    }

    /// Records with a stamp from before the part that they are in.
    pub fn late(&self) -> u64 {
        self.late
    }

    fn begin(&mut self, start: Timestamp, identity: Option<Identity>) -> Place {
        let number = self.parts;
        self.parts += 1;
        Place::Begin(Part { number, start, identity })
    }

    /// The part being written; what comes before the first part has been begun begins it.
    fn current(&mut self, record: &Record<'_>) -> Place {
        match self.parts.checked_sub(1) {
            Some(number) => Place::In(number),
            None => self.begin(record.timestamp(), None),
        }
    }

    fn by_time(&mut self, record: &Record<'_>, nanos: u64) -> Place {
        let at = record.timestamp().nanos();
        // Filler has no time.
        if self.parts > 0 && (record.is_pad() || at < self.ends) {
            self.late += u64::from(!record.is_pad() && at < self.began);
            return self.current(record);
        }
        self.began = at - at % nanos;
        self.ends = self.began.saturating_add(nanos);
        let start = Timestamp::from_nanos(self.began, Fraction::Floor).unwrap_or(record.timestamp());
        self.begin(start, None)
    }

    fn by_fill(&mut self, record: &Record<'_>, more: u64, limit: u64) -> Place {
        if more > 0 && self.fill > 0 && self.fill + more > limit {
            self.fill = more;
            return self.begin(record.timestamp(), None);
        }
        self.fill += more;
        self.current(record)
    }

    fn by_identity(&mut self, record: &Record<'_>, identity: Identity) -> Place {
        if record.is_meta() {
            return Place::All;
        }
        match self.identities.iter().position(|known| *known == identity) {
            Some(number) => Place::In(number as u64),
            None => {
                self.identities.push(identity);
                self.begin(record.timestamp(), Some(identity))
            }
        }
    }

    fn remember(&mut self, record: &Record<'_>) {
        self.packets |= record.is_packet();
        let in_a_row = !matches!(self.rule, Rule::Interface | Rule::Source);
        if !record.is_meta() || (in_a_row && self.packets) {
            return;
        }
        let bytes = record.bytes();
        // The same but for the stamp: said again.
        let is_known = self.meta.iter().any(|known| known.get(8..) == bytes.get(8..));
        if !is_known && self.meta_bytes + bytes.len() <= MAX_META {
            self.meta_bytes += bytes.len();
            self.meta.push(bytes.to_vec());
        }
    }
}
