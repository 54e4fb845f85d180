//! What must never happen, whatever phones, wires, stores and rules do; looked at after every step.
//!
//! The checks see what goes into the switch and what comes out of it, its view and its records. They refuse to know
//! how it works inside. Each is named by an [`Invariant`] and proved by a planted [`Fault`](crate::Fault).

mod bounds;
mod presence;
mod reassembly;
mod records;
mod registrar;
mod tenants;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::names::{CallId, Extension, RunId, TenantId};
use callwright_core::record::{CallRecord, Gone};
use callwright_core::rule::{RunEvent, RunOutcome};
use callwright_core::view::{Binding, Phase};
use callwright_core::{Change, Config, Effect, Input, Now, View};

use crate::ledger::Kept;
use crate::tally::{Rare, Tally};
use reassembly::Reassembly;
use records::Records;
use registrar::Registrar;
use tenants::Tenants;
use wire::{Sent, Wire};

/// A phone waits no longer than this for the store.
const STORE_WAIT: Duration = Duration::from_secs(2);
/// A rule that says nothing for so long is late.
const LATE_AFTER: Duration = Duration::from_secs(1);
/// How many violations are kept; the first one is what matters.
const VIOLATIONS_MAX: usize = 50;

/// Something that must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Each INVITE gets one final response.
    OneFinalResponse,
    /// No leg outlives its call; a lost 2xx is acknowledged and ended.
    LegsEndWithTheirCall,
    /// Losers hear "Call completed elsewhere" exactly when another leg answered (TELEPHONY T12).
    LosersAreToldWhy,
    /// Each call has exactly one record.
    OneRecordACall,
    /// A record's times are those of the wire, to the millisecond.
    DurationsAreRight,
    /// A rule's fault changes no other call.
    FaultsStayInTheirCall,
    /// Nothing of one tenant names anything of another.
    TenantsAreApart,
    /// No queue or list grows over its bound.
    BoundsHold,
    /// No `error!` is logged.
    NoErrorIsLogged,
    /// Strangers get no more than they send (TELEPHONY T31).
    StrangersGetNoMore,
    /// The registrar does what the reference model does.
    RegistrarIsAsModelled,
    /// Who is shown on a call is on one.
    PresenceIsAsModelled,
    /// The store has what was acknowledged, and nothing else.
    StoreHasIt,
    /// Time goes on.
    TimeGoesOn,
    /// When everything has settled, nothing is left.
    NothingIsLeft,
    /// A run that was stopped rings nobody and hangs nobody up.
    StoppedRunsHaveNoSay,
}

/// An invariant that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When, since the world began.
    pub at: Duration,
    /// Which.
    pub invariant: Invariant,
    /// How, with names and numbers.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at t+{}s: {}", self.invariant, crate::ladder::clock(self.at), self.what)
    }
}

/// All checks of one world.
pub(crate) struct Checks {
    found: Found,
    tally: Tally,
    phones: BTreeMap<SocketAddr, Owner>,
    streams: Reassembly,
    wire: Wire,
    records: Records,
    registrar: Registrar,
    tenants: Tenants,
    runs: BTreeMap<RunId, Running>,
    step: Step,
}

/// Whose phone sits at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) tenant: TenantId,
    pub(crate) device: Extension,
}

/// A run that was started.
struct Running {
    call: CallId,
    /// Since when nothing was heard of it; none once something was.
    silent_since: Option<Duration>,
    is_stopped: bool,
}

/// What is collected while the switch takes one step.
#[derive(Default)]
struct Step {
    effects: usize,
    /// Records that it wrote, and whether without a journal.
    records: Vec<(Arc<CallRecord>, bool)>,
    /// The call whose rule has just failed.
    failed: Option<CallId>,
    /// The call of a run that was stopped before, and has just asked something.
    dead: Option<CallId>,
    /// Messages that were sent.
    messages: usize,
}

/// Violations in the order in which they were found.
#[derive(Default)]
pub(crate) struct Found(Vec<Violation>);

impl Found {
    pub(crate) fn add(&mut self, now: Now, invariant: Invariant, what: String) {
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(Violation { at: now.mono, invariant, what });
        }
    }
}

