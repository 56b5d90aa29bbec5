//! `wiretruth lab feedback`.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};
use wire_truth::experiment::{Environment, Stress};
use wire_truth::lab::{Cell, Progress, Switching, Trial, Variant, feedback};

use super::run::{How, stop_flag};
use crate::exit::Exit;
use crate::messages::say;
use crate::wiretruth::{Failure, PROGRAM, print, whole_file};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the probing program runs; with commas between. Not vm.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "host,bridge")]
    env: Vec<Environment>,

    /// What comes and goes; with commas between.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "network")]
    stress: Vec<Stress>,

    /// What the times are drawn by; each run has others.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// How often it comes in a run.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000), default_value_t = 4)]
    switches: u32,

    /// Runs that are learned from, before the one that is judged. Of three and more the bounds are allowed to differ as much in the next.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20), default_value_t = 3)]
    learn: u32,

    /// One object, which is in feedback.json of the folder in any case.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    how: How,
}

type Found = [(Cell, Result<Trial, String>)];

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if args.env.contains(&Environment::Vm) {
        return Err(Failure::Usage("guests are not asked for anything while they probe: not --env vm".to_owned()));
    }
    if args.stress.contains(&Stress::Rest) {
        return Err(Failure::Usage("rest cannot come and go: another --stress".to_owned()));
    }
    let cells = args.env.iter().flat_map(|environment| {
        let cell = |stress: &Stress| Cell { environment: *environment, stress: *stress, variant: Variant::Plain };
        args.stress.iter().map(cell).collect::<Vec<_>>()
    });
    let plan = args.how.plan(cells.collect(), "wiretruth-feedback")?;
    let switching = Switching { seed: args.seed, spells: args.switches, thresholds: None };
    let stop = stop_flag()?;
    let found = feedback(&plan, &switching, args.learn, &stop, |step, progress| {
        let folder = step.folder();
        match progress {
            Progress::Begun(cell, ..) => {
                say(
                    PROGRAM,
                    format_args!("{folder}, {}: about {} s", cell.folder(), plan.time_of_cell(*cell).as_secs()),
                );
            }
            Progress::Failed(cell, why) => say(PROGRAM, format_args!("{folder}, {}: not run: {why}", cell.folder())),
            Progress::There(_) | Progress::Done(_) => {}
        }
    })?;
    let object = as_json(args, &found);
    let path = plan.out.join("feedback.json");
    let failed = |path: &Path, cause| Failure::File { path: path.display().to_string(), cause };
    whole_file(&path, |file| writeln!(file, "{object:#}").map_err(|cause| failed(&path, cause)))?;
    print(&if args.json { format!("{object}\n") } else { text(args, &found) })?;
    let met = |trial: &Trial| trial.goals().iter().all(|goal| goal.met);
    Ok(if found.iter().all(|(_, trial)| trial.as_ref().is_ok_and(met)) { Exit::Done } else { Exit::No })
}

fn as_json(args: &Args, found: &Found) -> Value {
    let cells = found.iter().map(|(cell, trial)| {
        let value = match trial {
            Ok(trial) => trial.to_json(),
            Err(reason) => json!({ "error": reason, "met": false }),
        };
        (cell.folder(), value)
    });
    json!({
        "schema": 1, "seed": args.seed, "switches": args.switches, "learned_from": args.learn, "cells": cells.collect::<Map<_, _>>(),
    })
}

fn text(args: &Args, found: &Found) -> String {
    let mut text = String::new();
    for (cell, trial) in found {
        let name = cell.folder();
        let trial = match trial {
            Ok(trial) => trial,
            Err(reason) => {
                text += &format!("{name}: nothing was found: {reason}\n\n");
                continue;
            }
        };
        text += &format!(
            "{name}: stress came {} times in each of {} runs that were learned from, and in that which was judged\nqueue before the wire: {}\n\n",
            args.switches, args.learn, trial.queue
        );
        let [all, signals] = &trial.afterwards;
        for (how, score) in [("while it ran", &trial.live), ("afterwards", all), ("by signals alone", signals)] {
            text += &format!(
                "{how}: {} valid, {} suspect, {} unknown\n{}",
                score.valid,
                score.suspect,
                score.unknown,
                score.to_text()
            );
        }
        text += &format!("afterwards something else was said of {} samples\n\nwanted while it ran:\n", trial.differ);
        for goal in trial.goals() {
            let found = goal.found.map_or_else(|| "nothing to tell by".to_owned(), |found| format!("{found:.1}"));
            text += &format!("  {:<7} {}; found {found}\n", if goal.met { "met" } else { "MISSED" }, goal.what);
        }
        text += "\n";
    }
    text
}
