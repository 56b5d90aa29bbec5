//! The bytes of the fuzzer, given to [`house_fuzz::filter_expression`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| house_fuzz::filter_expression::check(data));
