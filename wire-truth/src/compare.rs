//! [`compare`]: the one-way delays of all packets that two captures have in common, whatever they are.
//!
//! Both are read twice, side by side, in memory that does not grow with them: first to see how far apart the clocks are, all along, and then
//! to compare. Of the first capture only what lies within the window about the packet of the second is held. Packets are known again by
//! their [digest](crate::digest).

mod anchors;
mod bins;
mod feed;
mod holding;
mod tally;
mod track;
mod values;
mod way;

use std::path::Path;

use crate::error::{Error, Repr};
use feed::Feed;
use holding::{Holding, Match};
pub use tally::Delays;
use tally::Tally;
pub use track::Step;
use track::Track;
pub use values::{RESOLUTION, Sampled};
pub use way::Source;

/// How two captures are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompareOptions {
    /// A packet arrives within so many nanoseconds, either way, of the usual delay at that time. Neither the drift of the clocks nor a step
    /// needs any of it.
    pub window_ns: i64,
    /// Packets of the first capture held at once, at most. Where more are within the window those nearest to the packet of the second are.
    pub most_held: usize,
    /// Take the drift of the clocks out of the delays.
    pub remove_drift: bool,
    /// Count delays from the least one: all that can be said of clocks with an unknown offset.
    pub remove_offset: bool,
    /// Only packets that come from there.
    pub from: Option<Source>,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self { window_ns: 1_000_000_000, most_held: 1 << 20, remove_drift: false, remove_offset: false, from: None }
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
    /// Packets that do not come from where was asked for: [`CompareOptions::from`].
    pub elsewhere: u64,
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
    /// Packets of both ways are in both, and those of one way are later: of those of the other the delay is none.
    pub both_ways: bool,
    /// More packets were within the window than are held: some that are common may have been missed.
    pub window_cut: bool,
    /// By how much the second clock is ahead, with the usual delay, in nanoseconds: the middle of all along.
    pub offset_ns: i64,
    /// So many packets, evenly chosen, have told that.
    pub anchors: usize,
    /// Where the clocks were stepped, in order.
    pub steps: Vec<Step>,
    /// How much faster the second clock runs, in parts per 10^9, by the packets with the least delay; `None` for too few.
    pub drift_ppb: Option<f64>,
    /// Stamp of the second less that of the first.
    pub delays: Delays,
    /// Differences between delays of common packets that arrived one after the other (RFC 3393).
    pub variation: Sampled,
    /// Stamps of the first of the common packets that were sent first and last, in nanoseconds since 1970.
    pub span_ns: Option<(i64, i64)>,
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
    let anchors = anchors::find(a, b, options.from, anchors::MOST)?;
    let both_ways = way::are_mixed(&anchors);
    let mut track = Track::of(anchors);
    let (mut first, mut second) = (Feed::open(a, options.from)?, Feed::open(b, options.from)?);
    let mut holding = Holding::default();
    let drift = track.drift_ppb().filter(|_| options.remove_drift);
    let mut tally = Tally::new(drift, track.least_ns(options.remove_drift))?;
    let (mut duplicates, mut ambiguous, mut reordered, mut window_cut) = (0, 0, 0, false);
    let mut ahead = first.next()?;
    let mut highest = None;
    let mut number = 0;
    while let Some(seen) = second.next()? {
        if number % holding::LOOKED_AT as u64 == 0 {
            holding.look_ahead([first.coming(), second.coming()]);
        }
        let around = track.around(number);
        number += 1;
        // In the time of the first.
        let earliest = seen.nanos.saturating_sub(around.high).saturating_sub(options.window_ns);
        let latest = seen.nanos.saturating_sub(around.low).saturating_add(options.window_ns);
        // Less than the window is held, for want of room.
        let mut narrowed = false;
        while let Some(next) = ahead.filter(|next| next.nanos <= latest) {
            first.side.only += holding.let_go_before(earliest);
            if holding.len() >= options.most_held {
                let Some((oldest, arrived)) = holding.oldest() else { break };
                // Of what is held and what is to be, the one that is farther from now is less likely to be wanted. Either may be on either
                // side of it: where the clock of the first was put back, stamps do not grow.
                narrowed = true;
                let far = |nanos| around.distance(nanos, seen.nanos);
                if !arrived && far(oldest) < far(next.nanos) {
                    break;
                }
                window_cut |= !arrived && (earliest..=latest).contains(&oldest);
                first.side.only += u64::from(holding.let_go() == Some(false));
            }
            holding.take(next);
            ahead = first.next()?;
        }
        first.side.only += holding.let_go_before(earliest);
        match holding.arrive(seen.digest) {
            Match::None => {
                second.side.only += 1;
                window_cut |= narrowed;
            }
            Match::Several => ambiguous += 1,
            Match::Again => duplicates += 1,
            Match::One(nanos, number) => {
                reordered += u64::from(highest.is_some_and(|highest| number < highest));
                highest = highest.max(Some(number));
                let common = Common { a: nanos, b: seen.nanos, bytes: seen.bytes };
                tally.note(common, around.stepped);
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
        both_ways,
        window_cut,
        offset_ns: track.usual_ns(),
        anchors: track.anchors(),
        steps: track.steps().to_vec(),
        drift_ppb,
        delays: tally.delays(options.remove_drift, options.remove_offset),
        variation: tally.variation(),
        span_ns: tally.span(),
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
    if found.both_ways {
        notes.push(
            "both captures hold both directions, and packets of one of them come to the first place later: neither drift, steps, nor delays below \
             0 mean anything; compare one direction with --from ADDRESS, and the other with the captures the other way round"
                .to_owned(),
        );
        return notes;
    }
    if found.negative > 0 {
        notes.push(format!(
            "{} packets arrived before they were sent: the clocks differ, the captures are the other way round, or packets go both ways between them (--from ADDRESS takes those of one)",
            found.negative
        ));
    }
    for step in found.steps.iter().take(MOST_STEPS_TOLD) {
        notes.push(format!(
            "a clock was stepped, or the way became another: by about {} ms between {} and {} of the second; delays have it in",
            step.by_ns as f64 / 1e6,
            stamp(step.after_ns),
            stamp(step.before_ns),
        ));
    }
    if let Some(more @ 1..) = found.steps.len().checked_sub(MOST_STEPS_TOLD) {
        notes.push(format!("and {more} more such steps"));
    }
    let seconds = (found.offset_ns as f64 / 1e9).round() as i64;
    if seconds != 0 && (found.offset_ns - seconds * 1_000_000_000).abs() < 100_000_000 {
        let tai = if seconds.abs() == 37 { ", which is what TAI is ahead of UTC" } else { "" };
        notes.push(format!("the clocks differ by {seconds} whole seconds{tai}"));
    }
    notes
}

/// Steps that are worth a line each.
const MOST_STEPS_TOLD: usize = 8;

/// A stamp in seconds, with all its digits.
pub(crate) fn stamp(nanos: i64) -> String {
    const SECOND: i64 = 1_000_000_000;
    format!("{}.{:09}", nanos.div_euclid(SECOND), nanos.rem_euclid(SECOND))
}
