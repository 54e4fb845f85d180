//! One call: the caller's leg, the callees' legs, and what joins them, from INVITE to the last BYE.
//!
//! ```text
//! Deciding ──ring──▶ Ringing ──2xx──▶ Talking ──BYE──▶ Over
//!    ▲  │               │                               ▲
//!    │  └──final────────┼───────────────────────────────┤
//!    └──ring over───────┴──CANCEL───────────────────────┘
//! ```
//!
//! Each file under `call/` is one idea: who decides (`decide`), how phones ring (`ring`, `leg`), how one wins
//! (`answer`), what two people do to each other (`talk`, `late`, `exchange`, `session`), what remains (`story`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callwright_sip::{ClientTx, DialogKey, Flow, Message, ServerTx};
use tracing::Span;

use crate::cause::Final;
use crate::config::Tenant;
use crate::names::{Extension, LegId, RunId, UserId};
use crate::record::{Cause, Disposition, RunRecord};
use crate::rule::{CallFacts, DestinationRef, Outcome};
use crate::seam::Change;
use crate::spans;
use crate::switchboard::{CallKey, Switchboard};
use crate::time::{Deadline, Timer};
use crate::view::{CallView, Phase};

mod answer;
mod behind;
mod caller;
mod code;
mod decide;
mod deflect;
mod exchange;
mod late;
mod leg;
mod nested;
mod ring;
mod roster;
mod run;
mod session;
mod story;
mod talk;

pub(crate) use caller::Caller;
use code::Coding;
use leg::Leg;
use nested::Nested;
use ring::Ring;
use run::Run;
pub(crate) use session::{MIN_SE_S, interval_too_small};
use story::Story;
use talk::{Side, Talk};

/// How long a record waits for the end of its run; it is to be committed within a second of the call's end.
const RECORD_WAIT: Duration = Duration::from_millis(800);

/// One call.
pub(crate) struct Call {
    /// Its number within the node.
    pub(crate) key: CallKey,
    /// The deadline under which the node knows it.
    pub(crate) noted: Option<(Duration, Timer)>,
    /// Everything that happens to this call happens in it.
    pub(crate) span: Span,
    facts: Arc<CallFacts>,
    tenant: Arc<Tenant>,
    /// What the dialled number stands for; none while it stands for nothing.
    to: Option<DestinationRef>,
    caller: Caller,
    stage: Stage,
    // In boxes, as a tree has room for eleven and most calls have one or two.
    legs: BTreeMap<LegId, Box<Leg>>,
    legs_made: u32,
    run: Option<Run>,
    /// Rules of people whom the ring rings as people.
    nested: BTreeMap<RunId, Nested>,
    /// The run that handed the call to the standard rule.
    handed_over: Option<RunRecord>,
    /// People whom its rules have reserved.
    reserved: BTreeSet<UserId>,
    /// What came of devices that were rung to an end (TELEPHONY T32).
    rung: BTreeMap<Extension, Outcome>,
    /// The best outcome of all rings so far.
    best: Option<Outcome>,
    story: Story,
    clients: BTreeMap<ClientTx, Purpose>,
    servers: BTreeMap<ServerTx, Served>,
    dialogs: Vec<DialogKey>,
    /// Requests that were passed on and wait for their answer.
    waiting: BTreeMap<ServerTx, Message>,
}

/// What a call is doing.
enum Stage {
    /// A rule thinks, or nobody has been rung yet.
    Deciding,
    /// Phones ring.
    Ringing(Ring),
    /// Two people talk.
    Talking(Box<Talk>),
    /// A code was dialled, and no call.
    Coding(Coding),
    /// Nothing more will happen to the caller; legs may still be on their way out.
    Over {
        /// The record is written then at the latest.
        record_by: Duration,
        /// It has been written.
        recorded: bool,
    },
}

/// What a client transaction of the call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// The INVITE of a callee leg.
    Leg(LegId),
    /// The relayed re-INVITE.
    Exchange,
    /// Our own refresh of a session, towards that side.
    Refresh(Side),
    /// A relayed request that is no INVITE.
    Relay(ServerTx, Side),
    /// A BYE: its answer changes nothing.
    Farewell,
}

/// What a server transaction of the call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    /// The INVITE that began the call.
    Invite,
    /// A re-INVITE of that side.
    Reinvite,
}

