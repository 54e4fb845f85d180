//! `cargo xtask bench rules`: one decision of `follow-me` as a rule, beside the same decision as a closure, in Lua and in Rhai.
//!
//! The program that measures is `xtask/bench/rules`. It is built with a feature of its own, so that neither the tests nor the switch
//! ever meet the other languages, and with the profile and the engine settings of the switch.

use crate::shell::{self, Budget};
use crate::{guests, tools};

/// How it is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Builds the rule and the program, and measures.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    tools::ensure_compiler()?;
    let budget = Budget::unbounded();
    let rule = guests::build(&["follow-me"])?.remove(0);
    // Always the whole workspace: a narrower selection would have cargo choose other features and compile wasmtime again.
    let words = ["build", "--workspace", "--release", "--bin", "bench-rules"];
    budget.run(shell::cargo().args(words).args(["--features", "callwright-bench-rules/peers"]))?;
    let mut program = shell::program(shell::target().join("release/bench-rules"));
    program.arg(rule);
    if args.json {
        program.arg("--json");
    }
    budget.run(&mut program)
}
