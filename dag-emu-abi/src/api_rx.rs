//! `dagapi.h`, receive streams: attach to detach, and the data in between.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use dag_emu::ring::PollRules;
use libc::{c_int, timeval};

use crate::api_card::stream;
use crate::constants::{NORMAL_MODE, REVERSE_MODE};
use crate::guard::{Errno, guard};
use crate::handles::process;
use crate::rx::{Rx, Slot};

const INVALID: Errno = Errno(libc::EINVAL);

/// The attached stream.
fn attached_any(dagfd: c_int, stream_num: c_int) -> Result<Slot, Errno> {
    let handle = process().handle(dagfd)?;
    handle.board.slots.find(handle.id, stream(stream_num)?)
}

/// The attached receive stream.
fn attached(dagfd: c_int, stream_num: c_int) -> Result<Arc<Rx>, Errno> {
    match attached_any(dagfd, stream_num)? {
        Slot::Rx(rx) => Ok(rx),
        Slot::Tx(_) => Err(INVALID),
    }
}

/// The poll parameters of a stream of either kind.
fn rules(dagfd: c_int, stream_num: c_int) -> Result<PollRules, Errno> {
    Ok(match attached_any(dagfd, stream_num)? {
        Slot::Rx(rx) => rx.rules(),
        Slot::Tx(tx) => tx.rules(),
    })
}

