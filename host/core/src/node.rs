//! A running switch: inputs in, effects out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callwright_sip::{EndpointSettings, Event, Flow};
use jiff::Timestamp;

use crate::call::Call;
use crate::config::Config;
use crate::kept::{KeptKey, KeptValue};
use crate::names::TenantId;
use crate::record::{CallRecord, Gone};
use crate::registrar::Registrar;
use crate::rule::ActiveRule;
use crate::seam::{Effect, Input};
use crate::spans;
use crate::stats::{Remembered, Stats};
use crate::subscription::Subscriptions;
use crate::switchboard::{Asker, CallKey, Switchboard};
use crate::time::{Deadline, Now, Timer};
use crate::view::{Binding, DeviceKey, View};

mod content;
mod ingress;
#[cfg(test)]
mod tests;

/// What a node is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its number: every branch, tag and Call-ID that it mints begins with it.
    pub node: u16,
    /// Host written into Via and Contact.
    pub host: String,
    /// Port written there, for UDP and TCP alike.
    pub port: u16,
    /// For everything that must not be guessed.
    pub seed: [u8; 32],
    /// Who and what there is.
    pub config: Arc<Config>,
    /// Active rules of all tenants.
    pub rules: Vec<Arc<ActiveRule>>,
    /// Bindings that survived a restart.
    pub bindings: Vec<Arc<Binding>>,
    /// How the last binding of each device without one ended.
    pub gone: Vec<(DeviceKey, (Timestamp, Gone))>,
    /// What rules have kept.
    pub kept: Vec<(KeptKey, KeptValue)>,
    /// The newest calls that were over before, oldest first: what rules know of callers and of who is idle.
    pub past: Vec<Arc<CallRecord>>,
    /// The first moment.
    pub now: Now,
}

/// A running switch as one value.
///
/// Its methods are of four kinds. [`handle`](Self::handle) takes one input and never blocks, fails or panics;
/// [`poll`](Self::poll) gives the effects of all inputs so far, in an order that is part of the behaviour, and is called
/// until `None`; [`deadline`](Self::deadline) says when to hand in [`Input::Tick`] at the latest, which is harmless at
/// any other time; [`view`](Self::view) is the picture that everyone else reads. `now` never goes back.
pub struct Node {
    board: Switchboard,
    registrar: Registrar,
    subscriptions: Subscriptions,
    calls: BTreeMap<CallKey, Box<Call>>,
    due: BTreeSet<(Duration, Timer, CallKey)>,
    span: tracing::Span,
}

