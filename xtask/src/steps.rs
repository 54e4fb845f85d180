//! `cargo xtask test`: the checks in their order, each with its seconds, and the count of the tests as the last line.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::ValueEnum;

use crate::shell::{self, Budget};
use crate::tally::Tally;
use crate::{attack, crash, demo, fuzz, guests, tools};

/// What all steps together may take.
const ALL_MAX: Duration = Duration::from_secs(40 * 60);
/// The second workspace, of what runs inside the sandbox.
const GUESTS: &str = "guest-sdk/Cargo.toml";

/// Which part of the checks to run; all of them where nothing is said.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Runs this step alone.
    #[arg(long, value_name = "STEP", conflicts_with = "from")]
    only: Option<Step>,
    /// Runs this step and those after it.
    #[arg(long, value_name = "STEP")]
    from: Option<Step>,
}

/// The steps, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Step {
    /// The source is formatted.
    Fmt,
    /// The repository keeps its own rules: layers, sizes, names, the WIT.
    Tidy,
    /// No lint warns.
    Clippy,
    /// All tests that need nothing but this process.
    Test,
    /// The documentation builds without a warning.
    Doc,
    /// The demo's two calls go as its rules say.
    Demo,
    /// What was acknowledged survives `kill -9`, and calls survive the end and the reload of the switch.
    Crash,
    /// Attacks from the network are repelled, in their short form.
    Attack,
    /// Real phones call each other through the binary.
    Interop,
    /// The README's blocks run as they stand.
    Readme,
    /// Licences, duplicates and sources of what comes from outside.
    Deny,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Clippy => "clippy",
            Self::Test => "test",
            Self::Doc => "doc",
            Self::Demo => "demo",
            Self::Crash => "crash",
            Self::Attack => "attack",
            Self::Interop => "interop",
            Self::Readme => "readme",
            Self::Deny => "deny",
        }
    }

    fn run(self, budget: Budget, tally: &mut Tally) -> anyhow::Result<()> {
        match self {
            Self::Fmt => fmt(budget),
            // Counted by `test`, which runs it again; here it only fails early.
            Self::Tidy => test(budget, &["--test", "tidy"], &mut Tally::default()),
            Self::Clippy => clippy(budget),
            Self::Test => {
                // The simulator's scenarios upload them.
                guests::build_all()?;
                guests::build_path(&shell::root().join("guest-sdk/panics"))?;
                test(budget, &["--no-fail-fast"], tally)
            }
            Self::Doc => doc(budget),
            Self::Demo => demo::run_once(budget),
            Self::Crash => {
                let (rules, binary) = (guests::build_all()?, shell::build_callwright(budget)?);
                counted(budget, crash::program(&binary, &rules).arg("--quick"), tally)
            }
            Self::Attack => {
                let binary = shell::build_callwright(budget)?;
                counted(budget, attack::program(&binary).arg("--quick"), tally)
            }
            Self::Interop => interop(budget, tally),
            Self::Readme => test(budget, &["--test", "readme"], tally),
            Self::Deny => deny(budget),
        }
    }
}

/// How a step went.
struct Line {
    step: Step,
    took: Duration,
    went_well: bool,
}

/// Runs the steps. A failed one does not keep the later ones from running: the run is long and each finding is wanted.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    tools::ensure_compiler()?;
    let budget = Budget::of(ALL_MAX);
    let mut tally = Tally::default();
    let mut lines = Vec::new();
    for step in Step::value_variants().iter().copied().filter(|step| args.wants(*step)) {
        shell::say(&format!("\n== {} ==", step.name()));
        let (before, began) = (tally, Instant::now());
        let done = step.run(budget, &mut tally);
        if let Err(error) = &done {
            tally.step_failed(before);
            shell::say(&format!("error in {}: {error:#}", step.name()));
        }
        lines.push(Line { step, took: began.elapsed(), went_well: done.is_ok() });
    }
    shell::say("");
    for line in &lines {
        let word = if line.went_well { "ok" } else { "FAILED" };
        shell::say(&format!("{:>8.1} s  {:<8} {word}", line.took.as_secs_f64(), line.step.name()));
    }
    let failed: Vec<&str> = lines.iter().filter(|it| !it.went_well).map(|it| it.step.name()).collect();
    if !failed.is_empty() {
        shell::say(&format!("to see one again: cargo xtask test --only {}", failed.join(" | ")));
    }
    shell::answer(&tally.to_string())?;
    if !tally.is_green() {
        // The count is the last line; what failed has been said above it.
        std::process::exit(1);
    }
    Ok(())
}

