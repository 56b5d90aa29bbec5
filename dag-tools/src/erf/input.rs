//! What is read: files, folders, standard input.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use erf::convert::{FileOptions, RecordOptions};
use erf::input::Source;
use erf::{Access, FileFormat, Reader, ReaderBuilder};

use super::Failure;

/// How inputs are read.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Reading {
    /// Read as this format, whatever the content looks like.
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Reading")]
    read_as: Option<ReadAs>,

    /// Search for the next records after damage, instead of ending there.
    #[arg(long, help_heading = "Reading")]
    recover: bool,
}

/// Formats by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReadAs {
    Erf,
    Pcap,
    Pcapng,
}

impl From<ReadAs> for FileFormat {
    fn from(format: ReadAs) -> Self {
        match format {
            ReadAs::Erf => Self::Erf,
            ReadAs::Pcap => Self::Pcap,
            ReadAs::Pcapng => Self::PcapNg,
        }
    }
}

impl Reading {
    /// Opens what an argument names.
    pub(super) fn open(&self, input: &Path) -> Result<Reader, Failure> {
        Ok(self.builder().open(Source::from_arg(input))?)
    }

    /// Opens what is to be written as `format`, with META records of what a pcapng file says where that has a place for them.
    pub(super) fn open_for(&self, input: &Path, format: FileFormat) -> Result<Reader, Failure> {
        self.open_with(input, FileOptions::new(format).record_options())
    }

    /// The same for who looks into packets and must see all of them: snapped ones are not cut to multiples of 8, whatever is written.
    pub(super) fn open_whole_for(&self, input: &Path, format: FileFormat) -> Result<Reader, Failure> {
        let mut options = FileOptions::new(format).record_options();
        options.cut = false;
        self.open_with(input, options)
    }

    /// The same for one of several inputs, without META records of what it says.
    pub(super) fn open_among(&self, input: &Path, format: FileFormat) -> Result<Reader, erf::Error> {
        let mut options = FileOptions::new(format).record_options();
        options.describe = false;
        self.builder().record_options(options).open(Source::from_arg(input))
    }

    fn open_with(&self, input: &Path, options: RecordOptions) -> Result<Reader, Failure> {
        Ok(self.builder().record_options(options).open(Source::from_arg(input))?)
    }

    /// Whether the next records are searched for after damage.
    pub(super) fn recovers(&self) -> bool {
        self.recover
    }

    /// How a reader is to be made.
    pub(super) fn builder(&self) -> ReaderBuilder {
        // A file that becomes shorter while it is mapped ends the program without a word.
        let builder = Reader::builder().access(Access::Blocks).recover(self.recover);
        match self.read_as {
            Some(format) => builder.force_format(format.into()),
            None => builder,
        }
    }
}

/// `inputs`, folders among them replaced by the files in them, in order of their names; hidden ones are left out.
pub(super) fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for input in inputs {
        if input.as_os_str() == "-" || !input.is_dir() {
            files.push(input.clone());
            continue;
        }
        let before = files.len();
        folder(input, &mut files)?;
        if files.len() == before {
            return Err(Failure::Usage(format!("{}: there is no file in this folder", input.display())));
        }
    }
    let stdin = files.iter().filter(|file| file.as_os_str() == "-").count();
    match stdin {
        0 | 1 => Ok(files),
        _ => Err(Failure::Usage("standard input can be read only once: give - one time".to_owned())),
    }
}

fn folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |cause| Failure::File { path: folder.display().to_string(), cause };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for path in entries {
        let hidden = path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with('.'));
        // A link to a folder may lead back up.
        let link = path.is_symlink();
        match () {
            () if hidden => {}
            () if path.is_dir() && !link => self::folder(&path, files)?,
            () if path.is_file() => files.push(path),
            () => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_the_files_in_it() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.erf", "a.erf", ".hidden", "sub/c.erf"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        let found = files(&[PathBuf::from("-"), dir.path().to_owned(), PathBuf::from("x")]).unwrap();
        let expected = ["-".into(), dir.path().join("a.erf"), dir.path().join("b.erf"), dir.path().join("sub/c.erf")];
        assert_eq!(found[..4], expected);
        assert_eq!(found[4..], [PathBuf::from("x")]);

        fs::create_dir(dir.path().join("empty")).unwrap();
        assert!(files(&[dir.path().join("empty")]).is_err());
        assert!(files(&["-".into(), "-".into()]).is_err());
    }
}
