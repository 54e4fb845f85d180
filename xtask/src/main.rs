//! `cargo xtask`: everything a person runs in this repository. One file a command; what a command lacks it installs
//! (`tools.rs`), and it says what it does while it does it (`shell.rs`).

use std::process::ExitCode;

use clap::Parser;

mod attack;
mod bench;
mod crash;
mod demo;
mod fuzz;
mod guests;
mod rule;
mod shell;
mod steps;
mod tally;
mod tools;
mod trials;
mod world;

/// Everything a person runs in this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Checks everything: what continuous integration runs.
    Test(steps::Args),
    /// Starts the switch with two rules on loopback and makes two calls through them.
    Demo(demo::Args),
    /// Attacks a switch on loopback and says what held.
    Attack(attack::Args),
    /// Kills, ends and reloads a switch under load, and says what was lost.
    Crash(crash::Args),
    /// Looks for inputs from outside that break what must hold for any.
    Fuzz(fuzz::Args),
    /// Measures what things cost, beside others that do the same.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Works on a rule's source.
    #[command(subcommand)]
    Rule(rule::Command),
    /// Runs scenario files through the switch in virtual time.
    Scenario(world::Scenarios),
    /// Runs random worlds and checks the invariants after every step.
    Swarm(world::Swarm),
    /// Plays every interaction of forwarding and compares the results with docs/interactions.md.
    Matrix(world::Matrix),
    /// Plays every order in which the events of one call can happen.
    Races(world::Races),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Test(args) => steps::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Attack(args) => attack::run(&args),
        Command::Crash(args) => crash::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Bench(command) => bench::run(&command),
        Command::Rule(command) => rule::run(&command),
        Command::Scenario(args) => world::scenarios(&args),
        Command::Swarm(args) => world::swarm(&args),
        Command::Matrix(args) => world::matrix(&args),
        Command::Races(args) => world::races(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<shell::AlreadyTold>() => ExitCode::FAILURE,
        Err(error) => {
            shell::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
