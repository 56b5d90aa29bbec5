//! `wiretruth lab fetch-guest`: what guests boot from.

use std::path::PathBuf;

use wire_truth::lab::guest;

use super::super::{Failure, PROGRAM, print};
use crate::exit::Exit;
use crate::messages::say;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to. [default: dag-guest in $XDG_CACHE_HOME, else in ~/.cache]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Fetches, and prints where kernel and busybox are now, and of which packages.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let folder = args.dir.clone().map_or_else(guest::default_folder, Ok)?;
    let files = guest::fetch(&folder, |done| say(PROGRAM, done))?;
    print(&format!("{:#}\n", files.about()))?;
    Ok(Exit::Done)
}
