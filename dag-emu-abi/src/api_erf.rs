//! `dagerf.h`: small questions about records.

use std::ffi::CStr;
use std::sync::OnceLock;
use std::{ffi::CString, slice};

use erf::RecordType;
use libc::{c_char, c_uint};

use crate::guard::guard;

/// # Safety
///
/// Null, or at least nine bytes of a record: only its type is looked at, since callers fill in no more.
unsafe fn record_type(record: *const u8) -> Option<RecordType> {
    if record.is_null() {
        return None;
    }
    // SAFETY: as promised.
    let place = unsafe { record.add(8) };
    // SAFETY: as promised.
    Some(RecordType::new(unsafe { place.read() } & 0x7F))
}

macro_rules! questions {
    ($($name:ident: $answer:expr;)*) => {$(
        /// # Safety
        ///
        /// Null, or at least nine bytes of a record.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(record: *mut u8) -> c_uint {
            // SAFETY: as promised.
            guard(0, || Ok(unsafe { record_type(record) }.is_some_and($answer).into()))
        }
    )*};
}

questions! {
    dagerf_is_ethernet_type: RecordType::is_ethernet;
    dagerf_is_color_type: RecordType::is_color;
    dagerf_is_multichannel_type: is_multichannel;
}

fn is_multichannel(record_type: RecordType) -> bool {
    matches!(
        record_type,
        RecordType::MC_HDLC
            | RecordType::MC_RAW
            | RecordType::MC_ATM
            | RecordType::MC_RAW_CHANNEL
            | RecordType::MC_AAL5
            | RecordType::MC_AAL2
            | RecordType::COLOR_MC_HDLC_POS
    )
}

/// # Safety
///
/// Null, or `len` bytes of a record.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dagerf_ext_header_count(record: *mut u8, len: usize) -> c_uint {
    guard(0, || {
        if record.is_null() || len > isize::MAX as usize {
            return Ok(0);
        }
        // SAFETY: as promised.
        let record = unsafe { slice::from_raw_parts(record, len) };
        let more = |byte: Option<&u8>| byte.is_some_and(|byte| byte & 0x80 != 0);
        let mut count = 0;
        let mut at = 16;
        let mut follows = more(record.get(8));
        while follows {
            // It does not fit.
            if at + 8 > record.len() {
                return Ok(0);
            }
            follows = more(record.get(at));
            count += 1;
            at += 8;
        }
        Ok(count)
    })
}

#[unsafe(no_mangle)]
pub(crate) extern "C" fn dagerf_type_to_string(record_type: u8, _unknown: c_uint) -> *const c_char {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let name = |number| RecordType::new(number).name().unwrap_or_default();
        (0..128).map(|number| CString::new(name(number)).unwrap_or_default()).collect()
    });
    names
        .get(usize::from(record_type & 0x7F))
        .map_or(c"", |name| CStr::from_bytes_with_nul(name.as_bytes_with_nul()).unwrap_or(c""))
        .as_ptr()
}
