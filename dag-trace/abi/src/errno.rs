//! `errno`, kept for the program.

use libc::c_int;

pub(crate) fn get() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

pub(crate) fn set(value: c_int) {
    // SAFETY: the C library gives each thread a place of its own, always.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *place = value };
}
