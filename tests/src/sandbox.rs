//! A system that refuses io_uring, as many containers do.

use std::path::Path;
use std::thread;

use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// Lets `test` run on a thread to which, and to the programs that it starts, io_uring is refused. No other thread is.
///
/// # Panics
///
/// As `test` does, and where the system has no seccomp.
pub fn without_io_uring<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    let run = || {
        let refused = SeccompAction::Errno(libc::EPERM as u32);
        let calls = [(libc::SYS_io_uring_setup, Vec::new())].into_iter().collect();
        let here = std::env::consts::ARCH.try_into().expect("a processor that seccompiler knows");
        let filter = SeccompFilter::new(calls, SeccompAction::Allow, refused, here).expect("a filter");
        let program: BpfProgram = filter.try_into().expect("a program");
        seccompiler::apply_filter(&program).expect("seccomp");
        test()
    };
    // Its name is how a test is told.
    let name = thread::current().name().unwrap_or("a test").to_owned();
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name).spawn_scoped(scope, run).expect("a thread");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Whether the process `id` has an io_uring.
pub fn has_io_uring(id: u32) -> bool {
    let files = Path::new("/proc").join(id.to_string()).join("fd").read_dir();
    let mut targets = files.into_iter().flatten().flatten().filter_map(|file| file.path().read_link().ok());
    targets.any(|target| target.as_os_str() == "anon_inode:[io_uring]")
}
