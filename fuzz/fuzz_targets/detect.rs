//! The bytes of the fuzzer, given to [`house_fuzz::detect`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| house_fuzz::detect::check(data));
