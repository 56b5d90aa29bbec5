//! `wiretruth lab report`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use wire_truth::experiment::{
    Contrast, Experiment, State, Verdict, claims, claims_csv, contrast, contrast_json, report, results_json, table_1,
    table_1_csv,
};
use wire_truth::stats::Estimate;
use wire_truth::verdict::Thresholds;

use crate::exit::Exit;
use crate::messages::say;
use crate::wiretruth::output::time;
use crate::wiretruth::{Failure, PROGRAM, print};

/// The options of `wiretruth lab report`.
#[derive(Debug, clap::Args)]
pub(in crate::wiretruth) struct Args {
    /// The folder of a run: report.html, results.json, table1.csv and claims.csv are written into it.
    #[arg(value_name = "DIR", default_value = super::run::USUAL, conflicts_with = "compare")]
    folder: PathBuf,

    /// Write them into this folder instead, which is there.
    #[arg(short, long, value_name = "DIR", conflicts_with = "compare")]
    out: Option<PathBuf>,

    /// What wiretruth verdict learn has written: the probes of each cell are judged by it. Without it, by what its own probes at rest before the
    /// stress teach.
    #[arg(short, long, value_name = "FILE", conflicts_with = "compare")]
    thresholds: Option<PathBuf>,

    /// Compare the delays of two runs, layer by layer, and write nothing.
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    compare: Option<Vec<PathBuf>>,

    /// One object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    match args.compare.as_deref() {
        Some([a, b]) => compare(a, b, args.json),
        _ => {
            let thresholds = args.thresholds.as_ref().map(|path| Thresholds::read(path)).transpose()?;
            write(&args.folder, args.out.as_ref().unwrap_or(&args.folder), thresholds.as_ref(), args.json)
        }
    }
}

/// Makes the files of a run in `folder`, in `out`: all of them, or none. Whether each cell that is there can be read.
pub(in crate::wiretruth) fn write(
    folder: &Path,
    out: &Path,
    thresholds: Option<&Thresholds>,
    json: bool,
) -> Result<Exit, Failure> {
    let experiment = Experiment::read_with(folder, thresholds)?;
    let outcomes = claims(&experiment)?;
    let results = results_json(&experiment, &outcomes);
    // All is made before any is written.
    let files = [
        ("results.json", format!("{results:#}\n")),
        ("table1.csv", table_1_csv(&table_1(&experiment))?),
        ("claims.csv", claims_csv(&outcomes)?),
        ("report.html", report(&experiment, &outcomes)),
    ];
    all_or_none(&files.map(|(name, text)| (out.join(name), text)))?;
    let mut exit = Exit::Done;
    for cell in &experiment.cells {
        // What was not measured says so itself; what was and cannot be read is lost.
        if matches!(cell.state, State::Damaged(_) | State::Failed(_) | State::Unfinished) {
            say(PROGRAM, format_args!("{}: {}: {}", cell.name(), cell.state_name(), cell.reason().unwrap_or_default()));
            exit = Exit::No;
        }
    }
    if json {
        print(&format!("{results}\n"))?;
        return Ok(exit);
    }
    let mut text = String::new();
    for cell in &experiment.cells {
        let said = match (cell.measured(), cell.reason()) {
            (Some(measured), _) => format!("{} probes, {} lost", measured.analysis.probes, measured.analysis.lost),
            (None, reason) => format!("{}: {}", cell.state_name(), reason.unwrap_or_default()),
        };
        text += &format!("{:<18} {said}\n", cell.name());
    }
    let count = |verdict| outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
    let verdicts = [Verdict::Reproduced, Verdict::Differs, Verdict::NotTestable];
    let verdicts = verdicts.map(|verdict| format!("{} {}", count(verdict), verdict.name()));
    text += &format!("{} claims: {}\n{}\n", outcomes.len(), verdicts.join(", "), out.join("report.html").display());
    print(&text)?;
    Ok(exit)
}

/// Writes all of these files, or none: some of them new and some old would look like a report.
fn all_or_none(files: &[(PathBuf, String)]) -> Result<(), Failure> {
    let new = |path: &Path| path.with_extension(format!("new{}", std::process::id()));
    let write = |path: &Path, text: &str| {
        // What is there and no file is nothing to be replaced, and a pipe would be waited for.
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::other("it is no file: put it elsewhere, or name another folder by --out"));
        }
        let mut file = File::create(new(path))?;
        file.write_all(text.as_bytes())?;
        // A disk may be found to be full only now.
        file.sync_all()
    };
    let each = |what: &dyn Fn(&Path, &str) -> io::Result<()>| {
        files.iter().try_for_each(|(path, text)| {
            what(path, text).map_err(|cause| Failure::File { path: path.display().to_string(), cause })
        })
    };
    let written = each(&write).and_then(|()| each(&|path, _| fs::rename(new(path), path)));
    if written.is_err() {
        files.iter().for_each(|(path, _)| drop(fs::remove_file(new(path))));
    }
    written
}

fn compare(a: &Path, b: &Path, json: bool) -> Result<Exit, Failure> {
    let found = contrast(&Experiment::read(a)?, &Experiment::read(b)?);
    print(&if json { format!("{}\n", contrast_json(&found)) } else { table(a, b, &found) })?;
    Ok(Exit::Done)
}

fn table(a: &Path, b: &Path, found: &[Contrast]) -> String {
    let mut text = format!("A: {}\nB: {}\n", a.display(), b.display());
    if found.is_empty() {
        return text + "neither has measured anything that can be compared\n";
    }
    let head = ["cell", "layer", "", "A", "95 %", "B", "95 %", ""];
    text += &line(head.map(str::to_owned));
    for one in found {
        let cell = format!("{}-{}", one.environment.name(), one.stress.name());
        for (what, both, meeting) in [("median", one.median, one.medians), ("p99", one.p99, one.p99s)] {
            let [(a, a_limits), (b, b_limits)] = both.map(number);
            let [what, meeting] = [what, meeting.name()].map(str::to_owned);
            text += &line([cell.clone(), one.layer.to_owned(), what, a, a_limits, b, b_limits, meeting]);
        }
    }
    text
}

fn line([cell, layer, what, a, a_limits, b, b_limits, meeting]: [String; 8]) -> String {
    format!("{cell:<18} {layer:<6} {what:<7} {a:>11} {a_limits:>24} {b:>11} {b_limits:>24}  {meeting}")
        .trim_end()
        .to_owned()
        + "\n"
}

fn number(of: Option<Estimate>) -> (String, String) {
    let Some(Estimate { value, low, high }) = of else { return ("-".to_owned(), "-".to_owned()) };
    let limit = |limit: Option<f64>| limit.map_or_else(|| "-".to_owned(), time);
    (time(value), format!("{} to {}", limit(low), limit(high)))
}
