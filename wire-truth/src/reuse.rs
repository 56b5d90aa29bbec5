//! Which of several probes with one identifier and one sequence number is meant: that which was there when the reference says.
//!
//! The reference is the log, else the capture of the kernel, else the wire. The clocks of two places differ by the same at all probes, nearly;
//! so the difference that most probes have in common tells which ones belong together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::delay::Places;
use crate::echo::ProbeKey;
use crate::vantage::{Seen, Vantage};

/// Probes of one run differ by less than this in what a host adds and a clock drifts, in nanoseconds.
const WINDOW: i64 = 1_000_000_000;
/// A probe that is farther from where the reference has it is another one.
const FAR: u64 = 10_000_000_000;
/// So many sequence numbers, evenly chosen, and so many turns of each, are looked at for the difference of two clocks.
const SAMPLE: usize = 2_000;
const TURNS: usize = 64;

/// Places of which every turn is that of the reference.
#[derive(Debug)]
pub(crate) struct Aligned {
    wire: Vantage,
    kernel: Option<Vantage>,
    dom0: Option<Vantage>,
    others: Vec<Vantage>,
    /// Probes on the wire that are not of this run.
    pub(crate) foreign: u64,
    /// More than one run would fit.
    pub(crate) doubtful: bool,
}

impl Aligned {
    pub(crate) fn places<'a>(&'a self, places: &Places<'a>) -> Places<'a> {
        let (kernel, dom0) = (self.kernel.as_ref(), self.dom0.as_ref());
        Places { wire: &self.wire, kernel, dom0, user: places.user, others: &self.others }
    }
}

/// Puts the turns of all places in the order of the reference; `None` where nothing was used again.
pub(crate) fn align(places: &Places<'_>, ident: u16) -> Option<Aligned> {
    let captures = || [Some(places.wire), places.kernel, places.dom0].into_iter().flatten().chain(places.others);
    let again = |place: &Vantage| place.of_ident(ident).any(|(key, _)| key.turn > 0);
    let log_again = places.user.is_some_and(|user| user.probes().any(|(key, _)| key.turn > 0));
    if !log_again && !captures().any(again) {
        return None;
    }
    let mut reference = Reference::of(places, ident);
    let mut doubtful = false;
    let mut aligned = |place: &Vantage| {
        let (vantage, foreign, doubt) = reference.align(place, ident);
        doubtful |= doubt;
        (vantage, foreign)
    };
    let (wire, foreign) = aligned(places.wire);
    let kernel = places.kernel.map(|place| aligned(place).0);
    let dom0 = places.dom0.map(|place| aligned(place).0);
    let others = places.others.iter().map(|place| aligned(place).0).collect();
    Some(Aligned { wire, kernel, dom0, others, foreign, doubtful })
}

/// When each probe was there, by sequence number and turn.
struct Reference {
    times: BTreeMap<u16, BTreeMap<u32, i64>>,
    /// Every probe that was sent is in it.
    whole: bool,
}

impl Reference {
    fn of(places: &Places<'_>, ident: u16) -> Self {
        let mut reference = Self { times: BTreeMap::new(), whole: false };
        if let Some(user) = places.user {
            let of_run = user.probes().filter(|(key, probe)| key.ident == ident || probe.rtt_only.is_some());
            for (key, probe) in of_run {
                // ping does not tell of those that were lost.
                reference.whole |= probe.user_send.is_some();
                reference.put(key, probe.user_send.or(probe.about));
            }
        }
        if reference.times.is_empty() {
            for (key, seen) in places.kernel.unwrap_or(places.wire).of_ident(ident) {
                reference.put(key, seen.time());
            }
        }
        reference
    }

    fn put(&mut self, key: ProbeKey, time: Option<i64>) {
        if let Some(time) = time {
            self.times.entry(key.seq).or_default().insert(key.turn, time);
        }
    }

