//! `wiretruth lab explain`.

use serde_json::{Value, json};
use wire_truth::experiment::{Environment, Stress};
use wire_truth::json::summary;
use wire_truth::lab::{Cell, Explained, Progress, Variant, explain};

use super::run::{How, stop_flag};
use crate::exit::Exit;
use crate::messages::say;
use crate::wiretruth::output::time;
use crate::wiretruth::{Failure, PROGRAM, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the probing program runs.
    #[arg(long, value_name = "NAME", default_value = "host")]
    env: Environment,

    /// What the machine is kept busy with.
    #[arg(long, value_name = "NAME", default_value = "network")]
    stress: Stress,

    /// One object.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    how: How,
}

/// What is done otherwise, in words.
const fn words(variant: Variant) -> &'static str {
    match variant {
        Variant::Plain => "as it is",
        Variant::PastQueue => "probes past the queue of the uplink",
        Variant::Priority => "probes first in the queue of the uplink",
        Variant::SmallQueue => "30 kB of a TCP connection in the queue at most",
        Variant::Ring => "a ring of 75 kB behind the queue",
        Variant::Reversed => "the queue behind the wire, on the way to the system",
        Variant::Realtime => "the probing program before all others",
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let cell = Cell { environment: args.env, stress: args.stress, variant: Variant::Plain };
    let plan = args.how.plan(vec![cell], "wiretruth-why")?;
    let stop = stop_flag()?;
    let found = explain(&plan, cell, &Variant::ALL, &stop, |variant, progress| match progress {
        Progress::Begun(..) => say(PROGRAM, format_args!("{}: {}", cell.folder(), words(variant))),
        Progress::Failed(_, why) => say(PROGRAM, format_args!("{}: not run: {why}", words(variant))),
        Progress::There(_) | Progress::Done(_) => {}
    })?;
    print(&if args.json { format!("{}\n", as_json(cell, &found)) } else { text(cell, &found) })?;
    Ok(if found.iter().all(|one| one.measured.is_ok()) { Exit::Done } else { Exit::No })
}

/// Of each the part of the delay that is gone with it.
fn gone(found: &[Explained]) -> impl Iterator<Item = (&Explained, Option<f64>)> {
    let plain = found.iter().find(|one| one.variant == Variant::Plain).and_then(|one| one.measured.as_ref().ok());
    found.iter().map(move |one| (one, one.measured.as_ref().ok().zip(plain).and_then(|(own, plain)| own.gone(plain))))
}

fn as_json(cell: Cell, found: &[Explained]) -> Value {
    let variants = gone(found).map(|(one, gone)| match &one.measured {
        Ok(delays) => json!({
            "variant": one.variant.name(), "gone": gone, "total": summary(&delays.total), "send": summary(&delays.send),
            "receive": summary(&delays.receive),
        }),
        Err(reason) => json!({ "variant": one.variant.name(), "error": reason }),
    });
    json!({ "schema": 1, "environment": cell.environment.name(), "stress": cell.stress.name(), "variants": variants.collect::<Vec<_>>() })
}

fn text(cell: Cell, found: &[Explained]) -> String {
    let mut text =
        format!("{}: medians\n\n{:<52} {:>10} {:>10} {:>10}  gone\n", cell.folder(), "", "total", "send", "receive");
    for (one, gone) in gone(found) {
        let name = words(one.variant);
        text += &match &one.measured {
            Ok(delays) => {
                let [total, send, receive] = [&delays.total, &delays.send, &delays.receive]
                    .map(|sample| sample.percentile(0.5).map_or_else(|| "-".to_owned(), time));
                let gone = gone.filter(|_| one.variant != Variant::Plain);
                let gone = gone.map_or_else(String::new, |part| format!("{:.0} %", part * 100.0));
                format!("{name:<52} {total:>10} {send:>10} {receive:>10}  {gone}\n")
            }
            Err(reason) => format!("{name:<52} {reason}\n"),
        };
    }
    text + "\nGone: which part of the total is not there any more. Sending and receiving are excess over the mean of the probes at rest.\n"
}
