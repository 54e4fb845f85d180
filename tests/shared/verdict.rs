//! What an attack or a crash has shown: one line a claim, with what was measured and what is allowed.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

/// One claim, put to the test.
pub(crate) struct Verdict {
    id: &'static str,
    claim: String,
    holds: bool,
    measured: String,
    bound: String,
}

/// The verdicts of one of them, in the order in which they were reached.
pub(crate) struct Verdicts {
    id: &'static str,
    reached: Vec<Verdict>,
}

impl Verdicts {
    pub(crate) fn of(id: &'static str) -> Self {
        Self { id, reached: Vec::new() }
    }

    /// Notes whether a claim holds; `bound` says what is allowed.
    pub(crate) fn check(
        &mut self,
        claim: impl Into<String>,
        holds: bool,
        measured: impl Into<String>,
        bound: impl Into<String>,
    ) {
        let (claim, measured, bound) = (claim.into(), measured.into(), bound.into());
        self.reached.push(Verdict { id: self.id, claim, holds, measured, bound });
    }

    /// Notes a number that may be at most so high.
    pub(crate) fn at_most(&mut self, claim: impl Into<String>, measured: u64, bound: u64, unit: &str) {
        self.check(claim, measured <= bound, format!("{measured} {unit}"), format!("at most {bound} {unit}"));
    }

    /// Many answers of one kind as one claim: the first that is not as it should be is named.
    pub(crate) fn all(&mut self, claim: impl Into<String>, tried: usize, wrong: &[String], bound: &str) {
        let measured = match wrong.first() {
            None => format!("{tried} of {tried}"),
            Some(first) => format!("{} of {tried} wrong, first: {first}", wrong.len()),
        };
        self.check(claim, wrong.is_empty() && tried > 0, measured, bound);
    }

    pub(crate) fn failed(&self) -> usize {
        self.reached.iter().filter(|verdict| !verdict.holds).count()
    }

    pub(crate) fn passed(&self) -> usize {
        self.reached.len() - self.failed()
    }

    /// Prints them for people.
    pub(crate) fn print(&self, took: Duration) {
        let mut out = std::io::stdout().lock();
        for verdict in &self.reached {
            let word = if verdict.holds { "ok  " } else { "FAIL" };
            let Verdict { id, claim, measured, bound, .. } = verdict;
            writeln!(out, "{word}  {id}  {claim}: {measured} ({bound})").unwrap();
        }
        writeln!(out, "      {}  {:.1} s", self.id, took.as_secs_f64()).unwrap();
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Vec<Value> {
        let one = |it: &Verdict| json!({ "id": it.id, "claim": it.claim, "ok": it.holds, "measured": it.measured, "bound": it.bound });
        self.reached.iter().map(one).collect()
    }
}
