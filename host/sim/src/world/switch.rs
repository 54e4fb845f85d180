//! The switch of a world: the production node, or the same with something wrong on purpose.

use std::sync::Arc;

use callwright_core::{Config, Deadline, Effect, Input, Node, Now, Setup, View};

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

/// A switch that was killed: nobody hears, and nothing is shown but what is configured.
pub(super) struct Dead(Arc<View>);

impl Dead {
    pub(super) fn of(config: &Arc<Config>) -> Self {
        Self(Arc::new(View { config: Arc::clone(config), ..View::default() }))
    }
}

impl Switch for Dead {
    fn handle(&mut self, _: Now, _: Input) {}

    fn poll(&mut self) -> Option<Effect> {
        None
    }

    fn deadline(&self) -> Option<Deadline> {
        None
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.0)
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
