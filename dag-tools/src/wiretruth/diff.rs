//! `wiretruth diff`: the one-way delays between any two captures of the same traffic.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};
use wire_truth::compare::{CompareOptions, Comparison, RESOLUTION, Sampled, Side, Source, compare};
use wire_truth::json::summary;
use wire_truth::stats::Counts;
use wire_truth::{hdr, svg};

use super::output::{interval, time, whole};
use super::{Failure, apart, print, whole_file};
use crate::exit::Exit;
use crate::values;

/// The options of `wiretruth diff`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The capture of the place that packets come to first.
    a: PathBuf,

    /// The capture of the place behind it.
    b: PathBuf,

    /// Only packets that come from this address, or this prefix (10.0.0.0/24): of captures that hold both directions, one.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<Source>,

    /// What is done about one clock running faster than the other.
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    drift: Clocks,

    /// What is done about one clock being ahead: removed, delays are counted from the least one.
    #[arg(long, value_name = "WHAT", default_value = "keep")]
    offset: Clocks,

    /// A packet arrives so soon, either way, about the usual delay at that time. What clocks drift, or were stepped, needs nothing of it.
    #[arg(long, value_name = "TIME", value_parser = values::duration, default_value = "1s")]
    window: Duration,

    /// Write every common packet into this file, as the clocks have stamped it.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Draw a histogram of the delays into this file, with the distribution below it.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Write delays and sizes of their variation into this file, as a log of HDR histograms in nanoseconds.
    #[arg(long, value_name = "FILE")]
    hdr: Option<PathBuf>,

    /// One object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clocks {
    Keep,
    Remove,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let written = [&args.csv, &args.svg, &args.hdr].into_iter().flatten().map(PathBuf::as_path);
    apart(&[&args.a, &args.b], &written.collect::<Vec<_>>())?;
    let mut options = CompareOptions::default();
    options.window_ns = i64::try_from(args.window.as_nanos()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    (options.remove_drift, options.remove_offset) = (args.drift == Clocks::Remove, args.offset == Clocks::Remove);
    options.from = args.from;
    let found = match &args.csv {
        None => compare(&args.a, &args.b, options, |_| Ok::<(), Failure>(()))?,
        Some(path) => whole_file(path, |file: &mut BufWriter<File>| {
            let failed = |cause| Failure::File { path: path.display().to_string(), cause };
            writeln!(file, "a_ns,b_ns,delay_ns,bytes").map_err(failed)?;
            compare(&args.a, &args.b, options, |one| {
                writeln!(file, "{},{},{},{}", one.a, one.b, one.b - one.a, one.bytes).map_err(failed)
            })
        })?,
    };
    if let Some(path) = &args.svg {
        let failed = |cause| Failure::File { path: path.display().to_string(), cause };
        let title = format!("{} to {}", args.a.display(), args.b.display());
        let drawing = svg::histogram(&title, "delay", &found.delays.values.counts);
        whole_file(path, |file| file.write_all(drawing.as_bytes()).map_err(failed))?;
    }
    if let Some(path) = &args.hdr {
        let failed = |cause| Failure::File { path: path.display().to_string(), cause };
        // A histogram has nothing below 0.
        let sizes: Counts = found.variation.counts.iter().map(|(value, count)| (value.abs(), count)).collect();
        let samples = [("delay".to_owned(), found.delays.values.counts.clone()), ("variation_size".to_owned(), sizes)];
        let span = found.span_ns.unwrap_or_default();
        whole_file(path, |file| hdr::write_log(file, span, &samples).map_err(failed))?;
    }
    print(&if args.json { format!("{}\n", json(args, &found)) } else { text(args, &found) })?;
    Ok(Exit::Done)
}

/// Classes of the histogram, from one to the next twice as wide.
fn histogram(counts: &Counts) -> Vec<Value> {
    let Some(least) = counts.min() else { return Vec::new() };
    let (mut classes, mut low, mut width, mut within) = (Vec::new(), least.floor(), 1_000.0, 0);
    for (value, count) in counts.iter() {
        while value >= low + width {
            if within > 0 {
                classes.push(json!([low, low + width, within]));
            }
            (low, width, within) = (low + width, width * 2.0, 0);
        }
        within += count;
    }
    classes.push(json!([low, low + width, within]));
    classes
}

