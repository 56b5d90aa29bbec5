//! `dagctl replay-trace`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use dag::sys::Libdag;
use dag_trace::{Log, compare, drive, emulated_card, is_driven};
use serde_json::json;

use super::trace::under_recorder;
use super::{Failure, print};
use crate::exit::Exit;
use crate::libraries::EMULATED;

/// The options of `dagctl replay-trace`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The log, of `dagctl trace` or `dagctl exercise`.
    log: PathBuf,

    /// Another libdag to compare with, instead of the emulated card's.
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,

    /// Keep the log of the emulated card.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,

    /// One object.
    #[arg(long)]
    json: bool,
}

/// The log whose calls are made.
#[derive(Debug, clap::Args)]
pub(super) struct CallsArgs {
    log: PathBuf,
}

/// The calls of a log, made on whatever libdag is found.
pub(super) fn calls(args: &CallsArgs) -> Result<Exit, Failure> {
    drive(&Log::read(&args.log)?, &Libdag::open()?);
    Ok(Exit::Done)
}

/// A replay that takes so much longer than what it replays hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let log = Log::read(&args.log)?;
    let cards = emulated_card(&log);
    if cards.is_empty() {
        return Err(Failure::NoCardInLog(args.log.display().to_string()));
    }
    let scratch = tempfile::tempdir().map_err(|cause| Failure::File { path: "a temporary folder".into(), cause })?;
    let other = scratch.path().join("emulated.jsonl");
    let ended = replayed(args, &log, &cards, scratch.path(), &other)?;
    let theirs = Log::read(&other)?;
    if let Some(keep) = &args.keep {
        std::fs::copy(&other, keep).map_err(|cause| Failure::File { path: keep.display().to_string(), cause })?;
    }
    let differences = compare(&log, &theirs);
    let made = log.calls.iter().filter(|call| is_driven(call)).count();
    let left = log.calls.len() - made;
    if args.json {
        let list = differences.iter().map(|one| {
            json!({
                "code": one.code,
                "n": one.n,
                "call": one.call,
                "recorded": one.recorded,
                "emulated": one.other,
                "count": one.count,
            })
        });
        let object = json!({
            "schema": 1,
            "library": log.opening.library,
            "recorded_emulated": log.opening.emulated.is_some(),
            "cards": cards,
            "calls": made,
            "calls_left_out": left,
            "cut": log.is_cut,
            "torn": log.is_torn,
            "differences": list.collect::<Vec<_>>(),
        });
        print(&format!("{object}\n"))?;
    } else {
        let mut text = format!("{made} calls made again, {left} left out, on {cards}\n");
        if log.is_cut {
            text += "the log was cut at its limit: what came after is not in it\n";
        }
        if log.is_torn {
            text += "the last line of the log is torn, and left out\n";
        }
        if !ended.success() {
            text += &format!("the replay ended early: {ended}\n");
        }
        for difference in &differences {
            text += &format!("{difference}\n");
        }
        text += &match differences.len() {
            0 => "no difference\n".to_owned(),
            1 => "1 difference\n".to_owned(),
            many => format!("{many} differences\n"),
        };
        print(&text)?;
    }
    Ok(if differences.is_empty() { Exit::Done } else { Exit::No })
}

/// Makes the calls in a process of their own, which may crash or hang without harm.
fn replayed(args: &Args, log: &Log, cards: &str, scratch: &Path, out: &Path) -> Result<ExitStatus, Failure> {
    let failed = |cause| Failure::Program { program: "dagctl".into(), cause };
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.arg("replay-calls").arg(&args.log);
    let library = match &args.library {
        Some(path) => path.canonicalize().map_err(|cause| Failure::File { path: path.display().to_string(), cause })?,
        None => EMULATED.folder()?.join("libdag.so.5"),
    };
    under_recorder(&mut command, &library, out)?;
    // These cards and no others.
    command.env("DAG_EMU_CARDS", cards).env_remove("DAG_EMU_CONFIG").env("DAG_EMU_DIR", scratch);
    let mut child = command.spawn().map_err(failed)?;
    let longest = 2 * Duration::from_micros(log.duration_us()) + PATIENCE;
    wait(&mut child, longest).map_err(failed)
}

fn wait(child: &mut Child, longest: Duration) -> std::io::Result<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() > longest {
            child.kill()?;
            return child.wait();
        }
        thread::sleep(Duration::from_millis(5));
    }
}
