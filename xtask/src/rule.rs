//! `cargo xtask rule`: a rule's source, and the component that is made of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::{guests, shell};

/// The example that a new rule begins as, and the folder that new rules are put into.
const TEMPLATE: &str = "hello-ring";
const EXAMPLES: &str = "rules-examples";

/// What can be done with a rule's source.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes a rule to begin with, in a folder of its name below `rules-examples/`.
    New {
        /// Its name: lower-case letters, digits and hyphens.
        name: String,
    },
    /// Builds the rule in a folder and prints the path of the component.
    Build {
        /// The folder of the rule's `Cargo.toml`.
        path: PathBuf,
    },
}

/// Runs one of the verbs.
pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::New { name } => new(&shell::root().join(EXAMPLES), name),
        Command::Build { path } => shell::answer(&guests::build_path(path)?.display().to_string()),
    }
}

/// Copies the smallest example under another name.
fn new(examples: &Path, name: &str) -> anyhow::Result<()> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_name) {
        bail!("`{name}` is no name for a rule: use lower-case letters, digits and hyphens, a letter first");
    }
    let folder = examples.join(name);
    if folder.exists() {
        bail!("{} is there already; nothing was changed", folder.display());
    }
    for file in [
        "Cargo.toml",
        "rule.toml",
        "src/lib.rs",
        "scenarios/the-first-phone-to-answer-gets-the-call.scenario",
    ] {
        let from = examples.join(TEMPLATE).join(file);
        let text = fs::read_to_string(&from).with_context(|| format!("cannot read {}", from.display()))?;
        let to = folder.join(file);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&to, text.replace(TEMPLATE, name))?;
    }
    shell::answer(&format!(
        "{EXAMPLES}/{name}/src/lib.rs is the rule, {EXAMPLES}/{name}/rule.toml says which calls it decides; then\n  \
         cargo xtask rule build {EXAMPLES}/{name}\n  \
         cargo xtask scenario {EXAMPLES}/{name}/scenarios/*.scenario"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_rule_is_the_smallest_example_under_its_own_name_and_never_replaces_one() {
        let folder = std::env::temp_dir().join(format!("callwright-rule-new-{}", std::process::id()));
        let template = folder.join(TEMPLATE);
        for file in [
            "Cargo.toml",
            "rule.toml",
            "src/lib.rs",
            "scenarios/the-first-phone-to-answer-gets-the-call.scenario",
        ] {
            let file = template.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "name = \"hello-ring\"").unwrap();
        }
        new(&folder, "my-rule").unwrap();
        assert_eq!(fs::read_to_string(folder.join("my-rule/rule.toml")).unwrap(), "name = \"my-rule\"");
        assert!(new(&folder, "my-rule").unwrap_err().to_string().contains("nothing was changed"));
        assert!(new(&folder, "../outside").is_err() && new(&folder, "").is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
