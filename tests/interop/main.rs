//! Real phones call each other through the binary: sipp for the courses a call can take, baresip for what is heard.
//!
//! Run by `cargo xtask test --only interop`, which installs the phones and gives this process a network, a process table
//! and mounts of its own: nothing here outlives it. Each test has a switch of its own and a folder under
//! `target/interop/` with every program's output and every message; a failure names it.

#![expect(clippy::unwrap_used, reason = "all of it is tests: what cannot be done fails them")]

mod audio;
mod baresip;
mod calls;
mod codes;
mod features;
mod lab;
mod ladders;
mod modes;
mod registrations;
mod script;
mod sipp;
mod switch;
mod talk;