impl Checks {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            found: Found::default(),
            tally: Tally::default(),
            phones: BTreeMap::new(),
            streams: Reassembly::default(),
            wire: Wire::default(),
            records: Records::default(),
            registrar: Registrar::new(config),
            tenants: Tenants::new(config),
            runs: BTreeMap::new(),
            step: Step::default(),
        }
    }

    /// A phone joins.
    pub(crate) fn phone(&mut self, at: SocketAddr, tenant: &TenantId, extension: &str) {
        self.phones.insert(at, Owner { tenant: tenant.clone(), device: extension.into() });
    }

    pub(crate) fn configured(&mut self, config: &Config) {
        self.registrar.configured(config);
        self.tenants.configured(config);
    }

    /// Before the switch takes an input, and what it shows then.
    pub(crate) fn before(&mut self, now: Now, view: &View, input: &Input) {
        self.step = Step::default();
        self.wire.begin_step();
        match input {
            Input::Received { flow, bytes } => {
                for message in self.streams.take(*flow, bytes) {
                    let Some(owner) = self.phones.get(&flow.peer) else { continue };
                    self.tenants.heard(&owner.tenant, &message);
                    self.wire.received(now, owner, &message, &mut self.tally);
                    self.registrar.received(now, owner, *flow, &message);
                }
            }
            Input::Closed { flow } => {
                self.streams.forget(*flow);
                self.registrar.closed(*flow);
                self.wire.closed(*flow);
            }
            Input::Run { run, event, .. } => self.run_says(now, *run, event),
            Input::Drain => {
                if !view.calls.is_empty() {
                    self.tally.count(Rare::DrainedInCall);
                }
                self.wire.closing();
            }
            Input::ShutDown => self.wire.closing(),
            Input::Tick
            | Input::Stored { .. }
            | Input::Configured(_)
            | Input::Wished { .. }
            | Input::Tenant { .. }
            | Input::Rules { .. } => {}
        }
    }

    /// Something that the switch asks for.
    pub(crate) fn effect(&mut self, now: Now, effect: &Effect) {
        self.step.effects += 1;
        match effect {
            Effect::Transmit { flow, bytes } => {
                self.step.messages += 1;
                let Some(owner) = self.phones.get(&flow.peer) else { return };
                let Some(message) = crate::glance::Glance::of(bytes) else { return };
                self.tenants.told(now, &owner.tenant, &message, bytes, &mut self.found);
                let sent = Sent { owner, flow: *flow, message: &message, size: bytes.len() };
                self.wire.sent(now, &sent, &mut self.found, &mut self.tally);
                self.registrar.sent(now, owner, &message, &mut self.found);
            }
            Effect::Store { changes, .. } => {
                for change in changes {
                    if let Change::Ended { record, journal } = change {
                        self.tenants.recorded(now, record, journal, &mut self.found);
                        self.step.records.push((Arc::clone(record), journal.is_empty()));
                    }
                }
            }
            Effect::Start(start) => {
                let call = start.call.id.clone();
                let running = Running { call, silent_since: Some(now.mono), is_stopped: false };
                self.runs.insert(start.run, running);
            }
            Effect::Stop { run } => {
                if let Some(running) = self.runs.get_mut(run) {
                    running.is_stopped = true;
                }
            }
            Effect::Close { .. }
            | Effect::Believe { .. }
            | Effect::Answer { .. }
            | Effect::Withdraw(_)
            | Effect::Tell { .. }
            | Effect::Wish { .. } => {}
        }
    }

    /// After the switch has taken an input.
    pub(crate) fn after(&mut self, now: Now, before: &View, after: &View, errors: Vec<String>) {
        for error in errors {
            self.found.add(now, Invariant::NoErrorIsLogged, error);
        }
        if let Some(call) = self.step.failed.take() {
            self.fault_stays_inside(now, &call, before, after);
        }
        if let Some(call) = self.step.dead.take().filter(|_| self.step.messages > 0) {
            let what =
                format!("a stopped rule of {call} asked, and {} messages went out", self.step.messages);
            self.found.add(now, Invariant::StoppedRunsHaveNoSay, what);
        }
        self.count_expired_in_ring(before, after);
        self.wire.end_step(now, &mut self.found);
        // Only now: what a step sends and what it records come in either order.
        for (record, has_no_journal) in std::mem::take(&mut self.step.records) {
            self.records.written(now, &record, has_no_journal, &mut self.wire, &mut self.found);
        }
        self.registrar.compare(now, after, &mut self.found);
        presence::compare(now, &self.wire, after, &mut self.found);
        bounds::check(now, self.step.effects, after, &mut self.found);
    }

    /// The answer of the store, and how long it took.
    pub(crate) fn committed(&mut self, changes: &[Change], is_ok: bool, took: Duration) {
        self.records.committed(changes, is_ok);
        if is_ok {
            self.registrar.committed(changes);
        } else {
            self.tally.count(Rare::StoreRefused);
        }
        if took > STORE_WAIT {
            self.tally.count(Rare::StoreTooSlow);
        }
    }

    /// Something rare that only the world itself can see.
    pub(crate) fn count(&mut self, rare: Rare) {
        self.tally.count(rare);
    }

    pub(crate) fn closed_by_peer(&mut self) {
        self.tally.count(Rare::ConnectionClosed);
    }

    /// The calendar's clock was set.
    pub(crate) fn clock_jumped(&mut self, at: Duration, view: &View) {
        if !view.calls.is_empty() {
            self.tally.count(Rare::ClockSetInCall);
        }
        self.registrar.clock_jumped(at);
    }

    /// The switch was killed: nobody can ask it for what it had in hand, but for all that was acknowledged.
    pub(crate) fn killed(&mut self, view: &View) {
        if !view.calls.is_empty() {
            self.tally.count(Rare::KilledInCall);
        }
        self.streams = Reassembly::default();
        self.runs.clear();
        self.step = Step::default();
        self.wire.killed();
        self.registrar.killed();
    }

    /// It starts again, with what the store gives it.
    pub(crate) fn restored(&mut self, now: Now, config: &Config, bindings: &[Arc<Binding>]) {
        self.registrar.restarted(now, config, bindings, &mut self.found);
    }

    pub(crate) fn stands_still(&mut self, now: Now) {
        self.found.add(
            now,
            Invariant::TimeGoesOn,
            "the same deadline is asked for again and again".to_owned(),
        );
    }

    /// At the end, when every wire has worked for long enough.
    pub(crate) fn at_rest(&mut self, now: Now, view: &View, records: &[Kept]) {
        self.wire.at_rest(now, &mut self.found);
        self.records.at_rest(now, &self.wire, records, &mut self.found);
        for call in view.calls.values() {
            self.found.add(
                now,
                Invariant::NothingIsLeft,
                format!(
                    "call {} from {} to {} is still there: {:?}",
                    call.id,
                    call.from_device.as_ref().map_or("a withheld device", Extension::as_str),
                    call.number,
                    call.phase
                ),
            );
        }
        for ((tenant, device), activity) in &view.activity {
            if *activity != callwright_core::view::Activity::default() {
                self.found.add(
                    now,
                    Invariant::NothingIsLeft,
                    format!("device {device} of {tenant} still has {activity:?}"),
                );
            }
        }
    }

    /// Where the store differs from what was acknowledged.
    pub(crate) fn stored(&mut self, now: Now, differences: Vec<String>) {
        for difference in differences {
            self.found.add(now, Invariant::StoreHasIt, difference);
        }
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.found.0
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    fn run_says(&mut self, now: Now, run: RunId, event: &RunEvent) {
        if let Some(running) = self.runs.get_mut(&run) {
            if running.silent_since.take().is_some_and(|since| now.mono - since >= LATE_AFTER) {
                self.tally.count(Rare::LateWord);
            }
            if running.is_stopped && matches!(event, RunEvent::Asked { .. }) {
                self.tally.count(Rare::WordAfterStop);
                self.step.dead = Some(running.call.clone());
            }
        }
        match event {
            RunEvent::Asked { what, .. } => self.wire.asked(what),
            RunEvent::Ended(outcome) => {
                let call = self.runs.get(&run).map(|running| running.call.clone());
                if matches!(outcome, RunOutcome::FuelExhausted(_)) {
                    self.tally.count(Rare::FuelExhausted);
                }
                if matches!(outcome, RunOutcome::Trap(_)) && self.wire.rings_now() {
                    self.tally.count(Rare::TrapInRing);
                }
                if *outcome != RunOutcome::Ok {
                    self.step.failed = call;
                }
            }
        }
    }

    /// A failed run may change its own call, and nothing of any other.
    fn fault_stays_inside(&mut self, now: Now, call: &CallId, before: &View, after: &View) {
        for (id, was) in before.calls.iter().filter(|(id, _)| *id != call) {
            if after.calls.get(id) != Some(was) {
                self.found.add(
                    now,
                    Invariant::FaultsStayInTheirCall,
                    format!("the rule of {call} failed and {id} changed from {:?}", was.phase),
                );
            }
        }
        let touched = self.wire.sessions_sent_to();
        if touched.len() > 1 {
            self.found.add(
                now,
                Invariant::FaultsStayInTheirCall,
                format!("the rule of {call} failed and {} calls were signalled", touched.len()),
            );
        }
        if !touched.is_empty() && !before.calls.contains_key(call) {
            self.found.add(
                now,
                Invariant::FaultsStayInTheirCall,
                format!("the rule of {call} failed when that was over, and a call was signalled"),
            );
        }
        if let (Some(session), Some(view)) = (touched.first(), before.calls.get(call)) {
            let own = self.wire.sessions_of(&view.tenant, view.from_device.as_ref(), view.began_mono);
            if !own.is_empty() && !own.contains(session) {
                self.found.add(
                    now,
                    Invariant::FaultsStayInTheirCall,
                    format!("the rule of {call} failed and another call was signalled"),
                );
            }
        }
    }

    fn count_expired_in_ring(&mut self, before: &View, after: &View) {
        for (key, (at, gone)) in &after.gone {
            let is_new = before.gone.get(key) != Some(&(*at, *gone));
            let rings = |phase: &Phase| match phase {
                Phase::Ringing(devices) => devices.contains(&key.1),
                Phase::Deciding | Phase::Talking { .. } => false,
            };
            if is_new
                && *gone == Gone::Expired
                && before.calls.values().any(|call| call.tenant == key.0 && rings(&call.phase))
            {
                self.tally.count(Rare::BindingExpiredInRing);
            }
        }
    }
}
