//! [`Records`]: walking a byte slice from record to record.

use crate::defect::{Defect, DefectKind};
use crate::plausible::{self, Chain};
use crate::prefetch;
use crate::record::{HEADER_LEN, Record};
use crate::timestamp::Timestamp;

/// Iterator over the records of a byte slice.
///
/// Never reads out of bounds, never loops, never trusts a length. A record whose headers do not fit its length is a
/// [`Defect`], and the walk goes on behind it. A length below 16 leaves no way to the next record: the defect is given
/// and the walk ends, unless [`recover`](Self::recover) is on. Time is linear in the length of the data, also for hostile
/// bytes.
///
/// ```
/// # use erf_core::{Records, RecordBuilder, RecordType};
/// # let mut file = [0u8; 48];
/// # for at in [0, 24] { RecordBuilder::new(RecordType::IPV4).payload(&[69; 8]).write_to(&mut file[at..]).unwrap(); }
/// for record in Records::new(&file) {
///     match record {
///         Ok(record) => assert_eq!(record.wire_len(), 8),
///         Err(defect) => eprintln!("{defect}"),
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Records<'a> {
    /// What is not walked yet, where all there is to do is to step from record to record; empty where there is more to do. It alone changes
    /// from one sound record to the next.
    open: &'a [u8],
    /// What else a step may need.
    careful: Careful<'a>,
}

/// A walk as it goes where a record does not simply follow another.
#[derive(Debug, Clone)]
struct Careful<'a> {
    data: &'a [u8],
    /// Stale while [`Records::open`] holds what is not walked.
    pos: usize,
    state: WalkState,
}

/// Where a walk stands, so that it can go on in the next block of the same data.
///
/// A block reader gives each block with [`Records::resume`], carries [`Walk::rest`] to the front of the next block,
/// and takes the state along with [`Walk::into_state`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkState {
    offset: u64,
    last: Option<Timestamp>,
    recover: bool,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Walking,
    /// Looking for the next chain of records; the damage began at this offset. `torn`: it may be only a torn tail.
    Searching {
        from: u64,
        torn: bool,
    },
    /// In a run of zero bytes that began at this offset, where a record should be.
    Zeros {
        from: u64,
    },
    Ended,
}

impl WalkState {
    /// A walk that begins at byte `offset` of the data.
    pub const fn new(offset: u64) -> Self {
        Self { offset, last: None, recover: false, phase: Phase::Walking }
    }

    /// With recovery on or off; see [`Records::recover`].
    pub const fn with_recover(self, recover: bool) -> Self {
        Self { recover, ..self }
    }

    /// Offset of the next byte to be looked at.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether a defect ended the walk before the end of the data.
    pub const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }
}

/// What [`Records`] does where the data ends inside a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// That is a torn record.
    Complete,
    /// More may follow: stop, and leave it in [`Records::rest`].
    More,
}

impl<'a> Records<'a> {
    /// Walks `data`, all of a file or buffer: a record that runs past its end is torn.
    #[inline]
    pub fn new(data: &'a [u8]) -> Self {
        Self::at(data, WalkState::new(0))
    }

    #[inline]
    fn at(data: &'a [u8], state: WalkState) -> Self {
        Careful { data, pos: 0, state }.into_records()
    }

