//! Interfaces of this and of other network namespaces.
//!
//! A socket belongs to the namespace in which it was made, for good. So a tap on an interface of
//! another namespace needs that namespace only for the moment in which the socket is opened.
//! [`inside`] does that moment's work in a short-lived thread of its own: a namespace is a property
//! of a thread, and the caller's is never touched.

use std::ffi::CStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::str::FromStr;

use super::error::TapError;

/// Where `ip netns` keeps the names of network namespaces.
const NETNS_DIR: &str = "/run/netns";

/// An interface, if need be of a named network namespace: `eth0`, or `blue/eth0` for `eth0` of the
/// namespace that `ip netns` calls `blue`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Iface {
    /// The namespace's name in `/run/netns`; `None` is the namespace of the calling thread.
    pub netns: Option<String>,
    /// The interface's name in that namespace, at most 15 bytes.
    pub name: String,
}

impl Iface {
    /// Refuses names that cannot be an interface's or a namespace's, before one of them is used in
    /// a path.
    ///
    /// # Errors
    ///
    /// [`TapError::BadName`].
    pub(super) fn check(&self) -> Result<(), TapError> {
        let bad = |why| Err(TapError::BadName { text: self.to_string(), why });
        // The kernel's own rule (`dev_valid_name`): IFNAMSIZ counts the closing NUL.
        match self.name.as_str() {
            "" => return bad("the interface name is empty"),
            "." | ".." => return bad("`.` and `..` are not interface names"),
            name if name.len() >= libc::IFNAMSIZ => {
                return bad("an interface name has at most 15 bytes");
            }
            name if name.bytes().any(|b| b == b'/' || b == b':' || b == 0 || b.is_ascii_whitespace()) => {
                return bad("an interface name has no slash, colon, blank or NUL");
            }
            _ => {}
        }
        match self.netns.as_deref() {
            Some("") => bad("the namespace name is empty"),
            Some("." | "..") => bad("`.` and `..` are not namespace names"),
            Some(name) if name.bytes().any(|b| b == b'/' || b == 0) => bad("a namespace name has no slash or NUL"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Iface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.netns {
            Some(netns) => write!(f, "{netns}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromStr for Iface {
    type Err = TapError;

    /// Reads `IFACE` or `NETNS/IFACE`.
    fn from_str(text: &str) -> Result<Self, TapError> {
        let (netns, name) = match text.split_once('/') {
            Some((netns, name)) => (Some(netns.to_owned()), name),
            None => (None, text),
        };
        let iface = Iface { netns, name: name.to_owned() };
        iface.check()?;
        Ok(iface)
    }
}

/// Runs `work` in the namespace of `iface`, in a thread of its own where that is not the caller's
/// namespace.
///
/// # Errors
///
/// Those of `work`; [`TapError::NoSuchNetns`], [`TapError::NotANetns`],
/// [`TapError::NetnsPermission`].
pub(super) fn inside<T: Send>(iface: &Iface, work: impl FnOnce() -> Result<T, TapError> + Send) -> Result<T, TapError> {
    let Some(name) = iface.netns.as_deref() else {
        return work();
    };
    let namespace = open(iface, name)?;
    let system = |call, source| TapError::System { iface: iface.clone(), call, source };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("tap-netns".into())
            .spawn_scoped(scope, || {
                enter(&namespace).map_err(|error| match error.raw_os_error() {
                    Some(libc::EPERM) => TapError::NetnsPermission { name: name.to_owned() },
                    Some(libc::EINVAL) => TapError::NotANetns { name: name.to_owned() },
                    _ => system("setns(CLONE_NEWNET)", error),
                })?;
                work()
            })
            .map_err(|error| system("starting a thread", error))?
            .join()
            .unwrap_or_else(|_| Err(system("the thread in the namespace", io::Error::other("it panicked"))))
    })
}

fn open(iface: &Iface, name: &str) -> Result<File, TapError> {
    File::open(Path::new(NETNS_DIR).join(name)).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => TapError::NoSuchNetns { name: name.to_owned(), existing: names() },
        io::ErrorKind::PermissionDenied => TapError::NetnsPermission { name: name.to_owned() },
        _ => TapError::System { iface: iface.clone(), call: "opening the namespace", source },
    })
}

/// Moves the calling thread, and no other, into `namespace`.
fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: setns takes a descriptor, which `namespace` keeps open, and touches no memory of
    // ours.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The named namespaces of this machine, sorted; none if the directory cannot be read.
fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(NETNS_DIR)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The interfaces of the calling thread's namespace, in the kernel's order; none if the kernel
/// refuses to tell.
pub(super) fn interfaces() -> Vec<String> {
    // SAFETY: no argument; the answer is null or an array that `if_freenameindex` below gives back.
    let array = unsafe { libc::if_nameindex() };
    if array.is_null() {
        return Vec::new();
    }
    let mut names = Vec::new();
    for i in 0.. {
        // SAFETY: the array ends with an entry whose name is null, and the loop stops there, so `i`
        // stays inside.
        let entry = unsafe { array.add(i) };
        // SAFETY: `entry` lies in the array by the argument above, and the array is not freed yet.
        let name = unsafe { (*entry).if_name };
        if name.is_null() {
            break;
        }
        // SAFETY: a name that is not null is a NUL-terminated string that lives as long as the
        // array.
        let name = unsafe { CStr::from_ptr(name) };
        names.push(name.to_string_lossy().into_owned());
    }
    // SAFETY: `array` came from if_nameindex, is freed once, and no reference into it is left.
    unsafe { libc::if_freenameindex(array) };
    names
}
