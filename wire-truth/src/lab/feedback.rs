//! Feedback put to the test: runs in which stress comes and goes at random, limits learned from the first of them, and verdicts of the last, made
//! while it ran, held against the wire.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::cell::LIVE;
use super::plan::{Cell, Plan, Switching};
use super::run::{Progress, run};
use crate::echo::ProbeKey;
use crate::error::{Error, Repr};
use crate::experiment::{Known, known};
use crate::verdict::signals::{Queue, SignalLog};
use crate::verdict::{
    Bound, Case, Corrected, Judged, Judgement, Score, Thresholds, Use, Verdict, judge_all, learn_from, score,
};

/// What is wanted: the 99th percentile of the error of what is valid is so many times less than that of all,
const FALLS_BY: f64 = 10.0;
/// this part of the good samples is kept,
const KEPT: f64 = 0.9;
/// and the 99th percentile of the error of what is corrected is below this, in nanoseconds.
const CORRECTED_NS: f64 = 50_000.0;

/// A cell that turns out not to be valid, as others work on the machine, is run so often.
const TRIES: usize = 3;

/// What was found of a cell.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Trial {
    /// What was learned.
    pub thresholds: Thresholds,
    /// The last queue before the wire.
    pub queue: Queue,
    /// What `tping --feedback` said while it ran.
    pub live: Score,
    /// What is said of the same probes afterwards, by all that is known of a sample, and by signals alone.
    pub afterwards: [Score; 2],
    /// Probes of which something else is said afterwards.
    pub differ: usize,
}

/// Something that was wanted of a trial.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Goal {
    /// What, with how much of it.
    pub what: String,
    /// How much there was; `None` where there was nothing to tell by.
    pub found: Option<f64>,
    /// It was met.
    pub met: bool,
}

impl Trial {
    /// What was wanted of verdicts while it ran, and whether it was met. A host has its own queue and is to tell; a tenant has not, and is to say so.
    pub fn goals(&self) -> Vec<Goal> {
        let live = &self.live;
        if let Queue::Hidden(_) = self.queue {
            let none = |what: &str, count: usize| Goal {
                what: format!("{what}, as the queue is another's: none"),
                found: Some(count as f64),
                met: count == 0,
            };
            let unknown = Goal {
                what: "samples that are said to be unknown: some, and all that its own stamps do not show to be late"
                    .to_owned(),
                found: Some(live.unknown as f64),
                met: live.unknown > 0 && live.unknown + live.suspect == live.samples,
            };
            return vec![
                none("samples that are said to be valid", live.valid),
                none("samples that are corrected", live.corrected.len()),
                unknown,
            ];
        }
        let goal = |what: String, found: Option<f64>, holds: &dyn Fn(f64) -> bool| Goal {
            what,
            found,
            met: found.is_some_and(holds),
        };
        let mut goals = vec![
            goal(
                format!("p99 of the error is so many times less of what is valid: at least {FALLS_BY}"),
                live.gain(),
                &|gain| gain >= FALLS_BY,
            ),
            goal(
                format!("good samples that are kept: at least {} %", 100.0 * KEPT),
                percent(live.good_kept()),
                &|part| part >= 100.0 * KEPT,
            ),
            goal(
                format!("p99 of the error of what is corrected, in us: below {}", CORRECTED_NS / 1e3),
                live.corrected.percentile(0.99).map(|ns| ns / 1e3),
                &|us| us < CORRECTED_NS / 1e3,
            ),
        ];
        for holds in [0.95, 0.99] {
            let held = live.bounds.iter().find(|held| (held.claimed - holds).abs() < 1e-9);
            let what =
                format!("corrected samples that are within the bound of {:.0} %: at least as many", holds * 100.0);
            goals.push(goal(what, held.map(|held| 100.0 * held.part()), &|part| part >= 100.0 * holds));
        }
        goals
    }

