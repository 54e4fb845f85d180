//! Looks for an input that breaks the property `configuration`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callwright_fuzz::properties::configuration(bytes));
