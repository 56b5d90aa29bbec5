//! Where our libdag is: installed, or as cargo leaves it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::Failure;

/// Names as installed, and as cargo builds them.
pub(super) const LIBRARIES: [(&str, &str); 2] =
    [("libdag.so.5", "libdag_emu_abi.so"), ("libdagconf.so.5", "libdag_emu_conf_abi.so")];

/// The library files, by their installed names.
pub(super) fn files() -> Result<[(&'static str, PathBuf); 2], Failure> {
    let program = std::env::current_exe().map_err(|cause| Failure::File { path: "this program".into(), cause })?;
    let beside = program.parent().unwrap_or(Path::new("/")).to_owned();
    let places = [beside.join("../lib"), beside.clone()];
    let find = |installed: &str, built: &str| {
        let installed = places.iter().map(|place| place.join(installed));
        installed.chain([beside.join(built)]).find(|path| path.is_file())
    };
    let mut found = LIBRARIES.map(|(installed, built)| (installed, find(installed, built).unwrap_or_default()));
    for (installed, path) in &mut found {
        if path.as_os_str().is_empty() {
            return Err(Failure::Libraries(format!(
                "no {installed} in ../lib or beside {}; `cargo build --release` in the project's folder makes them, \
                 `cargo xtask dist` a tree to copy; `cargo install` does not bring libraries",
                program.display()
            )));
        }
        *path = path.canonicalize().map_err(|cause| Failure::File { path: path.display().to_string(), cause })?;
    }
    Ok(found)
}

/// A folder in which the loader finds the libraries by their names.
pub(super) fn folder() -> Result<PathBuf, Failure> {
    let files = files()?;
    let [(name, first), _] = &files;
    let folder = first.parent().unwrap_or(Path::new("/"));
    if first.file_name().is_some_and(|file| file == *name) {
        return Ok(folder.to_owned());
    }
    // As cargo leaves them: links with the right names beside them.
    let links = folder.join("libdag-links");
    let failed = |cause| Failure::File { path: links.display().to_string(), cause };
    fs::create_dir_all(&links).map_err(failed)?;
    for (installed, file) in &files {
        for name in [installed, installed.trim_end_matches(".5")] {
            let link = links.join(name);
            if fs::read_link(&link).ok().as_deref() != Some(file) {
                let new = links.join(format!(".{name}.{}", std::process::id()));
                symlink(file, &new).and_then(|()| fs::rename(&new, &link)).map_err(failed)?;
            }
        }
    }
    Ok(links)
}
