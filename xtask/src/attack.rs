//! `cargo xtask attack`: floods, liars, guessers and smugglers against a release build, each with its verdict.

use std::path::Path;
use std::process::Command;

use crate::trials::{self, How};

/// Where the attacks are listed.
pub(crate) const SOURCE: &str = include_str!("../../tests/attack/main.rs");

/// Which attacks are carried out, and how.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the attacks whose number begins so, such as SEC-20.
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Builds the switch and attacks it. Fails if any verdict does.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    trials::check(SOURCE, args.only.as_deref())?;
    args.how.run(program(&args.how.build()?), args.only.as_deref())
}

/// The attacks, told where the switch is; what follows are words for them.
pub(crate) fn program(binary: &Path) -> Command {
    let mut command = trials::program("attack");
    command.env("CALLWRIGHT", binary).arg("--");
    command
}
