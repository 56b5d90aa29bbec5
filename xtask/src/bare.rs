//! The two commands of the README where there is little: a fresh Debian with a C linker, the Rust toolchain of this machine,
//! the sources of the dependencies, no network but loopback, and not root. What a test needs beyond that is skipped there.
//!
//! Needs root, `debootstrap`, `unshare`, `ip` and `capinfos`. Everything lies in `target/bare`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, About, Result, cargo, finding, output, program, run};

/// What the README promises, word by word.
const CAPTURE: &str = "cargo run --release --bin dagcap -- --port 0 --out wire.erf --duration 10s";
const TEST: &str = "cargo xtask test";

/// What the root has beyond the least that Debian calls a system: a C linker.
const LINKER: &str = "gcc,libc6-dev";

/// A user with no rights; none of that number is known in the root.
const USER: u32 = 4711;

/// Run by root in namespaces of its own: prepares the root `$1` for use, and runs `$4...` in it as the user `$3`, with the
/// toolchain `$2`. What is built there is built once and read by no debugger.
const ENTER: &str = r#"
set -eu
root=$1 toolchain=$2 user=$3
shift 3
ip link set lo up
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount --bind "$toolchain" "$root/opt/rust"
mount -o remount,bind,ro "$root/opt/rust"
exec chroot --userspec="$user:$user" "$root" /usr/bin/env -i \
    HOME=/home/house PATH=/opt/rust/bin:/usr/bin:/bin LANG=C.UTF-8 TERM=dumb \
    CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only "$@"
"#;

pub(crate) fn step() -> Result {
    promised()?;
    for name in ["debootstrap", "unshare", "ip", "chroot", "capinfos"] {
        if !shell::has_program(name) {
            return finding(format!("`{name}` is needed to make a bare root; .ci/run installs it"));
        }
    }
    if output(program("id").arg("-u"))?.trim() != "0" {
        return finding("only root can make a bare root");
    }
    let base = shell::target().join("bare");
    let root = base.join("root");
    debian(&base, &root)?;
    let project = lay_out(&root)?;
    nothing_more(&root)?;

    let inside = |command: &str| -> Result { run(&mut enter(&root, command)?) };
    inside(CAPTURE)?;
    judge(&project.join("wire.erf"))?;
    inside(TEST)
}

/// The README still says what is tried here.
fn promised() -> Result {
    let file = shell::root().join("README.md");
    let text = fs::read_to_string(&file).about(&file)?;
    match [CAPTURE, TEST].iter().find(|command| !text.lines().any(|line| line == **command)) {
        Some(missing) => finding(format!("README.md has no line `{missing}`")),
        None => Ok(()),
    }
}

/// A Debian of the release that runs here, from the mirror that is configured here. Made once.
fn debian(base: &Path, root: &Path) -> Result {
    if root.is_dir() {
        return Ok(());
    }
    let text = fs::read_to_string("/etc/os-release").about(Path::new("/etc/os-release"))?;
    let Some(release) = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")) else {
        return finding("/etc/os-release names no release of Debian");
    };
    let targets = output(program("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME)",
        "Created-By: Packages",
    ]))?;
    let mirror = targets.lines().filter_map(|line| line.split_once(' ')).find(|(_, codename)| *codename == release);
    let Some((mirror, _)) = mirror else {
        return finding(format!("apt-get has no package lists of {release}; use `apt-get update`"));
    };
    // Finished or not there: what was broken off is begun anew.
    let unfinished = base.join("unfinished");
    if unfinished.is_dir() {
        fs::remove_dir_all(&unfinished).about(&unfinished)?;
    }
    fs::create_dir_all(base).about(base)?;
    let mut make = Command::new("debootstrap");
    make.args(["--variant=minbase", &format!("--include={LINKER}"), release]).arg(&unfinished).arg(mirror);
    eprintln!("$ debootstrap --variant=minbase --include={LINKER} {release}");
    let log = base.join("debootstrap.log");
    let file = fs::File::create(&log).about(&log)?;
    let status = make.stdout(file).status().map_err(|cause| shell::start_error(&make, cause))?;
    if !status.success() {
        return finding(format!("debootstrap failed ({status}); see {}", log.display()));
    }
    fs::rename(&unfinished, root).about(root)
}

/// Puts a fresh copy of the project, the sources of its dependencies and the way to them into the root; returns the project's folder.
fn lay_out(root: &Path) -> Result<PathBuf> {
    let home = root.join("home/house");
    if home.is_dir() {
        fs::remove_dir_all(&home).about(&home)?;
    }
    let project = home.join("project");
    let files = output(program("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    for name in files.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (shell::root().join(name), project.join(name));
        // One that was removed and not committed yet is still listed.
        if let (true, Some(folder)) = (from.is_file(), to.parent()) {
            fs::create_dir_all(folder).about(folder)?;
            fs::copy(&from, &to).about(&from)?;
        }
    }
    run(cargo().args(["vendor", "--quiet", "--locked"]).arg(home.join("vendor")))?;
    let config = home.join(".cargo/config.toml");
    let sources =
        "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"/home/house/vendor\"\n";
    fs::create_dir_all(home.join(".cargo")).about(&home)?;
    fs::write(&config, sources).about(&config)?;
    let toolchain = root.join("opt/rust");
    fs::create_dir_all(&toolchain).about(&toolchain)?;
    run(program("chown").arg("-R").arg(format!("{USER}:{USER}")).arg(&home))?;
    Ok(project)
}

/// The root is as bare as it is said to be.
fn nothing_more(root: &Path) -> Result {
    let listed = output(program("find").arg(root.join("usr")).args(["-name", "libpcap*", "-o", "-name", "*clang*"]))?;
    match listed.lines().next() {
        None => Ok(()),
        Some(extra) => finding(format!("the bare root has {extra}")),
    }
}

/// `command`, as a person types it in the project's folder, in the bare root.
fn enter(root: &Path, command: &str) -> Result<Command> {
    let toolchain = output(program("rustc").args(["--print", "sysroot"]))?;
    let mut enter = program("unshare");
    enter.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh"]);
    enter.arg(root).args([toolchain.trim(), &USER.to_string()]);
    // Shown by the shell inside instead of all of this.
    enter.args(["sh", "-c", &format!("cd /home/house/project && set -x && {command}")]);
    Ok(enter)
}

/// The capture is one for Wireshark's programs, and has packets.
fn judge(file: &Path) -> Result {
    let said = output(program("capinfos").args(["-t", "-c", "-u", "-M"]).arg(file))?;
    print!("{said}");
    let value = |key: &str| said.lines().find_map(|line| line.strip_prefix(key)).map(str::trim).unwrap_or_default();
    let packets: u64 = value("Number of packets:").parse().unwrap_or(0);
    match value("File type:") == "erf" && packets > 0 {
        true => Ok(()),
        false => finding("capinfos finds no packets of an ERF capture in wire.erf"),
    }
}
