//! The functions of libdag that work on any version of it: cards, streams, transmit (contract, section 5).

use std::ffi::CStr;
use std::time::Duration;

use libc::{c_int, timeval};

use crate::error::CallError;
use crate::load::Libdag;

/// A function of the library or of its configuration library.
macro_rules! function {
    ($lib:expr, $name:ident) => {{
        let main = $lib.main.$name.as_ref().ok();
        main.or_else(|| $lib.conf.and_then(|conf| conf.$name.as_ref().ok()))
            .copied()
            .ok_or($crate::CallError::Missing { function: stringify!($name) })
    }};
}
pub(crate) use function;

/// `errno` is 0 from here on, so that one that a failing function does not set is not taken for its reason.
pub(crate) fn clear_errno() {
    // SAFETY: the C library gives each thread a place of its own, always.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *errno = 0 };
}

/// The failure of `function`, to be called before anything else that could change `errno`.
pub(crate) fn failed(function: &'static str) -> CallError {
    CallError::Failed { function, errno: std::io::Error::last_os_error().raw_os_error().unwrap_or(0) }
}

/// For results that are 0 or more unless they mean failure. Half of a 64-bit register suffices: whether a library returns a
/// status in 32 or 64 bits, the sign of the lower half is right (contract, section 10).
fn status(function: &'static str, result: c_int) -> Result<u32, CallError> {
    u32::try_from(result).map_err(|_| failed(function))
}

fn pointer(function: &'static str, result: *mut u8) -> Result<*mut u8, CallError> {
    if result.is_null() { Err(failed(function)) } else { Ok(result) }
}

/// When a wait for data ends; see `dag_set_stream_poll64` in the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poll {
    /// Bytes to wait for; 0 never waits.
    pub mindata: u64,
    /// Longest wait; 0 is no limit.
    pub maxwait: Duration,
    /// Between two looks.
    pub poll: Duration,
}

fn to_timeval(time: Duration) -> timeval {
    // Some libraries count in 32 bits; a year is as good as for ever.
    let seconds = time.as_secs().min(365 * 24 * 3600) as libc::time_t;
    timeval { tv_sec: seconds, tv_usec: time.subsec_micros().into() }
}

fn from_timeval(time: timeval) -> Duration {
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0)) + Duration::from_micros(micros)
}

/// Calls `$name(fd, stream)` that returns a status.
macro_rules! simple {
    ($(#[$doc:meta] $name:ident;)*) => {$(
        #[$doc]
        ///
        /// # Errors
        ///
        /// [`CallError::Failed`] with the library's `errno`.
        pub fn $name(&self, fd: i32, stream: u16) -> Result<(), CallError> {
            let function = function!(self, $name)?;
            clear_errno();
            // SAFETY: two numbers, of which the library has to bear any.
            status(stringify!($name), unsafe { function(fd, stream.into()) }).map(drop)
        }
    )*};
}

macro_rules! count {
    ($(#[$doc:meta] $name:ident;)*) => {$(
        #[$doc]
        ///
        /// # Errors
        ///
        /// [`CallError::Failed`] with the library's `errno`.
        pub fn $name(&self, fd: i32) -> Result<u32, CallError> {
            let function = function!(self, $name)?;
            clear_errno();
            // SAFETY: a number, of which the library has to bear any.
            status(stringify!($name), unsafe { function(fd) })
        }
    )*};
}

/// Cards and streams.
impl Libdag {
    /// Opens a card, such as `/dev/dag0`, and returns its descriptor.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] with `ENOENT` or `EACCES`, or what else the system says.
    pub fn dag_open(&self, name: &CStr) -> Result<i32, CallError> {
        let function = function!(self, dag_open)?;
        clear_errno();
        // SAFETY: a C string.
        let fd = unsafe { function(name.as_ptr()) };
        if fd < 0 { Err(failed("dag_open")) } else { Ok(fd) }
    }

