//! `cargo xtask fuzz`: looks for inputs that break a property of `tests/fuzz/properties.rs`, a minute each.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::shell::{self, Budget};
use crate::tools;

/// The workspace of the targets.
pub(crate) const MANIFEST: &str = "tests/fuzz/Cargo.toml";
/// Inputs that were kept, by target.
const KEPT: &str = "tests/fuzz/corpus";
/// The target that needs a feature by its own name.
const ADMISSION: &str = "admission";
/// An input that takes longer has found something, in seconds.
const INPUT_MAX_S: u32 = 10;
/// So has one that needs more memory, in MiB.
const MEMORY_MAX: u32 = 2_048;

/// What is looked at, and for how long.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The targets; all of them where none is named.
    targets: Vec<String>,
    /// How long each target is run.
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u32,
}

/// A compiler that takes the flags of fuzzing.
#[derive(Clone, Copy)]
enum Compiler {
    /// The one of this repository, told that it may: what is tested is what is delivered.
    Bootstrapped,
    /// A nightly.
    Nightly,
}

impl Compiler {
    const ALL: [Self; 2] = [Self::Bootstrapped, Self::Nightly];

    fn name(self) -> &'static str {
        match self {
            Self::Bootstrapped => "this repository's compiler with RUSTC_BOOTSTRAP=1",
            Self::Nightly => "a nightly compiler",
        }
    }

    /// `cargo fuzz VERB` with this compiler.
    fn cargo_fuzz(self, tool: &Path, verb: &str, features: &[&str]) -> Command {
        let mut command = match self {
            Self::Bootstrapped => {
                let mut command = shell::program(tool);
                command.env("RUSTC_BOOTSTRAP", "1");
                command
            }
            Self::Nightly => {
                let mut command = shell::program("rustup");
                command.args(["run", "nightly"]).arg(tool);
                // What cargo put there names the other compiler.
                command.env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        };
        command.args(["fuzz", verb, "--fuzz-dir", "tests/fuzz", "--target-dir"]).arg(built());
        command.args(features);
        command
    }
}

/// Runs the targets one after the other. Fails if any of them finds an input that breaks its property.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let targets = chosen(&args.targets)?;
    tools::ensure_compiler()?;
    let budget = Budget::unbounded();
    let tool = tools::ensure_cargo_fuzz(budget)?;
    // The one that builds the compiler for rules, too.
    let features: &[&str] =
        if targets.iter().any(|target| target == ADMISSION) { &["--features", ADMISSION] } else { &[] };
    let compiler = working(&tool, features, budget)?;
    let mut broken = Vec::new();
    for target in &targets {
        shell::say(&format!("{target}: {} s", args.seconds));
        let found = built().join("found").join(target);
        std::fs::create_dir_all(&found)?;
        let mut command = compiler.cargo_fuzz(&tool, "run", features);
        // New inputs go into the first folder; what is kept in the repository is chosen by hand.
        command.arg(target).arg(&found).arg(shell::root().join(KEPT).join(target)).arg("--");
        command.arg(format!("-max_total_time={}", args.seconds));
        command.args([format!("-timeout={INPUT_MAX_S}"), format!("-rss_limit_mb={MEMORY_MAX}")]);
        command.args(["-print_final_stats=1", "-verbosity=0"]);
        if budget.run(&mut command).is_err() {
            broken.push(target.as_str());
        }
    }
    if !broken.is_empty() {
        bail!(
            "broken: {}; the inputs lie in tests/fuzz/artifacts. Keep each in {KEPT} under a name that says what it is, \
             and see it again with `cargo test -p callwright-tests --test fuzzed`",
            broken.join(", ")
        );
    }
    Ok(())
}

/// Where the targets are built and what they find is put.
fn built() -> PathBuf {
    shell::target().join("fuzz")
}

/// The targets that were named, or all.
fn chosen(named: &[String]) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(shell::root().join(KEPT))? {
        all.push(entry?.file_name().to_string_lossy().into_owned());
    }
    all.sort();
    if let Some(unknown) = named.iter().find(|name| !all.contains(name)) {
        bail!("there is no target `{unknown}`, but {}", all.join(", "));
    }
    Ok(if named.is_empty() { all } else { named.to_vec() })
}

/// Builds all targets with the first compiler that can.
fn working(tool: &Path, features: &[&str], budget: Budget) -> anyhow::Result<Compiler> {
    let mut tried = Vec::new();
    for compiler in Compiler::ALL {
        shell::say(&format!(
            "building the targets with {} (the first time a minute or two; with `admission` a quarter of an hour)",
            compiler.name()
        ));
        match budget.run(&mut compiler.cargo_fuzz(tool, "build", features)) {
            Ok(()) => return Ok(compiler),
            Err(error) => tried.push(format!("{}: {error:#}", compiler.name())),
        }
    }
    bail!("no compiler here can fuzz. Tried {}. Try: rustup toolchain install nightly", tried.join("; and "))
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn a_target_that_is_not_there_is_named_with_those_that_are() {
        let error = chosen(&["header".to_owned(), "headers".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("`headers`") && error.contains("admission, configuration, digest, header"),
            "{error}"
        );
        assert_eq!(chosen(&[]).unwrap().len(), 7);
    }
}
