//! Functions of which nothing is to be known but arguments and result.

use std::ffi::c_void;

use dag_sys::bindings as b;
use libc::{c_char, c_int, c_uint, timeval};

use crate::real::{function, library};
use crate::recorder::{recorded, text};
use crate::times::micros;

/// `NAME(ARGUMENTS) -> RESULT { what the log has of the arguments }`
macro_rules! forward {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty { $($key:ident: $value:expr),* })*) => {$(
        /// # Safety
        ///
        /// As for the function of the real library.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            recorded(
                stringify!($name),
                |_line, _| { $(_line.$key = $value;)* },
                // SAFETY: what the program has given to this function is for that one.
                || function!($name).map(|function| unsafe { function($($argument),*) }),
                |_, _, _| {},
            )
        }
    )*};
}

forward! {
    dag_close(dagfd: c_int) -> c_int { fd: Some(dagfd) }
    dag_info(dagfd: c_int) -> *mut b::daginf_t { fd: Some(dagfd) }
    dag_pciinfo(dagfd: c_int) -> *mut b::dag_card_inf_t { fd: Some(dagfd) }
    dag_device_name(device_code: c_uint, flag: c_int) -> *mut c_char { args: vec![device_code.into(), flag.into()] }
    dag_rx_get_stream_count(dagfd: c_int) -> c_int { fd: Some(dagfd) }
    dag_tx_get_stream_count(dagfd: c_int) -> c_int { fd: Some(dagfd) }
    dag_get_erf_types(dagfd: c_int, types: *mut u8, size: c_int) -> c_int { fd: Some(dagfd), args: vec![size.into()] }
    dag_linktype(dagfd: c_int) -> c_int { fd: Some(dagfd) }
    dag_get_stream_buffer_size64(dagfd: c_int, stream: c_int) -> i64 { fd: Some(dagfd), stream: Some(stream) }
    dag_get_stream_buffer_size(dagfd: c_int, stream: c_int) -> c_int { fd: Some(dagfd), stream: Some(stream) }
    dag_get_stream_buffer_level64(dagfd: c_int, stream: c_int) -> i64 { fd: Some(dagfd), stream: Some(stream) }
    dag_get_stream_buffer_level(dagfd: c_int, stream: c_int) -> c_int { fd: Some(dagfd), stream: Some(stream) }
    dag_set_mode(dagfd: c_int, stream: c_int, mode: u32) -> c_int {
        fd: Some(dagfd), stream: Some(stream), args: vec![mode.into()]
    }
    dag_start_stream(dagfd: c_int, stream: c_int) -> c_int { fd: Some(dagfd), stream: Some(stream) }
    dag_stop_stream(dagfd: c_int, stream: c_int) -> c_int { fd: Some(dagfd), stream: Some(stream) }
    dagutil_set_progname(name: *mut c_char) -> () {}
    dagerf_is_ethernet_type(erf: *mut u8) -> c_uint {}
    dagerf_is_color_type(erf: *mut u8) -> c_uint {}
    dagerf_is_multichannel_type(erf: *mut u8) -> c_uint {}
    dagerf_ext_header_count(erf: *mut u8, len: usize) -> c_uint {}
    dagerf_type_to_string(number: u8, unknown: b::dagerf_unknown_t) -> *const c_char { args: vec![number.into()] }

    dag_config_get_root_component(card: b::dag_card_ref_t) -> b::dag_component_t {}
    dag_component_get_subcomponent(part: b::dag_component_t, code: c_uint, index: c_int) -> b::dag_component_t {
        args: vec![code.into(), index.into()]
    }
    dag_component_get_subcomponent_count_of_type(part: b::dag_component_t, code: c_uint) -> c_uint { args: vec![code.into()] }
    dag_component_get_config_attribute_uuid(part: b::dag_component_t, code: c_uint) -> u64 { args: vec![code.into()] }
    dag_component_get_attribute_uuid(part: b::dag_component_t, code: c_uint) -> u64 { args: vec![code.into()] }
    dag_config_get_indexed_attribute_uuid(card: b::dag_card_ref_t, code: c_uint, index: c_int) -> u64 {
        args: vec![code.into(), index.into()]
    }
    dag_config_get_attribute_to_string(card: b::dag_card_ref_t, uuid: u64) -> *const c_char { args: vec![uuid as i64] }
    dag_config_get_boolean_attribute(card: b::dag_card_ref_t, uuid: u64) -> u8 { args: vec![uuid as i64] }
    dag_config_get_uint32_attribute(card: b::dag_card_ref_t, uuid: u64) -> u32 { args: vec![uuid as i64] }
    dag_config_get_uint64_attribute(card: b::dag_card_ref_t, uuid: u64) -> u64 { args: vec![uuid as i64] }
    dag_config_get_struct_attribute(card: b::dag_card_ref_t, uuid: u64, place: *mut *mut c_void) -> c_uint {
        args: vec![uuid as i64]
    }
    dag_config_set_boolean_attribute(card: b::dag_card_ref_t, uuid: u64, value: u8) -> c_uint {
        args: vec![uuid as i64, value.into()]
    }
    dag_config_set_uint32_attribute(card: b::dag_card_ref_t, uuid: u64, value: u32) -> c_uint {
        args: vec![uuid as i64, value.into()]
    }
    dag_config_get_interface_count(card: b::dag_card_ref_t) -> u32 {}
    dag_config_strerror(number: c_uint) -> *const c_char { args: vec![number.into()] }
}