impl Node {
    /// Makes a node.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let (mut stats, mut remembered) = (Stats::since(setup.now.wall), Remembered::default());
        stats.recall(&mut remembered, &setup.past, &setup.config);
        let picture = View {
            config: setup.config,
            rules: setup
                .rules
                .into_iter()
                .map(|rule| ((rule.tenant.clone(), rule.name.clone()), rule))
                .collect(),
            gone: setup.gone.into_iter().collect(),
            kept: setup.kept.into_iter().collect(),
            stats,
            ..View::default()
        };
        let span = spans::node(setup.node);
        let _node = span.clone().entered();
        let settings = EndpointSettings::new(setup.node, setup.host, setup.port);
        let mut board = Switchboard::new(setup.now, settings, setup.seed, picture);
        board.remembered = remembered;
        board.keeper.load(&board.picture.kept);
        let mut registrar = Registrar::default();
        registrar.load(&mut board, setup.bindings);
        let subscriptions = Subscriptions::default();
        Self { board, registrar, subscriptions, calls: BTreeMap::new(), due: BTreeSet::new(), span }
    }

    /// Takes one input.
    pub fn handle(&mut self, now: Now, input: Input) {
        self.board.now = now;
        let _node = self.span.clone().entered();
        match input {
            Input::Received { flow, bytes } => self.board.sip.receive(now.mono, flow, bytes),
            Input::Closed { flow } => {
                self.board.sip.closed(now.mono, flow);
                self.flow_closed(flow);
            }
            Input::Tick => {
                let before = self.board.sip.transactions();
                self.board.sip.tick(now.mono);
                if self.board.sip.transactions() != before {
                    self.board.repaint();
                }
                self.registrar.tick(&mut self.board);
                self.subscriptions.tick(&mut self.board);
                self.board.kept_tick();
                self.tick_calls();
            }
            Input::Run { run, event, spent } => {
                if let Some(key) = self.board.runs.get(&run).copied() {
                    self.with_call(key, |call, board| call.run_event(board, run, event, spent));
                }
            }
            Input::Stored { ticket, result } => {
                if let Some(key) = self.board.wishing.remove(&ticket) {
                    self.with_call(key, |call, board| call.code_kept(board, ticket, result));
                } else if !self.board.kept_stored(ticket, &result)
                    && !self.subscriptions.stored(&mut self.board, ticket, &result)
                {
                    self.registrar.stored(&mut self.board, ticket, result);
                }
            }
            Input::Configured(config) => self.configured(config, None),
            Input::Tenant { id, config } => self.configured(config, Some(&id)),
            Input::Rules { tenant, active } => self.rules_activated(&tenant, active),
            Input::Wished { tenant, user, wishes } => {
                let (saved, key) = (&mut self.board.repaint().wishes, (tenant.clone(), user.clone()));
                match wishes {
                    Some(wishes) => saved.insert(key, wishes),
                    None => saved.remove(&key),
                };
                self.subscriptions.wished(&mut self.board, &tenant, &user);
            }
            Input::Drain => self.board.repaint().closing = true,
            Input::ShutDown => {
                self.board.repaint().closing = true;
                for key in self.calls.keys().copied().collect::<Vec<_>>() {
                    self.with_call(key, Call::shut_down);
                }
                self.subscriptions.shut_down(&mut self.board);
                self.board.save_all_kept();
            }
        }
        self.settle();
    }

    /// The next effect.
    pub fn poll(&mut self) -> Option<Effect> {
        self.board.next_effect()
    }

    /// When something happens by itself, and what.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        let sip = self.board.sip.deadline().map(|(at, _)| Deadline { at, why: Timer::Transaction });
        let call = self.due.first().map(|(at, why, _)| Deadline { at: *at, why: *why });
        let (registrar, subscriptions) = (self.registrar.deadline(), self.subscriptions.deadline());
        [sip, call, registrar, subscriptions, self.board.kept_deadline()].into_iter().flatten().min()
    }

    /// Whether no call is left, not even one that has ended and waits for the answer to its last BYE.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.calls.is_empty()
    }

    /// The picture of this moment.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.board.view()
    }

    /// Handles what the endpoint has to say until it is silent, and passes its bytes on in order.
    fn settle(&mut self) {
        loop {
            self.transmit();
            let Some(event) = self.board.sip.poll_event() else { break };
            self.event(event);
        }
        self.transmit();
    }

    fn transmit(&mut self) {
        while let Some(transmit) = self.board.sip.poll_transmit() {
            self.board.emit(Effect::Transmit { flow: transmit.flow, bytes: transmit.bytes });
        }
        while let Some(flow) = self.board.sip.poll_close() {
            self.board.emit(Effect::Close { flow });
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Request { flow, message } => self.request(flow, message),
            Event::Cancelled { tx, .. } => self.served(tx, |call, board| call.cancelled(board, tx)),
            Event::Acknowledged { tx, message } => {
                self.served(tx, |call, board| call.acknowledged(board, tx, &message));
            }
            Event::NeverAcknowledged { tx } => {
                self.served(tx, |call, board| call.never_acknowledged(board, tx));
            }
            Event::Response { tx, message } => match self.board.clients.get(&tx).cloned() {
                Some(Asker::Probe(key)) if message.status().is_some_and(|status| status >= 200) => {
                    self.board.clients.remove(&tx);
                    self.registrar.probed(&mut self.board, &key, true);
                }
                Some(Asker::Call(key)) => {
                    self.with_call(key, |call, board| call.response(board, tx, &message));
                }
                Some(Asker::Subscription(key)) if message.status().is_some_and(|status| status >= 200) => {
                    self.board.clients.remove(&tx);
                    self.subscriptions.answered(&mut self.board, key, &message);
                }
                Some(Asker::Answered(answered)) => answered.again(&mut self.board, tx, &message),
                Some(Asker::Probe(_) | Asker::Subscription(_)) | None => {}
            },
            Event::Forgotten { tx } => {
                self.board.clients.remove(&tx);
            }
            Event::TimedOut { tx } | Event::Failed { tx } => match self.board.clients.get(&tx).cloned() {
                Some(Asker::Probe(key)) => {
                    self.board.clients.remove(&tx);
                    self.registrar.probed(&mut self.board, &key, false);
                }
                Some(Asker::Subscription(key)) => {
                    self.board.clients.remove(&tx);
                    self.subscriptions.unanswered(&mut self.board, key);
                }
                Some(Asker::Call(key)) => self.with_call(key, |call, board| call.no_response(board, tx)),
                Some(Asker::Answered(_)) | None => {}
            },
            Event::Closed { flow } => self.flow_closed(flow),
            Event::Malformed { flow, error } => {
                tracing::debug!(peer = %flow, %error, "message was malformed");
                self.board.repaint().counters.malformed += 1;
            }
        }
    }

    fn served(&mut self, tx: callwright_sip::ServerTx, handle: impl FnOnce(&mut Call, &mut Switchboard)) {
        if let Some(key) = self.board.servers.get(&tx).copied() {
            self.with_call(key, handle);
        }
    }

    /// Lets something happen to a call, then forgets the call or notes its next deadline.
    fn with_call(&mut self, key: CallKey, handle: impl FnOnce(&mut Call, &mut Switchboard)) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let span = call.span.clone();
        span.in_scope(|| handle(call, &mut self.board));
        self.note(key);
    }

    fn note(&mut self, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let is_done = call.is_done();
        let due = if is_done { None } else { call.deadline().map(|Deadline { at, why }| (at, why)) };
        if due != call.noted {
            if let Some((at, why)) = std::mem::replace(&mut call.noted, due) {
                self.due.remove(&(at, why, key));
            }
            if let Some((at, why)) = due {
                self.due.insert((at, why, key));
            }
        }
        if is_done {
            call.release(&mut self.board);
            self.calls.remove(&key);
        }
    }

    fn tick_calls(&mut self) {
        let now = self.board.now.mono;
        let due: Vec<CallKey> =
            self.due.iter().take_while(|(at, ..)| *at <= now).map(|(.., key)| *key).collect();
        for key in due {
            self.with_call(key, Call::tick);
        }
    }

    fn flow_closed(&mut self, flow: Flow) {
        self.registrar.closed(&mut self.board, flow);
        self.subscriptions.closed(&mut self.board, flow);
        for key in self.board.calls_from(flow) {
            self.with_call(key, Call::caller_lost);
        }
    }

    /// Takes a configuration over; `only` says that nothing but that tenant is different.
    fn configured(&mut self, config: Arc<Config>, only: Option<&TenantId>) {
        self.registrar.configured(&mut self.board, &config, only);
        self.board.admission.configured(&config);
        self.board.told.configured(&config);
        let picture = self.board.repaint();
        picture.stats.keep_only(&config, only);
        picture.config = config;
        self.subscriptions.configured(&mut self.board, only);
        match only {
            Some(tenant) => tracing::debug!(%tenant, "configuration of a tenant taken over"),
            None => tracing::info!("configuration taken over"),
        }
    }

    fn rules_activated(&mut self, tenant: &TenantId, active: Vec<Arc<ActiveRule>>) {
        self.board.breaker.forget(tenant);
        let rules = &mut self.board.repaint().rules;
        let before: Vec<_> = rules.keys().filter(|(owner, _)| owner == tenant).cloned().collect();
        for key in before {
            rules.remove(&key);
        }
        let _tenant = spans::tenant(tenant).entered();
        for rule in active {
            tracing::info!(rule = %rule.name, version = %rule.version, "rule active");
            rules.insert((tenant.clone(), rule.name.clone()), rule);
        }
    }
}
