//! Attacks on a running switch over loopback, each with the claim that it must not break: `cargo xtask attack`.
//!
//! Run with `--quick`, as the test command does, the floods are short and slow; without, they are as
//! `docs/security.md` promises them. The numbers are those of the attacks: SEC-01 and so on from the network, RUL-01 and so
//! on by the rules of a tenant.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of it is tests: what cannot be done fails them"
)]

mod chaos;
mod flood;
mod guesses;
mod guest;
#[path = "../shared/handset.rs"]
mod handset;
mod malformed;
mod peer;
mod phones;
#[path = "../shared/place.rs"]
mod place;
mod rules;
mod smuggling;
mod states;
mod strangers;
mod streams;
mod switch;
#[path = "../shared/trials.rs"]
mod trials;
mod trunkless;
mod uploads;
#[path = "../shared/verdict.rs"]
mod verdict;

use std::process::ExitCode;

use crate::switch::Switch;
use crate::trials::Words;
use crate::verdict::Verdicts;

/// How hard it is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As much as a test may take.
    Quick,
    /// What is promised.
    Full,
}

/// One attack on a switch of its own.
struct Attack {
    id: &'static str,
    run: fn(&Switch, Effort, &mut Verdicts),
}

const ATTACKS: [Attack; 35] = [
    Attack { id: "SEC-01", run: malformed::messages },
    Attack { id: "SEC-02", run: malformed::descriptions },
    Attack { id: "SEC-05", run: strangers::odd_credentials },
    Attack { id: "SEC-07", run: states::matrix },
    Attack { id: "SEC-20", run: strangers::borrowed_names },
    Attack { id: "SEC-21", run: guesses::replays },
    Attack { id: "SEC-22", run: guesses::downgrades },
    Attack { id: "SEC-23", run: trunkless::challenges_us },
    Attack { id: "SEC-24", run: trunkless::challenges_us_for_ever },
    Attack { id: "SEC-25", run: guesses::names },
    Attack { id: "SEC-26", run: guesses::passwords },
    Attack { id: "SEC-27", run: strangers::other_methods },
    Attack { id: "SEC-29", run: smuggling::headers },
    Attack { id: "SEC-30", run: smuggling::line_ends },
    Attack { id: "SEC-40", run: flood::everything },
    Attack { id: "SEC-41", run: flood::dangling },
    Attack { id: "SEC-42", run: streams::slots },
    Attack { id: "SEC-42b", run: streams::lengths },
    Attack { id: "SEC-43", run: flood::amplification },
    Attack { id: "RUL-01", run: rules::endless_loops },
    Attack { id: "RUL-02", run: rules::memory_bombs },
    Attack { id: "RUL-03", run: rules::recursion },
    Attack { id: "RUL-04", run: rules::long_texts },
    Attack { id: "RUL-05", run: rules::handles },
    Attack { id: "RUL-06", run: rules::log_floods },
    Attack { id: "RUL-07", run: rules::host_calls },
    Attack { id: "RUL-08", run: rules::dial_bombs },
    Attack { id: "RUL-11", run: uploads::compile_bombs },
    Attack { id: "RUL-12", run: uploads::too_many },
    Attack { id: "RUL-14", run: uploads::nesting },
    Attack { id: "RUL-15", run: rules::traps_after_an_answer },
    Attack { id: "RUL-16", run: rules::callers_who_leave },
    Attack { id: "RUL-17", run: rules::bad_releases },
    Attack { id: "RUL-18", run: rules::spies },
    Attack { id: "RUL-19", run: chaos::everything_at_once },
];

fn main() -> ExitCode {
    let words = Words::given();
    let effort = if words.has("--quick") { Effort::Quick } else { Effort::Full };
    let chosen = ATTACKS.iter().filter(|attack| words.choose(attack.id));
    words.try_all(chosen.map(|attack| (attack.id, attack)), |attack, verdicts| {
        attack.carry_out(effort, verdicts);
    })
}

impl Verdicts {
    /// Notes an answer that must be one of these; none is 0.
    pub(crate) fn answered(&mut self, claim: impl Into<String>, status: u16, allowed: &[u16]) {
        let word = |status: &u16| if *status == 0 { "no answer".to_owned() } else { status.to_string() };
        let words: Vec<_> = allowed.iter().map(word).collect();
        self.check(claim, allowed.contains(&status), word(&status), words.join(" or "));
    }
}

impl Attack {
    /// Starts a switch and attacks it. Whatever the attack, afterwards the switch must be whole.
    fn carry_out(&self, effort: Effort, verdicts: &mut Verdicts) {
        let switch = Switch::start(self.id);
        (self.run)(&switch, effort, verdicts);
        let answers = switch.answers();
        verdicts.check("the switch answers afterwards", answers, answers.to_string(), "true");
        let complaints = switch.complaints();
        verdicts.all("no invariant broke and nothing panicked", 1, &complaints, "no such line in its log");
    }
}
