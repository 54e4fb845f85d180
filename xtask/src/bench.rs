//! `cargo xtask bench`: what things cost, measured on a release build beside others that do the same in the same run, since
//! only their ratio means something on another machine.

mod calls;
mod crowd;
mod growth;
mod instructions;
mod load;
mod node;
mod peers;
mod probe;
mod report;
mod rules;
mod undertaker;
mod usage;

/// What is measured.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Calls through the switch and a Wasm rule, beside Kamailio with native, Lua and Python routing.
    Calls(calls::Args),
    /// What a call takes of the switch in instructions, which other programs on the machine do not change.
    Instructions(instructions::Args),
    /// Many registered phones, many calls at once, many users: memory, time and processor share.
    Load(crowd::Args),
    /// A call through the node alone, as users grow more.
    Node(node::Args),
    /// One decision by a rule, beside a native closure, Lua and Rhai.
    Rules(rules::Args),
}

/// Measures it.
pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Calls(args) => calls::run(args),
        Command::Instructions(args) => instructions::run(args),
        Command::Load(args) => crowd::run(args),
        Command::Node(args) => node::run(args),
        Command::Rules(args) => rules::run(args),
    }
}