    /// Closes a card.
    ///
    /// # Safety
    ///
    /// Nobody looks any more at stream memory that was attached through this descriptor.
    pub unsafe fn dag_close(&self, fd: i32) {
        if let Ok(function) = function!(self, dag_close) {
            // SAFETY: as promised. Its result means nothing (contract, section 5).
            unsafe { function(fd) };
        }
    }

    count! {
        #[doc = "Receive streams that exist, with memory or without."]
        dag_rx_get_stream_count;
        #[doc = "Transmit streams that exist."]
        dag_tx_get_stream_count;
    }

    simple! {
        #[doc = "Lets a stream receive or send."]
        dag_start_stream;
        #[doc = "Ends what `dag_start_stream` began."]
        dag_stop_stream;
    }

    /// Becomes the owner of a stream.
    ///
    /// # Errors
    ///
    /// `EINVAL`: no such stream; `ENOMEM`: it has no memory; `EBUSY`: somebody else owns it.
    pub fn attach(&self, fd: i32, stream: u16) -> Result<(), CallError> {
        if let Ok(function) = function!(self, dag_attach_stream64) {
            clear_errno();
            // SAFETY: four numbers.
            return status("dag_attach_stream64", unsafe { function(fd, stream.into(), 0, 0) }).map(drop);
        }
        let function = function!(self, dag_attach_stream)?;
        clear_errno();
        // SAFETY: four numbers.
        status("dag_attach_stream", unsafe { function(fd, stream.into(), 0, 0) }).map(drop)
    }

    /// Gives a stream up.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] with the library's `errno`.
    ///
    /// # Safety
    ///
    /// Nobody looks at the stream's memory any more.
    pub unsafe fn dag_detach_stream(&self, fd: i32, stream: u16) -> Result<(), CallError> {
        let function = function!(self, dag_detach_stream)?;
        clear_errno();
        // SAFETY: as promised.
        status("dag_detach_stream", unsafe { function(fd, stream.into()) }).map(drop)
    }

    /// Memory of a stream in bytes, 0 where it has none.
    ///
    /// # Errors
    ///
    /// `EINVAL`: there is no such stream.
    pub fn buffer_size(&self, fd: i32, stream: u16) -> Result<u64, CallError> {
        if let Ok(function) = function!(self, dag_get_stream_buffer_size64) {
            clear_errno();
            // SAFETY: two numbers.
            let size = unsafe { function(fd, stream.into()) };
            return u64::try_from(size).map_err(|_| failed("dag_get_stream_buffer_size64"));
        }
        let function = function!(self, dag_get_stream_buffer_size)?;
        clear_errno();
        // SAFETY: two numbers.
        status("dag_get_stream_buffer_size", unsafe { function(fd, stream.into()) }).map(u64::from)
    }

    /// Bytes that wait in a stream.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] with the library's `errno`.
    pub fn buffer_level(&self, fd: i32, stream: u16) -> Result<u64, CallError> {
        if let Ok(function) = function!(self, dag_get_stream_buffer_level64) {
            clear_errno();
            // SAFETY: two numbers.
            let level = unsafe { function(fd, stream.into()) };
            return u64::try_from(level).map_err(|_| failed("dag_get_stream_buffer_level64"));
        }
        let function = function!(self, dag_get_stream_buffer_level)?;
        clear_errno();
        // SAFETY: two numbers.
        status("dag_get_stream_buffer_level", unsafe { function(fd, stream.into()) }).map(u64::from)
    }

    /// The types of the records of a stream, without the bit that tells of extension headers.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] with the library's `errno`.
    pub fn erf_types(&self, fd: i32, stream: u16) -> Result<Vec<u8>, CallError> {
        let function = function!(self, dag_get_stream_erf_types)?;
        let mut types = [0u8; 256];
        clear_errno();
        // SAFETY: a buffer of ours, one byte longer than the library is told, so that the list always ends.
        let result = unsafe { function(fd, stream.into(), types.as_mut_ptr(), 255) };
        status("dag_get_stream_erf_types", result)?;
        Ok(types.iter().take_while(|one| **one != 0).map(|one| one & 0x7F).collect())
    }

