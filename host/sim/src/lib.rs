//! The virtual world: phones, links, time, invariants.
