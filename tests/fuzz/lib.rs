//! What must hold for any bytes from outside. `cargo xtask fuzz` hands these functions inputs without end, and the test
//! `fuzzed` all inputs that were kept.

#[cfg(feature = "admission")]
pub mod admission;
pub mod properties;
