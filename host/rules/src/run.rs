//! One execution of a rule for one call, as a coroutine that its driver resumes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use callwright_core::names::{AskId, RunId};
use callwright_core::rule::{RunEvent, RunOutcome, RunStart, Spent};
use wasmtime::component::Resource;
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::CallPolicy;
use crate::door::{Answered, Door};
use crate::engine::{Ready, Rule};
use crate::handle::Call;
use crate::journal::{End, Journal};
use crate::limits::HOSTCALL_BYTES_MAX;
use crate::outcome::{self, Part};
use crate::reached;
use crate::spare::Spare;
use crate::state::RunState;

/// What a run did when it was resumed.
#[derive(Debug)]
pub enum Step {
    /// It asks, or it is over: goes to the core as `Input::Run`.
    Event {
        /// What it asks, or how it ended.
        event: RunEvent,
        /// What it used and said since its last event.
        spent: Box<Spent>,
    },
    /// A slice of CPU is used up: put it at the back of the queue and resume it without an answer.
    Slice,
}

/// A run. It does nothing until it is resumed, owns everything it needs, and may be dropped at any time.
pub struct Run {
    id: RunId,
    door: Door,
    state: State,
    /// As last heard of, for a run that is stopped.
    fuel: u64,
    slices: u32,
}

enum State {
    /// To be resumed without an answer.
    Running(Execution),
    /// Suspended with this question.
    Asking(Execution, AskId),
    /// Over; its end has been given out.
    Over,
}

type Execution = Pin<Box<dyn Future<Output = Ended> + Send>>;

/// What an execution leaves behind.
struct Ended {
    outcome: RunOutcome,
    spent: Spent,
}

impl Run {
    /// Prepares a run; the first [`Run::resume`] begins it.
    #[must_use]
    pub fn start(rule: &Rule, start: RunStart) -> Self {
        let door = Door::default();
        let id = start.run;
        let execution = Box::pin(execute(rule.ready(), start, door.clone()));
        Self::of(id, door, execution)
    }

    /// As [`Run::start`] with the rule of an instance that is made already: nothing tells the two apart but the time that they
    /// take.
    #[must_use]
    pub fn start_with(spare: Spare, start: RunStart) -> Self {
        let door = Door::default();
        let id = start.run;
        let execution = Box::pin(execute_with(spare, start, door.clone()));
        Self::of(id, door, execution)
    }

    fn of(id: RunId, door: Door, execution: Execution) -> Self {
        Self { id, door, state: State::Running(execution), fuel: 0, slices: 0 }
    }

    /// The run's number.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Goes on until the next question, the end of a slice, or the run's end.
    ///
    /// An answer belongs to the open question, and to nothing else. A driver that breaks this ends the run as
    /// [`RunOutcome::Internal`]; a run that is over stays over.
    pub fn resume(&mut self, answered: Option<Answered>) -> Step {
        let execution = match (std::mem::replace(&mut self.state, State::Over), answered) {
            (State::Running(execution), None) => execution,
            (State::Asking(execution, ask), Some(answered)) if answered.ask == ask => {
                self.door.answer(answered);
                execution
            }
            (State::Asking(..), Some(_)) => return self.broken("an answer to a question that is not open"),
            (State::Asking(..), None) => return self.broken("resumed without the answer that it waits for"),
            (State::Running(_), Some(_)) => return self.broken("an answer without a question"),
            (State::Over, _) => return self.broken("resumed after its end"),
        };
        self.poll(execution)
    }

    /// Drops the run where it stands and gives the end that is owed for it.
    #[must_use]
    pub fn stop(self, outcome: RunOutcome) -> Step {
        let (fuel, exact) = match self.state {
            State::Asking(..) | State::Over => (self.fuel, true),
            State::Running(_) => (self.fuel, self.slices == 0),
        };
        stopped(outcome, fuel, exact, self.slices)
    }

    fn poll(&mut self, mut execution: Execution) -> Step {
        match execution.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ended) => {
                Step::Event { event: RunEvent::Ended(ended.outcome), spent: Box::new(ended.spent) }
            }
            Poll::Pending => match self.door.take() {
                Some(asked) => {
                    self.fuel = asked.spent.fuel;
                    self.slices = asked.spent.slices;
                    self.state = State::Asking(execution, asked.ask);
                    Step::Event {
                        event: RunEvent::Asked { ask: asked.ask, what: asked.what },
                        spent: Box::new(asked.spent),
                    }
                }
                None => {
                    self.slices = self.slices.saturating_add(1);
                    self.state = State::Running(execution);
                    Step::Slice
                }
            },
        }
    }

    /// Ends a run whose driver broke the contract.
    fn broken(&mut self, what: &str) -> Step {
        debug_assert!(false, "run {}: {what}", self.id);
        tracing::error!(run = %self.id, what, "a run was driven wrongly");
        stopped(RunOutcome::Internal(what.to_owned()), self.fuel, false, self.slices)
    }
}

