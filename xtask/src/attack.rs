//! `cargo xtask attack`: floods, liars, guessers and smugglers against a release build, each with its verdict.

use std::path::Path;
use std::process::Command;

use crate::shell::{self, Budget};
use crate::tools;

/// Which attacks are carried out, and how.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the attacks whose number begins so, such as SEC-20.
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Prints the verdicts as one JSON array.
    #[arg(long)]
    json: bool,
    /// Shorter and slower, against a development build, as the test command does it.
    #[arg(long)]
    quick: bool,
}

/// Builds the switch and attacks it. Fails if any verdict does.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    tools::ensure_compiler()?;
    let budget = Budget::unbounded();
    let binary = if args.quick {
        shell::build_callwright(budget)?
    } else {
        shell::build_callwright_for_speed(budget)?
    };
    let mut command = program(&binary);
    if args.quick {
        command.arg("--quick");
    }
    if args.json {
        command.arg("--json");
    }
    if let Some(only) = &args.only {
        command.args(["--only", only]);
    }
    budget.run(&mut command)
}

/// The attacks, told where the switch is; what follows are words for them.
pub(crate) fn program(binary: &Path) -> Command {
    let mut command = shell::cargo();
    // Always the whole workspace: a narrower selection would have cargo choose other features and compile wasmtime again.
    command.args(["test", "--quiet", "--workspace", "--test", "attack"]).env("CALLWRIGHT", binary).arg("--");
    command
}
