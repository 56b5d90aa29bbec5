//! `dagemu exec`: a program that finds our libdag, and character devices `/dev/dagN`, which some programs look for before they
//! ask the library (`libdag-contract.md` section 7).

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use dag::emu::serve::list;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::Failure;
use crate::libraries::EMULATED;

/// The options of `dagemu exec`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Numbers of cards that shall have a device besides those that are served.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    card: Vec<u8>,

    /// The program and its arguments.
    #[arg(trailing_var_arg = true, required = true, value_name = "PROGRAM", allow_hyphen_values = true)]
    program: Vec<OsString>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let libraries = EMULATED.folder()?;
    let mut names: Vec<String> = args.card.iter().map(|number| format!("dag{number}")).collect();
    names.extend(list().into_iter().map(|(name, _)| name).filter(|name| is_device(name)));
    names.extend(described());
    names.sort();
    names.dedup();
    if !names.is_empty() {
        devices(&names)?;
    }
    let path = match std::env::var_os("LD_LIBRARY_PATH").filter(|path| !path.is_empty()) {
        Some(more) => [libraries.as_os_str(), OsStr::new(":"), &more].into_iter().collect(),
        None => libraries.into_os_string(),
    };
    let [program, rest @ ..] = args.program.as_slice() else { return Ok(()) };
    let cause = Command::new(program).args(rest).env("LD_LIBRARY_PATH", path).exec();
    Err(Failure::Program { program: program.to_string_lossy().into_owned(), cause })
}

/// `dagN`.
fn is_device(name: &str) -> bool {
    name.strip_prefix("dag").is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The cards that `DAG_EMU_CARDS` describes for the program.
fn described() -> Vec<String> {
    let cards = std::env::var("DAG_EMU_CARDS").unwrap_or_default();
    let names = cards.split(';').filter_map(|card| card.split('=').next()).map(|name| name.trim().to_owned());
    names.filter(|name| is_device(name)).collect()
}

/// Puts devices of these names into `/dev`, for this process and those that it starts: a `/dev` of its own, of which all else is the
/// system's.
fn devices(names: &[String]) -> Result<(), Failure> {
    let system = |what: &str| {
        let what = what.to_owned();
        move |cause| Failure::System { what, cause }
    };
    let (user, group) = (geteuid(), getegid());
    if user.is_root() {
        unshare(CloneFlags::CLONE_NEWNS).map_err(system("no mount namespace"))?;
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
            .map_err(system("no mount namespace of one's own for an ordinary user; run as root"))?;
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/uid_map", &format!("{user} {user} 1"))?;
        write("/proc/self/gid_map", &format!("{group} {group} 1"))?;
    }
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).map_err(system("private mounts"))?;
    // Any folder that is there: it is hidden while the new /dev is made, and nobody else sees that.
    let new = Path::new("/mnt");
    mount(Some("dagemu"), new, Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))
        .map_err(system("a tmpfs at /mnt"))?;
    let entries = fs::read_dir("/dev").map_err(|cause| Failure::File { path: "/dev".into(), cause })?;
    for entry in entries.flatten() {
        let (old, new) = (entry.path(), new.join(entry.file_name()));
        let failed = |cause| Failure::File { path: old.display().to_string(), cause };
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_symlink() {
            let target = fs::read_link(&old).map_err(failed)?;
            symlink(target, &new).map_err(failed)?;
        } else if !names.iter().any(|name| entry.file_name() == name.as_str()) {
            bind(&old, &new, kind.is_dir())?;
        }
    }
    for name in names {
        bind(Path::new("/dev/null"), &new.join(name), false)?;
    }
    mount(Some(new), "/dev", nothing, MsFlags::MS_MOVE, nothing).map_err(system("the new /dev"))
}

/// Shows `old` at `new` as well.
fn bind(old: &Path, new: &Path, is_folder: bool) -> Result<(), Failure> {
    let made = if is_folder { fs::create_dir(new) } else { File::create(new).map(drop) };
    made.map_err(|cause| Failure::File { path: new.display().to_string(), cause })?;
    let nothing = None::<&str>;
    mount(Some(old), new, nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing)
        .map_err(|cause| Failure::System { what: format!("{} in the new /dev", old.display()), cause })
}

fn write(path: &str, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|cause| Failure::File { path: path.to_owned(), cause })
}
