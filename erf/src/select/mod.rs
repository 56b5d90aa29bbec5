//! Which records are wanted: by time, interface, type, length and number.

use std::convert::Infallible;

use erf_core::{Record, RecordType, TimeDelta, Timestamp};

/// An end of a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A point of time.
    At(Timestamp),
    /// So long after the stamp of the first packet of the sequence.
    After(TimeDelta),
}

impl Bound {
    fn stamp(self, first: Timestamp) -> Timestamp {
        match self {
            Self::At(stamp) => stamp,
            Self::After(delta) => first + delta,
        }
    }
}

impl From<Timestamp> for Bound {
    fn from(stamp: Timestamp) -> Self {
        Self::At(stamp)
    }
}

/// What of a sequence of records is wanted. Every criterion that is set has to be met.
///
/// META records describe the packets around them and are wanted by default whatever their stamp, interface and length; PAD is
/// filler and is not wanted.
///
/// ```
/// use erf::select::{Selection, Selector};
/// use erf::{Record, RecordBuilder, RecordType};
///
/// let record = RecordBuilder::new(RecordType::ETH).interface(1).payload(&[7; 60]).append_fcs().to_vec()?;
/// let record = Record::parse(&record)?;
/// let mut first_of_port_1 = Selector::new(Selection::new().interfaces([1]).count(1));
/// assert!(!first_of_port_1.is_over());
/// assert!(first_of_port_1.wants(&record));
/// assert!(first_of_port_1.is_over());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    from: Option<Bound>,
    until: Option<Bound>,
    // Bit `n` is set: interface `n` is wanted.
    interfaces: u8,
    // Empty is all.
    types: Vec<RecordType>,
    at_least: u16,
    at_most: u16,
    skip: u64,
    count: Option<u64>,
    bytes: Option<u64>,
    meta: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self::new()
    }
}

impl Selection {
    /// Everything but PAD.
    pub const fn new() -> Self {
        Self {
            from: None,
            until: None,
            interfaces: u8::MAX,
            types: Vec::new(),
            at_least: 0,
            at_most: u16::MAX,
            skip: 0,
            count: None,
            bytes: None,
            meta: true,
        }
    }

    /// Stamps from `bound` on.
    pub fn from(self, bound: impl Into<Bound>) -> Self {
        Self { from: Some(bound.into()), ..self }
    }

    /// Stamps before `bound`.
    pub fn until(self, bound: impl Into<Bound>) -> Self {
        Self { until: Some(bound.into()), ..self }
    }

    /// Capture interfaces, 0 to 7; of higher ones nothing can be found.
    pub fn interfaces(self, interfaces: impl IntoIterator<Item = u8>) -> Self {
        let bit = |interface| 1u8.checked_shl(u32::from(interface)).unwrap_or(0);
        Self { interfaces: interfaces.into_iter().map(bit).fold(0, |all, one| all | one), ..self }
    }

    /// Record types.
    pub fn types(self, types: impl IntoIterator<Item = RecordType>) -> Self {
        Self { types: types.into_iter().collect(), ..self }
    }

    /// Least and greatest length on the wire, in bytes as the record has it: for Ethernet with FCS.
    pub fn wire_len(self, lengths: std::ops::RangeInclusive<u16>) -> Self {
        Self { at_least: *lengths.start(), at_most: *lengths.end(), ..self }
    }

    /// Passes over the first `packets` that meet all other criteria.
    pub fn skip(self, packets: u64) -> Self {
        Self { skip: packets, ..self }
    }

    /// So many packets at most.
    pub fn count(self, packets: u64) -> Self {
        Self { count: Some(packets), ..self }
    }

    /// So many bytes of records at most, META among them: it is over before the first record that would be more.
    pub fn bytes(self, bytes: u64) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// Whether META records are wanted; they are unless said.
    pub fn meta(self, wanted: bool) -> Self {
        Self { meta: wanted, ..self }
    }

