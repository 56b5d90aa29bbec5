//! [`Libdag`]: the library, found and opened.

use std::env;
use std::ffi::{CStr, OsStr, OsString};
use std::fmt;
use std::path::Path;

use libloading::os::unix;

use crate::bindings::DagApi;
use crate::error::LoadError;
use crate::values::Values;

/// The version of the emulated card's library, where it is that.
type AbiVersion = unsafe extern "C" fn() -> u32;

/// libdag, opened. Clones are the same library, which stays loaded for ever.
#[derive(Clone)]
pub struct Libdag {
    pub(crate) main: &'static DagApi,
    /// The library of the configuration functions, where it is another one.
    pub(crate) conf: Option<&'static DagApi>,
    pub(crate) extras: Extras,
    path: String,
    emulated: Option<u32>,
    values: Option<Values>,
}

/// Functions that only the emulated card has.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extras {
    pub(crate) end_of_feed: Option<unsafe extern "C" fn(i32, i32) -> i32>,
    pub(crate) stream_drops: Option<unsafe extern "C" fn(i32, i32, *mut u32, *mut u64) -> i32>,
    pub(crate) describe: Option<unsafe extern "C" fn(i32, *mut libc::c_char, usize) -> i64>,
}

impl fmt::Debug for Libdag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Libdag").field("path", &self.path).field("emulated", &self.emulated).finish_non_exhaustive()
    }
}

impl Libdag {
    /// Finds and opens the library, by the order on the first page of this crate; with the feature `link` the one that is linked.
    ///
    /// # Errors
    ///
    /// When there is none, or what there is cannot be used.
    pub fn open() -> Result<Self, LoadError> {
        if cfg!(feature = "link") {
            return Self::linked();
        }
        let named = env::var_os("DAG_LIBRARY").filter(|name| !name.is_empty());
        let main = match &named {
            Some(name) => load(name).map_err(|cause| not_loaded("DAG_LIBRARY", name, cause))?,
            None => first(["libdag.so.5", "libdag.so"]).map_err(|cause| LoadError::NotFound { cause })?,
        };
        let conf = match env::var_os("DAG_CONF_LIBRARY").filter(|name| !name.is_empty()) {
            Some(name) => Some(load(&name).map_err(|cause| not_loaded("DAG_CONF_LIBRARY", &name, cause))?),
            None => beside(named.as_deref()),
        };
        Self::of(main, conf)
    }

    /// Opens the library in the file `path`, and libdagconf beside it where there is one.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let name = path.as_ref().as_os_str();
        let main = load(name).map_err(|cause| not_loaded("DAG_LIBRARY", name, cause))?;
        Self::of(main, beside(Some(name)))
    }

    #[cfg(not(feature = "link"))]
    fn linked() -> Result<Self, LoadError> {
        Self::of(unix::Library::this(), None)
    }

    /// The functions that the program is linked with.
    #[cfg(feature = "link")]
    fn linked() -> Result<Self, LoadError> {
        unsafe extern "C" {
            fn dag_open(name: *const libc::c_char) -> libc::c_int;
            fn dag_config_init(name: *const libc::c_char) -> *mut libc::c_void;
        }
        // A reference to each library, or the linker leaves it out as unused.
        std::hint::black_box((dag_open as *const (), dag_config_init as *const ()));
        Self::of(unix::Library::this(), None)
    }

    fn of(main: unix::Library, conf: Option<unix::Library>) -> Result<Self, LoadError> {
        let path = origin(&main);
        let extras = Extras {
            end_of_feed: symbol(&main, c"dag_emu_end_of_feed"),
            stream_drops: symbol(&main, c"dag_emu_stream_drops"),
            describe: symbol(&main, c"dag_emu_describe"),
        };
        let version: Option<AbiVersion> = symbol(&main, c"dag_emu_abi_version");
        let main = table(main);
        if main.dag_open.is_err() {
            return Err(LoadError::NotLibdag { path });
        }
        // SAFETY: only the emulated card's library has a function of that name, and it takes nothing. 0 comes from a library that
        // passes the question on to one that is no emulated card's.
        let emulated = version.map(|version| unsafe { version() }).filter(|version| *version != 0);
        let values = if emulated.is_some() { Some(Values::ours()) } else { None };
        Ok(Self { main, conf: conf.map(table), extras, path, emulated, values })
    }

    /// Uses `values`, which were learned from the headers of this very library. Those of the emulated card are known anyway, and
    /// are not replaced.
    #[must_use]
    pub fn with_values(mut self, values: Option<Values>) -> Self {
        if self.emulated.is_none() {
            self.values = values;
        }
        self
    }

    /// The tables of its functions: its own, and that of the configuration library, where that is another one. For programs that
    /// want a call as C has it; what each takes and gives is in the contract.
    pub fn tables(&self) -> (&'static DagApi, Option<&'static DagApi>) {
        (self.main, self.conf)
    }

    /// Where it was found.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The version of the emulated card's library; `None` for a real libdag.
    pub fn emulated(&self) -> Option<u32> {
        self.emulated
    }

    /// What is known of its values; `None` for a real libdag of which nothing was learned.
    pub fn values(&self) -> Option<&Values> {
        self.values.as_ref()
    }
}

