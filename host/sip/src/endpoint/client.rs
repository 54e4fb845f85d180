//! Client transactions: what we ask (RFC 3261 §17.1, §9.1; RFC 6026 §7.2).

use super::essentials::Essentials;
use super::room::give_back;
use super::timer::{Owner, Timer};
use super::{ClientTx, Context, Event, Full};
use crate::flow::{Flow, Transport};
use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
use crate::text::Text;
use crate::via::MAGIC_COOKIE;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

mod build;

/// The most 2xx with different To tags that one INVITE may get; more are dropped and time out at their sender.
pub const FORKS_MAX: usize = 32;

/// How long repetitions of a refusal are answered at the least (RFC 3261 §17.1.1.2).
const TIMER_D_MIN: Duration = Duration::from_secs(32);

/// Every client transaction.
#[derive(Default, Debug)]
pub(super) struct Clients {
    next: u64,
    table: BTreeMap<ClientTx, Box<Client>>,
    // Never iterated; see the servers' index.
    by_branch: HashMap<Text, ClientTx>,
    by_flow: BTreeSet<(Flow, ClientTx)>,
    /// INVITEs whose 2xx has its ACK, the oldest first.
    acknowledged: VecDeque<ClientTx>,
}

#[derive(Debug)]
struct Client {
    flow: Flow,
    branch: Text,
    method: Method,
    /// The request as it went out, with our Via; empty once there is nothing to repeat, cancel, acknowledge or end.
    wire: Bytes,
    state: State,
    cancel: Cancel,
}

/// The states of RFC 3261 figures 5 and 6, with Accepted of RFC 6026 §7.2.
#[derive(Debug)]
enum State {
    /// An INVITE without any response.
    Calling { interval: Duration },
    /// An INVITE with a provisional one.
    InviteProceeding,
    /// An INVITE that was refused; repetitions of the refusal get this ACK.
    InviteCompleted { ack: Bytes },
    /// An INVITE that was accepted, by each To tag with the ACK of the user where it was given.
    Accepted { forks: Vec<(Text, Option<Bytes>)> },
    /// Another request without any response.
    Trying { interval: Duration },
    /// Another request with a provisional one.
    Proceeding,
    /// Another request with its final one; repetitions of it vanish.
    Completed,
}

/// How far taking an INVITE back has come.
#[derive(Debug)]
enum Cancel {
    NotAsked,
    /// Waits for the first provisional response (RFC 3261 §9.1).
    Held {
        reason: Option<Text>,
    },
    Sent {
        wire: Bytes,
        interval: Duration,
    },
}

impl Clients {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn request(
        &mut self,
        context: &mut Context,
        now: Duration,
        flow: Flow,
        mut request: Message,
    ) -> Result<ClientTx, Full> {
        if self.table.len() >= context.settings.transactions_max && !self.forget_oldest(context) {
            return Err(Full);
        }
        self.next += 1;
        let tx = ClientTx(self.next);
        let branch = context.add_via(flow, &mut request);
        let wire = request.to_bytes();
        context.out.send(flow, wire.clone());
        let (interval, patience) = (context.settings.t1, context.settings.patience());
        let method = request.method().cloned().unwrap_or(Method::Options);
        let (state, resend, give_up) = if method == Method::Invite {
            (State::Calling { interval }, Timer::A, Timer::B)
        } else {
            (State::Trying { interval }, Timer::E, Timer::F)
        };
        if !flow.transport.reliable() {
            context.timers.set(Owner::Client(tx), resend, now + interval);
        }
        context.timers.set(Owner::Client(tx), give_up, now + patience);
        self.by_branch.insert(branch.clone(), tx);
        self.by_flow.insert((flow, tx));
        let client = Client { flow, branch, method, wire, state, cancel: Cancel::NotAsked };
        self.table.insert(tx, Box::new(client));
        Ok(tx)
    }