    /// The poll parameters of a stream.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] with the library's `errno`.
    pub fn poll(&self, fd: i32, stream: u16) -> Result<Poll, CallError> {
        let zero = timeval { tv_sec: 0, tv_usec: 0 };
        let (mut mindata, mut maxwait, mut poll) = (0u64, zero, zero);
        if let Ok(function) = function!(self, dag_get_stream_poll64) {
            clear_errno();
            // SAFETY: three places of ours.
            let result = unsafe { function(fd, stream.into(), &mut mindata, &mut maxwait, &mut poll) };
            status("dag_get_stream_poll64", result)?;
        } else {
            let function = function!(self, dag_get_stream_poll)?;
            let mut narrow = 0u32;
            clear_errno();
            // SAFETY: three places of ours.
            let result = unsafe { function(fd, stream.into(), &mut narrow, &mut maxwait, &mut poll) };
            status("dag_get_stream_poll", result)?;
            mindata = narrow.into();
        }
        Ok(Poll { mindata, maxwait: from_timeval(maxwait), poll: from_timeval(poll) })
    }

    /// Sets the poll parameters of a stream.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] with the library's `errno`.
    pub fn set_poll(&self, fd: i32, stream: u16, rules: Poll) -> Result<(), CallError> {
        let (mut maxwait, mut poll) = (to_timeval(rules.maxwait), to_timeval(rules.poll));
        if let Ok(function) = function!(self, dag_set_stream_poll64) {
            clear_errno();
            // SAFETY: two places of ours, copied and not kept (contract, section 5).
            let result = unsafe { function(fd, stream.into(), rules.mindata, &mut maxwait, &mut poll) };
            return status("dag_set_stream_poll64", result).map(drop);
        }
        let function = function!(self, dag_set_stream_poll)?;
        let mindata = u32::try_from(rules.mindata).unwrap_or(u32::MAX);
        clear_errno();
        // SAFETY: as above.
        let result = unsafe { function(fd, stream.into(), mindata, &mut maxwait, &mut poll) };
        status("dag_set_stream_poll", result).map(drop)
    }

    /// Whether the program plays the card on this stream; to be set before attach.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`]: not on this card.
    pub fn set_mode(&self, fd: i32, stream: u16, reverse: bool) -> Result<(), CallError> {
        let function = function!(self, dag_set_mode)?;
        clear_errno();
        // SAFETY: three numbers.
        let result = unsafe { function(fd, stream.into(), reverse.into()) };
        if result == 0 { Ok(()) } else { Err(failed("dag_set_mode")) }
    }

    /// Releases everything before `*bottom`, waits by the poll parameters, and returns the end of what can be read, of which
    /// `*bottom` is the begin then. A null `*bottom` releases nothing.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`]; with `EAGAIN` or `EINTR` there was nothing in time.
    ///
    /// # Safety
    ///
    /// `*bottom` is null, or came from this call on the same stream since attach, moved forward by no more than the window that
    /// came with it. Nobody looks any more at what lies before it.
    pub unsafe fn dag_advance_stream(&self, fd: i32, stream: u16, bottom: &mut *mut u8) -> Result<*mut u8, CallError> {
        let function = function!(self, dag_advance_stream)?;
        clear_errno();
        // SAFETY: as promised.
        pointer("dag_advance_stream", unsafe { function(fd, stream.into(), bottom) })
    }

    /// Whether the feed of an emulated card is over and everything of the stream has been handed out; `false` for a real card.
    pub fn end_of_feed(&self, fd: i32, stream: u16) -> bool {
        let Some(function) = self.extras.end_of_feed else { return false };
        // SAFETY: two numbers, to the function of the emulated card.
        unsafe { function(fd, stream.into()) == 1 }
    }

    /// Records that a stream of an emulated card has dropped, and those of them that no record has told yet; `None` for a real
    /// card, which has a drop counter only: see [`Config::stream_drops`](crate::Config::stream_drops).
    pub fn exact_drops(&self, fd: i32, stream: u16) -> Option<(u32, u64)> {
        let function = self.extras.stream_drops?;
        let (mut dropped, mut untold) = (0, 0);
        // SAFETY: two numbers and two places of ours.
        let result = unsafe { function(fd, stream.into(), &mut dropped, &mut untold) };
        (result == 0).then_some((dropped, untold))
    }

