//! Fetching what guests boot from: the distribution's own packages, unpacked beside the system and not installed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use super::error::{About, Trouble};
use super::files::{ABOUT, BUSYBOX, GuestFiles, KERNEL, MODULES, sha256};
use crate::Error;

/// The package that depends on the newest kernel for virtual machines.
const KERNEL_PACKAGE: &str = "linux-image-cloud-amd64";
const BUSYBOX_PACKAGE: &str = "busybox-static";

/// What a guest needs for its network, its port and its disk, each behind those that it uses.
const WANTED: [&str; 10] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
    "virtio_console",
    "virtio_blk",
];

/// Where `apt-get download` fails, this is most often why.
const LISTS: &str = "; `apt-get update` brings lists of packages";

/// Downloads kernel and busybox by `apt-get download`, from the machine's own sources, and leaves in `folder` what guests boot from; what was
/// there is replaced. `progress` is told what is done.
///
/// # Errors
///
/// When a program or a package is missing, the network fails, or `folder` cannot be written.
pub fn fetch(folder: &Path, mut progress: impl FnMut(&str)) -> Result<GuestFiles, Error> {
    if std::env::consts::ARCH != "x86_64" {
        return Err(Trouble::Machine(std::env::consts::ARCH).into());
    }
    fs::create_dir_all(folder).about(folder)?;
    // Beside what it becomes, so that moving is not copying.
    let work = tempfile::Builder::new().prefix(".fetch").tempdir_in(folder).about(folder)?;
    let kernel_package = newest_kernel(&output(Command::new("apt-cache").args(["depends", KERNEL_PACKAGE]), LISTS)?)?;
    let mut packages = Map::new();
    for (package, to) in [(kernel_package.as_str(), "kernel"), (BUSYBOX_PACKAGE, "busybox")] {
        progress(&format!("downloading {package}"));
        let version = unpack(package, work.path(), &work.path().join(to))?;
        packages.insert(package.to_owned(), version.into());
    }
    let new = work.path().join("new");
    fs::create_dir_all(new.join(MODULES)).about(&new)?;
    let found = found_in(&kernel_package, &work.path().join("kernel"))?;
    let busybox = first_file(&work.path().join("busybox"), &["bin/busybox", "usr/bin/busybox"])
        .ok_or_else(|| Trouble::Package { package: BUSYBOX_PACKAGE.to_owned(), what: "bin/busybox".to_owned() })?;
    let mut sums = Map::new();
    let mut keep = |name: &str, bytes: &[u8]| {
        sums.insert(name.to_owned(), sha256(bytes).into());
        let path = new.join(name);
        fs::write(&path, bytes).about(&path)
    };
    keep(KERNEL, &fs::read(&found.kernel).about(&found.kernel)?)?;
    keep(BUSYBOX, &fs::read(&busybox).about(&busybox)?)?;
    let mut modules: Vec<Value> = Vec::new();
    for (name, path) in &found.modules {
        let file = format!("{name}.ko");
        keep(&format!("{MODULES}/{file}"), &plain(path)?)?;
        modules.push(file.into());
    }
    let about =
        json!({"schema": 1, "release": found.release, "packages": packages, "modules": modules, "sha256": sums});
    install(&new, folder, &about)?;
    progress(&format!("kernel {} and busybox are in {}", found.release, folder.display()));
    GuestFiles::open(folder)
}

/// Replaces what is in `folder` by what is in `new`; without `guest.json` it is not done, so that goes first and comes last.
fn install(new: &Path, folder: &Path, about: &Value) -> Result<(), Trouble> {
    let done = folder.join(ABOUT);
    if done.exists() {
        fs::remove_file(&done).about(&done)?;
    }
    let modules = folder.join(MODULES);
    if modules.exists() {
        fs::remove_dir_all(&modules).about(&modules)?;
    }
    for name in [KERNEL, BUSYBOX, MODULES] {
        fs::rename(new.join(name), folder.join(name)).about(folder.join(name))?;
    }
    let text = format!("{about:#}\n");
    let mut file = File::create(new.join(ABOUT)).about(new.join(ABOUT))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).about(new.join(ABOUT))?;
    fs::rename(new.join(ABOUT), &done).about(&done)
}

/// The kernel's package, of what `apt-cache depends` says of the package that stands for the newest.
fn newest_kernel(depends: &str) -> Result<String, Trouble> {
    let mut names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let kernel = names.find(|name| name.starts_with("linux-image-") && name.ends_with("-cloud-amd64"));
    kernel.map(str::to_owned).ok_or_else(|| Trouble::Package {
        package: KERNEL_PACKAGE.to_owned(),
        what: "dependency on a kernel (it is Debian's; other distributions are not known here)".to_owned(),
    })
}