    /// Goes on with a walk in the next piece of its data. With `complete` false, more follows `data`: a record that
    /// runs past its end is left in [`rest`](Self::rest).
    ///
    /// To make progress when `complete` is false, give pieces of at least [`RESUME_MIN`] bytes.
    pub fn resume(data: &'a [u8], state: WalkState, complete: bool) -> Walk<'a> {
        Walk { records: Self::at(data, state), end: if complete { End::Complete } else { End::More } }
    }

    /// Counts offsets from `offset` instead of 0.
    pub fn at_offset(mut self, offset: u64) -> Self {
        self.careful.state.offset = offset;
        self
    }

    /// Looks for the next chain of records after damage, instead of ending there.
    ///
    /// Every byte offset is tried (records need not be aligned); one is taken when three plausible headers follow one
    /// another from there and the first stamp is within a day of the last good one (`erf-format.md` section 11). What was
    /// passed over is reported as [`DefectKind::Skipped`]. Records that look wrong and lead nowhere count as damage; records
    /// that are odd as their neighbours are (a clock that was never set, a type that nobody knows) are read as they are.
    pub fn recover(self, on: bool) -> Self {
        let mut careful = self.into_careful();
        careful.state.recover = on;
        careful.into_records()
    }

    /// Offset of the next byte to be looked at.
    pub fn offset(&self) -> u64 {
        self.careful.state.offset + self.pos() as u64
    }

    /// The bytes not walked.
    pub fn rest(&self) -> &'a [u8] {
        if self.careful.is_plain() { self.open } else { self.careful.rest() }
    }

    /// Bytes walked.
    fn pos(&self) -> usize {
        if self.careful.is_plain() { self.careful.data.len() - self.open.len() } else { self.careful.pos }
    }

    fn into_careful(self) -> Careful<'a> {
        Careful { pos: self.pos(), ..self.careful }
    }

    // Always: what a record costs doubles where it is handed over through memory, as happens in programs that walk in several places.
    #[inline(always)]
    fn step(&mut self, end: End) -> Option<Result<Record<'a>, Defect>> {
        prefetch::ahead(self.open);
        if let Ok(record) = Record::parse(self.open)
            && let Some(open) = self.open.get(record.bytes().len()..)
        {
            self.open = open;
            return Some(Ok(record));
        }
        // By value: a walk whose address is given away is kept in memory, and its place is what every next record waits for.
        let (walk, item) = self.clone().off_the_way(end);
        *self = walk;
        item
    }

    /// One step that is not from one sound record to the next.
    #[cold]
    #[inline(never)]
    fn off_the_way(self, end: End) -> (Self, Option<Result<Record<'a>, Defect>>) {
        let mut careful = self.into_careful();
        let item = careful.step(end);
        (careful.into_records(), item)
    }
}

impl<'a> Careful<'a> {
    /// Whether all there is to do is to step from record to record.
    #[inline]
    fn is_plain(&self) -> bool {
        self.state.phase == Phase::Walking && !self.state.recover
    }