/// Functions that give a value through a pointer, and say in an error number whether they did.
macro_rules! values {
    ($($name:ident $type:ty;)*) => {$(
        /// # Safety
        ///
        /// As for the function of the real library.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(card: b::dag_card_ref_t, uuid: u64, place: *mut $type) -> c_uint {
            recorded(
                stringify!($name),
                |line, _| line.args = vec![uuid as i64],
                // SAFETY: what the program has given to this function is for that one.
                || function!($name).map(|function| unsafe { function(card, uuid, place) }),
                |line, _, result: c_uint| {
                    if result == 0 && !place.is_null() {
                        // SAFETY: the library has put a value there.
                        line.out = vec![unsafe { place.read() } as i64];
                    }
                },
            )
        }
    )*};
}

values! {
    dag_config_get_boolean_attribute_ex u8;
    dag_config_get_uint32_attribute_ex u32;
    dag_config_get_uint64_attribute_ex u64;
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_parse_name(
    name: *const c_char,
    buffer: *mut c_char,
    size: c_int,
    stream: *mut c_int,
) -> c_int {
    recorded(
        "dag_parse_name",
        |line, _| {
            // SAFETY: a C string or null.
            line.text = unsafe { text(name) };
            line.args = vec![size.into()];
        },
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_parse_name).map(|function| unsafe { function(name, buffer, size, stream) }),
        |line, _, result: c_int| {
            if result >= 0 {
                // SAFETY: the library has put a C string there, or there was no place.
                line.said = unsafe { text(buffer) };
                if !stream.is_null() {
                    // SAFETY: the library has put a number there.
                    line.out = vec![unsafe { stream.read() }.into()];
                }
            }
        },
    )
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_open(name: *const c_char) -> c_int {
    recorded(
        "dag_open",
        // SAFETY: a C string or null.
        |line, _| line.text = unsafe { text(name) },
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_open).map(|function| unsafe { function(name) }),
        |line, recorder, fd: c_int| {
            if fd >= 0 {
                recorder.card(fd, line.text.as_deref().unwrap_or_default());
            }
        },
    )
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_configure(dagfd: c_int, settings: *const c_char) -> c_int {
    recorded(
        "dag_configure",
        |line, _| {
            line.fd = Some(dagfd);
            // SAFETY: a C string or null.
            line.text = unsafe { text(settings) };
        },
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_configure).map(|function| unsafe { function(dagfd, settings) }),
        |_, _, _| {},
    )
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_get_stream_erf_types(
    dagfd: c_int,
    stream: c_int,
    types: *mut u8,
    size: c_int,
) -> c_int {
    recorded(
        "dag_get_stream_erf_types",
        |line, _| {
            (line.fd, line.stream) = (Some(dagfd), Some(stream));
            line.args = vec![size.into()];
        },
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_get_stream_erf_types).map(|function| unsafe { function(dagfd, stream, types, size) }),
        |line, _, result: c_int| {
            let count = usize::try_from(result.min(size)).unwrap_or(0);
            if count > 0 && !types.is_null() {
                // SAFETY: the library has put as many there, in the program's room of `size`.
                let types = unsafe { std::slice::from_raw_parts(types, count) };
                line.out = types.iter().map(|number| i64::from(*number)).collect();
            }
        },
    )
}

