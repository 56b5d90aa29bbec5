//! `erf merge`: several files into one, in the order of their stamps.

use std::path::PathBuf;

use erf::TimeDelta;
use erf::merge::{FAN_IN, Input, InputReport, Merge};
use erf::shift::Correction;
use serde_json::json;

use super::defects::Defects;
use super::input::{Reading, files};
use super::instant;
use super::open_files::fan_in;
use super::output::Writing;
use super::pass::{Sink, say_refused, with_account};
use super::progress::Progress;
use super::summary::Summing;
use super::{Failure, PROGRAM, counted};
use crate::exit::Exit;
use crate::messages::say;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files to read, or folders of them; - is standard input. Equal stamps keep this order.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,

    /// File to write; - is standard output.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,

    /// Add to the stamps of an input, by its number from 1: 2=+12us.
    #[arg(long, value_name = "N=TIME", value_parser = |text: &str| instant::numbered(text, instant::delta))]
    shift: Vec<(usize, TimeDelta)>,

    /// Change the rate of the clock of an input, from its first stamp on: 2=-40ppb makes its time pass more slowly.
    #[arg(long, value_name = "N=RATE", value_parser = |text: &str| instant::numbered(text, instant::scale))]
    scale: Vec<(usize, i64)>,

    /// Put in order what stands at most this much behind later records of its input. Without it, each input keeps its order.
    #[arg(long, value_name = "TIME", value_parser = instant::span)]
    window: Option<TimeDelta>,

    /// Folder for temporary files, which more than 200 inputs need.
    #[arg(long, value_name = "FOLDER")]
    temp_dir: Option<PathBuf>,

    #[command(flatten)]
    reading: Reading,

    #[command(flatten)]
    writing: Writing,

    #[command(flatten)]
    summing: Summing,
}

impl Args {
    fn corrections(&self, inputs: usize) -> Result<Vec<Correction>, Failure> {
        let numbers = self.shift.iter().map(|(n, _)| n).chain(self.scale.iter().map(|(n, _)| n));
        if let Some(number) = numbers.max().filter(|number| **number > inputs) {
            return Err(Failure::Usage(format!("there is no input {number}: there are {inputs}")));
        }
        instant::once("--shift", self.shift.iter().map(|(number, _)| number))?;
        instant::once("--scale", self.scale.iter().map(|(number, _)| number))?;
        let of = |number: usize| {
            let shift =
                self.shift.iter().rev().find(|(n, _)| *n == number).map_or(TimeDelta::ZERO, |(_, delta)| *delta);
            let scale = self.scale.iter().rev().find(|(n, _)| *n == number).map_or(0, |(_, scale)| *scale);
            Correction::new(shift).with_scale(scale)
        };
        Ok((1..=inputs).map(of).collect())
    }
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let inputs = files(&args.inputs)?;
    let corrections = args.corrections(inputs.len())?;
    let mut sink = Sink::begin(&args.out, &inputs, &args.writing, args.summing)?;
    let mut progress = Progress::over(&inputs);
    let mut defects = Defects::default();
    let mut merge = Merge::new().fan_in(fan_in(inputs.len(), FAN_IN)?);
    let format = args.writing.format(&args.out);
    for (path, correction) in inputs.iter().zip(corrections) {
        let (path, reading) = (path.clone(), args.reading);
        merge = merge.input(Input::new(move || reading.open_among(&path, format)).correct(correction));
    }
    if let Some(window) = args.window {
        merge = merge.window(window);
    }
    if let Some(folder) = &args.temp_dir {
        merge = merge.temporary(folder);
    }
    let name = |number: usize| inputs.get(number).map(|path| path.display().to_string()).unwrap_or_default();
    let reports = merge.run(&mut |number, defect| defects.tell(&name(number), defect), &mut |run, count| {
        progress.add(run.len() as u64);
        sink.write_run(run, count)
    })?;
    for (number, report) in (1..).zip(&reports) {
        say_disorder(number, report, args.window.is_some());
        say_refused(&report.name, report.refused);
        defects.read(report.refused, report.unread);
        if let Some(error) = &report.broken {
            defects.broken(error);
        }
    }
    let account = sink.finish_with_account()?;
    let inputs: Vec<_> = reports.iter().map(report_json).collect();
    let more = with_account(json!({ "inputs": inputs }), &account);
    args.summing.print(&account.totals, &defects, more)?;
    Ok(defects.end())
}

fn say_disorder(number: usize, report: &InputReport, has_window: bool) {
    let disorder = &report.disorder;
    let Some(offset) = disorder.first_offset else { return };
    let advice = if has_window { "a larger --window, or erf sort" } else { "--window, or erf sort" };
    say(
        PROGRAM,
        format_args!(
            "input {number}, {}: out of order, so the output is: {} stamped earlier than the one before, by up to {} s, the first at \
             byte {offset}; {advice} puts them right",
            report.name,
            counted(disorder.backward_steps, "record"),
            disorder.most
        ),
    );
}

fn report_json(report: &InputReport) -> serde_json::Value {
    json!({
        "file": report.name,
        "records": report.records,
        "backward_steps": report.disorder.backward_steps,
        "most_backward_ns": report.disorder.most.to_nanos(),
        "first_backward_offset": report.disorder.first_offset,
    })
}
