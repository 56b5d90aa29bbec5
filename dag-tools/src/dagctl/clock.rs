//! `dagctl clock`.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Failure, open, print};
use crate::exit::Exit;
use crate::values;

/// The options of `dagctl clock`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The card.
    device: Option<String>,

    /// Wait until it is synchronised, at most so long (a minute, if no time is given).
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "60s",
          value_parser = values::duration)]
    wait: Option<Duration>,

    /// One object.
    #[arg(long)]
    json: bool,
}

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let card = open(args.device.as_deref())?;
    let begun = Instant::now();
    let clock = loop {
        let clock = card.clock();
        match (clock.is_synchronised(), args.wait) {
            (None, Some(_)) => return Err(Failure::NothingToWaitFor(card.name().to_owned())),
            (Some(false), Some(longest)) if begun.elapsed() < longest => {
                // One that has gone stays as it was.
                card.counters()?;
                thread::sleep(LOOK);
            }
            _ => break clock,
        }
    };
    let (synchronised, tick, duck) = (clock.is_synchronised(), card.info().tick, card.duck());
    let source = clock.source.and_then(|source| source.name());
    if args.json {
        let driver = duck.map(|duck| {
            json!({
                "crystal_hz": duck.crystal_hz,
                "resyncs": duck.resyncs,
                "frequency_error": duck.frequency_error,
                "phase_error": duck.phase_error,
            })
        });
        let object = json!({
            "schema": 1,
            "name": card.name(),
            "synchronised": synchronised,
            "source": source,
            "tick_bits": tick.map(|tick| tick.bits()),
            "driver": driver,
        });
        print(&format!("{object}\n"))?;
    } else {
        let mut text = match synchronised {
            Some(true) => "synchronised\n".to_owned(),
            Some(false) => "not synchronised\n".to_owned(),
            None => "whether it is synchronised is not known\n".to_owned(),
        };
        if let Some(source) = source {
            text += &format!("source           {source}\n");
        }
        if let Some(tick) = tick {
            text += &format!("tick             2^-{} s ({:.1} ns)\n", tick.bits(), 1e9 / 2f64.powi(tick.bits().into()));
        }
        let duck = duck.unwrap_or_default();
        // The driver's units are not public.
        for (name, value) in [
            ("crystal          ", duck.crystal_hz.map(|hz| format!("{hz} Hz"))),
            ("resyncs          ", duck.resyncs.map(|count| count.to_string())),
            ("frequency error  ", duck.frequency_error.map(|error| format!("{error} (the driver's unit)"))),
            ("phase error      ", duck.phase_error.map(|error| format!("{error} (the driver's unit)"))),
        ] {
            text += &value.map(|value| format!("{name}{value}\n")).unwrap_or_default();
        }
        print(&text)?;
    }
    Ok(if synchronised == Some(true) { Exit::Done } else { Exit::No })
}
