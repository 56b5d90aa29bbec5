//! `struct timeval`, read.

use libc::timeval;

/// A time in microseconds; -1 where there is none.
///
/// # Safety
///
/// A time or null.
pub(crate) unsafe fn micros(time: *const timeval) -> i64 {
    if time.is_null() {
        return -1;
    }
    // SAFETY: as promised.
    let time = unsafe { *time };
    time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_usec)
}
