//! [`learn`]: limits and a correction from a run with wire truth.
//!
//! 1. Good is what is off by no more than the 99th percentile at rest.
//! 2. With stamps the host's share is known; its limit is what is good less what stamps do not tell, which is the median of that at rest.
//! 3. From here on bad is what is off by more than twice that, and what lies between is neither: one in a hundred does so at rest already, and what
//!    tells it from the good is chance. If more than one in two hundred of what is kept is bad still, signals are added, one at a time: that signal and limit next which catches the
//!    largest part of all bad samples, less three times the part of all good ones that it costs. Never so many that less than 95 % of the good are kept.
//! 4. Without stamps the same, by signals alone.
//! 5. The correction is a median at rest. Its bounds are those of [`bounds`](super::bounds).

use std::collections::BTreeSet;

use super::bounds::bound;
use super::evidence::{Evidence, Signal};
use super::order::median;
use super::signals::SignalLog;
use super::thresholds::{Bound, Correction, Learning, Limit, Step, Thresholds};
use crate::analysis::Analysis;
use crate::echo::ProbeKey;
use crate::error::{Error, Repr};
use crate::stats::Sample;
use crate::user_log::{UserLog, UserProbe};

/// Fewer samples at rest say nothing of what is good.
const LEAST_AT_REST: usize = 20;
/// The part of what is kept that may be bad: the 99th percentile of what is kept is good then, with as much room again.
const BAD_KEPT: f64 = 0.005;
/// The part of the good samples that is kept.
const GOOD_KEPT: f64 = 0.95;
/// A good sample that is lost weighs as much as so many bad ones that are caught, in parts of all: else a limit goes down into chance, after bad ones
/// that another signal tells.
const COST: f64 = 3.0;
/// A limit that is worth less than this (part of the bad caught less the cost) is chance.
const LEAST_WORTH: f64 = 0.05;
/// A signal that is known of less than this part of the samples is not learned from.
const KNOWN: f64 = 0.9;
/// More than so many times what a signal was at rest is not rest: the next minute of a host is not the last one.
const REST_MORE: f64 = 2.0;
/// How often bounds are to hold.
const BOUNDS: [f64; 2] = [0.95, 0.99];

/// A probe with the truth about it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Case {
    /// Which.
    pub key: ProbeKey,
    /// Its stamps.
    pub probe: UserProbe,
    /// Its round trip on the wire, in nanoseconds.
    pub wire: i64,
    /// How much more the program has measured.
    pub error: i64,
    /// It was sent at rest.
    pub at_rest: bool,
    /// To be added to a time of the host's clock of the length of this round trip, so that it is one of the wire's: where the clocks differ.
    pub scale: i64,
}

/// The probes of an analysis of which the round trip is known on the wire and of the program.
pub fn cases(analysis: &Analysis, user: &UserLog, rest_lead: usize, rest_trail: usize) -> Vec<Case> {
    let behind = analysis.each.len().saturating_sub(rest_trail);
    let case = |(number, each): (usize, &crate::delay::Probe)| {
        let probe = user.get(each.key)?;
        let raw = probe.rtt()?;
        let (wire, own) = (each.rtt.wire?, each.rtt.user?);
        let at_rest = number < rest_lead || number >= behind;
        Some(Case { key: each.key, probe, wire, error: own - wire, at_rest, scale: own - raw })
    };
    analysis.each.iter().enumerate().filter_map(case).collect()
}

/// Learns from `cases`, and the signals beside them.
///
/// # Errors
///
/// When too few were at rest, or nothing was seen of any.
pub fn learn(cases: &[Case], signals: Option<&SignalLog>) -> Result<Thresholds, Error> {
    learned(&[cases], signals, false)
}

/// Learns from several runs, each with its probes in order; `signals` are those of all. Of three and more their bounds are allowed to differ as
/// much in the next.
///
/// # Errors
///
/// As for [`learn`].
pub fn learn_from(runs: &[&[Case]], signals: Option<&SignalLog>) -> Result<Thresholds, Error> {
    learned(runs, signals, false)
}

