//! Functions that receive: how much was given back and got, in bytes and records.

use dag_trace::Window;
use libc::c_int;

use crate::real::function;
use crate::recorder::{Lent, Recorder, recorded};

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_advance_stream(dagfd: c_int, stream: c_int, bottom: *mut *mut u8) -> *mut u8 {
    // SAFETY: a place of the program's, or null.
    let passed = if bottom.is_null() { std::ptr::null_mut() } else { unsafe { bottom.read() } };
    recorded(
        "dag_advance_stream",
        |line, recorder| {
            (line.fd, line.stream) = (Some(dagfd), Some(stream));
            // SAFETY: what was lent is lent until this call is passed on.
            line.window = Some(unsafe { given_back(recorder, (dagfd, stream), passed) });
        },
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_advance_stream).map(|function| unsafe { function(dagfd, stream, bottom) }),
        |line, recorder, top: *mut u8| {
            if top.is_null() || bottom.is_null() {
                return;
            }
            // SAFETY: the program's place, into which the library has put the begin.
            let begin = unsafe { bottom.read() };
            let window = line.window.get_or_insert_default();
            // Addresses are below 2^63.
            window.len = top.addr() as i64 - begin.addr() as i64;
            window.moved = (!passed.is_null()).then(|| begin.addr() as i64 - passed.addr() as i64);
            // SAFETY: the library has lent all from `begin` to `top`, if that is behind it.
            (window.records, window.whole) = unsafe { walk(begin, window.len) };
            let lent =
                Lent { bottom: begin.addr(), len: u64::try_from(window.len).unwrap_or(0), records: window.records };
            recorder.lent.insert((dagfd, stream), lent);
        },
    )
}

/// What the program gives back.
///
/// # Safety
///
/// What was lent last on the stream is still lent.
unsafe fn given_back(recorder: &Recorder, stream: (c_int, c_int), passed: *mut u8) -> Window {
    let lent = recorder.lent.get(&stream).copied().unwrap_or_default();
    let mut window = Window { had: lent.len, ..Window::default() };
    if passed.is_null() {
        return window;
    }
    let consumed = passed.addr() as i64 - lent.bottom as i64;
    window.consumed = Some(consumed);
    window.consumed_records = match u64::try_from(consumed) {
        Ok(all) if all >= lent.len => lent.records,
        Ok(0) | Err(_) => 0,
        Ok(_) => {
            // The program's pointer, moved back to where the window begins.
            let begin = passed.wrapping_sub(consumed as usize);
            // SAFETY: `consumed` bytes from the begin of the window lie in it, as was just compared.
            unsafe { walk(begin, consumed) }.0
        }
    };
    window
}

/// How many whole records there are in `len` bytes, and whether the last one ends where they do.
///
/// # Safety
///
/// `len` bytes from `begin` on may be read, if it is above 0.
unsafe fn walk(begin: *const u8, len: i64) -> (u64, bool) {
    let Ok(len) = usize::try_from(len) else { return (0, false) };
    if len == 0 {
        return (0, true);
    }
    // SAFETY: as promised.
    let bytes = unsafe { std::slice::from_raw_parts(begin, len) };
    let (mut at, mut records) = (0, 0);
    while let Some([high, low]) = bytes.get(at + 10..at + 12) {
        let record = usize::from(u16::from_be_bytes([*high, *low]));
        if record < erf_core::HEADER_LEN || at + record > len {
            break;
        }
        at += record;
        records += 1;
    }
    (records, at == len)
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_rx_stream_next_record(dagfd: c_int, stream: c_int) -> *mut u8 {
    recorded(
        "dag_rx_stream_next_record",
        |line, _| (line.fd, line.stream) = (Some(dagfd), Some(stream)),
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_rx_stream_next_record).map(|function| unsafe { function(dagfd, stream) }),
        // SAFETY: what the library has just given.
        |line, _, record: *mut u8| line.window = unsafe { one(record) },
    )
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_rx_stream_next_inline(dagfd: c_int, rx: c_int, tx: c_int) -> *mut u8 {
    recorded(
        "dag_rx_stream_next_inline",
        |line, _| {
            (line.fd, line.stream) = (Some(dagfd), Some(rx));
            line.args = vec![tx.into()];
        },
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_rx_stream_next_inline).map(|function| unsafe { function(dagfd, rx, tx) }),
        // SAFETY: what the library has just given.
        |line, _, record: *mut u8| line.window = unsafe { one(record) },
    )
}

/// A window of one record.
///
/// # Safety
///
/// A record of the library's, or null.
unsafe fn one(record: *mut u8) -> Option<Window> {
    if record.is_null() {
        return None;
    }
    // SAFETY: a record has a header.
    let header = unsafe { std::slice::from_raw_parts(record, erf_core::HEADER_LEN) };
    let len = u16::from_be_bytes([header[10], header[11]]);
    Some(Window { len: len.into(), records: 1, whole: usize::from(len) >= erf_core::HEADER_LEN, ..Window::default() })
}
