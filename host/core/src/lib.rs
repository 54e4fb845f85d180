//! The switch as one value: [`Node`] takes [`Input`]s and gives [`Effect`]s.
//!
//! It owns calls, rings, the registrar, presence facts and what explains them. It refuses to own sockets, clocks,
//! threads, databases and Wasm: the daemon, the simulator and replay drive the same compiled code.

mod admission;
mod answered;
mod auth;
mod breaker;
mod call;
mod cause;
pub mod codes;
pub mod config;
mod dial;
pub mod explain;
pub mod forwarding;
pub mod group;
mod guard;
pub mod kept;
mod kind;
pub mod label;
pub mod names;
mod node;
pub mod notice;
pub mod orphan;
pub mod place;
pub mod presence;
pub mod record;
mod registrar;
pub mod roster;
pub mod rota;
pub mod route;
pub mod rule;
pub mod schedule;
mod sdp;

pub mod seam;
mod spans;
pub mod stats;
mod subscription;
mod switchboard;
#[cfg(test)]
mod testing;
pub mod time;
pub mod time_route;
pub mod view;

pub use breaker::Withdrawal;
pub use config::Config;
pub use kind::Kind;
pub use node::{Node, Setup};
pub use notice::Notice;
pub use seam::{Change, Effect, Input};
pub use time::{Deadline, Now, Timer};
pub use view::View;
