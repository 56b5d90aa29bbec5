//! An analysis as JSON, with the names that `wiretruth analyse --json` has.

use serde_json::{Map, Value, json};

use crate::analysis::{Analysis, StampErrors};
use crate::clock::Relation;
use crate::stats::{Estimate, Sample};

/// Names of the delays, with their samples.
pub fn delays(analysis: &Analysis) -> [(&'static str, &Sample); 7] {
    let layers = &analysis.layers;
    [
        ("kern", &layers.kern),
        ("dom0", &layers.dom0),
        ("domu", &layers.domu),
        ("user", &layers.user),
        ("total", &layers.total),
        ("send", &layers.send),
        ("receive", &layers.receive),
    ]
}

/// Names of the parts of sending and receiving that stamps of the kernel tell, with their samples.
pub fn parts(analysis: &Analysis) -> [(&'static str, &Sample); 4] {
    let layers = &analysis.layers;
    [("syscall", &layers.syscall), ("qdisc", &layers.qdisc), ("driver", &layers.driver), ("wakeup", &layers.wakeup)]
}

/// Names of the round trips, with their samples.
pub fn round_trips(analysis: &Analysis) -> [(&'static str, &Sample); 4] {
    let layers = &analysis.layers;
    [("wire", &layers.wire), ("kernel", &layers.kernel), ("dom0", &layers.dom0_rtt), ("user", &layers.user_rtt)]
}

/// How far a delay may be off by its stamps, by its name, where that is known: a round trip has two of each place.
fn error_ns(analysis: &Analysis, delay: &str) -> Option<i64> {
    let errors = analysis.errors;
    let host = errors.kernel.or(errors.user);
    match delay {
        "kern" => StampErrors::between(errors.wire, errors.kernel).map(|ns| 2 * ns),
        "dom0" => StampErrors::between(errors.wire, errors.dom0).map(|ns| 2 * ns),
        "domu" => StampErrors::between(errors.dom0, errors.kernel).map(|ns| 2 * ns),
        "user" => StampErrors::between(errors.kernel, errors.user).map(|ns| 2 * ns),
        "total" => StampErrors::between(errors.wire, errors.user).map(|ns| 2 * ns),
        // Excess over others that are off as much.
        "send" | "receive" => StampErrors::between(errors.wire, errors.user.or(host)).map(|ns| 2 * ns),
        _ => None,
    }
}

/// All of it but the probes: counts, clocks, and of each sample of delays its [`summary`].
pub fn analysis(analysis: &Analysis) -> Value {
    let object = |samples: &[(&str, &Sample)]| {
        let present = samples.iter().filter(|(_, sample)| !sample.is_empty());
        Value::Object(present.map(|(name, sample)| ((*name).to_owned(), summary(sample))).collect::<Map<_, _>>())
    };
    let mut delay = object(&delays(analysis));
    for (name, values) in delay.as_object_mut().into_iter().flatten() {
        values["stamp_error_ns"] = json!(error_ns(analysis, name));
    }
    let clock = match &analysis.clock {
        Ok(relation) => relation_json(relation),
        Err(reason) => json!({ "error": reason }),
    };
    json!({
        "schema": 1,
        "simulated": !analysis.simulated.is_empty(),
        "ident": analysis.ident,
        "probes": analysis.probes,
        "matched": analysis.matched,
        "lost": analysis.lost,
        "duplicates": analysis.duplicates,
        "foreign": analysis.foreign,
        "reordered": analysis.reordered,
        "rtt": object(&round_trips(analysis)),
        "delay": delay,
        "parts": object(&parts(analysis)),
        "variation": {
            "wire": summary(&analysis.layers.wire.variation()),
            "send": summary(&analysis.layers.send.variation()),
            "receive": summary(&analysis.layers.receive.variation()),
        },
        "at": analysis.others.iter().map(|other| {
            (other.name.clone(), json!({
                "rtt": summary(&other.rtt), "over_wire": summary(&other.over_wire),
                "over_next": other.over_next.as_ref().map(|(next, sample)| json!({ "next": next, "delay": summary(sample) })),
            }))
        }).collect::<Map<_, _>>(),
        "fits": analysis.fits.iter().map(relation_json).collect::<Vec<_>>(),
        "left_out": analysis.left_out,
        "reference": analysis.reference.name(),
        "serialisation": if analysis.is_at_end { "corrected" } else { "kept" },
        "clock": clock,
        "notes": analysis.notes,
    })
}

fn relation_json(relation: &Relation) -> Value {
    json!({
        "method": relation.method.name(),
        "drift_ppb": relation.drift_ppb,
        "drift_ci_ppb": [relation.drift_ci_ppb.0, relation.drift_ci_ppb.1],
        "residual_ns": relation.residual_ns,
        "offset_low_ns": relation.offset_low_ns,
        "offset_high_ns": relation.offset_high_ns,
        "contradiction_ns": relation.contradiction_ns(),
        "fitted": relation.fitted,
        "step": relation.step.map(|step| json!({ "after_wire_ns": step.after_wire, "before_wire_ns": step.before_wire, "by_at_least_ns": step.by_at_least_ns })),
    })
}

/// Nanoseconds, whole.
fn whole(ns: f64) -> i64 {
    // Delays, far from the limits of the type.
    ns.round() as i64
}

/// A sample: how many values, median and 99th percentile with their intervals, mean, least and greatest, in whole nanoseconds; `null` where
/// there is none.
pub fn summary(sample: &Sample) -> Value {
    let ns = |value: Option<f64>| value.map(whole);
    let interval = |estimate: Option<Estimate>| estimate.map(|estimate| [ns(estimate.low), ns(estimate.high)]);
    let (median, p99) = (sample.estimate(0.5), sample.estimate(0.99));
    let block = |p| sample.block_interval(p).map(|(low, high)| [whole(low), whole(high)]);
    json!({
        "n": sample.len(),
        "median_ns": ns(median.map(|estimate| estimate.value)),
        "median_ci_ns": interval(median),
        "p99_ns": ns(p99.map(|estimate| estimate.value)),
        "p99_ci_ns": interval(p99),
        "median_block_ci_ns": block(0.5),
        "p99_block_ci_ns": block(0.99),
        "mean_ns": ns(sample.mean()),
        "min_ns": ns(sample.min()),
        "max_ns": ns(sample.max()),
    })
}
