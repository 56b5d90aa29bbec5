//! `wiretruth analyse`.

use std::fs;
use std::path::PathBuf;

use wire_truth::delay::Places;
use wire_truth::{Options, UserLog, Vantage, analyse};

use super::{Failure, output, print};
use crate::exit::Exit;

/// The options of `wiretruth analyse`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The capture of the wire: ERF of a card, or pcap, pcapng; compressed or not.
    #[arg(short, long, value_name = "FILE")]
    wire: PathBuf,

    /// The capture of the kernel that probes; of a guest, where there is one.
    #[arg(short, long, value_name = "FILE")]
    kernel: Option<PathBuf>,

    /// The capture at the physical interface of a guest's host.
    #[arg(long, value_name = "FILE")]
    dom0: Option<PathBuf>,

    /// What the probing program has written: a log of tping, or the output of ping -D.
    #[arg(short, long, value_name = "FILE")]
    user: Option<PathBuf>,

    /// The identifier of the echoes, if there are several runs in the captures.
    #[arg(long, value_name = "N")]
    ident: Option<u16>,

    /// So many probes at the begin were sent at rest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rest_lead: usize,

    /// So many probes at the end were sent at rest.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rest_trail: usize,

    /// Write every probe's stamps and delays into this file, as CSV.
    #[arg(long, value_name = "FILE")]
    per_probe: Option<PathBuf>,

    /// One object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let read = |name: &str, path: &Option<PathBuf>| path.as_ref().map(|path| Vantage::read(name, path)).transpose();
    let wire = Vantage::read("the wire", &args.wire)?;
    let (kernel, dom0) = (read("the kernel", &args.kernel)?, read("dom0", &args.dom0)?);
    let user = args.user.as_ref().map(|path| UserLog::read(path)).transpose()?;
    let places = Places { wire: &wire, kernel: kernel.as_ref(), dom0: dom0.as_ref(), user: user.as_ref() };
    let mut options = Options::default();
    (options.ident, options.rest_lead, options.rest_trail) = (args.ident, args.rest_lead, args.rest_trail);
    let analysis = analyse(&places, options)?;
    if let Some(path) = &args.per_probe {
        let failed = |cause| Failure::File { path: path.display().to_string(), cause };
        // Whole, or not there: half a table looks like one.
        let new = path.with_extension(format!("new{}", std::process::id()));
        fs::write(&new, output::per_probe(&analysis, &wire)).and_then(|()| fs::rename(&new, path)).map_err(
            |cause| {
                let _ = fs::remove_file(&new);
                failed(cause)
            },
        )?;
    }
    print(&match args.json {
        true => format!("{}\n", output::json(&analysis)),
        false => output::text(&analysis),
    })?;
    Ok(Exit::Done)
}
