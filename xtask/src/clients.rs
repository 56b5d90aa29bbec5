//! Other people's programs for DAG cards, built from their unmodified sources against our headers and the drop-in library: libpcap,
//! from its Debian source package. Everything lies in `target/clients`; what is built already is not built again.
//!
//! Needs `apt-get source`, `dpkg-dev`, `flex`, `bison`, `make` and a C compiler. The tests of `tests/tests/clients` use what this builds.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dist;
use crate::shell::{self, About, Result, finding, output, program, run};

/// The source package, and what its library is called.
const PACKAGE: &str = "libpcap";
const LIBRARY: &str = "libpcap.so.0.8";

pub(crate) fn chore() -> Result {
    let base = shell::target().join("clients");
    let folder = base.join("libpcap");
    // Written last: with other headers, or half done, it is built anew.
    let (done, headers) = (folder.join("built-against"), headers()?);
    if fs::read(&done).is_ok_and(|built| built == headers) {
        println!("{} is there", folder.join(LIBRARY).display());
        return Ok(());
    }
    for name in ["apt-get", "dpkg-source", "flex", "bison", "make", "cc"] {
        if !shell::has_program(name) {
            return finding(format!("`{name}` is needed to build libpcap; .ci/run installs it"));
        }
    }
    let dag = base.join("dag");
    dist::libdag_for_tests(&dag)?;
    let source = unpack(&base.join("src"))?;
    configure(&source, &dag)?;
    build(&source)?;
    fs::create_dir_all(&folder).about(&folder)?;
    // Another file: whoever uses the old one goes on with it.
    run(program("cp").arg("--remove-destination").arg(source.join(LIBRARY)).arg(&folder))?;
    // The headers are for a client of libpcap that is our own.
    run(program("cp").arg("-r").arg(source.join("pcap.h")).arg(source.join("pcap")).arg(&folder))?;
    fs::write(&done, headers).about(&done)
}

/// All our headers in a row.
fn headers() -> Result<Vec<u8>> {
    let folder = shell::root().join("dag-sys/include");
    let entries = fs::read_dir(&folder).about(&folder)?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        all.extend(fs::read(&path).about(&path)?);
    }
    Ok(all)
}

/// The source of the version that this Debian has, with Debian's patches.
fn unpack(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).about(folder)?;
    let unpacked = || -> Result<Option<PathBuf>> {
        let entries = fs::read_dir(folder).about(folder)?;
        let mut folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        Ok(folders.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PACKAGE))))
    };
    if unpacked()?.is_none() {
        let mut fetch = program("apt-get");
        fetch.args(["-q", "source", PACKAGE]).current_dir(folder);
        if let Err(error) = run(&mut fetch) {
            return finding(format!(
                "{error}; sources have to be enabled: `deb-src` in /etc/apt/sources.list, as .ci/run does"
            ));
        }
    }
    match unpacked()? {
        Some(source) => Ok(source),
        None => finding(format!("apt-get source {PACKAGE} left no folder in {}", folder.display())),
    }
}

fn configure(source: &Path, dag: &Path) -> Result {
    let mut configure = program("./configure");
    configure.current_dir(source).arg("--quiet");
    configure.arg(format!("--with-dag-includes={}", dag.join("include").display()));
    configure.arg(format!("--with-dag-libraries={}", dag.join("lib").display()));
    for off in ["--disable-usb", "--disable-bluetooth", "--disable-dbus", "--disable-rdma", "--without-libnl"] {
        configure.arg(off);
    }
    let said = output(&mut configure)?;
    print!("{said}");
    let config = source.join("config.h");
    let text = fs::read_to_string(&config).about(&config)?;
    match text.lines().any(|line| line == "#define HAVE_DAG_API 1") {
        true => Ok(()),
        false => finding("libpcap's configure does not take our headers and library for Endace's"),
    }
}

/// What the compiler warns about in this version's DAG module, whatever the headers.
const ITS_OWN: [&str; 2] = ["[-Wsign-compare]", "[-Wimplicit-fallthrough=]"];

/// Builds it, and looks whether the compiler has something against its DAG module on account of our headers.
fn build(source: &Path) -> Result {
    let module = |options: &str| -> Result<String> {
        let mut make = program("make");
        make.current_dir(source).args(["-B", "pcap-dag.o", &format!("CFLAGS=-g -O2 {options}")]);
        let done = make.output().map_err(|cause| shell::start_error(&make, cause))?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() { Ok(said) } else { finding(format!("pcap-dag.c does not compile:\n{said}")) }
    };
    let said = module("-Wall -Wextra")?;
    let mut warnings = said.lines().filter(|line| line.contains("warning:"));
    if let Some(warning) = warnings.find(|line| !ITS_OWN.iter().any(|known| line.ends_with(known))) {
        return finding(format!("the compiler warns about libpcap's DAG module: {warning}"));
    }
    run(program("make").current_dir(source).args(["--quiet", "-j2"]))?;
    let library = source.join(LIBRARY);
    if library.is_file() { Ok(()) } else { finding(format!("make left no {}", library.display())) }
}