fn load(name: &OsStr) -> Result<unix::Library, libloading::Error> {
    // SAFETY: running a library's initialisers is what loading one means; that it is the one that was asked for is up to whoever
    // named or installed it.
    unsafe { unix::Library::open(Some(name), unix::RTLD_NOW | unix::RTLD_GLOBAL) }
}

fn first(names: [&str; 2]) -> Result<unix::Library, libloading::Error> {
    let [usual, other] = names;
    load(OsStr::new(usual)).or_else(|_| load(OsStr::new(other)))
}

/// libdagconf: in the folder of a libdag that was named, else by the loader's rules.
fn beside(named: Option<&OsStr>) -> Option<unix::Library> {
    let folder = named.and_then(|name| Path::new(name).parent()).filter(|folder| !folder.as_os_str().is_empty());
    for name in ["libdagconf.so.5", "libdagconf.so"] {
        let name: OsString = folder.map_or(name.into(), |folder| folder.join(name).into());
        if let Ok(library) = load(&name) {
            return Some(library);
        }
    }
    None
}

fn not_loaded(variable: &'static str, path: &OsStr, cause: libloading::Error) -> LoadError {
    LoadError::Named { variable, path: path.to_string_lossy().into_owned(), cause }
}

/// Looks all functions up, once. The library stays loaded.
fn table(library: unix::Library) -> &'static DagApi {
    // SAFETY: the symbols have the types of the headers that the table was made from. For libdag's stream functions these
    // hold for any version (contract, section 10); the others are called only with values learned for it.
    let table = unsafe { DagApi::from_library(library) };
    match table {
        Ok(table) => Box::leak(Box::new(table)),
        // Each function is a result by itself.
        Err(error) => unreachable!("{error}"),
    }
}

fn symbol<T: Copy>(library: &unix::Library, name: &CStr) -> Option<T> {
    // SAFETY: the functions of the emulated card have these types in every version of its library (`dag_emu.h`).
    let symbol = unsafe { library.get::<T>(name.to_bytes_with_nul()) };
    symbol.ok().map(|symbol| *symbol)
}

/// The file that a library was loaded from.
fn origin(library: &unix::Library) -> String {
    let unknown = || "the DAG library".to_owned();
    let Some(function) = symbol::<unsafe extern "C" fn()>(library, c"dag_open") else { return unknown() };
    // SAFETY: all zeros is a valid `Dl_info`, pointers and all.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: any address may be asked about, and `info` is ours.
    let found = unsafe { libc::dladdr(function as *const libc::c_void, &mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return unknown();
    }
    // SAFETY: the loader's name of a library that stays loaded.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    name.to_string_lossy().into_owned()
}
