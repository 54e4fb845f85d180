//! Scenario files: who there is, what happens, what is expected. `docs/scenarios.md` has the whole grammar.
//!
//! ```text
//! rule follow-me
//! user ana 100: desk 1001, soft 1002, mobile 1003
//! user bob 101: desk 1011
//! at 2026-11-20 18:02 Europe/Berlin
//! phone 1001 rings; phone 1002 offline; phone 1003 answers after 4s
//! call c1 from 1011 to 100
//! expect c1 rings 1001 at 0s
//! expect c1 answered by 1003 at 14s
//! expect 1001 cancelled "Call completed elsewhere"
//! ```

mod expect;
mod lexer;
mod parse;
mod play;
pub mod shelf;
mod statement;

use jiff::Timestamp;

pub use lexer::Mistake;
use parse::blueprint::{PhonePlan, RulePlan};
pub use parse::parse;
pub(crate) use play::picture;
pub use play::{Failure, Report, run};
use statement::Statement;

use crate::town::Household;

/// A scenario that was read.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The name it was read under, as errors show it.
    pub file: String,
    seed: u64,
    wall: Timestamp,
    households: Vec<Household>,
    phones: Vec<PhonePlan>,
    rules: Vec<RulePlan>,
    statements: Vec<Statement>,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {mistake}")]
pub struct ScenarioError {
    /// The scenario.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    #[source]
    pub mistake: Mistake,
}
