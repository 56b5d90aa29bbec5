//! [`GuestFiles`]: what guests boot from, as `wiretruth lab fetch-guest` leaves it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::{About, Trouble};
use crate::Error;

/// The kernel.
pub(crate) const KERNEL: &str = "vmlinuz";
/// The folder of modules.
pub(crate) const MODULES: &str = "modules";
/// Small versions of the usual programs, in one.
pub(crate) const BUSYBOX: &str = "busybox";
/// What the rest is: written last, so that a folder without it is not done.
pub(crate) const ABOUT: &str = "guest.json";

/// A folder with a kernel, its modules and busybox, all of the distribution's packages.
#[derive(Debug, Clone)]
pub struct GuestFiles {
    folder: PathBuf,
    about: Value,
    /// File names, in the order in which they are to be loaded.
    modules: Vec<String>,
}

/// Where files of guests are unless said otherwise: `dag-guest` in `XDG_CACHE_HOME`, else in `~/.cache`.
///
/// # Errors
///
/// When neither that nor `HOME` is set.
pub fn default_folder() -> Result<PathBuf, Error> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Ok(cache.ok_or(Trouble::NoHome)?.join("dag-guest"))
}

/// How a folder is named in the advice to fetch: not at all where it is the usual one.
fn place(folder: &Path) -> String {
    let usual = default_folder().is_ok_and(|usual| usual == folder);
    if usual { String::new() } else { format!(" (with --dir {})", folder.display()) }
}

impl GuestFiles {
    /// Those in `folder`, each looked at: a changed or half a file is not booted from.
    ///
    /// # Errors
    ///
    /// When some are missing or not what was fetched; says which command brings them.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let about = folder.join(ABOUT);
        let Ok(text) = fs::read_to_string(&about) else {
            return Err(Trouble::NotFetched { path: about.display().to_string(), place: place(folder) }.into());
        };
        let changed = |path: &Path, what: &str| {
            Error::from(Trouble::Changed {
                path: path.display().to_string(),
                what: what.to_owned(),
                place: place(folder),
            })
        };
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let (Some(1), Some(sums)) = (value["schema"].as_u64(), value["sha256"].as_object()) else {
            return Err(changed(&about, "schema 1 and sums of all files are to be in it"));
        };
        for (name, sum) in sums {
            let path = folder.join(name);
            let Ok(bytes) = fs::read(&path) else {
                return Err(Trouble::NotFetched { path: path.display().to_string(), place: place(folder) }.into());
            };
            if *sum != sha256(&bytes) {
                return Err(changed(&path, "its SHA-256 is another"));
            }
        }
        for needed in [KERNEL, BUSYBOX] {
            if !sums.contains_key(needed) {
                return Err(changed(&about, &format!("{needed} is not in it")));
            }
        }
        let modules = value["modules"].as_array().into_iter().flatten();
        let modules = modules.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { folder: folder.to_owned(), about: value, modules })
    }

    /// Those in [`default_folder`].
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn usual() -> Result<Self, Error> {
        Self::open(&default_folder()?)
    }

    /// The kernel to boot.
    pub fn kernel(&self) -> PathBuf {
        self.folder.join(KERNEL)
    }

    /// The release of the kernel, as `uname -r` will say in the guest.
    pub fn release(&self) -> &str {
        self.about["release"].as_str().unwrap_or("unknown")
    }

    /// All that is known of the files: the packages with their versions, and sums (`guest.json`).
    pub fn about(&self) -> &Value {
        &self.about
    }

    pub(crate) fn busybox(&self) -> PathBuf {
        self.folder.join(BUSYBOX)
    }

    /// Each module: its name and its file.
    pub(crate) fn modules(&self) -> Result<Vec<(String, Vec<u8>)>, Trouble> {
        let read = |name: &String| {
            let path = self.folder.join(MODULES).join(name);
            Ok((name.clone(), fs::read(&path).about(&path)?))
        };
        self.modules.iter().map(read).collect()
    }
}

/// SHA-256 as `sha256sum` prints it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sums_are_those_of_sha256sum() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_is_missing_or_changed_is_named_with_the_command_that_brings_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        let told = |name: &str| {
            let error = GuestFiles::open(folder).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Guest);
            let text = error.to_string();
            let advice = "`wiretruth lab fetch-guest` brings ";
            assert!(text.contains(advice) && text.contains(&format!("(with --dir {})", folder.display())), "{text}");
            assert!(text.contains(&folder.join(name).display().to_string()), "{text}");
            text
        };
        assert!(told("guest.json").contains("is missing"));
        fs::write(folder.join("guest.json"), "{}").unwrap();
        assert!(told("guest.json").contains("schema 1"));
        let sums = json!({"vmlinuz": sha256(b"k"), "busybox": sha256(b"b"), "modules/a.ko": sha256(b"a")});
        let about = json!({"schema": 1, "release": "6.1", "modules": ["a.ko"], "sha256": sums});
        fs::write(folder.join("guest.json"), about.to_string()).unwrap();
        fs::write(folder.join("vmlinuz"), "k").unwrap();
        fs::write(folder.join("busybox"), "b").unwrap();
        assert!(told("modules/a.ko").contains("is missing"));
        fs::create_dir(folder.join("modules")).unwrap();
        fs::write(folder.join("modules/a.ko"), "a").unwrap();
        let files = GuestFiles::open(folder).unwrap();
        assert_eq!((files.release(), files.modules().unwrap()), ("6.1", vec![("a.ko".to_owned(), b"a".to_vec())]));
        fs::write(folder.join("vmlinuz"), "other").unwrap();
        assert!(told("vmlinuz").contains("SHA-256 is another"));
    }
}
