//! [`Verdicts`]: the verdicts on all probes of a log, as JSON, as lines for a person, and as a table.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::judge::{Judgement, Use, Verdict, judge};
use super::learn::Case;
use super::score::{Score, judge_all, score};
use super::signals::{Queue, SignalLog};
use super::thresholds::Thresholds;
use crate::compare::stamp;
use crate::echo::ProbeKey;
use crate::error::{Error, Repr};
use crate::stats::Sample;
use crate::user_log::{UserLog, UserProbe};

/// The verdicts on all probes of a log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Verdicts {
    /// The queue before the wire.
    pub queue: Queue,
    /// Those that were answered, in order.
    pub each: Vec<(ProbeKey, UserProbe, Judgement)>,
    /// Those that were not.
    pub lost: usize,
    /// Held against the wire, where it is known: with all that is known of a sample, and by signals alone.
    pub scores: Option<[Score; 2]>,
    /// What is to be known before they are believed.
    pub notes: Vec<String>,
    truth: BTreeMap<ProbeKey, Case>,
}

/// What the queue before the wire is, by a log of signals or because the user names the interface that is the last before the wire.
///
/// # Errors
///
/// When the log is of another interface than that.
pub fn queue_of(signals: Option<&SignalLog>, uplink: Option<&str>) -> Result<Queue, Error> {
    let context = signals.map(|log| &log.context);
    let sampled = context.and_then(|context| context.get("uplink").or(context.interface()));
    match (uplink, sampled) {
        (Some(name), Some(interface)) if name != interface => {
            Err(Repr::Uplink { name: name.to_owned(), interface: interface.to_owned() }.into())
        }
        (Some(_), _) => Ok(Queue::Own),
        (None, _) => Ok(context.and_then(|context| context.queue()).unwrap_or_else(|| {
            Queue::Hidden(
                "nobody says which queue is the last before the wire: a log of signals does, or --uplink".to_owned(),
            )
        })),
    }
}

/// What a log of signals does not reach over, and whether it was ended.
pub(super) fn reach<'a>(log: &SignalLog, probes: impl Iterator<Item = &'a UserProbe>) -> Vec<String> {
    let spans: Vec<(i64, i64)> = probes.filter_map(|probe| probe.user_send.zip(probe.user_recv)).collect();
    let outside = spans.iter().filter(|(from, to)| log.around(*from, *to).is_none()).count();
    let name = log.name();
    let mut notes = Vec::new();
    if !log.is_ended() {
        notes.push(format!("{name} has no closing line: what wrote it was killed, or it is a part of a log"));
    }
    let (first, last) = (spans.iter().map(|span| span.0).min(), spans.iter().map(|span| span.1).max());
    let times = log.since().zip(log.until()).zip(first.zip(last));
    match times {
        Some(((since, until), (first, last))) if outside == spans.len() => notes.push(format!(
            "{name} is of another time than all {outside} samples: it is from {} to {}, and they are from {} to {}; give the log that was written \
             beside them, by the same clock",
            stamp(since),
            stamp(until),
            stamp(first),
            stamp(last)
        )),
        Some(_) if outside > 0 => {
            notes.push(format!("{name} does not reach over {outside} of {} samples", spans.len()));
        }
        _ => {}
    }
    notes
}

