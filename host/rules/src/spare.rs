//! An instance that is made before the call that will use it, so that no caller waits for its making (ADR 0012).

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use callwright_core::rule::RunStart;
use wasmtime::Store;

use crate::bindings::CallPolicy;
use crate::door::Door;
use crate::engine::{Ready, Rule};
use crate::limits::SPARE_MEMORY_BYTES_MAX;
use crate::run::{fresh_store, instantiate};
use crate::state::RunState;

/// An instance for one call to come. It has run what the component does when it starts, and nothing else.
pub struct Spare {
    pub(crate) ready: Arc<Ready>,
    store: Store<RunState>,
    instance: CallPolicy,
}

impl Spare {
    /// Makes an instance of a rule. None where there is no room for it now, or where the rule needs its call from the start: it
    /// asks the host for something, fails, takes longer than a slice, or much memory.
    #[must_use]
    pub fn of(rule: &Rule) -> Option<Self> {
        let ready = rule.ready();
        if ready.needs_its_call.load(Ordering::Relaxed) {
            return None;
        }
        let mut store = fresh_store(&ready, RunState::rehearsing(ready.limits));
        let started = pin!(instantiate(&ready, &mut store)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(instance)) = started else { return None };
        let run = store.data();
        if run.journal.calls() > 0 || run.bounds.memory > SPARE_MEMORY_BYTES_MAX {
            ready.needs_its_call.store(true, Ordering::Relaxed);
            return None;
        }
        Some(Self { ready, store, instance })
    }

    /// The same as a store and an instance that were made for this call.
    pub(crate) fn begin(mut self, start: &RunStart, door: Door) -> (Store<RunState>, CallPolicy) {
        self.store.data_mut().begin(start, door);
        self.store.set_epoch_deadline(1);
        (self.store, self.instance)
    }
}
