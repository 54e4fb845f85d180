//! `cargo xtask demo`: builds what the demo uploads, then hands over to the binary.

use std::ffi::OsString;

use crate::shell::{self, Budget};
use crate::{guests, tools};

/// The rules that the demo uploads, by their folder in `rules-examples/`.
const RULES: [&str; 2] = ["follow-me", "after-hours"];

/// How the demo ends.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Ends after the two calls, with success only if both went as the rules say; otherwise it keeps serving.
    #[arg(long)]
    once: bool,
}

/// Runs the demo for a person, for as long as they like.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    call(args.once, Budget::unbounded())
}

/// Runs the demo as a step of the tests.
pub(crate) fn run_once(budget: Budget) -> anyhow::Result<()> {
    call(true, budget)
}

fn call(once: bool, budget: Budget) -> anyhow::Result<()> {
    tools::ensure_compiler()?;
    let rules = guests::build(&RULES)?;
    let binary = shell::build_callwright(budget)?;
    let mut words: Vec<OsString> = vec!["demo".into()];
    for rule in rules {
        words.extend(["--rule".into(), rule.into_os_string()]);
    }
    if once {
        words.push("--once".into());
    }
    budget.run(shell::program(binary).args(words))
}