impl Verdicts {
    /// Judges the probes of a log; `truth` is what is known of them on the wire.
    ///
    /// # Errors
    ///
    /// As of [`queue_of`].
    pub fn of(
        user: &UserLog,
        signals: Option<&SignalLog>,
        uplink: Option<&str>,
        thresholds: &Thresholds,
        truth: Option<&[Case]>,
    ) -> Result<Self, Error> {
        let queue = queue_of(signals, uplink)?;
        let (mut each, mut lost) = (Vec::new(), 0);
        for (key, probe) in user.probes() {
            match judge(&probe, signals, &queue, thresholds, Use::All) {
                Some(judgement) => each.push((key, probe, judgement)),
                None => lost += 1,
            }
        }
        let scored =
            |which, truth: &[Case]| score(&judge_all(truth, signals, &queue, thresholds, which), thresholds.good_ns);
        let scores = truth.map(|truth| [Use::All, Use::Signals].map(|which| scored(which, truth)));
        let mut notes = Vec::new();
        let every = thresholds.sampled_every_ns.zip(signals.and_then(|log| log.context.sampled_every()));
        let is_other =
            |(learned, here): &(i64, i64)| *here > learned.saturating_mul(2) || *learned > here.saturating_mul(2);
        notes.extend(every.filter(is_other).map(|(learned, here)| {
            format!("signals were sampled every {here} ns, and every {learned} ns when limits were learned: they are of other times")
        }));
        if let Some(log) = signals {
            notes.extend(reach(log, each.iter().map(|(_, probe, _)| probe)));
        }
        match &thresholds.learning {
            Some(learning) => notes.extend(learning.notes.iter().map(|note| format!("of learning: {note}"))),
            None => notes.push("the thresholds are defaults, learned from nothing".to_owned()),
        }
        let truth = truth.unwrap_or_default().iter().map(|case| (case.key, *case)).collect();
        Ok(Self { queue, each, lost, scores, notes, truth })
    }

    /// How many are valid, suspect, unknown.
    pub fn counts(&self) -> [usize; 3] {
        ["valid", "suspect", "unknown"]
            .map(|name| self.each.iter().filter(|(.., judgement)| judgement.verdict.name() == name).count())
    }

    /// How often each signal was too much, and each thing unknown.
    fn why(&self) -> BTreeMap<String, usize> {
        let mut why = BTreeMap::new();
        for (.., judgement) in &self.each {
            match &judgement.verdict {
                Verdict::Valid => {}
                Verdict::Suspect(reasons) => {
                    reasons.iter().for_each(|reason| *why.entry(reason.signal.name().to_owned()).or_default() += 1);
                }
                Verdict::Unknown(what) => *why.entry(what.clone()).or_default() += 1,
            }
        }
        why
    }

    fn rtts(&self) -> [Sample; 3] {
        let rtt = |(_, probe, _): &(_, UserProbe, _)| probe.rtt().map(|ns| ns as f64);
        let valid = |(.., judgement): &&(_, _, Judgement)| judgement.verdict == Verdict::Valid;
        let corrected = self.each.iter().filter_map(|(.., judgement)| Some(judgement.corrected.as_ref()?.rtt as f64));
        [
            self.each.iter().filter_map(rtt).collect(),
            self.each.iter().filter(valid).filter_map(rtt).collect(),
            corrected.collect(),
        ]
    }

    /// One object, without the schema.
    pub fn to_json(&self) -> Value {
        let [valid, suspect, unknown] = self.counts();
        let [said, believed, corrected] = self.rtts();
        let why = self.why().into_iter().map(|(what, count)| (what, json!(count))).collect::<Map<_, _>>();
        let names = ["score", "score_of_signals_alone"];
        let scores = self.scores.iter().flat_map(|scores| names.iter().zip(scores));
        let mut object = json!({
            "answered": self.each.len(),
            "lost": self.lost,
            "queue": self.queue.to_string(),
            "valid": valid,
            "suspect": suspect,
            "unknown": unknown,
            "why": why,
            "rtt": { "all": summary(&said), "valid": summary(&believed), "corrected": summary(&corrected) },
            "notes": self.notes,
        });
        for (name, score) in scores {
            object[*name] = score.to_json();
        }
        object
    }