/// Bytes that wait in a stream of either kind.
fn level(dagfd: c_int, stream_num: c_int) -> Result<u64, Errno> {
    Ok(match attached_any(dagfd, stream_num)? {
        Slot::Rx(rx) => rx.level(),
        Slot::Tx(tx) => tx.level(),
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_set_mode(dagfd: c_int, stream_num: c_int, mode: u32) -> c_int {
    guard(-1, || {
        let handle = process().handle(dagfd)?;
        let number = stream(stream_num)?;
        let mut reversed = handle.reversed.lock().unwrap_or_else(PoisonError::into_inner);
        match mode {
            NORMAL_MODE => drop(reversed.remove(&number)),
            REVERSE_MODE if handle.board.card.is_reversible() => drop(reversed.insert(number)),
            REVERSE_MODE => return Err(Errno(libc::ENOTSUP)),
            _ => return Err(INVALID),
        }
        Ok(0)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_attach_stream(dagfd: c_int, stream_num: c_int, flags: u32, window: u32) -> c_int {
    dag_attach_stream64(dagfd, stream_num, flags, window.into())
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_attach_stream64(dagfd: c_int, stream_num: c_int, _flags: u32, _window: u64) -> c_int {
    guard(-1, || {
        let handle = process().handle(dagfd)?;
        // The window is always the whole ring, whatever is asked for.
        let number = stream(stream_num)?;
        let reverse = handle.reversed.lock().unwrap_or_else(PoisonError::into_inner).contains(&number);
        handle.board.slots.attach(&handle.board.card, handle.id, number, reverse).map(|()| 0)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_detach_stream(dagfd: c_int, stream_num: c_int) -> c_int {
    guard(-1, || {
        let handle = process().handle(dagfd)?;
        handle.board.slots.detach(handle.id, stream(stream_num)?).map(|()| 0)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_start_stream(dagfd: c_int, stream_num: c_int) -> c_int {
    guard(-1, || {
        match attached_any(dagfd, stream_num)? {
            Slot::Rx(rx) => rx.start(),
            Slot::Tx(tx) => tx.start(),
        }
        .map(|()| 0)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_stop_stream(dagfd: c_int, stream_num: c_int) -> c_int {
    guard(-1, || {
        match attached_any(dagfd, stream_num)? {
            Slot::Rx(rx) => rx.stop(),
            Slot::Tx(tx) => tx.stop(),
        }
        .map(|()| 0)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_get_stream_buffer_level64(dagfd: c_int, stream_num: c_int) -> i64 {
    guard(-1, || Ok(i64::try_from(level(dagfd, stream_num)?).unwrap_or(i64::MAX)))
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_get_stream_buffer_level(dagfd: c_int, stream_num: c_int) -> c_int {
    guard(-1, || Ok(c_int::try_from(level(dagfd, stream_num)?).unwrap_or(c_int::MAX)))
}

/// # Safety
///
/// Places for three values, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_get_stream_poll(
    dagfd: c_int,
    stream_num: c_int,
    mindata: *mut u32,
    maxwait: *mut timeval,
    poll: *mut timeval,
) -> c_int {
    guard(-1, || {
        let rules = rules(dagfd, stream_num)?;
        if mindata.is_null() || maxwait.is_null() || poll.is_null() {
            return Err(INVALID);
        }
        // SAFETY: as promised.
        unsafe { mindata.write(u32::try_from(rules.mindata).unwrap_or(u32::MAX)) };
        // SAFETY: as promised.
        unsafe { maxwait.write(to_timeval(rules.maxwait)) };
        // SAFETY: as promised.
        unsafe { poll.write(to_timeval(rules.poll)) };
        Ok(0)
    })
}

/// # Safety
///
/// Places for three values, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_get_stream_poll64(
    dagfd: c_int,
    stream_num: c_int,
    mindata: *mut u64,
    maxwait: *mut timeval,
    poll: *mut timeval,
) -> c_int {
    guard(-1, || {
        let rules = rules(dagfd, stream_num)?;
        if mindata.is_null() || maxwait.is_null() || poll.is_null() {
            return Err(INVALID);
        }
        // SAFETY: as promised.
        unsafe { mindata.write(rules.mindata) };
        // SAFETY: as promised.
        unsafe { maxwait.write(to_timeval(rules.maxwait)) };
        // SAFETY: as promised.
        unsafe { poll.write(to_timeval(rules.poll)) };
        Ok(0)
    })
}

/// # Safety
///
/// Two times, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_set_stream_poll(
    dagfd: c_int,
    stream_num: c_int,
    mindata: u32,
    maxwait: *mut timeval,
    poll: *mut timeval,
) -> c_int {
    // SAFETY: as promised.
    unsafe { dag_set_stream_poll64(dagfd, stream_num, mindata.into(), maxwait, poll) }
}

/// # Safety
///
/// Two times, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_set_stream_poll64(
    dagfd: c_int,
    stream_num: c_int,
    mindata: u64,
    maxwait: *mut timeval,
    poll: *mut timeval,
) -> c_int {
    guard(-1, || {
        let slot = attached_any(dagfd, stream_num)?;
        if maxwait.is_null() || poll.is_null() {
            return Err(INVALID);
        }
        // SAFETY: as promised.
        let maxwait = from_timeval(unsafe { maxwait.read() })?;
        // SAFETY: as promised.
        let poll = from_timeval(unsafe { poll.read() })?;
        let rules = PollRules { mindata, maxwait, poll };
        match slot {
            Slot::Rx(rx) => rx.set_rules(rules),
            Slot::Tx(tx) => tx.set_rules(rules),
        }
        Ok(0)
    })
}

fn to_timeval(time: Duration) -> timeval {
    let seconds = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
    timeval { tv_sec: seconds, tv_usec: time.subsec_micros().into() }
}

/// Times that no clock has are refused. More microseconds than a second has are taken for what they are.
fn from_timeval(time: timeval) -> Result<Duration, Errno> {
    let seconds = u64::try_from(time.tv_sec).map_err(|_| INVALID)?;
    let micros = u64::try_from(time.tv_usec).map_err(|_| INVALID)?;
    Ok(Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros)))
}

/// # Safety
///
/// `bottom` is a place for a pointer, or null. What was lent before `*bottom` is used by nobody any more.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_advance_stream(dagfd: c_int, stream_num: c_int, bottom: *mut *mut u8) -> *mut u8 {
    guard(std::ptr::null_mut(), || {
        let rx = attached(dagfd, stream_num)?;
        if bottom.is_null() {
            return Err(INVALID);
        }
        // SAFETY: as promised.
        let (begin, end) = rx.advance(unsafe { bottom.read() })?;
        // SAFETY: as promised.
        unsafe { bottom.write(begin) };
        Ok(end)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_rx_stream_next_record(dagfd: c_int, stream_num: c_int) -> *mut u8 {
    guard(std::ptr::null_mut(), || attached(dagfd, stream_num)?.next_record())
}

/// # Safety
///
/// Places for two values, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_emu_stream_drops(
    dagfd: c_int,
    stream_num: c_int,
    dropped: *mut u32,
    untold: *mut u64,
) -> c_int {
    guard(-1, || {
        let handle = process().handle(dagfd)?;
        let drops = handle.board.card.drops(stream(stream_num)?).ok_or(INVALID)?;
        if dropped.is_null() || untold.is_null() {
            return Err(INVALID);
        }
        // SAFETY: as promised.
        unsafe { dropped.write(drops.total) };
        // SAFETY: as promised.
        unsafe { untold.write(drops.pending) };
        Ok(0)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_emu_end_of_feed(dagfd: c_int, stream_num: c_int) -> c_int {
    guard(-1, || Ok(attached(dagfd, stream_num)?.is_last().into()))
}
