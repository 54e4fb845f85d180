//! The switch of a world: the production node, or the same with something wrong on purpose.

use std::sync::Arc;

use callwright_core::{Deadline, Effect, Input, Node, Now, Setup, View};

use crate::fault::{Fault, Faulty};

/// What a world drives.
pub(crate) trait Switch {
    /// Takes what happens.
    fn handle(&mut self, now: Now, input: Input);
    /// The next thing it asks of the outside.
    fn poll(&mut self) -> Option<Effect>;
    /// When it wants to be woken.
    fn deadline(&self) -> Option<Deadline>;
    /// What it shows.
    fn view(&self) -> Arc<View>;
}

impl Switch for Node {
    fn handle(&mut self, now: Now, input: Input) {
        Self::handle(self, now, input);
    }

    fn poll(&mut self) -> Option<Effect> {
        Self::poll(self)
    }

    fn deadline(&self) -> Option<Deadline> {
        Self::deadline(self)
    }

    fn view(&self) -> Arc<View> {
        Self::view(self)
    }
}

/// Begins the switch, with its fault where one is planted.
pub(super) fn built(setup: Setup, fault: Option<Fault>) -> Box<dyn Switch> {
    let node = Node::new(setup);
    match fault {
        None => Box::new(node),
        Some(fault) => Box::new(Faulty::new(node, fault)),
    }
}
