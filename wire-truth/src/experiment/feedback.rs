//! What a host could tell of the probes of a cell without the wire, held against it.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Experiment;
use super::describe::{CellInfo, Stress};
use crate::analysis::Analysis;
use crate::stats::Sample;
use crate::svg::{escaped, label};
use crate::user_log::UserLog;
use crate::verdict::signals::{Queue, SignalLog};
use crate::verdict::{Case, Score, Thresholds, Use, cases, judge_all, learn_at_rest, queue_of, score};

/// The probes of a cell with the truth about them, and the signals of the host beside them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Known {
    /// The probes, in order.
    pub cases: Vec<Case>,
    /// Of these, how many were before the stress.
    pub lead: usize,
    /// The signals.
    pub signals: SignalLog,
    /// What is the last queue before the wire.
    pub queue: Queue,
}

impl Known {
    pub(super) fn of(analysis: &Analysis, info: &CellInfo, user: UserLog, signals: SignalLog) -> Self {
        let (lead, trail) = (info.rest_lead as usize, info.rest_trail as usize);
        let mut cases = cases(analysis, &user, lead, trail);
        let lead = cases.iter().take_while(|case| case.at_rest).count();
        if info.stress == Stress::Rest {
            cases.iter_mut().for_each(|case| case.at_rest = true);
        }
        // Nobody has named another interface than the log.
        let queue = queue_of(Some(&signals), None).unwrap_or_else(|error| Queue::Hidden(error.to_string()));
        Self { cases, lead, signals, queue }
    }
}

/// What thresholds were learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learned {
    /// The cell's own probes at rest before the stress, which are not in the score.
    Own,
    /// Something else.
    Elsewhere,
}

impl Learned {
    /// The words used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own probes at rest before the stress",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// Verdicts on the probes of a cell, held against the wire.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Feedback {
    /// What the thresholds were learned from.
    pub learned: Learned,
    /// The last queue before the wire.
    pub queue: Queue,
    /// By all that is known of a sample, and by signals of the host alone.
    pub scores: [Score; 2],
    /// Of each good sample 100 if it is valid by signals alone, else 0.
    pub kept: Sample,
}

impl Feedback {
    /// Judges the probes by `thresholds`, else by what those before the stress teach: then these are left out.
    pub(super) fn of(known: &Known, thresholds: Option<&Thresholds>) -> Result<Self, String> {
        let Known { cases, lead, signals, queue } = known;
        let (before, behind) = cases.split_at((*lead).min(cases.len()));
        let own;
        let (learned, thresholds, scored) = match thresholds {
            Some(thresholds) => (Learned::Elsewhere, thresholds, cases.as_slice()),
            None => {
                own = learn_at_rest(before, Some(signals)).map_err(|error| error.to_string())?;
                (Learned::Own, &own, behind)
            }
        };
        let judged = |which| judge_all(scored, Some(signals), queue, thresholds, which);
        let scores = [Use::All, Use::Signals].map(|which| score(&judged(which), thresholds.good_ns));
        let by_signals = &scores[1];
        let kept = (0..by_signals.good).map(|number| if number < by_signals.valid_good { 100.0 } else { 0.0 });
        let kept = kept.collect();
        Ok(Self { learned, queue: queue.clone(), scores, kept })
    }

    /// One object, with the names of `wiretruth verdict judge --json`.
    pub(super) fn to_json(&self) -> Value {
        let [all, signals] = &self.scores;
        json!({
            "learned_from": self.learned.name(), "queue": self.queue.to_string(), "score": all.to_json(), "score_of_signals_alone": signals.to_json(),
        })
    }
}

/// Two tables, with a row for each way of judging: what was said of the samples, and how far off they are.
pub(super) fn section(experiment: &Experiment) -> String {
    let (mut verdicts, mut errors) = (String::new(), String::new());
    let mut own = false;
    for (cell, measured) in experiment.measured() {
        let feedback = match &measured.feedback {
            Ok(feedback) => feedback,
            Err(reason) => {
                let _ =
                    writeln!(verdicts, "<tr><td>{}</td><td colspan=\"7\">{}</td></tr>", cell.name(), escaped(reason));
                continue;
            }
        };
        own |= feedback.learned == Learned::Own;
        for (name, score) in ["stamps and signals", "signals alone"].iter().zip(&feedback.scores) {
            verdicts += &verdict_row(&cell.name(), name, score);
            errors += &error_row(&cell.name(), name, score);
        }
    }
    if verdicts.is_empty() {
        return "<p>No cell was measured.</p>\n".to_owned();
    }
    let from = match own {
        true => {
            "What is good was fixed before: off from the wire by no more than 99 of 100 of the cell's own probes at rest before its stress, which are \
             not among those that are judged. So are the limits; of signals alone the limit is twice what 99 of 100 of these had, or that of a host at \
             rest if that is more. Of how far a corrected sample is off nothing is claimed then."
        }
        false => "What is good, the limits, and what is taken off and its bounds were learned elsewhere.",
    };
    let errors = match errors.is_empty() {
        true => String::new(),
        false => format!(
            "<div class=\"wide\"><table>\n<tr><th></th><th>judged by</th><th>good within</th><th>p99 of the error<br/>of all</th>\
             <th>of the<br/>valid</th><th>corrected</th></tr>\n{errors}</table></div>\n"
        ),
    };
    format!(
        "<div class=\"wide\"><table>\n<tr><th></th><th>judged by</th><th>good of<br/>all</th><th>valid, suspect,<br/>unknown</th>\
         <th>suspects<br/>that are bad</th><th>bad ones that<br/>are suspect</th><th>false alarms<br/>at rest</th><th>good ones<br/>kept</th></tr>\n\
         {verdicts}</table></div>\n{errors}<p>{from} A host whose queue before the wire is another's (a tenant: a bridged container, a guest) says \
         unknown, and never valid.</p>\n"
    )
}

fn verdict_row(cell: &str, judged_by: &str, score: &Score) -> String {
    let percent = |part: Option<f64>| part.map_or_else(|| "-".to_owned(), |part| format!("{:.1} %", part * 100.0));
    format!(
        "<tr><td>{cell}</td><td>{judged_by}</td><td>{} of {}</td><td>{}, {}, {}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        score.good,
        score.samples,
        score.valid,
        score.suspect,
        score.unknown,
        percent(score.precision()),
        percent(score.recall()),
        percent(score.false_alarms()),
        percent(score.good_kept())
    )
}

fn error_row(cell: &str, judged_by: &str, score: &Score) -> String {
    let p99 = |sample: &Sample| sample.percentile(0.99).map_or_else(|| "-".to_owned(), label);
    let held: String = score
        .bounds
        .iter()
        .map(|held| {
            format!(
                "<small>{} for {:.0} %: {:.1} %</small>",
                label(held.within_ns as f64),
                held.claimed * 100.0,
                held.part() * 100.0
            )
        })
        .collect();
    format!(
        "<tr><td>{cell}</td><td>{judged_by}</td><td>{}</td><td>{}</td><td>{}</td><td>{}{held}</td></tr>\n",
        label(score.good_ns as f64),
        p99(&score.unfiltered),
        p99(&score.filtered),
        p99(&score.corrected)
    )
}
