//! [`Trouble`]: why there is no guest, or why it does not do what it is told to.

use std::io;
use std::path::Path;

use crate::error::{Error, Repr};

/// The command that brings what guests boot from.
pub(crate) const FETCH: &str = "wiretruth lab fetch-guest";

/// What is wrong. Its text is that of the [`Error`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("{path}: {cause}")]
    File { path: String, cause: io::Error },
    #[error("no files to boot guests from: {path} is missing; `{FETCH}` brings them{place}")]
    NotFetched { path: String, place: String },
    #[error("{path} is not what was fetched: {what}; `{FETCH}` brings it again{place}")]
    Changed { path: String, what: String, place: String },
    #[error("neither XDG_CACHE_HOME nor HOME says where files of guests are; name a folder with --dir")]
    NoHome,
    #[error("guests are made for x86_64, and this machine is {0}")]
    Machine(&'static str),
    #[error("`{program}` is not in PATH; the package {package} brings it")]
    NoProgram { program: &'static str, package: &'static str },
    #[error("`{line}` failed ({status}): {said}{hint}")]
    Command { line: String, status: String, said: String, hint: &'static str },
    #[error("the package {package} has no {what} in it")]
    Package { package: String, what: String },
    #[error("{path} is no program that a guest can run: {what}")]
    Program { path: String, what: String },
    #[error("{program} needs the library {library}, which is not on this machine")]
    Library { program: String, library: String },
    #[error("what came through the guest's port is no frame: {0}")]
    Frame(String),
    #[error("a frame of {bytes} bytes is more than the {most} that one may have")]
    FrameSize { bytes: u64, most: u64 },
    #[error("the guest is not up after {seconds} s; {end}")]
    NotUp { seconds: u64, end: String },
    #[error("QEMU has ended ({status}); {end}")]
    Ended { status: String, end: String },
    #[error("the guest has not answered to `{what}` after {seconds} s; {end}")]
    Silent { what: String, seconds: u64, end: String },
    #[error("the guest cannot do `{what}`: {why}")]
    Refused { what: String, why: String },
    #[error("setting up the guest's network: `{line}` failed: {said}")]
    Network { line: String, said: String },
}

impl Trouble {
    pub(crate) fn file(path: impl AsRef<Path>, cause: io::Error) -> Self {
        Self::File { path: path.as_ref().display().to_string(), cause }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Repr::Guest(trouble).into()
    }
}

/// Says which file an error of the system is about.
pub(crate) trait About<T> {
    fn about(self, path: impl AsRef<Path>) -> Result<T, Trouble>;
}

impl<T> About<T> for io::Result<T> {
    fn about(self, path: impl AsRef<Path>) -> Result<T, Trouble> {
        self.map_err(|cause| Trouble::file(path, cause))
    }
}
