//! What `cargo xtask attack` and `cargo xtask crash` share: programs of trials against a switch, told how to go about it.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{self, Budget};
use crate::tools;

/// How trials are carried out and shown.
#[derive(clap::Args)]
pub(crate) struct How {
    /// Prints the verdicts as one JSON array.
    #[arg(long)]
    json: bool,
    /// Shorter and slower, against a development build, as the test command does it.
    #[arg(long)]
    quick: bool,
}

impl How {
    /// Builds the switch that is tried.
    pub(crate) fn build(&self) -> anyhow::Result<PathBuf> {
        tools::ensure_compiler()?;
        let budget = Budget::unbounded();
        if self.quick { shell::build_callwright(budget) } else { shell::build_callwright_for_speed(budget) }
    }

    /// Carries the trials out, or only some. Fails if any verdict does.
    pub(crate) fn run(&self, mut program: Command, only: Option<&str>) -> anyhow::Result<()> {
        let words = [("--quick", self.quick), ("--json", self.json)];
        program.args(words.iter().filter(|(_, is_wanted)| *is_wanted).map(|(word, _)| word));
        program.args(only.iter().flat_map(|only| ["--only", only]));
        Budget::unbounded().run(&mut program)
    }
}

/// One of these programs; what follows are words for it.
pub(crate) fn program(name: &str) -> Command {
    let mut command = shell::cargo();
    // Always the whole workspace: a narrower selection would have cargo choose other features and compile wasmtime again.
    command.args(["test", "--quiet", "--workspace", "--test", name]);
    command
}
