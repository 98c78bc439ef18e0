//! `messagepack` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (muster_fuzz::target("messagepack").run)(data));