    /// The place with the turns of the reference; how many probes are of none, and whether another choice would have been as good. What was
    /// there during the run and is not in the reference is noted there, for the places to come.
    fn align(&mut self, place: &Vantage, ident: u16) -> (Vantage, u64, bool) {
        let Some((offset, doubtful)) = self.offset(place, ident) else { return (place.clone(), 0, false) };
        let all = self.times.values().flat_map(BTreeMap::values);
        let span = (all.clone().min().copied().unwrap_or_default(), all.max().copied().unwrap_or_default());
        let during = |time: i64| (span.0.saturating_sub(WINDOW)..=span.1.saturating_add(WINDOW)).contains(&time);
        let content = common_content(place, ident);
        let mut result = place.without(ident);
        let mut foreign = 0;
        let seqs: BTreeSet<u16> = place.of_ident(ident).map(|(key, _)| key.seq).collect();
        for seq in seqs {
            let seen: Vec<Seen> = place.turns(ident, seq).map(|(_, seen)| seen).collect();
            let turns = self.times.entry(seq).or_default();
            for (turn, one) in matched(&seen, turns, offset, content) {
                match (turn, one.time().map(|time| time.saturating_sub(offset))) {
                    (Some(turn), _) => result.put(ProbeKey { ident, turn, seq }, one),
                    (None, Some(time)) if !self.whole && during(time) => {
                        let next = turns.last_key_value().map_or(0, |(last, _)| last + 1);
                        // A number that was left out is that of a probe which the reference has lost.
                        let gap = turns.len() < next as usize;
                        let free = (0..next).find(|turn| gap && !turns.contains_key(turn)).unwrap_or(next);
                        turns.insert(free, time);
                        result.put(ProbeKey { ident, turn: free, seq }, one);
                    }
                    (None, _) => foreign += 1,
                }
            }
        }
        (result, foreign, doubtful)
    }

    /// By how much the clock of a place is ahead, and whether another difference has nearly as much for it. Of several, that nearest to 0.
    fn offset(&self, place: &Vantage, ident: u16) -> Option<(i64, bool)> {
        // Those that are here and there once say it best.
        let once =
            |seq: u16, turns: &BTreeMap<u32, i64>| turns.len() == 1 && place.turns(ident, seq).take(2).count() == 1;
        let mut seqs: Vec<_> = self.times.iter().filter(|(seq, turns)| once(**seq, turns)).collect();
        if seqs.is_empty() {
            seqs = self.times.iter().collect();
        }
        let step = seqs.len().div_ceil(SAMPLE).max(1);
        let mut differences: Vec<i64> = Vec::new();
        for (seq, turns) in seqs.into_iter().step_by(step) {
            for there in turns.values().take(TURNS) {
                let seen = place.turns(ident, *seq).take(TURNS).filter_map(|(_, seen)| seen.time());
                differences.extend(seen.map(|at| at.saturating_sub(*there)));
            }
        }
        differences.sort_unstable();
        let mut found: Vec<(usize, i64)> = Vec::new();
        while let Some(window) = fullest(&differences) {
            if found.first().is_some_and(|(most, _)| window.len() * 5 < most * 4) {
                break;
            }
            found.push((window.len(), differences[window.start + window.len() / 2]));
            differences.drain(window);
        }
        let offset = found.iter().map(|(_, offset)| *offset).min_by_key(|offset| offset.unsigned_abs())?;
        Some((offset, found.len() > 1))
    }
}

/// Which turn each of `seen` is: the nearest in time, once each. Of those that have the `content` of the run, if any have.
fn matched(seen: &[Seen], turns: &BTreeMap<u32, i64>, offset: i64, content: Option<u64>) -> Vec<(Option<u32>, Seen)> {
    // One of each: no clock is asked, which may have been stepped.
    if let ([one], 1, Some((turn, _))) = (seen, turns.len(), turns.first_key_value()) {
        return vec![(Some(*turn), *one)];
    }
    let like = |seen: &Seen| content.is_none_or(|content| content == seen.content);
    let any_like = seen.iter().any(like);
    let mut times: Vec<(i64, u32)> = turns.iter().map(|(turn, time)| (*time, *turn)).collect();
    times.sort_unstable();
    let mut pairs = Vec::new();
    for (at, one) in seen.iter().enumerate().filter(|(_, one)| !any_like || like(one)) {
        let Some(time) = one.time().map(|time| time.saturating_sub(offset)) else { continue };
        let behind = times.partition_point(|(there, _)| *there < time);
        // The one before and the one behind: no other is nearer.
        let near = &times[behind.saturating_sub(1)..times.len().min(behind + 1)];
        pairs.extend(near.iter().map(|(there, turn)| (time.abs_diff(*there), at, *turn)));
    }
    pairs.sort_unstable();
    let mut result: Vec<(Option<u32>, Seen)> = seen.iter().map(|seen| (None, *seen)).collect();
    let mut taken = BTreeSet::new();
    for (far, at, turn) in pairs {
        if far <= FAR && result[at].0.is_none() && taken.insert(turn) {
            result[at].0 = Some(turn);
        }
    }
    result
}