    /// What an emulated card says of itself, in JSON; `None` for a real card.
    pub fn describe(&self, fd: i32) -> Option<String> {
        let function = self.extras.describe?;
        let mut text = vec![0u8; 64 << 10];
        // SAFETY: a buffer of ours and its size.
        let len = unsafe { function(fd, text.as_mut_ptr().cast(), text.len()) };
        text.truncate(usize::try_from(len).ok().filter(|len| *len < text.len())?);
        String::from_utf8(text).ok()
    }
}

/// Transmit.
impl Libdag {
    /// Contiguous room for `bytes` bytes.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`]; `EAGAIN`: not now.
    pub fn tx_space(&self, fd: i32, stream: u16, bytes: u64) -> Result<*mut u8, CallError> {
        if let Ok(function) = function!(self, dag_tx_get_stream_space64) {
            clear_errno();
            // SAFETY: three numbers.
            return pointer("dag_tx_get_stream_space64", unsafe { function(fd, stream.into(), bytes) });
        }
        let function = function!(self, dag_tx_get_stream_space)?;
        let narrow = u32::try_from(bytes).unwrap_or(u32::MAX);
        clear_errno();
        // SAFETY: three numbers.
        pointer("dag_tx_get_stream_space", unsafe { function(fd, stream.into(), narrow) })
    }

    /// Sends `bytes` bytes of whole records that were written into the room of [`tx_space`](Self::tx_space).
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] with the library's `errno`.
    ///
    /// # Safety
    ///
    /// That many bytes of the room have been written, and nobody writes there any more.
    pub unsafe fn tx_commit(&self, fd: i32, stream: u16, bytes: u64) -> Result<(), CallError> {
        if let Ok(function) = function!(self, dag_tx_stream_commit_records64) {
            clear_errno();
            // SAFETY: as promised.
            let next = unsafe { function(fd, stream.into(), bytes) };
            return pointer("dag_tx_stream_commit_records64", next).map(drop);
        }
        if let Ok(function) = function!(self, dag_tx_stream_commit_bytes64) {
            clear_errno();
            // SAFETY: as promised.
            let next = unsafe { function(fd, stream.into(), bytes) };
            return pointer("dag_tx_stream_commit_bytes64", next).map(drop);
        }
        let function = function!(self, dag_tx_stream_commit_bytes)?;
        clear_errno();
        // SAFETY: as promised; what was to fit the room fits 32 bits, see `tx_space`.
        let next = unsafe { function(fd, stream.into(), bytes as u32) };
        pointer("dag_tx_stream_commit_bytes", next).map(drop)
    }

    /// Copies `bytes` into the stream and sends them once the record they belong to is whole.
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] with the library's `errno`.
    pub fn tx_copy(&self, fd: i32, stream: u16, bytes: &[u8]) -> Result<(), CallError> {
        // The library takes a pointer to what it does not write to (contract, section 5: callers cast const away).
        let source = bytes.as_ptr().cast_mut();
        if let Ok(function) = function!(self, dag_tx_stream_copy_bytes64) {
            clear_errno();
            // SAFETY: `source` is readable for as many bytes, and is not kept.
            let taken = unsafe { function(fd, stream.into(), source, bytes.len() as u64) };
            // The lower half: whether the library returns 32 or 64 bits is not known.
            return status("dag_tx_stream_copy_bytes64", taken as c_int).map(drop);
        }
        let function = function!(self, dag_tx_stream_copy_bytes)?;
        for piece in bytes.chunks(1 << 30) {
            clear_errno();
            // SAFETY: as above.
            let taken = unsafe { function(fd, stream.into(), piece.as_ptr().cast_mut(), piece.len() as u32) };
            status("dag_tx_stream_copy_bytes", taken)?;
        }
        Ok(())
    }
}
