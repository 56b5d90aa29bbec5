//! The first process of a guest: what it has to do before anything else runs.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};

use super::error::{About, Trouble};

/// Where modules lie in a guest, and the file that tells their order.
pub(crate) const MODULES: &str = "/modules";
pub(crate) const ORDER: &str = "/modules/order";
pub(crate) const BUSYBOX: &str = "/bin/busybox";
/// Where programs of the host are, and then those of busybox.
pub(crate) const PATH: &str = "/usr/bin:/bin";

/// File systems that programs expect, with what a small one may take of the memory.
const MOUNTS: [(&str, &str, &str); 4] =
    [("devtmpfs", "/dev", ""), ("proc", "/proc", ""), ("sysfs", "/sys", ""), ("tmpfs", "/tmp", "size=75%")];

/// Mounts, loads modules, gives busybox its names.
pub(crate) fn init() -> Result<(), Trouble> {
    for (kind, place, options) in MOUNTS {
        fs::create_dir_all(place).about(place)?;
        mount(Some(kind), place, Some(kind), MsFlags::empty(), Some(options)).map_err(io::Error::from).about(place)?;
    }
    if !Path::new("/dev/fd").exists() {
        symlink("/proc/self/fd", "/dev/fd").about("/dev/fd")?;
    }
    for name in fs::read_to_string(ORDER).about(ORDER)?.lines() {
        let path = Path::new(MODULES).join(name);
        let file = File::open(&path).about(&path)?;
        finit_module(&file, c"", ModuleInitFlags::empty()).map_err(io::Error::from).about(&path)?;
    }
    let mut names = Command::new(BUSYBOX);
    names.args(["--install", "-s", "/bin"]).stdout(Stdio::null()).stderr(Stdio::null());
    // Some of the names may be taken already, which it calls a failure.
    names.status().about(BUSYBOX).map(drop)
}
