//! [`cards`]: the cards of this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::card::Card;
use crate::error::Error;

/// A card that was found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Found {
    /// The name by which [`Card::open`] opens it.
    pub name: String,
    /// The card, or why it cannot be opened.
    pub card: Result<Card, Error>,
}

/// The cards of this machine: real ones that the driver or a device node tells of, those that an emulated card's library has, and
/// those that `dagemu` serves.
pub fn cards() -> Vec<Found> {
    let served: Vec<String> = dag_emu::serve::list().into_iter().map(|(name, _)| name).collect();
    let mut numbers = known_numbers(Path::new("/"));
    if let Ok(lib) = dag_sys::Libdag::open()
        && lib.emulated().is_some()
    {
        // It has no device nodes. Those that are served too are told below.
        let all = 0..dag_sys::bindings::DAG_MAX_BOARDS;
        let there = all.filter(|number| !served.contains(&format!("dag{number}")) && can_open(&lib, *number));
        numbers.extend(there);
    }
    let real = numbers.into_iter().map(|number| format!("dag{number}"));
    let served = served.into_iter().map(|name| format!("emu:{name}"));
    real.chain(served).map(|name| Found { card: Card::open(&name), name }).collect()
}

fn can_open(lib: &dag_sys::Libdag, number: u32) -> bool {
    let name = std::ffi::CString::new(format!("/dev/dag{number}")).unwrap_or_default();
    let Ok(fd) = lib.dag_open(&name) else { return false };
    // SAFETY: it was just opened, and nothing attached.
    unsafe { lib.dag_close(fd) };
    true
}

/// The numbers of cards with a device node, or of which the driver tells.
pub(crate) fn known_numbers(root: &Path) -> BTreeSet<u32> {
    let folders = ["dev", "sys/class/dag"].map(|folder| root.join(folder));
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect()
}

/// The N of `dagN`.
fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("dag")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_the_driver_tell_of_cards() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert!(known_numbers(root).is_empty());
        for file in ["dev/dag3", "dev/dag", "dev/dagger", "dev/dag1x", "sys/class/dag/dag12", "sys/class/dag/dag3"] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(known_numbers(root).into_iter().collect::<Vec<_>>(), [3, 12]);
    }
}