    /// One object.
    pub fn to_json(&self) -> Value {
        let goals = self.goals();
        let [all, signals] = &self.afterwards;
        json!({
            "queue": self.queue.to_string(), "good_ns": self.thresholds.good_ns,
            "live": self.live.to_json(), "afterwards": all.to_json(), "afterwards_by_signals_alone": signals.to_json(), "differ": self.differ,
            "goals": goals.iter().map(|goal| json!({ "what": goal.what, "found": goal.found, "met": goal.met })).collect::<Vec<_>>(),
            "met": goals.iter().all(|goal| goal.met),
        })
    }
}

fn percent(part: Option<f64>) -> Option<f64> {
    part.map(|part| 100.0 * part)
}

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A run to learn from, of this number.
    Learn(u32),
    /// The run that is judged as it goes on.
    Judge,
}

impl Step {
    /// The name of its folder in that of the plan.
    pub fn folder(self) -> String {
        match self {
            Self::Learn(number) => format!("learn-{number}"),
            Self::Judge => "judge".to_owned(),
        }
    }
}

/// A cell, and what was found of it, or why nothing was.
pub type Tried = (Cell, Result<Trial, String>);

/// Runs every cell of `plan` so many times (`runs`) to learn from, and once more to be judged while it runs, each in a folder of its own in that of
/// the plan. What is there is not measured again. Of each cell what was found, or why nothing was.
///
/// # Errors
///
/// When nothing can be run at all.
pub fn feedback(
    plan: &Plan,
    switching: &Switching,
    runs: u32,
    stop: &AtomicBool,
    mut tell: impl FnMut(Step, &Progress),
) -> Result<Vec<Tried>, Error> {
    let mut why = BTreeMap::new();
    for step in (1..=runs).map(Step::Learn).chain([Step::Judge]) {
        if step == Step::Judge {
            for cell in &plan.cells {
                if let Err(reason) = teach(&plan.out, *cell, runs) {
                    why.entry(*cell).or_insert(reason);
                }
            }
        }
        let (number, thresholds) = match step {
            Step::Learn(number) => (number, None),
            Step::Judge => (runs + 1, Some(plan.out.clone())),
        };
        let switching =
            Switching { seed: switching.seed.wrapping_add(u64::from(number)), thresholds, ..switching.clone() };
        let cells: Vec<Cell> = plan.cells.iter().filter(|cell| !why.contains_key(*cell)).copied().collect();
        if cells.is_empty() {
            break;
        }
        let out = plan.out.join(step.folder());
        let plan = Plan { cells, out, switching: Some(switching), ..plan.clone() };
        for _ in 0..TRIES {
            plan.cells.iter().for_each(|cell| drop(why.remove(cell)));
            run(&plan, stop, |progress| {
                if let Progress::Failed(cell, reason) = progress {
                    why.insert(*cell, format!("{}: {reason}", step.folder()));
                }
                tell(step, progress);
            })?;
            let is_there = |cell: &Cell| known(&plan.out.join(cell.folder())).is_ok();
            if stop.load(Ordering::Relaxed) || plan.cells.iter().all(is_there) {
                break;
            }
        }
    }
    let trial = |cell: &Cell| match why.remove(cell) {
        Some(reason) => (*cell, Err(reason)),
        None => (*cell, judged(&plan.out, *cell).map_err(|error| error.to_string())),
    };
    Ok(plan.cells.iter().map(trial).collect())
}

