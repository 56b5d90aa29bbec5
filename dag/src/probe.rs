//! Whether anything on this machine hints at a card.

use std::fmt;
use std::path::Path;

/// A sign that there is a card, or was meant to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    /// `DAG_LIBRARY` is set.
    Variable(String),
    /// A device node.
    Device(String),
    /// The driver is loaded.
    Driver(String),
    /// The vendor's library.
    Library(String),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(value) => write!(f, "DAG_LIBRARY is set to {value:?}"),
            Self::Device(path) => write!(f, "{path} exists"),
            Self::Driver(path) => write!(f, "the driver is loaded ({path} exists)"),
            Self::Library(path) => write!(f, "a DAG library is installed ({path})"),
        }
    }
}

/// Where loaders look for libraries, besides `LD_LIBRARY_PATH`.
const LIBRARY_DIRS: &[&str] = &[
    "lib",
    "lib64",
    "usr/lib",
    "usr/lib64",
    "usr/local/lib",
    "usr/local/lib64",
    "usr/lib/x86_64-linux-gnu",
    "usr/local/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
];

/// The first sign of a card on this machine.
pub(crate) fn hint() -> Option<Hint> {
    let var = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    look(Path::new("/"), var("DAG_LIBRARY"), var("LD_LIBRARY_PATH"))
}

fn look(root: &Path, dag_library: Option<String>, library_path: Option<String>) -> Option<Hint> {
    if let Some(value) = dag_library {
        return Some(Hint::Variable(value));
    }
    if let Some(path) = find(&root.join("dev"), |name| {
        name.strip_prefix("dag").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    }) {
        return Some(Hint::Device(path));
    }
    let class = root.join("sys/class/dag");
    if class.exists() {
        return Some(Hint::Driver(class.display().to_string()));
    }
    let loader = library_path.unwrap_or_default();
    let own = loader.split(':').filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).to_path_buf());
    let standard = LIBRARY_DIRS.iter().map(|dir| root.join(dir));
    own.chain(standard)
        .find_map(|dir| find(&dir, |name| name == "libdag.so" || name.starts_with("libdag.so.")))
        .map(Hint::Library)
}

/// The first entry of `dir`, by name, that `wanted` wants.
fn find(dir: &Path, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let entries = std::fs::read_dir(dir).ok()?;
    let mut names: Vec<_> =
        entries.flatten().filter(|e| e.file_name().to_str().is_some_and(&wanted)).map(|e| e.path()).collect();
    names.sort();
    names.first().map(|path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn each_sign_is_seen_and_nothing_else_is_one() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(look(root, None, None), None);
        assert_eq!(look(root, Some(String::new()), None), Some(Hint::Variable(String::new())));

        fs::create_dir_all(root.join("usr/lib")).unwrap();
        fs::write(root.join("usr/lib/libdagger.so"), "").unwrap();
        fs::create_dir_all(root.join("dev")).unwrap();
        fs::write(root.join("dev/dagger"), "").unwrap();
        assert_eq!(look(root, None, None), None);

        fs::write(root.join("usr/lib/libdag.so.5"), "").unwrap();
        assert!(matches!(look(root, None, None), Some(Hint::Library(p)) if p.ends_with("libdag.so.5")));

        fs::create_dir_all(root.join("sys/class/dag")).unwrap();
        assert!(matches!(look(root, None, None), Some(Hint::Driver(_))));

        fs::write(root.join("dev/dag0"), "").unwrap();
        assert!(matches!(look(root, None, None), Some(Hint::Device(p)) if p.ends_with("dev/dag0")));
    }

    #[test]
    fn the_loaders_own_path_counts() {
        let root = tempfile::tempdir().unwrap();
        let own = tempfile::tempdir().unwrap();
        fs::write(own.path().join("libdag.so"), "").unwrap();
        let path = format!(":{}", own.path().display());
        assert!(matches!(look(root.path(), None, Some(path)), Some(Hint::Library(_))));
    }
}
