//! The telephone switch whose routing its tenants write.
fn main() {}