    /// Whether each record is wanted or not whatever comes before it: there is no bound that counts from the first packet, and none of number.
    pub fn looks_at_each_alone(&self) -> bool {
        let is_fixed = |bound: Option<Bound>| !matches!(bound, Some(Bound::After(_)));
        is_fixed(self.from) && is_fixed(self.until) && self.skip == 0 && self.count.is_none() && self.bytes.is_none()
    }

    /// Whether there is no criterion that looks at a packet alone.
    const fn is_open(&self) -> bool {
        self.from.is_none()
            && self.until.is_none()
            && self.interfaces == u8::MAX
            && self.types.is_empty()
            && self.at_least == 0
            && self.at_most == u16::MAX
    }

    /// Whether a packet meets all criteria that look at it alone.
    #[inline]
    fn fits(&self, record: &Record<'_>, first: Timestamp) -> bool {
        let stamp = record.timestamp();
        self.from.is_none_or(|from| stamp >= from.stamp(first))
            && self.until.is_none_or(|until| stamp < until.stamp(first))
            && self.interfaces & (1 << record.interface()) != 0
            && (self.types.is_empty() || self.types.contains(&record.record_type()))
            && (self.at_least..=self.at_most).contains(&record.wire_len())
    }
}

/// A [`Selection`] at work on one sequence of records.
#[derive(Clone, Debug)]
pub struct Selector {
    selection: Selection,
    /// Every packet meets what looks at it alone.
    is_open: bool,
    skipped: u64,
    taken: u64,
    bytes: u64,
    full: bool,
    first: Option<Timestamp>,
}

impl Selector {
    /// Before the first record.
    pub const fn new(selection: Selection) -> Self {
        let is_open = selection.is_open();
        Self { selection, is_open, skipped: 0, taken: 0, bytes: 0, full: false, first: None }
    }

    /// Whether there is no criterion that looks at a packet alone: each [fits](Self::fits).
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether `record` is a packet that meets all criteria but those of number, as far as they look at it alone. It may be asked about
    /// ahead of its turn.
    #[inline]
    pub fn fits(&mut self, record: &Record<'_>) -> bool {
        record.is_packet() && self.packet_fits(record)
    }

    #[inline]
    fn packet_fits(&mut self, record: &Record<'_>) -> bool {
        self.is_open || {
            let first = *self.first.get_or_insert(record.timestamp());
            self.selection.fits(record, first)
        }
    }

    /// Whether `record`, the next one of the sequence, is wanted.
    pub fn wants(&mut self, record: &Record<'_>) -> bool {
        self.wants_if(record, |_| Ok::<_, Infallible>(true)).unwrap_or(false)
    }

    /// The same with a criterion of the caller's, such as a filter, which packets have to meet before they are counted. META is
    /// not asked about.
    ///
    /// # Errors
    ///
    /// What `fits` returns.
    #[inline]
    pub fn wants_if<E>(
        &mut self,
        record: &Record<'_>,
        fits: impl FnOnce(&Record<'_>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        if self.is_over() {
            return Ok(false);
        }
        if !record.is_packet() {
            return Ok(record.is_meta() && self.selection.meta && self.has_room(record));
        }
        if !self.packet_fits(record) || !fits(record)? {
            return Ok(false);
        }
        if self.skipped < self.selection.skip {
            self.skipped += 1;
            return Ok(false);
        }
        let wanted = self.has_room(record);
        self.taken += u64::from(wanted);
        Ok(wanted)
    }

    #[inline]
    fn has_room(&mut self, record: &Record<'_>) -> bool {
        let bytes = self.bytes + u64::from(record.rlen());
        self.full = self.selection.bytes.is_some_and(|limit| bytes > limit);
        if !self.full {
            self.bytes = bytes;
        }
        !self.full
    }

    /// Nothing more will be wanted.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.full || self.selection.count.is_some_and(|count| self.taken >= count)
    }
}

#[cfg(test)]
mod tests;
