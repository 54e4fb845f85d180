//! What `cargo xtask attack` and `cargo xtask crash` share: programs of trials against a switch, told how to go about it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

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
    /// Tries this build of the switch and makes none; what it measures can be set beside another's.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

impl How {
    /// Builds the switch that is tried, unless one was named.
    pub(crate) fn build(&self) -> anyhow::Result<PathBuf> {
        tools::ensure_compiler()?;
        if let Some(binary) = &self.binary {
            return binary.canonicalize().with_context(|| format!("there is no `{}`", binary.display()));
        }
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

/// Refuses a choice that is the beginning of no trial in this source of a program, before anything is built for it.
pub(crate) fn check(source: &str, only: Option<&str>) -> anyhow::Result<()> {
    let ids = ids(source);
    match only {
        Some(only) if !ids.iter().any(|id| id.starts_with(only)) => {
            bail!(
                "there is no trial `{only}`\n  help: --only takes one of these, or how some begin: {}",
                ids.join(", ")
            )
        }
        Some(_) | None => Ok(()),
    }
}

/// The trials' names, from the table in which their program lists them.
fn ids(source: &str) -> Vec<&str> {
    source.lines().filter_map(|line| Some(line.split_once("{ id: \"")?.1.split_once('"')?.0)).collect()
}

/// One of these programs; what follows are words for it.
pub(crate) fn program(name: &str) -> Command {
    let mut command = shell::cargo();
    // Always the whole workspace: a narrower selection would have cargo choose other features and compile wasmtime again.
    command.args(["test", "--quiet", "--workspace", "--test", name]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_that_does_not_exist_is_refused_with_the_names_that_do() {
        for (source, known, unknown) in [
            (crate::attack::SOURCE, ["SEC-40", "RUL-"], "SEC-99"),
            (crate::crash::SOURCE, ["kill", "d"], "kills"),
        ] {
            for only in [None, Some(known[0]), Some(known[1])] {
                check(source, only).unwrap();
            }
            let refused = check(source, Some(unknown)).unwrap_err().to_string();
            assert!(refused.contains(&format!("`{unknown}`")) && refused.contains(known[0]), "{refused}");
        }
    }

    #[test]
    fn every_trial_of_a_program_is_found_in_its_source() {
        for source in [crate::attack::SOURCE, crate::crash::SOURCE] {
            let table = source.lines().find_map(|line| line.strip_suffix("] = [")).unwrap();
            assert_eq!(ids(source).len().to_string(), table.rsplit_once("; ").unwrap().1);
        }
    }
}