fn sampled_json(sampled: &Sampled) -> Value {
    // Of blocks there are intervals where values were kept one by one.
    let mut object = summary(&sampled.sample);
    object["n"] = sampled.n.into();
    for (name, value) in [("min_ns", sampled.min_ns), ("max_ns", sampled.max_ns), ("mean_ns", sampled.mean_ns)] {
        object[name] = json!(value.map(whole));
    }
    for (value_name, interval_name, p) in [("median_ns", "median_ci_ns", 0.5), ("p99_ns", "p99_ci_ns", 0.99)] {
        let estimate = sampled.counts.estimate(p);
        object[value_name] = json!(estimate.map(|estimate| whole(estimate.value)));
        object[interval_name] = json!(estimate.map(interval));
    }
    object["exact"] = sampled.is_exact().into();
    object["resolution"] = if sampled.is_exact() { 0.0 } else { RESOLUTION }.into();
    object["resolved_from_ns"] = json!(sampled.resolved_from_ns.map(whole));
    object
}

fn json(args: &Args, found: &Comparison) -> Value {
    let side = |path: &Path, side: Side| {
        json!({
            "file": path.display().to_string(), "packets": side.packets, "only": side.only, "snapped": side.snapped,
            "other": side.other, "defects": side.defects, "elsewhere": side.elsewhere,
        })
    };
    json!({
        "schema": 1,
        "a": side(&args.a, found.a),
        "b": side(&args.b, found.b),
        "common": found.common,
        "only_a": found.a.only,
        "only_b": found.b.only,
        "duplicates": found.duplicates,
        "ambiguous": found.ambiguous,
        "reordered": found.reordered,
        "negative": found.negative,
        "both_ways": found.both_ways,
        "from": args.from.map(|from| from.to_string()),
        "offset_ns": found.offset_ns,
        "anchors": found.anchors,
        "steps": found.steps.iter().map(|step| {
            json!({ "after_ns": step.after_ns, "before_ns": step.before_ns, "by_ns": step.by_ns })
        }).collect::<Vec<_>>(),
        "drift_ppb": found.drift_ppb,
        "removed": {
            "drift_ppb": found.delays.without_drift_ppb,
            "offset_ns": found.delays.counted_from_ns.map(|ns| ns.round() as i64),
        },
        "delay": sampled_json(&found.delays.values),
        "histogram": histogram(&found.delays.values.counts),
        "ipdv": sampled_json(&found.variation),
        "partial": found.is_partial(),
        "notes": found.notes,
    })
}

fn text(args: &Args, found: &Comparison) -> String {
    let line = |path: &Path, side: Side| {
        let elsewhere = match side.elsewhere {
            0 => String::new(),
            some => format!(", {some} from elsewhere"),
        };
        format!(
            "{}: {} packets, {} of them only there, {} snapped, {} of other kinds{elsewhere}\n",
            path.display(),
            side.packets,
            side.only,
            side.snapped,
            side.other
        )
    };
    let mut text = line(&args.a, found.a) + &line(&args.b, found.b);
    text += &format!(
        "{} common, {} duplicates, {} ambiguous, {} reordered\n",
        found.common, found.duplicates, found.ambiguous, found.reordered
    );
    if let Some(drift) = found.drift_ppb {
        let removed = if found.delays.without_drift_ppb.is_some() { ", taken out" } else { "" };
        text += &format!("drift by the fastest packets: {:+.3} ppm{removed}\n", drift / 1e3);
    }
    if let Some(from) = found.delays.counted_from_ns {
        text += &format!("delays are counted from the least one, {}\n", time(from));
    }
    text += &format!("\n{:<10} {:>11} {:>11} {:>11} {:>11} {:>11}\n", "", "min", "median", "p99", "max", "mean");
    for (name, values) in [("delay", &found.delays.values), ("variation", &found.variation)] {
        let at = |p| values.counts.percentile(p);
        let columns = [values.min_ns, at(0.5), at(0.99), values.max_ns, values.mean_ns];
        let columns: Vec<String> =
            columns.iter().map(|value| format!("{:>11}", value.map_or_else(|| "-".to_owned(), time))).collect();
        text += &format!("{name:<10} {}\n", columns.join(" "));
    }
    for note in &found.notes {
        text += &format!("note: {note}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_twice_as_wide_as_the_one_before() {
        let counts: Counts = [(-500.5, 2), (498.0, 1), (499.0, 3), (2_499.0, 4), (60_000.0, 5)].into_iter().collect();
        let expected = json!([[-501.0, 499.0, 3], [499.0, 2_499.0, 3], [2_499.0, 6_499.0, 4], [30_499.0, 62_499.0, 5]]);
        assert_eq!(json!(histogram(&counts)), expected);
        assert_eq!(histogram(&Counts::default()), Vec::<Value>::new());
    }
}
