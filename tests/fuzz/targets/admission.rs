//! Looks for an input that breaks the property `admission`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callwright_fuzz::admission::admission(bytes));
