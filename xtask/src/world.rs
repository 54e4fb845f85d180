//! `cargo xtask scenario`, `cargo xtask swarm` and `cargo xtask races`: the simulator in the binary, with the example rules
//! built for it.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::bail;

use crate::shell::{self, Budget};
use crate::{guests, tools};

/// Which scenarios run.
#[derive(clap::Args)]
pub(crate) struct Scenarios {
    /// Scenario files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Which random worlds run.
#[derive(clap::Args)]
pub(crate) struct Swarm {
    /// How many seeds; 10,000 where nothing is said.
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// The first of them; 0 where nothing is said.
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// One seed alone, with its ladder: how a failure is seen again.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

/// Which cells are played.
#[derive(clap::Args)]
pub(crate) struct Matrix {
    /// Writes docs/interactions.md anew instead of comparing it.
    #[arg(long)]
    write: bool,
    /// One cell alone, with its scenario.
    #[arg(long, value_name = "N")]
    cell: Option<u64>,
}

/// Which orders of events are played.
#[derive(clap::Args)]
pub(crate) struct Races {
    /// How many phones ring together at most; 4 where nothing is said.
    #[arg(long, value_name = "N")]
    legs: Option<u64>,
    /// How many at least; 1 where nothing is said.
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// One order alone, with its ladder: how a failure is seen again.
    #[arg(long, value_name = "ORDER", conflicts_with_all = ["legs", "from"])]
    replay: Option<String>,
}

/// Runs scenario files.
pub(crate) fn scenarios(args: &Scenarios) -> anyhow::Result<()> {
    let files = args.files.iter().map(|file| std::path::absolute(file).map(PathBuf::into_os_string));
    simulate("scenario", files.collect::<Result<_, _>>()?)
}

/// Runs random worlds.
pub(crate) fn swarm(args: &Swarm) -> anyhow::Result<()> {
    let option = |name: &str, value: Option<u64>| value.map(|value| [name.into(), value.to_string().into()]);
    let options = [option("--seeds", args.seeds), option("--from", args.from), option("--seed", args.seed)];
    simulate("swarm", options.into_iter().flatten().flatten().collect())
}

/// Plays every interaction of forwarding.
pub(crate) fn matrix(args: &Matrix) -> anyhow::Result<()> {
    let cell = args.cell.map(|cell| ["--cell".into(), cell.to_string().into()]);
    let write = args.write.then(|| "--write".into());
    simulate("matrix", cell.into_iter().flatten().chain(write).collect())
}

/// Plays every order of events; no rule is needed for that.
pub(crate) fn races(args: &Races) -> anyhow::Result<()> {
    let number = |name: &str, value: Option<u64>| value.map(|value| [name.into(), value.to_string().into()]);
    let replay = args.replay.as_ref().map(|order| ["--replay".into(), order.into()]);
    let options = [number("--legs", args.legs), number("--from", args.from), replay];
    tools::ensure_compiler()?;
    play("races", options.into_iter().flatten().flatten().collect())
}

fn simulate(verb: &str, words: Vec<OsString>) -> anyhow::Result<()> {
    tools::ensure_compiler()?;
    guests::build_all()?;
    play(verb, words)
}

fn play(verb: &str, words: Vec<OsString>) -> anyhow::Result<()> {
    let binary = shell::build_callwright(Budget::unbounded())?;
    let ended = shell::program(binary).arg(verb).args(words).status()?;
    match ended.code() {
        Some(0) => Ok(()),
        // It has said why.
        Some(_) => Err(shell::AlreadyTold.into()),
        None => bail!("`callwright {verb}` was ended: {ended}"),
    }
}
