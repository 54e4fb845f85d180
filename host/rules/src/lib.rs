//! Tenant rules: WebAssembly components that decide calls, run in wasmtime as coroutines.
//!
//! An [`Engine`] holds what all runs share, a [`Rule`] is a version that is ready, a [`Run`] is one execution for one
//! call, resumed by whoever drives it. This crate owns no thread, clock or file: the binary owns the pool of threads, the
//! epoch ticker and the compile child, the simulator resumes the same runs inline.

mod artefact;
mod bindings;
pub mod compile;
mod door;
mod engine;
pub mod foretell;
#[expect(
    unreachable_pub,
    reason = "the generated bindings re-export these types, in a module that is private too"
)]
mod handle;
mod host;
mod journal;
mod limits;
mod outcome;
pub mod price;
mod reached;
mod run;
mod spare;
mod state;
pub mod upload;
mod wave;

pub use artefact::{ArtefactError, ArtefactKey};
pub use door::Answered;
pub use engine::{Engine, EngineError, EngineLimits, LoadError, Rule, Ticker};
pub use limits::RunLimits;
pub use run::{Run, Step};
pub use spare::Spare;
