//! `wiretruth verdict judge`: which samples of a log to believe.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;
use wire_truth::UserLog;
use wire_truth::verdict::{Thresholds, Verdicts};

use super::super::probes::Probes;
use super::super::{Failure, apart, print, whole_file};
use super::{signals, truth};
use crate::exit::Exit;

/// The options of `wiretruth verdict judge`.
#[derive(Debug, clap::Args)]
pub(in crate::wiretruth) struct Args {
    /// The log of tping, or what ping -D prints.
    #[arg(short, long, value_name = "FILE")]
    user: PathBuf,

    /// The signals beside it, of tping --signals or wiretruth verdict sample.
    #[arg(short, long, value_name = "FILE")]
    signals: Option<PathBuf>,

    /// What wiretruth verdict learn has written. Without it limits are strict, and nothing is claimed of what is corrected.
    #[arg(short, long, value_name = "FILE")]
    thresholds: Option<PathBuf>,

    /// The interface that probes left by is the last before the wire, and nobody else queued behind it.
    #[arg(long, value_name = "IFACE")]
    uplink: Option<String>,

    /// The capture of the wire, to hold the verdicts against.
    #[arg(short, long, value_name = "FILE")]
    wire: Option<PathBuf>,

    #[command(flatten)]
    probes: Probes,

    /// Write every sample's verdict into this file, as CSV.
    #[arg(long, value_name = "FILE")]
    per_probe: Option<PathBuf>,

    /// One object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    if args.wire.is_none() && args.probes != Probes::default() {
        let what = "--ident, --rest-lead and --rest-trail say what is held against the wire: give its capture with --wire, or leave them out";
        return Err(Failure::Usage(what.to_owned()));
    }
    let read: Vec<&Path> = [Some(&args.user), args.signals.as_ref(), args.thresholds.as_ref(), args.wire.as_ref()]
        .into_iter()
        .flatten()
        .map(PathBuf::as_path)
        .collect();
    let written: Vec<&Path> = args.per_probe.as_deref().into_iter().collect();
    apart(&read, &written)?;
    let user = UserLog::read(&args.user)?;
    let signals = signals(&args.signals)?;
    let thresholds = args.thresholds.as_ref().map(|path| Thresholds::read(path)).transpose()?.unwrap_or_default();
    let cases = args.wire.as_ref().map(|wire| truth(&args.probes, wire, &user)).transpose()?;
    let verdicts = Verdicts::of(&user, signals.as_ref(), args.uplink.as_deref(), &thresholds, cases.as_deref())?;
    if let Some(path) = &args.per_probe {
        let failed = |cause| Failure::File { path: path.display().to_string(), cause };
        whole_file(path, |file| file.write_all(verdicts.to_csv().as_bytes()).map_err(failed))?;
    }
    print(&match args.json {
        true => {
            let mut object = verdicts.to_json();
            object["schema"] = json!(1);
            format!("{object}\n")
        }
        false => verdicts.to_text(),
    })?;
    Ok(Exit::Done)
}