macro_rules! polls {
    ($($get:ident $set:ident $attach:ident $size:ty;)*) => {$(
        /// # Safety
        ///
        /// As for the function of the real library.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $get(
            dagfd: c_int,
            stream: c_int,
            mindata: *mut $size,
            maxwait: *mut timeval,
            poll: *mut timeval,
        ) -> c_int {
            recorded(
                stringify!($get),
                |line, _| (line.fd, line.stream) = (Some(dagfd), Some(stream)),
                // SAFETY: what the program has given to this function is for that one.
                || function!($get).map(|function| unsafe {
                    function(dagfd, stream, mindata, maxwait.cast(), poll.cast())
                }),
                |line, _, result: c_int| {
                    if result == 0 && !mindata.is_null() {
                        // SAFETY: the library has put a number there.
                        let mindata = unsafe { mindata.read() } as i64;
                        // SAFETY: a time of the library's, or null.
                        let maxwait = unsafe { micros(maxwait) };
                        // SAFETY: as above.
                        line.out = vec![mindata, maxwait, unsafe { micros(poll) }];
                    }
                },
            )
        }

        /// # Safety
        ///
        /// As for the function of the real library.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $set(
            dagfd: c_int,
            stream: c_int,
            mindata: $size,
            maxwait: *mut timeval,
            poll: *mut timeval,
        ) -> c_int {
            recorded(
                stringify!($set),
                |line, _| {
                    (line.fd, line.stream) = (Some(dagfd), Some(stream));
                    // SAFETY: a time of the program's, or null.
                    let maxwait = unsafe { micros(maxwait) };
                    // SAFETY: as above.
                    line.args = vec![mindata as i64, maxwait, unsafe { micros(poll) }];
                },
                // SAFETY: what the program has given to this function is for that one.
                || function!($set).map(|function| unsafe {
                    function(dagfd, stream, mindata, maxwait.cast(), poll.cast())
                }),
                |_, _, _| {},
            )
        }

        /// # Safety
        ///
        /// As for the function of the real library.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $attach(dagfd: c_int, stream: c_int, flags: u32, window: $size) -> c_int {
            recorded(
                stringify!($attach),
                |line, _| {
                    (line.fd, line.stream) = (Some(dagfd), Some(stream));
                    line.args = vec![flags.into(), window as i64];
                },
                // SAFETY: what the program has given to this function is for that one.
                || function!($attach).map(|function| unsafe { function(dagfd, stream, flags, window) }),
                |_, recorder, result: c_int| {
                    if result == 0 {
                        recorder.lent.remove(&(dagfd, stream));
                    }
                },
            )
        }
    )*};
}

