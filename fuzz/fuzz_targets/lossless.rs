//! The bytes of the fuzzer, given to [`house_fuzz::lossless`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| house_fuzz::lossless::check(data));
