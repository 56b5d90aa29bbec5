//! What is written: one file, complete or absent.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use erf::FileFormat;
use erf::compress::{Encoding, Workers};
use erf::convert::{Converter, FileOptions};
use erf::writer::{OutputOptions, WholeFile};

use super::Failure;

/// Endings of names of compressed files that are read.
pub(super) const COMPRESSED: [&str; 6] = ["gz", "bz2", "xz", "zst", "zstd", "lz4"];

/// How an output is written.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Writing {
    /// Format of the output; without it, what the name ends in (.erf, .pcap, .pcapng), else ERF.
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Writing")]
    to: Option<WriteAs>,

    /// Replace a file that exists.
    #[arg(long, help_heading = "Writing")]
    pub(super) force: bool,
}

/// Formats by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum WriteAs {
    Erf,
    Pcap,
    Pcapng,
}

impl From<WriteAs> for FileFormat {
    fn from(format: WriteAs) -> Self {
        match format {
            WriteAs::Erf => Self::Erf,
            WriteAs::Pcap => Self::Pcap,
            WriteAs::Pcapng => Self::PcapNg,
        }
    }
}

impl Writing {
    /// The format that an output of this name gets.
    pub(super) fn format(&self, output: &Path) -> FileFormat {
        self.to.map(FileFormat::from).or_else(|| FileFormat::of_name(output)).unwrap_or(FileFormat::Erf)
    }

    /// What the name of an output ends in that we choose.
    pub(super) const fn ending(&self) -> &'static str {
        match self.to {
            None | Some(WriteAs::Erf) => "erf",
            Some(WriteAs::Pcap) => "pcap",
            Some(WriteAs::Pcapng) => "pcapng",
        }
    }

    /// Begins `output`, which is made from `read`.
    pub(super) fn begin(&self, output: &Path, read: &[PathBuf]) -> Result<Converter<WholeFile>, Failure> {
        let read: Vec<&Path> = read.iter().map(AsRef::as_ref).collect();
        let file = Self::whole(output, &read, self.force)?;
        let name = file.name().to_owned();
        Ok(Converter::new(file, &name, FileOptions::new(self.format(output))))
    }

    /// Begins `output` for whatever is no record, or where its format is not to be chosen. It is compressed as its name says.
    pub(super) fn whole(output: &Path, read: &[&Path], force: bool) -> Result<WholeFile, Failure> {
        let encoding = Encoding::of_name(output);
        let ending = output.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase).unwrap_or_default();
        if encoding.is_none() && COMPRESSED.contains(&ending.as_str()) {
            let output = output.display();
            return Err(Failure::Usage(format!(
                "{output}: outputs are compressed as .zst, .lz4 or .gz, and not as .{ending}: name one of these, or write to - and \
                 pipe it into what compresses"
            )));
        }
        let file = WholeFile::create(output, OutputOptions::new().force(force), read)?;
        Ok(match encoding {
            Some(encoding) => file.compressed(encoding, workers()?),
            None => file,
        })
    }
}

/// Threads that compress whatever this program writes.
fn workers() -> Result<Workers, Failure> {
    static WORKERS: Mutex<Option<Workers>> = Mutex::new(None);
    let mut workers = WORKERS.lock().unwrap_or_else(PoisonError::into_inner);
    match &*workers {
        Some(workers) => Ok(workers.clone()),
        None => {
            let made =
                Workers::usual().map_err(|cause| Failure::Usage(format!("no threads that compress: {cause}")))?;
            *workers = Some(made.clone());
            Ok(made)
        }
    }
}

/// Refuses options that ask for one output, by whatever names.
pub(super) fn apart(outputs: &[(&str, &Path)]) -> Result<(), Failure> {
    for (at, (option, output)) in outputs.iter().enumerate() {
        if let Some((other, _)) = outputs.iter().take(at).find(|(_, other)| place(other) == place(output)) {
            let output =
                if output.as_os_str() == "-" { "standard output".to_owned() } else { output.display().to_string() };
            return Err(Failure::Usage(format!(
                "{other} and {option} would both be written to {output}: give each its own"
            )));
        }
    }
    Ok(())
}

/// Where `output` leads to, or will.
pub(super) fn place(output: &Path) -> PathBuf {
    if output.as_os_str() == "-" {
        return output.to_owned();
    }
    output.canonicalize().unwrap_or_else(|_| {
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        folder.join(output.file_name().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_output_by_two_names_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (there, link) = (dir.path().join("x"), dir.path().join("link"));
        std::fs::write(&there, "").unwrap();
        std::os::unix::fs::symlink("x", &link).unwrap();
        let (new, same) = (dir.path().join("new"), dir.path().join(".").join("new"));
        for (one, other, is_apart) in [
            (&there, &link, false),
            (&new, &same, false),
            (&PathBuf::from("-"), &PathBuf::from("-"), false),
            (&there, &new, true),
            (&PathBuf::from("-"), &PathBuf::from("./-"), true),
        ] {
            let answer = apart(&[("--csv", one), ("--svg", other)]);
            assert_eq!(answer.is_ok(), is_apart, "{} {}: {answer:?}", one.display(), other.display());
        }
    }
}
