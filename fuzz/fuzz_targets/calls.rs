//! The bytes of the fuzzer, given to [`house_fuzz::calls`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| house_fuzz::calls::check(data));