    /// Takes a response; one that no request of ours asked for vanishes (RFC 3261 §17.1.3).
    pub(super) fn response(
        &mut self,
        context: &mut Context,
        now: Duration,
        response: Message,
        essentials: &Essentials,
    ) {
        let Some((tx, status)) = self.match_response(context, &response, essentials) else { return };
        let Some(client) = self.table.get_mut(&tx) else { return };
        let owner = Owner::Client(tx);
        match &mut client.state {
            State::Calling { .. } | State::InviteProceeding => {
                context.timers.cancel(owner, Timer::A);
                context.timers.cancel(owner, Timer::B);
                if status < 200 {
                    client.state = State::InviteProceeding;
                    client.send_held_cancel(context, now, tx);
                } else if status < 300 {
                    client.accepted(context, now, tx, &response);
                } else {
                    client.refused(context, now, tx, &response);
                }
                self.deliver(context, tx, response);
            }
            State::InviteCompleted { ack } => {
                if status >= 300 {
                    context.out.send(client.flow, ack.clone());
                }
            }
            State::Accepted { forks } => {
                if (200..300).contains(&status) && is_new_fork(forks, &response, context, client.flow) {
                    self.deliver(context, tx, response);
                }
            }
            State::Trying { .. } | State::Proceeding => {
                if status < 200 {
                    client.provisional(context, now, tx);
                } else {
                    client.completed(context, now, tx);
                }
                self.deliver(context, tx, response);
            }
            State::Completed => {}
        }
    }

    pub(super) fn cancel(
        &mut self,
        context: &mut Context,
        now: Duration,
        tx: ClientTx,
        reason: Option<Text>,
    ) {
        let Some(client) = self.table.get_mut(&tx) else { return };
        match (&client.state, &client.cancel) {
            (State::Calling { .. }, Cancel::NotAsked) => client.cancel = Cancel::Held { reason },
            (State::Calling { .. }, Cancel::Held { reason: before }) => {
                client.cancel = Cancel::Held { reason: reason.or_else(|| before.clone()) };
            }
            (State::InviteProceeding, Cancel::NotAsked) => client.send_cancel(context, now, tx, reason),
            (
                State::Calling { .. }
                | State::InviteProceeding
                | State::InviteCompleted { .. }
                | State::Accepted { .. }
                | State::Trying { .. }
                | State::Proceeding
                | State::Completed,
                Cancel::NotAsked | Cancel::Held { .. } | Cancel::Sent { .. },
            ) => tracing::debug!(%tx, "nothing is left to cancel"),
        }
    }

    pub(super) fn acknowledge(
        &mut self,
        context: &mut Context,
        tx: ClientTx,
        to_tag: &Text,
        mut ack: Message,
    ) {
        let Some(client) = self.table.get_mut(&tx) else { return };
        let State::Accepted { forks } = &mut client.state else { return };
        if let Some((_, known)) = forks.iter_mut().find(|(tag, _)| tag == to_tag) {
            context.add_via(client.flow, &mut ack);
            let bytes = ack.to_bytes();
            context.out.send(client.flow, bytes.clone());
            *known = Some(bytes);
            if forks.len() == 1 {
                self.acknowledged.push_back(tx);
            }
        }
    }

    /// An INVITE as it went out.
    pub(super) fn invite(&self, tx: ClientTx) -> Option<(Flow, Message)> {
        let client = self.table.get(&tx).filter(|client| client.method == Method::Invite)?;
        Some((client.flow, client.sent()?))
    }

    /// A flow is gone: what waits for an answer over it waits in vain.
    pub(super) fn fail(&mut self, context: &mut Context, flow: Flow) {
        let range = (flow, ClientTx(0))..=(flow, ClientTx(u64::MAX));
        let on_flow: Vec<ClientTx> = self.by_flow.range(range).map(|(_, tx)| *tx).collect();
        for tx in on_flow {
            if self.table.get(&tx).is_some_and(|client| client.state.awaits_response()) {
                self.remove(context, tx);
                context.out.report(Event::Failed { tx });
            }
        }
    }