/// Learns from those of `cases` that were at rest alone: what is good, and with stamps its limit, are as of [`learn`]; of each signal that is
/// known the limit is twice its 99th percentile, or that of the [defaults](Thresholds::default) if that is more. What is taken off is known, and
/// how far what is left is off under stress is not: no bound is claimed.
///
/// # Errors
///
/// As for [`learn`].
pub fn learn_at_rest(cases: &[Case], signals: Option<&SignalLog>) -> Result<Thresholds, Error> {
    let at_rest: Vec<Case> = cases.iter().filter(|case| case.at_rest).copied().collect();
    learned(&[&at_rest], signals, true)
}

fn learned(runs: &[&[Case]], signals: Option<&SignalLog>, is_rest_alone: bool) -> Result<Thresholds, Error> {
    let cases: Vec<Case> = runs.concat();
    let wrong = |what: String| Error::from(Repr::Learn { what });
    let at_rest = || cases.iter().filter(|case| case.at_rest);
    let rest: Sample = at_rest().map(|case| case.error as f64).collect();
    if rest.len() < LEAST_AT_REST {
        return Err(wrong(format!(
            "{} samples were at rest, and {LEAST_AT_REST} are needed to say what is good; say how many were with --rest-lead and --rest-trail",
            rest.len()
        )));
    }
    let good_ns = rest.percentile(0.99).unwrap_or_default().max(0.0).round() as i64;
    let mut notes = Vec::new();
    if rest.len() < 100 {
        notes.push(format!("of {} samples at rest the 99th percentile is the largest but a little", rest.len()));
    }
    if let Some(log) = signals {
        notes.extend(super::tell::reach(log, cases.iter().map(|case| &case.probe)));
    }
    let seen = |case: &Case| {
        let off = case.error.abs();
        let evidence = Evidence::of(&case.probe, signals).ok()?;
        Some(Seen { evidence, good: off <= good_ns, bad: off > good_ns.saturating_mul(2) })
    };
    let all: Vec<Seen> = cases.iter().filter_map(seen).collect();
    if all.len() < cases.len() {
        notes.push(format!("{} samples have stamps that are out of order", cases.len() - all.len()));
    }
    let good = all.iter().filter(|seen| seen.good).count();
    if is_rest_alone {
        notes.push("nothing but probes at rest was learned from".to_owned());
    } else if all.iter().all(|seen| !seen.bad) {
        notes.push(
            "no sample was off by more than twice what is good: what such a one looks like was not learned".to_owned(),
        );
    }

    let mut remainders: Vec<i64> =
        at_rest().filter_map(|case| Some(case.error - Evidence::of(&case.probe, None).ok()?.share?.total())).collect();
    let remainder = median(&mut remainders);
    let stamped: Vec<Seen> = all.iter().filter(|seen| seen.evidence.share.is_some()).copied().collect();
    let mut with_stamps = Limits::of(&stamped);
    if let Some(remainder) = remainder {
        with_stamps.add(Limit { signal: Signal::HostShare, above: (good_ns - remainder).max(0) as f64 });
        if !is_rest_alone {
            with_stamps.search();
        }
    } else {
        notes.push(
            "no probe at rest has all stamps: nothing is learned of those that have, and nothing is corrected"
                .to_owned(),
        );
    }
    let mut without_stamps = Limits::of(&all);
    if is_rest_alone {
        limits_of_rest(&all).into_iter().for_each(|limit| without_stamps.add(limit));
    } else {
        without_stamps.search();
    }
    for (limits, which) in [(&with_stamps, "with stamps"), (&without_stamps, "by signals alone")] {
        if limits.bad_kept() > BAD_KEPT * 2.0 {
            notes.push(format!(
                "{which}, {:.1} % of what is kept is bad: what delayed it was not seen",
                limits.bad_kept() * 100.0
            ));
        }
    }
    if with_stamps.limits.is_empty() && without_stamps.limits.is_empty() {
        return Err(wrong("no signal and no stamp tells the bad samples from the good".to_owned()));
    }
    Ok(Thresholds {
        schema: 1,
        good_ns,
        remainder_ns: remainder.unwrap_or(0),
        with_stamps: with_stamps.limits,
        without_stamps: without_stamps.limits,
        correction: correction(runs).map(|correction| match is_rest_alone {
            true => Correction { bounds: Vec::new(), ..correction },
            false => correction,
        }),
        sampled_every_ns: signals.and_then(|log| log.context.sampled_every()),
        learning: Some(Learning {
            samples: cases.len(),
            at_rest: rest.len(),
            good,
            bad: all.len() - good,
            with_stamps: with_stamps.steps,
            without_stamps: without_stamps.steps,
            notes,
        }),
    })
}