    #[inline]
    fn into_records(self) -> Records<'a> {
        let open = if self.is_plain() { self.rest() } else { &[] };
        Records { open, careful: self }
    }

    fn offset(&self) -> u64 {
        self.state.offset + self.pos as u64
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.data.get(self.pos..).unwrap_or_default()
    }

    fn step(&mut self, end: End) -> Option<Result<Record<'a>, Defect>> {
        match self.state.phase {
            Phase::Walking => {}
            Phase::Searching { from, torn } => return self.search(from, torn, end).map(Err),
            Phase::Zeros { from } => return self.pass_zeros(from, end).map(Err),
            Phase::Ended => return None,
        }
        let record = match Record::parse(self.rest()) {
            Ok(record) => record,
            Err(kind) => return self.stumble(kind, end),
        };
        if self.state.recover {
            match self.believe(&record, end == End::Complete) {
                Chain::Yes => {}
                Chain::NeedMore => return None,
                Chain::No => {
                    let defect = self.defect(DefectKind::Garbage { rlen: record.rlen() });
                    self.give_up_or_search(self.offset(), false);
                    return Some(Err(defect));
                }
            }
        }
        if self.borne_out(&record) {
            self.state.last = Some(record.timestamp());
        }
        self.pos += record.bytes().len();
        Some(Ok(record))
    }

    /// Whether the stamp of `record` agrees with that of a neighbour. A single wrong one must not become what all others are
    /// measured by.
    fn borne_out(&self, record: &Record<'a>) -> bool {
        let behind = self.data.get(self.pos + record.bytes().len()..).unwrap_or_default();
        let next = || plausible::header(behind, Some(record.timestamp())).is_some_and(|next| next.timestamp.is_some());
        let before = self.state.last.is_some() && plausible::record(record, self.state.last);
        !record.is_pad() && (before || (plausible::may_be_alike(record) && next()))
    }

    /// Whether to take `record` for one when recovering: bytes that parse may still be garbage, or a good record with a
    /// damaged length that swallows others.
    fn believe(&self, record: &Record<'a>, complete: bool) -> Chain {
        let behind = self.data.get(self.pos + record.bytes().len()..).unwrap_or_default();
        if behind.is_empty() {
            return if complete { Chain::Yes } else { Chain::NeedMore };
        }
        if !plausible::record(record, self.state.last) {
            // Odd, but legal if it leads to something that looks right, or to what is odd in the same way.
            return match plausible::chain(behind, None, complete) {
                Chain::No => match plausible::holds(self.rest(), self.state.last, complete) {
                    // Bytes that are all the same are odd in the same way, too.
                    Chain::Yes => self.unless_chain_inside(record, None, complete),
                    other => other,
                },
                other => other,
            };
        }
        match plausible::follows(behind, Some(record.timestamp()).filter(|_| !record.is_pad()), complete) {
            // It leads nowhere: either what follows is damaged, or this length is. Records inside it decide.
            Chain::No => self.unless_chain_inside(record, Some(record.timestamp()), complete),
            other => other,
        }
    }

    /// Whether no chain of records, of about the time `near` if that is known, starts inside `record`, behind its first byte.
    fn unless_chain_inside(&self, record: &Record<'a>, near: Option<Timestamp>, complete: bool) -> Chain {
        for at in self.pos + 1..self.pos + record.bytes().len() {
            match plausible::chain(self.data.get(at..).unwrap_or_default(), near, complete) {
                Chain::No => {}
                Chain::Yes => return Chain::No,
                Chain::NeedMore => return Chain::NeedMore,
            }
        }
        Chain::Yes
    }

    /// What to do about bytes that are no record.
    fn stumble(&mut self, kind: DefectKind, end: End) -> Option<Result<Record<'a>, Defect>> {
        let rest = self.rest();
        if rest.is_empty() || (kind.is_torn() && end == End::More) {
            return None;
        }
        if let Some(rlen) = kind.next_record() {
            let behind = rest.get(usize::from(rlen)..).unwrap_or_default();
            // When recovering, a length is believed only if it leads to something that looks right.
            let leads = match end {
                _ if !self.state.recover || (behind.is_empty() && end == End::Complete) => Chain::Yes,
                _ => plausible::leads_on(behind, self.state.last, end == End::Complete),
            };
            let defect = self.defect(kind);
            match leads {
                Chain::NeedMore => return None,
                Chain::No => self.give_up_or_search(self.offset(), false),
                Chain::Yes => self.pos += usize::from(rlen),
            }
            return Some(Err(defect));
        }
        if rest.iter().take(HEADER_LEN).all(|&byte| byte == 0) {
            self.state.phase = Phase::Zeros { from: self.offset() };
            return self.step(end);
        }
        let defect = self.defect(kind);
        self.give_up_or_search(self.offset(), kind.is_torn());
        Some(Err(defect))
    }

    /// After damage that leaves no way to the next record.
    fn give_up_or_search(&mut self, from: u64, torn: bool) {
        if self.state.recover {
            self.state.phase = Phase::Searching { from, torn };
            // The damaged place itself is no candidate.
            if self.offset() == from {
                self.pos += 1;
            }
        } else {
            self.state.phase = Phase::Ended;
        }
    }

    /// Zero bytes to the end are a preallocated file; anything behind them makes them damage.
    fn pass_zeros(&mut self, from: u64, end: End) -> Option<Defect> {
        let rest = self.rest();
        if let Some(zeros) = rest.iter().position(|&byte| byte != 0) {
            // The stamp of the next record may begin with zero bytes of its own.
            self.pos += zeros.saturating_sub(HEADER_LEN);
            self.give_up_or_search(from, false);
            return Some(Defect::new(from, DefectKind::RecordLength { rlen: 0 }));
        }
        if end == End::More {
            self.pos = self.data.len().saturating_sub(HEADER_LEN).max(self.pos);
            return None;
        }
        self.pos = self.data.len();
        self.state.phase = Phase::Ended;
        Some(Defect::new(from, DefectKind::ZeroTail { len: self.offset() - from }))
    }

    fn defect(&self, kind: DefectKind) -> Defect {
        Defect::new(self.offset(), kind)
    }

    /// Moves to the next chain of records and says what was skipped. `None`: more data is needed, or there is nothing to say.
    fn search(&mut self, from: u64, torn: bool, end: End) -> Option<Defect> {
        let complete = end == End::Complete;
        while self.rest().len() >= HEADER_LEN {
            let near = plausible::chain(self.rest(), self.state.last, complete);
            // The stamp that others are measured by may itself have been made up by the damage, and must not cost all that follows.
            let found = match near {
                Chain::No if self.state.last.is_some() => plausible::long_chain(self.rest(), complete),
                other => other,
            };
            match found {
                Chain::Yes => {
                    if near != Chain::Yes {
                        self.state.last = None;
                    }
                    self.state.phase = Phase::Walking;
                    return Some(Defect::new(from, DefectKind::Skipped { bytes: self.offset() - from }));
                }
                Chain::NeedMore => return None,
                Chain::No => self.pos += 1,
            }
        }
        if !complete {
            return None;
        }
        self.pos = self.data.len();
        self.state.phase = Phase::Ended;
        // A torn tail has been reported as such; it was no damage in the middle.
        (!torn).then(|| Defect::new(from, DefectKind::Skipped { bytes: self.offset() - from }))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Defect>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.step(End::Complete)
    }
}

