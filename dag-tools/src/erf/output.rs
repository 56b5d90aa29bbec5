//! What is written: one file, complete or absent.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use erf::FileFormat;
use erf::convert::{Converter, FileOptions};
use erf::writer::{OutputOptions, WholeFile};

use super::Failure;

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

    /// Begins `output`, which is made from `read`.
    pub(super) fn begin(&self, output: &Path, read: &[PathBuf]) -> Result<Converter<WholeFile>, Failure> {
        const COMPRESSED: [&str; 6] = ["gz", "bz2", "xz", "zst", "zstd", "lz4"];
        if let Some(ending) = output.extension().and_then(OsStr::to_str).filter(|ending| COMPRESSED.contains(ending)) {
            let output = output.display();
            return Err(Failure::Usage(format!(
                "{output}: outputs are not compressed: leave .{ending} away, or write to - and pipe it into what compresses"
            )));
        }
        let file = self.file(output, read)?;
        let name = file.name().to_owned();
        Ok(Converter::new(file, &name, FileOptions::new(self.format(output))))
    }

    /// Begins `output` for whatever is no record.
    pub(super) fn file(&self, output: &Path, read: &[PathBuf]) -> Result<WholeFile, Failure> {
        let read: Vec<&Path> = read.iter().map(AsRef::as_ref).collect();
        Self::whole(output, &read, self.force)
    }

    /// Begins `output` where its format is not to be chosen.
    pub(super) fn whole(output: &Path, read: &[&Path], force: bool) -> Result<WholeFile, Failure> {
        Ok(WholeFile::create(output, OutputOptions::new().force(force), read)?)
    }
}
