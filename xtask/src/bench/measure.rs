//! One run of a program: how long it took, and with how much processor time and memory.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::shell::{self, About, Result, finding};

/// A program to be run, by itself and without a shell.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// A file in place of its standard input.
    pub(super) input: Option<PathBuf>,
    /// A file in place of its standard output, which goes nowhere otherwise.
    pub(super) output: Option<PathBuf>,
    /// What it makes, and what is not to be there when it begins.
    pub(super) makes: Vec<PathBuf>,
    /// Also a status of 1 is well.
    pub(super) may_say_no: bool,
}

/// What a run took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Taken {
    /// Seconds by the clock.
    pub(super) wall: f64,
    /// Seconds of processors.
    pub(super) cpu: f64,
    /// The most memory that was resident, mapped files included, in MiB.
    pub(super) resident: f64,
}

impl Run {
    pub(super) fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            input: None,
            output: None,
            makes: Vec::new(),
            may_say_no: false,
        }
    }

    pub(super) fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(super) fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// An argument that a path is part of, such as `erf:/tmp/a.erf`.
    pub(super) fn uri(self, scheme: &str, path: &Path) -> Self {
        let mut uri = OsString::from(scheme);
        uri.push(path);
        self.arg(uri)
    }

    /// Standard output goes to `path`.
    pub(super) fn into_file(mut self, path: &Path) -> Self {
        self.output = Some(path.to_owned());
        self
    }

    /// It makes `path`, which is named in its arguments.
    pub(super) fn making(mut self, path: &Path) -> Self {
        self.makes.push(path.to_owned());
        self
    }

    pub(super) fn may_say_no(mut self) -> Self {
        self.may_say_no = true;
        self
    }

    /// Removes what it makes.
    pub(super) fn clear(&self) -> Result {
        for path in self.makes.iter().chain(&self.output) {
            if path.is_dir() {
                fs::remove_dir_all(path).about(path)?;
            } else if path.exists() {
                fs::remove_file(path).about(path)?;
            }
        }
        Ok(())
    }

    /// Runs it once by `measured`, which is `benches/c/measured.c`.
    pub(super) fn measure(&self, measured: &Path, folder: &Path) -> Result<Taken> {
        self.clear()?;
        let (report, errors) = (folder.join("report"), folder.join("errors"));
        let mut command = shell::program(measured);
        command.arg(&report).arg(&self.program).args(&self.arguments);
        command.stdin(match &self.input {
            Some(path) => Stdio::from(File::open(path).about(path)?),
            None => Stdio::null(),
        });
        command.stdout(match &self.output {
            Some(path) => Stdio::from(File::create(path).about(path)?),
            None => Stdio::null(),
        });
        command.stderr(File::create(&errors).about(&errors)?);
        let status = command.status().map_err(|cause| shell::start_error(&command, cause))?;
        let text = if status.success() { fs::read_to_string(&report).about(&report)? } else { String::new() };
        let said = || {
            let said = String::from_utf8_lossy(&fs::read(&errors).unwrap_or_default()).into_owned();
            said.lines().rev().take(5).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("; ")
        };
        match parse(&text) {
            Some((taken, code)) if code == 0 || (code == 1 && self.may_say_no) => Ok(taken),
            Some((_, code)) => finding(format!("{} ended with {code}: {}", self.program.display(), said())),
            None => finding(format!("{} could not be measured: {}", self.program.display(), said())),
        }
    }
}

/// What `measured` reports: nanoseconds, microseconds of user and system, KiB, status.
fn parse(report: &str) -> Option<(Taken, i32)> {
    let mut words = report.split_whitespace();
    let mut number = || words.next()?.parse::<f64>().ok();
    let (nanos, user, system, kib, code) = (number()?, number()?, number()?, number()?, number()?);
    let taken = Taken { wall: nanos / 1e9, cpu: (user + system) / 1e6, resident: kib / 1024.0 };
    Some((taken, code as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_a_run_are_read() {
        let (taken, code) = parse("1500000000 900000 100000 2048 1\n").unwrap();
        assert_eq!(taken, Taken { wall: 1.5, cpu: 1.0, resident: 2.0 });
        assert_eq!(code, 1);
        assert_eq!(parse("1500000000 900000 100000 2048"), None);
        assert_eq!(parse("perror"), None);
    }
}
