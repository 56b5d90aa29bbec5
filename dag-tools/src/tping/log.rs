//! The log of a run: a line for each probe that is done, and at its end a line that says it ended by itself.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use wire_truth::{HEADER, ProbeKey, UserProbe};

/// Where the lines go.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
}

impl Log {
    /// Opens a new file, or empties one by `force`, and writes what the run is.
    pub(super) fn create(path: &Path, force: bool, context: &[(&str, String)]) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true);
        if force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let mut file = options.open(path)?;
        let mut text = String::new();
        for (name, value) in context {
            // A line is a line, whatever a host is called.
            text += &format!("# {name}: {}\n", value.replace(['\n', '\r'], " "));
        }
        writeln!(file, "{text}{HEADER}")?;
        Ok(Self { file })
    }

    /// A probe is done. The line is there whatever happens next.
    pub(super) fn note(&mut self, key: ProbeKey, size: usize, probe: &UserProbe) -> io::Result<()> {
        writeln!(self.file, "{}", probe.to_csv(key, size))
    }

    /// The run has ended, and not been ended.
    pub(super) fn end(mut self, how: &str) -> io::Result<()> {
        writeln!(self.file, "# end: {how}")
    }
}
