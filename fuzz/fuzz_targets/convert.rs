//! The bytes of the fuzzer, given to [`house_fuzz::convert`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| house_fuzz::convert::check(data));
