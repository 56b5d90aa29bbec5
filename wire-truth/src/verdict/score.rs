//! [`score`]: verdicts, held against the wire.

use super::judge::{Judgement, Use, Verdict, judge};
use super::learn::Case;
use super::signals::{Queue, SignalLog};
use super::thresholds::Thresholds;
use crate::stats::Sample;

/// A verdict with the truth.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Judged {
    /// The probe and the truth about it.
    pub case: Case,
    /// What was said of it without the wire.
    pub judgement: Judgement,
}

impl Judged {
    /// How far the corrected round trip is above that of the wire, in nanoseconds.
    pub fn corrected_error(&self) -> Option<i64> {
        Some(self.judgement.corrected.as_ref()?.rtt + self.case.scale - self.case.wire)
    }
}

/// Judges all `cases` without looking at the truth.
pub fn judge_all(
    cases: &[Case],
    signals: Option<&SignalLog>,
    queue: &Queue,
    thresholds: &Thresholds,
    which: Use,
) -> Vec<Judged> {
    let judged = |case: &Case| {
        let judgement = judge(&case.probe, signals, queue, thresholds, which)?;
        Some(Judged { case: *case, judgement })
    };
    cases.iter().filter_map(judged).collect()
}

/// How often a bound has held.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Held {
    /// How often it was said to.
    pub claimed: f64,
    /// The largest that was claimed, in nanoseconds.
    pub within_ns: i64,
    /// Samples with that bound.
    pub samples: usize,
    /// Of these, how many it held.
    pub held: usize,
}

impl Held {
    /// The part of the samples that it held, from 0 to 1.
    pub fn part(&self) -> f64 {
        self.held as f64 / self.samples.max(1) as f64
    }
}

/// How good verdicts were.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Score {
    /// A sample is good if it is off by so much at most, in nanoseconds.
    pub good_ns: i64,
    /// Samples with a round trip on the wire.
    pub samples: usize,
    /// Good ones.
    pub good: usize,
    /// Called valid.
    pub valid: usize,
    /// Of these, good ones.
    pub valid_good: usize,
    /// Called suspect.
    pub suspect: usize,
    /// Of these, bad ones.
    pub suspect_bad: usize,
    /// Called unknown.
    pub unknown: usize,
    /// Of these, good ones.
    pub unknown_good: usize,
    /// At rest.
    pub at_rest: usize,
    /// Of these, called suspect.
    pub at_rest_suspect: usize,
    /// Of these, good ones all the same: others may have disturbed that rest.
    pub at_rest_false: usize,
    /// Of all samples, how far the program was off, in nanoseconds, whatever the sign.
    pub unfiltered: Sample,
    /// Of those that are called valid.
    pub filtered: Sample,
    /// Of those that could be corrected: how far they were off after that.
    pub corrected: Sample,
    /// How often each bound has held.
    pub bounds: Vec<Held>,
}

impl Score {
    /// Bad samples.
    pub fn bad(&self) -> usize {
        self.samples - self.good
    }

    /// The part of the suspect samples that is bad. `None` without suspects.
    pub fn precision(&self) -> Option<f64> {
        part(self.suspect_bad, self.suspect)
    }

    /// The part of the bad samples that is called suspect. `None` without bad ones.
    pub fn recall(&self) -> Option<f64> {
        part(self.suspect_bad, self.bad())
    }

    /// The part of the samples at rest that is called suspect and is good.
    pub fn false_alarms(&self) -> Option<f64> {
        part(self.at_rest_false, self.at_rest)
    }

    /// The part of the good samples that is called valid.
    pub fn good_kept(&self) -> Option<f64> {
        part(self.valid_good, self.good)
    }

    /// How many times smaller the 99th percentile of the error is of what is called valid.
    pub fn gain(&self) -> Option<f64> {
        let (all, kept) = (self.unfiltered.percentile(0.99)?, self.filtered.percentile(0.99)?);
        (kept > 0.0).then_some(all / kept)
    }
}

fn part(some: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| some as f64 / all as f64)
}

