//! [`compare`]: the one-way delays of all packets that two captures have in common, whatever they are.
//!
//! Both are read once, side by side, in memory that does not grow with them: of the first capture only what lies within the window about the
//! packet of the second is held. Packets are known again by their [digest](crate::digest).

mod align;
mod tally;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::path::Path;
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use erf::{Access, Reader};

use crate::digest::{DIGEST_BYTES, Digest, digest_of};
use crate::error::{Error, Repr};
use tally::Tally;
pub use tally::{Delays, Sampled};

/// How two captures are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompareOptions {
    /// A packet arrives within so many nanoseconds, either way, of what the clocks' offset makes of its stamp.
    pub window_ns: i64,
    /// Packets of the first capture held at once, at most. Where more are within the window those nearest to the packet of the second are.
    pub most_held: usize,
    /// Take the drift of the clocks out of the delays.
    pub remove_drift: bool,
    /// Count delays from the least one: all that can be said of clocks with an unknown offset.
    pub remove_offset: bool,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self { window_ns: 1_000_000_000, most_held: 1 << 20, remove_drift: false, remove_offset: false }
    }
}

/// What was counted of one capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Side {
    /// Packets of any kind.
    pub packets: u64,
    /// Packets that are not on the other side.
    pub only: u64,
    /// Packets of which too little was captured to know them again.
    pub snapped: u64,
    /// Packets on a link that is not looked into, or that are not what their headers say.
    pub other: u64,
    /// Places in the file that were no records: the comparison is partial.
    pub defects: u64,
}

/// Two captures, compared.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The first.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// Packets of both.
    pub common: u64,
    /// Packets of the second that had come before.
    pub duplicates: u64,
    /// Packets of the second like which the first has several: which is which cannot be told, and they are in no delay.
    pub ambiguous: u64,
    /// Common packets that the second has behind one that was later in the first (RFC 4737).
    pub reordered: u64,
    /// Common packets whose delay is below 0.
    pub negative: u64,
    /// More packets were within the window than are held: some that are common may have been missed.
    pub window_cut: bool,
    /// By how much the second clock is ahead, with the usual delay, in nanoseconds: what the window lies about.
    pub offset_ns: i64,
    /// How much faster the second clock runs, in parts per 10^9, by the packets with the least delay; `None` for too few.
    pub drift_ppb: Option<f64>,
    /// Stamp of the second less that of the first.
    pub delays: Delays,
    /// Differences between delays of common packets that arrived one after the other (RFC 3393).
    pub variation: Sampled,
    /// What is to be known before any of this is believed.
    pub notes: Vec<String>,
}

/// A common packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Common {
    /// Stamp of the first, in nanoseconds since 1970.
    pub a: i64,
    /// Stamp of the second.
    pub b: i64,
    /// Its length on the wire in bytes, as the second has it.
    pub bytes: u16,
}

/// A capture, packet by packet, read and digested by a thread of its own.
struct Feed {
    name: String,
    side: Side,
    /// With `None` at its end: a thread that has ended without is no end of a file.
    blocks: Receiver<Result<Option<Block>, Error>>,
    /// What is left of the last block.
    block: std::vec::IntoIter<Seen>,
    is_over: bool,
}

/// What is known of a part of a capture.
#[derive(Debug, Default)]
struct Block {
    seen: Vec<Seen>,
    /// What to add to the counts.
    side: Side,
}

/// Blocks read ahead of what is compared.
const AHEAD: usize = 2;

/// A map by digests, which are hashes already.
type ByDigest<T> = HashMap<u64, T, BuildHasherDefault<Digested>>;

/// The hash of a digest: itself.
#[derive(Debug, Clone, Copy, Default)]
struct Digested(u64);

impl Hasher for Digested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not asked for by a map of digests; any hash is right.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}

/// A packet that can be known again.
#[derive(Debug, Clone, Copy)]
struct Seen {
    digest: u64,
    nanos: i64,
    bytes: u16,
}

