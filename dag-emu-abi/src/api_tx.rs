//! `dagapi.h`, transmit.

use std::sync::Arc;

use libc::{c_int, c_uint};

use crate::api_card::stream;
use crate::guard::{Errno, guard};
use crate::handles::process;
use crate::rx::Slot;
use crate::tx::Tx;

const INVALID: Errno = Errno(libc::EINVAL);

/// The attached transmit stream.
fn attached(dagfd: c_int, stream_num: c_int) -> Result<Arc<Tx>, Errno> {
    let handle = process().handle(dagfd)?;
    match handle.board.slots.find(handle.id, stream(stream_num)?)? {
        Slot::Tx(tx) => Ok(tx),
        Slot::Rx(_) => Err(INVALID),
    }
}

macro_rules! spaces {
    ($($name:ident($size:ty) = $method:ident;)*) => {$(
        #[unsafe(no_mangle)]
        pub(crate) extern "C" fn $name(dagfd: c_int, stream_num: c_int, size: $size) -> *mut u8 {
            guard(std::ptr::null_mut(), || attached(dagfd, stream_num)?.$method(size.into()))
        }
    )*};
}

spaces! {
    dag_tx_get_stream_space(u32) = space;
    dag_tx_get_stream_space64(u64) = space;
    dag_tx_stream_commit_bytes(u32) = commit;
    dag_tx_stream_commit_bytes64(u64) = commit;
    dag_tx_stream_commit_records64(u64) = commit;
}

/// # Safety
///
/// `size` bytes, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_tx_stream_copy_bytes(
    dagfd: c_int,
    stream_num: c_int,
    source: *mut u8,
    size: c_uint,
) -> c_int {
    // SAFETY: as promised.
    let taken = unsafe { dag_tx_stream_copy_bytes64(dagfd, stream_num, source, size.into()) };
    c_int::try_from(taken).unwrap_or(c_int::MAX)
}

/// # Safety
///
/// `size` bytes, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_tx_stream_copy_bytes64(
    dagfd: c_int,
    stream_num: c_int,
    source: *mut u8,
    size: u64,
) -> i64 {
    guard(-1, || {
        let tx = attached(dagfd, stream_num)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= isize::MAX as usize).ok_or(INVALID)?;
        if source.is_null() {
            return Err(INVALID);
        }
        // SAFETY: as promised.
        tx.copy(unsafe { std::slice::from_raw_parts(source, size) })?;
        Ok(size as i64)
    })
}

/// The record is copied from one stream's memory to the other's; a card has it where both overlap.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_rx_stream_next_inline(dagfd: c_int, rx: c_int, tx: c_int) -> *mut u8 {
    guard(std::ptr::null_mut(), || {
        let tx = attached(dagfd, tx)?;
        let handle = process().handle(dagfd)?;
        let Slot::Rx(rx) = handle.board.slots.find(handle.id, stream(rx)?)? else { return Err(INVALID) };
        let (record, len) = rx.next_record_and_len()?;
        // SAFETY: a whole record in the window of the receive stream, which is not released before its next call.
        unsafe { tx.place(record, len) }
    })
}
