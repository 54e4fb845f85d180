//! The virtual world: simulated phones, links, a clock that jumps, scenario files, swarms, invariants and ladders.
//!
//! The front door is [`World`] (the production core among simulated phones), [`Scenario`] (a text
//! file played in a world) and [`swarm`] (thousands of random worlds). A [`Phone`] can also be driven over real
//! sockets. Nothing here owns a socket, a clock or a thread, and nothing knows call logic beyond phones and invariants.

mod agenda;
mod alarm;
mod checks;
mod dice;
mod fault;
mod glance;
mod ladder;
mod ledger;
mod link;
pub mod matrix;
pub mod phone;
pub mod races;
pub mod runs;
pub mod scenario;
pub mod swarm;
mod tally;
mod town;
mod trace;
mod words;
mod world;

pub use checks::{Invariant, Violation};
pub use fault::Fault;
pub use ladder::Ladder;
pub use ledger::Kept;
pub use link::Link;
pub use phone::Phone;
pub use scenario::Scenario;
pub use swarm::Swarm;
pub use tally::{Rare, Tally};
pub use trace::Trace;
pub use world::{Happening, PhoneSetup, Unplugged, World, WorldSetup};