impl Feed {
    fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        // By blocks: a batch is then of their size, and not of the file's.
        let reader = Reader::builder().recover(true).access(Access::Blocks).open(path);
        let mut reader = reader.map_err(|cause| Repr::Capture { cause })?;
        let (send, blocks) = bounded(AHEAD);
        let read = move || {
            loop {
                let block = next_block(&mut reader);
                let over = !matches!(block, Ok(Some(_)));
                // Nobody wants more where the feed was dropped.
                if send.send(block).is_err() || over {
                    break;
                }
            }
        };
        let spawned = thread::Builder::new().name("capture".to_owned()).spawn(read);
        spawned.map_err(|cause| Repr::Io { path: name.clone(), cause })?;
        Ok(Self { name, side: Side::default(), blocks, block: Vec::new().into_iter(), is_over: false })
    }

    fn next(&mut self) -> Result<Option<Seen>, Error> {
        loop {
            if let Some(seen) = self.block.next() {
                return Ok(Some(seen));
            }
            if self.is_over {
                return Ok(None);
            }
            let gone = |_| Repr::Io { path: self.name.clone(), cause: io::Error::other("what reads it has ended") };
            let Some(Block { seen, side }) = self.blocks.recv().map_err(gone)?? else {
                self.is_over = true;
                continue;
            };
            self.block = seen.into_iter();
            self.side.packets += side.packets;
            self.side.snapped += side.snapped;
            self.side.other += side.other;
            self.side.defects += side.defects;
        }
    }
}

fn next_block(reader: &mut Reader) -> Result<Option<Block>, Error> {
    let Some(batch) = reader.next_batch().map_err(|cause| Repr::Capture { cause })? else { return Ok(None) };
    let mut block = Block::default();
    for item in &batch {
        match item {
            Err(_) => block.side.defects += 1,
            Ok(record) if record.is_packet() => {
                block.side.packets += 1;
                match digest_of(&record, DIGEST_BYTES) {
                    Digest::Packet(digest) => {
                        // Until the year 2262.
                        let nanos = i64::try_from(record.timestamp().nanos()).unwrap_or(i64::MAX);
                        block.seen.push(Seen { digest, nanos, bytes: record.wire_len() });
                    }
                    Digest::Snapped => block.side.snapped += 1,
                    Digest::Other => block.side.other += 1,
                }
            }
            Ok(_) => {}
        }
    }
    Ok(Some(block))
}

/// A packet of the first capture that may still arrive.
struct Held {
    nanos: i64,
    /// Its place among those of the first.
    number: u64,
    /// So many like it are held.
    like_it: u32,
    arrived: bool,
}

/// What is held of the first capture: in order of reading, and by digest.
struct Holding {
    order: VecDeque<Seen>,
    by_digest: ByDigest<Held>,
    read: u64,
}

impl Holding {
    fn take(&mut self, seen: Seen) {
        let new = Held { nanos: seen.nanos, number: self.read, like_it: 1, arrived: false };
        self.by_digest.entry(seen.digest).and_modify(|held| held.like_it += 1).or_insert(new);
        self.order.push_back(seen);
        self.read += 1;
    }

    /// The stamp of the oldest, and whether it has arrived.
    fn oldest(&self) -> Option<(i64, bool)> {
        let seen = self.order.front()?;
        Some((seen.nanos, self.by_digest.get(&seen.digest).is_some_and(|held| held.arrived)))
    }

    /// Lets the oldest go; whether it has arrived.
    fn let_go(&mut self) -> Option<bool> {
        let seen = self.order.pop_front()?;
        let std::collections::hash_map::Entry::Occupied(mut place) = self.by_digest.entry(seen.digest) else {
            return Some(false);
        };
        let arrived = place.get().arrived;
        // Of several alike none is known to have arrived before the others.
        match place.get().like_it {
            1 => _ = place.remove(),
            _ => place.get_mut().like_it -= 1,
        }
        Some(arrived)
    }
}