/// From when on a signal is more than it is at rest.
fn limits_of_rest(all: &[Seen]) -> Vec<Limit> {
    let usual = Thresholds::default();
    let strict = |signal| match signal {
        // As that of CPUs.
        Signal::IoPressure | Signal::MemoryPressure => 0.05,
        signal => usual.without_stamps.iter().find(|limit| limit.signal == signal).map_or(0.0, |limit| limit.above),
    };
    let limit = |signal: Signal| {
        let values: Sample = all.iter().filter_map(|seen| seen.evidence.value(signal)).collect();
        let is_known = values.len() as f64 >= KNOWN * all.len() as f64;
        let most = values.percentile(0.99).filter(|_| is_known)?;
        Some(Limit { signal, above: (REST_MORE * most).max(strict(signal)) })
    };
    Signal::OF_LOG.into_iter().filter_map(limit).collect()
}

/// How far the round trip from the driver to the kernel is above that of the wire.
fn above_wire(case: &Case) -> Option<i64> {
    Some(Evidence::of(&case.probe, None).ok()?.share?.path + case.scale - case.wire)
}

fn correction(runs: &[&[Case]]) -> Option<Correction> {
    let mut rest: Vec<i64> =
        runs.iter().copied().flatten().filter(|case| case.at_rest).filter_map(above_wire).collect();
    let constant_ns = median(&mut rest)?;
    let off = |run: &&[Case]| run.iter().filter_map(above_wire).map(|ns| (ns - constant_ns).abs()).collect();
    let off: Vec<Vec<i64>> = runs.iter().map(off).collect();
    let bound = |holds| bound(&off, holds).map(|within_ns| Bound { holds, within_ns });
    let bounds = BOUNDS.into_iter().filter_map(bound).collect();
    Some(Correction { constant_ns, bounds, samples: off.iter().map(Vec::len).sum() })
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    evidence: Evidence,
    good: bool,
    bad: bool,
}

/// Limits as they are found, and what they keep.
struct Limits<'a> {
    good: usize,
    bad: usize,
    kept: Vec<&'a Seen>,
    limits: Vec<Limit>,
    steps: Vec<Step>,
}

impl<'a> Limits<'a> {
    fn of(all: &'a [Seen]) -> Self {
        let good = all.iter().filter(|seen| seen.good).count();
        let bad = all.iter().filter(|seen| seen.bad).count();
        let kept = all.iter().collect();
        Self { good, bad, kept, limits: Vec::new(), steps: Vec::new() }
    }

    fn bad_kept(&self) -> f64 {
        let bad = self.kept.iter().filter(|seen| seen.bad).count();
        bad as f64 / self.kept.len().max(1) as f64
    }

    fn good_kept(&self) -> usize {
        self.kept.iter().filter(|seen| seen.good).count()
    }

    fn add(&mut self, limit: Limit) {
        let over = |seen: &&&Seen| seen.evidence.value(limit.signal).is_some_and(|value| value > limit.above);
        let caught = self.kept.iter().filter(over).filter(|seen| seen.bad).count();
        let cost = self.kept.iter().filter(over).filter(|seen| seen.good).count();
        self.kept.retain(|seen| !over(&seen));
        self.limits.push(limit);
        self.steps.push(Step { limit, caught, cost });
    }

