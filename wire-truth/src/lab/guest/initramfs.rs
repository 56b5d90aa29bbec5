//! [`Initramfs`]: a guest's first and only file system, made of what was fetched and of this machine's programs.
//!
//! ```text
//! /usr/bin/*         programs of the host, wiretruth first: the guest's first process
//! /lib/...           their loader and libraries
//! /bin/busybox       and the names of what it can do
//! /modules/          with the order in which they are loaded
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::cpio::Cpio;
use super::elf;
use super::error::{About, Trouble};
use super::files::GuestFiles;
use super::init::{BUSYBOX, MODULES, ORDER};
use super::programs::{library_folder, needs};
use crate::Error;

/// Where programs go.
const PROGRAMS: &str = "/usr/bin";

/// The agent's name in the guest.
pub(crate) const AGENT: &str = "/usr/bin/wiretruth";

/// What goes into a guest.
#[derive(Debug)]
pub struct Initramfs<'a> {
    files: &'a GuestFiles,
    programs: Vec<(String, PathBuf)>,
    data: Vec<(String, Vec<u8>)>,
}

impl<'a> Initramfs<'a> {
    /// One with `wiretruth`, which is the program of that name: its hidden command `lab guest-agent` is the guest's first process.
    pub fn new(files: &'a GuestFiles, wiretruth: impl Into<PathBuf>) -> Self {
        Self { files, programs: vec![(AGENT.to_owned(), wiretruth.into())], data: Vec::new() }
    }

    /// Adds a program of this machine, by its own name in `/usr/bin`, without symbols and debugging information.
    #[must_use]
    pub fn program(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.programs.push((format!("{PROGRAMS}/{name}"), path));
        self
    }

    /// Adds a file at the absolute path `name`.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        self.data.push((name.into(), data.into()));
        self
    }

    /// Writes it to `path`, compressed.
    ///
    /// # Errors
    ///
    /// When a program or one of its libraries is missing or is none, and when `path` cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let out = BufWriter::new(File::create(path).about(path)?);
        // The fast level: what is saved by more is nothing beside the time it takes.
        let mut cpio = Cpio::new(GzEncoder::new(out, Compression::fast()));
        for folder in ["/proc", "/sys", "/tmp", "/dev", "/etc", "/bin"] {
            cpio.folder(folder).about(path)?;
        }
        // The first process has them open before it can mount anything.
        cpio.device("/dev/console", 5, 1).about(path)?;
        cpio.device("/dev/null", 1, 3).about(path)?;
        let busybox = self.files.busybox();
        cpio.file(BUSYBOX, 0o755, &fs::read(&busybox).about(&busybox)?).about(path)?;
        let modules = self.files.modules()?;
        let order: Vec<&str> = modules.iter().map(|(name, _)| name.as_str()).collect();
        cpio.file(ORDER, 0o644, order.join("\n").as_bytes()).about(path)?;
        for (name, module) in &modules {
            cpio.file(&format!("{MODULES}/{name}"), 0o644, module).about(path)?;
        }
        for (name, file) in self.executables()? {
            let bytes = fs::read(&file).about(&file)?;
            cpio.file(&name, 0o755, &elf::loaded(bytes)).about(path)?;
        }
        for (name, data) in &self.data {
            cpio.file(name, 0o644, data).about(path)?;
        }
        let gzip = cpio.finish().about(path)?;
        let out = gzip.finish().about(path)?;
        out.into_inner().map_err(std::io::IntoInnerError::into_error).about(path)?;
        Ok(())
    }

    /// Programs, loaders and libraries: each name in the guest with the file that it is of, once.
    fn executables(&self) -> Result<BTreeMap<String, PathBuf>, Trouble> {
        let mut all = BTreeMap::new();
        for (name, path) in &self.programs {
            let bytes = fs::read(path).about(path)?;
            let needs = needs(path, &bytes)?;
            all.insert(name.clone(), path.clone());
            let folder = library_folder(&needs).display().to_string();
            all.extend(needs.loader.into_iter().map(|loader| (loader.display().to_string(), loader)));
            all.extend(needs.libraries.into_iter().map(|(library, file)| (format!("{folder}/{library}"), file)));
        }
        Ok(all)
    }
}
