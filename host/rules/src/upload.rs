//! What is checked of an upload before anybody compiles it.

/// The world that rules target.
pub const WORLD: &str = "callwright:rules/call-policy@0.1.0";

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
