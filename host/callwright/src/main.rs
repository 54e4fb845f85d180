//! The telephone switch whose routing its tenants write: the server, and the tools that speak to it.
//!
//! One file a verb; `output.rs` is the one writer of what people read, `error.rs` the one form of what went wrong.

use std::process::ExitCode;

use clap::Parser;

mod call;
mod check;
mod cli;
mod client;
mod clock;
mod compile;
mod config;
mod data;
mod demo;
mod error;
mod events;
mod matrix;
mod number;
mod output;
mod people;
mod phone;
mod phones;
mod races;
mod rule;
mod serve;
mod simulate;
mod standard;
mod token;

use cli::{Cli, Command, DocumentCommand};
use error::UserError;
use output::Output;

/// A call is some hundred small values that live 32 s (RFC 3261 §17.2.1): measured on a node driven alone, glibc's
/// allocator costs 10 % more of a call's processor time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output::new(cli.json);
    match run(cli.command, &out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out.error(&error);
            error.exit.into()
        }
    }
}

fn run(command: Command, out: &Output) -> Result<(), UserError> {
    match command {
        Command::Serve(args) => serve::run(&args, out),
        Command::Check(args) => check::run(&args, out),
        Command::Token(command) => token::run(&command, out),
        Command::Rule { command, remote } => rule::run(&command, &remote, out),
        Command::Call { command, remote } => call::run(&command, &remote, out),
        Command::Number { command, remote } => number::run(&command, &remote, out),
        Command::Tenant { command, remote } => people::tenants(&command, &remote, out),
        Command::User { command: DocumentCommand::Show { name, look }, remote } => {
            people::user(&name, &look, &remote, out)
        }
        Command::User { command, remote } => people::run(&command, &remote, out),
        Command::Device { command, remote } => people::run(&command, &remote, out),
        Command::Group { command, remote } => people::run(&command, &remote, out),
        Command::Place { command, remote } => people::run(&command, &remote, out),
        Command::Hours { command, remote } => people::run(&command, &remote, out),
        Command::Holidays { command, remote } => people::run(&command, &remote, out),
        Command::Rota { command, remote } => people::run(&command, &remote, out),
        Command::TimeRoute { command, remote } => people::run(&command, &remote, out),
        Command::Role { command, remote } => people::run(&command, &remote, out),
        Command::Site { command, remote } => people::run(&command, &remote, out),
        Command::Table { command, remote } => people::run(&command, &remote, out),
        Command::Forwarding { command, remote } => people::forwarding(command, &remote, out),
        Command::Audit { wanted, remote } => people::audit(&wanted, &remote, out),
        Command::Events { wanted, remote } => events::run(&wanted, &remote, out),
        Command::Orphans { remote } => people::orphans(&remote, out),
        Command::Phone(args) => phone::run(&args, out),
        Command::Demo(args) => demo::run(&args, out),
        Command::Scenario(args) => simulate::scenario(&args, out),
        Command::Swarm(args) => simulate::swarm(&args, out),
        Command::Matrix(args) => matrix::run(&args, out),
        Command::Races(args) => races::run(&args, out),
        Command::CompileChild => compile::child(),
    }
}
