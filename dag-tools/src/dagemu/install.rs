//! `dagemu install`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{Failure, PROGRAM};
use crate::libraries::{EMULATED, RECORDER};
use crate::messages::say;

/// The options of `dagemu install`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to: DIR/include, DIR/lib, DIR/lib/pkgconfig.
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (files, recorder) = (EMULATED.files()?, RECORDER.files()?);
    fs::create_dir_all(&args.prefix).map_err(|cause| failed(&args.prefix, cause))?;
    let prefix = args.prefix.canonicalize().map_err(|cause| failed(&args.prefix, cause))?;
    let (include, lib, config) = (prefix.join("include"), prefix.join("lib"), prefix.join("lib/pkgconfig"));
    let trace = lib.join("dag-trace");
    for folder in [&include, &lib, &config, &trace] {
        fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?;
    }
    for (name, text) in dag::sys::HEADERS {
        put(&include.join(name), text.as_bytes())?;
    }
    // libdag of the emulated card, and in a folder of its own the flight recorder that stands in front of a libdag.
    let into =
        |folder: &PathBuf, files: [(&'static str, PathBuf); 2]| files.map(|(name, file)| (folder.clone(), name, file));
    for (lib, name, file) in into(&lib, files).into_iter().chain(into(&trace, recorder)) {
        put(&lib.join(name), &fs::read(&file).map_err(|cause| failed(&file, cause))?)?;
        let link = lib.join(name.trim_end_matches(".5"));
        match fs::remove_file(&link) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(failed(&link, cause)),
            _ => symlink(name, &link).map_err(|cause| failed(&link, cause))?,
        }
    }
    let text = dag::sys::PKG_CONFIG.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    put(&config.join("libdag.pc"), text.as_bytes())?;
    say(PROGRAM, format_args!("headers, libraries and libdag.pc are in {}", prefix.display()));
    Ok(())
}

fn failed(path: &Path, cause: std::io::Error) -> Failure {
    Failure::File { path: path.display().to_string(), cause }
}

/// Writes beside and renames: who runs with the old library goes on with it.
fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let new = path.with_extension(format!("new{}", std::process::id()));
    fs::write(&new, bytes).and_then(|()| fs::rename(&new, path)).map_err(|cause| {
        let _ = fs::remove_file(&new);
        failed(path, cause)
    })
}