impl Call {
    /// Begins a call of an authenticated device and decides it as far as it can be decided now.
    pub(crate) fn begin(
        board: &mut Switchboard,
        tenant: Arc<Tenant>,
        facts: CallFacts,
        caller: Caller,
        span: Span,
    ) -> Self {
        let to = tenant.plan.find(&facts.number).cloned();
        let mut call = Self {
            key: board.next_call(),
            noted: None,
            span,
            story: Story::begin(board.now),
            servers: BTreeMap::from([(caller.tx, Served::Invite)]),
            facts: Arc::new(facts),
            tenant,
            to,
            caller,
            stage: Stage::Deciding,
            legs: BTreeMap::new(),
            legs_made: 0,
            run: None,
            nested: BTreeMap::new(),
            handed_over: None,
            reserved: BTreeSet::new(),
            rung: BTreeMap::new(),
            best: None,
            clients: BTreeMap::new(),
            dialogs: Vec::new(),
            waiting: BTreeMap::new(),
        };
        board.repaint().counters.calls += 1;
        board.servers.insert(call.caller.tx, call.key);
        board.callers.insert((call.caller.flow, call.key));
        board.change_activity(&call.device_key(&call.caller.device), |activity| activity.dialling += 1);
        tracing::info!("call began");
        call.publish(board);
        call.decide(board);
        call
    }

