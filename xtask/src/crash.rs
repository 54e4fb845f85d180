//! `cargo xtask crash`: the switch is killed, ended and made to read its files again under load, each with its verdict.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::trials::{self, How};
use crate::{guests, shell};

/// Where the trials are listed.
pub(crate) const SOURCE: &str = include_str!("../../tests/crash/main.rs");

/// What is tried, and how hard.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only what begins so: kill, drain, reload, disk.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How often the switch is killed; 200 unless said otherwise.
    #[arg(long, value_name = "N")]
    times: Option<u32>,
    #[command(flatten)]
    how: How,
}

/// Builds the switch and tries it. Fails if any verdict does.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    trials::check(SOURCE, args.only.as_deref())?;
    let binary = args.how.build()?;
    let mut command = program(&binary, &guests::build_all()?);
    if let Some(times) = args.times {
        command.args(["--times", &times.to_string()]);
    }
    args.how.run(command, args.only.as_deref())
}

/// The program that tries it, told where the switch and the rules are; what follows are words for it.
pub(crate) fn program(binary: &Path, rules: &[PathBuf]) -> Command {
    let mut command = trials::program("crash");
    shell::hand_over(&mut command, binary, rules).arg("--");
    command
}