    pub(super) fn fire(&mut self, context: &mut Context, now: Duration, tx: ClientTx, timer: Timer) {
        let Some(client) = self.table.get_mut(&tx) else { return };
        if timer == Timer::CancelResend {
            client.resend_cancel(context, now, tx);
            return;
        }
        let t2 = context.settings.t2;
        match (&mut client.state, timer) {
            (State::Calling { interval }, Timer::A) => {
                *interval *= 2;
                context.timers.set(Owner::Client(tx), Timer::A, now + *interval);
                context.out.send(client.flow, client.wire.clone());
            }
            (State::Trying { interval }, Timer::E) => {
                *interval = (*interval * 2).min(t2);
                context.timers.set(Owner::Client(tx), Timer::E, now + *interval);
                context.out.send(client.flow, client.wire.clone());
            }
            (State::Proceeding, Timer::E) => {
                context.timers.set(Owner::Client(tx), Timer::E, now + t2);
                context.out.send(client.flow, client.wire.clone());
            }
            (state, _) => {
                let in_vain = state.awaits_response();
                self.remove(context, tx);
                if in_vain {
                    tracing::debug!(%tx, ?timer, "request timed out");
                    context.out.report(Event::TimedOut { tx });
                }
            }
        }
    }

    /// The transaction a response belongs to, by branch and method; answers to our CANCEL end here.
    fn match_response(
        &mut self,
        context: &mut Context,
        response: &Message,
        essentials: &Essentials,
    ) -> Option<(ClientTx, u16)> {
        let status = response.status()?;
        // A response with a second Via went astray (RFC 3261 §8.1.3.3).
        if essentials.hops != 1 {
            return None;
        }
        let tx = *self.by_branch.get(essentials.via.branch()?)?;
        let method = &essentials.cseq.method;
        let client = self.table.get(&tx)?;
        if client.method == *method {
            return Some((tx, status));
        }
        if *method == Method::Cancel && status >= 200 {
            context.timers.cancel(Owner::Client(tx), Timer::CancelResend);
        }
        None
    }

    /// Reports a response, and forgets the transaction where nothing of it can come again.
    fn deliver(&mut self, context: &mut Context, tx: ClientTx, message: Message) {
        let over = self.table.get(&tx).is_some_and(|client| client.is_over());
        if over {
            self.remove(context, tx);
        }
        context.out.report(Event::Response { tx, message });
    }

    /// Makes room by forgetting the oldest INVITE that is only kept for repetitions of its 2xx, if there is one.
    ///
    /// deviation: RFC 6026 §7.2 keeps it for 64·T1. Whoever lost the ACK asks again within seconds; without this, a node
    /// would end at so many calls in half a minute however quickly it carries each.
    fn forget_oldest(&mut self, context: &mut Context) -> bool {
        let Some(oldest) = self.acknowledged.front().copied() else { return false };
        self.remove(context, oldest);
        true
    }

    fn remove(&mut self, context: &mut Context, tx: ClientTx) {
        context.timers.cancel_all(Owner::Client(tx));
        let Some(client) = self.table.remove(&tx) else { return };
        self.by_branch.remove(&client.branch);
        give_back(&mut self.by_branch);
        self.by_flow.remove(&(client.flow, tx));
        while self.acknowledged.front().is_some_and(|oldest| !self.table.contains_key(oldest)) {
            self.acknowledged.pop_front();
        }
        if matches!(client.state, State::Accepted { .. }) {
            context.out.report(Event::Forgotten { tx });
        }
    }
}

/// Whether nobody heard of this 2xx before; a repetition gets its ACK again.
fn is_new_fork(
    forks: &mut Vec<(Text, Option<Bytes>)>,
    response: &Message,
    context: &mut Context,
    flow: Flow,
) -> bool {
    let tag = build::to_tag(response);
    match forks.iter().find(|(known, _)| *known == tag) {
        Some((_, Some(ack))) => context.out.send(flow, ack.clone()),
        Some((_, None)) => {}
        None if forks.len() < FORKS_MAX => {
            forks.push((tag, None));
            return true;
        }
        None => tracing::debug!(peer = %flow, "one fork too many is dropped"),
    }
    false
}

