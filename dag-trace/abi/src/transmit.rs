//! Functions that send.

use libc::c_int;

use crate::real::function;
use crate::recorder::recorded;

macro_rules! sends {
    ($($name:ident $size:ty;)*) => {$(
        /// # Safety
        ///
        /// As for the function of the real library.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(dagfd: c_int, stream: c_int, bytes: $size) -> *mut u8 {
            recorded(
                stringify!($name),
                |line, _| {
                    (line.fd, line.stream) = (Some(dagfd), Some(stream));
                    line.args = vec![bytes as i64];
                },
                // SAFETY: what the program has given to this function is for that one.
                || function!($name).map(|function| unsafe { function(dagfd, stream, bytes) }),
                |_, _, _| {},
            )
        }
    )*};
}

sends! {
    dag_tx_get_stream_space u32;
    dag_tx_get_stream_space64 u64;
    dag_tx_stream_commit_bytes u32;
    dag_tx_stream_commit_bytes64 u64;
    dag_tx_stream_commit_records64 u64;
}

macro_rules! copies {
    ($($name:ident $size:ty, $result:ty;)*) => {$(
        /// # Safety
        ///
        /// As for the function of the real library.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(dagfd: c_int, stream: c_int, source: *mut u8, bytes: $size) -> $result {
            recorded(
                stringify!($name),
                |line, _| {
                    (line.fd, line.stream) = (Some(dagfd), Some(stream));
                    line.args = vec![bytes as i64];
                },
                // SAFETY: what the program has given to this function is for that one.
                || function!($name).map(|function| unsafe { function(dagfd, stream, source, bytes) }),
                |_, _, _| {},
            )
        }
    )*};
}

copies! {
    dag_tx_stream_copy_bytes u32, c_int;
    dag_tx_stream_copy_bytes64 u64, i64;
}