impl core::iter::FusedIterator for Records<'_> {}

/// Bytes a piece given to [`Records::resume`] must have, when more follows, for the walk to make progress:
/// room for the longest records that a decision can rest on.
pub const RESUME_MIN: usize = 512 * 1024;

/// A walk through one piece of longer data; made by [`Records::resume`].
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    records: Records<'a>,
    end: End,
}

impl<'a> Walk<'a> {
    /// The bytes of this piece not walked yet. Once [`next`](Iterator::next) has returned `None`: what must be carried
    /// to the front of the next piece.
    pub fn rest(&self) -> &'a [u8] {
        self.records.rest()
    }

    /// Offset of the next byte to be looked at, from the start of the whole data.
    pub fn offset(&self) -> u64 {
        self.records.offset()
    }

    /// The bytes not walked yet where all there is to do is to step from record to record; `None` while the walk searches, recovers, or is
    /// over. For who knows at one look at a header what most records are: those can be [passed](Self::pass) without a [`Record`].
    #[inline]
    pub fn plain_rest(&self) -> Option<&'a [u8]> {
        self.records.careful.is_plain().then_some(self.records.open)
    }

    /// Passes over the first `n` bytes of [`plain_rest`](Self::plain_rest), which the caller vouches to be whole records without a defect;
    /// over none where there is no such rest, and not past its end.
    #[inline]
    pub fn pass(&mut self, n: usize) {
        let open = self.records.open;
        self.records.open = open.get(n..).unwrap_or_default();
    }

    /// The state to resume with, in a piece that begins with [`rest`](Self::rest).
    pub fn into_state(self) -> WalkState {
        WalkState { offset: self.records.offset(), ..self.records.careful.state }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Record<'a>, Defect>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.records.step(self.end)
    }
}