    /// Nothing of it is left: it can be forgotten.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Over { recorded: true, .. })
            && self.legs.is_empty()
            && self.are_runs_over()
            && !self.clients.values().any(|purpose| *purpose == Purpose::Farewell)
    }

    fn is_unanswered(&self) -> bool {
        match &self.stage {
            Stage::Deciding | Stage::Ringing(_) => true,
            Stage::Coding(coding) => !coding.is_kept(),
            Stage::Talking(_) | Stage::Over { .. } => false,
        }
    }

    /// Takes its entries out of the index.
    pub(crate) fn release(&self, board: &mut Switchboard) {
        for tx in self.clients.keys() {
            board.clients.remove(tx);
        }
        for tx in self.servers.keys() {
            board.servers.remove(tx);
        }
        for key in &self.dialogs {
            board.dialogs.remove(key);
        }
        for run in self.run.iter().chain(self.nested.values().map(|nested| &nested.run)) {
            board.runs.remove(&run.id);
            board.admission.let_go(&self.facts.tenant, run.journalled());
        }
        board.callers.remove(&(self.caller.flow, self.key));
        // Its caller may have gone before the store answered, which then need not answer at all.
        board.wishing.retain(|_, call| *call != self.key);
    }

    /// A response to one of its requests.
    pub(crate) fn response(&mut self, board: &mut Switchboard, tx: ClientTx, response: &Message) {
        let Some(purpose) = self.clients.get(&tx).copied() else { return };
        let _leg = self.asked_leg(purpose).entered();
        let _tx = spans::tx(tx).entered();
        let status = response.status().unwrap_or(0);
        match purpose {
            Purpose::Leg(leg) => self.leg_response(board, leg, response),
            Purpose::Exchange => self.exchange_response(board, tx, response),
            Purpose::Refresh(side) => self.refresh_response(board, side, tx, response),
            Purpose::Relay(server, side) => self.relay_response(board, server, side, response),
            Purpose::Farewell => {}
        }
        if status >= 300 || (status >= 200 && !matches!(purpose, Purpose::Leg(_))) {
            self.forget_client(board, tx);
        }
    }

    /// No response came, or none can come any more.
    pub(crate) fn no_response(&mut self, board: &mut Switchboard, tx: ClientTx) {
        let Some(purpose) = self.clients.get(&tx).copied() else { return };
        let _leg = self.asked_leg(purpose).entered();
        let _tx = spans::tx(tx).entered();
        self.forget_client(board, tx);
        match purpose {
            Purpose::Leg(leg) => self.leg_lost(board, leg),
            Purpose::Exchange => self.exchange_failed(board, 408),
            Purpose::Refresh(_) => self.hang_up(board, None, Cause::DialogLost),
            Purpose::Relay(server, side) => {
                let gone = Message::response(408);
                self.relay_response(board, server, side, &gone);
            }
            Purpose::Farewell => {}
        }
    }

    /// A CANCEL met one of its INVITEs before the final response.
    pub(crate) fn cancelled(&mut self, board: &mut Switchboard, tx: ServerTx) {
        let _leg = self.asking_leg(tx).entered();
        let _tx = spans::tx(tx).entered();
        match self.servers.get(&tx) {
            Some(Served::Invite) => {
                self.reject(board, &Final::caller_cancelled(), Disposition::CallerGone);
            }
            Some(Served::Reinvite) => self.exchange_cancelled(board, tx),
            None => {}
        }
    }

    /// The ACK of one of our 2xx.
    pub(crate) fn acknowledged(&mut self, board: &mut Switchboard, tx: ServerTx, ack: &Message) {
        let _leg = self.asking_leg(tx).entered();
        let _tx = spans::tx(tx).entered();
        match self.servers.get(&tx) {
            Some(Served::Invite) => {
                self.late_answered(board, ack);
                self.code_acknowledged(board);
            }
            Some(Served::Reinvite) => self.exchange_acknowledged(board, tx, ack),
            None => {}
        }
    }

    /// One of our 2xx got no ACK for 64·T1: the dialog is given up (RFC 3261 §13.3.1.4).
    pub(crate) fn never_acknowledged(&mut self, board: &mut Switchboard, tx: ServerTx) {
        if self.servers.contains_key(&tx) {
            self.hang_up(board, None, Cause::NeverAcknowledged);
            self.hang_up_code(board);
        }
    }

    /// The way to the caller is gone, who cannot be told anything: while phones ring the call is over.
    pub(crate) fn caller_lost(&mut self, board: &mut Switchboard) {
        if self.is_unanswered() {
            self.reject(board, &Final::caller_lost(), Disposition::CallerGone);
        }
    }

    /// The switch is going down.
    pub(crate) fn shut_down(&mut self, board: &mut Switchboard) {
        match &self.stage {
            Stage::Deciding | Stage::Ringing(_) => {
                self.reject(board, &Final::shutting_down(), Disposition::Rejected);
            }
            Stage::Coding(coding) if !coding.is_kept() => {
                self.reject(board, &Final::shutting_down(), Disposition::Rejected);
            }
            Stage::Coding(_) => self.hang_up_code(board),
            Stage::Talking(_) => self.hang_up(board, None, Cause::ShuttingDown),
            Stage::Over { .. } => {}
        }
        self.write_record(board);
    }

    pub(crate) fn tick(&mut self, board: &mut Switchboard) {
        self.run_tick(board);
        self.ring_tick(board);
        self.session_tick(board);
        self.late_tick(board);
        self.code_tick(board);
        if self.is_unanswered() {
            self.caller_tick(board);
        }
        let now = board.now.mono;
        if matches!(self.stage, Stage::Over { record_by, recorded: false } if record_by <= now) {
            self.write_record(board);
        }
    }

    /// The earliest moment at which something happens by itself.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let stage = match &self.stage {
            Stage::Deciding => Some(self.caller.provisional_due()),
            Stage::Ringing(ring) => {
                self.ring_deadline(ring).into_iter().chain([self.caller.provisional_due()]).min()
            }
            Stage::Talking(talk) => talk.deadline(),
            Stage::Coding(coding) => coding.deadline(),
            Stage::Over { recorded: true, .. } => None,
            Stage::Over { record_by, recorded: false } => Some(Deadline { at: *record_by, why: Timer::Run }),
        };
        let runs = self.run.iter().chain(self.nested.values().map(|nested| &nested.run));
        stage.into_iter().chain(runs.filter_map(Run::deadline)).min()
    }

    /// Ends an unanswered call: final response to the caller, every leg taken back.
    fn reject(&mut self, board: &mut Switchboard, last: &Final, disposition: Disposition) {
        let stage =
            std::mem::replace(&mut self.stage, Stage::Over { record_by: Duration::MAX, recorded: false });
        if let Stage::Ringing(ring) = stage {
            self.abandon_ring(board, &ring, last.cause.clone());
        }
        self.caller.reject(board, last);
        self.story.concluded(disposition, last.cause.clone(), last.status);
        let device = self.device_key(&self.caller.device);
        board.change_activity(&device, |activity| activity.dialling = activity.dialling.saturating_sub(1));
        self.over(board);
    }

    /// After the last word to the caller: the picture, the run, the record.
    fn over(&mut self, board: &mut Switchboard) {
        self.story.ended(board.now);
        self.stage = Stage::Over { record_by: board.now.mono + RECORD_WAIT, recorded: false };
        board.repaint().calls.remove(&self.facts.id);
        self.count(board);
        self.let_everybody_go(board);
        tracing::info!(cause = ?self.story.cause(), "call ended");
        self.dismiss_run(board);
        if self.are_runs_over() {
            self.write_record(board);
        }
    }

    fn write_record(&mut self, board: &mut Switchboard) {
        if let Stage::Over { recorded, .. } = &mut self.stage
            && !std::mem::replace(recorded, true)
        {
            let nested = self.nested.values().map(|nested| nested.run.record());
            let own = self.handed_over.take().into_iter().chain(self.run.as_ref().map(Run::record));
            let runs = own.chain(nested).collect();
            let (record, journal) = self.story.record(&self.facts, runs);
            board.store(vec![Change::Ended { record: Arc::new(record), journal }]);
        }
    }

    /// Shows others what the call is doing.
    fn publish(&self, board: &mut Switchboard) {
        let phase = match &self.stage {
            Stage::Deciding | Stage::Coding(_) => Phase::Deciding,
            Stage::Ringing(_) => {
                let mut devices: Vec<_> =
                    self.legs.values().filter(|leg| leg.is_alive()).map(|leg| leg.device.clone()).collect();
                devices.dedup();
                Phase::Ringing(devices)
            }
            Stage::Talking(talk) => Phase::Talking {
                device: talk.answered.device.clone(),
                user: talk.answered.user.clone(),
                since: talk.since.wall,
            },
            Stage::Over { .. } => return,
        };
        let view = CallView {
            id: self.facts.id.clone(),
            tenant: self.facts.tenant.clone(),
            caller: self.facts.caller.clone(),
            from_device: self.facts.calling_device().cloned(),
            number: self.facts.number.clone(),
            began: self.story.began().wall,
            began_mono: self.story.began().mono,
            rule: self.run.as_ref().map(|run| (run.rule.name.clone(), run.rule.version.clone())),
            phase,
        };
        board.repaint().calls.insert(self.facts.id.clone(), Arc::new(view));
    }

    fn device_key(&self, device: &Extension) -> (crate::names::TenantId, Extension) {
        (self.facts.tenant.clone(), device.clone())
    }

    /// The span of the leg that one of our requests went to.
    fn asked_leg(&self, purpose: Purpose) -> Span {
        match purpose {
            Purpose::Leg(id) => {
                self.legs.get(&id).map_or_else(|| spans::leg(&self.span, id), |leg| leg.span.clone())
            }
            Purpose::Exchange => {
                self.exchange_from().map_or_else(Span::none, |side| self.peer_span(side.other()))
            }
            Purpose::Refresh(side) => self.peer_span(side),
            Purpose::Relay(_, side) => self.peer_span(side.other()),
            Purpose::Farewell => Span::none(),
        }
    }

    /// The span of the leg whose request a server transaction holds.
    fn asking_leg(&self, tx: ServerTx) -> Span {
        match self.servers.get(&tx) {
            Some(Served::Invite) => self.caller.span.clone(),
            Some(Served::Reinvite) => {
                self.exchange_from().map_or_else(Span::none, |side| self.peer_span(side))
            }
            None => Span::none(),
        }
    }

    /// Sends a request of this call and remembers what for.
    fn ask(
        &mut self,
        board: &mut Switchboard,
        flow: Flow,
        request: Message,
        purpose: Purpose,
    ) -> Option<ClientTx> {
        let tx = board.ask(self.key, flow, request)?;
        self.clients.insert(tx, purpose);
        Some(tx)
    }

    fn forget_client(&mut self, board: &mut Switchboard, tx: ClientTx) {
        self.clients.remove(&tx);
        board.clients.remove(&tx);
    }

    /// Lets requests within a dialog find the call.
    fn index(&mut self, board: &mut Switchboard, key: DialogKey) {
        if board.dialogs.insert(key.clone(), self.key).is_none() {
            self.dialogs.push(key);
        }
    }

    fn serve(&mut self, board: &mut Switchboard, tx: ServerTx, served: Served) {
        self.servers.insert(tx, served);
        board.servers.insert(tx, self.key);
    }

    fn forget_server(&mut self, board: &mut Switchboard, tx: ServerTx) {
        self.servers.remove(&tx);
        board.servers.remove(&tx);
    }
}