/// Compares two captures, and gives every common packet to `each` as it is found.
///
/// # Errors
///
/// When one cannot be read or is no file, or the two have no packet in common. An error of `each` ends it.
pub fn compare<E: From<Error>>(
    a: &Path,
    b: &Path,
    options: CompareOptions,
    mut each: impl FnMut(Common) -> Result<(), E>,
) -> Result<Comparison, E> {
    // A pipe is empty at the second time.
    if let Some(path) = [a, b].into_iter().find(|path| path.metadata().is_ok_and(|there| !there.is_file())) {
        return Err(Error::from(Repr::NoFile { path: path.display().to_string() }).into());
    }
    let offset_ns = align::offset(a, b)?;
    let (mut first, mut second) = (Feed::open(a)?, Feed::open(b)?);
    let mut holding = Holding { order: VecDeque::new(), by_digest: ByDigest::default(), read: 0 };
    let mut tally = Tally::default();
    let (mut duplicates, mut ambiguous, mut reordered, mut window_cut) = (0, 0, 0, false);
    let mut ahead = first.next()?;
    let mut highest = None;
    while let Some(seen) = second.next()? {
        // In the time of the first.
        let now = seen.nanos.saturating_sub(offset_ns);
        // Less than the window is held, for want of room.
        let mut narrowed = false;
        while let Some(next) = ahead.filter(|next| next.nanos <= now.saturating_add(options.window_ns)) {
            if holding.order.len() >= options.most_held {
                let Some((oldest, arrived)) = holding.oldest() else { break };
                // Of what is held and what is to be, the one that is farther from now is less likely to be wanted.
                if !arrived && now.saturating_sub(oldest) < next.nanos.saturating_sub(now) {
                    narrowed = true;
                    break;
                }
                window_cut |= !arrived && oldest > now.saturating_sub(options.window_ns);
                narrowed = true;
                first.side.only += u64::from(holding.let_go() == Some(false));
            }
            holding.take(next);
            ahead = first.next()?;
        }
        while holding.order.front().is_some_and(|oldest| oldest.nanos < now.saturating_sub(options.window_ns)) {
            first.side.only += u64::from(holding.let_go() == Some(false));
        }
        match holding.by_digest.get_mut(&seen.digest) {
            None => {
                second.side.only += 1;
                window_cut |= narrowed;
            }
            Some(held) if held.like_it > 1 => {
                held.arrived = true;
                ambiguous += 1;
            }
            Some(held) if held.arrived => duplicates += 1,
            Some(held) => {
                held.arrived = true;
                reordered += u64::from(highest.is_some_and(|highest| held.number < highest));
                highest = highest.max(Some(held.number));
                let common = Common { a: held.nanos, b: seen.nanos, bytes: seen.bytes };
                tally.note(common);
                each(common)?;
            }
        }
    }
    while let Some(arrived) = holding.let_go() {
        first.side.only += u64::from(!arrived);
    }
    // What of the first is behind the end of the second.
    while ahead.is_some() {
        first.side.only += 1;
        ahead = first.next()?;
    }
    let drift_ppb = tally.drift_ppb();
    let mut comparison = Comparison {
        a: first.side,
        b: second.side,
        common: tally.common(),
        duplicates,
        ambiguous,
        reordered,
        negative: tally.negative(),
        window_cut,
        offset_ns,
        drift_ppb,
        delays: tally.delays(options.remove_drift.then_some(drift_ppb).flatten(), options.remove_offset),
        variation: tally.variation(),
        notes: Vec::new(),
    };
    comparison.notes = notes(&comparison, [&first.name, &second.name]);
    Ok(comparison)
}

impl Comparison {
    /// A capture was damaged, or more was to be held than could be.
    pub fn is_partial(&self) -> bool {
        self.a.defects > 0 || self.b.defects > 0 || self.window_cut
    }
}

fn notes(found: &Comparison, names: [&String; 2]) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, side) in names.into_iter().zip([found.a, found.b]) {
        if side.defects > 0 {
            notes.push(format!("partial: {name} has {} damaged places", side.defects));
        }
        if side.snapped > 0 {
            notes.push(format!(
                "{name} has {} packets of which too little was captured to know them again",
                side.snapped
            ));
        }
    }
    if found.window_cut {
        notes.push(
            "partial: more packets were within the window than are held; a smaller --window misses none of them"
                .to_owned(),
        );
    }
    if found.ambiguous > 0 {
        notes.push(format!("{} packets are like others, and were left out", found.ambiguous));
    }
    if found.negative > 0 {
        notes.push(format!(
            "{} packets arrived before they were sent: the clocks differ, the captures are the other way round, or packets go both ways between them",
            found.negative
        ));
    }
    let seconds = (found.offset_ns as f64 / 1e9).round() as i64;
    if seconds != 0 && (found.offset_ns - seconds * 1_000_000_000).abs() < 100_000_000 {
        let tai = if seconds.abs() == 37 { ", which is what TAI is ahead of UTC" } else { "" };
        notes.push(format!("the clocks differ by {seconds} whole seconds{tai}"));
    }
    notes
}
