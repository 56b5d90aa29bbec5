//! [`NamedFiles`]: the files of a rotated recording, their names, and which of them are kept.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dag::emu::units;
use dag::file::writer::{Output, OutputOptions, give_name};
use dag::record::{Files, Part};

use super::hook::Hook;
use crate::messages::say;
use crate::template::Template;

/// Names of files that are complete, the last ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Made(Arc<Mutex<VecDeque<String>>>);

/// So many names are remembered.
const REMEMBERED: usize = 1000;

impl Made {
    /// One that is going to be there.
    pub(super) fn of(name: String) -> Self {
        let made = Self::default();
        made.add(name);
        made
    }

    fn add(&self, name: String) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() == REMEMBERED {
            names.pop_front();
        }
        names.push_back(name);
    }

    /// The names, in order.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// How much is kept of what this recording has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// So many files.
    Files(usize),
    /// So many bytes.
    Bytes(u64),
    /// Files that were completed no longer ago than this.
    Age(Duration),
}

impl Keep {
    /// `100`, `20GiB`, `36h`.
    ///
    /// # Errors
    ///
    /// Anything else, and nothing at all.
    pub fn parse(text: &str) -> Result<Self, String> {
        let keep = if text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().ok().map(Self::Files)
        } else {
            let size = units::parse_size(text).ok().map(Self::Bytes);
            size.or_else(|| units::parse_duration(text).ok().map(Self::Age))
        };
        match keep {
            Some(Self::Files(0) | Self::Bytes(0) | Self::Age(Duration::ZERO)) => Err("more than nothing".to_owned()),
            Some(keep) => Ok(keep),
            None => Err("a number of files, a size such as 20GiB, or an age such as 36h".to_owned()),
        }
    }
}

/// A file that is complete.
#[derive(Debug)]
pub(super) struct Complete {
    path: PathBuf,
    bytes: u64,
    since: Instant,
}

/// What of a recording is still there, the oldest first; of all its streams.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<VecDeque<Complete>>>);

/// The files of a rotated recording: `NAME.part` until they are complete, and `NAME` then.
#[derive(Debug)]
pub(super) struct NamedFiles {
    pub(super) program: &'static str,
    pub(super) folder: PathBuf,
    pub(super) template: Template,
    pub(super) options: OutputOptions,
    pub(super) keep: Option<Keep>,
    pub(super) hook: Option<Arc<Hook>>,
    pub(super) made: Made,
    /// What of this recording is still there, the oldest first.
    complete: Kept,
}

impl NamedFiles {
    pub(super) fn new(
        program: &'static str,
        folder: PathBuf,
        template: Template,
        options: OutputOptions,
        made: Made,
        complete: Kept,
    ) -> Self {
        Self { program, folder, template, options, keep: None, hook: None, made, complete }
    }

    fn path(&self, part: &Part) -> io::Result<PathBuf> {
        let number = format!("{:05}", part.number);
        let name = self.template.name(part.start, &[("number", &number), ("n", &number)]);
        Ok(self.folder.join(name.map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what))?))
    }

    /// Removes what is more than is to be kept.
    fn prune(&self) {
        let Some(keep) = self.keep else { return };
        let mut complete = self.complete.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes: u64 = complete.iter().map(|file| file.bytes).sum();
        while let Some(oldest) = complete.front() {
            let goes = match keep {
                Keep::Files(files) => complete.len() > files,
                Keep::Bytes(most) => bytes > most && complete.len() > 1,
                Keep::Age(age) => oldest.since.elapsed() > age,
            };
            if !goes {
                break;
            }
            bytes -= oldest.bytes;
            match fs::remove_file(&oldest.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    say(self.program, format_args!("{}: not removed: {error}", oldest.path.display()));
                }
                _ => {}
            }
            complete.pop_front();
        }
    }
}

/// Where a file is until it is complete.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

impl Files for NamedFiles {
    fn begin(&mut self, part: &Part) -> io::Result<Output> {
        let path = self.path(part)?;
        let complete = self.complete.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = complete.iter().any(|file| file.path == path);
        drop(complete);
        if ours || (!self.options.forces() && path.symlink_metadata().is_ok()) {
            // It refuses what is there, in its own words. What is not there any more is not made.
            drop(Output::create(&path, OutputOptions::new())?);
        }
        Ok(Output::create(unfinished(&path), self.options)?)
    }

    fn finished(&mut self, part: &Part, output: Output, bytes: u64) -> io::Result<()> {
        drop(output);
        let path = self.path(part)?;
        give_name(&unfinished(&path), &path, self.options)?;
        self.made.add(path.display().to_string());
        if let Some(hook) = &self.hook {
            hook.file(&path);
        }
        let complete = Complete { path, bytes, since: Instant::now() };
        self.complete.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(complete);
        self.prune();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_told_by_its_unit() {
        assert_eq!(Keep::parse("100"), Ok(Keep::Files(100)));
        assert_eq!(Keep::parse("20GiB"), Ok(Keep::Bytes(20 << 30)));
        assert_eq!(Keep::parse("36h"), Ok(Keep::Age(Duration::from_secs(36 * 3600))));
        for wrong in ["", "0", "0s", "many", "-1"] {
            assert!(Keep::parse(wrong).is_err(), "{wrong}");
        }
    }
}