    /// Lines for a person.
    pub fn to_text(&self) -> String {
        let [valid, suspect, unknown] = self.counts();
        let mut text = format!(
            "{} samples: {valid} valid, {suspect} suspect, {unknown} unknown; {} probes were lost\nqueue before the wire: {}\n",
            self.each.len(),
            self.lost,
            match &self.queue {
                Queue::Own => "own",
                // Who knows nothing of it does not know that it is another's.
                Queue::Hidden(why) => why,
            }
        );
        for (what, count) in self.why() {
            let is_queue = matches!(&self.queue, Queue::Hidden(why) if *why == what);
            let what = if is_queue { "by that queue" } else { &what };
            let _ = writeln!(text, "  {count:>6} {what}");
        }
        let [said, believed, corrected] = self.rtts();
        for (name, sample) in [("ping would say", said), ("valid ones only", believed), ("corrected", corrected)] {
            let ms = |p| sample.percentile(p).map_or_else(|| "-".to_owned(), |ns| format!("{:.3} ms", ns / 1e6));
            let _ = writeln!(text, "{name:<16} median {:>12}, p99 {:>12}, of {}", ms(0.5), ms(0.99), sample.len());
        }
        for (name, score) in ["against the wire", "by signals alone"].iter().zip(self.scores.iter().flatten()) {
            let _ = write!(text, "\n{name}:\n{}", score.to_text());
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }

    /// Each sample as a line, with the truth about it where it is known.
    pub fn to_csv(&self) -> String {
        let mut text =
            "ident,seq,verdict,user_rtt_ns,host_share_ns,corrected_ns,bound_95_ns,bound_99_ns,wire_rtt_ns,error_ns,\
                        corrected_error_ns,turn,why\n"
                .to_owned();
        let number = |value: Option<i64>| value.map_or_else(String::new, |value| value.to_string());
        for (key, probe, judgement) in &self.each {
            let corrected = judgement.corrected.as_ref();
            let bound = |holds: f64| {
                corrected?.bounds.iter().find(|bound| (bound.holds - holds).abs() < 1e-9).map(|bound| bound.within_ns)
            };
            let case = self.truth.get(key);
            let off = case.zip(corrected).map(|(case, corrected)| corrected.rtt + case.scale - case.wire);
            let columns = [
                probe.rtt(),
                judgement.share.map(|share| share.total()),
                corrected.map(|corrected| corrected.rtt),
                bound(0.95),
                bound(0.99),
                case.map(|case| case.wire),
                case.map(|case| case.error),
                off,
            ];
            let why = match &judgement.verdict {
                Verdict::Valid => String::new(),
                Verdict::Suspect(reasons) => {
                    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                    reasons.join("; ")
                }
                Verdict::Unknown(why) => why.clone(),
            };
            // There are commas in it.
            let why = if why.is_empty() { why } else { format!("\"{}\"", why.replace('"', "\"\"")) };
            let (ident, seq, turn) = (key.ident, key.seq, key.turn);
            let _ = writeln!(
                text,
                "{ident},{seq},{},{},{turn},{why}",
                judgement.verdict.name(),
                columns.map(number).join(",")
            );
        }
        text
    }
}

fn summary(sample: &Sample) -> Value {
    let at = |p| sample.percentile(p).map(|ns| ns.round() as i64);
    json!({ "n": sample.len(), "median_ns": at(0.5), "p99_ns": at(0.99), "max_ns": at(1.0) })
}

impl Score {
    /// One object.
    pub fn to_json(&self) -> Value {
        let bounds = self.bounds.iter().map(|held| {
            json!({ "claimed": held.claimed, "held": held.part(), "samples": held.samples, "within_ns": held.within_ns })
        });
        json!({
            "good_ns": self.good_ns,
            "samples": self.samples,
            "good": self.good,
            "bad": self.bad(),
            "valid": self.valid,
            "suspect": self.suspect,
            "unknown": self.unknown,
            "unknown_good": self.unknown_good,
            "precision": self.precision(),
            "recall": self.recall(),
            "at_rest": self.at_rest,
            "at_rest_suspect": self.at_rest_suspect,
            "false_alarms_at_rest": self.false_alarms(),
            "good_kept": self.good_kept(),
            "error": { "unfiltered": summary(&self.unfiltered), "filtered": summary(&self.filtered), "corrected": summary(&self.corrected) },
            "p99_falls_by": self.gain(),
            "bounds": bounds.collect::<Vec<_>>(),
        })
    }

