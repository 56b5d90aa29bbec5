//! A run for other programs: JSON, and tables as CSV.

use serde_json::{Map, Value, json};

use super::claims::Outcome;
use super::measured::{Tap, is_check};
use super::{Cell, Environment, Experiment, Measured, Row, Stress};
use crate::error::{Error, Repr};
use crate::json::{analysis, summary};
use crate::stats::Estimate;

/// `results.json`: of each cell what `wiretruth analyse --json` says of it, by the same names, and what is derived from that.
pub fn results_json(experiment: &Experiment, outcomes: &[Outcome]) -> Value {
    let mut run: Map<String, Value> = experiment.info.rest.clone().into_iter().collect();
    let environments: Vec<&str> = experiment.info.environments.iter().copied().map(Environment::name).collect();
    let stresses: Vec<&str> = experiment.info.stresses.iter().copied().map(Stress::name).collect();
    run.insert("environments".to_owned(), json!(environments));
    run.insert("stresses".to_owned(), json!(stresses));
    let cells: Map<String, Value> = experiment.cells.iter().map(|cell| (cell.name(), cell_json(cell))).collect();
    let claims: Vec<Value> = outcomes.iter().map(claim_json).collect();
    json!({ "schema": 1, "run": run, "cells": cells, "claims": claims })
}

fn cell_json(cell: &Cell) -> Value {
    let mut value = json!({
        "environment": cell.environment.name(),
        "stress": cell.stress.name(),
        "state": cell.state_name(),
        "reason": cell.reason(),
        "emulated": cell.is_emulated(),
        "proof": cell.info.iter().flat_map(|info| &info.proof).map(|proof| json!({
            "what": proof.what, "value": proof.value, "unit": proof.unit, "at_least": proof.at_least, "ok": proof.ok,
        })).collect::<Vec<_>>(),
    });
    if let Some(measured) = cell.measured() {
        value["analysis"] = analysis(&measured.analysis);
        value["derived"] = derived_json(measured);
        value["tap"] = match &measured.tap {
            Ok(tap) => tap_json(tap),
            Err(reason) => json!({ "error": reason }),
        };
        value["feedback"] = match &measured.feedback {
            Ok(feedback) => feedback.to_json(),
            Err(reason) => json!({ "error": reason }),
        };
        if let Some(tcp) = &measured.tcp {
            value["tcp"] = json!({ "srtt": summary(&tcp.srtt), "excess": summary(&tcp.excess) });
        }
        value["one_clock"] = json!(measured.one_clock().map(|one| json!({
            "drift": one.drift, "offset": one.offset, "is_check": is_check(cell.environment),
        })));
    }
    value
}

fn derived_json(measured: &Measured) -> Value {
    let names = ["kernel_total", "kernel_ping", "driver_ping", "spacing"];
    let samples = names.into_iter().filter_map(|name| Some((name, measured.sample(name)?)));
    let present = samples.filter(|(_, sample)| !sample.is_empty());
    Value::Object(present.map(|(name, sample)| (name.to_owned(), summary(sample))).collect())
}

fn tap_json(tap: &Tap) -> Value {
    json!({
        "beside": tap.beside,
        "out_rest": summary(&tap.out_rest), "out_stress": summary(&tap.out_stress),
        "in_rest": summary(&tap.in_rest), "in_stress": summary(&tap.in_stress),
    })
}

fn claim_json(outcome: &Outcome) -> Value {
    let claim = &outcome.claim;
    json!({
        "id": claim.id, "claim": claim.claim, "paper": claim.paper, "unit": claim.unit,
        "environments": claim.environments.iter().copied().map(Environment::name).collect::<Vec<_>>(),
        "stresses": claim.stresses.iter().copied().map(Stress::name).collect::<Vec<_>>(),
        "statistic": claim.statistic, "rule": claim.rule,
        // A ratio to nothing is no number, which the note tells.
        "ours": outcome.ours.filter(|ours| ours.is_finite()),
        "verdict": outcome.verdict.name(), "note": outcome.note,
    })
}

/// Rows of text as CSV.
fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Result<String, Error> {
    let failed =
        |what: &dyn ToString| Error::from(Repr::Described { path: "a table".to_owned(), what: what.to_string() });
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(head).map_err(|error| failed(&error))?;
    for row in rows {
        writer.write_record(row).map_err(|error| failed(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| failed(&error))
}

/// Nanoseconds in milliseconds, to the nanosecond.
fn millis(ns: Option<f64>) -> String {
    ns.map_or_else(String::new, |ns| format!("{:.6}", ns / 1e6))
}

/// `table1.csv`: one line for each layer of an environment under a stress. A limit that there is none of is empty.
///
/// # Errors
///
/// When it cannot be put together, which memory alone can be the reason of.
pub fn table_1_csv(rows: &[Row]) -> Result<String, Error> {
    let head = [
        "environment",
        "layer",
        "stress",
        "n",
        "median_ms",
        "median_low",
        "median_high",
        "p99_ms",
        "p99_low",
        "p99_high",
        "paper_median_ms",
        "paper_p99_ms",
    ];
    let three =
        |of: Option<Estimate>| [of.map(|of| of.value), of.and_then(|of| of.low), of.and_then(|of| of.high)].map(millis);
    let lines = rows.iter().map(|row| {
        let ([median, low, high], [p99, p99_low, p99_high]) = (three(row.median), three(row.p99));
        let paper = |of: fn((f64, f64)) -> f64| row.paper.map_or_else(String::new, |both| of(both).to_string());
        [
            row.group.name.to_owned(),
            row.layer.to_owned(),
            row.stress.name().to_owned(),
            row.n.to_string(),
            median,
            low,
            high,
            p99,
            p99_low,
            p99_high,
            paper(|both| both.0),
            paper(|both| both.1),
        ]
    });
    table(head, lines)
}

/// `claims.csv`: the columns of the file of claims, and ours, the verdict and a note behind them.
///
/// # Errors
///
/// As for [`table_1_csv`].
pub fn claims_csv(outcomes: &[Outcome]) -> Result<String, Error> {
    let head =
        ["id", "claim", "paper", "unit", "environment", "stress", "statistic", "rule", "ours", "verdict", "note"];
    let lines = outcomes.iter().map(|Outcome { claim, ours, verdict, note }| {
        let environments: Vec<&str> = claim.environments.iter().copied().map(Environment::name).collect();
        let stresses: Vec<&str> = claim.stresses.iter().copied().map(Stress::name).collect();
        [
            claim.id.clone(),
            claim.claim.clone(),
            claim.paper.map_or_else(String::new, |paper| paper.to_string()),
            claim.unit.clone(),
            environments.join(" "),
            stresses.join(" "),
            claim.statistic.clone(),
            claim.rule.clone(),
            ours.filter(|ours| ours.is_finite()).map_or_else(String::new, |ours| format!("{ours:.6}")),
            verdict.name().to_owned(),
            note.clone(),
        ]
    });
    table(head, lines)
}
