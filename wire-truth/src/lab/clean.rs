//! What an ended run may have left: half a cell, and cgroups whose guardian was killed, too.

use std::fs;
use std::path::{Path, PathBuf};

use super::cgroup;
use crate::error::{Error, Repr};

/// Removes what is left of runs that are over, of the run in `folder` half-measured cells; what that was.
///
/// # Errors
///
/// When something cannot be removed.
pub fn clean(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut removed = Vec::new();
    for group in cgroup::left_over() {
        cgroup::remove(&group);
        if group.exists() {
            return Err(Repr::Lab { what: format!("{}: there are processes in it", group.display()) }.into());
        }
        removed.push(group);
    }
    removed.extend(half_measured(folder)?);
    Ok(removed)
}

/// Removes cells that were not measured to their end.
fn half_measured(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "partial") && path.is_dir() {
            fs::remove_dir_all(&path).map_err(|cause| Repr::Io { path: path.display().to_string(), cause })?;
            removed.push(path);
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_cell_goes_and_a_whole_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["host-rest", "host-network.partial"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("wire.erf"), "x").unwrap();
        }
        fs::write(dir.path().join("notes.partial"), "mine").unwrap();
        assert_eq!(half_measured(dir.path()).unwrap(), [dir.path().join("host-network.partial")]);
        assert!(dir.path().join("host-rest/wire.erf").exists() && dir.path().join("notes.partial").exists());
        assert_eq!(half_measured(&dir.path().join("none")).unwrap(), Vec::<PathBuf>::new());
    }
}
