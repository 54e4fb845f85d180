//! What a program of trials is told, and how it ends: every trial is carried out, whatever became of the one before.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use crate::verdict::Verdicts;

/// The words behind the program's name.
pub(crate) struct Words(Vec<String>);

impl Words {
    pub(crate) fn given() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Whether this one is among them.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.0.iter().any(|it| it == word)
    }

    /// The one behind this one.
    pub(crate) fn after(&self, word: &str) -> Option<&str> {
        self.0.iter().skip_while(|it| *it != word).nth(1).map(String::as_str)
    }

    /// Whether this trial is among those that are wanted: all, or those whose name begins as `--only` says.
    pub(crate) fn choose(&self, id: &str) -> bool {
        self.after("--only").is_none_or(|only| id.starts_with(only))
    }

    /// Carries out the trials and prints their verdicts, for people or with `--json` for programs. It is a success where every
    /// claim holds and there was one.
    pub(crate) fn try_all<T>(
        &self,
        trials: impl Iterator<Item = (&'static str, T)>,
        carry_out: impl Fn(&T, &mut Verdicts),
    ) -> ExitCode {
        let (mut passed, mut failed, mut shown) = (0, 0, Vec::new());
        if !self.has("--json") {
            let mut out = std::io::stdout().lock();
            writeln!(out, "      what is claimed: what was measured (what is allowed)").unwrap();
        }
        for (id, trial) in trials {
            let began = Instant::now();
            let mut verdicts = Verdicts::of(id);
            if catch_unwind(AssertUnwindSafe(|| carry_out(&trial, &mut verdicts))).is_err() {
                verdicts.check("it could be tried", false, "it panicked, see above", "no panic");
            }
            passed += verdicts.passed();
            failed += verdicts.failed();
            if self.has("--json") {
                shown.extend(verdicts.json());
            } else {
                verdicts.print(began.elapsed());
            }
        }
        let mut out = std::io::stdout().lock();
        if self.has("--json") {
            writeln!(out, "{}", serde_json::Value::from(shown)).unwrap();
        } else {
            let word = if failed == 0 { "ok" } else { "FAILED" };
            writeln!(out, "test result: {word}. {passed} passed; {failed} failed").unwrap();
        }
        if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
