//! Looks for an input that breaks the property `digest`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callwright_fuzz::properties::digest(bytes));
