//! `wiretruth verdict learn`: thresholds, from a run with wire truth.

use std::io::Write;
use std::path::{Path, PathBuf};

use wire_truth::UserLog;
use wire_truth::verdict::{Thresholds, learn};

use super::super::probes::Probes;
use super::super::{Failure, apart, print, whole_file};
use super::{signals, truth};
use crate::exit::Exit;

/// The options of `wiretruth verdict learn`.
#[derive(Debug, clap::Args)]
pub(in crate::wiretruth) struct Args {
    /// The capture of the wire.
    #[arg(short, long, value_name = "FILE")]
    wire: PathBuf,

    /// The log of tping.
    #[arg(short, long, value_name = "FILE")]
    user: PathBuf,

    /// The signals beside it, of tping --signals or wiretruth verdict sample.
    #[arg(short, long, value_name = "FILE")]
    signals: Option<PathBuf>,

    #[command(flatten)]
    probes: Probes,

    /// Write what was learned into this file, which --thresholds reads.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let read: Vec<&Path> = [Some(&args.wire), Some(&args.user), args.signals.as_ref()]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    let written: Vec<&Path> = Some(args.out.as_path()).into_iter().collect();
    apart(&read, &written)?;
    let user = UserLog::read(&args.user)?;
    let signals = signals(&args.signals)?;
    let cases = truth(&args.probes, &args.wire, &user)?;
    let learned = learn(&cases, signals.as_ref())?;
    let failed = |cause| Failure::File { path: args.out.display().to_string(), cause };
    whole_file(&args.out, |file| file.write_all(learned.to_json().as_bytes()).map_err(failed))?;
    print(&text(&learned))?;
    Ok(Exit::Done)
}

fn text(learned: &Thresholds) -> String {
    let us = |ns: i64| ns as f64 / 1e3;
    let Some(learning) = &learned.learning else { return String::new() };
    let mut text = format!(
        "{} samples, {} of them at rest; good is within {:.1} us of the wire: {} are, {} are not\n",
        learning.samples,
        learning.at_rest,
        us(learned.good_ns),
        learning.good,
        learning.bad
    );
    for (name, steps) in [("with stamps", &learning.with_stamps), ("without", &learning.without_stamps)] {
        for step in steps {
            let (signal, above) = (step.limit.signal, step.limit.above);
            text += &format!(
                "suspect {name}: {signal} above {}; of the bad it caught {}, of the good it cost {}\n",
                signal.say(above),
                step.caught,
                step.cost
            );
        }
    }
    if let Some(correction) = &learned.correction {
        text += &format!("taken off: {:.1} us", us(correction.constant_ns));
        for bound in &correction.bounds {
            text += &format!("; {:.0} % within {:.1} us", bound.holds * 100.0, us(bound.within_ns));
        }
        text += &format!(", by {} samples\n", correction.samples);
    }
    for note in &learning.notes {
        text += &format!("note: {note}\n");
    }
    text
}
