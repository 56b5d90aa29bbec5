//! Whether bytes look like a record: for detection without a magic, and for finding the way back after damage.

use crate::record::{HEADER_LEN, Record};
use crate::record_type::RecordType;
use crate::timestamp::Timestamp;

/// 1995 in New Zealand, where DAG cards come from: no capture is older (libtrace's rule, `erf-format.md` section 8).
pub(crate) const FIRST_SECOND: u32 = 788_871_600;

/// More extension headers than this are no sign of a record. Bounds the work at each candidate offset.
const MAX_EXT_HEADERS: usize = 16;

const DAY: u64 = 86_400 << 32;

/// The header at the start of `data`, if it looks like a record's by the rules of `erf-format.md` section 8.
///
/// `near` is a time that the stamp must be within a day of, which says so much that flags or wire length may be odd; PAD is exempt. The
/// record may run past `data`. Takes constant time, whatever the bytes.
pub(crate) fn header(data: &[u8], near: Option<Timestamp>) -> Option<Candidate> {
    let look = look(data)?;
    let stamp = look.stamp;
    if look.is_pad {
        // Its stamp means nothing, but is no other than none or that of a neighbour: '0' is the type of filler, and payloads are full of it.
        let believed = near.is_none_or(|near| stamp == Timestamp::ZERO || is_near(stamp, near));
        return (believed && look.oddities() == 0).then_some(Candidate { rlen: look.rlen, timestamp: None });
    }
    let believed = match near {
        // Bytes that are zero make up such times in many places.
        Some(near) if stamp.secs() < FIRST_SECOND => is_near(stamp, near) && look.oddities() == 0,
        // Rows of equal bytes have equal stamps, and hardly ever the type of a record.
        Some(near) => is_near(stamp, near) && !look.odd_type && look.oddities() <= 1,
        None => stamp.secs() >= FIRST_SECOND && look.oddities() == 0,
    };
    believed.then_some(Candidate { rlen: look.rlen, timestamp: Some(stamp) })
}

/// A header that looks right.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) rlen: usize,
    /// `None` for PAD, whose stamp means nothing.
    pub(crate) timestamp: Option<Timestamp>,
}

/// A header that can be read, and what is odd about it.
struct Look {
    rlen: usize,
    stamp: Timestamp,
    is_pad: bool,
    odd_type: bool,
    odd_flags: bool,
    odd_wlen: bool,
}

impl Look {
    /// `None` for PAD.
    fn timestamp(&self) -> Option<Timestamp> {
        (!self.is_pad).then_some(self.stamp)
    }

    /// How many things are odd but for the stamp.
    fn oddities(&self) -> usize {
        [self.odd_type, self.odd_flags, self.odd_wlen].into_iter().filter(|&odd| odd).count()
    }
}

/// The header at the start of `data`, if a record can have it.
fn look(data: &[u8]) -> Option<Look> {
    let head = data.first_chunk::<HEADER_LEN>()?;
    let rlen = usize::from(u16::from_be_bytes([head[10], head[11]]));
    if rlen < HEADER_LEN {
        return None;
    }
    let record_type = RecordType::new(head[8]);
    let ext_len = if head[8] & 0x80 == 0 { 0 } else { ext_len(data.get(HEADER_LEN..)?)? };
    if HEADER_LEN + ext_len + record_type.sub_header_len() > rlen {
        return None;
    }
    let wlen = u16::from_be_bytes([head[14], head[15]]);
    let is_pad = record_type == RecordType::PAD;
    Some(Look {
        rlen,
        stamp: Timestamp::from_le_bytes(*head.first_chunk()?),
        is_pad,
        odd_type: !record_type.is_known() || record_type == RecordType::LEGACY,
        odd_flags: head[9] & 0x80 != 0,
        odd_wlen: !is_pad && (wlen == 0 || (record_type.is_ethernet() && wlen < 14)),
    })
}

fn is_near(timestamp: Timestamp, near: Timestamp) -> bool {
    timestamp.raw().abs_diff(near.raw()) <= DAY
}

/// Bytes of the chain; `None` when it does not end within the data or the bound.
fn ext_len(data: &[u8]) -> Option<usize> {
    let (headers, _) = data.as_chunks::<8>();
    headers.iter().take(MAX_EXT_HEADERS).position(|h| h[0] & 0x80 == 0).map(|last| (last + 1) * 8)
}

/// What a look for a chain of records found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    /// Records follow one another here.
    Yes,
    /// They do not.
    No,
    /// The data ends before it can be told.
    NeedMore,
}

/// Records that must follow one another to be believed.
const CHAIN: usize = 3;

/// Records that must follow one another to be believed although their stamps are far from that of the last good one: it may
/// be the last good one that was wrong. Shorter than what [`RESUME_MIN`](crate::RESUME_MIN) has room for.
const LONG_CHAIN: usize = 8;

/// Whether a chain of records starts at the start of `data`: three headers, or fewer that end exactly with the data when
/// it is `complete` (`erf-format.md` section 11, "Resync").
pub(crate) fn chain(data: &[u8], near: Option<Timestamp>, complete: bool) -> Chain {
    chain_of(CHAIN, data, near, complete)
}