/// Learns from all runs of a cell, and writes the thresholds.
fn teach(out: &Path, cell: Cell, runs: u32) -> Result<(), String> {
    let mut cases: Vec<Vec<Case>> = Vec::new();
    let mut signals = SignalLog::default();
    for number in 1..=runs {
        let folder = out.join(Step::Learn(number).folder()).join(cell.folder());
        let known = known(&folder).map_err(|error| error.to_string())?;
        cases.push(known.cases);
        signals.context = known.signals.context.clone();
        for sample in known.signals.samples() {
            // One run is after the other, unless the clock was set back between them.
            signals.push(*sample).map_err(|what| format!("{}: {what}", folder.display()))?;
        }
    }
    let cases: Vec<&[Case]> = cases.iter().map(Vec::as_slice).collect();
    let learned = learn_from(&cases, Some(&signals)).map_err(|error| error.to_string())?;
    let path = Switching::thresholds_of(out, cell);
    let text = learned.to_json();
    if fs::read_to_string(&path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    // What was judged by other thresholds is of no use.
    let _ = fs::remove_dir_all(out.join(Step::Judge.folder()).join(cell.folder()));
    let written = NamedTempFile::new_in(out).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.persist(&path).map(drop).map_err(|error| error.error)
    });
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// What was said of the last run of a cell.
fn judged(out: &Path, cell: Cell) -> Result<Trial, Error> {
    let thresholds = Thresholds::read(&Switching::thresholds_of(out, cell))?;
    let folder = out.join(Step::Judge.folder()).join(cell.folder());
    let Known { cases, signals, queue, .. } = known(&folder)?;
    let path = folder.join(LIVE);
    let name = path.display().to_string();
    let text = fs::read_to_string(&path).map_err(|cause| Repr::Io { path: name.clone(), cause })?;
    let live = live(&text, &name, &cases)?;
    let afterwards =
        [Use::All, Use::Signals].map(|which| judge_all(&cases, Some(&signals), &queue, &thresholds, which));
    let said: BTreeMap<ProbeKey, &str> =
        afterwards[0].iter().map(|each| (each.case.key, each.judgement.verdict.name())).collect();
    let differs = |each: &&Judged| said.get(&each.case.key) != Some(&each.judgement.verdict.name());
    Ok(Trial {
        queue,
        differ: live.iter().filter(differs).count(),
        live: score(&live, thresholds.good_ns),
        afterwards: afterwards.each_ref().map(|judged| score(judged, thresholds.good_ns)),
        thresholds,
    })
}