impl Args {
    fn wants(&self, step: Step) -> bool {
        self.only.is_none_or(|only| only == step) && self.from.is_none_or(|from| step >= from)
    }
}

fn fmt(budget: Budget) -> anyhow::Result<()> {
    tools::ensure_component("rustfmt")?;
    budget.run(shell::cargo().args(["fmt", "--all", "--check"]))?;
    budget.run(shell::cargo().args(["fmt", "--all", "--check", "--manifest-path", GUESTS]))?;
    budget.run(shell::cargo().args(["fmt", "--check", "--manifest-path", fuzz::MANIFEST]))
}

fn clippy(budget: Budget) -> anyhow::Result<()> {
    tools::ensure_component("clippy")?;
    let words = ["clippy", "--workspace", "--all-targets"];
    budget.run(shell::cargo().args(words).args(["--", "-D", "warnings"]))?;
    // "All targets" leaves out those that `cargo test` does not run by itself.
    let rest = [
        "clippy",
        "--workspace",
        "--test",
        "crash",
        "--test",
        "attack",
        "--test",
        "interop",
        "--test",
        "readme",
    ];
    budget.run(shell::cargo().args(rest).args(["--", "-D", "warnings"]))?;
    // For this machine instead of wasm: the lints are the same, and clippy needs no wasm target then.
    budget.run(shell::cargo().args(words).args(["--manifest-path", GUESTS, "--", "-D", "warnings"]))
}

fn doc(budget: Budget) -> anyhow::Result<()> {
    for manifest in ["Cargo.toml", GUESTS] {
        let words = ["doc", "--workspace", "--no-deps", "--manifest-path", manifest];
        budget.run(shell::cargo().args(words).env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok(())
}

/// Runs tests, always those of the whole workspace, narrowed by `select`: a narrower package selection would have cargo
/// choose other features and compile wasmtime a second time.
fn test(budget: Budget, select: &[&str], tally: &mut Tally) -> anyhow::Result<()> {
    counted(budget, shell::cargo().args(["test", "--workspace"]).args(select), tally)
}

/// Runs the real phones in network, process and mount namespaces of their own: whatever they leave behind ends with them.
fn interop(budget: Budget, tally: &mut Tally) -> anyhow::Result<()> {
    tools::ensure_phones()?;
    let rules = guests::build_all()?;
    let binary = shell::build_callwright(budget)?;
    budget.run(shell::cargo().args(["test", "--workspace", "--test", "interop", "--no-run"]))?;
    let mut inside = shell::program("unshare");
    if !rustix::process::geteuid().is_root() {
        inside.args(["--user", "--map-root-user"]);
    }
    inside.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !shell::succeeds(shell::program("unshare").args(inside.get_args()).arg("true")) {
        bail!(
            "real phones need network namespaces, which this user may not make; run as root, or: \
             sudo sysctl kernel.unprivileged_userns_clone=1"
        );
    }
    inside.arg(shell::cargo().get_program());
    inside.args(["test", "--offline", "--workspace", "--test", "interop", "--", "--test-threads=1"]);
    counted(budget, shell::hand_over(&mut inside, &binary, &rules), tally)
}

fn deny(budget: Budget) -> anyhow::Result<()> {
    let program = tools::ensure_cargo_deny(budget)?;
    // The guests need fewer of the exceptions, and that is no finding.
    for (manifest, silenced) in
        [("Cargo.toml", &[][..]), (GUESTS, &["--allow", "license-exception-not-encountered"])]
    {
        let mut command = shell::program(&program);
        command.args(["--manifest-path", manifest, "--config"]).arg(shell::root().join("deny.toml"));
        command
            .args(["check", "--hide-inclusion-graph"])
            .args(silenced)
            .args(["licenses", "bans", "sources"]);
        budget.run(&mut command)?;
    }
    Ok(())
}

fn counted(budget: Budget, command: &mut Command, tally: &mut Tally) -> anyhow::Result<()> {
    let mut seen = *tally;
    let status = budget.run_lines(command, |line| seen.line(line))?;
    *tally = seen;
    if !status.success() {
        bail!("{status}");
    }
    Ok(())
}