/// The end of a run that nobody can look into any more.
fn stopped(outcome: RunOutcome, fuel: u64, fuel_exact: bool, slices: u32) -> Step {
    let mut journal = Journal::default();
    journal.end(&End { outcome: &outcome, fuel, fuel_exact, counts: None });
    let spent = Spent { fuel, fuel_exact, slices, journal: journal.take(), ..Spent::default() };
    Step::Event { event: RunEvent::Ended(outcome), spent: Box::new(spent) }
}

/// Makes an instance and drops it: whatever a component does when it starts, it does within the limits of a run.
pub(crate) fn prove(rule: &Rule) -> Result<(), RunOutcome> {
    let ready = rule.ready();
    let mut store = fresh_store(&ready, RunState::rehearsing(ready.limits));
    let started = {
        let mut starting = std::pin::pin!(instantiate(&ready, &mut store));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            // Pending is an epoch slice: nothing can be asked before there is a call.
            if let Poll::Ready(started) = starting.as_mut().poll(&mut context) {
                break started.map(|_| ());
            }
        }
    };
    let run = store.data();
    match started {
        Ok(()) if run.bounds.memory_refused.is_none() && run.bounds.table_refused.is_none() => Ok(()),
        Ok(()) => Err(outcome::of_return(Ok(()), run)),
        Err(error) => Err(outcome::of_error(&error, Part::Instantiate, run)),
    }
}

/// A store with every limit set. Never used twice.
pub(crate) fn fresh_store(ready: &Ready, run: RunState) -> Store<RunState> {
    let limits = ready.limits;
    let mut store = Store::new(ready.pre.engine(), run);
    store.limiter(|run| &mut run.bounds);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    // Twice: the table's own limit is reached first, and is an error that the rule can see.
    store.set_max_component_handles(limits.handles.saturating_mul(2));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| {
        let run = store.data_mut();
        if run.slices >= run.limits.slices {
            return Ok(UpdateDeadline::Interrupt);
        }
        run.slices += 1;
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// The whole run, from a fresh store to its last line.
async fn execute(ready: Arc<Ready>, start: RunStart, door: Door) -> Ended {
    let mut store = fresh_store(&ready, RunState::new(&start, ready.limits, door));
    let (part, returned) = match instantiate(&ready, &mut store).await {
        Ok(instance) => (Part::HandleCall, handle_call(&instance, &mut store).await),
        Err(error) => (Part::Instantiate, Err(error)),
    };
    end(&ready, &mut store, part, returned)
}

/// The same, in an instance that is made already.
async fn execute_with(spare: Spare, start: RunStart, door: Door) -> Ended {
    let ready = Arc::clone(&spare.ready);
    let (mut store, instance) = spare.begin(&start, door);
    let returned = handle_call(&instance, &mut store).await;
    end(&ready, &mut store, Part::HandleCall, returned)
}

/// What a run leaves behind.
fn end(
    ready: &Ready,
    store: &mut Store<RunState>,
    part: Part,
    returned: wasmtime::Result<Result<(), String>>,
) -> Ended {
    let left = store.get_fuel().unwrap_or(0);
    let granted = ready.limits.fuel;
    let run = store.data_mut();
    let (outcome, exact) = match returned {
        Ok(returned) => (outcome::of_return(returned, run), true),
        Err(error) => (outcome::of_error(&error, part, run), outcome::fuel_is_exact(&error)),
    };
    let fuel = if exact { granted.saturating_sub(left) } else { granted };
    run.close_log();
    run.end(&outcome, fuel, exact);
    let limits = reached::of(&outcome, run);
    let spent = Spent { limits, ..run.take_spent(fuel, exact) };
    Ended { outcome, spent }
}

pub(crate) async fn instantiate(ready: &Ready, store: &mut Store<RunState>) -> wasmtime::Result<CallPolicy> {
    store.set_fuel(ready.limits.fuel)?;
    ready.pre.instantiate_async(store).await
}

async fn handle_call(
    instance: &CallPolicy,
    store: &mut Store<RunState>,
) -> wasmtime::Result<Result<(), String>> {
    let call = store.data_mut().table.push(Call)?;
    instance.call_handle_call(store, Resource::new_borrow(call.rep())).await
}
