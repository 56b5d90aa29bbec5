//! `erf info`: what is in files.

mod clock;
mod json;
mod rows;
mod text;

use std::path::PathBuf;

use erf::clock::Grid;
use erf::pieces::{Mergeable, Piece, Visited};
use erf::summary::Summary;
use erf::{Defect, Record};

use super::check::one_or_all;
use super::defects::say_error;
use super::input::{Reading, files};
use super::several::visit_all;
use super::{Failure, PROGRAM, print, print_csv, print_json};
use crate::exit::Exit;
use crate::messages::say;

const AFTER_HELP: &str = "\
Counts of records have META and PAD among them, those of bytes are of packets. First and last are in the order of the file.
A clock that was set back, an unknown type and other oddities are notes; what cannot be right is a defect, and so is a file that breaks off.
Packets of pcap and pcapng are counted as the records that they become: whole Ethernet frames get the FCS that ERF is expected to have, so
lengths and the word about FCS are of frames with it.

Exit status: 0 no defects; 1 defects; 2 a file could not be read.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Files and folders; - is standard input.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,

    /// Print JSON: an object for one file, an array for several.
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print comma-separated values, a row for each file.
    #[arg(long)]
    csv: bool,

    /// Say of the clock: who made the stamps, and what META records say of it.
    #[arg(long, conflicts_with = "csv")]
    clock: bool,

    /// Compare with the clock of another file or, given a number, of an interface of the same file, by the packets that both
    /// have.
    #[arg(long, value_name = "FILE|N", requires = "clock")]
    against: Option<PathBuf>,

    #[command(flatten)]
    reading: Reading,
}

/// What is looked at.
struct Look {
    summary: Summary,
    grid: Option<Grid>,
}

impl Piece for Look {
    fn record(&mut self, offset: u64, record: &Record<'_>) {
        self.summary.record(offset, record);
        if let Some(grid) = &mut self.grid {
            grid.record(offset, record);
        }
    }

    fn run(&mut self, offset: u64, run: &[u8]) -> usize {
        if self.grid.is_some() { 0 } else { self.summary.run(offset, run) }
    }

    fn defect(&mut self, defect: Defect) {
        self.summary.add_defect(defect);
    }

    fn settle(&mut self) {
        self.summary.settle();
    }
}

impl Mergeable for Look {
    fn merge(&mut self, next: Self) {
        self.summary.merge(next.summary);
        if let (Some(grid), Some(next)) = (&mut self.grid, next.grid) {
            grid.merge(next);
        }
    }

    fn is_inexact(&self) -> bool {
        self.summary.is_inexact()
    }
}

/// Warnings and errors, a file that breaks off among them.
fn defects(visited: &Visited<Summary>) -> u64 {
    visited.piece.findings.defects() + u64::from(visited.broken().is_some())
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let files = files(&args.inputs)?;
    let answers =
        visit_all(&files, args.reading, || Look { summary: Summary::new(), grid: args.clock.then(Grid::default) });
    let mut exit = Exit::Done;
    let (mut values, mut rows) = (Vec::new(), vec![rows::header()]);
    for (file, answer) in files.iter().zip(answers) {
        let name = file.display().to_string();
        let visited = match answer {
            Ok(visited) => visited,
            Err(error) => {
                say(PROGRAM, &error);
                rows.push(rows::unread(&name, &error));
                values.push(serde_json::json!({ "schema": 1, "file": name, "error": error.to_string() }));
                exit = Exit::Failed;
                continue;
            }
        };
        let mut grid = None;
        let visited = visited.map(|look| {
            grid = look.grid;
            look.summary
        });
        let clock = match grid {
            Some(grid) => Some(clock::Clock::of(grid, file, args.against.as_deref(), args.reading)?),
            None => None,
        };
        match () {
            () if args.json => {
                let mut value = json::value(&name, &visited);
                if let Some(clock) = &clock {
                    value["clock"] = clock.json(&visited.piece);
                }
                values.push(value);
            }
            () if args.csv => rows.push(rows::row(&name, &visited)),
            () => {
                let clock = clock.map(|clock| clock.rows(&visited.piece)).unwrap_or_default();
                print(&text::text(&name, &visited, clock))?;
            }
        }
        visited.error.iter().for_each(say_error);
        match () {
            () if visited.failure().is_some() => exit = Exit::Failed,
            () if exit == Exit::Done && defects(&visited) > 0 => exit = Exit::No,
            () => {}
        }
    }
    if args.json {
        print_json(&one_or_all(values))?;
    } else if args.csv {
        print_csv(&rows)?;
    }
    Ok(exit)
}
