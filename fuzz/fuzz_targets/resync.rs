//! The bytes of the fuzzer, given to [`house_fuzz::resync`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| house_fuzz::resync::check(data));
