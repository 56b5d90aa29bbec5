//! The bytes of the fuzzer, given to [`house_fuzz::header_chain`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| house_fuzz::header_chain::check(data));
