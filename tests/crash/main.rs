//! What a running switch survives: `cargo xtask crash`. It is killed, ended and made to read its files again under
//! load, and its disk is filled, each time as a process of its own on loopback, and each claim is printed with what was measured.
//!
//! Words: `--only NAME`, `--times N` kills, `--json`, and `--quick` for the short form, which is part of the test command.

#![expect(clippy::unwrap_used, reason = "all of it is tests: what cannot be done fails them")]

mod disk;
mod drain;
#[path = "../shared/handset.rs"]
mod handset;
mod kill;
mod phones;
mod reload;
mod switch;
mod traffic;
mod uploads;
#[path = "../shared/verdict.rs"]
mod verdict;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use crate::verdict::Verdicts;

/// How often the switch is killed, in the short form and in the long one.
const KILLS: [u32; 2] = [20, 200];

/// How hard it is tried.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// As much as a test may take, and no more.
    pub(crate) quick: bool,
    /// How often the switch is killed.
    pub(crate) times: u32,
}

/// One thing that a switch survives.
struct Crash {
    id: &'static str,
    run: fn(Effort, &mut Verdicts),
}

const CRASHES: [Crash; 4] = [
    Crash { id: "kill", run: kill::again_and_again },
    Crash { id: "drain", run: drain::sigterm },
    Crash { id: "reload", run: reload::under_calls },
    Crash { id: "disk", run: disk::full },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|it| it == word);
    let after = |word: &str| words.iter().skip_while(|it| *it != word).nth(1);
    let quick = has("--quick");
    let [few, many] = KILLS;
    let times = after("--times").map_or(if quick { few } else { many }, |times| times.parse().unwrap());
    let only = after("--only");
    let (mut passed, mut failed, mut shown) = (0, 0, Vec::new());
    for crash in CRASHES.iter().filter(|crash| only.is_none_or(|only| crash.id == only)) {
        let began = Instant::now();
        let mut verdicts = Verdicts::of(crash.id);
        let done = catch_unwind(AssertUnwindSafe(|| (crash.run)(Effort { quick, times }, &mut verdicts)));
        if done.is_err() {
            verdicts.check("it could be tried", false, "it panicked, see above", "no panic");
        }
        passed += verdicts.passed();
        failed += verdicts.failed();
        if has("--json") {
            shown.extend(verdicts.json());
        } else {
            verdicts.print(began.elapsed());
        }
    }
    let mut out = std::io::stdout().lock();
    if has("--json") {
        writeln!(out, "{}", serde_json::Value::from(shown)).unwrap();
    } else {
        let word = if failed == 0 { "ok" } else { "FAILED" };
        writeln!(out, "test result: {word}. {passed} passed; {failed} failed").unwrap();
    }
    // Something that nobody tried would else count as survived.
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
