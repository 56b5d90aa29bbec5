//! The bytes of the fuzzer, given to [`house_fuzz::pcapng`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| house_fuzz::pcapng::check(data));