/// Downloads a package into `work` and unpacks it into `to`; its version.
fn unpack(package: &str, work: &Path, to: &Path) -> Result<String, Trouble> {
    let into = work.join("deb");
    fs::create_dir_all(&into).about(&into)?;
    let mut download = Command::new("apt-get");
    download.args(["-q", "download", package]).current_dir(&into);
    output(&mut download, LISTS)?;
    let files = fs::read_dir(&into).about(&into)?.flatten().map(|entry| entry.path());
    let deb = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "deb"));
    let deb = deb.ok_or_else(|| Trouble::Package { package: package.to_owned(), what: "file".to_owned() })?;
    let version = output(Command::new("dpkg-deb").arg("-f").arg(&deb).arg("Version"), "")?;
    output(Command::new("dpkg-deb").arg("-x").arg(&deb).arg(to), "")?;
    fs::remove_file(&deb).about(&deb)?;
    Ok(version.trim().to_owned())
}

/// Runs a command of the packaging system.
fn output(command: &mut Command, hint: &'static str) -> Result<String, Trouble> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let done = match command.env("LC_ALL", "C").output() {
        Ok(done) => done,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let of_apt = line.starts_with("apt-");
            let (program, package) = if of_apt { ("apt-get", "apt") } else { ("dpkg-deb", "dpkg") };
            return Err(Trouble::NoProgram { program, package });
        }
        Err(error) => return Err(Trouble::file(line, error)),
    };
    let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(Trouble::Command { line, status: done.status.to_string(), said, hint }),
    }
}

/// What of an unpacked kernel is used.
#[derive(Debug)]
struct Found {
    kernel: PathBuf,
    release: String,
    /// By name; those that are in the kernel itself are left out.
    modules: Vec<(&'static str, PathBuf)>,
}

fn found_in(package: &str, root: &Path) -> Result<Found, Trouble> {
    let missing = |what: &str| Trouble::Package { package: package.to_owned(), what: what.to_owned() };
    let kernels = fs::read_dir(root.join("boot")).into_iter().flatten().flatten().map(|entry| entry.path());
    let release_of = |path: &PathBuf| Some(path.file_name()?.to_str()?.strip_prefix("vmlinuz-")?.to_owned());
    let found = kernels.into_iter().find_map(|path| Some((release_of(&path)?, path)));
    let (release, kernel) = found.ok_or_else(|| missing("boot/vmlinuz-*"))?;
    let folders = ["lib/modules", "usr/lib/modules"].map(|folder| root.join(folder).join(&release));
    let folder = folders.into_iter().find(|folder| folder.is_dir()).ok_or_else(|| missing("lib/modules"))?;
    let built_in = fs::read_to_string(folder.join("modules.builtin")).unwrap_or_default();
    let is_built_in = |name: &str| built_in.lines().any(|line| module_name(Path::new(line)).as_deref() == Some(name));
    let mut files = Vec::new();
    all_files(&folder, &mut files).about(&folder)?;
    let mut modules = Vec::new();
    for name in WANTED {
        match files.iter().find(|path| module_name(path).as_deref() == Some(name)) {
            Some(path) => modules.push((name, path.clone())),
            None if is_built_in(name) => {}
            None => return Err(missing(&format!("module {name}"))),
        }
    }
    Ok(Found { kernel, release, modules })
}

/// `virtio_rng` for `.../virtio-rng.ko.xz`.
fn module_name(path: &Path) -> Option<String> {
    let (name, _) = path.file_name()?.to_str()?.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

fn all_files(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => all_files(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}

fn first_file(root: &Path, names: &[&str]) -> Option<PathBuf> {
    names.iter().map(|name| root.join(name)).find(|path| path.is_file())
}

/// A module as the kernel takes it.
fn plain(path: &Path) -> Result<Vec<u8>, Trouble> {
    let file = File::open(path).about(path)?;
    let mut bytes = Vec::new();
    match path.extension().and_then(|end| end.to_str()) {
        Some("xz") => lzma_rust2::XzReader::new(file, true).read_to_end(&mut bytes).about(path)?,
        _ => { file }.read_to_end(&mut bytes).about(path)?,
    };
    match bytes.starts_with(b"\x7fELF") {
        true => Ok(bytes),
        false => Err(Trouble::Program {
            path: path.display().to_string(),
            what: "it is no module, or compressed in a way that is not known here".to_owned(),
        }),
    }
}
