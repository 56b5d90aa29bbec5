//! The folder for recordings.

use std::path::Path;

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, access};

use super::Finding;

/// A minute of a full 10 Gbit/s link is about 75 GB; below this not even a second of it fits.
const LITTLE: u64 = 1 << 30;

pub(super) fn examine(folder: &Path) -> Finding {
    let name = folder.display().to_string();
    let about = match statvfs(folder) {
        Ok(about) => about,
        Err(errno) => {
            return Finding::bad("disk", format!("{name}: {}", errno.desc()), "name a folder that exists with --dir");
        }
    };
    if about.flags().contains(FsFlags::ST_RDONLY) {
        return Finding::bad(
            "disk",
            format!("{name} is on a file system that is mounted read-only"),
            "record elsewhere",
        );
    }
    if let Err(errno) = access(folder, AccessFlags::W_OK | AccessFlags::X_OK) {
        let found = format!("{name} may not be written by this user: {}", errno.desc());
        return Finding::bad("disk", found, "record elsewhere, or change the folder's mode");
    }
    // Types differ between platforms.
    #[allow(clippy::useless_conversion, reason = "not everywhere")]
    let free = u64::from(about.blocks_available()) * u64::from(about.fragment_size());
    verdict(&name, free)
}

fn verdict(name: &str, free: u64) -> Finding {
    let found = format!("{name} has {:.1} GB left", free as f64 / 1e9);
    match free {
        0 => Finding::bad("disk", format!("{name} is full"), "delete something, or record elsewhere"),
        little if little < LITTLE => Finding::notice("disk", found, "a full 10 Gbit/s link fills 1.25 GB a second"),
        _ => Finding::good("disk", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn room_is_told_and_its_lack() {
        assert_eq!(verdict("here", 0).verdict, Verdict::Bad);
        assert_eq!(verdict("here", 1 << 29).verdict, Verdict::Notice);
        let good = verdict("here", 20_000_000_000);
        assert!(good.verdict == Verdict::Good && good.found == "here has 20.0 GB left", "{good:?}");
    }

    #[test]
    fn a_folder_that_is_not_there_or_read_only_is_bad() {
        let missing = examine(Path::new("/no/such/folder"));
        assert!(missing.verdict == Verdict::Bad && missing.found.contains("No such file"), "{missing:?}");
        let proc = examine(Path::new("/proc/self"));
        assert_ne!(proc.verdict, Verdict::Good, "{proc:?}");
        let here = tempfile::tempdir().unwrap();
        assert_ne!(examine(here.path()).verdict, Verdict::Bad);
    }
}