    fn search(&mut self) {
        let known = |signal: &Signal| {
            let values = self.kept.iter().filter(|seen| seen.evidence.value(*signal).is_some());
            values.count() as f64 >= KNOWN * self.kept.len() as f64
        };
        let signals: Vec<Signal> = Signal::OF_LOG.into_iter().filter(known).collect();
        let mut used = BTreeSet::new();
        while self.bad_kept() > BAD_KEPT {
            let left = signals.iter().filter(|signal| !used.contains(*signal));
            let best = left.filter_map(|signal| self.best(*signal)).max_by(|one, other| one.0.total_cmp(&other.0));
            let Some((_, limit)) = best.filter(|(worth, _)| *worth >= LEAST_WORTH) else { break };
            used.insert(limit.signal);
            self.add(limit);
        }
    }

    /// The best limit of a signal, with its worth.
    fn best(&self, signal: Signal) -> Option<(f64, Limit)> {
        let mut values: Vec<(f64, &Seen)> =
            self.kept.iter().filter_map(|seen| Some((seen.evidence.value(signal)?, *seen))).collect();
        values.sort_by(|one, other| other.0.total_cmp(&one.0));
        // Good samples that may be lost still.
        let spare = self.good_kept() as f64 - GOOD_KEPT * self.good as f64;
        let (mut caught, mut lost) = (0usize, 0usize);
        let mut best: Option<(f64, Limit)> = None;
        for pair in values.windows(2) {
            let [(value, seen), (next, _)] = *pair else { continue };
            caught += usize::from(seen.bad);
            lost += usize::from(seen.good);
            if lost as f64 > spare {
                break;
            }
            // Half-way between two values that differ, so that neither is at the limit.
            let worth = caught as f64 / self.bad.max(1) as f64 - COST * lost as f64 / self.good.max(1) as f64;
            if value > next && best.is_none_or(|(most, _)| worth > most) {
                best = Some((worth, Limit { signal, above: (value + next) / 2.0 }));
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::made_up::{Cause, Run};
    use crate::verdict::signals::SIGNALS_HEADER;

    #[test]
    fn a_queue_and_a_slow_wake_up_are_told_by_stamps_alone() {
        let run = Run::new(1, 600, &[Cause::Queue, Cause::WakeUp]);
        let learned = learn(&run.cases, Some(&run.signals)).unwrap();
        assert_eq!(learned.with_stamps.len(), 1, "{learned:?}");
        // 30 to 60 us are added at rest, 4 us of which no stamp tells.
        assert!((55_000..60_100).contains(&learned.good_ns), "{}", learned.good_ns);
        assert!((learned.with_stamps[0].above - (learned.good_ns - learned.remainder_ns) as f64).abs() < 1.0);
        assert!((3_500..4_500).contains(&learned.remainder_ns), "{}", learned.remainder_ns);
        // Without stamps the backlog tells the one, and the run delay the other.
        let signals: Vec<Signal> = learned.without_stamps.iter().map(|limit| limit.signal).collect();
        assert!(signals.contains(&Signal::Backlog) && signals.contains(&Signal::RunDelay), "{signals:?}");
        let learning = learned.learning.unwrap();
        assert!(learning.notes.is_empty() && learning.bad > 100, "{learning:?}");
    }

    #[test]
    fn what_stamps_do_not_tell_and_a_signal_does_is_learned_beside_them() {
        let run = Run::new(2, 600, &[Cause::BehindTheDriver]);
        let learned = learn(&run.cases, Some(&run.signals)).unwrap();
        let signals: Vec<Signal> = learned.with_stamps.iter().map(|limit| limit.signal).collect();
        assert_eq!(signals, [Signal::HostShare, Signal::Steal]);
        let blind = learn(&run.cases, None).unwrap();
        assert_eq!((blind.with_stamps.len(), blind.without_stamps.len()), (1, 0));
        let notes = blind.learning.unwrap().notes.join("; ");
        assert!(notes.contains("with stamps, ") && notes.contains("what delayed it was not seen"), "{notes}");
    }

    #[test]
    fn what_nothing_tells_is_said() {
        let run = Run::new(3, 600, &[Cause::Unseen]);
        let notes = learn(&run.cases, Some(&run.signals)).unwrap().learning.unwrap().notes.join("; ");
        assert!(notes.contains("with stamps, ") && notes.contains("by signals alone, "), "{notes}");
        let bare: Vec<Case> = run
            .cases
            .iter()
            .map(|case| {
                let mut case = *case;
                (case.probe.snd, case.probe.sched) = (None, None);
                case
            })
            .collect();
        let error = learn(&bare, Some(&run.signals)).unwrap_err().to_string();
        assert!(error.contains("no signal and no stamp tells"), "{error}");
        let hurried: Vec<Case> = run.cases.iter().filter(|case| !case.at_rest).copied().collect();
        let error = learn(&hurried, None).unwrap_err().to_string();
        assert!(error.contains("0 samples were at rest, and 20 are needed"), "{error}");
    }

    #[test]
    fn a_run_at_rest_teaches_what_is_good_and_no_more() {
        let run = Run::new(4, 600, &[]);
        let learned = learn(&run.cases, Some(&run.signals)).unwrap();
        assert!(learned.without_stamps.is_empty() && learned.with_stamps.len() == 1);
        assert!(learned.learning.unwrap().bad < 30);
    }

    #[test]
    fn rest_alone_teaches_what_is_more_than_rest() {
        let run = Run::new(6, 600, &[Cause::Queue, Cause::WakeUp]);
        let learned = learn_at_rest(&run.cases, Some(&run.signals)).unwrap();
        let whole = learn(&run.cases, Some(&run.signals)).unwrap();
        assert_eq!((learned.good_ns, learned.remainder_ns), (whole.good_ns, whole.remainder_ns));
        assert_eq!(learned.with_stamps[0], whole.with_stamps[0]);
        let limit = |signal| learned.without_stamps.iter().find(|limit| limit.signal == signal).unwrap().above;
        // Nothing was in the queue, and some were woken late by 50 us in 16 ms, which is less than a hundredth.
        assert_eq!((limit(Signal::Backlog), limit(Signal::RunDelay)), (0.0, 0.01));
        assert_eq!(learned.without_stamps.len(), Signal::OF_LOG.len());
        let correction = learned.correction.unwrap();
        assert!(correction.bounds.is_empty() && correction.constant_ns == whole.correction.unwrap().constant_ns);
        assert!(learned.learning.unwrap().samples == 400);
        // What is more at rest already is allowed, and as much again.
        let busy = Run::new(6, 600, &[]);
        let mut text = format!("{SIGNALS_HEADER}\n");
        for sample in busy.signals.samples() {
            let mut sample = *sample;
            sample.run_delay_ns = Some(sample.interval / 5);
            text += &(sample.to_csv() + "\n");
        }
        let busy_signals = SignalLog::parse(&text, "busy").unwrap();
        let learned = learn_at_rest(&busy.cases, Some(&busy_signals)).unwrap();
        let limit = learned.without_stamps.iter().find(|limit| limit.signal == Signal::RunDelay).unwrap().above;
        assert!((limit - 0.4).abs() < 1e-6, "{limit}");
    }

    #[test]
    fn bounds_are_only_those_that_the_number_allows() {
        let holds = |n| {
            let run = Run::new(5, n, &[]);
            let correction = learn(&run.cases, None).unwrap().correction.unwrap();
            assert!((correction.constant_ns - 4_000).abs() < 300, "{correction:?}");
            correction.bounds.iter().map(|bound| bound.holds).collect::<Vec<_>>()
        };
        assert_eq!((holds(60), holds(120)), (vec![0.95], vec![0.95, 0.99]));
    }
}
