//! The drop-in libdag, built for this run of the tests and laid out as it is installed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where it lies.
#[derive(Debug)]
pub struct Library {
    base: PathBuf,
}

impl Library {
    /// The folder of `libdag.so.5` and `libdagconf.so.5`.
    pub fn lib(&self) -> PathBuf {
        self.base.join("lib")
    }

    /// The folder of the headers.
    pub fn include(&self) -> PathBuf {
        self.base.join("include")
    }
}

/// The folder of our headers, where they are written.
pub fn headers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dag-sys/include")
}

/// The library, built once; that is quick where it is built.
pub fn libdag() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let (profile, root) = (crate::run::profile(), Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        crate::run::build();
        let base = profile.join("libdag");
        let (lib, include) = (base.join("lib"), base.join("include"));
        let pkgconfig = lib.join("pkgconfig");
        for folder in [&pkgconfig, &include] {
            fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        }
        for (built, name) in [("dag_emu_abi", "dag"), ("dag_emu_conf_abi", "dagconf")] {
            put(&profile.join(format!("lib{built}.so")), &lib.join(format!("lib{name}.so.5")));
            let link = lib.join(format!("lib{name}.so"));
            if !link.is_symlink() {
                // Another test may have been faster.
                let _ = symlink(format!("lib{name}.so.5"), link);
            }
        }
        let headers = fs::read_dir(root.join("dag-sys/include")).expect("the headers are there");
        for header in headers.map(|entry| entry.expect("a header").path()) {
            put(&header, &include.join(header.file_name().expect("a name")));
        }
        let template = fs::read_to_string(root.join("dag-sys/libdag.pc.in")).expect("the template is there");
        let text = template.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
        fs::write(pkgconfig.join("libdag.pc"), text).unwrap_or_else(|error| panic!("{}: {error}", pkgconfig.display()));
        Library { base }
    })
}

/// The flight recorder, built where `dagctl` looks for it.
pub fn recorder() {
    crate::run::build();
}

/// Copies, so that whoever uses the old file goes on with it.
fn put(from: &Path, to: &Path) {
    let new = to.with_extension(format!("new{}", std::process::id()));
    fs::copy(from, &new).and_then(|_| fs::rename(&new, to)).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
}

/// The folder of the libpcap that `cargo xtask clients` has built; where it has not, the test is [skipped](house_skip::skip).
pub fn libpcap() -> Option<PathBuf> {
    let target = crate::run::profile().parent().expect("the target folder").join("clients/libpcap");
    if target.join("libpcap.so.0.8").is_file() {
        return Some(target);
    }
    house_skip::skip("no libpcap with DAG support; `cargo xtask clients` builds it");
    None
}

/// Compiles `tests/c/NAME` against the library's headers and links it to the library; gives the program.
pub fn client(name: &str) -> PathBuf {
    client_with(name, &[])
}

/// [`client`], compiled with `options` as well.
pub fn client_with(name: &str, options: &[&str]) -> PathBuf {
    let library = libdag();
    let mut all: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    all.push(format!("-I{}", library.include().display()));
    all.push(format!("-L{}", library.lib().display()));
    all.extend(["-ldag", "-ldagconf", "-ldl"].map(str::to_owned));
    compile(name, &all)
}

/// Compiles `tests/c/NAME` with `options`; gives the program.
pub fn compile(name: &str, options: &[String]) -> PathBuf {
    // Tests compile side by side.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c").join(name);
    let folder = libdag().base.join("clients");
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let program = folder.join(format!("{name}.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let is_cxx = source.extension().is_some_and(|ending| ending == "cc");
    let mut compile = Command::new(if is_cxx { "c++" } else { "cc" });
    compile.args([
        if is_cxx { "-std=c++11" } else { "-std=gnu11" },
        "-g",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
    ]);
    compile.arg(&source).arg("-o").arg(&program).args(options);
    let output = compile.output().unwrap_or_else(|error| panic!("{compile:?}: {error}"));
    assert!(output.status.success(), "{compile:?}\n{}", String::from_utf8_lossy(&output.stderr));
    program
}