polls! {
    dag_get_stream_poll dag_set_stream_poll dag_attach_stream u32;
    dag_get_stream_poll64 dag_set_stream_poll64 dag_attach_stream64 u64;
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_detach_stream(dagfd: c_int, stream: c_int) -> c_int {
    recorded(
        "dag_detach_stream",
        |line, recorder| {
            (line.fd, line.stream) = (Some(dagfd), Some(stream));
            recorder.lent.remove(&(dagfd, stream));
        },
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_detach_stream).map(|function| unsafe { function(dagfd, stream) }),
        |_, _, _| {},
    )
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_config_init(name: *const c_char) -> b::dag_card_ref_t {
    recorded(
        "dag_config_init",
        // SAFETY: a C string or null.
        |line, _| line.text = unsafe { text(name) },
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_config_init).map(|function| unsafe { function(name) }),
        |line, recorder, card: b::dag_card_ref_t| {
            line.result = recorder.number_of(card);
            if let (false, Some(function)) = (card.is_null(), function!(dag_config_get_card_fd)) {
                // SAFETY: the card was just opened.
                let fd = unsafe { function(card) };
                if fd >= 0 {
                    recorder.card(fd, line.text.as_deref().unwrap_or_default());
                }
            }
        },
    )
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_config_dispose(card: b::dag_card_ref_t) {
    recorded(
        "dag_config_dispose",
        |line, recorder| line.args = vec![recorder.number_of(card)],
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_config_dispose).map(|function| unsafe { function(card) }),
        |_, _, ()| {},
    );
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_config_get_card_fd(card: b::dag_card_ref_t) -> c_int {
    recorded(
        "dag_config_get_card_fd",
        |line, recorder| line.args = vec![recorder.number_of(card)],
        // SAFETY: what the program has given to this function is for that one.
        || function!(dag_config_get_card_fd).map(|function| unsafe { function(card) }),
        |_, _, _| {},
    )
}

/// # Safety
///
/// As for the function of the real library.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_config_get_indexed_named_attribute_uuid(
    card: b::dag_card_ref_t,
    name: *const c_char,
    index: c_int,
) -> u64 {
    recorded(
        "dag_config_get_indexed_named_attribute_uuid",
        |line, _| {
            // SAFETY: a C string or null.
            line.text = unsafe { text(name) };
            line.args = vec![index.into()];
        },
        || {
            let function = function!(dag_config_get_indexed_named_attribute_uuid)?;
            // SAFETY: what the program has given to this function is for that one.
            Some(unsafe { function(card, name, index) })
        },
        |_, _, _| {},
    )
}

// What only the emulated card's library has is passed on, so that it stays known as one; it is no call to a card, and not logged.

/// The version of the emulated card's library behind this; 0 where the real one is none.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_emu_abi_version() -> u32 {
    library().and_then(dag_sys::Libdag::emulated).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dag_emu_end_of_feed(dagfd: c_int, stream: c_int) -> c_int {
    let stream = u16::try_from(stream).unwrap_or(u16::MAX);
    library().is_some_and(|library| library.end_of_feed(dagfd, stream)).into()
}

/// # Safety
///
/// Places for the two numbers, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_emu_stream_drops(
    dagfd: c_int,
    stream: c_int,
    dropped: *mut u32,
    untold: *mut u64,
) -> c_int {
    let Ok(stream) = u16::try_from(stream) else { return -1 };
    let Some((drops, more)) = library().and_then(|library| library.exact_drops(dagfd, stream)) else { return -1 };
    if !dropped.is_null() {
        // SAFETY: as promised.
        unsafe { dropped.write(drops) };
    }
    if !untold.is_null() {
        // SAFETY: as promised.
        unsafe { untold.write(more) };
    }
    0
}

/// # Safety
///
/// Room for `size` bytes, or null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dag_emu_describe(dagfd: c_int, buffer: *mut c_char, size: usize) -> i64 {
    let Some(text) = library().and_then(|library| library.describe(dagfd)) else { return -1 };
    if !buffer.is_null() && size > 0 {
        let len = text.len().min(size - 1);
        // SAFETY: no more than there is room for.
        unsafe { buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), len) };
        // SAFETY: as above: `len` is below `size`.
        let end = unsafe { buffer.add(len) };
        // SAFETY: as above.
        unsafe { end.write(0) };
    }
    text.len() as i64
}
