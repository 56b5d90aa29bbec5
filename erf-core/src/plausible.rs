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
/// `near` is a time that the stamp must be within a day of; PAD is exempt. The record may run past `data`.
/// Takes constant time, whatever the bytes.
pub(crate) fn header(data: &[u8], near: Option<Timestamp>) -> Option<Candidate> {
    let head = data.first_chunk::<HEADER_LEN>()?;
    let rlen = usize::from(u16::from_be_bytes([head[10], head[11]]));
    let wlen = u16::from_be_bytes([head[14], head[15]]);
    let record_type = RecordType::new(head[8]);
    if rlen < HEADER_LEN || head[9] & 0x80 != 0 || !record_type.is_known() || record_type == RecordType::LEGACY {
        return None;
    }
    let ext_len = if head[8] & 0x80 == 0 { 0 } else { ext_len(data.get(HEADER_LEN..)?)? };
    if HEADER_LEN + ext_len + record_type.sub_header_len() > rlen {
        return None;
    }
    let timestamp = Timestamp::from_le_bytes(*head.first_chunk()?);
    if record_type == RecordType::PAD {
        return Some(Candidate { rlen, timestamp: None });
    }
    let near_enough = near.is_none_or(|near| timestamp.raw().abs_diff(near.raw()) <= DAY);
    let long_enough = wlen > 0 && (!record_type.is_ethernet() || wlen >= 14);
    (timestamp.secs() >= FIRST_SECOND && near_enough && long_enough)
        .then_some(Candidate { rlen, timestamp: Some(timestamp) })
}

/// A header that looks right.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) rlen: usize,
    /// `None` for PAD, whose stamp means nothing.
    pub(crate) timestamp: Option<Timestamp>,
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
    chain_of(LONG_CHAIN, data, None, complete)
}

fn chain_of(count: usize, data: &[u8], near: Option<Timestamp>, complete: bool) -> Chain {
    let mut near = near;
    let mut rest = data;
    for seen in 0..count {
        if rest.is_empty() && seen > 0 && complete {
            return Chain::Yes;
        }
        if rest.len() < HEADER_LEN {
            return if complete { Chain::No } else { Chain::NeedMore };
        }
        let Some(candidate) = header(rest, near) else {
            // An extension chain that the data cuts off is the one case where more data could change the answer.
            let cut = !complete && rest[8] & 0x80 != 0 && rest.len() < HEADER_LEN + 8 * MAX_EXT_HEADERS;
            return if cut { Chain::NeedMore } else { Chain::No };
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

/// Whether what follows a record looks like a record, or like an end: nothing, zeros, or a torn header.
pub(crate) fn follows(data: &[u8], complete: bool) -> Chain {
    const LOOK: usize = HEADER_LEN + 8 * MAX_EXT_HEADERS;
    let head = data.get(..LOOK).unwrap_or(data);
    match head.len() {
        _ if header(head, None).is_some() => Chain::Yes,
        // Also a few zeros: the next bytes decide whether they are an end.
        len if len < LOOK && !complete => Chain::NeedMore,
        len if len < HEADER_LEN || head.iter().all(|&byte| byte == 0) => Chain::Yes,
        _ => Chain::No,
    }
}

/// Whether `record`, taken by itself, looks right.
pub(crate) fn record(record: &Record<'_>, near: Option<Timestamp>) -> bool {
    header(record.bytes(), near).is_some()
}
