//! libdag as a vendor's library: our headers, how a library is found, what of it is known, and cards that misbehave.

mod card;
mod features;
mod headers;
mod learned;
mod loading;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of our headers.
fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dag-sys/include")
}

/// `tests/c/fake_libdag.c` as a library in `folder`, compiled against the headers in `include`.
fn fake(folder: &Path, include: &Path, options: &[&str]) -> PathBuf {
    let library = folder.join("libdag.so.5");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]).args(options);
    cc.arg("-I")
        .arg(include)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("c/fake_libdag.c"))
        .arg("-o")
        .arg(&library);
    let output = cc.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}
