//! `cargo xtask bench node`: what a call costs the node alone, and whether it stays the same as users grow more.

use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::shell::{self, Budget};

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Calls of one turn, at 300 a second of the node's own time.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..))]
    calls: u32,
    /// Numbers of users that are compared; the first is the base.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 10_000, 1_000_000])]
    users: Vec<u32>,
    /// Compares one node with so many, each on a thread of its own and with the first number of users.
    #[arg(long, value_parser = clap::value_parser!(u16).range(2..=64))]
    nodes: Option<u16>,
    /// How often each is measured; all take turns and the best turn counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    turns: u32,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Builds the program and lets all numbers of users take turns.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let build = ["build", "--release", "--package", "callwright-bench"];
    Budget::unbounded().run(shell::cargo().args(build))?;
    let cases: Vec<Case> = match args.nodes {
        Some(nodes) => {
            let users = args.users.first().copied().unwrap_or(100);
            [1, nodes].map(|nodes| Case { calls: args.calls, users, nodes }).into()
        }
        None => args.users.iter().map(|users| Case { calls: args.calls, users: *users, nodes: 1 }).collect(),
    };
    let mut best: Vec<Option<Value>> = vec![None; cases.len()];
    for turn in 1..=args.turns {
        for (case, best) in cases.iter().zip(&mut best) {
            shell::say(&format!(
                "turn {turn} of {}: {} users, nodes: {}",
                args.turns, case.users, case.nodes
            ));
            let measured = measure(*case)?;
            if best.as_ref().is_none_or(|best| cost(&measured) < cost(best)) {
                *best = Some(measured);
            }
        }
    }
    let best: Vec<Value> = best.into_iter().flatten().collect();
    if args.json {
        return shell::answer(&Value::Array(best).to_string());
    }
    if args.nodes.is_some() { print_nodes(&best) } else { print_users(&best) }
}

fn print_users(best: &[Value]) -> anyhow::Result<()> {
    let base = best.first().map_or(f64::NAN, cost);
    shell::answer("    users  us/call  ratio  steps")?;
    for measured in best {
        let users = measured["users"].as_u64().unwrap_or_default();
        let cost = cost(measured);
        let steps = measured["steps"].as_object().into_iter().flatten();
        let steps: Vec<String> = steps.map(|(step, took)| format!("{step} {took}")).collect();
        shell::answer(&format!("{users:>9} {cost:>8.1} {:>6.2}  {}", cost / base, steps.join(", ")))?;
    }
    Ok(())
}

/// The ratio is of calls a second: as many as there are nodes at best.
fn print_nodes(best: &[Value]) -> anyhow::Result<()> {
    let rate = |measured: &Value| measured["calls_per_s"].as_f64().unwrap_or(f64::NAN);
    let base = best.first().map_or(f64::NAN, rate);
    shell::answer("nodes  calls/s  ratio  us/call")?;
    for measured in best {
        let nodes = measured["nodes"].as_u64().unwrap_or_default();
        let (rate, cost) = (rate(measured), cost(measured));
        shell::answer(&format!("{nodes:>5} {rate:>8.0} {:>6.2} {cost:>8.1}", rate / base))?;
    }
    Ok(())
}

/// What is measured at a time: so many calls of each node.
#[derive(Clone, Copy)]
struct Case {
    calls: u32,
    users: u32,
    nodes: u16,
}

/// Microseconds of a call with each number of users; all take turns and the best turn counts.
pub(super) fn costs(users: &[u32], turns: usize) -> anyhow::Result<Vec<f64>> {
    let mut costs = vec![f64::INFINITY; users.len()];
    for _ in 0..turns {
        for (users, best) in users.iter().zip(&mut costs) {
            *best = best.min(cost(&measure(Case { calls: 20_000, users: *users, nodes: 1 })?));
        }
    }
    Ok(costs)
}

/// Microseconds of a call.
fn cost(measured: &Value) -> f64 {
    measured["us_per_call"].as_f64().unwrap_or(f64::INFINITY)
}

fn measure(case: Case) -> anyhow::Result<Value> {
    let program = shell::target().join("release/bench-node");
    let output = Command::new(&program)
        .args([case.calls.to_string(), case.users.to_string(), case.nodes.to_string()])
        .output()?;
    if !output.status.success() {
        bail!("bench-node ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("bench-node prints one JSON object")
}