/// Holds verdicts against the wire.
pub fn score(judged: &[Judged], good_ns: i64) -> Score {
    let mut score = Score { good_ns, samples: judged.len(), ..Score::default() };
    let count = |holds: &dyn Fn(&Judged) -> bool| judged.iter().filter(|each| holds(each)).count();
    let good = |each: &Judged| each.case.error.abs() <= good_ns;
    let valid = |each: &Judged| each.judgement.verdict == Verdict::Valid;
    let suspect = |each: &Judged| matches!(each.judgement.verdict, Verdict::Suspect(_));
    let unknown = |each: &Judged| matches!(each.judgement.verdict, Verdict::Unknown(_));
    score.good = count(&good);
    (score.valid, score.valid_good) = (count(&valid), count(&|each| valid(each) && good(each)));
    (score.suspect, score.suspect_bad) = (count(&suspect), count(&|each| suspect(each) && !good(each)));
    (score.unknown, score.unknown_good) = (count(&unknown), count(&|each| unknown(each) && good(each)));
    score.at_rest = count(&|each| each.case.at_rest);
    score.at_rest_suspect = count(&|each| each.case.at_rest && suspect(each));
    score.at_rest_false = count(&|each| each.case.at_rest && suspect(each) && good(each));
    let error = |each: &Judged| each.case.error.abs() as f64;
    score.unfiltered = judged.iter().map(error).collect();
    score.filtered = judged.iter().filter(|each| valid(each)).map(error).collect();
    score.corrected = judged.iter().filter_map(Judged::corrected_error).map(|ns| ns.abs() as f64).collect();
    for each in judged {
        let (Some(corrected), Some(off)) = (&each.judgement.corrected, each.corrected_error()) else { continue };
        for bound in &corrected.bounds {
            let at = score.bounds.iter().position(|held| held.claimed == bound.holds).unwrap_or_else(|| {
                score.bounds.push(Held { claimed: bound.holds, within_ns: 0, samples: 0, held: 0 });
                score.bounds.len() - 1
            });
            if let Some(held) = score.bounds.get_mut(at) {
                held.samples += 1;
                held.held += usize::from(off.abs() <= bound.within_ns);
                held.within_ns = held.within_ns.max(bound.within_ns);
            }
        }
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::learn;
    use crate::verdict::made_up::{Cause, Run};

    fn scored(causes: &[Cause], which: Use) -> (Run, Vec<Judged>, Score) {
        let (one, other) = (Run::new(11, 900, causes), Run::new(12, 900, causes));
        let thresholds = learn(&one.cases, Some(&one.signals)).unwrap();
        let judged = judge_all(&other.cases, Some(&other.signals), &Queue::Own, &thresholds, which);
        let score = score(&judged, thresholds.good_ns);
        (other, judged, score)
    }

    #[test]
    fn limits_of_one_run_hold_in_another() {
        for which in [Use::All, Use::Signals] {
            let (run, judged, score) = scored(&[Cause::Queue, Cause::WakeUp], which);
            for (each, cause) in judged.iter().zip(&run.causes) {
                let suspect = each.judgement.verdict != Verdict::Valid;
                // At the limit itself either may be said.
                let near = (each.case.error - score.good_ns).abs() < 3_000;
                assert!(near || suspect == cause.is_some(), "{cause:?} {:?}", each.judgement.verdict);
            }
            assert!(score.recall().unwrap() > 0.9 && score.precision().unwrap() > 0.9, "{score:?}");
            assert!(score.good_kept().unwrap() > 0.95 && score.false_alarms().unwrap() < 0.05, "{score:?}");
            assert!(score.gain().unwrap() > 100.0, "{:?}", score.gain());
            assert_eq!(score.corrected.is_empty(), which == Use::Signals);
            // What is bad at rest and suspect is no false alarm.
            let bad = judged.iter().filter(|each| each.case.at_rest && each.case.error > score.good_ns);
            let bad = bad.filter(|each| each.judgement.verdict != Verdict::Valid).count();
            assert_eq!(score.at_rest_suspect - score.at_rest_false, bad);
            assert!(bad > 0 || which == Use::Signals);
        }
    }

    #[test]
    fn corrected_samples_are_within_their_bounds_as_often_as_claimed() {
        let (_, _, score) = scored(&[Cause::Queue, Cause::WakeUp], Use::All);
        assert!(score.corrected.percentile(0.99).unwrap() < 1_100.0, "{:?}", score.corrected.percentile(0.99));
        let claimed: Vec<f64> = score.bounds.iter().map(|held| held.claimed).collect();
        assert_eq!(claimed, [0.95, 0.99]);
        for held in &score.bounds {
            // They are of the worst stretch, and hold more often where all stretches are alike. Three standard deviations of the counts.
            assert_eq!(held.samples, 900);
            let less = held.claimed - held.part();
            assert!(less < 3.0 * (held.claimed * (1.0 - held.claimed) / 900.0).sqrt(), "{held:?}");
        }
    }

    #[test]
    fn a_delay_that_nothing_shows_is_in_the_score() {
        let (run, _, score) = scored(&[Cause::Unseen, Cause::Queue], Use::All);
        let unseen = run.causes.iter().filter(|cause| **cause == Some(Cause::Unseen)).count();
        assert!(unseen > 80);
        assert!(score.bad() - score.suspect_bad >= unseen, "{score:?}");
        assert!(score.recall().unwrap() < 0.7 && score.gain().unwrap() < 3.0, "{score:?}");
        // Of the correction as well: its bounds hold as learned, and are as wide as that delay.
        assert!(score.bounds.iter().all(|held| held.within_ns > 3_000_000), "{:?}", score.bounds);
        assert!(score.corrected.percentile(0.99).unwrap() > 3e6);
    }

    #[test]
    fn a_tenant_has_no_score_but_of_what_it_has_not_said() {
        let run = Run::new(13, 300, &[Cause::Queue]);
        let thresholds = learn(&run.cases, Some(&run.signals)).unwrap();
        let hidden = Queue::Hidden("a veth".to_owned());
        let calm: Vec<Case> = run.cases.iter().filter(|case| case.at_rest && case.error < 50_000).copied().collect();
        let judged = judge_all(&calm, Some(&run.signals), &hidden, &thresholds, Use::All);
        let score = score(&judged, thresholds.good_ns);
        assert_eq!((score.unknown, score.valid, score.good_kept()), (calm.len(), 0, Some(0.0)));
        assert!(score.filtered.is_empty() && score.corrected.is_empty() && score.gain().is_none());
        assert_eq!((score.precision(), score.recall()), (None, None));
    }
}
