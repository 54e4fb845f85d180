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
#[path = "../shared/place.rs"]
mod place;
mod reload;
mod switch;
mod traffic;
#[path = "../shared/trials.rs"]
mod trials;
mod uploads;
#[path = "../shared/verdict.rs"]
mod verdict;
mod wishes;

use std::process::ExitCode;

use crate::trials::Words;
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
    let words = Words::given();
    let quick = words.has("--quick");
    let [few, many] = KILLS;
    let times = words.after("--times").map_or(if quick { few } else { many }, |times| times.parse().unwrap());
    let chosen = CRASHES.iter().filter(|crash| words.choose(crash.id));
    words.try_all(chosen.map(|crash| (crash.id, crash)), |crash, verdicts| {
        (crash.run)(Effort { quick, times }, verdicts);
    })
}
