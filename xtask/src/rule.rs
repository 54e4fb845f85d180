//! `cargo xtask rule`: a rule's source into a component.

use std::path::PathBuf;

use crate::{guests, shell};

/// What can be done with a rule's source.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Builds the rule in a folder and prints the path of the component.
    Build {
        /// The folder of the rule's `Cargo.toml`.
        path: PathBuf,
    },
}

/// Runs one of the verbs.
pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Build { path } => shell::answer(&guests::build_path(path)?.display().to_string()),
    }
}