impl Client {
    fn accepted(&mut self, context: &mut Context, now: Duration, tx: ClientTx, response: &Message) {
        let owner = Owner::Client(tx);
        context.timers.cancel_all(owner);
        self.state = State::Accepted { forks: vec![(build::to_tag(response), None)] };
        context.timers.set_about(owner, Timer::M, now + context.settings.patience());
    }

    fn refused(&mut self, context: &mut Context, now: Duration, tx: ClientTx, response: &Message) {
        let owner = Owner::Client(tx);
        context.timers.cancel_all(owner);
        let ack = self.sent().map_or_else(Bytes::new, |request| build::ack(&request, response).to_bytes());
        context.out.send(self.flow, ack.clone());
        self.state = State::InviteCompleted { ack };
        self.wire = Bytes::new();
        context.timers.set_about(owner, Timer::D, now + context.settings.patience().max(TIMER_D_MIN));
    }

    fn provisional(&mut self, context: &mut Context, now: Duration, tx: ClientTx) {
        self.state = State::Proceeding;
        if !self.flow.transport.reliable() {
            context.timers.set(Owner::Client(tx), Timer::E, now + context.settings.t2);
        }
    }

    fn completed(&mut self, context: &mut Context, now: Duration, tx: ClientTx) {
        let owner = Owner::Client(tx);
        context.timers.cancel_all(owner);
        self.state = State::Completed;
        self.wire = Bytes::new();
        context.timers.set_about(owner, Timer::K, now + context.settings.t4);
    }

    /// The request again, for what is built from it. Most requests need neither ACK nor CANCEL, and all are kept.
    fn sent(&self) -> Option<Message> {
        match Message::parse(self.wire.clone()) {
            Ok(request) => Some(request),
            Err(error) => error.partial.map(|request| *request),
        }
    }

    fn send_held_cancel(&mut self, context: &mut Context, now: Duration, tx: ClientTx) {
        if let Cancel::Held { reason } = &self.cancel {
            let reason = reason.clone();
            self.send_cancel(context, now, tx, reason);
        }
    }

    fn send_cancel(&mut self, context: &mut Context, now: Duration, tx: ClientTx, reason: Option<Text>) {
        let Some(request) = self.sent() else { return };
        let wire = build::cancel(&request, reason).to_bytes();
        context.out.send(self.flow, wire.clone());
        let interval = context.settings.t1;
        if !self.flow.transport.reliable() {
            context.timers.set(Owner::Client(tx), Timer::CancelResend, now + interval);
        }
        context.timers.set(Owner::Client(tx), Timer::CancelWait, now + context.settings.patience());
        self.cancel = Cancel::Sent { wire, interval };
    }

    fn resend_cancel(&mut self, context: &mut Context, now: Duration, tx: ClientTx) {
        if let Cancel::Sent { wire, interval } = &mut self.cancel {
            context.out.send(self.flow, wire.clone());
            *interval = (*interval * 2).min(context.settings.t2);
            context.timers.set(Owner::Client(tx), Timer::CancelResend, now + *interval);
        }
    }

    /// On a stream nothing is repeated, so a refused INVITE and an answered request need no memory.
    fn is_over(&self) -> bool {
        self.flow.transport.reliable()
            && matches!(self.state, State::InviteCompleted { .. } | State::Completed)
    }
}

impl State {
    fn awaits_response(&self) -> bool {
        match self {
            Self::Calling { .. } | Self::InviteProceeding | Self::Trying { .. } | Self::Proceeding => true,
            Self::InviteCompleted { .. } | Self::Accepted { .. } | Self::Completed => false,
        }
    }
}

impl Context {
    /// Puts our Via before all headers and returns its branch.
    fn add_via(&mut self, flow: Flow, request: &mut Message) -> Text {
        let branch = Text::from(format!("{MAGIC_COOKIE}{}", self.minter.mint()));
        let rport = match flow.transport {
            Transport::Udp => ";rport",
            Transport::Tcp => "",
        };
        let (host, port) = (&self.settings.host, self.settings.port);
        let via = format!("SIP/2.0/{} {host}:{port}{rport};branch={branch}", flow.transport);
        request.headers.push_front(Name::Via, via);
        branch
    }
}
