//! `dagapi.h`, transmit. This card has no transmit streams: every call says that there is no such stream.

use libc::{c_int, c_uint};

use crate::api_card::stream;
use crate::guard::{Errno, guard};
use crate::handles::process;

fn none<T>(dagfd: c_int, stream_num: c_int) -> Result<T, Errno> {
    process().handle(dagfd)?;
    stream(stream_num)?;
    Err(Errno(libc::EINVAL))
}

macro_rules! absent {
    ($($name:ident($size:ty) -> $result:ty = $failure:expr;)*) => {$(
        #[unsafe(no_mangle)]
        pub(crate) extern "C" fn $name(dagfd: c_int, stream_num: c_int, _size: $size) -> $result {
            guard($failure, || none(dagfd, stream_num))
        }
    )*};
}

absent! {
    dag_tx_get_stream_space(u32) -> *mut u8 = std::ptr::null_mut();
    dag_tx_get_stream_space64(u64) -> *mut u8 = std::ptr::null_mut();
    dag_tx_stream_commit_bytes(u32) -> *mut u8 = std::ptr::null_mut();
    dag_tx_stream_commit_bytes64(u64) -> *mut u8 = std::ptr::null_mut();
    dag_tx_stream_commit_records64(u64) -> *mut u8 = std::ptr::null_mut();
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_tx_stream_copy_bytes(
    dagfd: c_int,
    stream_num: c_int,
    _source: *mut u8,
    _size: c_uint,
) -> c_int {
    guard(-1, || none(dagfd, stream_num))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_tx_stream_copy_bytes64(
    dagfd: c_int,
    stream_num: c_int,
    _source: *mut u8,
    _size: u64,
) -> i64 {
    guard(-1, || none(dagfd, stream_num))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_rx_stream_next_inline(dagfd: c_int, _rx: c_int, tx: c_int) -> *mut u8 {
    guard(std::ptr::null_mut(), || none(dagfd, tx))
}
