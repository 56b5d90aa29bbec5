//! The border: failures become `errno`, and no panic crosses.

use std::panic::{AssertUnwindSafe, catch_unwind};

use libc::c_int;

/// A value of `errno`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

impl From<&dag_emu::Error> for Errno {
    fn from(error: &dag_emu::Error) -> Self {
        use dag_emu::ErrorKind as Kind;
        Self(match error.kind() {
            Kind::Spec | Kind::NoSuchStream | Kind::State => libc::EINVAL,
            Kind::Busy => libc::EBUSY,
            Kind::Unsupported => libc::ENOTSUP,
            Kind::Memory => libc::ENOMEM,
            Kind::Permission => libc::EACCES,
            Kind::NotFound => libc::ENOENT,
            _ => libc::EIO,
        })
    }
}

/// Runs the body of an exported function: its value, or `failure` with `errno` set. On success `errno` is as it was.
pub(crate) fn guard<T>(failure: T, body: impl FnOnce() -> Result<T, Errno>) -> T {
    let before = errno();
    let (value, errno) = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => (value, before),
        Ok(Err(Errno(errno))) => (failure, errno),
        Err(_) => (failure, libc::EIO),
    };
    set_errno(errno);
    value
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn set_errno(value: c_int) {
    // SAFETY: the C library gives each thread a place of its own, always.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *place = value };
}