/// Whether a chain starts at the start of `data` that is long enough to be believed whatever its time.
pub(crate) fn long_chain(data: &[u8], complete: bool) -> Chain {
    // Filler at its front would be believed for its type alone.
    if header(data, None).is_some_and(|first| first.timestamp.is_none()) {
        return Chain::No;
    }
    chain_of(LONG_CHAIN, data, None, complete)
}

fn chain_of(count: usize, data: &[u8], near: Option<Timestamp>, complete: bool) -> Chain {
    let mut near = near;
    let mut rest = data;
    for seen in 0..count {
        // A row that is believed whatever its time has at least a common chain.
        if rest.is_empty() && complete && seen > if count == CHAIN { 0 } else { CHAIN - 1 } {
            return Chain::Yes;
        }
        if rest.len() < HEADER_LEN {
            return if complete { Chain::No } else { Chain::NeedMore };
        }
        let Some(candidate) = header(rest, near) else {
            return if is_cut_chain(rest, complete) { Chain::NeedMore } else { Chain::No };
        };
        near = candidate.timestamp.or(near);
        match rest.get(candidate.rlen..) {
            Some(behind) => rest = behind,
            None if complete => return Chain::No,
            None => return Chain::NeedMore,
        }
    }
    Chain::Yes
}

/// Whether the record at the start of `data` is odd as its neighbours are: a clock that was never set, a type or a length that
/// nobody knows of. Their lengths must lead from one to the next, three times or to the end of `complete` data, and nothing
/// else be odd about them; the time that they agree on takes the place of what is. `last` is the stamp of the last good record.
///
/// Without this, a search would begin in a file that can be read from its start to its end.
pub(crate) fn holds(data: &[u8], last: Option<Timestamp>, complete: bool) -> Chain {
    let mut near = None;
    let mut agree = true;
    let mut rest = data;
    for seen in 0..CHAIN {
        if seen > 0 && (rest.is_empty() && complete || is_zero_header(rest)) {
            return Chain::Yes;
        }
        if rest.len() < HEADER_LEN {
            return if complete { Chain::No } else { Chain::NeedMore };
        }
        let Some(look) = look(rest) else {
            return if is_cut_chain(rest, complete) { Chain::NeedMore } else { Chain::No };
        };
        let far = look.timestamp().zip(last).is_some_and(|(stamp, last)| !is_near(stamp, last));
        if look.oddities() + usize::from(far) > 1 {
            return Chain::No;
        }
        agree &= look.timestamp().zip(near).is_none_or(|(stamp, near)| is_near(stamp, near));
        near = look.timestamp().or(near);
        match rest.get(look.rlen..) {
            Some(behind) => rest = behind,
            None if complete => return Chain::No,
            None => return Chain::NeedMore,
        }
    }
    if agree { Chain::Yes } else { Chain::No }
}

fn is_zero_header(data: &[u8]) -> bool {
    data.first_chunk::<HEADER_LEN>().is_some_and(|head| head.iter().all(|&byte| byte == 0))
}

/// An extension chain that the data cuts off is the one case where more of it could make a header of what is none.
fn is_cut_chain(data: &[u8], complete: bool) -> bool {
    !complete && data.get(8).is_some_and(|kind| kind & 0x80 != 0) && data.len() < HEADER_LEN + 8 * MAX_EXT_HEADERS
}

/// Whether what follows a record of time `near` looks like a record, or like an end: nothing, zeros, or a torn header. Behind filler, what
/// follows that.
pub(crate) fn follows(data: &[u8], near: Option<Timestamp>, complete: bool) -> Chain {
    const LOOK: usize = HEADER_LEN + 8 * MAX_EXT_HEADERS;
    let mut rest = data;
    for _ in 0..CHAIN {
        let head = rest.get(..LOOK).unwrap_or(rest);
        let Some(candidate) = header(head, near) else {
            return match head.len() {
                // Also a few zeros: the next bytes decide whether they are an end.
                len if len < LOOK && !complete => Chain::NeedMore,
                len if len < HEADER_LEN || head.iter().all(|&byte| byte == 0) => Chain::Yes,
                _ => Chain::No,
            };
        };
        match rest.get(candidate.rlen..) {
            _ if candidate.timestamp.is_some() => return Chain::Yes,
            Some(behind) => rest = behind,
            None if complete => return Chain::No,
            None => return Chain::NeedMore,
        }
    }
    Chain::Yes
}

/// Whether what follows a record leads on, however odd it is.
pub(crate) fn leads_on(data: &[u8], last: Option<Timestamp>, complete: bool) -> Chain {
    match follows(data, last, complete) {
        Chain::No => holds(data, last, complete),
        other => other,
    }
}

/// Whether `record` can be one of several that are odd in the same way.
pub(crate) fn may_be_alike(record: &Record<'_>) -> bool {
    look(record.bytes()).is_some_and(|look| look.oddities() <= 1)
}

/// Whether `record`, taken by itself, looks right.
pub(crate) fn record(record: &Record<'_>, near: Option<Timestamp>) -> bool {
    header(record.bytes(), near).is_some()
}
