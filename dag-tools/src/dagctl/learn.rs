//! `dagctl learn`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use dag::sys::values::{learn, places};

use super::{Failure, print};
use crate::exit::Exit;

/// The options of `dagctl learn`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of the installed headers: dagapi.h and the others.
    #[arg(long, value_name = "DIR")]
    include: PathBuf,

    /// Where to keep the values, instead of the place in which all our programs of this user look. DAG_VALUES names such a file.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// The C compiler; CC names it too.
    #[arg(long, value_name = "COMPILER")]
    cc: Option<OsString>,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let compiler = args.cc.clone().or_else(|| std::env::var_os("CC").filter(|name| !name.is_empty()));
    let values = learn(&args.include, &compiler.unwrap_or_else(|| "cc".into()))?;
    let path = match &args.out {
        Some(path) => path.clone(),
        // The user's own comes first, the machine's last.
        None if nix::unistd::geteuid().is_root() => places().pop().ok_or(Failure::NoPlace)?,
        None => places().into_iter().next().filter(|_| places().len() > 1).ok_or(Failure::NoPlace)?,
    };
    let text = values.to_text(&args.include.display().to_string());
    put(&path, &text).map_err(|cause| Failure::File { path: path.display().to_string(), cause })?;
    let mut said = format!("{}: {} values\n", path.display(), values.len());
    for name in values.missing() {
        said += &format!("  not in these headers: {name}\n");
    }
    if args.out.is_none()
        && let Some(first) = places().into_iter().find(|place| place.exists()).filter(|place| *place != path)
    {
        said += &format!("note: {} comes before it; remove that one\n", first.display());
    }
    print(&said)?;
    Ok(Exit::Done)
}

/// Whole, or as it was before.
fn put(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_extension(format!("new{}", std::process::id()));
    fs::write(&new, text).and_then(|()| fs::rename(&new, path)).inspect_err(|_| {
        // Half of it is of no use.
        let _ = fs::remove_file(&new);
    })
}
