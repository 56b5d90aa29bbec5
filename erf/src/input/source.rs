//! Where bytes come from.

use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A place to read from: a file, standard input, or any [`Read`].
///
/// ```
/// use erf::input::Source;
///
/// assert!(matches!(Source::from_arg("-"), Source::Stdin));
/// assert!(matches!(Source::from_arg("wire.erf"), Source::Path(_)));
/// ```
#[non_exhaustive]
pub enum Source {
    /// A file, named pipe or device.
    Path(PathBuf),
    /// The standard input of this process.
    Stdin,
    /// Any stream, with the name that error messages use for it.
    Stream {
        /// How error messages call it.
        name: String,
        /// The bytes.
        reader: Box<dyn Read + Send>,
    },
}

impl Source {
    /// A command-line argument: `-` is standard input, anything else a path.
    pub fn from_arg(arg: impl AsRef<OsStr>) -> Source {
        let arg = arg.as_ref();
        if arg == "-" { Source::Stdin } else { Source::Path(PathBuf::from(arg)) }
    }

    /// Any stream; messages call it "stream".
    pub fn from_read(reader: impl Read + Send + 'static) -> Source {
        Source::Stream { name: "stream".to_owned(), reader: Box::new(reader) }
    }

    /// How messages call this source.
    pub fn name(&self) -> String {
        match self {
            Source::Path(path) => path.display().to_string(),
            Source::Stdin => "standard input".to_owned(),
            Source::Stream { name, .. } => name.clone(),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name()).finish()
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Source {
        Source::Path(path.to_owned())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Source {
        Source::Path(path)
    }
}

impl From<&PathBuf> for Source {
    fn from(path: &PathBuf) -> Source {
        Source::Path(path.clone())
    }
}

/// Always a path; [`Source::from_arg`] knows `-` as well.
impl From<&str> for Source {
    fn from(path: &str) -> Source {
        Source::Path(PathBuf::from(path))
    }
}