    /// Lines for a person.
    pub fn to_text(&self) -> String {
        let percent = |part: Option<f64>| part.map_or_else(|| "-".to_owned(), |part| format!("{:.1} %", part * 100.0));
        let us = |sample: &Sample| {
            sample.percentile(0.99).map_or_else(|| "-".to_owned(), |ns| format!("{:.1} us", ns / 1e3))
        };
        let gain = self.gain().map_or_else(String::new, |gain| format!(" ({gain:.1} times less)"));
        let mut text = format!(
            "  good is within {:.1} us: {} of {}; suspects that are bad {}, bad ones that are suspect {}\n  \
             good ones that are kept {}; {}\n  \
             p99 of the error: {} of all, {} of the valid{gain}, {} corrected ({} samples)\n",
            self.good_ns as f64 / 1e3,
            self.good,
            self.samples,
            percent(self.precision()),
            percent(self.recall()),
            percent(self.good_kept()),
            match self.at_rest {
                0 => "none is said to be at rest (--rest-lead, --rest-trail)".to_owned(),
                some => format!(
                    "of {some} at rest {} are suspect, {} of them falsely",
                    self.at_rest_suspect, self.at_rest_false
                ),
            },
            us(&self.unfiltered),
            us(&self.filtered),
            us(&self.corrected),
            self.corrected.len(),
        );
        for held in &self.bounds {
            let within = held.within_ns as f64 / 1e3;
            let _ = writeln!(
                text,
                "  a bound of {within:.1} us was said to hold for {:.0} %, and held for {:.1} %",
                held.claimed * 100.0,
                held.part() * 100.0
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user_log::HEADER;
    use crate::verdict::learn;
    use crate::verdict::made_up::{Cause, Run};
    use crate::verdict::signals::SIGNALS_HEADER;

    fn log_of(run: &Run) -> UserLog {
        let lines: String = run.cases.iter().map(|case| case.probe.to_csv(case.key, 100) + "\n").collect();
        UserLog::parse(&format!("{HEADER}\n{lines}7,60000,100,5,,,,,\n"), "log").unwrap()
    }

    #[test]
    fn verdicts_are_told_three_ways() {
        let run = Run::new(21, 300, &[Cause::Queue]);
        let thresholds = learn(&run.cases, Some(&run.signals)).unwrap();
        let verdicts = Verdicts::of(&log_of(&run), Some(&run.signals), None, &thresholds, Some(&run.cases)).unwrap();
        let [valid, suspect, unknown] = verdicts.counts();
        assert_eq!((valid + suspect, unknown, verdicts.lost), (300, 0, 1));
        let json = verdicts.to_json();
        assert_eq!((&json["valid"], &json["why"]["host share"]), (&json!(valid), &json!(suspect)));
        assert_eq!((&json["score"]["samples"], &json["queue"]), (&json!(300), &json!("own")));
        assert!(json["score"]["p99_falls_by"].as_f64().unwrap() > 50.0, "{json}");
        assert_eq!(json["score_of_signals_alone"]["error"]["corrected"]["n"], 0);
        let text = verdicts.to_text();
        for words in ["1 probes were lost", "ping would say", "against the wire:", "was said to hold for 95 %"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let csv = verdicts.to_csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 301);
        let late = run.causes.iter().position(Option::is_some).unwrap();
        let fields: Vec<&str> = lines[late + 1].splitn(13, ',').collect();
        assert_eq!((fields[1], fields[2]), (late.to_string().as_str(), "suspect"));
        assert!(fields[12].starts_with("\"host share ") && fields[12].ends_with('"'), "{}", fields[12]);
        let number = |column: usize| fields[column].parse::<i64>().unwrap();
        let case = run.cases[late];
        assert_eq!((number(3), number(8), number(9)), (case.probe.rtt().unwrap(), case.wire, case.error));
        assert_eq!(number(10), number(5) - case.wire);
    }

    /// A log that is cut is no proof of what came after.
    #[test]
    fn what_signals_do_not_reach_over_is_not_valid() {
        let run = Run::new(24, 300, &[Cause::Queue]);
        let thresholds = learn(&run.cases, Some(&run.signals)).unwrap();
        let told = |signals: &SignalLog| Verdicts::of(&log_of(&run), Some(signals), None, &thresholds, None).unwrap();
        let all = told(&run.signals);
        assert_eq!((all.counts()[0] > 200, all.notes.join("")), (true, String::new()));
        let mut text: Vec<String> = vec!["# queue: own".to_owned(), SIGNALS_HEADER.to_owned()];
        text.extend(run.signals.samples().take(run.signals.samples().count() / 2).map(|sample| sample.to_csv()));
        let half = told(&SignalLog::parse(&(text.join("\n") + "\n"), "half.csv").unwrap());
        let [valid, _, unknown] = half.counts();
        assert!(valid > 100 && (100..150).contains(&unknown), "{:?}", half.counts());
        assert!(half.why().contains_key("the log of signals does not reach over it"));
        assert_eq!(half.notes[0], "half.csv has no closing line: what wrote it was killed, or it is a part of a log");
        // The late ones among them are suspect all the same.
        assert_eq!(half.notes[1], "half.csv does not reach over 150 of 300 samples");
        let other = SignalLog::parse(
            &format!("# queue: own\n# end: x\n{SIGNALS_HEADER}\n1000,100,0,0,0,0,0,0,0,0,0\n"),
            "other.csv",
        );
        let other = told(&other.unwrap());
        assert_eq!(other.counts()[0], 0);
        assert!(
            other.notes[0].starts_with("other.csv is of another time than all 300 samples: it is from 0.000000900"),
            "{:?}",
            other.notes
        );
    }

    #[test]
    fn whose_the_queue_is_must_be_told() {
        let run = Run::new(22, 300, &[]);
        assert!(matches!(queue_of(None, None).unwrap(), Queue::Hidden(why) if why.contains("--uplink")));
        assert_eq!(queue_of(None, Some("eth0")).unwrap(), Queue::Own);
        let mut log = run.signals;
        assert_eq!(queue_of(Some(&log), None).unwrap(), Queue::Own);
        log.context.lines.clear();
        log.context.add("interface", "s0");
        log.context.add("queue", "not own: s0 is a veth");
        assert_eq!(queue_of(Some(&log), None).unwrap(), Queue::Hidden("s0 is a veth".to_owned()));
        assert_eq!(queue_of(Some(&log), Some("s0")).unwrap(), Queue::Own);
        let mut of_uplink = log.clone();
        of_uplink.context.add("uplink", "s1");
        assert_eq!(queue_of(Some(&of_uplink), Some("s1")).unwrap(), Queue::Own);
        let error = queue_of(Some(&log), Some("s1")).unwrap_err().to_string();
        assert!(error.contains("the log of signals is of s0, and s1"), "{error}");
    }

    #[test]
    fn what_was_learned_under_other_conditions_is_noted() {
        let run = Run::new(23, 300, &[Cause::Queue]);
        let mut thresholds = learn(&run.cases, Some(&run.signals)).unwrap();
        let notes = |thresholds: &Thresholds| {
            Verdicts::of(&log_of(&run), Some(&run.signals), None, thresholds, None).unwrap().notes.join("; ")
        };
        assert_eq!(notes(&thresholds), "");
        thresholds.sampled_every_ns = Some(1_000_000);
        assert!(notes(&thresholds).contains("and every 1000000 ns when limits were learned"));
        assert!(notes(&Thresholds::default()).contains("are defaults"));
    }
}