/// The stretch of [`WINDOW`] that holds the most.
fn fullest(sorted: &[i64]) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    let windows = (0..sorted.len()).map(|end| {
        while sorted[end].abs_diff(sorted[start]) > WINDOW.unsigned_abs() {
            start += 1;
        }
        start..end + 1
    });
    windows.max_by_key(ExactSizeIterator::len)
}

/// The content that most probes have in common, as those of tping have.
fn common_content(place: &Vantage, ident: u16) -> Option<u64> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for (_, seen) in place.of_ident(ident) {
        *counts.entry(seen.content).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    counts.into_iter().find(|(_, count)| count * 2 > all).map(|(content, _)| content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyse};
    use crate::echo::{Echo, Leg};
    use crate::user_log::{HEADER, UserLog};

    const START: i64 = 1_700_000_000_000_000_000;
    const MILLI: i64 = 1_000_000;

    /// A probe that needs 1 ms.
    fn probe(place: &mut Vantage, seq: u16, at: i64, content: u64) {
        for (leg, time) in [(Leg::Request, at), (Leg::Reply, at + MILLI)] {
            place.note(Echo { ident: 9, seq, leg, content, identification: None, cut: false, bytes: 0 }, time);
        }
    }

    fn log(runs: impl Iterator<Item = (u16, i64)>) -> UserLog {
        let lines: String =
            runs.map(|(seq, at)| format!("9,{seq},100,{},,,,,{}\n", at - MILLI, at + 3 * MILLI)).collect();
        UserLog::parse(&format!("{HEADER}\n{lines}"), "log").unwrap()
    }

    fn places<'a>(wire: &'a Vantage, user: &'a UserLog) -> Places<'a> {
        Places { wire, kernel: None, dom0: None, user: Some(user), others: &[] }
    }

    /// Another program's echo, with the same numbers, was there a tenth of a second before.
    #[test]
    fn the_echo_of_another_program_is_not_taken_for_the_probe() {
        let at = |seq: u16| START + i64::from(seq) * 10 * MILLI;
        for clock in [0, 3_600_000_000_000] {
            let mut wire = Vantage::new("wire");
            probe(&mut wire, 1, at(1) - 102 * MILLI, 77);
            (1..=50).for_each(|seq| probe(&mut wire, seq, at(seq), 1));
            probe(&mut wire, 3, at(3) + 5_000 * MILLI, 78);
            let user = log((1..=50).map(|seq| (seq, at(seq) + clock)));
            let analysis = analyse(&places(&wire, &user), Options::default()).unwrap();
            assert_eq!((analysis.probes, analysis.matched, analysis.foreign), (50, 50, 2));
            let (least, most) = (analysis.layers.total.min().unwrap(), analysis.layers.total.max().unwrap());
            assert!((least - 3e6).abs() < 10.0 && (most - 3e6).abs() < 10.0, "{least} {most}");
            for probe in &analysis.each {
                assert_eq!(probe.wire.request, Some(at(probe.key.seq)), "{probe:?}");
            }
            assert!(analysis.notes.iter().any(|note| note.starts_with("2 probes on the wire")), "{:?}", analysis.notes);
        }
    }

    /// Without anything to choose by, the run is taken that is nearest by the clocks as they are.
    #[test]
    fn of_two_runs_the_one_that_was_then_is_taken() {
        let (first, second) = (
            |seq: u16| START + i64::from(seq) * 10 * MILLI,
            |seq: u16| START + 3_600_000 * MILLI + i64::from(seq) * 10 * MILLI,
        );
        let mut wire = Vantage::new("wire");
        (1..=50).for_each(|seq| probe(&mut wire, seq, first(seq), u64::from(seq)));
        (1..=50).for_each(|seq| probe(&mut wire, seq, second(seq), 1000 + u64::from(seq)));
        let times: [fn(u16) -> i64; 2] =
            [|seq| START + i64::from(seq) * 10 * MILLI, |seq| START + 3_600_000 * MILLI + i64::from(seq) * 10 * MILLI];
        for time in times {
            let user = log((1..=50).map(|seq| (seq, time(seq))));
            let analysis = analyse(&places(&wire, &user), Options::default()).unwrap();
            assert_eq!((analysis.probes, analysis.matched, analysis.foreign), (50, 50, 50));
            assert!(analysis.each.iter().all(|probe| probe.wire.request == Some(time(probe.key.seq))));
            assert!(analysis.notes.iter().any(|note| note.contains("several runs")), "{:?}", analysis.notes);
        }
    }

    /// Somebody who sends one echo, with the same numbers, again and again: the log's is one of them.
    #[test]
    fn one_number_may_come_very_often() {
        let times = 100_000;
        let at = |number: u64| START + number as i64 * 1000 * MILLI;
        let mut wire = Vantage::new("wire");
        (0..times).for_each(|number| probe(&mut wire, 1, at(number), number));
        probe(&mut wire, 2, at(times / 2) + 500 * MILLI, times);
        let user = log([(1, at(times / 2)), (2, at(times / 2) + 500 * MILLI)].into_iter());
        let analysis = analyse(&places(&wire, &user), Options::default()).unwrap();
        assert_eq!((analysis.matched, analysis.foreign), (2, times - 1));
        assert_eq!(analysis.each[0].wire.request, Some(at(times / 2)));
        // Without a log every one of them counts.
        let kernel = wire.clone();
        let all = Places { kernel: Some(&kernel), user: None, ..places(&wire, &user) };
        let analysis = analyse(&all, Options::default()).unwrap();
        assert_eq!((analysis.matched, analysis.foreign), (times + 1, 0));
    }

    /// Stamps of nonsense are differences too large for a number, and no panic.
    #[test]
    fn stamps_far_off_are_borne() {
        let mut wire = Vantage::new("wire");
        for (content, at) in [0, START, i64::from(u32::MAX) * 1_000_000_000].into_iter().enumerate() {
            probe(&mut wire, 1, at, content as u64);
        }
        for at in [0, 5, 1 << 61] {
            let user = log([(1, at + MILLI)].into_iter());
            let analysis = analyse(&places(&wire, &user), Options::default()).unwrap();
            assert_eq!((analysis.probes, analysis.foreign), (1, 2));
        }
        for stamp in [-1, i64::MIN, i64::MAX] {
            let error = UserLog::parse(&format!("{HEADER}\n9,1,100,{stamp},,,,,5\n"), "log").unwrap_err().to_string();
            assert!(error.contains("user_send_ns") && error.contains("from 1970 to 2116"), "{error}");
            let json = format!("{{\"ident\":9,\"seq\":1,\"user_send_ns\":{stamp}}}\n");
            let error = UserLog::parse(&json, "log").unwrap_err().to_string();
            assert!(error.contains("user_send_ns") && error.contains("from 1970 to 2116"), "{error}");
        }
    }

    /// More than 65 536 probes, of which ping's log has but the answered ones.
    #[test]
    fn a_run_that_counts_over_its_numbers_is_one() {
        let count = 70_000u32;
        let at = |number: u32| START + i64::from(number) * 10 * MILLI;
        let lost = |number: u32| number % 1000 == 3;
        let (mut wire, mut kernel) = (Vantage::new("wire"), Vantage::new("kernel"));
        let mut said = String::new();
        for number in 0..count {
            let seq = number as u16;
            let see = |place: &mut Vantage, leg, time| {
                let content = u64::from(number);
                place.note(Echo { ident: 9, seq, leg, content, identification: None, cut: false, bytes: 0 }, time);
            };
            see(&mut wire, Leg::Request, at(number));
            // One that the capture missed, so that its numbers come there once less.
            let missed = number == 5;
            if !missed {
                see(&mut kernel, Leg::Request, at(number) - 1000);
            }
            if !lost(number) {
                see(&mut wire, Leg::Reply, at(number) + MILLI);
                if !missed {
                    see(&mut kernel, Leg::Reply, at(number) + MILLI + 2000);
                }
                let printed = at(number) + 2 * MILLI;
                let (seconds, micros) = (printed / 1_000_000_000, printed % 1_000_000_000 / 1000);
                said +=
                    &format!("[{seconds}.{micros:06}] 64 bytes from 10.0.0.2: icmp_seq={seq} ttl=64 time=1.100 ms\n");
            }
        }
        let user = UserLog::parse(&said, "log").unwrap();
        let all = places(&wire, &user);
        for all in [all, Places { kernel: Some(&kernel), ..all }, Places { kernel: Some(&kernel), user: None, ..all }] {
            let analysis = analyse(&all, Options::default()).unwrap();
            let without_log = u64::from(all.user.is_none());
            assert_eq!((analysis.probes, analysis.matched, analysis.lost), (70_000, 69_930 - without_log, 70));
            assert_eq!((analysis.duplicates, analysis.foreign, analysis.reordered), (0, 0, 0));
            if all.kernel.is_some() {
                assert_eq!(analysis.clock.as_ref().unwrap().step, None);
                let kern = &analysis.layers.kern;
                assert_eq!(kern.len(), 69_929);
                assert!((kern.min().unwrap() - 3000.0).abs() < 10.0 && (kern.max().unwrap() - 3000.0).abs() < 10.0);
            }
        }
    }
}
