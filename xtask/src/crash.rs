//! `cargo xtask crash`: the switch is killed, ended and made to read its files again under load, each with its verdict.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, Budget};
use crate::{guests, tools};

/// What is tried, and how hard.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this: kill, drain, reload, disk.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How often the switch is killed; 200 unless said otherwise.
    #[arg(long, value_name = "N")]
    times: Option<u32>,
    /// Prints the verdicts as one JSON array.
    #[arg(long)]
    json: bool,
    /// Shorter and slower, against a development build, as the test command does it.
    #[arg(long)]
    quick: bool,
}

/// Builds the switch and tries it. Fails if any verdict does.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    tools::ensure_compiler()?;
    let budget = Budget::unbounded();
    let rules = guests::build_all()?;
    let binary = if args.quick {
        shell::build_callwright(budget)?
    } else {
        shell::build_callwright_for_speed(budget)?
    };
    let mut command = program(&binary, &rules);
    if args.quick {
        command.arg("--quick");
    }
    if args.json {
        command.arg("--json");
    }
    if let Some(only) = &args.only {
        command.args(["--only", only]);
    }
    if let Some(times) = args.times {
        command.args(["--times", &times.to_string()]);
    }
    budget.run(&mut command)
}

/// The program that tries it, told where the switch and the rules are; what follows are words for it.
pub(crate) fn program(binary: &Path, rules: &[PathBuf]) -> Command {
    let mut command = shell::cargo();
    // Always the whole workspace: a narrower selection would have cargo choose other features and compile wasmtime again.
    command.args(["test", "--quiet", "--workspace", "--test", "crash"]);
    shell::hand_over(&mut command, binary, rules).arg("--");
    command
}