/// The verdicts that `tping --feedback --json` has printed, with the truth.
fn live(text: &str, path: &str, cases: &[Case]) -> Result<Vec<Judged>, Error> {
    let truth: BTreeMap<ProbeKey, Case> = cases.iter().map(|case| (case.key, *case)).collect();
    let mut judged = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let wrong = |what: String| Error::from(Repr::Line { path: path.to_owned(), line, what });
        let object: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let number = |name: &str| {
            let number = object[name].as_u64().and_then(|number| u16::try_from(number).ok());
            number.ok_or_else(|| wrong(format!("it has no {name}")))
        };
        let key = ProbeKey::new(number("ident")?, number("seq")?);
        // One that was lost has no verdict.
        let (Some(verdict), Some(case)) = (object["verdict"].as_str(), truth.get(&key)) else { continue };
        let verdict = match verdict {
            "valid" => Verdict::Valid,
            // Why is of no matter here.
            "suspect" => Verdict::Suspect(Vec::new()),
            "unknown" => Verdict::Unknown(String::new()),
            other => return Err(wrong(format!("{other:?} is no verdict"))),
        };
        let bounds = serde_json::from_value::<Vec<Bound>>(object["bounds"].clone());
        let bounds = bounds.map_err(|error| wrong(error.to_string()))?;
        let corrected = object["corrected_ns"].as_i64().map(|rtt| Corrected { rtt, bounds });
        judged.push(Judged { case: *case, judgement: Judgement { verdict, corrected, share: None } });
    }
    Ok(judged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Sample;
    use crate::user_log::UserProbe;
    use crate::verdict::Held;

    fn case(seq: u16) -> Case {
        let key = ProbeKey::new(7, seq);
        Case { key, probe: UserProbe::default(), wire: 200_000, error: 10, at_rest: false, scale: 0 }
    }

    #[test]
    fn what_was_said_while_it_ran_is_read_with_the_truth() {
        let bounds = "[{\"holds\":0.95,\"within_ns\":9}]";
        let text = format!(
            "{{\"ident\":7,\"seq\":0,\"verdict\":\"valid\",\"corrected_ns\":200005,\"bounds\":{bounds}}}\n\
             {{\"ident\":7,\"seq\":1,\"verdict\":\"suspect\",\"corrected_ns\":200050,\"bounds\":{bounds}}}\n\
             {{\"ident\":7,\"seq\":2,\"verdict\":\"unknown\",\"corrected_ns\":null,\"bounds\":[]}}\n\
             {{\"ident\":7,\"seq\":3}}\n{{\"ident\":7,\"seq\":9,\"verdict\":\"valid\",\"corrected_ns\":1,\"bounds\":[]}}\n"
        );
        let cases: Vec<Case> = (0..4).map(case).collect();
        // One was lost, and one is not on the wire.
        let judged = live(&text, "live.jsonl", &cases).unwrap();
        let score = score(&judged, 20);
        assert_eq!((score.samples, score.valid, score.suspect, score.unknown), (3, 1, 1, 1));
        assert_eq!((score.bounds[0].samples, score.bounds[0].held), (2, 1));
        for (text, words) in [
            ("{", "live.jsonl, line 1: EOF"),
            ("{\"ident\":7,\"seq\":70000}", "line 1: it has no seq"),
            ("{\"ident\":7,\"seq\":0,\"verdict\":\"good\",\"bounds\":[]}", "line 1: \"good\" is no verdict"),
            ("{\"ident\":7,\"seq\":0,\"verdict\":\"valid\"}", "line 1: invalid type: null"),
        ] {
            let error = live(text, "live.jsonl", &cases).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    fn trial(queue: Queue, live: Score) -> Trial {
        let afterwards = [Score::default(), Score::default()];
        Trial { thresholds: Thresholds::default(), queue, live, afterwards, differ: 0 }
    }

    fn met(trial: &Trial) -> Vec<bool> {
        trial.goals().iter().map(|goal| goal.met).collect()
    }

    #[test]
    fn each_goal_is_missed_by_itself() {
        let same = |ns: f64| (0..100).map(|_| ns).collect::<Sample>();
        let held = |claimed: f64, held| Held { claimed, within_ns: 9, samples: 1_000, held };
        let good = Score {
            samples: 100,
            good: 50,
            valid: 45,
            valid_good: 45,
            unfiltered: same(1e7),
            filtered: same(1e6),
            corrected: same(49_999.0),
            bounds: vec![held(0.95, 950), held(0.99, 990)],
            ..Score::default()
        };
        assert_eq!(met(&trial(Queue::Own, good.clone())), [true; 5]);
        let others = [
            Score { filtered: same(1.01e6), ..good.clone() },
            Score { valid_good: 44, ..good.clone() },
            Score { corrected: same(50_000.0), ..good.clone() },
            Score { bounds: vec![held(0.95, 949), held(0.99, 990)], ..good.clone() },
            Score { bounds: vec![held(0.95, 950)], ..good.clone() },
        ];
        for (number, score) in others.into_iter().enumerate() {
            let found = met(&trial(Queue::Own, score));
            let missed: Vec<usize> = (0..5).filter(|at| !found[*at]).collect();
            assert_eq!(missed, [number]);
        }
        assert_eq!(trial(Queue::Own, good).to_json()["met"], true);
    }

    #[test]
    fn a_tenant_is_to_say_that_it_cannot_see() {
        let hidden = || Queue::Hidden("a veth".to_owned());
        let good = Score { samples: 100, unknown: 90, suspect: 10, ..Score::default() };
        assert_eq!(met(&trial(hidden(), good.clone())), [true; 3]);
        assert_eq!(met(&trial(hidden(), Score { valid: 1, unknown: 89, ..good.clone() })), [false, true, false]);
        let corrected = [1.0].into_iter().collect();
        assert_eq!(met(&trial(hidden(), Score { corrected, ..good.clone() })), [true, false, true]);
        assert_eq!(met(&trial(hidden(), Score { unknown: 0, suspect: 100, ..good })), [true, true, false]);
    }
}
