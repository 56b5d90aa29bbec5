//! `dagapi.h`, cards: names, opening, what they are.

use std::ffi::CStr;

use libc::{c_char, c_int, c_uint};

use crate::constants::{DEVICE_CODE, STREAM_MAX, VDAG_CODE};
use crate::guard::{Errno, guard};
use crate::handles::{CardInf, DagInf, process};
use crate::name;

const INVALID: Errno = Errno(libc::EINVAL);

/// # Safety
///
/// Null, or a C string.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Option<&'a CStr> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as promised.
    Some(unsafe { CStr::from_ptr(text) })
}

/// A stream number that can be one.
pub(crate) fn stream(number: c_int) -> Result<u16, Errno> {
    u16::try_from(number).ok().filter(|number| *number < STREAM_MAX).ok_or(INVALID)
}

/// # Safety
///
/// As `dagapi.h` says: a C string or null; room for `buflen` bytes, or null; a place for a number, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_parse_name(
    name: *const c_char,
    buffer: *mut c_char,
    buflen: c_int,
    stream_number: *mut c_int,
) -> c_int {
    guard(-1, || {
        // SAFETY: as promised.
        let text = unsafe { text(name) }.and_then(|name| name.to_str().ok()).ok_or(INVALID)?;
        let (card, number) = name::parse(text).ok_or(INVALID)?;
        let path = format!("/dev/dag{card}\0");
        let room = usize::try_from(buflen).unwrap_or(0);
        if buffer.is_null() || path.len() > room {
            return Err(INVALID);
        }
        // SAFETY: `path` is no longer than the room.
        unsafe { buffer.cast::<u8>().copy_from_nonoverlapping(path.as_ptr(), path.len()) };
        if !stream_number.is_null() {
            // SAFETY: a place for a number.
            unsafe { stream_number.write(number.into()) };
        }
        Ok(0)
    })
}

/// # Safety
///
/// A C string or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_open(name: *const c_char) -> c_int {
    guard(-1, || {
        // SAFETY: as promised.
        let text = unsafe { text(name) }.ok_or(INVALID)?;
        let (card, _) = text.to_str().ok().and_then(name::parse).ok_or(Errno(libc::ENOENT))?;
        process().open(card)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_close(dagfd: c_int) -> c_int {
    guard(-1, || process().close(dagfd).map(|()| 0))
}

/// # Safety
///
/// A C string or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_configure(dagfd: c_int, settings: *const c_char) -> c_int {
    guard(-1, || {
        let handle = process().handle(dagfd)?;
        // SAFETY: as promised.
        let text = unsafe { text(settings) }.and_then(|settings| settings.to_str().ok()).ok_or(INVALID)?;
        let ports = handle.board.card.ports();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                None if word == "varlen" => ports.set_varlen(true),
                None if word == "novarlen" => ports.set_varlen(false),
                Some(("slen", bytes)) => {
                    let bytes: u32 = bytes.parse().map_err(|_| INVALID)?;
                    ports.set_snaplen(u16::try_from(bytes).unwrap_or(u16::MAX).max(1));
                }
                // What a card does not know it leaves alone.
                _ => {}
            }
        }
        Ok(0)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_info(dagfd: c_int) -> *mut DagInf {
    guard(std::ptr::null_mut(), || Ok(std::ptr::from_ref(&*process().handle(dagfd)?.info).cast_mut()))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_pciinfo(dagfd: c_int) -> *mut CardInf {
    guard(std::ptr::null_mut(), || Ok(std::ptr::from_ref(&*process().handle(dagfd)?.card_info).cast_mut()))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_device_name(device_code: c_uint, _flag: c_int) -> *mut c_char {
    let name = match device_code {
        DEVICE_CODE => c"emulated DAG (dag-emu)",
        VDAG_CODE => c"emulated vDAG (dag-emu)",
        _ => c"unknown",
    };
    name.as_ptr().cast_mut()
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_rx_get_stream_count(dagfd: c_int) -> c_int {
    guard(-1, || {
        let handle = process().handle(dagfd)?;
        Ok((handle.board.card.stream_count() + handle.board.card.bare_stream_count()).into())
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_tx_get_stream_count(dagfd: c_int) -> c_int {
    guard(-1, || Ok(process().handle(dagfd)?.board.card.tx_stream_count().into()))
}

/// Memory of a stream.
fn memory(dagfd: c_int, stream_num: c_int) -> Result<u64, Errno> {
    let handle = process().handle(dagfd)?;
    let (number, card) = (stream(stream_num)?, &handle.board.card);
    let (with, bare) = (card.stream_count(), card.bare_stream_count());
    match number / 2 {
        index if number % 2 == 1 => match index < card.tx_stream_count() {
            true => Ok(card.stream_memory()),
            false => Err(INVALID),
        },
        index if index < with => Ok(card.stream_memory()),
        index if index < with + bare => Ok(0),
        _ => Err(INVALID),
    }
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_get_stream_buffer_size64(dagfd: c_int, stream_num: c_int) -> i64 {
    guard(-1, || Ok(i64::try_from(memory(dagfd, stream_num)?).unwrap_or(i64::MAX)))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_get_stream_buffer_size(dagfd: c_int, stream_num: c_int) -> c_int {
    guard(-1, || Ok(c_int::try_from(memory(dagfd, stream_num)?).unwrap_or(c_int::MAX)))
}

/// # Safety
///
/// Null, or room for `size` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_get_stream_erf_types(
    dagfd: c_int,
    stream_num: c_int,
    types: *mut u8,
    size: c_int,
) -> c_int {
    guard(-1, || {
        memory(dagfd, stream_num)?;
        // SAFETY: as promised.
        unsafe { put_types(dagfd, types, size) }
    })
}

/// # Safety
///
/// Null, or room for `size` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_get_erf_types(dagfd: c_int, types: *mut u8, size: c_int) -> c_int {
    // SAFETY: as promised.
    guard(-1, || unsafe { put_types(dagfd, types, size) })
}

/// # Safety
///
/// Null, or room for `size` bytes.
unsafe fn put_types(dagfd: c_int, types: *mut u8, size: c_int) -> Result<c_int, Errno> {
    let handle = process().handle(dagfd)?;
    let known = &handle.board.types;
    let room = usize::try_from(size).map_err(|_| INVALID)?;
    if types.is_null() || known.len() >= room {
        return Err(INVALID);
    }
    // SAFETY: fewer bytes than there is room for.
    unsafe { types.copy_from_nonoverlapping(known.as_ptr(), known.len()) };
    // SAFETY: one more still is.
    let end = unsafe { types.add(known.len()) };
    // SAFETY: as above.
    unsafe { end.write(0) };
    // Below `size`.
    Ok(known.len() as c_int)
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_linktype(dagfd: c_int) -> c_int {
    guard(-1, || process().handle(dagfd)?.board.types.first().map(|one| (*one).into()).ok_or(INVALID))
}

/// # Safety
///
/// The name is kept by nobody; null is allowed.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dagutil_set_progname(_name: *mut c_char) {}

/// The version of `dag_emu.h`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_emu_abi_version() -> u32 {
    1
}
