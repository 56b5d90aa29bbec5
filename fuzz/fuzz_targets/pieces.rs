//! The bytes of the fuzzer, given to [`house_fuzz::pieces`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| house_fuzz::pieces::check(data));
