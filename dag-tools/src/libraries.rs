//! Where the libraries are that programs find by the name of libdag: installed, or as cargo leaves them.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What stands for libdag: its two files, by the names that programs look for, each with the name under which cargo builds it.
#[derive(Debug, Clone, Copy)]
pub struct Libraries {
    files: [(&'static str, &'static str); 2],
    /// Where they are installed, seen from the programs.
    installed: &'static str,
    /// A folder beside what cargo builds, for links with the right names.
    links: &'static str,
}

/// The emulated card.
pub const EMULATED: Libraries = Libraries {
    files: [("libdag.so.5", "libdag_emu_abi.so"), ("libdagconf.so.5", "libdag_emu_conf_abi.so")],
    installed: "../lib",
    links: "libdag-links",
};

/// The flight recorder; its libdagconf only refers to libdag, whichever that is.
pub const RECORDER: Libraries = Libraries {
    files: [("libdag.so.5", "libdag_trace_abi.so"), ("libdagconf.so.5", "libdag_emu_conf_abi.so")],
    installed: "../lib/dag-trace",
    links: "dag-trace-links",
};

/// The libraries cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibrariesError {
    /// They are not here.
    #[error(
        "the libraries are not here: no {name} in {installed} or beside {program}; `cargo build --release` in the project's folder \
         makes them, `cargo xtask dist` a tree to copy; `cargo install` does not bring libraries"
    )]
    Missing {
        /// The first that is missing.
        name: &'static str,
        /// Where it would be installed.
        installed: &'static str,
        /// This program.
        program: String,
    },
    /// The system refuses it.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// Why.
        cause: io::Error,
    },
}

fn failed(path: &Path, cause: io::Error) -> LibrariesError {
    LibrariesError::File { path: path.display().to_string(), cause }
}

impl Libraries {
    /// The files, by the names that programs look for.
    ///
    /// # Errors
    ///
    /// When one is missing.
    pub fn files(&self) -> Result<[(&'static str, PathBuf); 2], LibrariesError> {
        let program = std::env::current_exe().map_err(|cause| failed(Path::new("this program"), cause))?;
        let beside = program.parent().unwrap_or(Path::new("/")).to_owned();
        let mut found = [("", PathBuf::new()), ("", PathBuf::new())];
        for ((name, built), place) in self.files.into_iter().zip(&mut found) {
            let path =
                [beside.join(self.installed).join(name), beside.join(built)].into_iter().find(|path| path.is_file());
            let path = path.ok_or_else(|| LibrariesError::Missing {
                name,
                installed: self.installed,
                program: program.display().to_string(),
            })?;
            *place = (name, path.canonicalize().map_err(|cause| failed(&path, cause))?);
        }
        Ok(found)
    }

    /// A folder in which the loader finds them by their names.
    ///
    /// # Errors
    ///
    /// When one is missing, or links to them cannot be made.
    pub fn folder(&self) -> Result<PathBuf, LibrariesError> {
        let files = self.files()?;
        let [(name, first), _] = &files;
        let folder = first.parent().unwrap_or(Path::new("/"));
        if first.file_name().is_some_and(|file| file == *name) {
            return Ok(folder.to_owned());
        }
        let links = folder.join(self.links);
        fs::create_dir_all(&links).map_err(|cause| failed(&links, cause))?;
        for (installed, file) in &files {
            for name in [installed, installed.trim_end_matches(".5")] {
                let link = links.join(name);
                if fs::read_link(&link).ok().as_deref() != Some(file) {
                    let new = links.join(format!(".{name}.{}", std::process::id()));
                    symlink(file, &new)
                        .and_then(|()| fs::rename(&new, &link))
                        .map_err(|cause| failed(&links, cause))?;
                }
            }
        }
        Ok(links)
    }
}
