//! Looks for an input that breaks the property `uri`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callwright_fuzz::properties::uri(bytes));
